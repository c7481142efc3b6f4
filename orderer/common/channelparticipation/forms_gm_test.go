// SPDX-License-Identifier: Apache-2.0

package channelparticipation_test

import (
	"errors"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/orderer/common/channelparticipation"
)

// wrongDataHash is what the error for a first block with another hash of its data says. Upstream 2.5 does not check it.
const wrongDataHash = "the hash of its data is not the SM3 of them"

// validateJoinBlock returns the name of the block's channel, which is an application channel. Fabric 3 has no other channels.
func validateJoinBlock(block *cb.Block) (channel string, err error) {
	channel, ofApplications, err := channelparticipation.ValidateJoinBlock(block)
	if ofApplications != (err == nil) {
		return channel, errors.Join(err, errors.New("the second result does not fit the error"))
	}
	return channel, err
}
