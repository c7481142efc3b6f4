// SPDX-License-Identifier: Apache-2.0

// Package pki implements gmtls pki: a small CA for tests and demonstrations. It has no register and no revocation list. Networks in use
// need a real CA (docs/ca.md).
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/emmansun/gmsm/sm2"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// Usages of the certificates that are issued.
const (
	SignUsage = stdx509.KeyUsageDigitalSignature
	EncUsage  = x509.PairEncryptionUsage
)

// CA is an authority with its key.
type CA struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// NewKey makes an SM2 key, or one on P-256.
func NewKey(gm bool) (crypto.Signer, error) {
	if gm {
		return sm2.GenerateKey(rand.Reader)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// NewCA makes a self-signed authority, SM2 if gm and P-256 otherwise.
func NewCA(name string, gm bool, notBefore, notAfter time.Time) (*CA, error) {
	key, err := NewKey(gm)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"gmtls pki"}},
		NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage: stdx509.KeyUsageCertSign | stdx509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}
	cert, err := create(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the CA %q: %w", name, err)
	}
	return &CA{cert, key}, nil
}

// Leaf makes the template of a certificate for servers and clients. It has no basicConstraints: without CA and path length they are an
// empty SEQUENCE, which GmSSL refuses.
func Leaf(name string, names []string, usage stdx509.KeyUsage, notBefore, notAfter time.Time) *x509.Certificate {
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"gmtls pki"}},
		NotBefore: notBefore, NotAfter: notAfter, KeyUsage: usage,
		ExtKeyUsage: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth, stdx509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	return template
}

// Issue signs a template for a new key of the CA's own family.
func (ca *CA) Issue(template *x509.Certificate) (*x509.Certificate, crypto.Signer, error) {
	key, err := NewKey(x509.IsSM2(ca.Cert.PublicKey))
	if err != nil {
		return nil, nil, err
	}
	cert, err := create(template, ca.Cert, key.Public(), ca.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("issuing %q: %w", template.Subject.CommonName, err)
	}
	return cert, key, nil
}

func create(template, parent *x509.Certificate, pub any, signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	t := *template
	t.SerialNumber = serial.SetBit(serial, 126, 1) // never short: GmSSL wants 4 bytes or more
	t.SubjectKeyId = id[:20]
	der, err := x509.CreateCertificate(rand.Reader, &t, parent, pub, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// CertPEM returns certificates as PEM.
func CertPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}
