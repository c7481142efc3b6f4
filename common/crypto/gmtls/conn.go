// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection over TLCP or TLS 1.3. It implements net.Conn; Read and Write may be
// called at the same time by different goroutines.
type Conn struct {
	conn     net.Conn
	isClient bool

	// config is replaced by what GetConfigForClient returns, during the
	// handshake, and is fixed from then on.
	config *Config

	handshakeMu   sync.Mutex
	handshakeErr  error // protected by handshakeMu
	handshakeDone atomic.Bool

	// Set by the handshake, protected by handshakeMu.
	version    uint16 // a server's is known from the first record on
	suite      *suite
	group      CurveID // of TLS 1.3
	didResume  bool
	protocol   string
	serverName string
	peer       *peer // nil: not authenticated
	met        *acquaintance
	dropper    func()

	in     inHalf
	out    outHalf
	closed atomic.Bool

	exports exportSecrets // of TLCP, set by the handshake, protected by handshakeMu

	// TLS 1.3 alone.
	exporter     []byte       // secret for exported keying material
	tickets      *ticketTaker // a client's; nil: it takes no tickets
	keyUpdateDue atomic.Bool  // the peer has asked for an update of the key that this end sends with
	control      int          // messages in a row after the handshake, protected by in
}

var (
	errShutdown     = errors.New("gmtls: the connection was closed for writing")
	errEarlyClose   = errors.New("gmtls: CloseWrite was called before the handshake was complete")
	errNoHandshake  = errors.New("gmtls: the handshake is not complete")
	errNotOnServer  = errors.New("gmtls: VerifyHostname was called on a server's connection")
	errNotVerified  = errors.New("gmtls: the peer's certificates were not verified")
	errRenegotiates = errors.New("the peer asked for a renegotiation, which is refused")
)

func newConn(conn net.Conn, config *Config, isClient bool) *Conn {
	if config == nil {
		config = new(Config)
	}
	return &Conn{conn: conn, config: config, isClient: isClient, version: VersionTLCP}
}

func (c *Config) rand() io.Reader {
	if c.Rand != nil {
		return c.Rand
	}
	return rand.Reader
}

func (c *Config) now() time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}

// Read reads application data. It runs the handshake first if that has not been done. It returns
// io.EOF after the peer's close_notify and io.ErrUnexpectedEOF if the
// connection ended without one.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	if len(b) == 0 {
		return 0, nil
	}
	c.in.Lock()
	defer c.in.Unlock()
	for len(c.in.payload) == 0 {
		typ, payload, err := c.nextRecordLocked()
		switch {
		case err != nil:
		case typ == recordHandshake && c.version == VersionTLS13:
			payload, err = nil, c.handlePostHandshakeLocked(payload)
		default:
			err = c.checkDataRecord(typ, payload)
			c.control = 0
		}
		if err != nil {
			return 0, c.endLocked(err)
		}
		c.in.payload = payload
	}
	n := copy(b, c.in.payload)
	c.in.payload = c.in.payload[n:]
	return n, nil
}

func (c *Conn) checkDataRecord(typ uint8, payload []byte) error {
	switch {
	case typ == recordApplicationData:
		return nil
	case c.version == VersionTLS13:
	case typ == recordHandshake && c.isClient && payload[0] == msgHelloRequest,
		typ == recordHandshake && !c.isClient && payload[0] == msgClientHello:
		return fail(AlertNoRenegotiation, errRenegotiates)
	}
	return failf(AlertUnexpectedMessage, "a record of type %s came after the handshake", recordTypeName(typ))
}

// Write writes application data. It runs the handshake first if that has not been
// done. After an error, including a timeout, nothing more can be written.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.Handshake(); err != nil {
		return 0, err
	}
	c.out.Lock()
	defer c.out.Unlock()
	if c.out.err != nil {
		return 0, c.out.err
	}
	written := 0
	for written < len(b) {
		n := min(len(b)-written, writeBatch*maxPlaintext)
		if c.version == VersionTLS13 {
			if err := c.updateKeyIfDueLocked(); err != nil {
				return written, err
			}
		}
		if err := c.appendRecordsLocked(recordApplicationData, b[written:written+n]); err != nil {
			return written, err
		}
		if err := c.flushLocked(); err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// Close sends close_notify, unless a Write is under way, and closes the
// connection.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	var alertErr error
	if c.handshakeDone.Load() && c.out.TryLock() {
		if c.out.err == nil {
			c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
			if err := c.sendAlertLocked(alertLevelWarning, AlertCloseNotify); err != nil {
				alertErr = fmt.Errorf("gmtls: sending close_notify: %w", err)
			}
			c.out.err = errShutdown
		}
		c.out.Unlock()
	}
	if err := c.conn.Close(); err != nil {
		return err
	}
	return alertErr
}

// CloseWrite sends close_notify; reading continues. It has a deadline of its own
// to do so: one that was set for an earlier Write may be over.
func (c *Conn) CloseWrite() error {
	if !c.handshakeDone.Load() {
		return errEarlyClose
	}
	c.out.Lock()
	defer c.out.Unlock()
	if c.out.err != nil {
		return c.out.err
	}
	c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
	err := c.sendAlertLocked(alertLevelWarning, AlertCloseNotify)
	c.out.err = errShutdown
	return err
}

// LocalAddr returns the local address.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets both deadlines of the underlying connection. After a write
// has timed out nothing more can be written.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline sets the read deadline of the underlying connection.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline sets the write deadline of the underlying connection.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// NetConn returns the underlying connection. Reading from it or writing to it
// breaks this one.
func (c *Conn) NetConn() net.Conn { return c.conn }

// Handshake is HandshakeContext with a background context.
func (c *Conn) Handshake() error {
	if c.handshakeDone.Load() {
		return nil
	}
	return c.HandshakeContext(context.Background())
}

// HandshakeContext runs the handshake unless it has run already. If ctx ends
// first, or Config.HandshakeTimeout passes, the underlying connection is closed
// and the error says so. A failed handshake cannot be repeated.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	if c.handshakeDone.Load() {
		return nil
	}
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	if c.handshakeErr != nil || c.handshakeDone.Load() {
		return c.handshakeErr
	}
	c.in.Lock()
	defer c.in.Unlock()
	c.handshakeErr = c.runHandshake(ctx)
	c.in.hand, c.in.handOff = nil, 0
	if c.handshakeErr == nil {
		c.handshakeDone.Store(true)
	}
	return c.handshakeErr
}

// errHandshakeTimeout is the cause of a handshake's context ending by
// HandshakeTimeout.
var errHandshakeTimeout = fmt.Errorf("gmtls: the handshake took too long: %w", os.ErrDeadlineExceeded)

// runHandshake runs the handshake under ctx and the configured timeout.
func (c *Conn) runHandshake(ctx context.Context) error {
	timeout := c.config.HandshakeTimeout
	if timeout == 0 {
		timeout = defaultHandshakeTimeout
	}
	var cancel context.CancelFunc
	if timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errHandshakeTimeout)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })

	var err error
	if c.isClient {
		err = c.clientHandshake(ctx)
	} else {
		err = c.serverHandshake(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("gmtls: the peer closed the connection during the handshake: %w", err)
	} else if err != nil {
		err = c.endLocked(err)
	}
	if !stop() {
		// The context ended and the connection was or is about to be closed,
		// whatever the handshake came to.
		return context.Cause(ctx)
	}
	if err == nil {
		c.remember()
	}
	c.met = nil
	return err
}

// ConnectionState reports what was negotiated. It waits for a handshake that is
// under way.
func (c *Conn) ConnectionState() ConnectionState {
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	return c.stateLocked()
}

func (c *Conn) stateLocked() ConnectionState {
	state := ConnectionState{
		HandshakeComplete:  c.handshakeDone.Load(),
		DidResume:          c.didResume,
		NegotiatedProtocol: c.protocol,
		ServerName:         c.serverName,
	}
	if c.suite != nil {
		state.Version = c.version
		state.CipherSuite = c.suite.id
		state.CurveID = c.group
	}
	if c.peer != nil {
		state.PeerCertificates = c.peer.std
		state.VerifiedChains = c.peer.signChains
		state.EncVerifiedChains = c.peer.encChains
	}
	return state
}

// VerifyHostname checks that both certificates of the server are valid for the
// host. It is for clients that verified the chains under another name or, by
// VerifyConnection, in their own way.
func (c *Conn) VerifyHostname(host string) error {
	c.handshakeMu.Lock()
	defer c.handshakeMu.Unlock()
	switch {
	case !c.isClient:
		return errNotOnServer
	case !c.handshakeDone.Load():
		return errNoHandshake
	case c.peer == nil || len(c.peer.signChains) == 0:
		return errNotVerified
	}
	return c.peer.verifyHostname(host)
}

// forgetSession makes the session that this connection stands for
// unresumable: it ended by a fatal alert.
func (c *Conn) forgetSession() {
	if c.dropper != nil {
		c.dropper()
	}
}
