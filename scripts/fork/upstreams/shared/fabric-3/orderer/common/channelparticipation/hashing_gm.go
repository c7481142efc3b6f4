// SPDX-License-Identifier: Apache-2.0

package channelparticipation

import (
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric/protoutil"
)

// ValidateJoinBlock refuses a block by which the orderer cannot join a channel. It returns the channel's name.
//
//fork:wrap gm: the hashes of a join block are those of the algorithm that it names
func ValidateJoinBlock(configBlock *cb.Block) (channelID string, err error) {
	channelID, err = upstreamValidateJoinBlock(configBlock)
	if err != nil {
		return "", err
	}
	if err := protoutil.CheckConfigBlockHash(configBlock); err != nil {
		return "", err
	}
	return channelID, nil
}
