// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/factory"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// folder writes an MSP folder for identity, below root, and returns its path.
func folder(t *testing.T, root, identity credential) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "cacerts/root.pem", root.pem())
	put(t, dir, "signcerts/identity.pem", identity.pem())
	put(t, dir, "keystore/priv_sk", identity.keyPEM(t))
	return dir
}

func put(t *testing.T, dir, file string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, file)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func softwareProvider(keystoreDir string) *factory.FactoryOpts {
	return &factory.FactoryOpts{Default: "SW", SW: &factory.SwOpts{
		Security: 256, Hash: bccsp.SHA2, FileKeystore: &factory.FileKeystoreOpts{KeyStorePath: keystoreDir},
	}}
}

func encryptionCertificate(t *testing.T, root credential) credential {
	t.Helper()
	cert := template(t, "peer")
	cert.KeyUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement
	return root.issue(t, familySM2, cert)
}

func TestLocalMSPFolder(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		dir := folder(t, root, root.issue(t, f, template(t, "peer")))
		_, err := GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
		require.NoError(t, err)

		middle := root.issue(t, f, asCA(template(t, "middle")))
		dir = folder(t, root, middle.issue(t, f, template(t, "peer")))
		put(t, dir, "intermediatecerts/middle.pem", middle.pem())
		_, err = GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
		require.NoError(t, err)
	})
}

// What is wrong is named, with its file, before a node opens a port.
func TestWrongLocalMSPFolderNamesTheFile(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	peer := root.issue(t, familySM2, template(t, "peer"))
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, dir string) (culprit string)
		want  string
	}{
		"key of another certificate": {
			func(t *testing.T, dir string) string {
				put(t, dir, "keystore/priv_sk", root.issue(t, familySM2, template(t, "other")).keyPEM(t))
				return "signcerts/identity.pem"
			}, "none of the 1 private keys",
		},
		"key of the other family": {
			func(t *testing.T, dir string) string {
				put(t, dir, "keystore/priv_sk", newRoot(t, familyECDSA, "x").keyPEM(t))
				return "signcerts/identity.pem"
			}, "none of the 1 private keys",
		},
		"no key": {
			func(t *testing.T, dir string) string {
				require.NoError(t, os.Remove(filepath.Join(dir, "keystore/priv_sk")))
				return "keystore"
			}, "none of the 0 private keys",
		},
		"encryption certificate in signcerts": {
			func(t *testing.T, dir string) string {
				enc := encryptionCertificate(t, root)
				put(t, dir, "keystore/priv_sk", enc.keyPEM(t))
				put(t, dir, "signcerts/identity.pem", enc.pem())
				return "signcerts/identity.pem"
			}, "encryption certificate of CN=peer",
		},
		"encryption certificate and the signing one": {
			func(t *testing.T, dir string) string {
				put(t, dir, "signcerts/z-enc.pem", encryptionCertificate(t, root).pem())
				return "signcerts/z-enc.pem"
			}, "encryption certificate of CN=peer",
		},
		"encryption certificate as admin": {
			func(t *testing.T, dir string) string {
				put(t, dir, "admincerts/admin.pem", encryptionCertificate(t, root).pem())
				return "admincerts/admin.pem"
			}, "encryption certificate of CN=peer",
		},
		"ECDSA key certified with SM2": {
			func(t *testing.T, dir string) string {
				put(t, dir, "signcerts/identity.pem", root.issue(t, familyECDSA, template(t, "peer")).pem())
				return "signcerts/identity.pem"
			}, "mixes families",
		},
		"SM2 key certified with ECDSA": {
			func(t *testing.T, dir string) string {
				put(t, dir, "intermediatecerts/middle.pem",
					newRoot(t, familyECDSA, "old root").issue(t, familySM2, asCA(template(t, "middle"))).pem())
				return "intermediatecerts/middle.pem"
			}, "mixes families",
		},
		"CA of the other family": {
			func(t *testing.T, dir string) string {
				put(t, dir, "cacerts/root.pem", newRoot(t, familyECDSA, "root").pem())
				return "signcerts/identity.pem"
			}, "has no chain to a CA in cacerts and intermediatecerts",
		},
		"CA with the right name and another key": {
			func(t *testing.T, dir string) string {
				put(t, dir, "cacerts/root.pem", newRoot(t, familySM2, "root").pem())
				return "signcerts/identity.pem"
			}, "has no chain to a CA in cacerts and intermediatecerts",
		},
		"ECDSA identity below SM2 CAs": {
			func(t *testing.T, dir string) string {
				identity := newRoot(t, familyECDSA, "old").issue(t, familyECDSA, template(t, "peer"))
				put(t, dir, "signcerts/identity.pem", identity.pem())
				put(t, dir, "keystore/priv_sk", identity.keyPEM(t))
				return "signcerts/identity.pem"
			}, "has no chain to a CA in cacerts and intermediatecerts",
		},
		"intermediate CA of another root": {
			func(t *testing.T, dir string) string {
				middle := newRoot(t, familySM2, "root").issue(t, familySM2, asCA(template(t, "middle")))
				identity := middle.issue(t, familySM2, template(t, "peer"))
				put(t, dir, "intermediatecerts/middle.pem", middle.pem())
				put(t, dir, "signcerts/identity.pem", identity.pem())
				put(t, dir, "keystore/priv_sk", identity.keyPEM(t))
				return "signcerts/identity.pem"
			}, "has no chain to a CA in cacerts and intermediatecerts",
		},
		"unknown curve": {
			func(t *testing.T, dir string) string {
				// the last arc of the curve, 1.2.156.10197.1.301, changed
				raw := append([]byte{}, peer.cert.Raw...)
				curve := []byte{0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D}
				require.True(t, replaceOnce(raw, curve, 0x2E))
				put(t, dir, "tlscacerts/tls.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
				return "tlscacerts/tls.pem"
			}, "certificate: x509: unsupported elliptic curve",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, root, peer)
			culprit := tc.spoil(t, dir)
			_, err := GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
			require.ErrorContains(t, err, filepath.Join(dir, culprit))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// replaceOnce sets the last byte of the first occurrence of what in raw.
func replaceOnce(raw, what []byte, last byte) bool {
	for i := 0; i+len(what) <= len(raw); i++ {
		if string(raw[i:i+len(what)]) == string(what) {
			raw[i+len(what)-1] = last
			return true
		}
	}
	return false
}

// Files that stock nodes never look at do not stop ours.
func TestUnusedFilesInSigncerts(t *testing.T) {
	root := newRoot(t, familyECDSA, "root")
	dir := folder(t, root, root.issue(t, familyECDSA, template(t, "peer")))
	put(t, dir, "signcerts/z-broken.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	put(t, dir, "signcerts/.gitkeep", nil)
	_, err := GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
	require.NoError(t, err)
}

// A key that cannot be read here may still be readable for the provider.
func TestKeystoreThatOnlyTheProviderReads(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	dir := folder(t, root, root.issue(t, familySM2, template(t, "peer")))
	for _, text := range []string{"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "neither PEM nor DER"} {
		put(t, dir, "keystore/priv_sk", []byte(text))
		_, err := GetLocalMspConfig(dir, softwareProvider(""), "TestMSP")
		require.NoError(t, err)
	}
}

// Whether a CA of an organisation without SM2 has issued the identity is left to the setup of the MSP, as in stock Fabric.
func TestChainOfECDSAIsLeftToTheSetup(t *testing.T) {
	identity := newRoot(t, familyECDSA, "other").issue(t, familyECDSA, template(t, "peer"))
	_, err := GetLocalMspConfig(folder(t, newRoot(t, familyECDSA, "root"), identity), softwareProvider(""), "TestMSP")
	require.NoError(t, err)
}

// A key that is not in a folder, and an ECDSA key, are for the provider alone to find.
func TestKeysThatAreNotLookedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		family   family
		provider *factory.FactoryOpts
	}{
		"SM2 key of a provider without folder": {familySM2, &factory.FactoryOpts{Default: "PKCS11"}},
		"ECDSA key":                            {familyECDSA, softwareProvider("")},
	} {
		root := newRoot(t, tc.family, "root")
		dir := folder(t, root, root.issue(t, tc.family, template(t, "peer")))
		require.NoError(t, os.Remove(filepath.Join(dir, "keystore/priv_sk")))
		_, err := GetLocalMspConfig(dir, tc.provider, "TestMSP")
		require.NoError(t, err, name)
	}
}

func TestHashFamilyOfFolder(t *testing.T) {
	sm2Root, ecdsaRoot := newRoot(t, familySM2, "new"), newRoot(t, familyECDSA, "old")
	for name, tc := range map[string]struct {
		roots      []credential
		family, id string
	}{
		"sm2":   {[]credential{sm2Root}, bccsp.SM3, bccsp.SM3},
		"ecdsa": {[]credential{ecdsaRoot}, bccsp.SHA2, bccsp.SHA256},
		"both":  {[]credential{ecdsaRoot, sm2Root}, bccsp.SHA2, bccsp.SHA256},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, root := range tc.roots {
				put(t, dir, filepath.Join("cacerts", root.cert.Subject.CommonName+".pem"), root.pem())
				put(t, dir, filepath.Join("tlscacerts", root.cert.Subject.CommonName+".pem"), root.pem())
			}
			config, err := GetVerifyingMspConfig(dir, "TestMSP", ProviderTypeToString(FABRIC))
			require.NoError(t, err)
			fabric := &m.FabricMSPConfig{}
			require.NoError(t, proto.Unmarshal(config.Config, fabric))
			require.Len(t, fabric.RootCerts, len(tc.roots))
			require.Len(t, fabric.TlsRootCerts, len(tc.roots))
			require.Equal(t, "TestMSP", fabric.Name)
			require.Equal(t, tc.family, fabric.CryptoConfig.SignatureHashFamily)
			require.Equal(t, tc.id, fabric.CryptoConfig.IdentityIdentifierHashFunction)
		})
	}
}

func TestKeystoreOfProviderGM(t *testing.T) {
	for name, tc := range map[string]struct {
		given *factory.FactoryOpts
		want  string
	}{
		"nothing named":  {&factory.FactoryOpts{Default: "GM"}, "msp/keystore"},
		"password only":  {&factory.FactoryOpts{Default: "GM", GM: &factory.GmOpts{FileKeystore: &factory.GmFileKeystoreOpts{PasswordFile: "p"}}}, "msp/keystore"},
		"named under GM": {&factory.FactoryOpts{Default: "GM", GM: &factory.GmOpts{FileKeystore: &factory.GmFileKeystoreOpts{KeyStorePath: "gm"}}}, "gm"},
		"named under SW": {&factory.FactoryOpts{Default: "GM", SW: softwareProvider("sw").SW}, "sw"},
		"empty SW":       {&factory.FactoryOpts{Default: "GM", SW: softwareProvider("").SW}, "msp/keystore"},
		"Default SW":     {softwareProvider(""), "msp/keystore"},
		"no keystore":    {&factory.FactoryOpts{Default: "GM", GM: &factory.GmOpts{}}, "msp/keystore"},
		"password under GM, folder under SW": {&factory.FactoryOpts{
			Default: "GM", SW: softwareProvider("sw").SW, GM: &factory.GmOpts{FileKeystore: &factory.GmFileKeystoreOpts{PasswordFile: "p"}},
		}, "sw"},
		"GM beside Default SW": {&factory.FactoryOpts{
			Default: "SW", SW: softwareProvider("sw").SW, GM: &factory.GmOpts{FileKeystore: &factory.GmFileKeystoreOpts{KeyStorePath: "gm"}},
		}, "sw"},
	} {
		require.Equal(t, tc.want, keystorePath(SetupBCCSPKeystoreConfig(tc.given, "msp/keystore")), name)
	}
}
