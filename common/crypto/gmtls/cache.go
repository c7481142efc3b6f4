// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// ChainCache keeps the parsed certificates and the verified chains of peers, so
// that a peer that connects again needs no parsing and no chain building. It may be
// shared by many configurations and is safe for use by several goroutines.
//
// A peer is found again only if it sends the same bytes, the pool of
// authorities has the same contents as then (it need not be the same object),
// the requirements on the chains are the same, and every certificate in them is
// still valid. A peer is kept only after a complete handshake, in which it has
// proved that it has the private keys, and only if each certificate that it
// sent is in one of its verified chains. Names and callbacks are checked for
// every connection, without the cache.
//
// Pools with certificates that AddCertWithConstraint added must not be used
// together with a cache: the answers of the constraints would be kept.
type ChainCache struct {
	capacity int

	mu    sync.Mutex
	peers *simplelru.LRU[chainKey, *peer] // protected by mu; nil: nothing is kept
	bytes int                             // of DER in peers, protected by mu
	pools []*cachedPool                   // protected by mu; most recent first
}

const (
	// maxCachedPools bounds the pools for which a cache keeps chains. A process
	// has few: the clients' authorities, those of each group of servers, and
	// their predecessors.
	maxCachedPools = 64
	// cachedBytes bounds the DER of all peers in a cache, as so much for each of
	// its capacity. A usual pair has 1,500 bytes.
	cachedBytes = 4 << 10
)

// cachedPool stands for all pools with the contents of copy.
type cachedPool struct {
	copy    *smx509.CertPool
	anchors anchors
}

type chainKey struct {
	certs    [sha256.Size]byte // of the DER that the peer sent
	pool     *cachedPool
	usage    smx509.ExtKeyUsage
	unpaired bool
	single   bool
}

// NewChainCache returns a cache for the chains of up to capacity peers, or of
// fewer if their certificates exceed 4 KiB each on the average. With a capacity
// below 1 it keeps nothing.
func NewChainCache(capacity int) *ChainCache {
	cc := &ChainCache{capacity: capacity}
	if capacity > 0 {
		cc.peers, _ = simplelru.NewLRU(capacity, func(_ chainKey, p *peer) { cc.bytes -= p.size() }) // fails for a capacity below 1
	}
	return cc
}

// pool returns what stands for the contents of p at present, or nil if chains
// that end in p are not to be cached.
func (cc *ChainCache) pool(p *smx509.CertPool) *cachedPool {
	if cc == nil || cc.capacity < 1 || p == nil {
		return nil
	}
	cc.mu.Lock()
	defer cc.mu.Unlock()
	for i, known := range cc.pools {
		if known.copy.Equal(p) {
			copy(cc.pools[1:i+1], cc.pools[:i])
			cc.pools[0] = known
			return known
		}
	}
	if len(cc.pools) == maxCachedPools {
		cc.dropPoolLocked(cc.pools[maxCachedPools-1])
	}
	added := &cachedPool{copy: p.Clone()}
	cc.pools = slices.Insert(cc.pools, 0, added)
	return added
}

func (cc *ChainCache) dropPoolLocked(pool *cachedPool) {
	for _, key := range cc.peers.Keys() {
		if key.pool == pool {
			cc.peers.Remove(key)
		}
	}
	cc.pools = slices.DeleteFunc(cc.pools, func(p *cachedPool) bool { return p == pool })
}

func (t *trust) key(ders [][]byte, pool *cachedPool) chainKey {
	h := sha256.New()
	for _, der := range ders {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(der))))
		h.Write(der)
	}
	key := chainKey{pool: pool, usage: t.usage, unpaired: t.unpaired, single: t.single}
	h.Sum(key.certs[:0])
	return key
}

// get returns the peer that sent the same certificates before, or nil.
func (cc *ChainCache) get(ders [][]byte, pool *cachedPool, t *trust, now time.Time) *peer {
	if pool == nil {
		return nil
	}
	key := t.key(ders, pool)
	cc.mu.Lock()
	defer cc.mu.Unlock()
	p, ok := cc.peers.Get(key)
	if !ok {
		return nil
	}
	if !p.validAt(now) {
		cc.peers.Remove(key)
		return nil
	}
	return p
}

// acquaintance is a peer whose chains were verified under trust and which has
// yet to prove who it is.
type acquaintance struct {
	cache  *ChainCache
	peer   *peer
	pool   *cachedPool
	trust  trust
	chains [][]*smx509.Certificate
}

// remember keeps the peer of a handshake that is complete.
func (c *Conn) remember() {
	a := c.met
	c.met = nil
	if a == nil {
		return
	}
	a.pool.anchors.learn(a.chains)
	if !a.peer.allInChains() {
		return
	}
	cc, key := a.cache, a.trust.key(a.peer.raw, a.pool)
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if cc.peers.Contains(key) || !slices.Contains(cc.pools, a.pool) {
		return
	}
	cc.peers.Add(key, a.peer)
	for cc.bytes += a.peer.size(); cc.bytes > cc.capacity*cachedBytes; {
		cc.peers.RemoveOldest()
	}
}

// size is the length of the DER that the peer sent.
func (p *peer) size() int {
	n := 0
	for _, der := range p.raw {
		n += len(der)
	}
	return n
}

// allInChains reports whether every certificate that the peer sent is in a
// verified chain. What a peer only adds is not worth keeping.
func (p *peer) allInChains() bool {
	used := make(map[string]bool)
	for _, chain := range slices.Concat(p.signChains, p.encChains) {
		for _, cert := range chain {
			used[string(cert.Raw)] = true
		}
	}
	return !slices.ContainsFunc(p.raw, func(der []byte) bool { return !used[string(der)] })
}
