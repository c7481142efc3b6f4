// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	stdx509 "crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
	tjsm2 "github.com/tjfoc/gmsm/sm2"
	tjx509 "github.com/tjfoc/gmsm/x509"
	yaml "gopkg.in/yaml.v2"
)

const mixedNetwork = `
OrdererOrgs:
  - Name: Orderer
    Domain: example.com
    Algorithm: gm
    EnableNodeOUs: true
    Specs:
      - Hostname: orderer
        SANS: [localhost, 127.0.0.1]
PeerOrgs:
  - Name: GM
    Domain: gm.example.com
    Algorithm: gm
    EnableNodeOUs: true
    CA: {Country: CN, Province: Beijing, Locality: Haidian}
    Template:
      Count: 1
      SANS: [localhost, 127.0.0.1]
    Users: {Count: 1}
  - Name: Std
    Domain: std.example.com
    Algorithm: ecdsa
    Template: {Count: 1}
  - Name: Dual
    Domain: dual.example.com
    Algorithm: ecdsa
    TLCP: true
    EnableNodeOUs: true
    Template: {Count: 1}
  - Name: Bare
    Domain: bare.example.com
    Algorithm: gm
    TLCP: false
    Template: {Count: 1}
`

// run calls one of the commands with the given configuration, the way main does.
func run(t *testing.T, command func(), config, algorithmFlag string, dir string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crypto-config.yaml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	opened, err := os.Open(file)
	require.NoError(t, err)
	defer opened.Close()

	*genConfigFile, *algorithm, *outputDir, *inputDir = opened, algorithmFlag, dir, dir
	defer func() { *genConfigFile, *algorithm = nil, "" }()
	command()
}

func generated(t *testing.T, config, algorithmFlag string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, generate, config, algorithmFlag, dir)
	return dir
}

// tree lists the files below dir, relative to it.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	}))
	sort.Strings(files)
	return files
}

func readCert(t *testing.T, elem ...string) *x509.Certificate {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(elem...))
	require.NoError(t, err)
	block, rest := pem.Decode(raw)
	require.NotNil(t, block)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}

func readKey(t *testing.T, file string) any {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	block, _ := pem.Decode(raw)
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key
}

func TestLayoutOfGMOrganization(t *testing.T) {
	dir := generated(t, mixedNetwork, "")
	org := filepath.Join(dir, "peerOrganizations", "gm.example.com")
	require.Equal(t, []string{
		"ca/ca.gm.example.com-cert.pem",
		"ca/priv_sk",
		"gmtlsca/gmtlsca.gm.example.com-cert.pem",
		"gmtlsca/priv_sk",
		"msp/cacerts/ca.gm.example.com-cert.pem",
		"msp/config.yaml",
		"msp/tlscacerts/gmtlsca.gm.example.com-cert.pem",
		"msp/tlscacerts/tlsca.gm.example.com-cert.pem",
	}, without(tree(t, org), "peers/", "users/", "tlsca/"))
	require.Equal(t, []string{
		"msp/cacerts/ca.gm.example.com-cert.pem",
		"msp/config.yaml",
		"msp/keystore/priv_sk",
		"msp/signcerts/peer0.gm.example.com-cert.pem",
		"msp/tlscacerts/gmtlsca.gm.example.com-cert.pem",
		"msp/tlscacerts/tlsca.gm.example.com-cert.pem",
		"tls/ca.crt", "tls/gm-ca.crt",
		"tls/server-enc.crt", "tls/server-enc.key", "tls/server-sign.crt", "tls/server-sign.key",
		"tls/server.crt", "tls/server.key",
	}, tree(t, filepath.Join(org, "peers", "peer0.gm.example.com")))
	require.Equal(t, []string{
		"ca.crt", "client-enc.crt", "client-enc.key", "client-sign.crt", "client-sign.key",
		"client.crt", "client.key", "gm-ca.crt",
	}, tree(t, filepath.Join(org, "users", "User1@gm.example.com", "tls")))
}

func without(files []string, prefixes ...string) []string {
	var kept []string
next:
	for _, file := range files {
		for _, prefix := range prefixes {
			if strings.HasPrefix(file, prefix) {
				continue next
			}
		}
		kept = append(kept, file)
	}
	return kept
}

func TestAlgorithmAndTLCPPerOrganization(t *testing.T) {
	dir := generated(t, mixedNetwork, "")
	for _, tc := range []struct {
		domain            string
		sm2, pairs, inMSP bool
	}{
		{"gm.example.com", true, true, true},
		{"std.example.com", false, false, false},
		{"dual.example.com", false, true, false},
		{"bare.example.com", true, false, false},
	} {
		t.Run(tc.domain, func(t *testing.T) {
			org := filepath.Join(dir, "peerOrganizations", tc.domain)
			node := filepath.Join(org, "peers", "peer0."+tc.domain)
			identity := readCert(t, node, "msp", "signcerts", "peer0."+tc.domain+"-cert.pem")
			require.Equal(t, tc.sm2, x509.IsSM2(identity.PublicKey))
			require.NoError(t, x509.CheckKeyPair(identity, readKey(t, filepath.Join(node, "msp", "keystore", "priv_sk"))))

			std := readCert(t, node, "tls", "server.crt")
			require.Equal(t, elliptic.P256(), std.PublicKey.(*ecdsa.PublicKey).Curve)

			for _, file := range []string{"gm-ca.crt", "server-sign.crt", "server-sign.key", "server-enc.crt", "server-enc.key"} {
				_, err := os.Stat(filepath.Join(node, "tls", file))
				require.Equal(t, tc.pairs, err == nil, file)
			}
			for _, mspDir := range []string{filepath.Join(org, "msp"), filepath.Join(node, "msp")} {
				roots, err := filepath.Glob(filepath.Join(mspDir, "tlscacerts", "gmtlsca*"))
				require.NoError(t, err)
				require.Equal(t, tc.inMSP, len(roots) == 1, mspDir)
			}
		})
	}
}

// Pairs follow GB/T 38636 for usage and the rules of GmSSL for the rest: same
// subject, names and issuer, serial numbers of four bytes and more, no empty
// basic constraints, no extended key usage in the CA.
func TestTLCPPair(t *testing.T) {
	dir := generated(t, mixedNetwork, "")
	org := filepath.Join(dir, "peerOrganizations", "gm.example.com")
	tlsDir := filepath.Join(org, "peers", "peer0.gm.example.com", "tls")
	root := readCert(t, tlsDir, "gm-ca.crt")
	require.Equal(t, readCert(t, org, "gmtlsca", "gmtlsca.gm.example.com-cert.pem").Raw, root.Raw)
	require.Equal(t, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, root.KeyUsage)
	require.Empty(t, root.ExtKeyUsage)

	pool := x509.NewCertPool()
	pool.AddCert(root)
	sign, enc := readCert(t, tlsDir, "server-sign.crt"), readCert(t, tlsDir, "server-enc.crt")
	for name, cert := range map[string]*x509.Certificate{"sign": sign, "enc": enc} {
		_, err := x509.Verify(cert, x509.VerifyOptions{Roots: pool, DNSName: "localhost",
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		require.NoError(t, err, name)
		_, err = x509.Verify(cert, x509.VerifyOptions{Roots: pool, DNSName: "127.0.0.1",
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		require.NoError(t, err, name)
		require.NoError(t, x509.CheckKeyPair(cert, readKey(t, filepath.Join(tlsDir, "server-"+name+".key"))))
		require.GreaterOrEqual(t, len(cert.SerialNumber.Bytes()), 4)
		for _, ext := range cert.Extensions {
			require.NotEqual(t, "2.5.29.19", ext.Id.String(), "basic constraints")
		}
	}
	require.Equal(t, sign.RawSubject, enc.RawSubject)
	require.Equal(t, sign.RawIssuer, enc.RawIssuer)
	require.Equal(t, sign.DNSNames, enc.DNSNames)
	require.NotEqual(t, sign.RawSubjectPublicKeyInfo, enc.RawSubjectPublicKeyInfo)
	require.Equal(t, x509.KeyUsageDigitalSignature, sign.KeyUsage)
	require.Equal(t, x509.KeyUsageKeyEncipherment|x509.KeyUsageDataEncipherment|x509.KeyUsageKeyAgreement, enc.KeyUsage)
}

func TestPrivateKeysAreTheOwnersAlone(t *testing.T) {
	dir := generated(t, mixedNetwork, "")
	for _, file := range tree(t, dir) {
		if !strings.HasSuffix(file, "_sk") && !strings.HasSuffix(file, ".key") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, file))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), file)
	}
}

func TestFlagServesOrganizationsWithoutAlgorithm(t *testing.T) {
	const config = `
PeerOrgs:
  - {Name: Open, Domain: open.example.com, Template: {Count: 1}}
  - {Name: Fixed, Domain: fixed.example.com, Algorithm: ecdsa, Template: {Count: 1}}
`
	for _, tc := range []struct {
		flag string
		open bool
	}{{"", false}, {algorithmECDSA, false}, {algorithmGM, true}} {
		dir := generated(t, config, tc.flag)
		for domain, sm2 := range map[string]bool{"open.example.com": tc.open, "fixed.example.com": false} {
			ca := readCert(t, dir, "peerOrganizations", domain, "ca", "ca."+domain+"-cert.pem")
			require.Equal(t, sm2, x509.IsSM2(ca.PublicKey), "flag %q, %s", tc.flag, domain)
		}
	}
}

// Without our keys and our flag the output is what the stock tool writes.
func TestStockLayoutByDefault(t *testing.T) {
	dir := generated(t, defaultConfig, "")
	for _, file := range tree(t, dir) {
		require.NotContains(t, file, "gm")
		require.NotContains(t, file, "-sign.")
		require.NotContains(t, file, "-enc.")
		if !strings.HasSuffix(file, ".pem") && !strings.HasSuffix(file, ".crt") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		block, _ := pem.Decode(raw)
		_, err = stdx509.ParseCertificate(block.Bytes)
		require.NoError(t, err, file)
	}
}

func TestUnknownAlgorithmIsRefused(t *testing.T) {
	err := renderOrgSpec(&OrgSpec{Name: "Org1", Domain: "org1.example.com", Algorithm: "SM2"}, "peer")
	require.EqualError(t, err, `organization Org1: Algorithm is "SM2", must be gm or ecdsa`)
}

func TestExtend(t *testing.T) {
	const before = `
PeerOrgs:
  - {Name: GM, Domain: gm.example.com, Algorithm: gm, EnableNodeOUs: true, Template: {Count: 1}}
  - {Name: Std, Domain: std.example.com, EnableNodeOUs: true, Template: {Count: 1, SANS: [localhost, 127.0.0.1]}}
  - {Name: Bare, Domain: bare.example.com, Algorithm: gm, TLCP: false, Template: {Count: 1}}
`
	const after = `
PeerOrgs:
  - {Name: GM, Domain: gm.example.com, EnableNodeOUs: true, Template: {Count: 2}}
  - {Name: Std, Domain: std.example.com, EnableNodeOUs: true, TLCP: true, Template: {Start: 1, Count: 1}, Users: {Count: 1}}
  - {Name: Bare, Domain: bare.example.com, TLCP: true, Template: {Count: 2}}
  - {Name: New, Domain: new.example.com, Template: {Count: 1}}
`
	dir := generated(t, before, "")
	orgs := filepath.Join(dir, "peerOrganizations")
	peer0 := filepath.Join(orgs, "gm.example.com", "peers", "peer0.gm.example.com", "tls", "server-sign.crt")
	kept := readCert(t, peer0)
	run(t, extend, after, algorithmGM, dir)

	t.Run("existing material stays", func(t *testing.T) {
		require.Equal(t, kept.Raw, readCert(t, peer0).Raw)
	})
	t.Run("a node added to an SM2 organization is SM2 and has a pair of its TLS CA", func(t *testing.T) {
		node := filepath.Join(orgs, "gm.example.com", "peers", "peer1.gm.example.com")
		ca := readCert(t, orgs, "gm.example.com", "ca", "ca.gm.example.com-cert.pem")
		identity := readCert(t, node, "msp", "signcerts", "peer1.gm.example.com-cert.pem")
		require.NoError(t, x509.CheckSignatureFrom(identity, ca))
		gmTLSCA := readCert(t, orgs, "gm.example.com", "gmtlsca", "gmtlsca.gm.example.com-cert.pem")
		require.NoError(t, x509.CheckSignatureFrom(readCert(t, node, "tls", "server-enc.crt"), gmTLSCA))
	})
	t.Run("TLCP gives pairs to the nodes of an existing ECDSA organization", func(t *testing.T) {
		org := filepath.Join(orgs, "std.example.com")
		gmTLSCA := readCert(t, org, "gmtlsca", "gmtlsca.std.example.com-cert.pem")
		for _, file := range []string{
			"peers/peer0.std.example.com/tls/server-sign.crt",
			"peers/peer1.std.example.com/tls/server-sign.crt",
			"users/User1@std.example.com/tls/client-sign.crt",
			"users/Admin@std.example.com/tls/client-sign.crt",
		} {
			require.NoError(t, x509.CheckSignatureFrom(readCert(t, org, file), gmTLSCA), file)
		}
		// The extension does not list peer0, whose names are those of its TLS certificate.
		for _, name := range []string{"peer0.std.example.com", "localhost", "127.0.0.1"} {
			require.NoError(t, readCert(t, org, "peers/peer0.std.example.com/tls/server-enc.crt").VerifyHostname(name))
		}
		roots, err := os.ReadDir(filepath.Join(org, "msp", "tlscacerts"))
		require.NoError(t, err)
		require.Len(t, roots, 1, "stock nodes cannot parse an SM2 root in the MSP")
	})
	t.Run("TLCP added to an SM2 organization is announced in its MSP", func(t *testing.T) {
		org := filepath.Join(orgs, "bare.example.com")
		for _, mspDir := range []string{"msp", "peers/peer0.bare.example.com/msp", "peers/peer1.bare.example.com/msp"} {
			readCert(t, org, mspDir, "tlscacerts", "gmtlsca.bare.example.com-cert.pem")
		}
		readCert(t, org, "users/Admin@bare.example.com/msp/tlscacerts/gmtlsca.bare.example.com-cert.pem")
	})
	t.Run("the flag is for new organizations", func(t *testing.T) {
		node := filepath.Join(orgs, "std.example.com", "peers", "peer1.std.example.com", "msp")
		require.False(t, x509.IsSM2(readCert(t, node, "signcerts", "peer1.std.example.com-cert.pem").PublicKey))
		require.True(t, x509.IsSM2(readCert(t, orgs, "new.example.com", "ca", "ca.new.example.com-cert.pem").PublicKey))
	})
}

// CA keys of production networks are kept elsewhere; what exists needs none.
func TestExtendWithoutCAKeys(t *testing.T) {
	dir := generated(t, mixedNetwork, "")
	before := len(tree(t, dir))
	keys, err := filepath.Glob(filepath.Join(dir, "*", "*", "*ca", "priv_sk"))
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys {
		require.NoError(t, os.Remove(key))
	}
	run(t, extend, mixedNetwork+"  - {Name: New, Domain: new.example.com, Template: {Count: 1}}\n", "", dir)
	require.Greater(t, len(tree(t, dir)), before-len(keys))
	readCert(t, dir, "peerOrganizations", "new.example.com", "peers", "peer0.new.example.com", "tls", "server.crt")
}

// These end the process, which is therefore another one.
func TestExtendRefuses(t *testing.T) {
	if dir := os.Getenv("CRYPTOGEN_TEST_EXTEND"); dir != "" {
		run(t, extend, os.Getenv("CRYPTOGEN_TEST_CONFIG"), "", dir)
		return
	}
	const org = "PeerOrgs:\n  - {Name: Org, Domain: org.example.com, Algorithm: gm, Template: {Count: 1}}\n"
	for name, tc := range map[string]struct {
		spoil  func(t *testing.T, orgDir string)
		config string
		want   string
	}{
		"another algorithm": {
			func(*testing.T, string) {}, strings.Replace(org, "gm", "ecdsa", 1), "an existing organization keeps its algorithm",
		},
		"a foreign key": {
			func(t *testing.T, orgDir string) {
				other, err := os.ReadFile(filepath.Join(orgDir, "gmtlsca", "priv_sk"))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(orgDir, "ca", "priv_sk"), other, 0o600))
			}, org, "does not belong to the certificate",
		},
		"a new node without the key": {
			func(t *testing.T, orgDir string) {
				require.NoError(t, os.Remove(filepath.Join(orgDir, "ca", "priv_sk")))
			},
			strings.Replace(org, "Count: 1", "Count: 2", 1), "CA ca.org.example.com is needed for peer1.org.example.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := generated(t, org, "")
			tc.spoil(t, filepath.Join(dir, "peerOrganizations", "org.example.com"))
			before := tree(t, dir)
			command := exec.Command(os.Args[0], "-test.run", "^TestExtendRefuses$")
			command.Env = append(os.Environ(), "CRYPTOGEN_TEST_EXTEND="+dir, "CRYPTOGEN_TEST_CONFIG="+tc.config)
			out, err := command.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), tc.want)
			require.Equal(t, before, tree(t, dir))
		})
	}
}

func TestTemplateNamesOurKeys(t *testing.T) {
	plain := annotateTemplate(defaultConfig)
	require.Contains(t, plain, "    # Algorithm: gm\n")
	*algorithm = algorithmGM
	defer func() { *algorithm = "" }()
	chosen := annotateTemplate(defaultConfig)

	for text, want := range map[string]string{plain: "", chosen: algorithmGM} {
		config := &Config{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), config))
		require.Len(t, config.PeerOrgs, 2)
		for _, org := range append(config.PeerOrgs, config.OrdererOrgs...) {
			require.Equal(t, want, org.Algorithm, org.Name)
		}
	}
}

// SM2 signatures verify in tjfoc/gmsm, which shares no code with the engine.
func TestTjfocAccepts(t *testing.T) {
	dir := generated(t, mixedNetwork, "")
	org := filepath.Join(dir, "peerOrganizations", "gm.example.com")
	parse := func(elem ...string) *tjx509.Certificate {
		cert, err := tjx509.ParseCertificate(readCert(t, elem...).Raw)
		require.NoError(t, err, elem)
		return cert
	}
	tlsDir := filepath.Join(org, "peers", "peer0.gm.example.com", "tls")
	for root, leaves := range map[string][]string{
		"ca/ca.gm.example.com-cert.pem": {"peers/peer0.gm.example.com/msp/signcerts/peer0.gm.example.com-cert.pem"},
		"gmtlsca/gmtlsca.gm.example.com-cert.pem": {
			"peers/peer0.gm.example.com/tls/server-sign.crt", "peers/peer0.gm.example.com/tls/server-enc.crt",
		},
	} {
		ca := parse(org, root)
		for _, leaf := range leaves {
			require.NoError(t, parse(org, leaf).CheckSignatureFrom(ca), leaf)
		}
	}

	for _, half := range []string{"server-sign", "server-enc"} {
		raw, err := os.ReadFile(filepath.Join(tlsDir, half+".key"))
		require.NoError(t, err)
		key, err := tjx509.ReadPrivateKeyFromPem(raw, nil)
		require.NoError(t, err)
		cert := parse(tlsDir, half+".crt")
		public := cert.PublicKey.(*ecdsa.PublicKey)
		require.Zero(t, public.X.Cmp(key.X))
		require.Zero(t, public.Y.Cmp(key.Y))
		message := []byte("signed by tjfoc with our key")
		signature, err := key.Sign(nil, message, nil)
		require.NoError(t, err)
		require.True(t, (&tjsm2.PublicKey{Curve: tjsm2.P256Sm2(), X: public.X, Y: public.Y}).Verify(message, signature))
		require.NoError(t, x509.CheckSignature(readCert(t, tlsDir, half+".crt"), x509.SM2WithSM3, message, signature))
	}
}

// openssl runs the openssl command, version 3 or later, and returns its output.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	require.NoError(t, err, "openssl %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// needOpenSSL skips the test without the openssl command, version 3 or later.
func needOpenSSL(t *testing.T) {
	t.Helper()
	version, err := exec.Command("openssl", "version").Output()
	if err != nil || strings.HasPrefix(string(version), "OpenSSL 1") || !strings.HasPrefix(string(version), "OpenSSL") {
		t.Skipf("needs the openssl command, version 3 (found %q, %v)", version, err)
	}
}

// Every certificate and key of every kind of organization is read by openssl,
// every certificate verifies under its root, every key matches its certificate.
func TestOpenSSLAcceptsEverything(t *testing.T) {
	needOpenSSL(t)
	dir := generated(t, mixedNetwork, "")
	orgs, err := filepath.Glob(filepath.Join(dir, "*Organizations", "*"))
	require.NoError(t, err)
	require.Len(t, orgs, 5)

	verified, matched := 0, 0
	for _, org := range orgs {
		for _, file := range tree(t, org) {
			path := filepath.Join(org, file)
			switch {
			case strings.HasSuffix(file, ".pem"), strings.HasSuffix(file, ".crt"):
				args := []string{"verify", "-x509_strict", "-CAfile", rootOf(t, org, path), path}
				if readCert(t, path).SignatureAlgorithm == x509.SM2WithSM3 {
					args = append([]string{"verify", "-vfyopt", "distid:1234567812345678"}, args[1:]...)
				}
				openssl(t, args...)
				verified++
			case strings.HasSuffix(file, "_sk"), strings.HasSuffix(file, ".key"):
				openssl(t, "pkey", "-in", path, "-noout", "-check")
				require.Equal(t,
					openssl(t, "x509", "-in", certificateOf(t, path), "-noout", "-pubkey"),
					openssl(t, "pkey", "-in", path, "-pubout"), path)
				matched++
			}
		}
	}
	require.Greater(t, verified, 60)
	require.Greater(t, matched, 40)
}

// rootOf finds the CA certificate in org that issued the certificate in file.
func rootOf(t *testing.T, org, file string) string {
	t.Helper()
	cert := readCert(t, file)
	roots, err := filepath.Glob(filepath.Join(org, "*ca", "*-cert.pem"))
	require.NoError(t, err)
	for _, root := range roots {
		if readCert(t, root).Subject.CommonName == cert.Issuer.CommonName {
			return root
		}
	}
	require.Fail(t, "no CA for "+file)
	return ""
}

// certificateOf finds the certificate that belongs to the private key in file.
func certificateOf(t *testing.T, file string) string {
	t.Helper()
	if cert, isTLS := strings.CutSuffix(file, ".key"); isTLS {
		return cert + ".crt"
	}
	dir := filepath.Dir(file)
	if filepath.Base(dir) == "keystore" {
		dir = filepath.Join(filepath.Dir(dir), "signcerts")
	}
	certs, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	require.NoError(t, err)
	require.Len(t, certs, 1, file)
	return certs[0]
}
