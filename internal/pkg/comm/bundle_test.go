// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

func blocks(bundle []byte) [][]byte {
	var all [][]byte
	for {
		block, rest := pem.Decode(bundle)
		if block == nil {
			return all
		}
		all, bundle = append(all, pem.EncodeToMemory(block)), rest
	}
}

// TestSplitBundle: the parts are told apart by key and key usage, whatever
// their order.
func TestSplitBundle(t *testing.T) {
	org := newPKI(t)
	m := org.node(t)
	want, err := splitBundle(m.Certificate, m.Key)
	require.NoError(t, err)
	require.NotNil(t, want.Std)
	require.NotNil(t, want.GM)

	certs, keys := blocks(m.Certificate), blocks(m.Key)
	require.Len(t, certs, 3)
	require.Len(t, keys, 3)
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var c, k []byte
		for _, i := range order {
			c = append(c, certs[i]...)
			k = append(k, keys[len(keys)-1-i]...)
		}
		got, err := splitBundle(c, k)
		require.NoError(t, err)
		require.Equal(t, want.Std.Certificate, got.Std.Certificate)
		require.Equal(t, want.GM.Certificate, got.GM.Certificate)
	}

	withChain, err := splitBundle(slices.Concat(m.Certificate, org.gm.CertPEM), m.Key)
	require.NoError(t, err)
	require.Len(t, withChain.GM.Certificate, 3, "an SM2 CA of the bundle goes into the chain")
	require.Equal(t, org.gm.Cert.Raw, withChain.GM.Certificate[2])

	std := m.only(protocolTLS)
	_, err = splitBundle(slices.Concat(std.Certificate, org.gm.RevocationList(t, x509.RevocationList{})), std.Key)
	require.NoError(t, err, "stock Fabric passes over what is no certificate")
}

func TestSplitBundleErrors(t *testing.T) {
	org := newPKI(t)
	m := org.node(t)
	gm := m.only(protocolTLCP)
	certs, keys := blocks(gm.Certificate), blocks(gm.Key)
	other := blocks(org.node(t).only(protocolTLCP).Certificate)
	withoutKeyUsage, err := os.ReadFile(caseName("no-keyusage/server-enc.crt"))
	require.NoError(t, err)
	for _, c := range []struct {
		name        string
		certs, keys []byte
		say         string
	}{
		{"no encryption certificate", certs[0], gm.Key, "no encryption one"},
		{"no signing certificate", certs[1], gm.Key, "no signing one"},
		{"no encryption key", gm.Certificate, keys[0], "no key for the SM2 encryption certificate"},
		{"no signing key", gm.Certificate, keys[1], "no key for the SM2 signing certificate"},
		{"two signing certificates", slices.Concat(gm.Certificate, other[0]), gm.Key, "neither the signing certificate"},
		{"two encryption certificates", slices.Concat(gm.Certificate, other[1]), gm.Key, "neither the signing certificate"},
		{"a certificate of no use", slices.Concat(certs[0], withoutKeyUsage), gm.Key, "neither the signing certificate"},
		{"too long a chain", slices.Concat(gm.Certificate, manyCAs(t)), gm.Key, "peers accept 16"},
		{"damaged certificate", slices.Concat(gm.Certificate, certPEM([]byte("garbage"))), gm.Key, "object 3"},
		{"damaged key", gm.Certificate, keys[0][:100], "key bundle"},
		{"a revocation list", slices.Concat(gm.Certificate, org.gm.RevocationList(t, x509.RevocationList{})), gm.Key, "it is a revocation list, where a certificate belongs"},
		{"no key for TLS", m.Certificate, gm.Key, "TLS part of the certificate bundle"},
		{"nothing", nil, nil, "failed to find any PEM data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := splitBundle(c.certs, c.keys)
			require.ErrorContains(t, err, c.say)
		})
	}
	// No part of a private key may be in an error.
	_, err = splitBundle(gm.Certificate, slices.Concat(keys[0], keys[0]))
	require.NotContains(t, err.Error(), "PRIVATE")
}

// manyCAs are more CAs than a chain may have.
func manyCAs(t *testing.T) (all []byte) {
	for range 15 {
		all = append(all, gmtlstest.NewCA(t).CertPEM...)
	}
	return all
}

// TestHalfAPair: a certificate without its key, and roots that cannot be read, are never taken for none.
func TestHalfAPair(t *testing.T) {
	node := newPKI(t).node(t)
	for name, b := range map[string]bundles{
		"no key":         {Certificate: node.Certificate},
		"no certificate": {Key: node.Key},
		"server roots":   {ServerRootCAs: [][]byte{[]byte("garbage")}},
		"client roots":   {ClientRootCAs: [][]byte{[]byte("garbage")}},
	} {
		_, err := b.load()
		require.Error(t, err, name)
	}
}

// TestShownPairHasNoKey: what upstream gets of a TLCP pair are its certificates.
func TestShownPairHasNoKey(t *testing.T) {
	m, err := newPKI(t).node(t).load()
	require.NoError(t, err)
	cert, err := m.clientCertificate("", ClientGM)
	require.NoError(t, err)
	require.Equal(t, tls.Certificate{Certificate: m.GM.Certificate, Leaf: m.GM.Leaf}, cert)
	require.Equal(t, cert, m.serverCertificate(ModeGM))
	require.Equal(t, *m.Std, m.serverCertificate(ModeDual))
}

// TestMaterialAsPEM: the bytes that upstream hands on are those of the bundle that the material came from.
func TestMaterialAsPEM(t *testing.T) {
	node := newPKI(t).node(t)
	for _, b := range []bundles{node, node.only(protocolTLS), node.only(protocolTLCP), {}} {
		m, err := b.load()
		require.NoError(t, err)
		require.Equal(t, string(b.Certificate), string(m.PEM()))
	}
}

func TestFiles(t *testing.T) {
	org := newPKI(t)
	dir := t.TempDir()
	std, err := org.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	gm := org.gm.NewPair(t, "127.0.0.1").Write(t, dir, "node")
	files := Files{
		Cert:     gmtlstest.WriteFile(t, dir, "server.crt", bytes.TrimSpace(std.Cert)), // no line break at its end
		Key:      gmtlstest.WriteFile(t, dir, "server.key", std.Key),
		SignCert: gm.SignCert, SignKey: gm.SignKey, EncCert: gm.EncCert, EncKey: gm.EncKey,
		ServerRootCAs: []string{gmtlstest.WriteFile(t, dir, "ca.crt", org.std.CertBytes()), gmtlstest.WriteFile(t, dir, "gm-ca.crt", org.gm.CertPEM)},
	}
	m, err := files.Load()
	require.NoError(t, err)
	require.NotNil(t, m.Std)
	require.NotNil(t, m.GM)
	stock, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	require.NoError(t, err)
	require.Equal(t, stock, *m.Std, "as crypto/tls reads it")
	roots, bad := parseRootBlobs(org.roots())
	require.Empty(t, bad)
	require.Equal(t, roots, m.serverRoots)

	incomplete := files
	incomplete.EncKey = ""
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "no file is given for: encryption key")
	incomplete = files
	incomplete.Key = ""
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "must both be given")
	incomplete = files
	incomplete.SignCert = filepath.Join(dir, "absent.crt")
	_, err = incomplete.Load()
	require.ErrorIs(t, err, os.ErrNotExist)
	incomplete = files
	incomplete.ClientRootCAs = []string{gmtlstest.WriteFile(t, dir, "bad.crt", []byte("garbage"))}
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "bad.crt")
	incomplete = files
	incomplete.EncKey = gmtlstest.WriteFile(t, dir, "garbage.key", []byte("garbage"))
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "garbage.key: it is neither PEM nor DER")
	incomplete.EncKey = files.SignKey
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "the private key does not belong to the certificate")
	require.ErrorContains(t, err, "node-enc.crt")
	incomplete = files
	incomplete.EncKey = files.Key
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "server.key: the key is not an SM2 key, which TLCP needs")
	incomplete = files
	incomplete.EncKey = files.EncCert
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "node-enc.crt: ")
	incomplete = files
	incomplete.Key = filepath.Join(dir, "absent.key")
	_, err = incomplete.Load()
	require.ErrorIs(t, err, os.ErrNotExist)
	another, err := org.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	incomplete.Key = gmtlstest.WriteFile(t, dir, "another.key", another.Key)
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "TLS part of the certificate bundle")
	incomplete.Cert = incomplete.Key
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "holds no certificate")
	incomplete = files
	certs, keys := org.gm.NewPair(t, "127.0.0.1").Bundle(std.Cert, std.Key)
	incomplete.Cert, incomplete.Key = gmtlstest.WriteFile(t, dir, "both.crt", certs), gmtlstest.WriteFile(t, dir, "both.key", keys)
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "holds a TLCP pair, and another pair is given in separate files")
	incomplete = files
	incomplete.Cert = gmtlstest.WriteFile(t, dir, "garbage.crt", []byte("garbage"))
	_, err = incomplete.Load()
	require.ErrorContains(t, err, "garbage.crt")
	m, err = Files{}.Load()
	require.NoError(t, err)
	require.Equal(t, Material{}, m)
}

// TestKeyForms: keys may be PKCS#8 or SEC 1, with the parameters block that
// OpenSSL writes before the latter, and are matched to their certificates.
func TestKeyForms(t *testing.T) {
	m := newPKI(t).node(t)
	want, err := splitBundle(m.Certificate, m.Key)
	require.NoError(t, err)
	std, err := x509.MarshalECPrivateKey(want.Std.PrivateKey.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	keys := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}})
	keys = append(keys, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: std})...)
	for _, key := range []crypto.PrivateKey{want.GM.EncPrivateKey, want.GM.PrivateKey} {
		der, err := smx509.MarshalSM2PrivateKey(key.(*sm2.PrivateKey))
		require.NoError(t, err)
		keys = append(keys, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	}
	got, err := splitBundle(m.Certificate, keys)
	require.NoError(t, err)
	require.True(t, want.Std.PrivateKey.(*ecdsa.PrivateKey).Equal(got.Std.PrivateKey))
	require.True(t, want.GM.PrivateKey.(*sm2.PrivateKey).Equal(got.GM.PrivateKey))
	require.True(t, want.GM.EncPrivateKey.(*sm2.PrivateKey).Equal(got.GM.EncPrivateKey))
}

// TestEncryptedGMKeys: the keys of a TLCP pair may be encrypted, and are then opened by the password of a file.
func TestEncryptedGMKeys(t *testing.T) {
	org := newPKI(t)
	dir := t.TempDir()
	pair := org.gm.NewPair(t, "127.0.0.1")
	plain := pair.Write(t, dir, "plain")
	want, err := Files{SignCert: plain.SignCert, SignKey: plain.SignKey, EncCert: plain.EncCert, EncKey: plain.EncKey}.Load()
	require.NoError(t, err)
	lock := func(text []byte) []byte {
		key, err := gmx509.ParsePrivateKeyPEM(text, nil)
		require.NoError(t, err)
		locked, err := gmx509.MarshalPrivateKeyPEM(key, []byte("secret"))
		require.NoError(t, err)
		return locked
	}
	files := Files{
		SignCert: plain.SignCert, SignKey: gmtlstest.WriteFile(t, dir, "sign.key", lock(pair.SignKey)),
		EncCert: plain.EncCert, EncKey: gmtlstest.WriteFile(t, dir, "enc.key", lock(pair.EncKey)),
		GMKeyPassword: gmtlstest.WriteFile(t, dir, "password", []byte("secret\n")),
	}
	m, err := files.Load()
	require.NoError(t, err)
	require.Equal(t, want, m)

	for say, change := range map[string]func(*Files){
		"peer.tls.gm.keyPassword.file": func(f *Files) { f.GMKeyPassword = "" },
		"wrong password":               func(f *Files) { f.GMKeyPassword = gmtlstest.WriteFile(t, dir, "wrong", []byte("other")) },
		"absent: no such file":         func(f *Files) { f.GMKeyPassword = filepath.Join(dir, "absent") },
		"the first line is empty":      func(f *Files) { f.GMKeyPassword = gmtlstest.WriteFile(t, dir, "empty", nil) },
	} {
		bad := files
		change(&bad)
		_, err := bad.Load()
		require.ErrorContains(t, err, say)
	}
}
