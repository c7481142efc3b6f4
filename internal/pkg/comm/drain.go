// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// goAway is an HTTP/2 GOAWAY frame with the greatest stream identifier and
// NO_ERROR (RFC 9113, 6.8): the client ends its streams, starts no new one here
// and connects again. gRPC itself sends this frame to drain a connection, but
// has no call for draining a single one.
var goAway = []byte{
	0, 0, 8, // length
	7,          // type GOAWAY
	0,          // flags
	0, 0, 0, 0, // stream 0
	0x7f, 0xff, 0xff, 0xff, // last stream
	0, 0, 0, 0, // NO_ERROR
}

// serverConn is the server's end of a gRPC connection. It can put a GOAWAY
// frame between the frames that gRPC writes. It does not read while gRPC has too
// much left to send, and tells which calls gRPC holds.
type serverConn struct {
	net.Conn
	entry   *tracked
	calls   *connCalls // nil: nobody counts them
	backlog backlog

	read frames // used by the reading goroutine only
	rest []byte // likewise: what was read and not handed out, in room
	room []byte // likewise

	mu      sync.Mutex
	written frames // protected by mu
	pending bool   // a GOAWAY waits for a boundary; protected by mu
}

// newServerConn returns the end over conn. calls is nil if nobody counts them.
func newServerConn(conn net.Conn, calls *connCalls) *serverConn {
	c := &serverConn{Conn: conn, calls: calls}
	c.read = frames{payload: clientPreface, each: c.came}
	c.written.each = c.went
	if calls != nil {
		calls.shut = c.Close
	}
	return c
}

// came takes note of a frame of the client.
func (c *serverConn) came(kind, _ byte, stream uint32) error {
	switch kind {
	case frameHeaders, frameReset, frameSettings, framePing:
		c.backlog.came()
	}
	switch {
	case c.calls == nil:
	case kind == frameHeaders:
		return c.calls.begun(stream)
	case kind == frameReset:
		c.calls.ended(stream, true)
	}
	return nil
}

// went takes note of a frame of gRPC.
func (c *serverConn) went(kind, flags byte, stream uint32) error {
	switch {
	case c.calls == nil:
	case kind == frameData:
		c.calls.taken(stream, c.written.payload)
	case kind == frameReset, kind == frameHeaders && flags&flagEndStream != 0:
		c.calls.ended(stream, false)
	}
	return nil
}

// Read hands out what the client sends, at the most to the end of the first
// field block in it: gRPC then makes the call before it reads on, so that admit
// knows which stream the call is.
func (c *serverConn) Read(p []byte) (n int, err error) {
	if c.backlog.wait() && c.calls != nil {
		c.calls.sent()
	}
	fresh := len(c.rest) == 0
	if fresh {
		n, err = c.Conn.Read(p)
	} else {
		n = copy(p, c.rest)
	}
	out, refused := c.read.pastFields(p[:n])
	switch {
	case refused != nil:
		return 0, refused
	case fresh && out < n:
		c.room = append(c.room[:0], p[out:n]...)
		c.rest, err = c.room, nil // an error comes again
	case !fresh:
		if c.rest = c.rest[out:]; len(c.rest) == 0 && cap(c.room) > maxRest {
			c.rest, c.room = nil, nil
		}
	}
	return out, err
}

// maxRest is the room for what was read that a connection keeps, in bytes.
const maxRest = 4 << 10

func (c *serverConn) Write(p []byte) (int, error) {
	all, done := c.backlog.begin(len(p))
	defer done()
	if all && c.calls != nil {
		c.calls.sent()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(p)
	if err == nil {
		err = c.written.advance(p[:n])
	}
	if err == nil {
		err = c.sendPendingLocked()
	}
	return n, err
}

func (c *serverConn) sendPendingLocked() error {
	if !c.pending || !c.written.atBoundary() {
		return nil
	}
	c.pending = false
	_, err := c.Conn.Write(goAway)
	return err
}

// finish sends the GOAWAY at the next frame boundary. It waits for a write that
// is under way.
func (c *serverConn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = true
	if err := c.sendPendingLocked(); err != nil {
		commLogger.Debugf("Could not send GOAWAY to %s: %s", c.RemoteAddr(), err)
	}
}

func (c *serverConn) Close() error {
	c.entry.remove()
	if c.calls != nil {
		c.calls.close()
	}
	return c.Conn.Close()
}

// clientConn is the client's end of a gRPC connection. It can let gRPC read a
// GOAWAY frame that the server did not send, so that a drain of outgoing
// connections loses no call either.
type clientConn struct {
	net.Conn
	entry *tracked

	read   frames // used by the reading goroutine only
	inject []byte // likewise: rest of the frame to hand out

	mu      sync.Mutex
	pending bool // protected by mu; while set, the read deadline is in the past
}

func (c *clientConn) Read(p []byte) (int, error) {
	for {
		if len(c.inject) > 0 {
			n := copy(p, c.inject)
			c.inject = c.inject[n:]
			return n, nil
		}
		if c.read.atBoundary() && c.takePending() {
			c.inject = goAway
			continue
		}
		n, err := c.Conn.Read(p)
		if err := c.read.advance(p[:n]); err != nil {
			return 0, err
		}
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.retryAfterWake() {
			continue
		}
		return n, err
	}
}

// takePending reports whether a GOAWAY is to be handed out, and lifts the
// deadline that finish set to wake the reader.
func (c *clientConn) takePending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.pending {
		return false
	}
	c.pending = false
	return c.Conn.SetReadDeadline(time.Time{}) == nil
}

// retryAfterWake reports whether a timeout came from finish, not from gRPC, in
// the middle of a frame, whose rest is then read without deadline.
func (c *clientConn) retryAfterWake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending && (c.read.atBoundary() || c.Conn.SetReadDeadline(time.Time{}) == nil)
}

func (c *clientConn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = true
	if err := c.Conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		commLogger.Debugf("Could not wake the reader of the connection to %s: %s", c.RemoteAddr(), err)
	}
}

func (c *clientConn) Close() error {
	c.entry.remove()
	return c.Conn.Close()
}
