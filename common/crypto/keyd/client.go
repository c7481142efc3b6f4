// SPDX-License-Identifier: Apache-2.0

package keyd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// DefaultTimeout is how long an operation may take with everything that it waits for.
const DefaultTimeout = 10 * time.Second

// maxConns bounds the connections of a process to one daemon, and with it the operations under way.
const maxConns = 64

// Error is a failure of an operation.
type Error struct {
	Code   Code
	Op     Operation
	Name   string // of the key or device, may be empty
	Socket string
	Reason string // what the daemon or the system says
}

// Error names key, socket and reason.
func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("keyd: %v by %s: %s", e.Op, e.Socket, e.Reason)
	}
	return fmt.Sprintf("keyd: %v with %s by %s: %s", e.Op, e.Name, e.Socket, e.Reason)
}

// DeviceUnavailable means that the device could not do the operation, whatever its input was. Only a ciphertext can be at fault: a stranger
// makes it, and this process everything else. That a busy device fails a signature says nothing about the next one.
func (e *Error) DeviceUnavailable() bool { return e.Code != Failed || e.Op != OpDecrypt }

// Client speaks with one daemon. It may be used by several goroutines.
type Client struct {
	socket string
	places chan struct{} // one element for each connection in use

	mu   sync.Mutex
	idle []*conn // protected by mu; the one used last is at the end
}

type conn struct {
	net.Conn
	read *bufio.Reader
	out  []byte
}

var (
	clientsMu sync.Mutex
	clients   = map[string]*Client{} // protected by clientsMu
)

// ClientFor returns the client of this process for the daemon at the socket. It does not connect.
func ClientFor(socket string) *Client {
	clientsMu.Lock()
	defer clientsMu.Unlock()
	c := clients[socket]
	if c == nil {
		c = &Client{socket: socket, places: make(chan struct{}, maxConns)}
		clients[socket] = c
	}
	return c
}

// Do performs an operation. It replaces a connection that fails, until ctx ends, so a restart of the daemon is only a delay. A ctx
// without a deadline gets DefaultTimeout. The error is an *Error.
func (c *Client) Do(ctx context.Context, op Operation, name string, payload []byte) ([]byte, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(DefaultTimeout)
	}
	fail := func(code Code, reason string) error {
		return &Error{Code: code, Op: op, Name: name, Socket: c.socket, Reason: reason}
	}
	if !c.acquire(ctx, deadline) {
		return nil, fail(Unavailable, fmt.Sprintf("%d operations are under way and none ended in time", maxConns))
	}
	defer func() { <-c.places }()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		code, answer, err := c.tryOnce(ctx, deadline, Request{Op: op, Timeout: time.Until(deadline), Name: name, Payload: payload})
		switch {
		case errors.Is(err, ErrProtocol):
			return nil, fail(Unavailable, err.Error())
		case err == nil && code == OK:
			return answer, nil
		case err == nil:
			return nil, fail(code, string(answer))
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(wait, time.Until(deadline))):
		}
		if ctx.Err() != nil || !time.Now().Before(deadline) {
			return nil, fail(Unavailable, fmt.Sprintf("no answer in time: %v; is gmkeyd running?", err))
		}
	}
}

// acquire takes a place, and reports whether one was free in time. Only one that has to wait needs a timer, which costs some microseconds.
func (c *Client) acquire(ctx context.Context, deadline time.Time) bool {
	select {
	case c.places <- struct{}{}:
		return true
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	select {
	case c.places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// tryOnce sends a request on one connection and reads the response. If that fails the daemon has gone, and with it all connections.
func (c *Client) tryOnce(ctx context.Context, deadline time.Time, req Request) (Code, []byte, error) {
	cn, err := c.take(ctx, deadline)
	if err != nil {
		return 0, nil, err
	}
	// At the deadline of ctx itself, the answer still has its moment.
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			_ = cn.SetDeadline(time.Unix(1, 0))
		}
	})
	code, answer, err := cn.exchange(deadline, req)
	if err != nil {
		stop()
		cn.Close()
		c.closeIdle()
		return 0, nil, err
	}
	if !stop() { // the deadline of the connection may change at any time
		cn.Close()
		return code, answer, nil
	}
	c.mu.Lock()
	c.idle = append(c.idle, cn)
	c.mu.Unlock()
	return code, answer, nil
}

func (c *Client) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cn := range c.idle {
		cn.Close()
	}
	c.idle = nil
}

func (c *Client) take(ctx context.Context, deadline time.Time) (*conn, error) {
	c.mu.Lock()
	if n := len(c.idle); n != 0 {
		cn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return cn, nil
	}
	c.mu.Unlock()
	d := net.Dialer{Deadline: deadline}
	raw, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: raw, read: bufio.NewReaderSize(raw, 1024)}, nil
}

func (cn *conn) exchange(deadline time.Time, req Request) (Code, []byte, error) {
	// The daemon has the time that is named in the request; beyond it, the answer needs a moment.
	if err := cn.SetDeadline(deadline.Add(time.Second)); err != nil {
		return 0, nil, err
	}
	cn.out = AppendRequest(cn.out[:0], req)
	_, err := cn.Write(cn.out)
	clear(cn.out)
	if cap(cn.out) > maxSmall {
		cn.out = nil
	}
	if err != nil {
		// A daemon that turns a user away answers and closes without reading.
		if code, answer, readErr := readResponse(cn.read); readErr == nil && code != OK {
			return code, answer, nil
		}
		return 0, nil, err
	}
	return readResponse(cn.read)
}

// List returns the keys of all devices.
func (c *Client) List(ctx context.Context) ([]KeyState, error) {
	var keys []KeyState
	return keys, c.ask(ctx, OpList, &keys)
}

// Status returns the state of the daemon and its devices.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.ask(ctx, OpStatus, &s)
}

func (c *Client) ask(ctx context.Context, op Operation, into any) error {
	answer, err := c.Do(ctx, op, "", nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%w: %v by %s: %w", ErrProtocol, op, c.socket, err)
	}
	return nil
}
