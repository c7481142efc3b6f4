// SPDX-License-Identifier: Apache-2.0

package server

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/orderer/common/types"
)

// JoinChannel joins the channel of the block.
func (l *leaving) JoinChannel(channel string, block *cb.Block, isAppChannel bool) (types.ChannelInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := l.ChannelManagement.JoinChannel(channel, block, isAppChannel)
	if err != nil {
		l.forget("")
	}
	return info, err
}
