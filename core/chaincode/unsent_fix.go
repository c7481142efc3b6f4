// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	"sync/atomic"

	"github.com/golang/protobuf/proto"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"

	"github.com/hyperledger/fabric/core/container/ccintf"
)

// Bounds of what a peer keeps of a chaincode that sends requests and does not read the answers. A transaction has one request
// under way, and with the default peer.limits.concurrency a peer serves 3,000 transactions at a time. What is under way may exceed
// maxBytes by the last message and by one answer of each transaction. A transaction has an identifier of 64 characters, and a channel a
// name of at most 249.
const (
	maxUnderWay = 5000
	maxBytes    = 512 << 20
	maxNames    = 1024
)

//fork:fields fix: what is under way on a stream of a chaincode is counted
type Handler struct {
	underWay atomic.Int32  // requests that are served, and messages that wait until the chaincode reads
	bytes    atomic.Int64  // of them
	fewer    chan struct{} // has an element when one of them has ended
}

// ProcessStream serves the stream as upstream does.
//
//fork:wrap fix: a chaincode that does not read its answers is not read either
func (h *Handler) ProcessStream(stream ccintf.ChaincodeStream) error {
	h.fewer = make(chan struct{}, 1)
	return h.upstreamProcessStream(stream)
}

// handleMessage lets the stream wait while too much is under way. What is waited for ends by itself, or when the chaincode reads,
// which no chaincode makes depend on its writing: the shim reads in a goroutine of its own. A request that invokes a chaincode may
// need what comes next on this stream, and does not count while it is served.
//
//fork:wrap fix: a chaincode cannot make the peer keep requests and answers without bound
func (h *Handler) handleMessage(msg *pb.ChaincodeMessage) error {
	if len(msg.Txid)+len(msg.ChannelId) > maxNames {
		return errors.New("the names of transaction and channel are longer than any that the peer has")
	}
	for h.underWay.Load() >= maxUnderWay || h.bytes.Load() >= maxBytes {
		<-h.fewer
	}
	switch msg.Type {
	case pb.ChaincodeMessage_REGISTER, pb.ChaincodeMessage_KEEPALIVE, pb.ChaincodeMessage_COMPLETED, pb.ChaincodeMessage_ERROR:
	default: // HandleTransaction counts it no more
		h.begun(proto.Size(msg))
	}
	return h.upstreamHandleMessage(msg)
}

// HandleTransaction serves a request, and counts it off then.
//
//fork:wrap fix: a request of a chaincode is counted while it is served, and one whose transaction has run out of time does not end the peer
func (h *Handler) HandleTransaction(msg *pb.ChaincodeMessage, delegate handleFunc) {
	size := proto.Size(msg)
	defer h.ended(size)
	serve := guarded(delegate)
	h.upstreamHandleTransaction(msg, func(msg *pb.ChaincodeMessage, txContext *TransactionContext) (*pb.ChaincodeMessage, error) {
		if msg.Type == pb.ChaincodeMessage_INVOKE_CHAINCODE { // it may need what comes next on this stream
			h.ended(size)
			defer h.begun(size)
		}
		return serve(msg, txContext)
	})
}

func (h *Handler) begun(size int) {
	h.underWay.Add(1)
	h.bytes.Add(int64(size))
}

func (h *Handler) ended(size int) {
	h.underWay.Add(-1)
	h.bytes.Add(-int64(size))
	select {
	case h.fewer <- struct{}{}:
	default:
	}
}

// serialSendAsync sends a message in its turn. The first message that cannot be sent ends the stream; nobody would take the errors
// of further ones, which would wait for ever.
//
//fork:replace fix: messages that wait until a chaincode reads are counted, and leave nothing behind when its stream ends
func (h *Handler) serialSendAsync(msg *pb.ChaincodeMessage) {
	size := len(msg.Payload) + len(msg.GetProposal().GetProposalBytes()) // the peer made the message
	h.begun(size)
	go func() {
		err := h.serialSend(msg)
		h.ended(size)
		if err == nil {
			return
		}
		h.Notify(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_ERROR, Payload: []byte(err.Error()), Txid: msg.Txid, ChannelId: msg.ChannelId})
		select {
		case h.errChan <- err:
		default:
		}
	}()
}
