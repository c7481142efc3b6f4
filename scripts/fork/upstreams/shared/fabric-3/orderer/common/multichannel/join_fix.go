// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hyperledger/fabric/orderer/common/types"
)

// JoinChannel joins a channel by a config block. An error that its consensus ends with is the caller's: the server would recover from it,
// and the ledger with the block would stay, so that the orderer would end with the same error at its next start.
//
//fork:wrap fix: a block that ends the making of its channel leaves nothing that ends each later start of the orderer
func (r *Registrar) JoinChannel(channelID string, configBlock *cb.Block) (info types.ChannelInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			info, err = types.ChannelInfo{}, fmt.Errorf("cannot join channel %s by this block: %v", channelID, p)
			r.forget(channelID)
		}
	}()
	return r.upstreamJoinChannel(channelID, configBlock)
}

// forget removes what a join that did not come to an end has left on disk. A channel that is registered keeps everything.
func (r *Registrar) forget(channelID string) {
	r.lock.Lock()
	defer r.lock.Unlock()
	_, leads := r.chains[channelID]
	_, follows := r.followers[channelID]
	_, leaves := r.pendingRemoval[channelID]
	if leads || follows || leaves {
		return
	}
	if err := r.removeJoinBlock(channelID); err != nil {
		logger.Warningf("The join block of channel %s remains: %v", channelID, err)
	}
	if err := r.ledgerFactory.Remove(channelID); err != nil {
		logger.Warningf("The ledger of channel %s remains: %v", channelID, err)
	}
}
