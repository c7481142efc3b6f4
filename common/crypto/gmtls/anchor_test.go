// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// anchoredCache returns a cache that has met as many peers under the root as
// make it an anchor.
func anchoredCache(t *testing.T, root *testCA, usage smx509.ExtKeyUsage) *ChainCache {
	t.Helper()
	cache := NewChainCache(4)
	meetPeers(t, cache, root, trust{roots: poolOf(root), usage: usage}, anchorFrom)
	if a := cache.pool(poolOf(root)).anchors.issuerOf(root.cert); a == nil {
		t.Fatal("the root is not an anchor")
	}
	return cache
}

// meetPeers lets a cache verify so many new peers of the authority.
func meetPeers(t *testing.T, cache *ChainCache, ca *testCA, tr trust, n int) {
	t.Helper()
	for range n {
		if _, err := identifyUnder(cache, ca.pair(t, "another.test", nil).Certificate, tr, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

func identifyUnder(cache *ChainCache, ders [][]byte, tr trust, at time.Time) (*peer, error) {
	c := &Conn{isClient: true, config: &Config{ChainCache: cache, Time: func() time.Time { return at }}}
	defer c.remember()
	return c.identify(ders, &tr)
}

func rawChains(p *peer) (raw [][]byte) {
	for _, chain := range append(p.signChains, p.encChains...) {
		for _, cert := range chain {
			raw = append(raw, cert.Raw)
		}
		raw = append(raw, nil)
	}
	return raw
}

// The chains from an anchor are those that the path builder makes, and the
// validity that limits them is the same.
func TestAnchoredChains(t *testing.T) {
	root := newCA(t, "root", nil)
	tr := trust{roots: poolOf(root), usage: smx509.ExtKeyUsageServerAuth}
	cache := anchoredCache(t, root, tr.usage)
	for _, intermediates := range [][]*testCA{nil, {root}, {newCA(t, "unrelated", nil)}} {
		ders := root.pair(t, testName, intermediates).Certificate
		got, err := identifyUnder(cache, ders, tr, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		want, err := identifyUnder(NewChainCache(0), ders, tr, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytes.Join(rawChains(got), []byte("|")), bytes.Join(rawChains(want), []byte("|"))) {
			t.Errorf("with %d intermediates: other chains than the path builder's", len(intermediates))
		}
		if !got.notBefore.Equal(want.notBefore) || !got.notAfter.Equal(want.notAfter) {
			t.Errorf("with %d intermediates: valid from %s to %s, not %s to %s", len(intermediates), got.notBefore, got.notAfter, want.notBefore, want.notAfter)
		}
	}
}

// What an anchor must not confirm is nil, for the path builder to judge.
func TestAnchorRefuses(t *testing.T) {
	root, namesake := newCA(t, "root", nil), newCA(t, "root", nil)
	other := newCA(t, "other", nil)
	cache := anchoredCache(t, root, smx509.ExtKeyUsageServerAuth)
	a := cache.pool(poolOf(root)).anchors.issuerOf(root.cert)
	b := &badCerts{t: t, root: root}
	opts := smx509.VerifyOptions{CurrentTime: time.Now(), KeyUsages: []smx509.ExtKeyUsage{smx509.ExtKeyUsageServerAuth}}
	at := func(when time.Time) smx509.VerifyOptions { o := opts; o.CurrentTime = when; return o }
	good := b.signCert(func(c *smx509.Certificate) { // for longer than the authority, both ways
		c.NotBefore, c.NotAfter = root.cert.NotBefore.Add(-2*time.Hour), root.cert.NotAfter.Add(2*time.Hour)
	})
	self := func(key any) []byte { // issued by the root to its own name
		template := leafTemplate(testName, testSignUsage)
		template.Subject = root.cert.Subject
		return sign(t, template, root.cert, key, root.key).Raw
	}
	policy := func(c *smx509.Certificate) { // requireExplicitPolicy 0
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Value: []byte{0x30, 3, 0x80, 1, 0}}}
	}
	for name, test := range map[string]struct {
		der  []byte
		opts smx509.VerifyOptions
		want bool
	}{
		"good":                              {good, opts, true},
		"changed signature":                 {tamper(good), opts, false},
		"an authority of the same name":     {namesake.pair(t, testName, nil).Certificate[0], opts, false},
		"another authority":                 {other.pair(t, testName, nil).Certificate[0], opts, false},
		"expired":                           {b.signCert(expired), opts, false},
		"not yet valid":                     {b.signCert(notYet), opts, false},
		"unknown critical extension":        {b.signCert(critical), opts, false},
		"demands on policies":               {b.signCert(policy), opts, false},
		"another extended usage":            {b.signCert(codeSigning), opts, false},
		"the authority is not valid yet":    {good, at(root.cert.NotBefore.Add(-time.Hour)), false},
		"the authority is valid no longer":  {good, at(root.cert.NotAfter.Add(time.Hour)), false},
		"no time is given":                  {good, at(time.Time{}), false},
		"with name and key of the root":     {self(&root.key.PublicKey), opts, false},
		"with the name of the root":         {self(&newKey(t).PublicKey), opts, false},
		"an authority that the root issued": {newCA(t, "inter", root).pair(t, testName, nil).Certificate[0], opts, false},
	} {
		cert, err := smx509.ParseCertificate(test.der)
		if err != nil {
			t.Fatal(err)
		}
		if chains := a.chain(cert, test.opts); (chains != nil) != test.want {
			t.Errorf("%s: %d chains", name, len(chains))
		}
	}
}

// Roots that constrain what they issue, and intermediate authorities, are left
// to the path builder.
func TestNoAnchors(t *testing.T) {
	constrained := func(c *smx509.Certificate) { c.PermittedDNSDomains = []string{"test"} }
	for name, option := range map[string]certOptions{
		"name constraints":        constrained,
		"extended usage":          func(c *smx509.Certificate) { c.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageServerAuth} },
		"no usage at all":         func(c *smx509.Certificate) { c.KeyUsage = 0 },
		"usage for something yet": func(c *smx509.Certificate) { c.KeyUsage |= smx509.KeyUsageCRLSign },
	} {
		root := newCA(t, "root", nil, option)
		cache, tr := NewChainCache(4), trust{roots: poolOf(root), usage: smx509.ExtKeyUsageServerAuth}
		meetPeers(t, cache, root, tr, 2*anchorFrom)
		isAnchor := cache.pool(tr.roots).anchors.issuerOf(root.cert) != nil
		if want := name == "usage for something yet"; isAnchor != want {
			t.Errorf("%s: anchor %v", name, isAnchor)
		}
	}
	root := newCA(t, "root", nil)
	inter := newCA(t, "inter", root)
	cache, tr := NewChainCache(4), trust{roots: poolOf(root), usage: smx509.ExtKeyUsageServerAuth}
	for range 2 * anchorFrom {
		if _, err := identifyUnder(cache, inter.pair(t, testName, []*testCA{inter}).Certificate, tr, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(cache.pool(tr.roots).anchors.bySubject); n != 0 {
		t.Errorf("%d anchors from chains with an intermediate authority", n)
	}
}

// Anchors are those of a pool's contents: a root that is no longer there is none.
func TestAnchorsOfPool(t *testing.T) {
	root, namesake := newCA(t, "root", nil), newCA(t, "root", nil)
	cache := anchoredCache(t, root, smx509.ExtKeyUsageServerAuth)
	tr := trust{roots: poolOf(namesake), usage: smx509.ExtKeyUsageServerAuth}
	if _, err := identifyUnder(cache, root.pair(t, testName, nil).Certificate, tr, time.Now()); err == nil {
		t.Error("a root that another pool has is trusted")
	}
	// With both in one pool both are good, whichever becomes the anchor.
	tr.roots = poolOf(root, namesake)
	for range 2 * anchorFrom {
		meetPeers(t, cache, root, tr, 1)
		meetPeers(t, cache, namesake, tr, 1)
	}
	if cache.pool(tr.roots).anchors.issuerOf(root.cert) == nil {
		t.Error("neither is an anchor")
	}
	// Other uses than that under which it was learned are checked as ever.
	tr.usage = smx509.ExtKeyUsageClientAuth
	b := &badCerts{t: t, root: root}
	if _, err := identifyUnder(cache, [][]byte{b.signCert(codeSigning), b.encCert()}, tr, time.Now()); err == nil {
		t.Error("a certificate for something else is accepted")
	}
}

func TestAnchorsAreBounded(t *testing.T) {
	var a anchors
	for range maxAnchors + 5 {
		root := newCA(t, newKey(t).X.String()[:20], nil)
		a.learn([][]*smx509.Certificate{{root.cert, root.cert}})
	}
	if len(a.bySubject) != maxAnchors {
		t.Errorf("%d authorities are counted, not %d", len(a.bySubject), maxAnchors)
	}
}

func TestConcurrentAnchors(t *testing.T) {
	root := newCA(t, "root", nil)
	tr := trust{roots: poolOf(root), usage: smx509.ExtKeyUsageServerAuth}
	cache := NewChainCache(1)
	peers := make([][][]byte, 8)
	for i := range peers {
		peers[i] = root.pair(t, testName, nil).Certificate
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				for _, ders := range peers {
					if _, err := identifyUnder(cache, ders, tr, time.Now()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// A certificate that may not issue others is not an anchor, even if a path builder
// should come to let it stand as a root.
func TestLeafIsNoAnchor(t *testing.T) {
	for name, option := range map[string]certOptions{
		"authority":            func(c *smx509.Certificate) {},
		"no authority":         func(c *smx509.Certificate) { c.IsCA = false },
		"no basic constraints": func(c *smx509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false },
		"not for certificates": func(c *smx509.Certificate) { c.KeyUsage = smx509.KeyUsageCRLSign },
		"critical extension":   critical,
	} {
		root := newCA(t, "root", nil, option).cert
		var a anchors
		for range anchorFrom {
			a.learn([][]*smx509.Certificate{{root, root}})
		}
		if isAnchor := a.issuerOf(root) != nil; isAnchor != (name == "authority") {
			t.Errorf("%s: anchor %v", name, isAnchor)
		}
	}
}
