// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"crypto/rand"
	"crypto/rsa"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// shortRSA makes a self-signed CA, as no program of today's Go would, and its key.
func shortRSA(t *testing.T) (cert, key []byte) {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	defer t.Setenv("GODEBUG", "")
	private, err := rsa.GenerateKey(rand.Reader, 512)
	require.NoError(t, err)
	template := &stdx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := stdx509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: stdx509.MarshalPKCS1PrivateKey(private)})
}

// checked runs upgrade-check over a peer's configuration with these lines below peer.tls, and returns what is refused.
func checked(t *testing.T, dir string, lines ...string) []cause.Finding {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "msp"), 0o700))
	text := "peer:\n  mspConfigPath: msp\n  fileSystemPath: data\n  tls:\n    enabled: true\n    " + strings.Join(lines, "\n    ") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(text), 0o600))
	r := &Report{now: time.Now()}
	require.NoError(t, r.upgrade(dir))
	var refused []cause.Finding
	for _, f := range r.Findings {
		if f.Cause != cause.MSPIncomplete && !f.Warning {
			refused = append(refused, f)
		}
	}
	return refused
}

// TestUpgradeFindsShortRSAKeys: in roots, in the node's own pair, and in any file or folder that the tool takes.
func TestUpgradeFindsShortRSAKeys(t *testing.T) {
	cert, key := shortRSA(t)
	dir := t.TempDir()
	gmtlstest.WriteFile(t, dir, "rsa.crt", cert)
	gmtlstest.WriteFile(t, dir, "rsa.key", key)
	good := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
	leaf := good.Issue(t, pkix.Name{CommonName: "localhost"})
	gmtlstest.WriteFile(t, dir, "good.crt", leaf.CertPEM)
	gmtlstest.WriteFile(t, dir, "good.key", leaf.KeyPEM)
	gmtlstest.WriteFile(t, dir, "ca.crt", good.CertPEM)
	ok := []string{"cert: {file: good.crt}", "key: {file: good.key}", "rootcert: {file: ca.crt}"}
	require.Empty(t, checked(t, dir, ok...))
	for name, lines := range map[string][]string{
		"root":        {ok[0], ok[1], "rootcert: {file: rsa.crt}"},
		"client root": append([]string{"clientAuthRequired: true", "clientRootCAs: {files: [ca.crt, rsa.crt]}"}, ok...),
		"pair":        {"cert: {file: rsa.crt}", "key: {file: rsa.key}", ok[2]},
	} {
		found := checked(t, dir, lines...)
		require.Len(t, found, 1, name)
		require.Equal(t, cause.KeyShort, found[0].Cause, name)
		require.Contains(t, found[0].Detail, "rsa.crt", name)
		require.Contains(t, found[0].Detail, "512 bits", name)
	}
	for _, name := range []string{"rsa.crt", "rsa.key"} {
		r := &Report{now: time.Now()}
		_, err := r.load(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, cause.KeyShort, r.Findings[0].Cause, name)
	}
	r := &Report{now: time.Now()}
	r.channelMSP("block", marshalMSP(t, cert))
	require.Equal(t, cause.KeyShort, r.Findings[0].Cause)
}

// TestUpgradeChecksRevocationLists as the node does that reads them.
func TestUpgradeChecksRevocationLists(t *testing.T) {
	dir, ca := t.TempDir(), gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
	leaf := ca.Issue(t, pkix.Name{CommonName: "localhost"})
	for name, content := range map[string][]byte{
		"good.crt": leaf.CertPEM, "good.key": leaf.KeyPEM, "ca.crt": ca.CertPEM,
		"own.crl": ca.RevocationList(t, x509.RevocationList{}), "other.crl": gmtlstest.NewCA(t).RevocationList(t, x509.RevocationList{}),
	} {
		gmtlstest.WriteFile(t, dir, name, content)
	}
	lines := func(lists string) []string {
		return []string{"cert: {file: good.crt}", "key: {file: good.key}", "rootcert: {file: ca.crt}", fmt.Sprintf("revocationLists: {files: [%s]}", lists)}
	}
	require.Empty(t, checked(t, dir, lines("own.crl")...))
	for _, bad := range []string{"own.crl, other.crl", "ca.crt", "absent.crl"} {
		found := checked(t, dir, lines(bad)...)
		require.Len(t, found, 1, bad)
		require.Contains(t, found[0].Detail, "peer.tls.revocationLists.files", bad)
	}
}

// TestUpgradeFindsSettingsTwice: wherever they are, however their letters are written; the last of them is what the rest is checked by.
func TestUpgradeFindsSettingsTwice(t *testing.T) {
	dir, ca := t.TempDir(), gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
	leaf := ca.Issue(t, pkix.Name{CommonName: "localhost"})
	for name, content := range map[string][]byte{"good.crt": leaf.CertPEM, "good.key": leaf.KeyPEM, "ca.crt": ca.CertPEM} {
		gmtlstest.WriteFile(t, dir, name, content)
	}
	ok := []string{"cert: {file: good.crt}", "key: {file: good.key}", "rootcert: {file: ca.crt}"}
	for _, test := range []struct{ line, want string }{
		{"cert: {file: good.crt}", "core.yaml: peer.tls.cert is in line 6 and in line 9"},
		{"CERT: {file: good.crt}", "core.yaml: peer.tls.CERT is in line 6 and in line 9"},
		{"gm: {protocols: [{a: 1, A: 2}]}", "core.yaml: peer.tls.gm.protocols.A is in line 9 and in line 9"},
		{"x: 1\n  TLS: {enabled: false}", "core.yaml: peer.TLS is in line 4 and in line 10"},
		{"x: 1\npeer: {}", "core.yaml: peer is in line 1 and in line 10"},
	} {
		found := checked(t, dir, append(ok[:3:3], test.line)...)
		require.NotEmpty(t, found, test.line)
		require.Equal(t, cause.SettingTwice, found[0].Cause, test.line)
		require.Contains(t, found[0].Detail, test.want)
		_, err := NodeSettings(dir)
		require.ErrorContains(t, err, strings.TrimPrefix(test.want, "core.yaml: "))
	}
	gmtlstest.WriteFile(t, dir, "core.yaml", []byte("peer: {id: a}\n---\npeer: {tls: {mode: gm}}\n"))
	_, err := NodeSettings(dir)
	require.ErrorContains(t, err, "core.yaml: something follows the first document, and one is read: join them")

	found := checked(t, dir, ok[0], ok[1], ok[2], "rootCert: {file: gone.crt}")
	require.Len(t, found, 2)
	require.Contains(t, found[1].Detail, "gone.crt")
}

func marshalMSP(t *testing.T, root []byte) []byte {
	t.Helper()
	fabric, err := proto.Marshal(&msp.FabricMSPConfig{Name: "Org", RootCerts: [][]byte{root}})
	require.NoError(t, err)
	config, err := proto.Marshal(&msp.MSPConfig{Config: fabric})
	require.NoError(t, err)
	return config
}

// TestUpgradeReadsInstalledChaincode also where the name of a folder is a pattern; a folder without a connection.json is none.
func TestUpgradeReadsInstalledChaincode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "peer[1]")
	builds := filepath.Join(dir, "data", "externalbuilder", "builds")
	server := filepath.Join(builds, "ledger_1", "release", "chaincode", "server")
	require.NoError(t, os.MkdirAll(server, 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(builds, "other"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(builds, "a-file"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(server, "connection.json"), []byte(`{"address":"nowhere"}`), 0o600))
	found := checked(t, dir, "mode: tls")
	require.Len(t, found, 1)
	require.Contains(t, found[0].Detail, filepath.Join("ledger_1", "release", "chaincode", "server", "connection.json"))
}

// TestNamesOfFilesArePrinted without what a terminal obeys: a folder may come from a stranger.
func TestNamesOfFilesArePrinted(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "cacerts"), 0o700))
	gmtlstest.WriteFile(t, filepath.Join(dir, "cacerts"), "a\x1b]0;x\x07.pem", gmtlstest.NewCA(t).CertPEM)
	gmtlstest.WriteFile(t, filepath.Join(dir, "cacerts"), "b\x1b[2J.pem", []byte("{"))
	r := &Report{now: time.Now()}
	require.NoError(t, r.node(dir))
	var out strings.Builder
	r.write(&out)
	require.Contains(t, out.String(), "a?]0;x?.pem: root certificate")
	require.Contains(t, out.String(), "b?[2J.pem")
	require.NotContains(t, out.String(), "\x1b")
}

// TestDeepDocuments: what is nested too deep to be read is said, and not passed over.
func TestDeepDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"JSON": strings.Repeat(`{"a":`, 60) + `"-----BEGIN CERTIFICATE-----"` + strings.Repeat("}", 60),
		"YAML": "peers: " + strings.Repeat(`{a: `, 60) + `"-----BEGIN CERTIFICATE-----"` + strings.Repeat("}", 60),
	} {
		r := &Report{now: time.Now()}
		r.parse("profile", []byte(text))
		require.Len(t, r.Findings, 1, name)
		require.Contains(t, r.Findings[0].Detail, "nested more than 32 deep", name)
	}
}

// TestManyFindings: of a document with very many faults some are told, and that there are more.
func TestManyFindings(t *testing.T) {
	r := &Report{now: time.Now()}
	r.parse("profile", []byte("["+strings.Repeat(`"-----BEGIN ",`, 2*maxFindings)+"0]"))
	require.Len(t, r.Findings, maxFindings+1)
	require.Contains(t, r.Findings[maxFindings].Detail, "more is wrong")
	require.Equal(t, exit.Findings, r.finish().ExitCode)
}

// TestUpgradeChecksUsageForTLS13: a pair whose signing certificate has contentCommitment alone is refused where TLS 1.3 is configured.
func TestUpgradeChecksUsageForTLS13(t *testing.T) {
	from, to := time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	ca, err := pki.NewCA("bank", true, from, to)
	require.NoError(t, err)
	dir := t.TempDir()
	gmtlstest.WriteFile(t, dir, "ca.crt", pki.CertPEM(ca.Cert))
	for name, usage := range map[string]stdx509.KeyUsage{"sign": stdx509.KeyUsageContentCommitment, "enc": x509.PairEncryptionUsage} {
		cert, key, err := ca.Issue(pki.Leaf("node", []string{"localhost"}, usage, from, to))
		require.NoError(t, err)
		text, err := x509.MarshalPrivateKeyPEM(key, nil)
		require.NoError(t, err)
		gmtlstest.WriteFile(t, dir, name+".crt", pki.CertPEM(cert))
		gmtlstest.WriteFile(t, dir, name+".key", text)
	}
	const pair = "signCert: {file: sign.crt}, signKey: {file: sign.key}, encCert: {file: enc.crt}, encKey: {file: enc.key}"
	lines := func(protocols string) []string {
		return []string{"mode: gm", "rootcert: {file: ca.crt}", "gm: {" + pair + protocols + "}"}
	}
	for _, protocols := range []string{"", ", protocols: [TLCP]", ", clientProtocol: TLCP"} {
		require.Empty(t, checked(t, dir, lines(protocols)...), protocols)
	}
	for _, protocols := range []string{", protocols: [TLCP, TLS13]", ", clientProtocol: TLS13"} {
		found := checked(t, dir, lines(protocols)...)
		require.Len(t, found, 1, protocols)
		require.Equal(t, cause.SignUsage, found[0].Cause)
		require.Contains(t, found[0].Detail, "RFC 8446")
	}
}
