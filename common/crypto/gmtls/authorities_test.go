// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// tangle returns a signing certificate and n authorities of one name and one key, each
// of which has issued all of them. The first one alone can be of another issuer.
func tangle(t testing.TB, n int, issuer *testCA, leaf certOptions, authority certOptions) [][]byte {
	t.Helper()
	key := newKey(t)
	certs := make([][]byte, 1, n+1)
	for i := range n {
		template := &smx509.Certificate{
			SerialNumber: nextSerial(), Subject: pkix.Name{CommonName: "tangle"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: smx509.KeyUsageCertSign,
			DNSNames: []string{fmt.Sprintf("of%d.tangle", i)}, // else the path builder takes them for one
		}
		if authority != nil {
			authority(template)
		}
		ca := &testCA{key: key}
		if issuer != nil && i == 0 {
			ca.cert = sign(t, template, issuer.cert, &key.PublicKey, issuer.key)
		} else {
			ca.cert = sign(t, template, template, &key.PublicKey, key)
		}
		certs = append(certs, ca.cert.Raw)
		if i == 0 {
			if leaf == nil {
				leaf = func(*smx509.Certificate) {}
			}
			cert, _ := ca.leaf(t, testName, testSignUsage, leaf)
			certs[0] = cert.Raw
		}
	}
	return certs
}

func manyAddresses(n int) certOptions {
	return func(c *smx509.Certificate) {
		c.DNSNames, c.IPAddresses = nil, nil
		for range n {
			c.EmailAddresses = append(c.EmailAddresses, "a@b")
		}
	}
}

func manyURIs(n int) certOptions {
	return func(c *smx509.Certificate) {
		for i := range n {
			c.URIs = append(c.URIs, &url.URL{Scheme: "a", Opaque: fmt.Sprint(i)})
		}
	}
}

func excludeNames(n int) certOptions {
	return func(c *smx509.Certificate) {
		for i := range n {
			c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprintf("x%d", i))
		}
	}
}

func excludeAddresses(n int) certOptions {
	return func(c *smx509.Certificate) {
		for i := range n {
			c.ExcludedEmailAddresses = append(c.ExcludedEmailAddresses, fmt.Sprintf("aa@b%03d", i))
		}
	}
}

// mapPolicies has an authority map n policies to others, where mapping is inhibited.
func mapPolicies(t testing.TB, n int) certOptions {
	type policy struct{ ID asn1.ObjectIdentifier }
	type mapping struct{ Issuer, Subject asn1.ObjectIdentifier }
	type constraints struct {
		InhibitMapping int `asn1:"tag:1"`
	}
	policies, mappings := make([]policy, n), make([]mapping, n)
	for i := range n {
		policies[i].ID, mappings[i] = asn1.ObjectIdentifier{1, 2, i}, mapping{asn1.ObjectIdentifier{1, 2, 1000 + i}, asn1.ObjectIdentifier{1, 2, i}}
	}
	return func(c *smx509.Certificate) {
		for id, value := range map[int]any{32: policies, policyMappingsID: mappings, policyConstraintsID: constraints{}} {
			der, err := asn1.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, id}, Value: der})
		}
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestAuthoritiesOfRefusedRoots: what a root has issued that is not valid itself can
// be below another authority of the root's name and key.
func TestAuthoritiesOfRefusedRoots(t *testing.T) {
	old, root := newCA(t, "old", nil, expired), newCA(t, "root", nil)
	inter := newCA(t, "inter", old)
	template := *old.cert
	template.NotAfter = root.cert.NotAfter
	renewed := &testCA{sign(t, &template, root.cert, &old.key.PublicKey, root.key), old.key}
	judge := func(intermediates ...*testCA) error {
		pair := inter.pair(t, testName, intermediates)
		return pair.CheckAsPeer(poolOf(old, root), x509.ExtKeyUsageServerAuth, time.Now())
	}
	for _, order := range [][]*testCA{{inter, renewed}, {renewed, inter}} {
		if err := judge(order...); err != nil {
			t.Error(err)
		}
	}
	if err := judge(inter); alertForVerification(err) != AlertCertificateExpired {
		t.Errorf("got %v, want that a certificate has expired", err)
	}
}

// TestAuthoritiesOfManyRoots: the signatures of what a peer sends are checked against
// roots of one name up to a bound, and those of its first authority always are.
func TestAuthoritiesOfManyRoots(t *testing.T) {
	roots := make([]*testCA, maxRootChecks/2)
	for i := range roots {
		roots[i] = newCA(t, "root", nil)
	}
	first, second, third := newCA(t, "first", roots[0]), newCA(t, "second", roots[1]), newCA(t, "third", roots[2])
	for _, test := range []struct {
		ca   *testCA
		more []*testCA
		ok   bool
	}{{first, nil, true}, {second, []*testCA{newCA(t, "more", nil)}, true}, {third, nil, false}} {
		pair := test.ca.pair(t, testName, append([]*testCA{first, second, third}, test.more...))
		err := pair.CheckAsPeer(poolOf(roots...), x509.ExtKeyUsageServerAuth, time.Now())
		if unknown := alertForVerification(err) == AlertUnknownCA; err == nil != test.ok || unknown == test.ok {
			t.Errorf("%s: got %v", test.ca.cert.Subject.CommonName, err)
		}
	}
}

// BenchmarkAuthorities measures what a node computes for certificates that are made to
// cost much: those of a stranger, and those of a member whose CA is a root.
func BenchmarkAuthorities(b *testing.B) {
	root := newCA(b, "root", nil)
	for _, who := range []struct {
		name   string
		issuer *testCA
	}{{"stranger", nil}, {"forger", newCA(b, "root", nil)}, {"member", root}} {
		for _, test := range []struct {
			name            string
			n               int
			leaf, authority certOptions
		}{
			{"one", 1, nil, nil},
			{"signatures", 15, nil, nil},
			{"DNS names", 5, manyNames(500), excludeNames(460)},
			{"addresses", 5, manyAddresses(500), excludeAddresses(460)},
			{"names without comparison", 12, manyURIs(500), func(c *smx509.Certificate) {
				manyURIs(600)(c)
				excludeAddresses(1)(c)
			}},
			{"policies", 15, nil, mapPolicies(b, 180)},
		} {
			b.Run(who.name+"/"+strings.ReplaceAll(test.name, " ", "_"), func(b *testing.B) {
				certs := tangle(b, test.n, who.issuer, test.leaf, test.authority)
				roots := poolOf(root)
				start := cpuTime(b)
				for b.Loop() {
					p, err := parseCertificates(certs, true)
					if err != nil {
						b.Fatal(err)
					}
					p.verify(trust{roots: roots, usage: smx509.ExtKeyUsageClientAuth, single: true}, nil, time.Now())
				}
				b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/1000/float64(b.N), "CPU-ms/op")
			})
		}
	}
}
