// SPDX-License-Identifier: Apache-2.0

// Package gmtlstest makes SM2 certificate authorities and TLCP certificate pairs (GB/T 38636: one certificate that signs, one
// that encrypts) for tests. Keys live as long as the test; nothing here is meant for production.
package gmtlstest

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// CA is an SM2 certificate authority.
type CA struct {
	// CertPEM is the CA's certificate.
	CertPEM []byte
	// Cert is the same, parsed.
	Cert *x509.Certificate
	key  *sm2.PrivateKey
}

// Pair holds the four PEM texts of a TLCP end.
type Pair struct {
	SignCert, SignKey, EncCert, EncKey []byte
}

// Files are the paths that Pair.Write returns.
type Files struct {
	SignCert, SignKey, EncCert, EncKey string
}

// NewCA makes a self-signed SM2 CA, valid for a day.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{key: newKey(t)}
	template := newTemplate(t, "SM2 TLS CA", time.Now().Add(24*time.Hour))
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	ca.CertPEM = ca.issue(t, template, ca.key)
	block, _ := pem.Decode(ca.CertPEM)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ca.Cert = cert
	return ca
}

// NewPair issues a pair for the hosts, DNS names or IP addresses, usable by server and client, valid for a day.
func (ca *CA) NewPair(t testing.TB, hosts ...string) Pair {
	t.Helper()
	return ca.NewPairUntil(t, time.Now().Add(24*time.Hour), hosts...)
}

// NewPairUntil is NewPair with an end of validity, which may lie in the past.
func (ca *CA) NewPairUntil(t testing.TB, notAfter time.Time, hosts ...string) Pair {
	t.Helper()
	const encipher = x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement
	subject := newTemplate(t, "node", notAfter).Subject // one for both, as peers demand
	var p Pair
	p.SignCert, p.SignKey = ca.leaf(t, subject, x509.KeyUsageDigitalSignature, notAfter, hosts)
	p.EncCert, p.EncKey = ca.leaf(t, subject, encipher, notAfter, hosts)
	return p
}

// Bundle returns the certificates and keys as PEM bundles, behind a standard pair if one is given.
func (p Pair) Bundle(stdCert, stdKey []byte) (certs, keys []byte) {
	certs = append(append(append([]byte{}, stdCert...), p.SignCert...), p.EncCert...)
	keys = append(append(append([]byte{}, stdKey...), p.SignKey...), p.EncKey...)
	return certs, keys
}

// Write stores the pair in the folder as PREFIX-sign.crt, PREFIX-sign.key, PREFIX-enc.crt and PREFIX-enc.key, replacing
// what stands there.
func (p Pair) Write(t testing.TB, dir, prefix string) Files {
	t.Helper()
	return Files{
		SignCert: WriteFile(t, dir, prefix+"-sign.crt", p.SignCert),
		SignKey:  WriteFile(t, dir, prefix+"-sign.key", p.SignKey),
		EncCert:  WriteFile(t, dir, prefix+"-enc.crt", p.EncCert),
		EncKey:   WriteFile(t, dir, prefix+"-enc.key", p.EncKey),
	}
}

// WriteFile stores one file and returns its path.
func WriteFile(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (ca *CA) leaf(t testing.TB, subject pkix.Name, usage x509.KeyUsage, notAfter time.Time, hosts []string) (certPEM, keyPEM []byte) {
	t.Helper()
	template := newTemplate(t, "node", notAfter)
	template.Subject = subject
	template.KeyUsage = usage
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key := newKey(t)
	keyPEM, err := x509.MarshalPrivateKeyPEM(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ca.issue(t, template, key), keyPEM
}

func (ca *CA) issue(t testing.TB, template *x509.Certificate, subject *sm2.PrivateKey) []byte {
	t.Helper()
	parent := ca.Cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, subject.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newTemplate(t testing.TB, name string, notAfter time.Time) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, SerialNumber: serial.String()},
		NotBefore:             notAfter.Add(-48 * time.Hour),
		NotAfter:              notAfter,
		BasicConstraintsValid: true,
	}
}

func newKey(t testing.TB) *sm2.PrivateKey {
	t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
