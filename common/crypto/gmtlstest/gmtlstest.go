// SPDX-License-Identifier: Apache-2.0

// Package gmtlstest makes CAs, certificates and TLCP pairs for tests. Nothing here is meant for production.
//
//	ca := gmtlstest.NewCA(t)                                  // SM2
//	standard := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ca")
//
// A TLCP pair (GB/T 38636) has one certificate that signs and one that encrypts.
package gmtlstest

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
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Family is the kind of key that an authority has and issues for.
type Family bool

// The families.
const (
	ECDSA Family = false // P-256
	SM2   Family = true
)

// String names the family.
func (f Family) String() string {
	if f == SM2 {
		return "SM2"
	}
	return "ECDSA"
}

// CA is a self-signed authority.
type CA struct {
	Family  Family
	Cert    *x509.Certificate
	CertPEM []byte // the same
	key     crypto.Signer
}

// Leaf is a certificate with its key, both also in PEM (the key in PKCS #8).
type Leaf struct {
	Cert            *x509.Certificate
	Key             crypto.Signer
	CertPEM, KeyPEM []byte
}

// validity is that of all certificates whose end the caller does not say.
const validity = 24 * time.Hour

// NewCA makes an SM2 authority, valid for a day, with a unique name.
func NewCA(t testing.TB) *CA {
	t.Helper()
	return NewFamilyCA(t, SM2, "SM2 TLS CA "+newSerial(t).String())
}

// NewFamilyCA makes an authority, valid for a day, with the common name given.
func NewFamilyCA(t testing.TB, family Family, name string) *CA {
	t.Helper()
	ca := &CA{Family: family, key: newKey(t, family)}
	template := newTemplate(t, pkix.Name{CommonName: name, Organization: []string{"tests"}}, time.Now().Add(validity))
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	ca.Cert = ca.create(t, template, ca.key)
	ca.CertPEM = encodeCert(ca.Cert)
	return ca
}

// Issue makes a certificate for the subject. It can sign, and serve on localhost and 127.0.0.1.
func (ca *CA) Issue(t testing.TB, subject pkix.Name, extensions ...pkix.Extension) *Leaf {
	t.Helper()
	template := newTemplate(t, subject, time.Now().Add(validity))
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtraExtensions = extensions
	return ca.leaf(t, template, newKey(t, ca.Family), []string{"localhost", "127.0.0.1"})
}

// leaf certifies the key by the template. Unless the template says otherwise, server and client can use the certificate for the hosts.
func (ca *CA) leaf(t testing.TB, template *x509.Certificate, key crypto.Signer, hosts []string) *Leaf {
	t.Helper()
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	keyPEM, err := x509.MarshalPrivateKeyPEM(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	cert := ca.create(t, template, key)
	return &Leaf{Cert: cert, Key: key, CertPEM: encodeCert(cert), KeyPEM: keyPEM}
}

// create signs a certificate for the key; the authority's own by itself.
func (ca *CA) create(t testing.TB, template *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	parent := ca.Cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// RevocationList makes a list, in PEM, of the serial numbers. Times and extensions of the template stay; without times it is valid for
// a day.
func (ca *CA) RevocationList(t testing.TB, template x509.RevocationList, serials ...*big.Int) []byte {
	t.Helper()
	if template.ThisUpdate.IsZero() {
		template.ThisUpdate = time.Now().Add(-time.Minute)
	}
	if template.NextUpdate.IsZero() {
		template.NextUpdate = template.ThisUpdate.Add(validity)
	}
	if template.Number == nil {
		template.Number = big.NewInt(1)
	}
	for _, serial := range serials {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: template.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, &template, ca.Cert, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// Intermediate issues the certificate of an authority below this one.
func (ca *CA) Intermediate(t testing.TB, name string) *CA {
	t.Helper()
	below := &CA{Family: ca.Family, key: newKey(t, ca.Family)}
	template := newTemplate(t, pkix.Name{CommonName: name, Organization: []string{"tests"}}, time.Now().Add(validity))
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	below.Cert = ca.create(t, template, below.key)
	below.CertPEM = encodeCert(below.Cert)
	return below
}

func newTemplate(t testing.TB, subject pkix.Name, notAfter time.Time) *x509.Certificate {
	t.Helper()
	notBefore := time.Now().Add(-validity)
	if notAfter.Before(time.Now()) {
		notBefore = notAfter.Add(-2 * validity)
	}
	return &x509.Certificate{
		SerialNumber:          newSerial(t),
		Subject:               subject,
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
	}
}

func newSerial(t testing.TB) *big.Int {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return serial
}

func newKey(t testing.TB, family Family) crypto.Signer {
	t.Helper()
	if family == ECDSA {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
