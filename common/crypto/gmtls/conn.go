// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"context"
	"errors"
	"net"
	"time"
)

var errNotReady = errors.New("gmtls: the handshake is not in place yet")

// Conn is a TLCP connection. It implements net.Conn; Read and Write may be
// called at the same time by different goroutines.
type Conn struct {
	conn     net.Conn
	config   *Config
	isClient bool
}

func newConn(conn net.Conn, config *Config, isClient bool) *Conn {
	if config == nil {
		config = new(Config)
	}
	return &Conn{conn: conn, config: config, isClient: isClient}
}

// Read reads application data, after the handshake if need be.
func (c *Conn) Read(b []byte) (int, error) { return 0, errNotReady }

// Write writes application data, after the handshake if need be.
func (c *Conn) Write(b []byte) (int, error) { return 0, errNotReady }

// Close sends close_notify and closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// CloseWrite sends close_notify; reading goes on.
func (c *Conn) CloseWrite() error { return errNotReady }

// LocalAddr returns the local address.
func (c *Conn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetDeadline sets both deadlines of the underlying connection.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// SetReadDeadline sets the read deadline of the underlying connection.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline sets the write deadline of the underlying connection.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// NetConn returns the underlying connection.
func (c *Conn) NetConn() net.Conn { return c.conn }

// Handshake is HandshakeContext with a background context.
func (c *Conn) Handshake() error { return c.HandshakeContext(context.Background()) }

// HandshakeContext runs the handshake unless it has run already. If ctx ends
// first, the connection is closed and the context's error is returned.
func (c *Conn) HandshakeContext(ctx context.Context) error { return errNotReady }

// ConnectionState tells what was negotiated.
func (c *Conn) ConnectionState() ConnectionState { return ConnectionState{} }

// VerifyHostname checks that the peer's verified certificates are valid for the
// host. It is for clients that set InsecureSkipVerify or a different ServerName.
func (c *Conn) VerifyHostname(host string) error { return errNotReady }
