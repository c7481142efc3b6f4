// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// callsFactor bounds the calls that a listener serves at a time, as a multiple
// of HandshakesPerAddress or its default, whichever is more.
const callsFactor = 256

// calls counts the calls that a listener serves, by address, and refuses more
// where an address has its share of the bound. A call counts until its handler
// has returned. One that the client has cancelled, and one whose connection is
// gone, may continue for long, so that neither gRPC's bound on the calls of a
// connection nor one on connections bounds them. It implements stats.Handler.
type calls struct {
	max int

	mu       sync.Mutex
	total    int            // protected by mu, as all below
	bySource map[string]int // none is zero
}

func newCalls(perAddress int) *calls {
	return &calls{max: callsFactor * max(perAddress, DefaultHandshakesPerAddress), bySource: make(map[string]int)}
}

var errTooManyCalls = status.Error(codes.ResourceExhausted, "comm: this address has too many calls under way; handshakesPerAddress sets how many a listener serves")

type callSourceKey struct{}

// TagConn notes the address of a connection.
func (c *calls) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, callSourceKey{}, sourceOfAddr(info.RemoteAddr))
}

// admit is a tap.ServerInHandle: gRPC makes nothing for a call before it.
func (c *calls) admit(ctx context.Context, _ *tap.Info) (context.Context, error) {
	source, _ := ctx.Value(callSourceKey{}).(string)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total >= c.max && c.bySource[source] >= c.max/(len(c.bySource)+1) {
		return ctx, errTooManyCalls
	}
	return ctx, nil
}

// HandleRPC counts a call that begins or ends.
func (c *calls) HandleRPC(ctx context.Context, event stats.RPCStats) {
	change := 0
	switch event.(type) {
	case *stats.Begin:
		change = 1
	case *stats.End:
		change = -1
	default:
		return
	}
	source, _ := ctx.Value(callSourceKey{}).(string)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += change
	if c.bySource[source] += change; c.bySource[source] == 0 {
		delete(c.bySource, source)
	}
}

// TagRPC adds nothing.
func (c *calls) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (c *calls) HandleConn(context.Context, stats.ConnStats) {}
