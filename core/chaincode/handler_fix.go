// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	"runtime/debug"

	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
)

// guarded answers a request of the chaincode with an error when serving it panics. A transaction that runs out of time has its iterators closed
// while a request may still read from them (upstream's issue 5048). What panicked goes to the log alone: answers must be the same on all
// endorsers. Around what serves it, upstream reads nothing of a request but what getTxContextForInvoke reads.
func guarded(serve handleFunc) handleFunc {
	return func(msg *pb.ChaincodeMessage, txContext *TransactionContext) (resp *pb.ChaincodeMessage, err error) {
		defer func() {
			if cause := recover(); cause != nil {
				chaincodeLogger.Errorf("[%s] panic while serving %s: %v\n%s", shorttxid(msg.Txid), msg.Type, cause, debug.Stack())
				resp, err = nil, errors.New("the peer failed to serve the request")
			}
		}()
		return serve(msg, txContext)
	}
}
