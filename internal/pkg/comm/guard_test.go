// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// from dials from the loopback address source, so that it is distinguished from
// the tests' honest clients.
func from(t testing.TB, source, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: patience}
	conn, err := d.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// firstFlight returns the ClientHello that crypto/tls sends.
func firstFlight(t testing.TB) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		tls.Client(client, &tls.Config{ServerName: "127.0.0.1"}).Handshake()
		client.Close()
	}()
	header := make([]byte, 5)
	_, err := io.ReadFull(server, header)
	require.NoError(t, err)
	body := make([]byte, int(header[3])<<8|int(header[4]))
	_, err = io.ReadFull(server, body)
	require.NoError(t, err)
	return append(header, body...)
}

// besiege opens thousands of connections that misbehave and leaves them open:
// silent, slow, half-closed and malformed ones.
func besiege(t testing.TB, address string) (conns []net.Conn) {
	t.Helper()
	hello := firstFlight(t)
	garbage := make([]byte, 600)
	rand.Read(garbage)
	kinds := []func(net.Conn){
		func(net.Conn) {},                       // silent
		func(c net.Conn) { c.Close() },          // a health probe
		func(c net.Conn) { c.Write(garbage) },   // malformed
		func(c net.Conn) { c.Write(hello[:1]) }, // slow: one byte
		func(c net.Conn) { // slow: half a ClientHello
			c.Write(hello[:len(hello)/2])
		},
		func(c net.Conn) { // slow: byte by byte, each in a separate segment, to the middle
			for i := range 100 {
				c.Write(hello[i : i+1])
			}
		},
		func(c net.Conn) { // half-closed in the middle of the handshake
			c.Write(hello)
			c.(*net.TCPConn).CloseWrite()
		},
		func(c net.Conn) { // half-closed before it
			c.(*net.TCPConn).CloseWrite()
		},
		func(c net.Conn) { // a TLCP record of the greatest length, never filled
			c.Write([]byte{0x16, 1, 1, 0x40, 0})
		},
		func(c net.Conn) { c.Write([]byte("GET / HTTP/1.1\r\n\r\n")) },
	}
	const clients = 3000
	for i := range clients {
		// 30 sources, so that the limit of none is reached and all get through
		// to a handshake.
		conn := from(t, fmt.Sprintf("127.0.1.%d", i%30+1), address)
		kinds[i%len(kinds)](conn)
		conns = append(conns, conn)
	}
	return conns
}

// requireFree ends the siege and waits until nothing is left of it.
func requireFree(t testing.TB, g *guard, conns []net.Conn) {
	t.Helper()
	for _, conn := range conns {
		conn.Close()
	}
	eventually(t, "nothing is left of them", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.handshakes.load == 0 && len(g.handshakes.sources) == 0 && len(g.handshakes.loaded) == 0
	})
	eventually(t, "nobody computes", func() bool { return g.places.idle(runtime.GOMAXPROCS(0)) })
}

// TestHostileClients: silent, slow, half-closed and malformed clients by the
// thousand leave the server serving honest ones of either protocol.
func TestHostileClients(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, service := startServer(t, so)
	conns := besiege(t, srv.Address())
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		co := SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode}
		conn, err := dial(t, srv.Address(), co)
		require.NoError(t, err)
		_, err = call(t, conn)
		require.NoError(t, err)
	}
	require.Equal(t, int64(2), service.calls.Load())
	requireFree(t, srv.endpoint.guard, conns)
	require.Len(t, srv.endpoint.conns.count(), 2)
}

// TestHostileHTTPClients is the same for the operations and admin servers.
func TestHostileHTTPClients(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	address, e := startHTTP(t, so)
	conns := besiege(t, address)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		status, _, err := get(t, SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode}, "https://"+address+"/open")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	requireFree(t, e.guard, conns)
}

// idle reports whether all n places are free and nobody waits.
func (p *places) idle(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free == n && len(p.waiting) == 0
}

// limitLoad changes the load that the guard of a listener allows.
func (g *guard) limitLoad(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handshakes.maxLoad = n
}

func (g *guard) loadNow() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.handshakes.load
}

// requireClosed waits until the other end has closed the connection.
func requireClosed(t testing.TB, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// TestDisplaced: when too many handshakes are under way, the oldest of the
// address that has most of them goes, neither a newcomer nor one of an address
// with fewer.
func TestDisplaced(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	srv, _ := startServer(t, so)
	guard := srv.endpoint.guard
	guard.limitLoad(4)
	var silent []net.Conn
	for i, source := range []string{"127.0.4.1", "127.0.4.2", "127.0.4.2", "127.0.4.1"} {
		silent = append(silent, from(t, source, srv.Address()))
		eventually(t, "it waits", func() bool { return guard.loadNow() == i+1 })
	}
	dialOnce := func() {
		require.NoError(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots()}))
	}
	dialOnce()
	requireClosed(t, silent[0]) // both addresses have two, and this is the oldest
	require.Equal(t, 3, guard.loadNow())
	silent = append(silent, from(t, "127.0.4.3", srv.Address()))
	eventually(t, "it waits", func() bool { return guard.loadNow() == 4 })
	dialOnce()
	requireClosed(t, silent[1])
	require.Equal(t, 3, guard.loadNow())
	requireFree(t, guard, silent)
}

// TestDisplacedForBytes: who has sent much makes room first.
func TestDisplacedForBytes(t *testing.T) {
	org := newPKI(t)
	srv, _ := startServer(t, org.node(t).options())
	guard := srv.endpoint.guard
	guard.limitLoad(6)
	silent := from(t, "127.0.4.1", srv.Address())
	eventually(t, "it waits", func() bool { return guard.loadNow() == 1 })
	fat := from(t, "127.0.4.2", srv.Address())
	fat.Write(append([]byte{0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0}, make([]byte, 3*loadUnit)...))
	eventually(t, "it counts as four", func() bool { return guard.loadNow() == 5 })
	second := from(t, "127.0.4.1", srv.Address())
	eventually(t, "it waits", func() bool { return guard.loadNow() == 6 })
	require.NoError(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots()}))
	requireClosed(t, fat)
	require.Equal(t, 2, guard.loadNow())
	requireFree(t, guard, []net.Conn{silent, second})
}

// TestHandshakeBytes: a client that sends more than a handshake takes is cut off,
// whichever protocol it speaks, even if each message is within bounds.
func TestHandshakeBytes(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	e, err := fixedEndpoint(so)
	require.NoError(t, err)
	for _, start := range [][]byte{{0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff}, {0x16, 1, 1, 0x40, 0, 1, 0, 0xff, 0xff}} {
		client, server := tcpPair(t)
		record := append(start[:5:5], bytes.Repeat([]byte{0}, 0x4000)...)
		sent := append(bytes.Clone(start), make([]byte, 0x4000-4)...)
		for range 4 {
			sent = append(sent, record...)
		}
		go client.Write(sent)
		_, _, err := newServerCreds(e).ServerHandshake(server)
		require.ErrorIs(t, err, errTooLong)
		server.Close()
	}
	requireFree(t, e.guard, nil)
}

// TestHandshakeDeadline: a client that stalls in the middle of its ClientHello
// is cut off although nobody else set a deadline.
func TestHandshakeDeadline(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	e, err := fixedEndpoint(so)
	require.NoError(t, err)
	e.timeout = time.Millisecond
	creds := newServerCreds(e)
	for _, start := range [][]byte{nil, {0x16}, {0x16, 1, 1, 0, 100, 1}, {0x16, 3, 1, 0, 100, 1}} {
		client, server := tcpPair(t)
		client.Write(start)
		_, _, err := creds.ServerHandshake(server)
		require.Error(t, err)
		_, err = client.Read(make([]byte, 1))
		require.Error(t, err, "the connection is closed")
	}
}

// TestConnectionTimeout: the configured time is that of the handshake, and of what a client has to say first behind it.
func TestConnectionTimeout(t *testing.T) {
	secure, _ := startServerWith(t, ServerConfig{SecOpts: newPKI(t).node(t).options(), ConnectionTimeout: time.Minute})
	require.Equal(t, time.Minute, secure.endpoint.timeout)
	plain, _ := startServerWith(t, ServerConfig{ConnectionTimeout: 50 * time.Millisecond})
	requireEnded(t, from(t, "127.0.0.1", plain.Address())) // gRPC alone would wait for two minutes
}

// tcpPair returns both ends of a loopback connection.
func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	var wg sync.WaitGroup
	wg.Go(func() { client = from(t, "127.0.0.1", listener.Addr().String()) })
	server, err = listener.Accept()
	wg.Wait()
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return client, server
}

// TestFailureLimit: a source whose handshakes keep failing is refused without a
// handshake, others are not, and it is admitted again with time.
func TestFailureLimit(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGuard(0)
	g.now = func() time.Time { return now }
	for range failureBurst * DefaultHandshakesPerAddress {
		require.True(t, g.admit("192.0.2.1"))
		g.failed("192.0.2.1")
	}
	g.failed("192.0.2.3")
	require.False(t, g.admit("192.0.2.1"), "another that fails does not make it forgotten")
	require.True(t, g.admit("192.0.2.2"))
	now = now.Add(time.Second)
	for range failureRate * DefaultHandshakesPerAddress {
		require.True(t, g.admit("192.0.2.1"))
		g.failed("192.0.2.1")
	}
	require.False(t, g.admit("192.0.2.1"))
	now = now.Add(time.Hour)
	require.True(t, g.admit("192.0.2.1"))
	require.True(t, g.admit("192.0.2.3"))
	require.Empty(t, g.failures, "a source that recovered costs no memory")

	for i := range 3 * maxSources {
		g.failed(fmt.Sprint(i))
	}
	require.LessOrEqual(t, len(g.failures), maxSources)
}

// TestOldFailuresGiveNoMore: a pause never gives an address more than the burst.
func TestOldFailuresGiveNoMore(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGuard(0)
	g.now = func() time.Time { return now }
	g.failed("192.0.2.1")
	now = now.Add(time.Hour)
	for range failureBurst * DefaultHandshakesPerAddress {
		g.failed("192.0.2.1")
	}
	require.False(t, g.admit("192.0.2.1"))
}

// TestBytesOfAHandshake: as many as the bound, and none more.
func TestBytesOfAHandshake(t *testing.T) {
	a := newGuard(0).begin(t.Context(), newLateConn(nil, 0, nil), "192.0.2.1")
	require.NoError(t, a.count(maxHandshakeBytes))
	require.ErrorIs(t, a.count(1), errTooLong)
}

// TestRefusalIsToldOnce: of all failures of a source, the one from which on it is refused is told.
func TestRefusalIsToldOnce(t *testing.T) {
	now := time.Unix(1e9, 0)
	g := newGuard(0)
	g.now = func() time.Time { return now }
	for i := range failureBurst*DefaultHandshakesPerAddress + 10 {
		require.Equal(t, i == failureBurst*DefaultHandshakesPerAddress-1, g.countFailure("192.0.2.1"), "failure %d", i+1)
	}
}

// TestStrangersCannotFillTheAudit: events that strangers cause are bounded.
func TestStrangersCannotFillTheAudit(t *testing.T) {
	var events atomic.Int64
	defer audit.Use(audit.Use(audit.NewLog(func(string, ...any) { events.Add(1) })))
	g := newGuard(0)
	g.burst = 1
	for name, cause := range map[string]func(int){
		"addresses":    func(i int) { g.failed(fmt.Sprint(i)) },
		"certificates": func(int) { auditRefusal("", "server", "192.0.2.1:1", &RevocationError{}) },
	} {
		events.Store(0)
		for i := range 4 * loglimit.Burst {
			cause(i)
		}
		require.Positive(t, events.Load(), name)
		require.Less(t, events.Load(), int64(2*loglimit.Burst), name)
	}
}

// TestThrottledSource drives a listener to the limit of one source.
func TestThrottledSource(t *testing.T) {
	org := newPKI(t)
	srv, _ := startServer(t, org.node(t).options())
	now := time.Now()
	srv.endpoint.guard.mu.Lock()
	srv.endpoint.guard.now = func() time.Time { return now }
	srv.endpoint.guard.mu.Unlock()
	for range failureBurst * DefaultHandshakesPerAddress {
		srv.endpoint.guard.failed("127.0.2.1")
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.2.1")}}
	raw, err := d.Dial("tcp", srv.Address())
	require.NoError(t, err)
	defer raw.Close()
	require.Error(t, tls.Client(raw, &tls.Config{InsecureSkipVerify: true}).Handshake())

	conn, err := dial(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots()})
	require.NoError(t, err)
	_, err = call(t, conn)
	require.NoError(t, err)
}

// TestFailuresAreCounted: handshakes that fail count, those in which the client has said nothing do not.
func TestFailuresAreCounted(t *testing.T) {
	e, err := fixedEndpoint(newPKI(t).node(t).options())
	require.NoError(t, err)
	g := e.guard
	g.now = func() time.Time { return time.Unix(1e9, 0) }
	fail := func(sent string) {
		client, server := tcpPair(t)
		_, err := client.Write([]byte(sent))
		require.NoError(t, err)
		client.Close()
		_, _, err = e.handshake(server)
		require.Error(t, err)
		require.NotErrorIs(t, err, errThrottled)
	}
	for range 3 {
		fail("")
	}
	require.Empty(t, g.failures)
	client, server := tcpPair(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := e.handshake(server)
		done <- err
	}()
	require.NoError(t, tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake())
	require.NoError(t, <-done)
	require.Empty(t, g.failures, "nor do those that succeed")
	for i := range 3 {
		fail("GET / HTTP/1.1")
		require.Equal(t, g.burst-float64(i+1), g.failures["127.0.0.1"].tokens)
	}
}

// TestHandshakesPerAddress: the configured number is that of a listener's role,
// and the bounds on failures, open connections and calls follow from it.
func TestHandshakesPerAddress(t *testing.T) {
	node := newPKI(t).node(t)
	for _, n := range []int{-1, MaxHandshakes + 1} {
		_, err := NewSource(SourceConfig{Role: t.Name(), Load: fixed(node), ServerMode: ModeTLS, HandshakesPerAddress: n})
		require.ErrorContains(t, err, "use 1 to 512")
		require.ErrorContains(t, err, t.Name())
	}
	for _, n := range []int{1, MaxHandshakes} {
		source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(node), ServerMode: ModeTLS, HandshakesPerAddress: n})
		srv, _ := startServer(t, SecureOptions{UseTLS: true, Source: source})
		g := srv.endpoint.guard
		now := time.Now()
		g.mu.Lock()
		g.now = func() time.Time { return now }
		g.mu.Unlock()
		for range failureBurst * n {
			require.True(t, g.admit("192.0.2.2"))
			g.failed("192.0.2.2")
		}
		require.False(t, g.admit("192.0.2.2"))
		require.Equal(t, openFactor*max(n, DefaultHandshakesPerAddress), g.open.maxLoad)
		require.Equal(t, maxLoad, g.handshakes.maxLoad)
		require.Equal(t, callsFactor*max(n, DefaultHandshakesPerAddress), srv.calls.max)
	}
}

// TestStalledHandshakes: handshakes that stall, before or in their middle, hold
// no place: with a single one for all, others pass.
func TestStalledHandshakes(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, _ := startServer(t, so)
	guard := srv.endpoint.guard
	guard.places = newPlaces(1)
	hello := firstFlight(t)
	var stalled []net.Conn
	for i := range 60 {
		conn := from(t, fmt.Sprintf("127.0.3.%d", i%6+1), srv.Address())
		switch i % 3 {
		case 0:
			conn.Write([]byte{0x16, 1, 1, 1, 0, 1})
		case 1:
			conn.Write(hello[:len(hello)/2])
		case 2: // and takes nothing of the answer
			conn.Write(hello)
		}
		stalled = append(stalled, conn)
	}
	eventually(t, "they have begun", func() bool { return guard.loadNow() == len(stalled) })
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		require.NoError(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode}))
	}
	eventually(t, "none of them computes", func() bool { return guard.places.idle(1) })
	require.Equal(t, len(stalled), guard.loadNow())
	for _, conn := range stalled {
		conn.Close()
	}
	eventually(t, "they are gone", func() bool { return guard.loadNow() == 0 })
	require.True(t, guard.places.idle(1))
}

// lateConn calls hook in one of its writes, counted from zero, unless it has
// been closed before. Closing it closes shut and nothing else.
type lateConn struct {
	net.Conn
	left int // writes before hook
	hook func(shut <-chan struct{})
	late bool // hook has run; of the goroutine that writes
	once sync.Once
	shut chan struct{}
}

func newLateConn(conn net.Conn, left int, hook func(shut <-chan struct{})) *lateConn {
	return &lateConn{Conn: conn, left: left, hook: hook, shut: make(chan struct{})}
}

func (c *lateConn) Write(b []byte) (int, error) {
	if c.left--; c.left == -1 && !isClosed(c.shut) {
		c.late = true
		c.hook(c.shut)
	}
	return c.Conn.Write(b)
}

func (c *lateConn) Close() error {
	c.once.Do(func() { close(c.shut) })
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// handshakeLate runs handshakes, each with the hook in a later write, up to one
// with it in the last write of a server, and returns their outcomes.
func handshakeLate(t *testing.T, e *endpoint, hook func(shut <-chan struct{})) (outcomes []error) {
	t.Helper()
	for write := 0; ; write++ {
		require.Less(t, write, 20)
		client, server := tcpPair(t)
		go tls.Client(client, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake()
		conn := newLateConn(server, write, hook)
		_, _, err := e.handshake(conn)
		switch {
		case conn.late:
			outcomes = append(outcomes, err)
		case errors.Is(err, context.DeadlineExceeded): // the machine did not come so far in the time
			e.timeout, write = 2*e.timeout, write-1
		default: // the write before was the last
			require.NoError(t, err)
			return outcomes
		}
	}
}

// TestDeadlineAfterSuccess: a handshake that ends well while its deadline or a
// displacement closes the connection has failed.
func TestDeadlineAfterSuccess(t *testing.T) {
	e, err := fixedEndpoint(newPKI(t).node(t).options())
	require.NoError(t, err)
	outcomes := handshakeLate(t, e, func(<-chan struct{}) {
		e.guard.limitLoad(0)
		e.guard.begin(t.Context(), newLateConn(nil, 0, nil), "192.0.2.1")
		e.guard.limitLoad(maxLoad)
	})
	require.NotEmpty(t, outcomes)
	for _, err := range outcomes {
		require.ErrorIs(t, err, errDisplaced)
	}

	// The guard is held until the deadline, so that the handshake cannot end
	// before. A connection is closed more than once, and late: each has a lock of
	// its own to give back.
	e.timeout = 200 * time.Millisecond
	outcomes = handshakeLate(t, e, func(shut <-chan struct{}) {
		e.guard.mu.Lock()
		go func() { <-shut; e.guard.mu.Unlock() }()
	})
	require.NotEmpty(t, outcomes)
	for _, err := range outcomes {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

// TestDisplacedIsNoFailure: who had to make room is not refused for it.
func TestDisplacedIsNoFailure(t *testing.T) {
	e, err := fixedEndpoint(newPKI(t).node(t).options())
	require.NoError(t, err)
	_, server := tcpPair(t)
	done := make(chan error, 1)
	go func() {
		_, _, err := e.handshake(server)
		done <- err
	}()
	eventually(t, "it waits", func() bool { return e.guard.loadNow() == 1 })
	e.guard.limitLoad(1)
	e.guard.begin(t.Context(), newLateConn(nil, 0, nil), "192.0.2.1") // of two with one each, the older goes
	require.ErrorIs(t, <-done, errDisplaced)
	e.guard.mu.Lock()
	defer e.guard.mu.Unlock()
	require.Empty(t, e.guard.failures)
}

// TestRetired: a listener that was stopped is known no more, and costs nothing at
// the next reload.
func TestRetired(t *testing.T) {
	node := newPKI(t).node(t)
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(node), ServerMode: ModeTLS})
	registered := func() (listeners, fixed int) {
		registry.mu.RLock()
		defer registry.mu.RUnlock()
		return len(source.endpoints), len(registry.fixed)
	}
	_, before := registered()
	for _, so := range []SecureOptions{{UseTLS: true, Source: source}, node.options()} {
		srv, err := NewGRPCServer("127.0.0.1:0", ServerConfig{SecOpts: so})
		require.NoError(t, err)
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		web, err := NewHTTPListener(inner, so)
		require.NoError(t, err)
		listeners, fixed := registered()
		require.Equal(t, 2, listeners+fixed-before)
		srv.Stop()
		web.Close()
		listeners, fixed = registered()
		require.Zero(t, listeners)
		require.Equal(t, before, fixed)
	}
}

// TestProtocolVersionAlert: a listener of mode gm answers a TLS client with the
// alert protocol_version in a TLS record and logs what to change; one of mode
// tls does so for a TLCP client.
func TestProtocolVersionAlert(t *testing.T) {
	org := newPKI(t)
	for _, c := range []struct {
		mode  ServerMode
		hello []byte
		alert []byte
		logs  []string
	}{
		{ModeGM, firstFlight(t), []byte{21, 3, 1, 0, 2, 2, 70}, []string{"in mode gm", "the client speaks TLS", "set the dialing side's client mode to gm"}},
		{ModeTLS, []byte{22, 1, 1, 0, 4, 1, 0, 0, 0}, []byte{21, 1, 1, 0, 2, 2, 70}, []string{"in mode tls", "the client speaks TLCP", "set the server mode to dual"}},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			logger, recorder := floggingtest.NewTestLogger(t, floggingtest.AtLevel(zap.InfoLevel))
			so := org.node(t).options()
			so.ServerMode = c.mode
			e, err := fixedEndpoint(so)
			require.NoError(t, err)
			e.logger = logger
			client, server := tcpPair(t)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, _, err := newServerCreds(e).ServerHandshake(server)
				var mode *ModeError
				if !errors.As(err, &mode) || mode.Temporary() {
					t.Errorf("not a lasting ModeError: %v", err)
				}
				server.Close()
			})
			client.Write(c.hello)
			client.SetReadDeadline(time.Now().Add(patience))
			answer, err := io.ReadAll(client)
			require.NoError(t, err, "closed without reset, so that the alert arrives")
			require.Equal(t, c.alert, answer)
			client.Close()
			wg.Wait()
			require.Len(t, recorder.Messages(), 1)
			require.True(t, containsAll(recorder.Messages()[0], c.logs...), recorder.Messages()[0])
		})
	}
}

// TestFailuresCannotFillTheLog: a flood of failed handshakes costs a listener a bounded number of lines.
func TestFailuresCannotFillTheLog(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	e := &endpoint{logger: logger}
	conn, _ := net.Pipe()
	for range 10 * loglimit.Burst {
		e.logFailure(conn, 0, io.ErrUnexpectedEOF)
	}
	require.Less(t, len(lines.Messages()), 2*loglimit.Burst)
}

// TestDisplacedCannotFillTheLog: connections beyond the bound cost a listener a bounded number of lines.
func TestDisplacedCannotFillTheLog(t *testing.T) {
	logger, lines := floggingtest.NewTestLogger(t)
	e := &endpoint{logger: logger}
	conn, _ := net.Pipe()
	entry := &tracked{addresses: t.Name(), attempt: &attempt{Conn: conn}, permitted: func() bool { return true }}
	require.NoError(t, e.conns.add(entry))
	for range 10 * loglimit.Burst {
		e.forgetDisplaced(entry)
	}
	require.Empty(t, e.conns.count())
	require.NotEmpty(t, lines.Messages())
	require.Less(t, len(lines.Messages()), 2*loglimit.Burst)
}

func TestSourceOfAddr(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:1234":             "192.0.2.1",
		"[::ffff:192.0.2.1]:1234":    "192.0.2.1",
		"[2001:db8::1:2:3:4]:1":      "2001:db8::/64",
		"[2001:db8::ffff:2:3:4%x]:1": "2001:db8::/64",
		"bufconn":                    "bufconn",
	} {
		require.Equal(t, want, sourceOfAddr(testAddr(address)))
	}
}

// TestHandshakesTakePlaces: a handshake of either protocol computes with a place
// only, and the client that has answered asks for its next one as such.
func TestHandshakesTakePlaces(t *testing.T) {
	for name, protocols := range map[string][]string{"TLCP": nil, "TLCP and TLS 1.3": {GMProtocolTLCP, GMProtocolTLS13}} {
		t.Run(name, func(t *testing.T) { testHandshakesTakePlaces(t, protocols) })
	}
}

func testHandshakesTakePlaces(t *testing.T, protocols []string) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode, so.GMProtocols = ModeDual, protocols
	srv, _ := startServer(t, so)
	p := newPlaces(1)
	srv.endpoint.guard.places = p
	waits := func(first bool) func() bool {
		return func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.waiting) > 0 && p.waiting[0].source == "127.0.0.1" && p.waiting[0].first == first
		}
	}
	clients := map[string]ClientMode{"": ClientTLS, GMProtocolTLCP: ClientGM}
	if len(protocols) > 1 {
		clients[GMProtocolTLS13] = ClientGM
	}
	for protocol, mode := range clients {
		held, err := p.take(t.Context(), "held", false)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			done <- try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode, GMClientProtocol: protocol})
		}()
		eventually(t, "it waits with its ClientHello", waits(false))
		next := p.queue("held", false)
		p.leave(held)
		<-next.ready
		eventually(t, "it waits with the client's answer", func() bool {
			if waits(false)() { // ClientHello may come in several pieces
				after := p.queue("held", false)
				p.leave(next)
				<-after.ready
				next = after
			}
			return waits(true)()
		})
		require.Empty(t, done)
		p.leave(next)
		require.NoError(t, <-done)
	}
	eventually(t, "all are done", func() bool { return p.idle(1) })
}

// TestNoPlaceNoBytes: what came for a handshake whose time ended while it waited for a place is not handed on, so that nothing is
// computed for it.
func TestNoPlaceNoBytes(t *testing.T) {
	g := newGuard(0)
	g.places = newPlaces(1)
	held, err := g.places.take(t.Context(), "held", false)
	require.NoError(t, err)
	raw := &recordedConn{}
	raw.in.WriteString("abc")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := g.begin(ctx, raw, "192.0.2.1")
	a.computes = true
	n, err := a.Read(make([]byte, 4))
	require.Zero(t, n)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, a.end(err), context.Canceled)
	g.places.leave(held)
	require.True(t, g.places.idle(1))
}

// limitOpen changes the load of open connections that the guard of a listener allows.
func (g *guard) limitOpen(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open.maxLoad = n
}

func (g *guard) openNow() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open.load
}

// TestClosedBeforeKept: a connection that is closed before it counts among the open ones never does.
func TestClosedBeforeKept(t *testing.T) {
	g := newGuard(0)
	a := g.begin(t.Context(), newLateConn(nil, 0, nil), "192.0.2.1")
	require.NoError(t, a.end(nil))
	require.NoError(t, a.Close())
	a.keep(func() {})
	require.Zero(t, g.openNow())
}

// TestPlacesOfAHandshake: no place is held while the client takes what is sent, and an answer goes first once, in however many pieces it
// comes.
func TestPlacesOfAHandshake(t *testing.T) {
	g := newGuard(0)
	g.places = newPlaces(1)
	raw := &recordedConn{}
	raw.in.WriteString("abc")
	free := false
	conn := newLateConn(raw, 0, func(<-chan struct{}) { free = g.places.idle(1) })
	a := g.begin(t.Context(), conn, "192.0.2.1")
	a.computes = true
	first := func() bool {
		_, err := a.Read(make([]byte, 1))
		require.NoError(t, err)
		require.False(t, g.places.idle(1), "it computes")
		return a.place.first
	}
	require.False(t, first(), "it begins")
	_, err := a.Write([]byte{1})
	require.NoError(t, err)
	require.True(t, free, "it held a place while it sent")
	require.True(t, first())
	require.False(t, first(), "once")
	require.NoError(t, a.end(nil))
	require.True(t, g.places.idle(1))
}
