// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/ledger"
)

// unread is a stream of a chaincode that sends requests, and reads when told.
type unread struct {
	requests     atomic.Int32
	max          int32
	reads, ended chan struct{}
}

func (s *unread) Recv() (*pb.ChaincodeMessage, error) {
	if s.requests.Add(1) > s.max {
		<-s.ended
		return nil, io.EOF
	}
	return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_GET_STATE, Txid: "none", ChannelId: "channel"}, nil
}

func (s *unread) Send(*pb.ChaincodeMessage) error {
	select {
	case <-s.reads:
		return nil
	case <-s.ended:
		return errors.New("the stream has ended")
	}
}

// everyRequest lets a transaction have any number of requests under way.
type everyRequest struct{}

func (everyRequest) Add(string, string) bool { return true }
func (everyRequest) Remove(string, string)   {}

func newUnread(max int32) (*unread, *Handler) {
	return &unread{max: max, reads: make(chan struct{}), ended: make(chan struct{})}, &Handler{
		state: Ready, chaincodeID: "mine:1", Registry: NewHandlerRegistry(false), TXContexts: NewTransactionContexts(),
		ActiveTransactions: everyRequest{}, Metrics: NewHandlerMetrics(&disabled.Provider{}),
	}
}

// TestChaincodeThatDoesNotRead: the peer stops reading the requests of a chaincode that does not read the answers, goes on when
// it does, and keeps nothing when the stream ends.
func TestChaincodeThatDoesNotRead(t *testing.T) {
	before := runtime.NumGoroutine()
	stream, h := newUnread(3 * maxUnderWay)
	done := make(chan error, 1)
	go func() { done <- h.ProcessStream(stream) }()
	require.Eventually(t, func() bool { return h.underWay.Load() >= maxUnderWay }, time.Minute, time.Millisecond)
	time.Sleep(200 * time.Millisecond)
	require.LessOrEqual(t, stream.requests.Load(), int32(maxUnderWay+1)) // one waits
	require.LessOrEqual(t, h.underWay.Load(), int32(2*maxUnderWay))      // requests, whose answers begin before they end

	for range 2 * maxUnderWay {
		select {
		case stream.reads <- struct{}{}:
		case <-time.After(20 * time.Second):
			t.Fatal("the peer sends nothing more to the chaincode that reads")
		}
	}
	require.Eventually(t, func() bool { return stream.requests.Load() > 3*maxUnderWay && h.underWay.Load() == maxUnderWay },
		time.Minute, time.Millisecond, "the peer does not go on when the chaincode reads")

	close(stream.ended)
	select {
	case err := <-done:
		require.Error(t, err)
	case <-time.After(time.Minute):
		t.Fatal("the stream does not end")
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+10 }, time.Minute, 10*time.Millisecond,
		"something of the stream stays")
}

// TestLongNames: what is named in an answer that waits is short.
func TestLongNames(t *testing.T) {
	_, h := newUnread(0)
	for _, m := range []*pb.ChaincodeMessage{
		{Type: pb.ChaincodeMessage_GET_STATE, Txid: strings.Repeat("t", maxNames+1)},
		{Type: pb.ChaincodeMessage_GET_STATE, ChannelId: strings.Repeat("c", maxNames+1)},
	} {
		require.ErrorContains(t, h.handleMessage(m), "longer than any")
	}
	require.NoError(t, h.handleMessage(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE}))
}

// TestChaincodesThatInvoke: requests that invoke a chaincode, and may need what comes next on the stream, do not stop it.
func TestChaincodesThatInvoke(t *testing.T) {
	stream, h := newUnread(0)
	close(stream.reads)
	h.chatStream = stream
	contexts := NewTransactionContexts()
	contexts.contexts["channel"] = &TransactionContext{TXSimulator: struct{ ledger.TxSimulator }{}}
	h.TXContexts = contexts
	answer, done := make(chan struct{}), make(chan error, 1)
	var invoking sync.WaitGroup
	invoking.Add(maxUnderWay)
	for range maxUnderWay {
		h.underWay.Add(1) // as handleMessage does
		go h.HandleTransaction(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_INVOKE_CHAINCODE, ChannelId: "channel"},
			func(*pb.ChaincodeMessage, *TransactionContext) (*pb.ChaincodeMessage, error) {
				invoking.Done()
				<-answer
				return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE}, nil
			})
	}
	invoking.Wait()
	go func() { done <- h.handleMessage(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED}) }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Error("what a chaincode that was invoked answers is not read")
	}
	close(answer)
	require.Eventually(t, func() bool { return h.underWay.Load() == 0 }, time.Minute, time.Millisecond)
}

// TestBytesUnderWay: what is under way has a bound in bytes too, whether it is requests that are served or answers that wait.
func TestBytesUnderWay(t *testing.T) {
	large := make([]byte, 1<<20) // of all messages
	message := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_GET_STATE, ChannelId: "channel", Payload: large}
	waits := func(t *testing.T, h *Handler, goesOn func()) {
		done := make(chan error, 1)
		go func() { done <- h.handleMessage(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE}) }()
		select {
		case <-done:
			t.Error("the next message is read")
		case <-time.After(200 * time.Millisecond):
		}
		goesOn()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(20 * time.Second):
			t.Error("nothing more is read")
		}
		require.Eventually(t, func() bool { return h.underWay.Load() == 0 && h.bytes.Load() == 0 }, time.Minute, time.Millisecond)
	}
	t.Run("requests", func(t *testing.T) {
		stream, h := newUnread(0)
		close(stream.reads)
		served := make(chan struct{})
		h.chatStream, h.fewer, h.ActiveTransactions = stream, make(chan struct{}, 1), slowRequests{served}
		for range maxBytes >> 20 {
			require.NoError(t, h.handleMessage(message))
		}
		waits(t, h, func() { close(served) })
	})
	t.Run("answers", func(t *testing.T) {
		stream, h := newUnread(0)
		h.chatStream, h.fewer = stream, make(chan struct{}, 1)
		for range maxBytes >> 20 {
			h.serialSendAsync(message)
		}
		waits(t, h, func() { close(stream.reads) })
	})
}

// slowRequests takes no request before it is told to.
type slowRequests struct{ served chan struct{} }

func (r slowRequests) Add(string, string) bool { <-r.served; return true }
func (slowRequests) Remove(string, string)     {}

// TestFirstAnswerCounts: of messages of one transaction that cannot be sent, and of answers to it, the first is taken, and none waits.
func TestFirstAnswerCounts(t *testing.T) {
	stream, h := newUnread(0)
	close(stream.ended)
	h.chatStream, h.errChan = stream, make(chan error, 1)
	taken := make(chan *pb.ChaincodeMessage, 1)
	contexts := NewTransactionContexts()
	contexts.contexts["channel"] = &TransactionContext{ResponseNotifier: taken}
	h.TXContexts = contexts
	before := runtime.NumGoroutine()
	for range 30 {
		h.serialSendAsync(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE, ChannelId: "channel"})
	}
	require.Eventually(t, func() bool { return h.underWay.Load() == 0 && runtime.NumGoroutine() < before+10 }, 10*time.Second, time.Millisecond, "some of them wait")
	require.Equal(t, pb.ChaincodeMessage_ERROR, (<-taken).Type)
	require.NoError(t, h.handleMessage(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, ChannelId: "channel", Payload: []byte("first")}))
	done := make(chan error, 1)
	go func() {
		done <- h.handleMessage(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, ChannelId: "channel"})
	}()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Error("the stream waits")
	}
	require.Equal(t, "first", string((<-taken).Payload))
}
