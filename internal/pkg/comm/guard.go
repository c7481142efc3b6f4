// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"container/heap"
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/common/audit"
)

// Limits on what clients can make a listener do before they have authenticated.
const (
	// MaxHandshakes is the greatest number that HandshakesPerAddress can be, and
	// DefaultHandshakesPerAddress what it is where nothing is configured.
	MaxHandshakes               = 512
	DefaultHandshakesPerAddress = 64
	// failureBurst and failureRate bound the failed handshakes of one source
	// address, as multiples of HandshakesPerAddress: so many in one go, so many
	// a second in the long run. A source beyond that is refused without a
	// handshake. Connections that end without a byte, as health probes do, do
	// not count.
	failureBurst = 8
	failureRate  = 2
	// maxSources bounds the memory for counts by source.
	maxSources = 16384
	// maxLoad bounds the handshakes that a listener has under way, those that
	// wait for the client above all. A handshake counts as one, and as one more
	// for each loadUnit of bytes that came. A further one displaces the oldest of
	// the source that has the most.
	maxLoad  = 4096
	loadUnit = 4 << 10
	// maxHandshakeBytes bounds what one client may send until its handshake is
	// done. crypto/tls alone would take 256 KiB of certificates.
	maxHandshakeBytes = 64 << 10
	// openFactor bounds the connections that a listener has open, as a multiple of
	// HandshakesPerAddress or its default, whichever is more. Beyond it the address
	// that has the most loses its oldest.
	openFactor = 128
)

var (
	errThrottled = errors.New("comm: refused: too many failed handshakes from this address")
	errSilent    = errors.New("comm: the client closed the connection before it sent anything")
	errDisplaced = errors.New("comm: dropped before the end of its handshake: too many are under way")
	errTooLong   = fmt.Errorf("comm: the client sent more than %d bytes before the end of its handshake", maxHandshakeBytes)
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

// guard limits what a listener spends on clients that nobody knows.
type guard struct {
	places *places
	rate   float64 // failures of one source a second
	burst  float64 // failures of one source in one go
	now    func() time.Time

	mu         sync.Mutex
	handshakes crowd              // under way; protected by mu, as all below
	open       crowd              // connections whose handshake is done
	failures   map[string]*bucket // by source
	order      uint64             // of the latest attempt
}

// crowd is what all addresses together have at a listener, of one kind.
type crowd struct {
	maxLoad int
	load    int // of all sources
	sources map[string]*source
	loaded  sourceHeap // the same
}

func newCrowd(maxLoad int) crowd { return crowd{maxLoad: maxLoad, sources: make(map[string]*source)} }

// source is an address that is part of a crowd.
type source struct {
	name     string
	attempts list.List // of *attempt, oldest first; protected by guard.mu, as all below
	load     int
	index    int // in crowd.loaded
}

// checkPerAddress checks a configured number of handshakes of one address.
func checkPerAddress(n int) error {
	if n < 0 || n > MaxHandshakes {
		return fmt.Errorf("%d handshakes of one address are not possible: use 1 to %d, or 0 for %d", n, MaxHandshakes, DefaultHandshakesPerAddress)
	}
	return nil
}

// newGuard returns a guard with the limits that follow from the number of
// handshakes of one address; zero means DefaultHandshakesPerAddress.
func newGuard(perAddress int) *guard {
	if perAddress == 0 {
		perAddress = DefaultHandshakesPerAddress
	}
	return &guard{
		places:     handshakePlaces,
		rate:       failureRate * float64(perAddress),
		burst:      failureBurst * float64(perAddress),
		now:        time.Now,
		handshakes: newCrowd(maxLoad),
		open:       newCrowd(openFactor * max(perAddress, DefaultHandshakesPerAddress)),
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
	if g.countFailure(host) {
		audit.Bounded(audit.AddressRefused, "address", host)
	}
}

// countFailure reports whether the source is refused from now on, and was not before.
func (g *guard) countFailure(host string) bool {
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
	before := b.tokens
	b.tokens = max(0, b.tokens-1)
	return before >= 1 && b.tokens < 1
}

// attempt is a handshake under way, and then the connection that came of it. It
// lies under the protocol as its connection, takes a place while the protocol
// computes, and counts what comes.
type attempt struct {
	net.Conn
	guard  *guard
	ctx    context.Context
	source string
	done   atomic.Bool // from then on it is a connection like any other

	// Of the goroutine that runs the handshake.
	computes bool   // the protocol has been told, and computes from now on
	answered bool   // something was sent since something came
	place    *place // nil: it waits for the client

	crowd     *crowd        // that it is part of; nil: none; protected by guard.mu, as all below
	element   *list.Element // in the attempts of its source
	order     uint64
	load      int
	received  int
	displaced bool
	closed    bool
	forget    func() // called when it is displaced; nil: nothing to do
}

// begin registers a handshake, at the cost of the oldest of another if there are
// too many. The caller sees to a deadline on ctx that closes the connection too.
func (g *guard) begin(ctx context.Context, conn net.Conn, name string) *attempt {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.order++
	a := &attempt{Conn: conn, guard: g, ctx: ctx, source: name, order: g.order}
	g.handshakes.add(a, 1)
	return a
}

// add takes the attempt in, with so much load.
func (c *crowd) add(a *attempt, load int) {
	s := c.sources[a.source]
	if s == nil {
		s = &source{name: a.source}
		c.sources[a.source] = s
		heap.Push(&c.loaded, s)
	}
	a.crowd, a.load = c, 0
	a.element = s.attempts.PushBack(a)
	c.addLoad(a, load)
}

// addLoad counts more load of an attempt, and makes room if it is too much.
func (c *crowd) addLoad(a *attempt, n int) {
	s := c.sources[a.source]
	c.load += n
	s.load += n
	a.load += n
	heap.Fix(&c.loaded, s.index)
	for c.load > c.maxLoad {
		oldest := c.loaded[0].attempts.Front().Value.(*attempt)
		oldest.displaced = true
		c.remove(oldest)
		oldest.Conn.Close()
		if oldest.forget != nil {
			oldest.forget()
		}
	}
}

// remove takes the attempt out.
func (c *crowd) remove(a *attempt) {
	s := c.sources[a.source]
	s.attempts.Remove(a.element)
	c.load -= a.load
	s.load -= a.load
	a.crowd = nil
	if s.attempts.Len() > 0 {
		heap.Fix(&c.loaded, s.index)
		return
	}
	heap.Remove(&c.loaded, s.index)
	delete(c.sources, s.name)
}

// leaveCrowdLocked takes the attempt out of the crowd that it is part of, if there is one.
func (a *attempt) leaveCrowdLocked() {
	if a.crowd != nil {
		a.crowd.remove(a)
	}
}

func loadOf(received int) int { return 1 + received/loadUnit }

// end takes the handshake out of the guard, and returns its outcome, given that
// of the protocol. The attempt remains as a connection.
func (a *attempt) end(err error) error {
	a.leave()
	a.done.Store(true)
	g := a.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.displaced { // the connection was closed, perhaps under a handshake that just ended
		return errDisplaced
	}
	a.leaveCrowdLocked()
	return err
}

// keep counts the connection as long as it is open. If it has to make room for
// another it is closed, and forget is called, which takes no lock of the guard.
func (a *attempt) keep(forget func()) {
	g := a.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if !a.closed {
		a.forget = forget
		g.open.add(a, 1)
	}
}

// Close ends the connection.
func (a *attempt) Close() error {
	a.guard.mu.Lock()
	a.closed = true
	a.leaveCrowdLocked()
	a.guard.mu.Unlock()
	return a.Conn.Close()
}

// leave gives the place back, if there is one.
func (a *attempt) leave() {
	if a.place != nil {
		a.guard.places.leave(a.place)
		a.place = nil
	}
}

// Read waits for the client without holding a place, and then waits for a place. A
// client that has answered comes before clients that begin, because few of those
// that stall ever answer.
func (a *attempt) Read(b []byte) (int, error) {
	if a.done.Load() {
		return a.Conn.Read(b)
	}
	a.leave()
	n, err := a.Conn.Read(b)
	if countErr := a.count(n); countErr != nil {
		return 0, countErr
	}
	if a.computes && err == nil {
		if err := a.take(); err != nil {
			return 0, err // with the bytes, the protocol would compute after all
		}
	}
	return n, err
}

// take waits for a place.
func (a *attempt) take() (err error) {
	a.place, err = a.guard.places.take(a.ctx, a.source, a.answered)
	a.answered = false
	return err
}

// Write gives the place back while it sends. After a write, both protocols read or
// are done.
func (a *attempt) Write(b []byte) (int, error) {
	if a.done.Load() {
		return a.Conn.Write(b)
	}
	a.leave()
	a.answered = true
	return a.Conn.Write(b)
}

// count counts bytes that came from the client.
func (a *attempt) count(n int) error {
	g := a.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.displaced {
		return errDisplaced
	}
	before := loadOf(a.received)
	a.received += n
	if more := loadOf(a.received) - before; more > 0 && a.crowd != nil {
		a.crowd.addLoad(a, more)
	}
	if a.received > maxHandshakeBytes {
		return errTooLong
	}
	return nil
}

// CloseWrite shuts the writing side down if the connection underneath can.
func (a *attempt) CloseWrite() error {
	if half, ok := a.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// sourceHeap is a heap of sources, the one with the greatest load first; of
// those with the same, the one with the oldest attempt.
type sourceHeap []*source

func (h sourceHeap) Len() int { return len(h) }

func (h sourceHeap) Less(i, j int) bool {
	if h[i].load != h[j].load {
		return h[i].load > h[j].load
	}
	return h[i].oldest() < h[j].oldest()
}

func (s *source) oldest() uint64 {
	if front := s.attempts.Front(); front != nil {
		return front.Value.(*attempt).order
	}
	return 0
}

func (h sourceHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds the last one.
func (h *sourceHeap) Push(x any) {
	s := x.(*source)
	s.index = len(*h)
	*h = append(*h, s)
}

// Pop removes the last one.
func (h *sourceHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
