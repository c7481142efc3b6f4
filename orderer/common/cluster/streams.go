// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric/common/crypto"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/pkg/errors"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

const (
	// consensusPatience is how long raft's loop waits for a stream. A message that it then drops, raft sends again.
	consensusPatience = 100 * time.Millisecond
	// handOverGrace is how long a stream that is no more used for new messages may deliver those it has.
	handOverGrace = 5 * time.Second
	// submitAttempts bounds the streams that are tried for one request, and the connections for one stream.
	submitAttempts = 3
)

// Stream's fields of ours.
//
//fork:fields fix: a stream ends with its connection, not with the first message that it loses
type Stream struct {
	retired atomic.Bool // takes no new message
}

// RPC's fields of ours.
//
//fork:fields fix: raft's loop does not wait for a node that does not answer
type RPC struct {
	opening map[streamKey]*opening // protected by lock
}

// streamKey names the stream of an RPC to a node.
type streamKey struct {
	operation OperationType
	node      uint64
}

// opening is a stream that is being made. Its result is set before done is closed.
type opening struct {
	began  time.Time
	done   chan struct{}
	stream *Stream
	err    error
}

// Abort cancels all streams of the remote node in the channel.
//
//fork:replace fix: every stream of a node that leaves is cancelled, not one of several
func (rc *RemoteContext) Abort() {
	rc.streamsByID.Range(func(_, stream any) bool {
		stream.(*Stream).Cancel(errAborted)
		return true
	})
}

// NewStream waits for the connection, up to the timeout, instead of refusing while it is being made, and lets the stream
// take no message once its connection ends. A connection during whose handshake the mode was switched is made again.
//
//fork:wrap fix: what is sent while a connection is replaced waits for the new one
func (rc *RemoteContext) NewStream(timeout time.Duration) (*Stream, error) {
	if rc.conn != nil {
		awaitConnection(rc.conn, timeout)
	}
	stream, err := rc.upstreamNewStream(timeout)
	for attempt := 1; rc.conn != nil && comm.Superseded(err) && attempt < submitAttempts; attempt++ {
		reconnect(rc.conn, timeout)
		stream, err = rc.upstreamNewStream(timeout)
	}
	if err == nil && rc.conn != nil {
		go stream.follow(rc.conn)
	}
	return stream, err
}

// awaitConnection returns when an attempt at the connection has come to an end. What upstream does next fails if it failed.
func awaitConnection(conn *grpc.ClientConn, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Idle:
			conn.Connect()
		case connectivity.Connecting:
		default:
			return
		}
		if !conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

// reconnect tries a connection again at once, and waits for the outcome. gRPC would wait first, and reports the failure until it has succeeded.
func reconnect(conn *grpc.ClientConn, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn.ResetConnectBackoff()
	conn.WaitForStateChange(ctx, connectivity.TransientFailure)
	awaitConnection(conn, timeout)
}

// follow retires the stream when its connection ends or is drained (GOAWAY), and connects again for the next one.
func (stream *Stream) follow(conn *grpc.ClientConn) {
	if !conn.WaitForStateChange(stream.context(), connectivity.Ready) {
		return // the stream ended before
	}
	stream.retire()
	if conn.GetState() == connectivity.Idle {
		conn.Connect()
	}
}

// retire lets the stream deliver what it has, and take no more.
func (stream *Stream) retire() {
	if !stream.retired.Swap(true) {
		time.AfterFunc(handOverGrace, func() { stream.Cancel(errAborted) })
	}
}

// usable reports whether a new message may be given to the stream.
func (stream *Stream) usable() bool {
	return stream != nil && !stream.retired.Load() && !stream.Canceled()
}

// updateStubInMapping hands over to a new connection when the node's certificates change but one of its keys stays: that
// proves the same node. What is on its way over the old connection arrives. Any other change cuts it off at once.
//
//fork:wrap fix: a consenter whose field gains or loses one of two certificates loses no message
func (c *Comm) updateStubInMapping(channel string, mapping MemberMapping, node RemoteNode) {
	if stub := mapping.ByID(node.ID); stub != nil && changedButSame(stub.ServerTLSCert, node.ServerTLSCert) {
		stub.handOver()
	}
	c.upstreamUpdateStubInMapping(channel, mapping, node)
}

// cleanUnusedConnections leaves those some time whose node is known by another field with the same key now.
//
//fork:wrap fix: a consenter whose field gains or loses one of two certificates loses no message
func (c *Comm) cleanUnusedConnections(before StringSet) {
	now := c.serverCertsInUse()
	for old := range before {
		if _, used := now[old]; used {
			continue
		}
		for field := range now {
			if changedButSame([]byte(old), []byte(field)) {
				c.Connections.handOver([]byte(old))
				delete(before, old)
				break
			}
		}
	}
	c.upstreamCleanUnusedConnections(before)
}

// changedButSame reports whether two fields differ and have the key of a certificate in common.
func changedButSame(before, after []byte) bool {
	return string(before) != string(after) && crypto.CertificatesWithSamePublicKey(before, after) == nil
}

// handOver makes the stub take a new connection, while streams of the old one deliver what they have.
func (stub *Stub) handOver() {
	stub.lock.Lock()
	defer stub.lock.Unlock()
	if !stub.isActive() {
		return
	}
	stub.RemoteContext.streamsByID.Range(func(_, stream any) bool {
		stream.(*Stream).retire()
		return true
	})
	stub.RemoteContext = nil
}

// handOver forgets the connection at once and closes it later.
func (c *ConnectionStore) handOver(serverCert []byte) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if conn, connected := c.Connections.Lookup(serverCert); connected {
		c.Connections.Remove(serverCert)
		time.AfterFunc(handOverGrace, func() { conn.Close() })
	}
}

// getOrCreateStream returns a stream that takes messages. One goroutine makes it, however many ask. Consensus messages come
// from raft's loop, which must not stand still, or the node loses its leader or its followers: they wait
// consensusPatience for the attempt, requests of clients wait to its end.
//
//fork:replace fix: raft's loop does not wait for a node that does not answer
func (s *RPC) getOrCreateStream(destination uint64, operation OperationType) (*Stream, error) {
	if stream := s.getStream(destination, operation); stream.usable() {
		return stream, nil
	}
	o := s.open(streamKey{operation, destination})
	if operation != ConsensusOperation {
		<-o.done
		return o.stream, o.err
	}
	timer := time.NewTimer(consensusPatience - time.Since(o.began))
	defer timer.Stop()
	select {
	case <-o.done:
		return o.stream, o.err
	case <-timer.C:
		return nil, errors.Errorf("still connecting to node %d in channel %s", destination, s.Channel)
	}
}

// open returns the attempt at a stream that is under way, or begins one.
func (s *RPC) open(key streamKey) *opening {
	s.lock.Lock()
	defer s.lock.Unlock()
	if stream := s.StreamsByType[key.operation][key.node]; stream.usable() { // made since the caller looked
		o := &opening{done: make(chan struct{}), stream: stream}
		close(o.done)
		return o
	}
	if o := s.opening[key]; o != nil {
		return o
	}
	if s.opening == nil {
		s.opening = make(map[streamKey]*opening)
	}
	o := &opening{began: time.Now(), done: make(chan struct{})}
	s.opening[key] = o
	go func() {
		defer close(o.done)
		o.stream, o.err = s.newStream(key.node)
		if o.err == nil {
			s.mapStream(key.node, o.stream, key.operation)
		}
		s.lock.Lock()
		delete(s.opening, key)
		s.lock.Unlock()
	}()
	return o
}

func (s *RPC) newStream(destination uint64) (*Stream, error) {
	remote, err := s.Comm.Remote(s.Channel, destination)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	return remote.NewStream(s.Timeout)
}

// SendSubmit hands a request of a client to a node. It calls report once, with what became of the request, also when it
// returns an error. A request that a stream has refused, or has not sent because it ended, is sent over a new stream: the
// node may have closed the old one for another reason, as a drain does. If the node has received the request nevertheless, it treats
// the second one as a duplicate, like any request that a client repeats.
//
//fork:replace fix: a request whose stream has just been closed is not refused, and any refusal is reported at once
func (s *RPC) SendSubmit(destination uint64, request *orderer.SubmitRequest, report func(error)) error {
	if s.Logger.IsEnabledFor(zapcore.DebugLevel) {
		defer s.submitSent(time.Now(), destination, request)
	}
	first, err := s.submit(destination, request)
	if err != nil {
		report(err)
		return err
	}
	go func() {
		sent := first
		for attempt := 1; ; attempt++ {
			err := sent.wait()
			if !errors.Is(err, io.EOF) || attempt == submitAttempts {
				report(err)
				return
			}
			s.Logger.Infof("The transaction stream to %d has ended, trying a fresh one", destination)
			sent.stream.retire()
			if sent, err = s.submit(destination, request); err != nil {
				report(err)
				return
			}
		}
	}()
	return nil
}

// submission is a request in a stream's queue.
type submission struct {
	stream  *Stream
	outcome chan error // of sending; holds one
}

// submit queues the request in a stream.
func (s *RPC) submit(destination uint64, request *orderer.SubmitRequest) (*submission, error) {
	stream, err := s.getOrCreateStream(destination, SubmitOperation)
	if err != nil {
		return nil, err
	}
	sent := &submission{stream: stream, outcome: make(chan error, 1)}
	s.submitLock.Lock()
	defer s.submitLock.Unlock()
	step := &orderer.StepRequest{Payload: &orderer.StepRequest_SubmitRequest{SubmitRequest: request}}
	if err := stream.SendWithReport(step, func(err error) { sent.outcome <- err }); err != nil {
		sent.outcome <- io.EOF // the stream has ended, whatever the reason
	}
	return sent, nil
}

// wait returns what sending came to, io.EOF if the stream ended without sending the request.
func (sent *submission) wait() error {
	select {
	case err := <-sent.outcome:
		return err
	case <-sent.stream.commShutdown:
		return errors.New("communication has been shut down")
	case <-sent.stream.abortChan:
	}
	select {
	case err := <-sent.outcome:
		return err
	default:
		return io.EOF
	}
}
