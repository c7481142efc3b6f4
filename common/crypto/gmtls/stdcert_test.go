// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"reflect"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmx509"
)

// What a connection gives out of its peer is what gmx509 makes of the same
// bytes, so that its functions serve: verification, for one.
func TestPeerCertificatesAreThoseOfGMX509(t *testing.T) {
	ca := newCA(t, "root", nil)
	pair := ca.pair(t, testName, nil)
	p, err := parsePeer(pair.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := gmx509.NewCertPool()
	root, err := gmx509.ParseCertificate(ca.cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	for i, got := range p.std {
		want, err := gmx509.ParseCertificate(pair.Certificate[i])
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("certificate %d: got %v, want %v", i, got, want)
		}
		if _, err := gmx509.Verify(got, gmx509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("certificate %d: %v", i, err)
		}
	}
}
