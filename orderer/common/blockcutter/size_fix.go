// SPDX-License-Identifier: Apache-2.0

package blockcutter

import (
	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
)

// MessageSize is the size of a message for the bounds of a batch: what it brings into a block, but for the tags of its two fields.
// Fields of other numbers are kept when a message is read, and written into the block. Nobody has signed them, so their size
// is the sender's choice.
func MessageSize(message *cb.Envelope) uint32 {
	known := &cb.Envelope{Payload: message.GetPayload(), Signature: message.GetSignature()}
	unknown := proto.Size(message) - proto.Size(known)
	return uint32(len(known.Payload) + len(known.Signature) + unknown)
}

// messageSizeBytes is the size by which batches are cut.
//
//fork:replace fix: fields that an envelope does not define count too, so that nobody makes blocks larger than the channel lets them be
func messageSizeBytes(message *cb.Envelope) uint32 { return MessageSize(message) }
