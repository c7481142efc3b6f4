// SPDX-License-Identifier: Apache-2.0

package identifytxs

import (
	"github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/core/ledger/kvledger/txmgmt/rwsetutil"
	"github.com/hyperledger/fabric/protoutil"
)

// unreadable reports whether a message of a block is no transaction whose writes can be read. Such a message is in the block with a
// verdict that it is invalid, and has written nothing.
func unreadable(message []byte) bool {
	envelope, err := protoutil.GetEnvelopeFromBlock(message)
	if err != nil {
		return true
	}
	payload, err := protoutil.UnmarshalPayload(envelope.GetPayload())
	if err != nil || payload.Header == nil {
		return true
	}
	header, err := protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader)
	if err != nil {
		return true
	}
	if common.HeaderType(header.Type) != common.HeaderType_ENDORSER_TRANSACTION {
		return false
	}
	action, err := protoutil.GetActionFromEnvelope(message)
	return err != nil || new(rwsetutil.TxRwSet).FromProtoBytes(action.GetResults()) != nil
}
