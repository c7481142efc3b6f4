// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hyperledger/fabric/orderer/common/types"
)

// UpdateChannel gives a change of the configuration, which came to the admin endpoint, to the channel's consensus.
//
//fork:replace fix: a change for a channel that is not there, or is being removed, does not leave the orderer locked
func (r *Registrar) UpdateChannel(channelID string, envelope *cb.Envelope) (types.ChannelInfo, error) {
	chain, err := r.changeable(channelID)
	if err != nil {
		return types.ChannelInfo{}, err
	}
	config, sequence, err := chain.ProcessConfigUpdateMsg(envelope)
	if err != nil {
		return types.ChannelInfo{}, fmt.Errorf("channel %s: the configuration update is refused: %w", channelID, err)
	}
	if err := chain.WaitReady(); err != nil {
		return types.ChannelInfo{}, fmt.Errorf("channel %s: its consensus accepts nothing now: %w", channelID, err)
	}
	if err := chain.Configure(config, sequence); err != nil {
		return types.ChannelInfo{}, fmt.Errorf("channel %s: its consensus has not taken the configuration: %w", channelID, err)
	}
	info := types.ChannelInfo{Name: channelID, Height: chain.Height()}
	info.ConsensusRelation, info.Status = chain.StatusReport()
	logger.Infof("Channel %s: a configuration update was handed to its consensus", channelID)
	return info, nil
}

// changeable is the channel if this orderer takes changes for it.
func (r *Registrar) changeable(channelID string) (*ChainSupport, error) {
	r.lock.RLock()
	defer r.lock.RUnlock()
	if removal, removing := r.pendingRemoval[channelID]; removing && removal.Status == types.StatusFailed {
		return nil, types.ErrChannelRemovalFailure
	} else if removing {
		return nil, types.ErrChannelPendingRemoval
	}
	if r.followers[channelID] != nil {
		return nil, types.ErrChannelNotReady
	}
	if chain := r.chains[channelID]; chain != nil {
		return chain, nil
	}
	return nil, types.ErrChannelNotExist
}
