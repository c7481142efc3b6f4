// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	"github.com/hyperledger/fabric/common/loglimit"
)

// maxAnswerBytes bounds the bytes of answers that all clients of a listener have
// not taken, at the least answersFactor messages of the greatest size. gRPC holds
// a message of each stream, and the handler waits with the next one, so that a
// small request for blocks can make a node keep two of them.
const (
	maxAnswerBytes = 1 << 30
	answersFactor  = 4
)

// stalledAfter is how long a connection that has answers may take none of their
// bytes before it is the first to be closed.
const stalledAfter = 5 * time.Second

// messageHeader is the length of what gRPC puts before a message.
const messageHeader = 5

// answers are the bytes of answers that clients of a listener have not taken.
// When they are too many, connections are closed, one for each message beyond:
// first those that take nothing, and of these or of all those of the address with
// the most bytes, of which the one with the most.
type answers struct {
	most int64 // constant

	bytes    int64                   // protected by the mutex of calls, as all below
	conns    map[*connCalls]struct{} // that have had calls, and are not closed
	warnings loglimit.Limit
}

// kept is what one connection keeps of these bytes.
type kept struct {
	shut func() error // closes the connection; constant

	bytes   int64     // protected by calls.mu, as all below
	ofReset int64     // of bytes, of streams that were reset since gRPC had nothing left to send
	took    time.Time // when the client last took some, or had taken all
}

// keepLocked adds bytes to what is kept, or takes them away.
func (cc *connCalls) keepLocked(change int64) {
	if cc.bytes == 0 && change > 0 {
		cc.took = time.Now()
	}
	cc.bytes += change
	cc.calls.answers.bytes += change
}

// hold adds bytes of an answer, unless its stream has ended.
func (cc *connCalls) hold(stream uint32, change int64) {
	c := cc.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := cc.open[stream]; !open || change == 0 {
		return
	}
	cc.open[stream] += change
	cc.keepLocked(change)
	if change > 0 && c.answers.bytes > c.most {
		c.closeOneLocked()
	}
}

// taken notes bytes of an answer that are written.
func (cc *connCalls) taken(stream uint32, n int) {
	c := cc.calls
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := cc.open[stream]; open {
		cc.open[stream] -= int64(n)
		cc.keepLocked(-int64(n))
		cc.took = time.Now()
	}
}

// closeOneLocked closes the connection that is to go first.
func (c *calls) closeOneLocked() {
	bySource := make(map[string]int64)
	for cc := range c.conns {
		bySource[cc.source] += cc.bytes
	}
	now := time.Now()
	before := func(a, b *connCalls) bool {
		if stalled := a.stalled(now); stalled != b.stalled(now) {
			return stalled
		}
		if ofA, ofB := bySource[a.source], bySource[b.source]; ofA != ofB {
			return ofA > ofB
		}
		return a.bytes > b.bytes
	}
	var first *connCalls
	for cc := range c.conns {
		if cc.bytes > 0 && (first == nil || before(cc, first)) {
			first = cc
		}
	}
	if first == nil {
		return
	}
	if ok, note := c.warnings.Allow(now); ok {
		commLogger.Warningf("Closing a connection from %s, which has not taken %d KiB of answers: all clients of this listener together have not taken %d MiB%s",
			first.source, first.bytes>>10, c.answers.bytes>>20, note)
	}
	first.closeLocked()
	go first.shut() // may wait to send close_notify
}

// stalled reports whether the client takes nothing of what is kept for it.
func (cc *connCalls) stalled(now time.Time) bool { return now.Sub(cc.took) > stalledAfter }

type answerKey struct{}

// answer is what a call answers.
type answer struct {
	conn    *connCalls
	stream  uint32
	waiting int64 // bytes of the message that gRPC has not taken; used by the sending goroutine only
}

// wait counts a message that is handed to gRPC, which may take it only when
// the client has taken the one before.
func (a *answer) wait(n int64) {
	a.conn.hold(a.stream, n-a.waiting)
	a.waiting = n
}

// passed counts a message that gRPC has taken, by its length on the connection.
func (a *answer) passed(n int) {
	a.conn.hold(a.stream, int64(n)-a.waiting)
	a.waiting = 0
}

// countMessages is a grpc.StreamServerInterceptor that counts messages which wait.
func countMessages(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if a, ok := stream.Context().Value(answerKey{}).(*answer); ok {
		stream = &countedStream{stream, a}
	}
	return handler(server, stream)
}

type countedStream struct {
	grpc.ServerStream
	answer *answer
}

// SendMsg counts the message as long as it waits. What gRPC has taken, HandleRPC
// counts. If gRPC takes none, the stream ends, and nothing of it counts.
func (s *countedStream) SendMsg(m any) error {
	s.answer.wait(messageSize(m))
	return s.ServerStream.SendMsg(m)
}

// messageSize returns the length of a message on the connection.
func messageSize(m any) int64 {
	switch m := m.(type) {
	case proto.Message:
		return messageHeader + int64(proto.Size(m))
	case protoadapt.MessageV1:
		return messageHeader + int64(proto.Size(protoadapt.MessageV2Of(m)))
	}
	return messageHeader // not of Fabric, which has no other messages
}
