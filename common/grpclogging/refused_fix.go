// SPDX-License-Identifier: Apache-2.0

package grpclogging

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/discovery"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/common/loglimit"
)

// Fabric refuses many requests in an answer, and the call then ends with the code OK, as one does in which the client has asked for nothing. The
// line of such a call says so in its field error, by which package flogging bounds the lines that strangers cause.

// refusal is the error in the line of a call that ends with the code OK. Neither client nor metrics get it.
type refusal string

func (r refusal) Error() string { return string(r) }

// GRPCStatus returns the code that the client gets.
func (refusal) GRPCStatus() *status.Status { return status.New(codes.OK, "") }

// anybodyMayCall are the methods that are answered whoever asks, with the bound on their lines.
var anybodyMayCall = map[string]*loglimit.Limit{
	"/gossip.Gossip/Ping":          {},
	"/grpc.health.v1.Health/Check": {},
}

// UnaryServerInterceptor returns an interceptor that writes a line for each call.
//
//fork:wrap fix: lines of calls that are refused, and of those that anybody may make, are bounded
func UnaryServerInterceptor(logger *zap.Logger, opts ...Option) grpc.UnaryServerInterceptor {
	logged := upstreamUnaryServerInterceptor(logger, opts...)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		logged := logged
		if limit := anybodyMayCall[info.FullMethod]; limit != nil {
			ok, leftOut := limit.Take(time.Now())
			if !ok {
				return handler(ctx, req)
			}
			if leftOut > 0 {
				logged = upstreamUnaryServerInterceptor(logger.With(zap.Int("grpc.calls_left_out", leftOut)), opts...)
			}
		}
		var answer any
		var err error
		_, _ = logged(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			if answer, err = handler(ctx, req); err == nil && refuses(answer) {
				return answer, refusal("the answer is a refusal")
			}
			return answer, err
		})
		return answer, err
	}
}

// StreamServerInterceptor returns an interceptor that writes a line for each call.
//
//fork:wrap fix: lines of calls that are refused, or in which a client asks for nothing, are bounded
func StreamServerInterceptor(logger *zap.Logger, opts ...Option) grpc.StreamServerInterceptor {
	logged := upstreamStreamServerInterceptor(logger, opts...)
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		var err error
		_ = logged(service, stream, info, func(service any, stream grpc.ServerStream) error {
			watched := &watchedStream{ServerStream: stream}
			if err = handler(service, watched); err != nil {
				return err
			}
			return watched.refusal()
		})
		return err
	}
}

// watchedStream notes whether a stream is refused. One goroutine may receive while another sends.
type watchedStream struct {
	grpc.ServerStream
	asked, refused atomic.Bool
}

// RecvMsg notes that the client has asked for something.
func (s *watchedStream) RecvMsg(message any) error {
	err := s.ServerStream.RecvMsg(message)
	if !errors.Is(err, io.EOF) {
		s.asked.Store(true)
	}
	return err
}

// SendMsg notes a refusal.
func (s *watchedStream) SendMsg(message any) error {
	if refuses(message) {
		s.refused.Store(true)
	}
	return s.ServerStream.SendMsg(message)
}

func (s *watchedStream) refusal() error {
	switch {
	case s.refused.Load():
		return refusal("an answer is a refusal")
	case !s.asked.Load():
		return refusal("the client sent nothing")
	}
	return nil
}

// refuses reports whether an answer refuses all that was asked for.
func refuses(answer any) bool {
	switch answer := answer.(type) {
	case interface{ GetStatus() common.Status }: // of orderers, and of the streams of blocks
		return answer.GetStatus() >= common.Status_BAD_REQUEST
	case *discovery.Response:
		for _, result := range answer.GetResults() {
			if result.GetError() == nil {
				return false
			}
		}
		return true
	}
	return false
}
