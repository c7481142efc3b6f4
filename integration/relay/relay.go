// SPDX-License-Identifier: Apache-2.0

// Package relay forwards TCP connections between a network's nodes, for tests: it counts the TLS and TLCP records that
// pass, from their headers alone, and can cut a node off. It terminates nothing and changes no byte.
package relay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	headerSize  = 5 // type, version (2), length (2): the same in TLS (RFC 8446, 5.1) and TLCP (GB/T 38636, 6.3.3)
	// maxRecord is the most bytes in a record's fragment: 2^14 and what encryption may add.
	maxRecord = 1<<14 + 2048
)

// Records counts what passed, both directions together.
type Records struct {
	Connections int // that reached the target
	TLCP        int // records of version 0x0101
	TLS         int // records of version 0x03xx
	Other       int // streams that turned out to carry neither
}

// Relay listens at one address and forwards to another.
type Relay struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex // guards what follows
	conns   map[net.Conn]struct{}
	blocked bool
	closed  bool
	records Records
}

// Start begins to relay from address to target.
func Start(address, target string) (*Relay, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("relay for %s: %w", target, err)
	}
	r := &Relay{listener: listener, target: target, conns: map[net.Conn]struct{}{}}
	r.wg.Go(r.accept)
	return r, nil
}

// Address is where the relay listens.
func (r *Relay) Address() string { return r.listener.Addr().String() }

// Records returns the counts so far.
func (r *Relay) Records() Records {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records
}

// Block cuts all connections and refuses new ones until Unblock.
func (r *Relay) Block() { r.setBlocked(true) }

// Unblock lets connections through again.
func (r *Relay) Unblock() { r.setBlocked(false) }

func (r *Relay) setBlocked(blocked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocked = blocked
	if blocked {
		r.cutLocked()
	}
}

func (r *Relay) cutLocked() {
	for conn := range r.conns {
		conn.Close()
	}
}

// Close ends the relay and its connections and waits for its goroutines.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	r.closed = true
	r.cutLocked()
	r.mu.Unlock()
	r.wg.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // say, out of file descriptors for a moment
		}
		r.wg.Go(func() { r.serve(conn) })
	}
}

// hold registers a connection so that Block and Close end it; false means it must not live.
func (r *Relay) hold(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blocked || r.closed {
		return false
	}
	r.conns[conn] = struct{}{}
	return true
}

func (r *Relay) drop(conn net.Conn) {
	conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

func (r *Relay) serve(client net.Conn) {
	defer r.drop(client)
	if !r.hold(client) {
		return
	}
	server, err := net.DialTimeout("tcp", r.target, dialTimeout)
	if err != nil {
		return
	}
	defer r.drop(server)
	if !r.hold(server) {
		return
	}
	r.count(func(c *Records) { c.Connections++ })
	var pumps sync.WaitGroup
	pumps.Go(func() { r.pump(server, client) })
	pumps.Go(func() { r.pump(client, server) })
	pumps.Wait()
}

// pump copies one direction; its end closes that half, as a plain connection would.
func (r *Relay) pump(to, from net.Conn) {
	_, _ = io.Copy(&meter{to: to, relay: r}, from)
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

func (r *Relay) count(change func(*Records)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.records)
}

// meter passes bytes on and finds the record headers among them.
type meter struct {
	to     io.Writer
	relay  *Relay
	header [headerSize]byte
	filled int  // bytes of header present
	skip   int  // bytes of the present record still to come
	lost   bool // the stream carries no records
}

func (m *meter) Write(p []byte) (int, error) {
	m.scan(p)
	return m.to.Write(p)
}

func (m *meter) scan(p []byte) {
	for len(p) > 0 && !m.lost {
		if m.skip > 0 {
			n := min(m.skip, len(p))
			m.skip -= n
			p = p[n:]
			continue
		}
		n := copy(m.header[m.filled:], p)
		m.filled += n
		p = p[n:]
		if m.filled == headerSize {
			m.filled = 0
			m.record()
		}
	}
}

func (m *meter) record() {
	kind, major, minor := m.header[0], m.header[1], m.header[2]
	length := int(binary.BigEndian.Uint16(m.header[3:]))
	isRecord := kind >= 20 && kind <= 24 && length <= maxRecord
	m.skip = length
	m.relay.count(func(c *Records) {
		switch {
		case isRecord && major == 3:
			c.TLS++
		case isRecord && major == 1 && minor == 1:
			c.TLCP++
		default:
			c.Other++
			m.lost = true
		}
	})
}
