// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Bounds on what strangers can make a listener do before they are known.
const (
	// maxHandshakes is how many handshakes a listener runs at once; further
	// ones wait within their deadline.
	maxHandshakes = 512
	// maxSilent is how many connections that have not sent a byte a listener
	// holds; a further one displaces the oldest.
	maxSilent = 4096
	// failureBurst and failureRate bound the failed handshakes of one source
	// address: so many at once, so many a second in the long run. A source
	// beyond that is refused without a handshake. Connections that end without
	// a byte, as health probes do, do not count.
	failureBurst = 500
	failureRate  = 100
	// maxSources bounds the memory for failure counts.
	maxSources = 16384
)

var (
	errThrottled = errors.New("comm: refused: too many failed handshakes from this address")
	errSilent    = errors.New("comm: the client closed the connection before it sent anything")
	errDisplaced = errors.New("comm: the client was silent and its place was needed")
)

// bucket is a token bucket.
type bucket struct {
	tokens float64
	last   time.Time
}

func (b *bucket) fill(now time.Time, rate, burst float64) {
	b.tokens = min(burst, b.tokens+rate*now.Sub(b.last).Seconds())
	b.last = now
}

// guard limits what a listener spends on unauthenticated clients.
type guard struct {
	slots     chan struct{} // one element for each handshake that runs
	maxSilent int
	now       func() time.Time

	mu       sync.Mutex
	silent   *list.List         // of *firstByteWait, oldest first; protected by mu
	failures map[string]*bucket // by source host; protected by mu
}

func newGuard() *guard {
	return &guard{
		slots:     make(chan struct{}, maxHandshakes),
		maxSilent: maxSilent,
		now:       time.Now,
		silent:    list.New(),
		failures:  make(map[string]*bucket),
	}
}

// sourceOfAddr names the source of a connection: the host, or for IPv6 its /64,
// the least that one customer has.
func sourceOfAddr(addr net.Addr) string {
	peer, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	host := peer.Addr().Unmap().WithZone("")
	if host.Is6() {
		prefix, _ := host.Prefix(64)
		return prefix.String()
	}
	return host.String()
}

// admit reports whether the source may try a handshake.
func (g *guard) admit(host string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.failures[host]
	if b == nil {
		return true
	}
	b.fill(g.now(), failureRate, failureBurst)
	if b.tokens >= failureBurst {
		delete(g.failures, host)
	}
	return b.tokens >= 1
}

// failed counts a failed handshake of the source.
func (g *guard) failed(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	b := g.failures[host]
	if b == nil {
		for other := range g.failures { // room by dropping any one, in constant time
			if len(g.failures) < maxSources {
				break
			}
			delete(g.failures, other)
		}
		b = &bucket{tokens: failureBurst, last: now}
		g.failures[host] = b
	}
	b.fill(now, failureRate, failureBurst)
	b.tokens = max(0, b.tokens-1)
}

// slot waits for the right to run a handshake.
func (g *guard) slot(ctx context.Context) (release func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// firstByteWait is a connection that has not sent anything yet.
type firstByteWait struct {
	conn      net.Conn
	displaced bool // protected by guard.mu
}

// awaitFirst waits for the first bytes of the connection, tells the protocol by
// them and returns a connection with the bytes unread. The caller sees to a
// deadline.
func (g *guard) awaitFirst(conn net.Conn) (gmtls.Protocol, net.Conn, error) {
	wait := &firstByteWait{conn: conn}
	g.mu.Lock()
	place := g.silent.PushBack(wait)
	var oldest *firstByteWait
	if g.silent.Len() > g.maxSilent {
		oldest = g.silent.Remove(g.silent.Front()).(*firstByteWait)
		oldest.displaced = true
	}
	g.mu.Unlock()
	if oldest != nil {
		oldest.conn.Close()
	}

	spoken, sniffed, err := gmtls.Sniff(conn, 0)

	g.mu.Lock()
	defer g.mu.Unlock()
	if !wait.displaced {
		g.silent.Remove(place)
	}
	switch {
	case wait.displaced:
		return 0, nil, errDisplaced
	case errors.Is(err, gmtls.ErrUnknownProtocol):
		err = nil // left to crypto/tls or gmtls to refuse, whichever the mode has
	case errors.Is(err, io.EOF):
		err = errSilent
	}
	return spoken, sniffed, err
}
