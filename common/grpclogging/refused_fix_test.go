// SPDX-License-Identifier: Apache-2.0

package grpclogging

import (
	"bytes"
	"context"
	"errors"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/discovery"
	"github.com/hyperledger/fabric-protos-go/gossip"
	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/loglimit"
)

const flood = 4 * loglimit.Burst

// callLog returns what a flood of calls writes.
func callLog(t *testing.T, call func(l *flogging.Logging)) string {
	t.Helper()
	time.Sleep(2 * time.Second / loglimit.Rate) // the calls of another test may have used the bound up
	var out bytes.Buffer
	l, err := flogging.New(flogging.Config{Writer: &out, Format: "%{message}"})
	require.NoError(t, err)
	for range flood {
		call(l)
	}
	return out.String()
}

// checkLines checks that a flood of calls has a line each, or is bounded.
func checkLines(t *testing.T, log string, bounded bool) {
	t.Helper()
	lines := strings.Count(log, "\n")
	if bounded {
		require.NotZero(t, lines)
		require.Less(t, lines, 2*loglimit.Burst)
		return
	}
	require.Equal(t, flood, lines)
}

func failed() *discovery.QueryResult {
	return &discovery.QueryResult{Result: &discovery.QueryResult_Error{Error: &discovery.Error{Content: "access denied"}}}
}

// TestRefusedUnaryCalls: the log of calls that a stranger can have answered is bounded, and the client's answer is the handler's.
func TestRefusedUnaryCalls(t *testing.T) {
	found := &discovery.QueryResult{Result: &discovery.QueryResult_ConfigResult{ConfigResult: &discovery.ConfigResult{}}}
	for name, test := range map[string]struct {
		method  string
		answer  any
		err     error
		bounded bool
	}{
		"access denied":       {"/discovery.Discovery/Discover", &discovery.Response{Results: []*discovery.QueryResult{failed(), failed()}}, nil, true},
		"health":              {"/grpc.health.v1.Health/Check", &healthpb.HealthCheckResponse{}, nil, true},
		"no query":            {"/discovery.Discovery/Discover", &discovery.Response{}, nil, true},
		"one of two answered": {"/discovery.Discovery/Discover", &discovery.Response{Results: []*discovery.QueryResult{failed(), found}}, nil, false},
		"error":               {"/protos.Endorser/ProcessProposal", nil, status.Error(codes.PermissionDenied, "no"), true},
		"endorsed":            {"/protos.Endorser/ProcessProposal", &peer.ProposalResponse{Response: &peer.Response{Status: 200}}, nil, false},
		"ping":                {"/gossip.Gossip/Ping", &gossip.Empty{}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			handled := 0
			log := callLog(t, func(l *flogging.Logging) {
				intercept := UnaryServerInterceptor(l.ZapLogger("comm.grpc.server"))
				answer, err := intercept(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: test.method},
					func(context.Context, any) (any, error) { handled++; return test.answer, test.err })
				require.Equal(t, test.answer, answer)
				require.Equal(t, test.err, err)
			})
			require.Equal(t, flood, handled)
			checkLines(t, log, test.bounded)
			if test.err == nil {
				require.Contains(t, log, "grpc.code=OK")
			}
		})
	}
}

// stream is a stream on which a client sends so many messages.
type stream struct {
	grpc.ServerStream
	messages int
}

func (s *stream) Context() context.Context { return context.Background() }
func (s *stream) SendMsg(any) error        { return nil }
func (s *stream) RecvMsg(any) error {
	if s.messages == 0 {
		return io.EOF
	}
	s.messages--
	return nil
}

// TestRefusedStreams is the same for streams.
func TestRefusedStreams(t *testing.T) {
	lost := errors.New("lost")
	block := &peer.DeliverResponse{Type: &peer.DeliverResponse_Block{Block: &common.Block{}}}
	for name, test := range map[string]struct {
		messages int
		answers  []any
		err      error
		bounded  bool
	}{
		"nothing asked for":     {0, nil, nil, true},
		"broadcast refused":     {1, []any{&orderer.BroadcastResponse{Status: common.Status_FORBIDDEN}}, nil, true},
		"broadcast":             {1, []any{&orderer.BroadcastResponse{Status: common.Status_SUCCESS}}, nil, false},
		"blocks refused":        {1, []any{&orderer.DeliverResponse{Type: &orderer.DeliverResponse_Status{Status: common.Status_FORBIDDEN}}}, nil, true},
		"events refused":        {1, []any{&peer.DeliverResponse{Type: &peer.DeliverResponse_Status{Status: common.Status_BAD_REQUEST}}}, nil, true},
		"events":                {1, []any{block, &peer.DeliverResponse{Type: &peer.DeliverResponse_Status{Status: common.Status_SUCCESS}}}, nil, false},
		"events without an end": {1, []any{block}, nil, false},
		"error":                 {1, nil, lost, true},
	} {
		t.Run(name, func(t *testing.T) {
			log := callLog(t, func(l *flogging.Logging) {
				intercept := StreamServerInterceptor(l.ZapLogger("comm.grpc.server"))
				err := intercept(nil, &stream{messages: test.messages}, &grpc.StreamServerInfo{FullMethod: "/orderer.AtomicBroadcast/Deliver"},
					func(_ any, s grpc.ServerStream) error {
						for s.RecvMsg(nil) == nil {
							for _, answer := range test.answers {
								require.NoError(t, s.SendMsg(answer))
							}
						}
						return test.err
					})
				require.Equal(t, test.err, err)
			})
			checkLines(t, log, test.bounded)
		})
	}
}
