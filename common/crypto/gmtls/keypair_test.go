// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// pairPEM is the four parts of a pair.
type pairPEM struct{ signCert, signKey, encCert, encKey []byte }

func newPairPEM(t testing.TB, pair Certificate) pairPEM {
	return pairPEM{
		certPEM(pair.Certificate[0]), keyPEM(t, pair.PrivateKey),
		certPEM(pair.Certificate[1]), keyPEM(t, pair.EncPrivateKey),
	}
}

func (p pairPEM) parse() (Certificate, error) {
	return X509KeyPair(p.signCert, p.signKey, p.encCert, p.encKey)
}

func TestX509KeyPair(t *testing.T) {
	ca := newCA(t, "root", nil)
	inter := newCA(t, "intermediate", ca)
	pair := inter.pair(t, testName, nil)
	chain := certPEM(inter.cert.Raw)
	sec1 := func(key any) []byte {
		der, err := smx509.MarshalSM2PrivateKey(key.(*sm2.PrivateKey))
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, change := range map[string]func(p *pairPEM){
		"PKCS#8": func(p *pairPEM) {},
		"SEC 1": func(p *pairPEM) {
			p.signKey = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1(pair.PrivateKey)})
		},
		"SM2 PRIVATE KEY": func(p *pairPEM) {
			p.encKey = pem.EncodeToMemory(&pem.Block{Type: "SM2 PRIVATE KEY", Bytes: sec1(pair.EncPrivateKey)})
		},
		"EC PARAMETERS": func(p *pairPEM) {
			p.signKey = append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{5, 0}}), p.signKey...)
		},
		"text before": func(p *pairPEM) { p.signCert = append([]byte("Certificate:\n    Data\n"), p.signCert...) },
		"key and cert": func(p *pairPEM) {
			both := append(bytes.Clone(p.encCert), p.encKey...)
			p.encCert, p.encKey = both, both
		},
		"chain with signer": func(p *pairPEM) { p.signCert = append(p.signCert, chain...) },
		"chain with both":   func(p *pairPEM) { p.signCert, p.encCert = append(p.signCert, chain...), append(p.encCert, chain...) },
	} {
		p := newPairPEM(t, pair)
		change(&p)
		got, err := p.parse()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := pair.Certificate
		if strings.HasPrefix(name, "chain") {
			want = append(want[:2:2], inter.cert.Raw)
		}
		if len(got.Certificate) != len(want) {
			t.Errorf("%s: %d certificates, want %d", name, len(got.Certificate), len(want))
			continue
		}
		for i := range want {
			if !bytes.Equal(got.Certificate[i], want[i]) {
				t.Errorf("%s: certificate %d differs", name, i)
			}
		}
		if got.Leaf.Subject.CommonName != testName || !bytes.Equal(got.EncLeaf.Raw, pair.Certificate[1]) {
			t.Errorf("%s: leaves", name)
		}
	}
}

func TestX509KeyPairErrors(t *testing.T) {
	ca := newCA(t, "root", nil)
	pair, other := ca.pair(t, testName, nil), ca.pair(t, testName, nil)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256Cert := sign(t, leafTemplate(testName, testSignUsage), ca.cert, &p256.PublicKey, ca.key)
	legacy, err := smx509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", []byte("key"), []byte("password"), smx509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(p *pairPEM)
		want   string
	}{
		{"no certificate", func(p *pairPEM) { p.signCert = nil }, "signing certificate: it is empty"},
		{"no encryption certificate", func(p *pairPEM) { p.encCert = p.encKey }, "encryption certificate: it holds a private key and no certificate"},
		{"no key", func(p *pairPEM) { p.encKey = p.encCert }, "encryption key: it holds a certificate and no private key"},
		{"no signing key", func(p *pairPEM) { p.signKey = []byte("garbage") }, "signing key: it is neither PEM nor DER"},
		{"garbage certificate", func(p *pairPEM) { p.signCert = certPEM([]byte("garbage")) }, "signing certificate: certificate: x509: malformed certificate"},
		{"garbage key", func(p *pairPEM) {
			p.encKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")})
		}, "encryption key: private key: x509: not a private key"},
		{"encrypted key", func(p *pairPEM) {
			p.signKey = pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{0x30, 0}})
		}, "is encrypted"},
		{"encrypted key, old form", func(p *pairPEM) { p.signKey = pem.EncodeToMemory(legacy) }, "is encrypted"},
		{"P-256 certificate", func(p *pairPEM) { p.signCert = certPEM(p256Cert.Raw) }, "the certificate's key is ECDSA P-256, the private key is SM2"},
		{"P-256 key", func(p *pairPEM) { p.signKey = keyPEM(t, p256) }, "the certificate's key is SM2, the private key is ECDSA P-256"},
		{"another's key", func(p *pairPEM) { p.signKey = keyPEM(t, other.PrivateKey) }, "the private key does not belong to the certificate"},
		{"swapped keys", func(p *pairPEM) { p.signKey, p.encKey = p.encKey, p.signKey }, "does not belong"},
		{"swapped pair", func(p *pairPEM) {
			p.signCert, p.signKey, p.encCert, p.encKey = p.encCert, p.encKey, p.signCert, p.signKey
		}, gmx509.ErrPairSigningUsage.Error()},
		{"signing pair twice", func(p *pairPEM) { p.encCert, p.encKey = p.signCert, p.signKey }, gmx509.ErrPairEncryptionUsage.Error()},
	} {
		p := newPairPEM(t, pair)
		test.change(&p)
		_, err := p.parse()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error holds the key: %v", test.name, err)
		}
	}
}

func TestLoadX509KeyPair(t *testing.T) {
	dir := t.TempDir()
	p := newPairPEM(t, newCA(t, "root", nil).pair(t, testName, nil))
	names := []string{"sign.crt", "sign.key", "enc.crt", "enc.key"}
	for i, data := range [][]byte{p.signCert, p.signKey, p.encCert, p.encKey} {
		names[i] = filepath.Join(dir, names[i])
		if err := os.WriteFile(names[i], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadX509KeyPair(names[0], names[1], names[2], names[3]); err != nil {
		t.Error(err)
	}
	if _, err := LoadX509KeyPair(names[0], names[3], names[2], names[1]); err == nil || !strings.Contains(err.Error(), names[3]) {
		t.Errorf("swapped keys: %v, want an error that names the files", err)
	}
	missing := filepath.Join(dir, "missing")
	if _, err := LoadX509KeyPair(names[0], names[1], missing, names[3]); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v, want an error that names it", err)
	}
}

// A pair that no peer of this package accepts is not loaded.
func TestX509KeyPairBounds(t *testing.T) {
	ca := newCA(t, "root", nil)
	good := newPairPEM(t, ca.pair(t, testName, nil))
	long := newPairPEM(t, ca.pair(t, testName, nil, manyNames(1000)))
	if _, err := long.parse(); err == nil || !strings.Contains(err.Error(), "certificate 0 of the chains has more than 1000 ASN.1 elements") {
		t.Errorf("too many names: %v", err)
	}
	for range maxPeerCertificates - 2 {
		good.signCert = append(good.signCert, certPEM(newCA(t, "another", nil).cert.Raw)...)
	}
	if _, err := good.parse(); err != nil {
		t.Errorf("as many as allowed: %v", err)
	}
	good.encCert = append(good.encCert, certPEM(ca.cert.Raw)...)
	if _, err := good.parse(); err == nil || !strings.Contains(err.Error(), "17 certificates in the chains, and peers accept 16") {
		t.Errorf("too many: %v", err)
	}
}
