// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// Bounds on what strangers can make a listener do before they are known.
const (
	// MaxHandshakes is how many handshakes a listener runs at once, and
	// DefaultHandshakesPerAddress how many of them for one source address, so
	// that clients that stall in the middle cannot take all places. Further ones
	// wait within their deadline.
	MaxHandshakes               = 512
	DefaultHandshakesPerAddress = 64
	// maxWaiting is how many connections a listener holds whose handshake does
	// not run yet, silent ones above all; a further one displaces the oldest.
	maxWaiting = 4096
	// failureBurst and failureRate bound the failed handshakes of one source
	// address, as multiples of those that it may run at once: so many in one go,
	// so many a second in the long run. A source beyond that is refused without a
	// handshake. Connections that end without a byte, as health probes do, do
	// not count.
	failureBurst = 8
	failureRate  = 2
	// maxSources bounds the memory for failure counts.
	maxSources = 16384
)

var (
	errThrottled = errors.New("comm: refused: too many failed handshakes from this address")
	errSilent    = errors.New("comm: the client closed the connection before it sent anything")
	errDisplaced = errors.New("comm: dropped before its handshake: too many connections wait for theirs")
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
	slots      chan struct{} // one element for each handshake that runs
	perSource  int           // handshakes of one source that run at once
	rate       float64       // failures of one source a second
	burst      float64       // failures of one source in one go
	maxWaiting int
	now        func() time.Time

	mu       sync.Mutex
	waiting  *list.List              // of *waiter, oldest first; protected by mu
	sources  map[string]*sourceSlots // with handshakes that run or wait; protected by mu
	failures map[string]*bucket      // by source; protected by mu
}

// waiter is a connection whose handshake does not run yet.
type waiter struct {
	conn      net.Conn
	cancel    context.CancelFunc
	displaced bool // protected by guard.mu
}

// sourceSlots are the handshakes of one source.
type sourceSlots struct {
	slots chan struct{} // one element for each that runs
	users int           // that run or wait; protected by guard.mu
}

// checkPerAddress checks a configured number of handshakes of one address.
func checkPerAddress(n int) error {
	if n < 0 || n > MaxHandshakes {
		return fmt.Errorf("%d handshakes of one address at once are not possible: use 1 to %d, or 0 for %d", n, MaxHandshakes, DefaultHandshakesPerAddress)
	}
	return nil
}

// newGuard returns a guard that runs so many handshakes of one source at once;
// zero means DefaultHandshakesPerAddress.
func newGuard(perSource int) *guard {
	if perSource == 0 {
		perSource = DefaultHandshakesPerAddress
	}
	return &guard{
		slots:      make(chan struct{}, MaxHandshakes),
		perSource:  perSource,
		rate:       failureRate * float64(perSource),
		burst:      failureBurst * float64(perSource),
		maxWaiting: maxWaiting,
		now:        time.Now,
		waiting:    list.New(),
		sources:    make(map[string]*sourceSlots),
		failures:   make(map[string]*bucket),
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
	b.fill(g.now(), g.rate, g.burst)
	if b.tokens >= g.burst {
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
		b = &bucket{tokens: g.burst, last: now}
		g.failures[host] = b
	}
	b.fill(now, g.rate, g.burst)
	b.tokens = max(0, b.tokens-1)
}

// enter waits for the first bytes of the connection, tells the protocol by
// them, and waits for the right to run a handshake, which release gives back.
// The returned connection has the bytes unread. The caller sees to a deadline
// on ctx that closes the connection too.
func (g *guard) enter(ctx context.Context, conn net.Conn, source string) (spoken gmtls.Protocol, sniffed net.Conn, release func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &waiter{conn: conn, cancel: cancel}
	place := g.queue(w)
	spoken, sniffed, err = gmtls.Sniff(conn, 0)
	switch {
	case errors.Is(err, gmtls.ErrUnknownProtocol):
		err = nil // left to crypto/tls or gmtls to refuse, whichever the mode has
	case errors.Is(err, io.EOF):
		err = errSilent
	}
	if err == nil {
		release, err = g.slot(ctx, source)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !w.displaced {
		g.waiting.Remove(place)
	} else if err != nil {
		err = errDisplaced
	}
	return spoken, sniffed, release, err
}

// queue takes a connection in, at the cost of the oldest if there are too many.
func (g *guard) queue(w *waiter) *list.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	place := g.waiting.PushBack(w)
	if g.waiting.Len() > g.maxWaiting {
		oldest := g.waiting.Remove(g.waiting.Front()).(*waiter)
		oldest.displaced = true
		oldest.cancel()
		oldest.conn.Close()
	}
	return place
}

// slot waits for the right to run a handshake.
func (g *guard) slot(ctx context.Context, source string) (release func(), err error) {
	g.mu.Lock()
	own := g.sources[source]
	if own == nil {
		own = &sourceSlots{slots: make(chan struct{}, g.perSource)}
		g.sources[source] = own
	}
	own.users++
	g.mu.Unlock()
	leave := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if own.users--; own.users == 0 {
			delete(g.sources, source)
		}
	}
	select {
	case own.slots <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("comm: %d handshakes of this address are under way: %w", g.perSource, ctx.Err())
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		<-own.slots
		leave()
		return nil, fmt.Errorf("comm: %d handshakes are under way: %w", MaxHandshakes, ctx.Err())
	}
	return func() {
		<-g.slots
		<-own.slots
		leave()
	}, nil
}
