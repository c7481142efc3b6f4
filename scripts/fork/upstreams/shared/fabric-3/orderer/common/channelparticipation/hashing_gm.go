// SPDX-License-Identifier: Apache-2.0

package channelparticipation

import (
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hyperledger/fabric/bccsp/factory"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/protoutil"
)

// ValidateJoinBlock refuses a block by which the orderer cannot join a channel. It returns the channel's name.
//
//fork:wrap gm: the hashes of a join block are those of the algorithm that it names; a new channel's consenters have identities that its capabilities accept
func ValidateJoinBlock(configBlock *cb.Block) (channelID string, err error) {
	channelID, err = upstreamValidateJoinBlock(configBlock)
	if err != nil {
		return "", err
	}
	if err := protoutil.CheckConfigBlockHash(configBlock); err != nil {
		return "", err
	}
	if err := checkFirstConsenters(configBlock); err != nil {
		return "", err
	}
	return channelID, nil
}

// checkFirstConsenters judges the consenters of a first block. A later one was judged when it was ordered.
func checkFirstConsenters(block *cb.Block) error {
	if block.GetHeader().GetNumber() != 0 {
		return nil
	}
	envelope, err := protoutil.ExtractEnvelope(block, 0)
	if err != nil {
		return err
	}
	bundle, err := channelconfig.NewBundleFromEnvelope(envelope, factory.GetDefault())
	if err != nil {
		return err
	}
	return channelconfig.CheckConsenters(bundle)
}
