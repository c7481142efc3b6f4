// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Protocol is what the first bytes of a connection say that the client speaks.
type Protocol int

const (
	// ProtocolUnknown is neither of the others.
	ProtocolUnknown Protocol = iota
	// ProtocolTLCP starts with the bytes 0x16 0x01 0x01.
	ProtocolTLCP
	// ProtocolTLS starts with the bytes 0x16 0x03; any version from SSL 3.0 on.
	ProtocolTLS
)

// String returns the name of the protocol.
func (p Protocol) String() string {
	switch p {
	case ProtocolTLCP:
		return "TLCP"
	case ProtocolTLS:
		return "TLS"
	}
	return "unknown"
}

// sniffLen is the number of bytes that tell the protocols apart: content type
// and version of the first record.
const sniffLen = 3

// ErrUnknownProtocol is returned by Sniff for a client that speaks neither TLCP
// nor TLS.
var ErrUnknownProtocol = errors.New("gmtls: the first bytes from the peer are neither TLCP nor TLS")

// Sniff reads the first bytes that the client sends, recognises the protocol, and
// returns a connection from which the same bytes can be read again. It waits
// at most for timeout (zero: no limit) and leaves no deadline behind. Even with
// an error, the returned connection is usable and holds the bytes read.
func Sniff(conn net.Conn, timeout time.Duration) (Protocol, net.Conn, error) {
	if timeout > 0 {
		if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			return ProtocolUnknown, conn, fmt.Errorf("gmtls: sniffing the protocol: %w", err)
		}
	}
	p := &prefixConn{Conn: conn}
	n, err := io.ReadFull(conn, p.buf[:])
	p.prefix = p.buf[:n]
	if timeout > 0 {
		if resetErr := conn.SetReadDeadline(time.Time{}); err == nil {
			err = resetErr
		}
	}
	if err != nil {
		return ProtocolUnknown, p, fmt.Errorf("gmtls: sniffing the protocol of %v: %w", conn.RemoteAddr(), err)
	}
	switch {
	case p.buf[0] == recordHandshake && p.buf[1] == 0x01 && p.buf[2] == 0x01:
		return ProtocolTLCP, p, nil
	case p.buf[0] == recordHandshake && p.buf[1] == 0x03:
		return ProtocolTLS, p, nil
	}
	return ProtocolUnknown, p, ErrUnknownProtocol
}

// prefixConn gives back bytes that were read before, then reads on.
type prefixConn struct {
	net.Conn
	buf    [sniffLen]byte
	prefix []byte // what is left of buf; used by the reading goroutine only
}

// Read returns the bytes that were read ahead first.
func (p *prefixConn) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 || len(b) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.prefix)
	p.prefix = p.prefix[n:]
	return n, nil
}

// NetConn returns the connection underneath. Reading from it misses the bytes
// that were read ahead.
func (p *prefixConn) NetConn() net.Conn { return p.Conn }

// CloseWrite shuts the writing side down if the connection underneath can.
func (p *prefixConn) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.New("gmtls: the underlying connection has no CloseWrite")
}

// SniffConfig says what a sniffing listener does with each protocol.
type SniffConfig struct {
	// TLCP and TLS turn a connection of that protocol into what Accept
	// returns, for example by Server or tls.Server. Where one is nil such
	// connections are closed.
	TLCP, TLS func(net.Conn) net.Conn
	// TLS13, if not nil, does the same with connections of TLS that OffersGM tells
	// to be served by TLS 1.3 with GM suites.
	TLS13 func(net.Conn) net.Conn
	// Timeout is the time that a client has to send its first bytes, or with TLS13
	// its ClientHello; zero means 10 seconds. A client that is slower is dropped.
	Timeout time.Duration
	// MaxPending is the number of connections that may be waiting for their
	// first bytes or for Accept at a time; zero means 1024. While it is
	// reached no further ones are accepted.
	MaxPending int
}

const (
	defaultSniffTimeout = 10 * time.Second
	defaultSniffPending = 1024
)

// sniffListener sniffs each connection on a separate goroutine, so that a
// silent client delays nobody, and hands out those that have spoken.
type sniffListener struct {
	net.Listener
	config SniffConfig
	ready  chan net.Conn
	slots  chan struct{} // one token per pending connection
	closed chan struct{}
	once   sync.Once
	wg     sync.WaitGroup // accept loop and sniffers

	mu      sync.Mutex
	pending map[net.Conn]struct{} // protected by mu; nil once closed
	err     error                 // protected by mu; why the accept loop ended
	done    chan struct{}         // closed when the accept loop has ended
}

// NewSniffListener returns a listener that distinguishes TLCP from TLS by the
// first bytes. Its Accept returns connections that the function of config for
// their protocol has made. Close closes inner and the connections that are still pending, and
// waits for the goroutines to end.
func NewSniffListener(inner net.Listener, config SniffConfig) net.Listener {
	if config.Timeout <= 0 {
		config.Timeout = defaultSniffTimeout
	}
	if config.MaxPending <= 0 {
		config.MaxPending = defaultSniffPending
	}
	l := &sniffListener{
		Listener: inner,
		config:   config,
		ready:    make(chan net.Conn),
		slots:    make(chan struct{}, config.MaxPending),
		closed:   make(chan struct{}),
		done:     make(chan struct{}),
		pending:  make(map[net.Conn]struct{}),
	}
	l.wg.Add(1)
	go l.acceptLoop()
	return l
}

func (l *sniffListener) acceptLoop() {
	defer l.wg.Done()
	defer close(l.done)
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.closed:
			return
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() && l.pause() {
				continue
			}
			l.mu.Lock()
			l.err = err
			l.mu.Unlock()
			return
		}
		if !l.track(conn) {
			conn.Close()
			return
		}
		l.wg.Add(1)
		go l.sniff(conn)
	}
}

// pause waits a little after a passing failure such as too many open files. It
// reports whether to continue.
func (l *sniffListener) pause() bool {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	}
}

func (l *sniffListener) track(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		return false
	}
	l.pending[conn] = struct{}{}
	return true
}

func (l *sniffListener) sniff(raw net.Conn) {
	defer l.wg.Done()
	defer func() { <-l.slots }()
	defer func() {
		l.mu.Lock()
		delete(l.pending, raw)
		l.mu.Unlock()
	}()
	protocol, conn, err := Sniff(raw, l.config.Timeout)
	offers := false
	if err == nil && protocol == ProtocolTLS && l.config.TLS13 != nil {
		_ = raw.SetReadDeadline(time.Now().Add(l.config.Timeout)) // a closed connection shows in what is read
		offers, conn, err = OffersGM(conn)
		_ = raw.SetReadDeadline(time.Time{})
	}
	var wrap func(net.Conn) net.Conn
	switch {
	case err != nil:
	case offers:
		wrap = l.config.TLS13
	case protocol == ProtocolTLCP:
		wrap = l.config.TLCP
	case protocol == ProtocolTLS:
		wrap = l.config.TLS
	}
	if wrap == nil {
		raw.Close()
		return
	}
	select {
	case l.ready <- wrap(conn):
	case <-l.closed:
		raw.Close()
	}
}

// Accept waits for a connection whose protocol is known.
func (l *sniffListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.done:
	}
	// The inner listener failed. Connections that were accepted before may
	// still become ready, but a server that gets an error stops accepting.
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return nil, net.ErrClosed
	}
	return nil, l.err
}

// Close closes the listener and drops the connections not yet handed out.
func (l *sniffListener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = l.Listener.Close()
		close(l.closed)
		l.mu.Lock()
		for conn := range l.pending {
			conn.Close()
		}
		l.pending = nil
		l.mu.Unlock()
		l.wg.Wait()
	})
	return err
}
