// SPDX-License-Identifier: Apache-2.0

package channelparticipation_test

import (
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric/orderer/common/channelparticipation"
)

// wrongDataHash is what the error for a first block with another hash of its data says: upstream's check comes first.
const wrongDataHash = "Header.DataHash is different from Hash(block.Data)"

// validateJoinBlock returns the name of the block's channel.
func validateJoinBlock(block *cb.Block) (channel string, err error) {
	return channelparticipation.ValidateJoinBlock(block)
}
