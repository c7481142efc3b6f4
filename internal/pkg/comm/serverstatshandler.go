// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"

	"github.com/hyperledger/fabric/common/metrics"
	"google.golang.org/grpc/stats"
)

// ServerStatsHandler counts the connections of gRPC servers. It implements
// stats.Handler.
type ServerStatsHandler struct {
	OpenConnCounter   metrics.Counter
	ClosedConnCounter metrics.Counter
}

// TagRPC adds nothing.
func (h *ServerStatsHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return ctx
}

// HandleRPC does nothing.
func (h *ServerStatsHandler) HandleRPC(context.Context, stats.RPCStats) {}

// TagConn adds nothing.
func (h *ServerStatsHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}

// HandleConn counts a connection that begins or ends.
func (h *ServerStatsHandler) HandleConn(_ context.Context, event stats.ConnStats) {
	if _, begins := event.(*stats.ConnBegin); begins {
		h.OpenConnCounter.Add(1)
	}
	if _, ends := event.(*stats.ConnEnd); ends {
		h.ClosedConnCounter.Add(1)
	}
}
