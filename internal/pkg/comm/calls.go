// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// callsFactor bounds the calls that a listener serves at a time, as a multiple
// of HandshakesPerAddress or its default, whichever is more.
const callsFactor = 256

// calls counts the calls that a listener serves, by address, and refuses more
// where an address has its share of the bound. It implements stats.Handler.
type calls struct {
	max int

	mu       sync.Mutex
	total    int            // protected by mu, as all below
	bySource map[string]int // none is zero
	answers
}

func newCalls(perAddress int) *calls {
	return &calls{
		max: callsFactor * max(perAddress, DefaultHandshakesPerAddress), bySource: make(map[string]int),
		answers: answers{most: maxAnswerBytes, conns: make(map[*connCalls]struct{})},
	}
}

var (
	errTooManyCalls = status.Error(codes.ResourceExhausted, "comm: this address has too many calls under way; handshakesPerAddress sets how many a listener serves")
	errCallsNotRead = errors.New("comm: this address has too many calls under way and does not take the answers")
)

// connCalls is what one connection has of the calls of its listener. A call counts
// until its handler has returned: one that the client has cancelled, and one whose
// connection is gone, may continue for long. It also counts as long as gRPC may
// hold it: until its end is written, and if the client has reset it, until gRPC has
// nothing left to send. A handler returns before the client takes its answer.
type connCalls struct {
	calls  *calls
	source string

	running int              // handlers; protected by calls.mu, as all below
	open    map[uint32]int64 // streams whose end is not written, with the bytes of their answers that are kept; nil: no frames tell of calls, only gRPC
	newest  uint32           // of all streams
	reset   atomic.Int64     // streams that were reset since gRPC had nothing left to send; each write reads it without the lock
	counted int
	gone    bool
	kept
}

// connection returns the part of a new connection whose frames are followed.
func (c *calls) connection(source string) *connCalls {
	return &connCalls{calls: c, source: source, open: make(map[uint32]int64)}
}

// countLocked counts after a change.
func (cc *connCalls) countLocked() {
	c, now := cc.calls, max(cc.running, len(cc.open)+int(cc.reset.Load()))
	change := now - cc.counted
	if change == 0 {
		return
	}
	cc.counted = now
	c.total += change
	if c.bySource[cc.source] += change; c.bySource[cc.source] == 0 {
		delete(c.bySource, cc.source)
	}
}

// begun notes a stream that the client opens. Calls beyond the bound are refused,
// so that only a client that does not take these answers comes to twice the bound,
// where its connection ends with the error.
func (cc *connCalls) begun(stream uint32) error {
	c := cc.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if cc.gone || stream <= cc.newest {
		return nil
	}
	if c.fullLocked(cc.source, 2*c.max, 0) {
		return errCallsNotRead
	}
	cc.newest = stream
	cc.open[stream] = 0
	c.conns[cc] = struct{}{}
	cc.countLocked()
	return nil
}

// ended notes a stream whose end is written, or which the client has reset.
func (cc *connCalls) ended(stream uint32, reset bool) {
	cc.calls.mu.Lock()
	defer cc.calls.mu.Unlock()
	bytes, open := cc.open[stream]
	if !open {
		return
	}
	delete(cc.open, stream)
	if reset {
		cc.reset.Add(1)
		cc.ofReset += bytes
	} else {
		cc.keepLocked(-bytes)
	}
	cc.countLocked()
}

// sent notes that gRPC has nothing left to send.
func (cc *connCalls) sent() {
	if cc.reset.Load() == 0 {
		return
	}
	cc.calls.mu.Lock()
	defer cc.calls.mu.Unlock()
	cc.reset.Store(0)
	cc.keepLocked(-cc.ofReset)
	cc.ofReset = 0
	cc.countLocked()
}

// close notes the end of the connection. Its handlers still count.
func (cc *connCalls) close() {
	cc.calls.mu.Lock()
	defer cc.calls.mu.Unlock()
	cc.closeLocked()
}

func (cc *connCalls) closeLocked() {
	cc.gone = true
	cc.reset.Store(0)
	cc.ofReset = 0
	clear(cc.open)
	cc.keepLocked(-cc.bytes)
	delete(cc.calls.conns, cc)
	cc.countLocked()
}

// fullLocked reports whether there are so many calls and the source has its share,
// not counting some that it begins.
func (c *calls) fullLocked(source string, most, begins int) bool {
	own, sources := c.bySource[source]-begins, len(c.bySource)
	if own == 0 && begins > 0 {
		sources--
	}
	return c.total-begins >= most && own >= most/(sources+1)
}

type connCallsKey struct{}

// TagConn notes which connection calls are of.
func (c *calls) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	cc := &connCalls{calls: c, source: sourceOfAddr(info.RemoteAddr)}
	if t := connectionOf(ctx); t != nil && t.calls != nil && t.calls.calls == c {
		cc = t.calls
	}
	return context.WithValue(ctx, connCallsKey{}, cc)
}

// admit is a tap.ServerInHandle: gRPC makes little for a call before it.
func (c *calls) admit(ctx context.Context, _ *tap.Info) (context.Context, error) {
	cc := ctx.Value(connCallsKey{}).(*connCalls)
	begins := 0
	if cc.open != nil {
		begins = 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fullLocked(cc.source, c.max, begins) {
		return ctx, errTooManyCalls
	}
	return context.WithValue(ctx, answerKey{}, &answer{conn: cc, stream: cc.newest}), nil
}

// HandleRPC counts a handler that begins or ends, and a message that gRPC has taken.
func (c *calls) HandleRPC(ctx context.Context, event stats.RPCStats) {
	change := 0
	switch event := event.(type) {
	case *stats.Begin:
		change = 1
	case *stats.End:
		change = -1
	case *stats.OutPayload:
		if a, ok := ctx.Value(answerKey{}).(*answer); ok {
			a.passed(event.WireLength)
		}
		return
	default:
		return
	}
	cc := ctx.Value(connCallsKey{}).(*connCalls)
	c.mu.Lock()
	defer c.mu.Unlock()
	cc.running += change
	cc.countLocked()
}

// TagRPC adds nothing.
func (c *calls) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (c *calls) HandleConn(context.Context, stats.ConnStats) {}
