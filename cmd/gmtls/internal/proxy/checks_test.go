// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// dialled is a connection to a proxy with a deadline.
func dialled(t *testing.T, p *Proxy, limit time.Duration) net.Conn {
	t.Helper()
	raw, err := net.DialTimeout("tcp", p.Addr().String(), patience)
	require.NoError(t, err)
	t.Cleanup(func() { raw.Close() })
	require.NoError(t, raw.SetDeadline(time.Now().Add(limit)))
	return raw
}

// requireEnded: the other side ended it, and not the test's own patience.
func requireEnded(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// run runs a proxy that New made until the test ends.
func run(t *testing.T, p *Proxy) (result <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		done <- p.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-finished })
	return done
}

// TestCertificatesOfStrangersReachNoServer: with --client-ca a certificate of another CA, of the same name, is as good as none.
func TestCertificatesOfStrangersReachNoServer(t *testing.T) {
	s, stranger := newSite(t), newSite(t)
	for _, from := range []Mode{TLS, TLCP, TLS13} {
		t.Run(string(from), func(t *testing.T) {
			reached := make(chan struct{}, 16)
			p, stop := s.startStoppable(t, Options{
				From: from, ToMode: Plain, To: s.server(t, Plain, func(net.Conn) { reached <- struct{}{} }),
				Clients: []string{s.file("gm-ca.crt"), s.file("ca.crt")},
			})
			raw := dialled(t, p, patience)
			var err error
			if from == TLS {
				theirs := stranger.tlsCert(t)
				c := tls.Client(raw, &tls.Config{
					RootCAs: s.stdPool(), ServerName: "localhost",
					GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &theirs, nil },
				})
				_ = c.Handshake() // TLS 1.3 tells of the refusal later
				_, err = c.Read(make([]byte, 1))
			} else {
				theirs := stranger.pair(t)
				c := gmtls.Client(raw, &gmtls.Config{
					Versions: []uint16{material.Version(string(from))}, RootCAs: s.gmPool(), ServerName: "localhost",
					GetClientCertificate: func(*gmtls.CertificateRequestInfo) (*gmtls.Certificate, error) { return &theirs, nil },
				})
				_ = c.Handshake()
				_, err = c.Read(make([]byte, 1))
			}
			requireEnded(t, err)
			stop()
			require.Empty(t, reached, "the server was dialled for a stranger")
		})
	}
}

// TestRootsOfClientsMustBeRead: without the roots of clients there is no proxy, and a file that is damaged later changes nothing.
func TestRootsOfClientsMustBeRead(t *testing.T) {
	s := newSite(t)
	for _, from := range []Mode{TLS, TLCP, TLS13} {
		t.Run(string(from), func(t *testing.T) {
			require.NoError(t, os.RemoveAll(s.file("clients.crt")))
			o := Options{
				Listen: "127.0.0.1:0", From: from, ToMode: Plain, To: "127.0.0.1:1", Server: s.own(), Clients: []string{s.file("clients.crt")},
				MaxConnections: 1, Timeout: patience, Idle: patience,
			}
			_, err := New(o, slog.New(slog.DiscardHandler))
			require.ErrorContains(t, err, "for the clients: reading roots")

			s.write(t, "clients.crt", append(pki.CertPEM(s.gm.Cert), pki.CertPEM(s.std.Cert)...))
			p, err := New(o, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			defer p.listener.Close()
			before := p.current.Load()
			s.write(t, "clients.crt", []byte("damaged"))
			require.ErrorContains(t, p.Reload(), "the old certificates stay in force")
			require.Same(t, before, p.current.Load())
		})
	}
}

// openServer is a server of the mode that asks for no certificate: nothing but the proxy's own check ends a connection to it.
func (s *site) openServer(t *testing.T, mode Mode) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	if mode == TLS {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{s.tlsCert(t)}})
	} else {
		l = gmtls.NewListener(l, &gmtls.Config{Versions: []uint16{material.Version(string(mode))}, Certificates: []gmtls.Certificate{s.pair(t)}})
	}
	serve(t, l, answer)
	return address
}

// TestServerIsVerifiedByTheProxyAlone: neither a server of another CA nor one of another name gets or gives a byte.
func TestServerIsVerifiedByTheProxyAlone(t *testing.T) {
	s, stranger := newSite(t), newSite(t)
	for _, mode := range []Mode{TLS, TLCP, TLS13} {
		for name, c := range map[string]struct {
			server *site
			name   string
			want   string
		}{
			"its own":         {s, "", "got 0 bytes"},
			"of another CA":   {stranger, "", ""},
			"of another name": {s, "elsewhere", ""},
		} {
			t.Run(string(mode)+" "+name, func(t *testing.T) {
				p := s.start(t, Options{From: Plain, ToMode: mode, To: c.server.openServer(t, mode), Name: c.name})
				conn, _ := s.client(t, Plain, p.Addr().String())
				_ = conn.CloseWrite()
				data, _ := io.ReadAll(conn)
				require.Equal(t, c.want, string(data))
			})
		}
	}
}

// TestFailedHandshakesLeaveNothing: clients that give up in the handshake are not remembered as clients that could make room.
func TestFailedHandshakesLeaveNothing(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLCP, ToMode: TLS, To: s.server(t, TLS, answer), MaxConnections: 2})
	const many = 10
	for range many {
		require.NoError(t, dialled(t, p, patience).Close())
	}
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.counters.failed.Load() == many && p.visitors == 0
	}, patience, time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Zero(t, p.unknown.Len())
	require.Empty(t, p.conns)
}

// TestTruncationAfterHalfClose: a plain client that has ended its half does not take half of an answer for the whole.
func TestTruncationAfterHalfClose(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: Plain, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		_, _ = c.Write([]byte("half of"))
		c.(*gmtls.Conn).NetConn().Close()
	})})
	c, _ := s.client(t, Plain, p.Addr().String())
	require.NoError(t, c.CloseWrite())
	_, err := io.ReadAll(c)
	requireEnded(t, err)
}

// endless is a stream without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestClientThatDoesNotRead: a client that has ended its half and reads nothing holds no bridge for ever.
func TestClientThatDoesNotRead(t *testing.T) {
	s := newSite(t)
	ended := make(chan error, 1)
	p, stop := s.startWith(t, Options{From: TLS, ToMode: Plain, To: s.server(t, Plain, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		_, err := io.Copy(c, endless{})
		ended <- err
	})}, 300*time.Millisecond, patience)
	defer stop()
	c, _ := s.client(t, TLS, p.Addr().String())
	require.NoError(t, c.CloseWrite())
	requireEnded(t, <-ended)
}

// TestHandshakesEnd: neither a client nor a server that says nothing keeps a place.
func TestHandshakesEnd(t *testing.T) {
	s := newSite(t)
	silent := s.server(t, Plain, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for _, modes := range [][2]Mode{{TLS, Plain}, {Plain, TLS}} {
		t.Run(string(modes[0]+" to "+modes[1]), func(t *testing.T) {
			p, err := New(Options{
				Listen: "127.0.0.1:0", From: modes[0], ToMode: modes[1], To: silent, Server: s.own(), Roots: []string{s.file("ca.crt")},
				MaxConnections: 1, Timeout: 100 * time.Millisecond, Idle: patience,
			}, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			run(t, p)
			_, err = dialled(t, p, patience/2).Read(make([]byte, 1)) // sooner than the silent server loses patience
			requireEnded(t, err)
		})
	}
}

// failingListener fails once.
type failingListener struct {
	net.Listener
	err    error
	failed atomic.Bool
}

func (l *failingListener) Accept() (net.Conn, error) {
	if !l.failed.Swap(true) {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: l.err}
	}
	return l.Listener.Accept()
}

// TestWantOfDescriptorsPasses: clients that use all descriptors up do not end the proxy, and what does end it is told.
func TestWantOfDescriptorsPasses(t *testing.T) {
	s := newSite(t)
	to := s.server(t, Plain, func(c net.Conn) { _, _ = io.Copy(c, c) })
	start := func(t *testing.T, failure error) (*Proxy, <-chan error) {
		p, err := New(Options{
			Listen: "127.0.0.1:0", From: TLS, ToMode: Plain, To: to, Server: s.own(), MaxConnections: 1, Timeout: patience, Idle: patience,
		}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { p.listener.Close() })
		p.listener = &failingListener{Listener: p.listener, err: failure}
		return p, run(t, p)
	}
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED} {
		t.Run(number.Error(), func(t *testing.T) {
			p, _ := start(t, os.NewSyscallError("accept4", number))
			c, _ := s.client(t, TLS, p.Addr().String())
			echo(t, c)
		})
	}
	_, result := start(t, errors.New("broken"))
	require.ErrorContains(t, <-result, "broken")
}

// TestRoomIsMadeInTheLastMoment: a client that has to make room in the moment in which its handshake is done is not bridged, since
// nobody else could come in until it left.
func TestRoomIsMadeInTheLastMoment(t *testing.T) {
	s := newSite(t)
	p, err := New(Options{
		Listen: "127.0.0.1:0", From: TLS, ToMode: Plain, To: s.server(t, Plain, answer), Server: s.own(), MaxConnections: 1, Timeout: patience, Idle: patience,
	}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer p.listener.Close()
	theirs, ours := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	go func() { _ = tls.Client(theirs, &tls.Config{RootCAs: s.stdPool(), ServerName: "localhost"}).Handshake() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, server, err := p.connect(ctx, ours, cancel)
	require.ErrorIs(t, err, context.Canceled)
	require.NotNil(t, server, "the caller has to close it")
	server.Close()
}

// TestServerIsLeftWhenTheClientFails: a server that was dialled for a client whose handshake fails is not kept waiting.
func TestServerIsLeftWhenTheClientFails(t *testing.T) {
	s, stranger := newSite(t), newSite(t)
	ended := make(chan error, 1)
	p := s.start(t, Options{From: TLS, ToMode: Plain, To: s.server(t, Plain, func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})})
	c := tls.Client(dialled(t, p, patience), &tls.Config{RootCAs: stranger.stdPool(), ServerName: "localhost"})
	require.Error(t, c.Handshake())
	requireEnded(t, <-ended)
}

// TestFlagsReachTheOptions: the flags that decide on who is let in, and where, do.
func TestFlagsReachTheOptions(t *testing.T) {
	s := newSite(t)
	own := s.own()
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	roots := s.file("gm-ca.crt")
	shown := []string{"--listen-tls-cert", own.TLSCert, "--listen-tls-key", own.TLSKey}
	fromTLS, toPlain := append([]string{"--from", "tls"}, shown...), []string{"--to-mode", "plain"}
	fromPlain, toTLCP := []string{"--from", "plain"}, []string{"--to-mode", "tlcp", "--ca", roots}
	for name, c := range map[string]struct {
		args [][]string
		want string // in the error; empty: none
	}{
		"nothing else":     {[][]string{fromTLS, toPlain}, ""},
		"roots of clients": {[][]string{fromTLS, toPlain, {"--client-ca", s.file("none")}}, "for the clients: reading roots"},
		"roots of servers": {[][]string{fromTLS, {"--to-mode", "tlcp", "--ca", s.file("none")}}, "for the server: reading roots"},
		"no roots":         {[][]string{fromTLS, {"--to-mode", "tlcp"}}, "--ca is missing"},
		"plain":            {[][]string{fromPlain, toTLCP, {"--listen", "0.0.0.0:0"}}, "not loopback"},
		"plain, allowed":   {[][]string{fromPlain, toTLCP, {"--listen", "0.0.0.0:0", "--allow-plain"}}, ""},
		"metrics":          {[][]string{fromPlain, toTLCP, {"--metrics", "0.0.0.0:0"}}, ""},
		"metrics nowhere":  {[][]string{fromPlain, toTLCP, {"--metrics", "17052"}}, "--metrics: "},
		"half a pair": {[][]string{{"--from", "tlcp", "--listen-cert", own.Cert}, toPlain},
			"--listen-cert, --listen-key, --listen-enc-cert and --listen-enc-key must be given together"},
		"no key":  {[][]string{{"--from", "tls", "--listen-tls-cert", own.TLSCert}, toPlain}, "--listen-tls-cert and --listen-tls-key must be given together"},
		"unknown": {[][]string{fromTLS, {"--to-mode", "TLCP"}}, `--to-mode is "TLCP"`},

		// Each of these started, and nobody was verified.
		"no roots in the variable":    {[][]string{fromTLS, toPlain, {"--client-ca", ""}}, "--client-ca is given and empty"},
		"a comma too many":            {[][]string{fromTLS, toPlain, {"--client-ca", roots + ","}}, "--client-ca is given and empty"},
		"roots of plain clients":      {[][]string{fromPlain, toTLCP, {"--client-ca", roots}}, "--client-ca means nothing with --from plain"},
		"roots of a plain server":     {[][]string{fromTLS, toPlain, {"--ca", roots}}, "--ca means nothing with --to-mode plain"},
		"name of a plain server":      {[][]string{fromTLS, toPlain, {"--name", "peer0"}}, "--name means nothing with --to-mode plain"},
		"no name in the variable":     {[][]string{fromPlain, toTLCP, {"--name", ""}}, "--name is given and empty"},
		"pair for a plain server":     {[][]string{fromTLS, toPlain, {"--cert", own.Cert}}, "--cert means nothing with --to-mode plain"},
		"pair for TLS":                {[][]string{fromPlain, {"--to-mode", "tls", "--ca", s.file("ca.crt"), "--enc-key", own.EncKey}}, "--enc-key means nothing with --to-mode tls"},
		"TLS certificate for TLCP":    {[][]string{fromPlain, toTLCP, {"--tls-key", own.TLSKey}}, "--tls-key means nothing with --to-mode tlcp"},
		"certificate for the plain":   {[][]string{fromPlain, toTLCP, shown}, "--listen-tls-cert means nothing with --from plain"},
		"pair for clients of TLS":     {[][]string{fromTLS, toPlain, {"--listen-enc-cert", own.EncCert}}, "--listen-enc-cert means nothing with --from tls"},
		"certificate for GM clients":  {[][]string{{"--from", "tls13-gm"}, shown, toPlain}, "--listen-tls-cert means nothing with --from tls13-gm"},
		"no certificate in variables": {[][]string{fromPlain, toTLCP, {"--cert", "", "--key", "", "--enc-cert", "", "--enc-key", ""}}, "--cert is given and empty"},
	} {
		t.Run(name, func(t *testing.T) {
			command := Command()
			command.SetOut(io.Discard)
			command.SetErr(io.Discard)
			command.SetArgs(slices.Concat(append(c.args, []string{"--to", "127.0.0.1:1"})...))
			err := command.ExecuteContext(stopped)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestStrangersAtTheMetrics: they get a bounded number of connections, each for one request of bounded size.
func TestStrangersAtTheMetrics(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLS, ToMode: Plain, To: "127.0.0.1:1", Metrics: "127.0.0.1:0"})
	ask := func(t *testing.T, header string) (string, error) {
		raw, err := net.DialTimeout("tcp", p.MetricsAddr().String(), patience)
		require.NoError(t, err)
		t.Cleanup(func() { raw.Close() })
		require.NoError(t, raw.SetDeadline(time.Now().Add(2*time.Second)))
		_, err = raw.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n" + header))
		require.NoError(t, err)
		answer, err := io.ReadAll(raw)
		return string(answer), err
	}
	answer, err := ask(t, "\r\n")
	require.NoError(t, err, "the connection stays open for more requests")
	require.Contains(t, answer, "200 OK")
	answer, err = ask(t, "X: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	require.Contains(t, answer, "431 ", err)

	for range metricsConnections {
		raw, err := net.DialTimeout("tcp", p.MetricsAddr().String(), patience)
		require.NoError(t, err)
		defer raw.Close()
	}
	_, err = ask(t, "\r\n")
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "one more is served")
}

// TestMetricsDoNotWaitForRequests: a client of the metrics that sends half of a request is left. It takes the five seconds of the server.
func TestMetricsDoNotWaitForRequests(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLS, ToMode: Plain, To: "127.0.0.1:1", Metrics: "127.0.0.1:0"})
	raw, err := net.DialTimeout("tcp", p.MetricsAddr().String(), patience)
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
	_, err = raw.Write([]byte("GET /metrics HTTP/1.1\r\n"))
	require.NoError(t, err)
	_, err = io.ReadAll(raw)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}
