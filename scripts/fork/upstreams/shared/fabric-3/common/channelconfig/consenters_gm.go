// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"

	"github.com/hyperledger/fabric/common/consenter"
)

// consensusBFT is the ConsensusType of SmartBFT.
const consensusBFT = "BFT"

// CheckConsenters refuses a configuration by which everyone who verifies blocks would refuse those that a consenter signs: the channel
// accepts one form of each identity, and the configuration has the consenter's in another. If fewer than a quorum were left, the channel
// would stand still for ever, as the block that mends it would be refused too.
//
// Orderers ask before they order a configuration, and nobody asks about one that was ordered: its block is as valid on a node that does
// not know this check.
func CheckConsenters(next Resources) error {
	orderers, ok := next.OrdererConfig()
	if !ok || orderers.ConsensusType() != consensusBFT || !next.ChannelConfig().Capabilities().MSPVersion().OneForm() {
		return nil
	}
	for _, c := range orderers.Consenters() {
		if err := consenter.CheckIdentity(c.GetIdentity()); err != nil {
			return fmt.Errorf("consenter %d (%s:%d): its identity has another form than nodes write, and peers of a channel with GM_V1 refuse the blocks that it signs; "+
				"correct it with consortium update replace-orderer, before the channel has GM_V1, or in this update (gmtls upgrade-check finds all such consenters): %w",
				c.GetId(), c.GetHost(), c.GetPort(), err)
		}
	}
	return nil
}
