// SPDX-License-Identifier: Apache-2.0

package encoder

import (
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
)

// NewChannelGroup makes the configuration of a channel, and refuses a HashingAlgorithm that no node would take.
//
//fork:wrap gm: a wrong HashingAlgorithm is refused before a channel is made with it
func NewChannelGroup(conf *genesisconfig.Profile) (*cb.ConfigGroup, error) {
	if conf.HashingAlgorithm != "" {
		if err := channelconfig.CheckHashingAlgorithm(conf.HashingAlgorithm, conf.Capabilities[capabilities.ChannelGMV2]); err != nil {
			return nil, err
		}
	}
	return upstreamNewChannelGroup(conf)
}
