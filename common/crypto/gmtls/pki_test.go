// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// testCA is an SM2 authority made for one test run.
type testCA struct {
	cert *smx509.Certificate
	key  *sm2.PrivateKey
}

var testSerial atomic.Int64

func nextSerial() *big.Int { return big.NewInt(0x10000000 + testSerial.Add(1)) }

// certOptions changes a certificate before it is signed.
type certOptions func(*smx509.Certificate)

func newKey(t testing.TB) *sm2.PrivateKey {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newCA makes an authority; with a parent it is an intermediate one.
func newCA(t testing.TB, name string, parent *testCA, options ...certOptions) *testCA {
	t.Helper()
	key := newKey(t)
	template := &smx509.Certificate{
		SerialNumber:          nextSerial(),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"test"}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	for _, option := range options {
		option(template)
	}
	ca := &testCA{key: key}
	signer, issuer := key, template
	if parent != nil {
		signer, issuer = parent.key, parent.cert
	}
	ca.cert = sign(t, template, issuer, &key.PublicKey, signer)
	return ca
}

func sign(t testing.TB, template, issuer *smx509.Certificate, pub any, signer crypto.PrivateKey) *smx509.Certificate {
	t.Helper()
	der, err := smx509.CreateCertificate(rand.Reader, template, issuer, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// template is a leaf for either slot, valid for the name and for 127.0.0.1.
func leafTemplate(name string, usage smx509.KeyUsage) *smx509.Certificate {
	return &smx509.Certificate{
		SerialNumber: nextSerial(),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"test"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     usage,
		ExtKeyUsage:  []smx509.ExtKeyUsage{smx509.ExtKeyUsageServerAuth, smx509.ExtKeyUsageClientAuth},
		DNSNames:     []string{name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

// leaf issues one certificate.
func (ca *testCA) leaf(t testing.TB, name string, usage smx509.KeyUsage, options ...certOptions) (*smx509.Certificate, *sm2.PrivateKey) {
	t.Helper()
	key := newKey(t)
	template := leafTemplate(name, usage)
	for _, option := range options {
		option(template)
	}
	return sign(t, template, ca.cert, &key.PublicKey, ca.key), key
}

const (
	testSignUsage = smx509.KeyUsageDigitalSignature
	testEncUsage  = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement
)

// pair issues a pair; the options apply to both certificates. Intermediates
// come behind the pair.
func (ca *testCA) pair(t testing.TB, name string, intermediates []*testCA, options ...certOptions) Certificate {
	t.Helper()
	signCert, signKey := ca.leaf(t, name, testSignUsage, options...)
	encCert, encKey := ca.leaf(t, name, testEncUsage, options...)
	cert := Certificate{
		Certificate: [][]byte{signCert.Raw, encCert.Raw},
		PrivateKey:  signKey, EncPrivateKey: encKey,
		Leaf: stdOf(signCert), EncLeaf: stdOf(encCert),
	}
	for _, ca := range intermediates {
		cert.Certificate = append(cert.Certificate, ca.cert.Raw)
	}
	return cert
}

func poolOf(cas ...*testCA) *smx509.CertPool {
	pool := smx509.NewCertPool()
	for _, ca := range cas {
		pool.AddCert(ca.cert)
	}
	return pool
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(t testing.TB, key any) []byte {
	t.Helper()
	der, err := smx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func stdOf(cert *smx509.Certificate) *x509.Certificate {
	std, err := gmx509.FromEngine(cert)
	if err != nil {
		panic(err)
	}
	return std
}
