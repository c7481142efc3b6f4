// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	"fmt"
	"runtime/debug"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
)

// HandleTransaction answers a request of the chaincode with an error when serving it panics. A transaction that runs out of
// time has its iterators closed while a request may still read from them (upstream's issue 5048), and upstream looks for the
// name in a request to invoke a chaincode that names none. What panicked goes to the log alone: answers must be the same on all
// endorsers.
//
//fork:wrap fix: a request of a chaincode whose transaction has run out of time, or that lacks a part, does not end the peer
func (h *Handler) HandleTransaction(msg *pb.ChaincodeMessage, delegate handleFunc) {
	defer func() {
		if cause := recover(); cause != nil {
			h.ActiveTransactions.Remove(msg.ChannelId, msg.Txid)
			text := fmt.Sprintf("%s failed: transaction ID: %s: %s", msg.Type, msg.Txid, servingPanicked(msg, cause))
			h.serialSendAsync(&pb.ChaincodeMessage{
				Type: pb.ChaincodeMessage_ERROR, Payload: []byte(text), Txid: msg.Txid, ChannelId: msg.ChannelId,
			})
		}
	}()
	h.upstreamHandleTransaction(msg, func(msg *pb.ChaincodeMessage, txContext *TransactionContext) (resp *pb.ChaincodeMessage, err error) {
		defer func() {
			if cause := recover(); cause != nil {
				resp, err = nil, servingPanicked(msg, cause)
			}
		}()
		return delegate(msg, txContext)
	})
}

// servingPanicked logs the cause, and returns what the chaincode is told.
func servingPanicked(msg *pb.ChaincodeMessage, cause any) error {
	chaincodeLogger.Errorf("[%s] panic while serving %s: %v\n%s", shorttxid(msg.Txid), msg.Type, cause, debug.Stack())
	return errors.New("the peer failed to serve the request")
}
