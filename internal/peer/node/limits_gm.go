// SPDX-License-Identifier: Apache-2.0

package node

import (
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"github.com/hyperledger/fabric/common/semaphore"
)

// firstMessageLimiter bounds the streams of a service that are served at a
// time, by peer.limits.concurrency. A stream counts from its first message on:
// one that stays silent, as a client without a certificate can open by the
// thousand, takes nobody's place. The listener bounds silent streams by address.
func firstMessageLimiter(semaphores map[string]semaphore.Semaphore) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		service := getServiceName(info.FullMethod)
		places, ok := semaphores[service]
		if !ok {
			return handler(srv, stream)
		}
		limited := &limitedStream{ServerStream: stream, service: service, places: places}
		defer limited.leave()
		return handler(srv, limited)
	}
}

// limitedStream takes one of the places of its service with its first message.
type limitedStream struct {
	grpc.ServerStream
	service string
	places  semaphore.Semaphore

	mu    sync.Mutex // a handler may leave a reader behind
	taken bool
	left  bool
}

// RecvMsg receives a message. Where the first one finds no place, it says so
// instead.
func (s *limitedStream) RecvMsg(message any) error {
	if err := s.ServerStream.RecvMsg(message); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken || s.left {
		return nil
	}
	if !s.places.TryAcquire() {
		logger.Errorf("Too many requests for %s, exceeding concurrency limit (%d)", s.service, cap(s.places))
		return errors.Errorf("too many requests for %s, exceeding concurrency limit (%d)", s.service, cap(s.places))
	}
	s.taken = true
	return nil
}

// leave gives the place back.
func (s *limitedStream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
	if s.taken {
		s.places.Release()
		s.taken = false
	}
}
