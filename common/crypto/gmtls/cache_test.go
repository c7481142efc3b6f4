// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// cacheFixture is a peer's certificates and what they are verified under.
type cacheFixture struct {
	ca    *testCA
	ders  [][]byte
	trust trust
	cache *ChainCache
}

func newCacheFixture(t *testing.T, capacity int) *cacheFixture {
	ca := newCA(t, "root", nil)
	return &cacheFixture{
		ca:    ca,
		ders:  ca.pair(t, testName, nil).Certificate,
		trust: trust{roots: poolOf(ca), usage: smx509.ExtKeyUsageServerAuth},
		cache: NewChainCache(capacity),
	}
}

// identify verifies the fixture's peer at the given time and reports whether the
// result came from the cache.
func (f *cacheFixture) identify(t *testing.T, at time.Time) (hit bool, err error) {
	t.Helper()
	c := &Conn{isClient: true, config: &Config{ChainCache: f.cache, Time: func() time.Time { return at }}}
	known := f.cache.get(f.ders, f.cache.pool(f.trust.roots), &f.trust, at)
	p, err := c.identify(f.ders, &f.trust)
	c.remember()
	if err == nil && len(p.signChains) == 0 {
		t.Error("no chains come with the peer")
	}
	return known != nil && p == known, err
}

func (f *cacheFixture) want(t *testing.T, what string, at time.Time, wantHit bool) {
	t.Helper()
	hit, err := f.identify(t, at)
	if err != nil || hit != wantHit {
		t.Errorf("%s: from the cache %v, error %v; want %v without error", what, hit, err, wantHit)
	}
}

func TestChainCacheHits(t *testing.T) {
	f := newCacheFixture(t, 4)
	now := time.Now()
	f.want(t, "first meeting", now, false)
	f.want(t, "second meeting", now, true)

	f.trust.roots = f.trust.roots.Clone()
	f.want(t, "another pool object with the same contents", now, true)
	f.trust.usage = smx509.ExtKeyUsageClientAuth
	f.want(t, "another purpose", now, false)
	f.trust.unpaired = true
	f.want(t, "other pair rules", now, false)
}

func TestChainCacheOff(t *testing.T) {
	f := newCacheFixture(t, 0)
	f.want(t, "first meeting", time.Now(), false)
	f.want(t, "second meeting", time.Now(), false)
}

// A pool that changes, in whatever way, is another pool.
func TestChainCacheChangedPool(t *testing.T) {
	f := newCacheFixture(t, 4)
	now := time.Now()
	f.want(t, "first meeting", now, false)

	f.trust.roots.AddCert(newCA(t, "another root", nil).cert)
	f.want(t, "after a root was added", now, false)
	f.want(t, "and again", now, true)

	*f.trust.roots = *poolOf(newCA(t, "third root", nil)) // the same pointer, other contents
	var unknown smx509.UnknownAuthorityError
	if _, err := f.identify(t, now); !errors.As(err, &unknown) {
		t.Errorf("after the root was removed: %v", err)
	}
	f.trust.roots = smx509.NewCertPool()
	if _, err := f.identify(t, now); !errors.As(err, &unknown) {
		t.Errorf("with an empty pool: %v", err)
	}
	f.trust.roots = nil
	if _, err := f.identify(t, now); !errors.As(err, &unknown) {
		t.Errorf("without a pool: %v", err)
	}
}

func TestChainCacheValidity(t *testing.T) {
	for _, test := range []struct {
		name   string
		expire func(f *cacheFixture, soon time.Time)
	}{
		{"leaf", func(f *cacheFixture, soon time.Time) {
			f.ders = f.ca.pair(t, testName, nil, func(c *smx509.Certificate) { c.NotAfter = soon }).Certificate
		}},
		{"root", func(f *cacheFixture, soon time.Time) {
			f.ca = newCA(t, "short-lived root", nil, func(c *smx509.Certificate) { c.NotAfter = soon })
			f.trust.roots = poolOf(f.ca)
			f.ders = f.ca.pair(t, testName, nil).Certificate
		}},
		{"signing certificate", func(f *cacheFixture, soon time.Time) {
			sign, _ := f.ca.leaf(t, testName, testSignUsage, func(c *smx509.Certificate) { c.NotAfter = soon })
			f.ders[0] = sign.Raw
		}},
		{"encryption certificate", func(f *cacheFixture, soon time.Time) {
			enc, _ := f.ca.leaf(t, testName, testEncUsage, func(c *smx509.Certificate) { c.NotAfter = soon })
			f.ders[1] = enc.Raw
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newCacheFixture(t, 4)
			now := time.Now()
			test.expire(f, now.Add(time.Minute))
			f.want(t, "first meeting", now, false)
			f.want(t, "second meeting", now, true)
			for _, at := range []time.Time{now.Add(2 * time.Minute), now.Add(-2 * time.Hour)} {
				var invalid smx509.CertificateInvalidError
				if _, err := f.identify(t, at); !errors.As(err, &invalid) || invalid.Reason != smx509.Expired {
					t.Errorf("at %v: %v, want expired", at, err)
				}
			}
			if n := f.cache.peers.Len(); n != 0 {
				t.Errorf("%d entries are left", n)
			}
		})
	}
}

func TestChainCacheBounds(t *testing.T) {
	f := newCacheFixture(t, 3)
	now := time.Now()
	first := f.ders
	for range 5 {
		f.ders = f.ca.pair(t, testName, nil).Certificate
		f.want(t, "new peer", now, false)
	}
	if n := f.cache.peers.Len(); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	f.want(t, "latest peer", now, true)
	f.ders = first
	f.want(t, "oldest peer", now, false)

	for range 2 * maxCachedPools {
		f.trust.roots = f.trust.roots.Clone()
		f.trust.roots.AddCert(newCA(t, "root", nil).cert)
		f.want(t, "new pool", now, false)
	}
	if n := len(f.cache.pools); n != maxCachedPools {
		t.Errorf("%d pools, want %d", n, maxCachedPools)
	}
	for _, key := range f.cache.peers.Keys() {
		found := false
		for _, pool := range f.cache.pools {
			found = found || pool == key.pool
		}
		if !found {
			t.Error("an entry is left for a pool that was dropped")
		}
	}
}

// A failure is not remembered.
func TestChainCacheKeepsNoFailures(t *testing.T) {
	f := newCacheFixture(t, 4)
	if _, err := f.identify(t, time.Now().Add(48*time.Hour)); err == nil {
		t.Fatal("an expired certificate passes")
	}
	f.want(t, "once the clock is right", time.Now(), false)
}

// The callbacks and the name are checked for a peer from the cache as well.
func TestChainCacheDoesNotReplaceCallbacks(t *testing.T) {
	client, server := testConfigs(t)
	mustShake(t, client, server)
	mustShake(t, client, server)
	if n := client.ChainCache.peers.Len(); n != 1 {
		t.Fatalf("the client's cache has %d entries", n)
	}

	revoked := errors.New("revoked")
	pinned := client.Clone()
	pinned.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
		if len(raw) != 2 || len(chains) != 1 {
			t.Errorf("the callback gets %d certificates, %d chains", len(raw), len(chains))
		}
		return revoked
	}
	_, _, clientErr, serverErr := shake(t, pinned, server)
	if !errors.Is(clientErr, revoked) {
		t.Errorf("the revocation callback is not honoured: %v", clientErr)
	}
	wantAlert(t, serverErr, "remote error", AlertBadCertificate)

	pinned = client.Clone()
	pinned.VerifyConnection = func(ConnectionState) error { return revoked }
	if _, _, clientErr, _ = shake(t, pinned, server); !errors.Is(clientErr, revoked) {
		t.Errorf("VerifyConnection is not honoured: %v", clientErr)
	}

	other := client.Clone()
	other.ServerName = "other.test"
	var hostname smx509.HostnameError
	if _, _, clientErr, _ = shake(t, other, server); !errors.As(clientErr, &hostname) {
		t.Errorf("another name: %v", clientErr)
	}
}

// stopBefore runs the client's side of a handshake, with the certificates given,
// up to ClientKeyExchange, and continues with what then says.
func stopBefore(t *testing.T, server *Config, certs [][]byte, then func(*clientHandshakeState) error) error {
	t.Helper()
	c, s := tcpPair(t)
	done := make(chan error, 1)
	go func() { done <- Server(s, server).Handshake() }()
	runClient(Client(c, &Config{InsecureSkipVerify: true}), func(hs *clientHandshakeState) error {
		if err := hs.readServerFlight(); err != nil {
			return err
		}
		if err := hs.send(appendCertificate(nil, certs)); err != nil {
			return err
		}
		if err := hs.sendClientKeys(); err != nil {
			return err
		}
		return then(hs)
	})
	c.Close()
	return <-done
}

// Nothing of a peer is kept before its handshake is complete: a stranger can
// send certificates of somebody else and whatever he adds to them.
func TestChainCacheKeepsNoStrangers(t *testing.T) {
	client, server := testConfigs(t)
	own := server.Certificates[0]
	for name, then := range map[string]func(*clientHandshakeState) error{
		"no CertificateVerify": func(hs *clientHandshakeState) error { return hs.flush() },
		"CertificateVerify of another key": func(hs *clientHandshakeState) error {
			sig, err := signMessage(hs.c.config.rand(), newKey(t), hs.signedTranscript())
			if err != nil {
				return err
			}
			if err := hs.send(appendVectorMessage(nil, msgCertificateVerify, sig)); err != nil {
				return err
			}
			return hs.finishFull()
		},
		"no Finished": func(hs *clientHandshakeState) error {
			sig, err := signMessage(hs.c.config.rand(), own.PrivateKey, hs.signedTranscript())
			if err != nil {
				return err
			}
			if err := hs.send(appendVectorMessage(nil, msgCertificateVerify, sig)); err != nil {
				return err
			}
			return hs.flush()
		},
	} {
		for range 2 * anchorFrom {
			if err := stopBefore(t, server, own.Certificate, then); err == nil {
				t.Fatalf("%s: the server's handshake is complete", name)
			}
		}
		if n := server.ChainCache.peers.Len(); n != 0 || server.ChainCache.bytes != 0 {
			t.Errorf("%s: the cache keeps %d peers, %d bytes", name, n, server.ChainCache.bytes)
		}
		if n := len(server.ChainCache.pool(server.ClientCAs).anchors.bySubject); n != 0 {
			t.Errorf("%s: %d anchors are counted", name, n)
		}
	}
	mustShake(t, client, server)
	if server.ChainCache.peers.Len() != 1 {
		t.Error("the cache does not keep who has proved his key")
	}
}

// A server whose Finished does not come has not shown that it has the
// encryption key.
func TestChainCacheKeepsNoStrangeServers(t *testing.T) {
	client, server := testConfigs(t)
	c, s := tcpPair(t)
	done := make(chan error, 1)
	go func() {
		done <- runServer(Server(s, server), func(hs *serverHandshakeState) error {
			if err := hs.prepare(); err != nil {
				return err
			}
			if err := hs.sendFlight(); err != nil {
				return err
			}
			return hs.readClientFlight()
		})
		s.Close()
	}()
	if err := Client(c, client).Handshake(); err == nil {
		t.Fatal("the client's handshake is complete")
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := client.ChainCache.peers.Len(); n != 0 {
		t.Errorf("the client's cache keeps %d peers", n)
	}
}

// Who sends certificates that belong to no chain of his is served and not kept.
func TestChainCacheKeepsChainsOnly(t *testing.T) {
	ca := newCA(t, "root", nil)
	inter := newCA(t, "inter", ca)
	for name, test := range map[string]struct {
		pair Certificate
		want int
	}{
		"chain":              {inter.pair(t, testName, []*testCA{inter}), 1},
		"chain with root":    {inter.pair(t, testName, []*testCA{inter, ca}), 1},
		"and something else": {inter.pair(t, testName, []*testCA{inter, manyUsages(t, 100)}), 0},
	} {
		client, server := testConfigs(t)
		server.ClientCAs = poolOf(ca)
		client.Certificates = []Certificate{test.pair}
		for range 2 {
			_, s := mustShake(t, client, server)
			if got := s.ConnectionState().PeerCertificates; len(got) != len(test.pair.Certificate) {
				t.Errorf("%s: %d certificates, want %d", name, len(got), len(test.pair.Certificate))
			}
		}
		if n := server.ChainCache.peers.Len(); n != test.want {
			t.Errorf("%s: %d peers are kept, want %d", name, n, test.want)
		}
	}
}

// The DER that is kept is bounded besides the number of peers.
func TestChainCacheBytes(t *testing.T) {
	f := newCacheFixture(t, 4)
	now := time.Now()
	for range 6 {
		f.ders = f.ca.pair(t, testName, nil, unknownExtensions(1, 3000)).Certificate
		f.want(t, "large peer", now, false)
		f.want(t, "large peer again", now, true)
		want := 0
		for _, p := range f.cache.peers.Values() {
			want += len(p.raw[0]) + len(p.raw[1])
		}
		if f.cache.bytes != want || want > 4*cachedBytes {
			t.Fatalf("%d bytes are counted, there are %d, allowed are %d", f.cache.bytes, want, 4*cachedBytes)
		}
	}
	if n := f.cache.peers.Len(); n != 2 {
		t.Errorf("%d peers are kept", n)
	}
	for range 6 {
		f.ders = f.ca.pair(t, testName, nil).Certificate
		f.want(t, "usual peer", now, false)
	}
	if n := f.cache.peers.Len(); n != 4 {
		t.Errorf("%d peers are kept", n)
	}
}

// The bytes are told apart by where one certificate ends, too.
func TestChainCacheKey(t *testing.T) {
	var tr trust
	if tr.key([][]byte{{1, 2}, {3}}, nil) == tr.key([][]byte{{1}, {2, 3}}, nil) || tr.key([][]byte{{1, 2}}, nil) == tr.key([][]byte{{1}, {2}}, nil) {
		t.Error("certificates that end elsewhere have one key")
	}
}
