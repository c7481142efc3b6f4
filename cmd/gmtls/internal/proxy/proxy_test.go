// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	stdx509 "crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/loglimit"
)

const patience = 20 * time.Second

// site is key material in files.
type site struct {
	dir     string
	gm, std *pki.CA
}

func newSite(t *testing.T) *site {
	now := time.Now()
	gm, err := pki.NewCA("gm", true, now.Add(-time.Hour), now.Add(time.Hour))
	require.NoError(t, err)
	std, err := pki.NewCA("std", false, now.Add(-time.Hour), now.Add(time.Hour))
	require.NoError(t, err)
	s := &site{t.TempDir(), gm, std}
	s.write(t, "gm-ca.crt", pki.CertPEM(gm.Cert))
	s.write(t, "ca.crt", pki.CertPEM(std.Cert))
	s.issue(t, gm, "sign", pki.SignUsage)
	s.issue(t, gm, "enc", pki.EncUsage)
	s.issue(t, std, "tls", pki.SignUsage)
	return s
}

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(t *testing.T, name string, data []byte) {
	require.NoError(t, os.WriteFile(s.file(name), data, 0o600))
}

func (s *site) issue(t *testing.T, ca *pki.CA, name string, usage stdx509.KeyUsage) *x509.Certificate {
	now := time.Now()
	var cert *x509.Certificate
	var key crypto.Signer
	cert, key, err := ca.Issue(pki.Leaf("node", []string{"localhost", "127.0.0.1"}, usage, now.Add(-time.Hour), now.Add(time.Hour)))
	require.NoError(t, err)
	text, err := x509.MarshalPrivateKeyPEM(key, nil)
	require.NoError(t, err)
	s.write(t, name+".crt", pki.CertPEM(cert))
	s.write(t, name+".key", text)
	return cert
}

func (s *site) own() material.Own {
	return material.Own{
		Cert: s.file("sign.crt"), Key: s.file("sign.key"), EncCert: s.file("enc.crt"), EncKey: s.file("enc.key"),
		TLSCert: s.file("tls.crt"), TLSKey: s.file("tls.key"),
	}
}

func (s *site) pair(t *testing.T) gmtls.Certificate {
	own := s.own()
	pair, err := own.Pair()
	require.NoError(t, err)
	return *pair
}

func (s *site) tlsCert(t *testing.T) tls.Certificate {
	own := s.own()
	cert, err := own.TLS()
	require.NoError(t, err)
	return *cert
}

func (s *site) gmPool() *smx509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.gm.Cert)
	return pool.SM()
}

func (s *site) stdPool() *stdx509.CertPool {
	pool := stdx509.NewCertPool()
	pool.AddCert(s.std.Cert)
	return pool
}

// server starts a server of the mode that hands connections to handle.
func (s *site) server(t *testing.T, mode Mode, handle func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	switch mode {
	case TLS:
		l = tls.NewListener(l, &tls.Config{
			Certificates: []tls.Certificate{s.tlsCert(t)}, NextProtos: []string{"h2", "http/1.1"},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.stdPool(),
		})
	case TLCP, TLS13:
		l = gmtls.NewListener(l, &gmtls.Config{
			Versions: []uint16{material.Version(string(mode))}, CurvePreferences: material.Groups(true),
			Certificates: []gmtls.Certificate{s.pair(t)}, NextProtos: []string{"h2", "http/1.1"},
			ClientAuth: gmtls.RequireAndVerifyClientCert, ClientCAs: s.gmPool(),
		})
	}
	serve(t, l, handle)
	return addr
}

// serve handles the connections of a listener until the test ends.
func serve(t *testing.T, l net.Listener, handle func(net.Conn)) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				handle(c)
			}()
		}
	}()
}

// answer reads to the end, then replies and closes: it needs half-close.
func answer(c net.Conn) {
	data, err := io.ReadAll(c)
	if err == nil {
		fmt.Fprintf(c, "got %d bytes", len(data))
	}
}

// start runs a proxy until the test ends.
func (s *site) start(t *testing.T, o Options) *Proxy {
	p, stop := s.startStoppable(t, o)
	t.Cleanup(stop)
	return p
}

func (s *site) startStoppable(t *testing.T, o Options) (p *Proxy, stop func()) {
	return s.startWith(t, o, patience, patience)
}

func (s *site) startWith(t *testing.T, o Options, idle, grace time.Duration) (p *Proxy, stop func()) {
	o.Listen, o.Server, o.Client = "127.0.0.1:0", s.own(), s.own()
	o.Roots = []string{s.file("gm-ca.crt"), s.file("ca.crt")}
	o.Timeout, o.Idle, o.Grace = patience, idle, grace
	if o.MaxConnections == 0 {
		o.MaxConnections = 16
	}
	p, err := New(o, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return p, func() {
		cancel()
		require.NoError(t, <-done)
	}
}

type conn interface {
	net.Conn
	CloseWrite() error
}

// client connects to a proxy in the mode and returns the protocol agreed on.
func (s *site) client(t *testing.T, mode Mode, addr string) (conn, string) {
	raw, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { raw.Close() })
	switch mode {
	case TLS:
		c := tls.Client(raw, &tls.Config{RootCAs: s.stdPool(), ServerName: "localhost", NextProtos: []string{"http/1.1"}})
		require.NoError(t, c.Handshake())
		return c, c.ConnectionState().NegotiatedProtocol
	case TLCP, TLS13:
		c := gmtls.Client(raw, &gmtls.Config{
			Versions: []uint16{material.Version(string(mode))}, RootCAs: s.gmPool(), ServerName: "localhost", NextProtos: []string{"http/1.1"},
		})
		require.NoError(t, c.Handshake())
		return c, c.ConnectionState().NegotiatedProtocol
	}
	return raw.(*net.TCPConn), ""
}

func TestEveryPairOfModes(t *testing.T) {
	s := newSite(t)
	for _, modes := range [][2]Mode{
		{TLS, TLCP}, {TLCP, TLS}, {Plain, TLCP}, {Plain, TLS}, {TLS, Plain}, {TLCP, Plain},
		{TLS13, TLCP}, {TLCP, TLS13}, {TLS13, TLS}, {TLS, TLS13}, {TLS13, Plain}, {Plain, TLS13},
	} {
		t.Run(fmt.Sprintf("%s to %s", modes[0], modes[1]), func(t *testing.T) {
			p := s.start(t, Options{From: modes[0], ToMode: modes[1], To: s.server(t, modes[1], answer), ALPN: []string{"http/1.1"}})
			c, protocol := s.client(t, modes[0], p.Addr().String())
			if modes[0] != Plain {
				require.Equal(t, "http/1.1", protocol, "the server prefers h2, the client offers http/1.1 alone")
			}
			_, err := c.Write(bytes.Repeat([]byte{7}, 100_000))
			require.NoError(t, err)
			require.NoError(t, c.CloseWrite())
			reply, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "got 100000 bytes", string(reply))
		})
	}
}

// TestHybrid: with --hybrid both sides prefer it, without neither does.
func TestHybrid(t *testing.T) {
	s := newSite(t)
	for _, hybrid := range []bool{true, false} {
		toward := make(chan gmtls.CurveID, 1)
		p := s.start(t, Options{From: TLS13, ToMode: TLS13, Hybrid: hybrid, Dialect: material.Dialect{OmitMiddlebox: true},
			To: s.server(t, TLS13, func(c net.Conn) {
				if c.(*gmtls.Conn).Handshake() == nil {
					toward <- c.(*gmtls.Conn).ConnectionState().CurveID
					_, _ = io.Copy(io.Discard, c)
				}
			})})
		raw, err := net.DialTimeout("tcp", p.Addr().String(), patience)
		require.NoError(t, err)
		require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
		c := gmtls.Client(raw, &gmtls.Config{
			Versions: []uint16{gmtls.VersionTLS13}, RootCAs: s.gmPool(), ServerName: "localhost", CurvePreferences: material.Groups(true),
		})
		require.NoError(t, c.Handshake())
		want := gmtls.CurveSM2
		if hybrid {
			want = gmtls.CurveSM2MLKEM768
		}
		require.Equal(t, want, c.ConnectionState().CurveID)
		require.Equal(t, want, <-toward)
		c.Close()
	}
}

// TestOmitMiddlebox: the dialect of TLS 1.3 is spoken towards the server, whose clients speak none.
func TestOmitMiddlebox(t *testing.T) {
	s := newSite(t)
	for _, omit := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		sessionID := make(chan byte, 1)
		go func() {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			defer raw.Close()
			_ = raw.SetDeadline(time.Now().Add(patience))
			_, _ = io.Copy(io.Discard, gmtls.Server(raw, &gmtls.Config{
				Versions: []uint16{gmtls.VersionTLS13}, Certificates: []gmtls.Certificate{s.pair(t)},
				Trace: func(e gmtls.TraceEvent) {
					if e.Name == "ClientHello" {
						sessionID <- e.Data[4+2+32]
					}
				},
			}))
		}()
		p := s.start(t, Options{From: Plain, ToMode: TLS13, To: l.Addr().String(), Dialect: material.Dialect{OmitMiddlebox: omit}})
		c, _ := s.client(t, Plain, p.Addr().String())
		if length := <-sessionID; omit {
			require.Zero(t, length)
		} else {
			require.EqualValues(t, 32, length)
		}
		c.Close()
	}
}

// TestDialects: clients of another dialect of TLCP reach a server that keeps to the standard, and the other way round.
func TestDialects(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLCP, To: s.server(t, TLCP, answer), ToMode: TLCP, Name: "localhost", ListenRawTranscript: true, Clients: []string{s.file("gm-ca.crt")}})
	for _, raw := range []bool{true, false} {
		config := &gmtls.Config{RootCAs: s.gmPool(), ServerName: "localhost", Certificates: []gmtls.Certificate{s.pair(t)}, RawTranscriptVerify: raw}
		conn, err := gmtls.Dial("tcp", p.Addr().String(), config)
		if !raw {
			require.ErrorContains(t, err, "decrypt error")
			continue
		}
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = conn.Write([]byte("hello"))
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, "got 5 bytes", string(got))
		conn.Close()
	}
}

// A stream that was cut off must not look whole on the other side.
func TestTruncationIsPassedOn(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLS, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) {
		_, _ = c.Write([]byte("half of"))
		c.(*gmtls.Conn).NetConn().Close()
	})})
	c, _ := s.client(t, TLS, p.Addr().String())
	data, err := io.ReadAll(c)
	require.Equal(t, "half of", string(data))
	require.Error(t, err)
}

func TestServerIsVerified(t *testing.T) {
	s, stranger := newSite(t), newSite(t)
	p := s.start(t, Options{From: Plain, ToMode: TLCP, To: stranger.server(t, TLCP, answer), Metrics: "127.0.0.1:0"})
	c, _ := s.client(t, Plain, p.Addr().String())
	data, _ := io.ReadAll(c)
	require.Empty(t, data)
	p.wg.Wait()
	require.Contains(t, metrics(t, p), "gmtls_proxy_connections_failed_total 1\n")
}

func metrics(t *testing.T, p *Proxy) string {
	response, err := (&http.Client{Timeout: patience}).Get("http://" + p.MetricsAddr().String() + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func TestLimit(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: Plain, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) { _, _ = io.Copy(c, c) }),
		MaxConnections: 1, Metrics: "127.0.0.1:0"})
	first, _ := s.client(t, Plain, p.Addr().String())
	echo(t, first)
	second, _ := s.client(t, Plain, p.Addr().String())
	_, err := second.Read(make([]byte, 1))
	require.Error(t, err)
	echo(t, first)
	text := metrics(t, p)
	require.Contains(t, text, "gmtls_proxy_connections_refused_total 1\n")
	require.Contains(t, text, "gmtls_proxy_connections_active 1\n")
	require.Contains(t, text, "gmtls_proxy_sent_bytes_total 8\n")
}

// Clients that stall in the handshake keep nobody out, and cost nobody a bridge; they are closed when others come.
func TestStalledClientsMakeRoom(t *testing.T) {
	s := newSite(t)
	for _, mode := range []Mode{TLS, TLCP, TLS13} {
		t.Run(string(mode), func(t *testing.T) {
			to := TLCP
			if mode == TLCP {
				to = TLS
			}
			p := s.start(t, Options{From: mode, ToMode: to, To: s.server(t, to, func(c net.Conn) { _, _ = io.Copy(c, c) }),
				MaxConnections: 3, Metrics: "127.0.0.1:0"})
			bridge, _ := s.client(t, mode, p.Addr().String())
			echo(t, bridge)
			var stalled []net.Conn
			for range 4 {
				raw, err := net.DialTimeout("tcp", p.Addr().String(), patience)
				require.NoError(t, err)
				defer raw.Close()
				_, err = raw.Write([]byte{22})
				require.NoError(t, err)
				stalled = append(stalled, raw)
			}
			ended := func(c net.Conn) {
				t.Helper()
				require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
				_, err := c.Read(make([]byte, 1))
				require.Error(t, err)
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			}
			ended(stalled[0])
			ended(stalled[1])
			next, _ := s.client(t, mode, p.Addr().String())
			echo(t, next)
			ended(stalled[2])
			last, _ := s.client(t, mode, p.Addr().String())
			echo(t, last)
			ended(stalled[3])
			refused, err := net.DialTimeout("tcp", p.Addr().String(), patience)
			require.NoError(t, err)
			defer refused.Close()
			ended(refused) // three bridges are as many as may be
			echo(t, bridge)
			text := metrics(t, p)
			require.Contains(t, text, "gmtls_proxy_connections_displaced_total 4\n")
			require.Contains(t, text, "gmtls_proxy_connections_refused_total 1\n")
			bridge.Close()
			require.Eventually(t, func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.visitors == 2 && p.unknown.Len() == 0
			}, patience, time.Millisecond)
		})
	}
}

// slowLog takes its time for each record, as a log on a busy disk does, and notes how many connections were open at most.
type slowLog struct {
	slog.Handler
	open *atomic.Int64
	most atomic.Int64
}

func (h *slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *slowLog) Handle(context.Context, slog.Record) error {
	time.Sleep(100 * time.Millisecond)
	h.most.Store(max(h.most.Load(), h.open.Load()))
	return nil
}

// TestDisplacedLeaveFirst: a client that makes room has left when the next comes in, so there are never more than are allowed.
func TestDisplacedLeaveFirst(t *testing.T) {
	s := newSite(t)
	p, err := New(Options{Listen: "127.0.0.1:0", From: TLCP, ToMode: TLS, To: "127.0.0.1:1", Server: s.own(), Roots: []string{s.file("ca.crt")},
		MaxConnections: 1, Timeout: patience, Idle: patience}, nil)
	require.NoError(t, err)
	log := &slowLog{Handler: slog.DiscardHandler, open: &p.counters.active}
	p.log = slog.New(log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for range 3 {
		stalled, err := net.DialTimeout("tcp", p.Addr().String(), patience)
		require.NoError(t, err)
		defer stalled.Close()
	}
	require.Eventually(t, func() bool { return p.counters.accepted.Load() == 3 }, patience, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.EqualValues(t, 2, p.counters.displaced.Load())
	require.EqualValues(t, 1, log.most.Load())
}

// countingLog counts lines.
type countingLog struct {
	slog.Handler
	lines atomic.Int64
}

func (h *countingLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *countingLog) Handle(context.Context, slog.Record) error {
	h.lines.Add(1)
	return nil
}

// TestFailuresCannotFillTheLog: a flood of clients that fail costs a bounded number of lines.
func TestFailuresCannotFillTheLog(t *testing.T) {
	const flood = 4 * loglimit.Burst
	s := newSite(t)
	p, err := New(Options{Listen: "127.0.0.1:0", From: TLCP, ToMode: TLS, To: "127.0.0.1:1", Server: s.own(), Roots: []string{s.file("ca.crt")},
		MaxConnections: 16, Timeout: patience, Idle: patience}, nil)
	require.NoError(t, err)
	log := &countingLog{Handler: slog.DiscardHandler}
	p.log = slog.New(log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for i := range flood {
		raw, err := net.DialTimeout("tcp", p.Addr().String(), patience)
		require.NoError(t, err)
		_, err = raw.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		require.NoError(t, err)
		raw.Close()
		require.Eventually(t, func() bool { return p.counters.failed.Load() == int64(i+1) }, patience, time.Millisecond)
	}
	cancel()
	require.NoError(t, <-done)
	require.NotZero(t, log.lines.Load())
	require.Less(t, log.lines.Load(), int64(3*loglimit.Burst))
}

func echo(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, echoed(c))
}

func echoed(c net.Conn) error {
	if _, err := c.Write([]byte("ping")); err != nil {
		return err
	}
	buf := make([]byte, 4)
	if _, err := io.ReadFull(c, buf); err != nil {
		return err
	}
	if string(buf) != "ping" {
		return fmt.Errorf("%q comes back", buf)
	}
	return nil
}

func TestReloadBySignal(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLS, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) { _, _ = io.Copy(c, c) })})
	shown := func() []byte {
		c, _ := s.client(t, TLS, p.Addr().String())
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
	}
	before, open := shown(), func() conn { c, _ := s.client(t, TLS, p.Addr().String()); return c }()
	fresh := s.issue(t, s.std, "tls", pki.SignUsage)
	require.Equal(t, before, shown(), "nothing changes without a signal")
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { return p.counters.reloads.Load() == 1 }, patience, 5*time.Millisecond)
	require.Equal(t, fresh.Raw, shown())
	echo(t, open)

	s.write(t, "tls.key", []byte("damaged"))
	require.ErrorContains(t, p.Reload(), "the old certificates stay in force")
	require.Equal(t, fresh.Raw, shown())
}

func TestGracefulStop(t *testing.T) {
	s := newSite(t)
	p, stop := s.startStoppable(t, Options{From: Plain, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) { _, _ = io.Copy(c, c) })})
	c, _ := s.client(t, Plain, p.Addr().String())
	echo(t, c)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	require.Eventually(t, func() bool {
		extra, err := net.DialTimeout("tcp", p.Addr().String(), patience)
		if err == nil {
			extra.Close()
		}
		return err != nil
	}, patience, 5*time.Millisecond, "the listener closes")
	echo(t, c) // what is open continues
	require.NoError(t, c.Close())
	<-stopped
}

// What is still open after the grace is cut off, and not taken for whole.
func TestGraceEnds(t *testing.T) {
	s := newSite(t)
	p, stop := s.startWith(t, Options{From: TLS, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) { _, _ = io.Copy(c, c) })}, patience, time.Millisecond)
	c, _ := s.client(t, TLS, p.Addr().String())
	echo(t, c)
	stop()
	_, err := c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, io.EOF)
}

// A connection on which nothing goes either way ends, and no sooner.
func TestIdleEnds(t *testing.T) {
	s := newSite(t)
	ended := make(chan error, 1)
	p, stop := s.startWith(t, Options{From: Plain, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) {
		_, err := io.Copy(c, c)
		ended <- err
	})}, 300*time.Millisecond, patience)
	defer stop()
	c, _ := s.client(t, Plain, p.Addr().String())
	begin := time.Now()
	for last := begin; time.Since(begin) < 900*time.Millisecond; { // three times the limit, in one direction after the other
		start := time.Now()
		if err := echoed(c); err != nil { // the machine did other things meanwhile
			require.Greater(t, time.Since(last), 300*time.Millisecond, "it ends too soon: %v", err)
			break
		}
		last = start
	}
	_, err := c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the proxy ends it, and not the client's own patience")
	err = <-ended
	require.Error(t, err, "the server does not take it for the end")
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "nor is it the server's patience")
}

// Who offers no application protocol gets none; who offers one that the server
// lacks is refused by the server.
func TestProtocolsArePassedOn(t *testing.T) {
	s := newSite(t)
	p := s.start(t, Options{From: TLS, ToMode: TLCP, To: s.server(t, TLCP, func(c net.Conn) {
		if c.(*gmtls.Conn).Handshake() == nil {
			fmt.Fprintf(c, "%q", c.(*gmtls.Conn).ConnectionState().NegotiatedProtocol)
		}
	})})
	for _, c := range []struct {
		offered []string
		want    string // empty: refused
	}{{nil, `""`}, {[]string{"http/1.1"}, `"http/1.1"`}, {[]string{"spdy/3", "h2"}, `"h2"`}, {[]string{"spdy/3"}, ""}} {
		raw, err := net.DialTimeout("tcp", p.Addr().String(), patience)
		require.NoError(t, err)
		require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
		client := tls.Client(raw, &tls.Config{RootCAs: s.stdPool(), ServerName: "localhost", NextProtos: c.offered})
		err = client.Handshake()
		if c.want == "" {
			require.Error(t, err)
			raw.Close()
			continue
		}
		require.NoError(t, err)
		got, err := io.ReadAll(client)
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
		require.Equal(t, strings.Trim(c.want, `"`), client.ConnectionState().NegotiatedProtocol)
		raw.Close()
	}
}

func TestRefusedOptions(t *testing.T) {
	good := Options{Listen: "127.0.0.1:0", From: Plain, To: "h:1", ToMode: TLCP, MaxConnections: 1, Timeout: 1, Idle: 1}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Listen = "0.0.0.0:1" }, "it would listen without protection on an address that is not loopback"},
		{func(o *Options) { o.Listen = ":1" }, "not loopback"},
		{func(o *Options) { o.From = TLCP }, "nothing to bridge"},
		{func(o *Options) { o.From, o.ToMode = TLS13, TLS13 }, "both sides are tls13-gm: there is nothing to bridge"},
		{func(o *Options) { o.ToMode = "TLCP" }, `--to-mode is "TLCP"; it must be plain, tls, tlcp or tls13-gm`},
		{func(o *Options) { o.Timeout = 0 }, "--timeout and --idle must be positive"},
		{func(o *Options) { o.Idle = 0 }, "--timeout and --idle must be positive"},
		{func(o *Options) { o.Grace = -1 }, "--grace must not be negative"},
		{func(o *Options) { o.From, o.ToMode = TLCP, Plain }, "there is no certificate to show"},
		{func(o *Options) { o.From, o.ToMode = TLS13, Plain }, "there is no certificate to show"},
		{func(o *Options) { o.Hybrid = true }, "--hybrid is for --from or --to-mode tls13-gm"},
		{func(o *Options) { o.Dialect.OmitMiddlebox = true }, "--omit-middlebox-compatibility means nothing with --to-mode tlcp"},
		{func(o *Options) { o.ToMode, o.Dialect.RawTranscript = TLS13, true }, "--raw-transcript means nothing with --to-mode tls13-gm"},
		{func(o *Options) { o.ToMode, o.Dialect.OmitMiddlebox = TLS, true }, "--omit-middlebox-compatibility means nothing with --to-mode tls"},
		{func(o *Options) { o.From, o.ListenRawTranscript = TLS13, true }, "--listen-raw-transcript is for --from tlcp"},
		{func(o *Options) { o.From = "ssl" }, `--from is "ssl"; it must be plain, tls, tlcp or tls13-gm`},
		{func(o *Options) { o.To = "h" }, `--to is "h", not HOST:PORT`},
		{func(o *Options) { o.MaxConnections = 0 }, "--max-connections"},
		{func(*Options) {}, "--ca is missing"},
		{func(o *Options) { o.From, o.ToMode = TLS, Plain }, "there is no certificate to show"},
	} {
		o := good
		c.change(&o)
		_, err := New(o, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, c.want)
		require.False(t, strings.Contains(err.Error(), "\n"))
	}
	permitted := good
	permitted.Listen, permitted.AllowPlain = "0.0.0.0:0", true
	require.NoError(t, permitted.check())
}

// Where clients must show a certificate, the server hears nothing of those who
// have none, and those who have one agree on a protocol that the server speaks.
func TestServerIsDialledAfterClientAuthentication(t *testing.T) {
	s := newSite(t)
	for _, modes := range [][2]Mode{{TLS, TLCP}, {TLCP, TLS}, {TLS, Plain}, {TLCP, Plain}, {TLS13, TLCP}, {TLCP, TLS13}} {
		t.Run(fmt.Sprintf("%s to %s", modes[0], modes[1]), func(t *testing.T) {
			accepted := make(chan net.Conn, 16)
			server, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer server.Close()
			go func() {
				for {
					c, err := server.Accept()
					if err != nil {
						return
					}
					accepted <- c
					c.Close()
				}
			}()
			roots := []string{s.file("gm-ca.crt"), s.file("ca.crt")}
			p, stop := s.startStoppable(t, Options{From: modes[0], ToMode: modes[1], To: server.Addr().String(), Clients: roots})
			raw, err := net.DialTimeout("tcp", p.Addr().String(), patience)
			require.NoError(t, err)
			defer raw.Close()
			require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
			if modes[0] == TLS {
				c := tls.Client(raw, &tls.Config{RootCAs: s.stdPool(), ServerName: "localhost", NextProtos: []string{"h2"}})
				_ = c.Handshake() // TLS 1.3 tells of the refusal later
				_, err = c.Read(make([]byte, 1))
			} else {
				c := gmtls.Client(raw, &gmtls.Config{
					Versions: []uint16{material.Version(string(modes[0]))}, RootCAs: s.gmPool(), ServerName: "localhost", NextProtos: []string{"h2"},
				})
				_ = c.Handshake()
				_, err = c.Read(make([]byte, 1))
			}
			require.Error(t, err)
			stop()
			require.Empty(t, accepted, "the server was dialled for a client without a certificate")

			p = s.start(t, Options{From: modes[0], ToMode: modes[1], To: s.server(t, modes[1], answer), Clients: roots})
			raw, err = net.DialTimeout("tcp", p.Addr().String(), patience)
			require.NoError(t, err)
			defer raw.Close()
			require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
			var c conn
			var protocol string
			if modes[0] == TLS {
				known := tls.Client(raw, &tls.Config{
					RootCAs: s.stdPool(), ServerName: "localhost", NextProtos: []string{"http/1.1", "h2"}, Certificates: []tls.Certificate{s.tlsCert(t)},
				})
				require.NoError(t, known.Handshake())
				c, protocol = known, known.ConnectionState().NegotiatedProtocol
			} else {
				known := gmtls.Client(raw, &gmtls.Config{
					Versions: []uint16{material.Version(string(modes[0]))},
					RootCAs:  s.gmPool(), ServerName: "localhost", NextProtos: []string{"http/1.1", "h2"}, Certificates: []gmtls.Certificate{s.pair(t)},
				})
				require.NoError(t, known.Handshake())
				c, protocol = known, known.ConnectionState().NegotiatedProtocol
			}
			require.Equal(t, "http/1.1", protocol)
			_, err = c.Write([]byte("hello"))
			require.NoError(t, err)
			require.NoError(t, c.CloseWrite())
			reply, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "got 5 bytes", string(reply))
		})
	}
}
