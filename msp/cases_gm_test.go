// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp/sw"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
)

// Files as other tools write them; see the README there.
const cases = "../common/crypto/material/testdata/cases"

func caseFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cases, name))
	require.NoError(t, err)
	return text
}

// basePeer copies the MSP folder of a good peer, and puts other content in the place of some of its files.
func basePeer(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(cases, "base/peer/msp"))))
	for name, content := range files {
		put(t, dir, name, content)
	}
	return dir
}

// setUp does what a node does at its start with its MSP folder.
func setUp(t *testing.T, dir string) (MSP, error) {
	t.Helper()
	config, err := GetLocalMspConfig(dir, softwareProvider(""), "SampleOrg")
	if err != nil {
		return nil, err
	}
	keys, err := sw.NewFileBasedKeyStore(nil, filepath.Join(dir, "keystore"), true)
	require.NoError(t, err)
	provider, err := sw.NewDefaultSecurityLevelWithKeystore(keys)
	require.NoError(t, err)
	msp, err := New(&BCCSPNewOpts{NewBaseOpts{Version: MSPv1_4_3}}, provider)
	require.NoError(t, err)
	return msp, msp.Setup(config)
}

func TestBasePeer(t *testing.T) {
	msp, err := setUp(t, basePeer(t, nil))
	require.NoError(t, err)
	id, err := msp.GetDefaultSigningIdentity()
	require.NoError(t, err)
	require.NoError(t, id.Validate())
}

// A list revokes in whatever form its file has, and wherever in the file it stands. In a channel, which configtxgen makes of
// the folder, it revokes as well.
func TestRevocationListsOfAnyForm(t *testing.T) {
	list, der := caseFile(t, "revocation/rev.crl"), caseFile(t, "revocation/rev.der")
	for name, content := range map[string][]byte{
		"PEM": list, "DER": der, "second in its file": caseFile(t, "revocation/rev-second.crl"),
		"byte order mark": append([]byte("\xef\xbb\xbf"), list...), "CR LF": bytes.ReplaceAll(list, []byte("\n"), []byte("\r\n")),
		"text in front": append([]byte("Certificate Revocation List (CRL):\n"), list...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := basePeer(t, map[string][]byte{"crls/rev": content})
			msp, err := setUp(t, dir)
			if err == nil {
				var id SigningIdentity
				id, err = msp.GetDefaultSigningIdentity()
				require.NoError(t, err)
				err = id.Validate()
			}
			require.ErrorContains(t, err, "revoked")

			config, err := GetVerifyingMspConfig(dir, "SampleOrg", ProviderTypeToString(FABRIC))
			require.NoError(t, err)
			fabric := &m.FabricMSPConfig{}
			require.NoError(t, proto.Unmarshal(config.Config, fabric))
			found := false
			for _, entry := range fabric.RevocationList {
				block, rest := pem.Decode(entry)
				require.Empty(t, rest)
				found = found || bytes.Equal(block.Bytes, der)
			}
			require.True(t, found)
		})
	}
}

// TestListWithoutKeyID: a folder with a list that does not name its CA by key identifier becomes no part of a channel, whose nodes would refuse
// everybody of the organisation. In the node's own folder an ECDSA list is judged as in stock Fabric: the MSP is set up, and refuses everybody. A line in
// the log names the file and the remedy.
func TestListWithoutKeyID(t *testing.T) {
	root := newRoot(t, familyECDSA, "root")
	whole := root.crl(t, root.key)
	list, err := x509.ParseCRL(pemBytes(t, whole))
	require.NoError(t, err)
	list.TBSCertList.Raw, list.TBSCertList.Extensions = nil, nil
	bare, err := asn1.Marshal(*list)
	require.NoError(t, err)
	dir := folder(t, root, root.issue(t, familyECDSA, template(t, "peer")))
	put(t, dir, "crls/whole.crl", whole)
	_, err = GetVerifyingMspConfig(dir, "TestMSP", ProviderTypeToString(FABRIC))
	require.NoError(t, err)
	put(t, dir, "config.yaml", caseFile(t, "base/peer/msp/config.yaml"))
	logger, lines := floggingtest.NewTestLogger(t)
	defer func(l *flogging.FabricLogger) { mspLogger = l }(mspLogger)
	mspLogger = logger
	_, err = setUp(t, dir)
	require.NoError(t, err)
	require.Empty(t, lines.MessagesContaining("revokes nobody"))
	put(t, dir, "crls/bare.crl", bare)
	own, err := setUp(t, dir)
	require.NoError(t, err)
	id, err := own.GetDefaultSigningIdentity()
	require.NoError(t, err)
	require.ErrorContains(t, id.Validate(), "authorityKeyIdentifier not found")
	warnings := lines.MessagesContaining("revokes nobody")
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], filepath.Join(dir, "crls/bare.crl"))
	require.Contains(t, warnings[0], "have the CA issue the list with this extension")

	for _, dir := range []string{dir, basePeer(t, map[string][]byte{"crls/bare.crl": caseFile(t, "crl-forms/no-aki.crl")})} {
		_, err = GetVerifyingMspConfig(dir, "TestMSP", ProviderTypeToString(FABRIC))
		require.ErrorContains(t, err, filepath.Join(dir, "crls/bare.crl"))
		require.ErrorContains(t, err, "an MSP with such a list refuses every identity; have the CA issue the list with this extension")
	}
}

// What a folder must not hold, or cannot be read, stops the node with the name of the file and the reason.
func TestFoldersOfCases(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string // place in the MSP: case
		wants []string
	}{
		"certificate in crls":     {map[string]string{"crls/cert.pem": "crls-folder/cert.pem"}, []string{"crls/cert.pem: it is a certificate, where only revocation lists belong"}},
		"key in crls":             {map[string]string{"crls/key.pem": "crls-folder/key.pem"}, []string{"crls/key.pem: it is a private key"}},
		"list without key id":     {map[string]string{"crls/no-aki.crl": "crl-forms/no-aki.crl"}, []string{"crls/no-aki.crl: ", "not named by key identifier"}},
		"CA, trusted label":       {map[string]string{"cacerts/ca.crt": "identity-ca/trusted-label.crt"}, []string{"cacerts/ca.crt: ", "TRUSTED CERTIFICATE", "openssl x509"}},
		"CA, serial not shortest": {map[string]string{"cacerts/ca.crt": "identity-ca/nonminimal-serial.crt"}, []string{"cacerts/ca.crt: certificate: x509: malformed serial number"}},
		"another SM2 id": {
			map[string]string{"cacerts/ca.crt": "signer-id/ca.crt", "signcerts/peer.crt": "signer-id/peer.crt", "keystore/peer.key": "signer-id/peer.key"},
			[]string{"signcerts/peer.crt: ", "name and key id of the issuer fit", "-sigopt distid:1234567812345678"},
		},
		"name constraints": {
			map[string]string{"cacerts/ca.crt": "name-constraints/ca.crt", "signcerts/peer.crt": "name-constraints/peer.crt", "keystore/peer.key": "name-constraints/peer.key"},
			[]string{"signcerts/peer.crt: ", "peer0.example.com", `its CA "CN=ncica`, "name constraints: issue it with an alternative name"},
		},
		"renewed CA": {
			map[string]string{"cacerts/ca.crt": "renewed-ca/renewed-ca.crt"},
			[]string{"signcerts/peer.crt: ", "put its older certificate back, together with the new one"},
		},
		"explicit curve in an SM2 key": {map[string]string{"keystore/peer.key": "explicit-curve/openssl.key"}, []string{"none of the 1 private keys"}},
		"a readme":                     {map[string]string{"crls/README": "base/peer/msp/config.yaml"}, []string{"crls/README: it is neither PEM nor DER"}},
		"a key among the CAs":          {map[string]string{"cacerts/ca.key": "base/ca.key"}, []string{"cacerts/ca.key: it is a private key"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for place, source := range c.files {
				files[place] = caseFile(t, source)
			}
			_, err := setUp(t, basePeer(t, files))
			for _, want := range c.wants {
				require.ErrorContains(t, err, want)
			}
		})
	}
	for name, files := range map[string]map[string][]byte{
		"CA in DER":                {"cacerts/ca.crt": caseFile(t, "identity-ca/der.crt")},
		"two roots, joined":        {"tlscacerts/gm-ca.crt": caseFile(t, "root-bundle/joined.pem")},
		"identity in DER":          {"signcerts/peer.crt": pemBytes(t, caseFile(t, "base/peer/msp/signcerts/peer.crt"))},
		"chain, root first":        {"signcerts/peer.crt": append(caseFile(t, "base/ca.crt"), caseFile(t, "base/peer/msp/signcerts/peer.crt")...)},
		"renewed CA and the older": {"cacerts/renewed-ca.crt": caseFile(t, "renewed-ca/renewed-ca.crt")},
		"key with byte mark":       {"keystore/peer.key": append([]byte("\xef\xbb\xbf"), caseFile(t, "base/peer/msp/keystore/peer.key")...)},
		"key in DER":               {"keystore/peer.key": pemBytes(t, caseFile(t, "base/peer/msp/keystore/peer.key"))},
		"key behind parameters": {"keystore/peer.key": append([]byte("-----BEGIN SM2 PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END SM2 PARAMETERS-----\n"),
			caseFile(t, "base/peer/msp/keystore/peer.key")...)},
	} {
		t.Run(name, func(t *testing.T) {
			msp, err := setUp(t, basePeer(t, files))
			require.NoError(t, err)
			if name == "two roots, joined" {
				require.Len(t, msp.GetTLSRootCerts(), 3)
			}
		})
	}
}

func pemBytes(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return block.Bytes
}

// Folders of MSPs without SM2 keep what upstream ignores with a warning, as long as it is not a certificate and no list.
func TestOddFilesInFoldersOfECDSA(t *testing.T) {
	root := newRoot(t, familyECDSA, "root")
	peer := root.issue(t, familyECDSA, template(t, "peer"))
	odd := func(dir string) {
		for _, folder := range []string{"cacerts", "crls", "admincerts", "tlscacerts"} {
			put(t, dir, folder+"/README.md", []byte("certificates stand here\n"))
			put(t, dir, folder+"/.gitkeep", nil)
			put(t, dir, folder+"/folder/root.pem", []byte("not looked at"))
		}
	}
	dir := folder(t, root, peer)
	odd(dir)
	config, err := GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
	require.NoError(t, err)
	fabric := &m.FabricMSPConfig{}
	require.NoError(t, proto.Unmarshal(config.Config, fabric))
	require.Len(t, fabric.RootCerts, 1)
	require.Empty(t, fabric.RevocationList)

	for name, content := range map[string]string{
		"crls/rev.crl":      "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
		"cacerts/other.pem": strings.Replace(string(root.pem()), "-----END CERTIFICATE-----", "", 1),
		"cacerts/other.crt": strings.ReplaceAll(string(root.pem()), "CERTIFICATE", "TRUSTED CERTIFICATE"),
	} {
		dir := folder(t, root, peer)
		odd(dir)
		put(t, dir, name, []byte(content))
		_, err := GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
		require.ErrorContains(t, err, filepath.Join(dir, name))
	}
	dir = folder(t, root, peer)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "crls"), 0o700))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "crls/rev.crl")))
	_, err = GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
	require.ErrorContains(t, err, "crls/rev.crl")

	// In DER, and second in its file, a root is read in these MSPs too.
	other := newRoot(t, familyECDSA, "other")
	dir = folder(t, root, peer)
	put(t, dir, "cacerts/der.crt", other.cert.Raw)
	put(t, dir, "cacerts/two.pem", append(root.pem(), newRoot(t, familyECDSA, "third").pem()...))
	config, err = GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
	require.NoError(t, err)
	require.NoError(t, proto.Unmarshal(config.Config, fabric))
	require.Len(t, fabric.RootCerts, 4)
}

// A certificate that config.yaml names has to be there in an MSP with an SM2 CA: without it every CA would do.
func TestCertificatesOfUnits(t *testing.T) {
	dir := basePeer(t, nil)
	config := func(certificate string) {
		put(t, dir, "config.yaml", []byte("NodeOUs:\n  Enable: true\n  PeerOUIdentifier:\n    Certificate: "+certificate+"\n    OrganizationalUnitIdentifier: peer\n"))
	}
	put(t, dir, "unit.crt", pemBytes(t, caseFile(t, "base/ca.crt"))) // DER
	config("unit.crt")
	read, err := GetVerifyingMspConfig(dir, "SampleOrg", ProviderTypeToString(FABRIC))
	require.NoError(t, err)
	fabric := &m.FabricMSPConfig{}
	require.NoError(t, proto.Unmarshal(read.Config, fabric))
	cert, err := x509.ParseCertificatePEM(fabric.FabricNodeOus.PeerOuIdentifier.Certificate)
	require.NoError(t, err)
	require.True(t, cert.IsCA)

	for _, name := range []string{"absent.crt", "config.yaml"} {
		config(name)
		_, err = GetVerifyingMspConfig(dir, "SampleOrg", ProviderTypeToString(FABRIC))
		require.ErrorContains(t, err, "NodeOUs.PeerOUIdentifier.Certificate")
		require.ErrorContains(t, err, filepath.Join(dir, name))
	}
}

// signedDigest returns an identity, the SHA-256 digest of "a transaction", and what the identity has signed: the digest, as if it were the message.
func signedDigest(t *testing.T) (id SigningIdentity, digest, sig []byte) {
	t.Helper()
	msp, err := setUp(t, basePeer(t, nil))
	require.NoError(t, err)
	id, err = msp.GetDefaultSigningIdentity()
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("a transaction"))
	sig, err = id.Sign(sum[:])
	require.NoError(t, err)
	return id, sum[:], sig
}

// An SDK that signs the digest is told so, once a second.
func TestSignatureOverTheDigest(t *testing.T) {
	id, digest, sig := signedDigest(t)
	explained.Store(0)
	require.ErrorContains(t, id.Verify([]byte("a transaction"), sig), "The signature is invalid: it was made over the SHA-256 digest")
	require.NoError(t, id.Verify(digest, sig))
}

// Anybody can send wrong signatures, and an explanation costs as much as five: there is one a second.
func TestSignaturesAreExplainedOnceASecond(t *testing.T) {
	id, _, sig := signedDigest(t)
	for {
		now := time.Now().Unix()
		explained.Store(now)
		err := id.Verify([]byte("a transaction"), sig)
		if time.Now().Unix() == now {
			require.EqualError(t, err, "The signature is invalid")
			return
		}
	}
}

// TestCertificatesOfEveryUnit: of each kind of unit the certificate that config.yaml names has to be there.
func TestCertificatesOfEveryUnit(t *testing.T) {
	for _, unit := range []string{"ClientOUIdentifier", "PeerOUIdentifier", "AdminOUIdentifier", "OrdererOUIdentifier"} {
		dir := basePeer(t, map[string][]byte{
			"config.yaml": []byte("NodeOUs:\n  Enable: true\n  " + unit + ":\n    Certificate: absent.crt\n    OrganizationalUnitIdentifier: unit\n"),
		})
		_, err := GetVerifyingMspConfig(dir, "SampleOrg", ProviderTypeToString(FABRIC))
		require.ErrorContains(t, err, "NodeOUs."+unit+".Certificate of "+filepath.Join(dir, "config.yaml"))
		require.ErrorContains(t, err, filepath.Join(dir, "absent.crt"))
	}
}

// TestFolderWithoutCAs: an MSP folder whose cacerts holds no certificate is refused, with its name.
func TestFolderWithoutCAs(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "cacerts/README", []byte("certificates stand here\n"))
	var err error
	require.NotPanics(t, func() { _, err = GetVerifyingMspConfig(dir, "TestMSP", ProviderTypeToString(FABRIC)) })
	require.ErrorContains(t, err, "cacerts")
}

// TestIdentityThatIsItsOwnRoot: a certificate that no other has issued, in signcerts and in cacerts, has a chain of one, which ends nothing here.
func TestIdentityThatIsItsOwnRoot(t *testing.T) {
	key, cert := familySM2.key(t), template(t, "alone")
	alone := certify(t, cert, cert, key, key)
	require.NotPanics(t, func() { _, _ = GetLocalMspConfig(folder(t, alone, alone), softwareProvider(""), "TestMSP") })
}
