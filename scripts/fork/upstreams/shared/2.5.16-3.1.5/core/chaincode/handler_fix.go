// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	"github.com/golang/protobuf/proto"
	pb "github.com/hyperledger/fabric-protos-go/peer"
)

// HandleTransaction counts a request off when it is served; handleMessage has counted it. What panics while it is served is upstream's
// to answer in this version.
//
//fork:wrap fix: a request of a chaincode that has been served is under way no more
func (h *Handler) HandleTransaction(msg *pb.ChaincodeMessage, delegate handleFunc) {
	size := proto.Size(msg)
	defer h.ended(size)
	h.upstreamHandleTransaction(msg, func(msg *pb.ChaincodeMessage, txContext *TransactionContext) (*pb.ChaincodeMessage, error) {
		if msg.Type == pb.ChaincodeMessage_INVOKE_CHAINCODE { // it may need what comes next on this stream
			h.ended(size)
			defer h.begun(size)
		}
		return delegate(msg, txContext)
	})
}
