// SPDX-License-Identifier: Apache-2.0

// Package testpki makes certificates for the tests of the kits under pkg.
package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/stretchr/testify/require"
)

// Family is the kind of key an authority has and issues for.
type Family bool

const (
	ECDSA Family = false // P-256
	SM2   Family = true
)

func (f Family) String() string {
	if f == SM2 {
		return "SM2"
	}
	return "ECDSA"
}

// CA is a self-signed authority.
type CA struct {
	Family Family
	Cert   *gmx509.Certificate
	key    crypto.Signer
}

// Leaf is a certificate with its key, both also in PEM (the key PKCS #8).
type Leaf struct {
	Cert            *gmx509.Certificate
	Key             crypto.Signer
	CertPEM, KeyPEM []byte
}

// NewCA makes an authority.
func NewCA(t testing.TB, family Family, name string) *CA {
	t.Helper()
	key := newKey(t, family)
	template := &gmx509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name, Organization: []string{"kits"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: gmx509.KeyUsageCertSign | gmx509.KeyUsageCRLSign,
	}
	return &CA{Family: family, Cert: create(t, template, template, key.Public(), key), key: key}
}

// PEM returns the authority's certificate.
func (ca *CA) PEM() []byte { return encode("CERTIFICATE", ca.Cert.Raw) }

// Issue makes a certificate for subject that can sign, and serve on localhost and 127.0.0.1.
func (ca *CA) Issue(t testing.TB, subject pkix.Name, extensions ...pkix.Extension) *Leaf {
	t.Helper()
	return ca.issue(t, subject, gmx509.KeyUsageDigitalSignature, extensions)
}

// Pair makes a TLCP pair: a signing and an encryption certificate for the same subject.
func (ca *CA) Pair(t testing.TB, name string) (sign, enc *Leaf) {
	t.Helper()
	subject := pkix.Name{CommonName: name}
	return ca.issue(t, subject, gmx509.KeyUsageDigitalSignature, nil),
		ca.issue(t, subject, gmx509.KeyUsageKeyEncipherment|gmx509.KeyUsageDataEncipherment|gmx509.KeyUsageKeyAgreement, nil)
}

func (ca *CA) issue(t testing.TB, subject pkix.Name, usage gmx509.KeyUsage, extensions []pkix.Extension) *Leaf {
	t.Helper()
	key := newKey(t, ca.Family)
	cert := create(t, &gmx509.Certificate{
		SerialNumber: serial(t), Subject: subject, ExtraExtensions: extensions,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: usage,
		ExtKeyUsage: []gmx509.ExtKeyUsage{gmx509.ExtKeyUsageServerAuth, gmx509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, ca.Cert, key.Public(), ca.key)
	der, err := gmx509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return &Leaf{Cert: cert, Key: key, CertPEM: encode("CERTIFICATE", cert.Raw), KeyPEM: encode("PRIVATE KEY", der)}
}

func newKey(t testing.TB, family Family) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	if family == SM2 {
		key, err = sm2.GenerateKey(rand.Reader)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	require.NoError(t, err)
	return key
}

func create(t testing.TB, template, parent *gmx509.Certificate, pub crypto.PublicKey, key crypto.Signer) *gmx509.Certificate {
	t.Helper()
	der, err := gmx509.CreateCertificate(rand.Reader, template, parent, pub, key)
	require.NoError(t, err)
	cert, err := gmx509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	require.NoError(t, err)
	return n
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
