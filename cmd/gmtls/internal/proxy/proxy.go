// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/loglimit"
)

// Proxy is a running bridge.
type Proxy struct {
	options  Options
	log      *slog.Logger
	listener net.Listener
	metrics  net.Listener // nil: none
	current  atomic.Pointer[sides]
	counters counters
	failures loglimit.Limit // of lines about connections that failed

	mu       sync.Mutex
	visitors int                   // that are let in; protected by mu, as all below
	unknown  list.List             // of *visitor: those whose handshake is not done, oldest first
	conns    map[net.Conn]struct{} // both ends of what is open
	wg       sync.WaitGroup
}

// visitor is a client from its connection on.
type visitor struct {
	cancel  context.CancelFunc // of its handshake
	element *list.Element      // in unknown; nil: the handshake is done, or cancelled; protected by Proxy.mu
	left    chan struct{}      // closed when nothing of it is open
}

// enter lets a client in. If there are too many, the oldest whose handshake is not done makes room, since it may be one that
// stalls; enter waits until it has left. It returns nil if all of them are done. One goroutine alone calls it.
func (p *Proxy) enter(cancel context.CancelFunc) *visitor {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.visitors >= p.options.MaxConnections {
		oldest := p.unknown.Front()
		if oldest == nil {
			return nil
		}
		displaced := oldest.Value.(*visitor)
		p.knownLocked(displaced)
		displaced.cancel()
		p.counters.displaced.Add(1)
		p.mu.Unlock()
		<-displaced.left
		p.mu.Lock()
	}
	v := &visitor{cancel: cancel, left: make(chan struct{})}
	v.element = p.unknown.PushBack(v)
	p.visitors++
	return v
}

// known notes that the handshake of a client is done.
func (p *Proxy) known(v *visitor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.knownLocked(v)
}

func (p *Proxy) knownLocked(v *visitor) {
	if v.element != nil {
		p.unknown.Remove(v.element)
		v.element = nil
	}
}

// leave gives the place of a client back.
func (p *Proxy) leave(v *visitor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.knownLocked(v)
	p.visitors--
	close(v.left)
}

// New reads the files and listens.
func New(o Options, log *slog.Logger) (*Proxy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := o.load()
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		options: o, log: log, conns: make(map[net.Conn]struct{}),
	}
	p.current.Store(s)
	if p.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, err
	}
	if o.Metrics != "" {
		if p.metrics, err = net.Listen("tcp", o.Metrics); err != nil {
			p.listener.Close()
			return nil, fmt.Errorf("--metrics: %w", err)
		}
	}
	return p, nil
}

// Addr returns the address on which the proxy listens for clients.
func (p *Proxy) Addr() net.Addr { return p.listener.Addr() }

// MetricsAddr returns the address of the metrics, or nil if there are none.
func (p *Proxy) MetricsAddr() net.Addr {
	if p.metrics == nil {
		return nil
	}
	return p.metrics.Addr()
}

// Reload reads the files again for new connections. If that fails, nothing
// changes.
func (p *Proxy) Reload() error {
	s, err := p.options.load()
	if err != nil {
		p.counters.reloadsFailed.Add(1)
		return fmt.Errorf("reloading, the old certificates stay in force: %w", err)
	}
	p.current.Store(s)
	p.counters.reloads.Add(1)
	return nil
}

// Run serves until ctx ends, and then waits for open connections, at most for
// Grace. It reloads on SIGHUP.
func (p *Proxy) Run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	stopMetrics := p.serveMetrics()
	defer stopMetrics()
	failed := make(chan error, 1)
	go func() { failed <- p.accept(ctx) }()
	p.log.Info("listening", "address", p.Addr().String(), "from", p.options.From, "to", p.options.To, "mode", p.options.ToMode)
	for {
		select {
		case <-hangup:
			if err := p.Reload(); err != nil {
				p.log.Error(err.Error())
			} else {
				p.log.Info("reloaded")
			}
		case err := <-failed:
			p.drain(0)
			return err
		case <-ctx.Done():
			p.listener.Close()
			<-failed
			p.drain(p.options.Grace)
			return nil
		}
	}
}

// accept takes connections until the listener is closed.
func (p *Proxy) accept(ctx context.Context) error {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
				p.log.Error("accepting", "error", err)
				timer := time.NewTimer(50 * time.Millisecond)
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
				timer.Stop()
				continue
			}
			return fmt.Errorf("accepting: %w", err)
		}
		handshake, cancel := context.WithTimeout(context.Background(), p.options.Timeout)
		v := p.enter(cancel)
		if v == nil {
			cancel()
			p.counters.refused.Add(1)
			conn.Close()
			continue
		}
		p.wg.Go(func() {
			defer p.leave(v)
			defer cancel()
			p.serve(handshake, conn, v)
		})
	}
}

// drain waits for the connections, then closes what is left.
func (p *Proxy) drain(grace time.Duration) {
	done := make(chan struct{})
	go func() { p.wg.Wait(); close(done) }()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	p.mu.Lock()
	for c := range p.conns {
		abort(c)
	}
	p.mu.Unlock()
	<-done
}

func (p *Proxy) track(c net.Conn) (untrack func()) {
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	return func() {
		c.Close()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}
}

// serve bridges one connection.
func (p *Proxy) serve(ctx context.Context, raw net.Conn, v *visitor) {
	defer p.track(raw)()
	p.counters.accepted.Add(1)
	p.counters.active.Add(1)
	defer p.counters.active.Add(-1)
	client, server, err := p.connect(ctx, raw, func() { p.known(v) })
	if server != nil {
		defer p.track(server)()
	}
	if err != nil {
		p.counters.failed.Add(1)
		if ok, note := p.failures.Allow(time.Now()); ok {
			p.log.Warn("no bridge"+note, "client", raw.RemoteAddr().String(), "error", loglimit.Shorten(err.Error()))
		}
		return
	}
	if err := p.forward(client, server); err != nil {
		p.log.Debug("bridge ended", "client", raw.RemoteAddr().String(), "error", err)
	}
}

// connect runs the handshakes of both sides. Where clients are anonymous the server
// is dialled while the client's handshake stands still after its hello, so that
// the application protocol that the server chooses can be passed on. Where they
// must present a certificate the server hears nothing before that is verified. known
// is called when the client's handshake is done.
func (p *Proxy) connect(ctx context.Context, raw net.Conn, known func()) (client, server net.Conn, err error) {
	s := p.current.Load()
	var protocol string
	var dialErr error
	dial := func(ctx context.Context, protocols []string) {
		server, protocol, dialErr = p.dial(ctx, s, protocols)
	}
	// choose returns the protocols that the proxy accepts from the client.
	choose := func(ctx context.Context, offered []string) ([]string, error) {
		if len(p.options.Clients) > 0 {
			return p.preferred(offered), nil
		}
		if dial(ctx, offered); dialErr != nil || protocol == "" {
			return nil, dialErr
		}
		return []string{protocol}, nil
	}
	// done follows a handshake of the client that chose this protocol.
	done := func(negotiated string) {
		known()
		if server == nil {
			dial(ctx, protocolList(negotiated))
		}
	}
	switch p.options.From {
	case TLS:
		config := s.serverTLS.Clone()
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello.Context(), hello.SupportedProtos)
			answer := s.serverTLS.Clone()
			answer.NextProtos = chosen
			return answer, err
		}
		conn := tls.Server(raw, config)
		if client, err = conn, conn.HandshakeContext(ctx); err == nil {
			done(conn.ConnectionState().NegotiatedProtocol)
		}
	case TLCP, TLS13:
		config := s.serverGM.Clone()
		config.GetConfigForClient = func(hello *gmtls.ClientHelloInfo) (*gmtls.Config, error) {
			chosen, err := choose(hello.Context(), hello.SupportedProtos)
			answer := s.serverGM.Clone()
			answer.NextProtos = chosen
			return answer, err
		}
		conn := gmtls.Server(raw, config)
		if client, err = conn, conn.HandshakeContext(ctx); err == nil {
			done(conn.ConnectionState().NegotiatedProtocol)
		}
	default:
		known() // there is no handshake
		dial(ctx, p.options.ALPN)
		client = raw
	}
	switch {
	case dialErr != nil:
		return nil, server, fmt.Errorf("the server %s: %w", p.options.To, dialErr)
	case err != nil:
		return nil, server, fmt.Errorf("the client: %w", err)
	case ctx.Err() != nil: // it made room in the moment in which it was done
		return nil, server, fmt.Errorf("the client: %w", ctx.Err())
	}
	return client, server, nil
}

// preferred returns the application protocol to agree on with a client before the
// server is asked: the first of the options' that it offers, else its own first.
func (p *Proxy) preferred(offered []string) []string {
	for _, own := range p.options.ALPN {
		if slices.Contains(offered, own) {
			return []string{own}
		}
	}
	return offered[:min(1, len(offered))]
}

func protocolList(protocol string) []string {
	if protocol == "" {
		return nil
	}
	return []string{protocol}
}

// dial connects to the server and returns the application protocol chosen.
func (p *Proxy) dial(ctx context.Context, s *sides, protocols []string) (net.Conn, string, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", p.options.To)
	if err != nil {
		return nil, "", err
	}
	switch p.options.ToMode {
	case TLS:
		config := s.clientTLS.Clone()
		config.NextProtos = protocols
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, "", err
		}
		return conn, conn.ConnectionState().NegotiatedProtocol, nil
	case TLCP, TLS13:
		config := s.clientGM.Clone()
		config.NextProtos = protocols
		conn := gmtls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, "", err
		}
		return conn, conn.ConnectionState().NegotiatedProtocol, nil
	}
	for _, own := range p.options.ALPN { // a plain server tells nothing
		if slices.Contains(protocols, own) {
			return raw, own, nil
		}
	}
	return raw, "", nil
}

// forward copies both ways until both have ended, or one has failed.
func (p *Proxy) forward(client, server net.Conn) error {
	results := make(chan error, 2)
	var last atomic.Int64 // when a byte went either way, in nanoseconds since 1970
	last.Store(time.Now().UnixNano())
	go func() { results <- p.copy(server, client, &p.counters.sent, &last) }()
	go func() { results <- p.copy(client, server, &p.counters.received, &last) }()
	first := <-results
	if first != nil {
		abort(client)
		abort(server)
	}
	second := <-results
	if first == nil && second != nil {
		abort(client)
		abort(server)
	}
	return errors.Join(first, second)
}

// abort ends a connection so that the peer does not take it for an orderly end:
// without close_notify, and by a reset.
func abort(c net.Conn) {
	raw := c
	if secured, ok := c.(interface{ NetConn() net.Conn }); ok {
		raw = secured.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only for a connection that is closed already
	}
	raw.Close()
}

const bufferSize = 32 << 10

// copy forwards until the end of the stream, which it passes on as a half-close.
// A stream that is cut off without its protocol's goodbye is an error, and thus
// never looks whole on the other side.
// A direction that is quiet continues while the other one is not.
func (p *Proxy) copy(to, from net.Conn, count, last *atomic.Int64) error {
	buf := make([]byte, bufferSize)
	for {
		if err := from.SetReadDeadline(time.Unix(0, last.Load()).Add(p.options.Idle)); err != nil {
			return err
		}
		n, err := from.Read(buf)
		if n > 0 {
			last.Store(time.Now().UnixNano())
			if err := to.SetWriteDeadline(time.Now().Add(p.options.Idle)); err != nil {
				return err
			}
			count.Add(int64(n)) // before others can see the bytes
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return to.(interface{ CloseWrite() error }).CloseWrite()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Since(time.Unix(0, last.Load())) < p.options.Idle {
			continue
		}
		if err != nil {
			return err
		}
	}
}
