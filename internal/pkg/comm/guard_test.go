// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// from dials from a loopback address of its own, as a source that is told apart
// from the tests' honest clients.
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
		func(c net.Conn) { // slow: byte by byte, each in a segment of its own, to the middle
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
		return g.waiting.Len() == 0 && len(g.slots) == 0 && len(g.sources) == 0
	})
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

// TestSilentDisplaced: when the places for waiting clients are taken, the oldest
// goes, not a newcomer.
func TestSilentDisplaced(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	srv, _ := startServer(t, so)
	guard := srv.endpoint.guard
	guard.mu.Lock()
	guard.maxWaiting = 3
	guard.mu.Unlock()
	waiting := func() int {
		guard.mu.Lock()
		defer guard.mu.Unlock()
		return guard.waiting.Len()
	}
	var silent []net.Conn
	for i := range 3 {
		silent = append(silent, from(t, "127.0.0.1", srv.Address()))
		eventually(t, "it waits", func() bool { return waiting() == i+1 })
	}
	conn, err := dial(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots()})
	require.NoError(t, err)
	_, err = call(t, conn)
	require.NoError(t, err)
	silent[0].SetReadDeadline(time.Now().Add(patience))
	_, err = silent[0].Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, errors.Is(err, context.DeadlineExceeded))
	require.Equal(t, 2, waiting())
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
	require.False(t, g.admit("192.0.2.1"))
	require.True(t, g.admit("192.0.2.2"))
	now = now.Add(time.Second)
	for range failureRate * DefaultHandshakesPerAddress {
		require.True(t, g.admit("192.0.2.1"))
		g.failed("192.0.2.1")
	}
	require.False(t, g.admit("192.0.2.1"))
	now = now.Add(time.Hour)
	require.True(t, g.admit("192.0.2.1"))
	require.Empty(t, g.failures, "a source that recovered costs no memory")

	for i := range 3 * maxSources {
		g.failed(fmt.Sprint(i))
	}
	require.LessOrEqual(t, len(g.failures), maxSources)
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

// TestSlots: handshakes beyond the caps, of all and of one source, wait within
// their deadline, and one source does not take the places of another.
func TestSlots(t *testing.T) {
	g := newGuard(0)
	ended, end := context.WithCancel(t.Context())
	end()
	var releases []func()
	for source := range MaxHandshakes / DefaultHandshakesPerAddress {
		for range DefaultHandshakesPerAddress {
			release, err := g.slot(t.Context(), fmt.Sprint(source))
			require.NoError(t, err)
			releases = append(releases, release)
		}
		if source == 0 {
			_, err := g.slot(ended, "0")
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, "64 handshakes of this address")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	refused := make(chan error)
	go func() {
		_, err := g.slot(ctx, "another")
		refused <- err
	}()
	eventually(t, "it waits for a place among all", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.sources["another"] != nil && len(g.sources["another"].slots) == 1
	})
	cancel()
	err := <-refused
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "512 handshakes are under way")
	releases[0]()
	release, err := g.slot(t.Context(), "another")
	require.NoError(t, err)
	for _, r := range append(releases[1:], release) {
		r()
	}
	require.Empty(t, g.sources)
	require.Empty(t, g.slots)
}

// TestHandshakesPerAddress: the configured number is that of a listener's role,
// and the bounds on failures follow it.
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
		for range n {
			release, err := g.slot(t.Context(), "192.0.2.1")
			require.NoError(t, err)
			defer release()
		}
		ended, end := context.WithCancel(t.Context())
		end()
		_, err := g.slot(ended, "192.0.2.1")
		require.ErrorIs(t, err, context.Canceled)
		for range failureBurst * n {
			require.True(t, g.admit("192.0.2.2"))
			g.failed("192.0.2.2")
		}
		require.False(t, g.admit("192.0.2.2"))
	}
}

// TestStalledSource: a source that stalls in as many handshakes as it can open
// does not keep another from its own.
func TestStalledSource(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, _ := startServer(t, so)
	guard := srv.endpoint.guard
	for range MaxHandshakes + DefaultHandshakesPerAddress {
		from(t, "127.0.3.1", srv.Address()).Write([]byte{0x16, 1, 1, 1, 0, 1})
	}
	eventually(t, "its places are taken", func() bool { return len(guard.slots) == DefaultHandshakesPerAddress })
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		require.NoError(t, try(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode}))
	}
	require.Len(t, guard.slots, DefaultHandshakesPerAddress)
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

// TestLogLimit: a flood of failures costs a bounded number of lines, and the
// number of those left out is told.
func TestLogLimit(t *testing.T) {
	var l logLimit
	written := 0
	for range 10 * logBurst {
		if ok, _ := l.allow(); ok {
			written++
		}
	}
	require.Less(t, written, 2*logBurst)
	l.bucket.last = l.bucket.last.Add(-time.Minute)
	ok, note := l.allow()
	require.True(t, ok)
	require.Equal(t, fmt.Sprintf(" (%d similar lines suppressed)", 10*logBurst-written), note)
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
