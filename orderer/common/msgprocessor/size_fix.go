// SPDX-License-Identifier: Apache-2.0

package msgprocessor

import (
	cb "github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/orderer/common/blockcutter"
)

// messageByteSize is the size by which a message is refused. It is that by which batches are cut.
//
//fork:replace fix: fields that an envelope does not define count too, so that nobody gets more ordered than the channel lets a message have
func messageByteSize(message *cb.Envelope) uint32 { return blockcutter.MessageSize(message) }
