// SPDX-License-Identifier: Apache-2.0

package channelparticipation

import (
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/orderer/consensus/etcdraft"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
	"github.com/hyperledger/fabric/protoutil"
)

// ValidateJoinBlock refuses a block by which the orderer cannot join a channel. It returns the channel's name.
//
//fork:wrap gm: the hashes of a join block are those of the algorithm that it names; a new channel's consenters have identities that its capabilities accept, and its consensus is one with which orderers can go on
func ValidateJoinBlock(configBlock *cb.Block) (channelID string, err error) {
	channelID, err = upstreamValidateJoinBlock(configBlock)
	if err != nil {
		return "", err
	}
	if err := protoutil.CheckConfigBlockHash(configBlock); err != nil {
		return "", err
	}
	if err := checkFirst(configBlock, channelconfig.CheckConsenters, checkSmartBFT, etcdraft.CheckFirst); err != nil {
		return "", err
	}
	return channelID, nil
}

var logger = flogging.MustGetLogger("orderer.common.channelparticipation")

// checkSmartBFT judges a first block as an update of a channel that has no configuration yet.
func checkSmartBFT(first channelconfig.Resources) error {
	if err := util.Check(nil, first); err != nil {
		return err
	}
	if err := util.CheckFirstSize(first); err != nil {
		logger.Warnf("Channel %s may stand still when its leader fails. Lower AbsoluteMaxBytes: %s", first.ConfigtxValidator().ChannelID(), err)
	}
	return nil
}
