// SPDX-License-Identifier: Apache-2.0

package chaincode

import (
	"github.com/golang/protobuf/proto"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/pkg/errors"
)

// getTxContextForInvoke refuses what upstream would look for without a look whether it is there.
//
//fork:wrap fix: a request to invoke a chaincode that names none does not end the peer
func (h *Handler) getTxContextForInvoke(channelID, txid string, payload []byte, format string, args ...interface{}) (*TransactionContext, error) {
	spec := &pb.ChaincodeSpec{}
	if channelID == "" && proto.Unmarshal(payload, spec) == nil && spec.ChaincodeId == nil {
		return nil, errors.New("the request names no chaincode")
	}
	return h.upstreamGetTxContextForInvoke(channelID, txid, payload, format, args...)
}
