// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/orderer/consensus/smartbft/util"
)

// checkUpdate judges the configuration that an update makes: before it is proposed, and with SmartBFT also on each consenter that is to
// agree to it. It is not asked at a start, about a configuration that was ordered.
func (cs *ChainSupport) checkUpdate(next channelconfig.Resources) error {
	if err := checkResources(next); err != nil {
		return err
	}
	if err := channelconfig.CheckConsenters(next); err != nil {
		return err
	}
	return util.Check(cs.ledgerResources, next)
}
