// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"container/list"
	"hash/maphash"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// ChainCache keeps the parsed certificates and the verified chains of peers, so
// that one that is met again needs no parsing and no chain building. It may be
// shared by many configurations and is safe for use by several goroutines.
//
// A peer is found again only if it sends the same bytes, the pool of
// authorities has the same contents as then (whether or not it is the same
// object), the same is asked of the chains, and every certificate in them is
// still valid. What failed verification is not kept. Names and callbacks are
// checked for every connection, without the cache. Pools with certificates that
// AddCertWithConstraint added are never cached for, since what the constraint
// says may change.
type ChainCache struct {
	capacity int
	seed     maphash.Seed

	mu    sync.Mutex
	byKey map[chainKey]*list.Element // protected by mu
	order *list.List                 // of *chainEntry, protected by mu; most recent first
	pools []*cachedPool              // protected by mu; most recent first
}

// maxCachedPools bounds the pools for which a cache keeps chains. A process has
// few: the clients' authorities, those of each group of servers, and their
// predecessors.
const maxCachedPools = 64

// cachedPool stands for all pools with the contents of copy.
type cachedPool struct {
	copy    *smx509.CertPool
	anchors anchors
}

type chainKey struct {
	certs    uint64 // hash of the DER; equality is checked apart
	pool     *cachedPool
	usage    smx509.ExtKeyUsage
	unpaired bool
}

type chainEntry struct {
	key  chainKey
	peer *peer
}

// NewChainCache returns a cache for the chains of up to capacity peers. With a
// capacity below 1 it keeps nothing.
func NewChainCache(capacity int) *ChainCache {
	return &ChainCache{
		capacity: capacity,
		seed:     maphash.MakeSeed(),
		byKey:    make(map[chainKey]*list.Element),
		order:    list.New(),
	}
}

// pool returns what stands for the contents of p at present, or nil if chains
// that end in p are not to be cached.
func (cc *ChainCache) pool(p *smx509.CertPool) *cachedPool {
	if cc.capacity < 1 || p == nil || hasConstraints(p) {
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
	for key, el := range cc.byKey {
		if key.pool == pool {
			cc.removeLocked(el)
		}
	}
	cc.pools = slices.DeleteFunc(cc.pools, func(p *cachedPool) bool { return p == pool })
}

// hasConstraints tells whether verification under the pool may depend on more
// than the certificates in it. The engine does not export that, so a pool whose
// insides look unfamiliar counts as one that has.
func hasConstraints(p *smx509.CertPool) bool {
	certs := reflect.ValueOf(p).Elem().FieldByName("lazyCerts")
	if certs.Kind() != reflect.Slice {
		return true
	}
	for i := range certs.Len() {
		constraint := certs.Index(i).FieldByName("constraint")
		if constraint.Kind() != reflect.Func || !constraint.IsNil() {
			return true
		}
	}
	return false
}

func (cc *ChainCache) key(ders [][]byte, pool *cachedPool, t *trust) chainKey {
	var h maphash.Hash
	h.SetSeed(cc.seed)
	for _, der := range ders {
		h.Write(der)
	}
	return chainKey{h.Sum64(), pool, t.usage, t.unpaired}
}

// get returns the peer that sent the same certificates before, or nil.
func (cc *ChainCache) get(ders [][]byte, pool *cachedPool, t *trust, now time.Time) *peer {
	if pool == nil {
		return nil
	}
	key := cc.key(ders, pool, t)
	cc.mu.Lock()
	defer cc.mu.Unlock()
	el, ok := cc.byKey[key]
	if !ok {
		return nil
	}
	p := el.Value.(*chainEntry).peer
	if !slices.EqualFunc(ders, p.raw, bytes.Equal) {
		return nil // the hashes of two peers collide; the older one stays
	}
	if !p.validAt(now) {
		cc.removeLocked(el)
		return nil
	}
	cc.order.MoveToFront(el)
	return p
}

// put keeps a peer that passed verification under t.
func (cc *ChainCache) put(p *peer, pool *cachedPool, t *trust) {
	key := cc.key(p.raw, pool, t)
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if _, ok := cc.byKey[key]; ok || !slices.Contains(cc.pools, pool) {
		return
	}
	if cc.order.Len() >= cc.capacity {
		cc.removeLocked(cc.order.Back())
	}
	cc.byKey[key] = cc.order.PushFront(&chainEntry{key, p})
}

func (cc *ChainCache) removeLocked(el *list.Element) {
	cc.order.Remove(el)
	delete(cc.byKey, el.Value.(*chainEntry).key)
}
