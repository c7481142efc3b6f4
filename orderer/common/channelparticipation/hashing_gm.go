// SPDX-License-Identifier: Apache-2.0

package channelparticipation

import (
	cb "github.com/hyperledger/fabric-protos-go/common"

	"github.com/hyperledger/fabric/orderer/consensus/etcdraft"
	"github.com/hyperledger/fabric/protoutil"
)

// ValidateJoinBlock refuses a block by which the orderer cannot join a channel. It returns the channel's name, and whether it is an
// application channel.
//
//fork:wrap gm: the hashes of a join block are those of the algorithm that it names, and options of Raft with which orderers would end are refused in a first block
func ValidateJoinBlock(configBlock *cb.Block) (channelID string, isAppChannel bool, err error) {
	channelID, isAppChannel, err = upstreamValidateJoinBlock(configBlock)
	if err != nil {
		return "", false, err
	}
	if err := protoutil.CheckConfigBlockHash(configBlock); err != nil {
		return "", false, err
	}
	if err := checkFirst(configBlock, etcdraft.CheckFirst); err != nil {
		return "", false, err
	}
	return channelID, isAppChannel, nil
}
