// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// A certificate that crypto/x509 can parse must look the same whichever way it
// takes. The template sets everything that a template can set, so that a field
// that the conversion forgets shows.
func TestStdCertificate(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	uri, _ := url.Parse("spiffe://example.test/peer")
	_, network, _ := net.ParseCIDR("10.0.0.0/8")
	policy, err := x509.ParseOID("1.2.156.10197.1.1")
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1 << 40), Subject: pkix.Name{CommonName: "everything", Organization: []string{"o"}},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:           x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageOCSPSigning},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 2, 3}},
		IsCA:               true, BasicConstraintsValid: true, MaxPathLen: 2,
		SubjectKeyId: []byte{1, 2}, AuthorityKeyId: []byte{3, 4},
		OCSPServer: []string{"http://ocsp.test"}, IssuingCertificateURL: []string{"http://ca.test"},
		DNSNames: []string{"a.test"}, EmailAddresses: []string{"a@b.test"}, IPAddresses: []net.IP{{10, 0, 0, 1}}, URIs: []*url.URL{uri},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"p.test"}, ExcludedDNSDomains: []string{"x.test"},
		PermittedIPRanges: []*net.IPNet{network}, ExcludedIPRanges: []*net.IPNet{network},
		PermittedEmailAddresses: []string{"p.test"}, ExcludedEmailAddresses: []string{"x.test"},
		PermittedURIDomains: []string{"p.test"}, ExcludedURIDomains: []string{"x.test"},
		CRLDistributionPoints: []string{"http://crl.test"},
		Policies:              []x509.OID{policy},
		ExtraExtensions:       []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := smx509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	got := stdCertificate(parsed)
	a, b := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range a.NumField() {
		if name := a.Type().Field(i).Name; !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			t.Errorf("%s: got %v, want %v", name, a.Field(i), b.Field(i))
		}
	}
}

func TestStdCertificateSM2(t *testing.T) {
	cert, key := newCA(t, "root", nil).leaf(t, testName, testSignUsage)
	std := stdCertificate(cert)
	if std.SignatureAlgorithm != x509.UnknownSignatureAlgorithm || std.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("algorithms %v, %v", std.SignatureAlgorithm, std.PublicKeyAlgorithm)
	}
	if !sm2.IsSM2PublicKey(std.PublicKey) || !key.PublicKey.Equal(std.PublicKey) {
		t.Errorf("public key %v", std.PublicKey)
	}
	if err := std.VerifyHostname(testName); err != nil {
		t.Error(err)
	}
}
