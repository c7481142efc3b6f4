// SPDX-License-Identifier: Apache-2.0

package channelparticipation_test

import (
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/genesis"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/protoutil"
)

// An orderer does not join by a first block with options of Raft that would end it, at each start again.
func TestFirstBlockThatEndsOrderers(t *testing.T) {
	first := func(tick string, inflight uint32) *cb.Block {
		profile := genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir())
		profile.Consortiums = nil
		profile.Application = genesisconfig.Load(genesisconfig.SampleSingleMSPChannelProfile, configtest.GetDevConfigDir()).Application
		root, err := encoder.NewChannelGroup(profile)
		require.NoError(t, err)
		value := channelconfig.ConsensusTypeValue("etcdraft", protoutil.MarshalOrPanic(&etcdraft.ConfigMetadata{
			Options: &etcdraft.Options{TickInterval: tick, ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: inflight},
		}))
		root.Groups[channelconfig.OrdererGroupKey].Values[value.Key()] = &cb.ConfigValue{Value: protoutil.MarshalOrPanic(value.Value())}
		return genesis.NewFactoryImpl(root).Block("new")
	}
	channel, err := validateJoinBlock(first("500ms", 5))
	require.NoError(t, err)
	require.Equal(t, "new", channel)
	for want, block := range map[string]*cb.Block{
		"TickInterval (-1s) must be a positive duration such as 500ms": first("-1s", 5),
		"MaxInflightBlocks (4294967295) must be at most 10000":         first("500ms", 1<<32-1),
	} {
		channel, err := validateJoinBlock(block)
		require.ErrorContains(t, err, want)
		require.Empty(t, channel)

		// A channel that exists has its options, whichever these are: another orderer may join it.
		block.Header.Number, block.Header.PreviousHash = 1, make([]byte, 32)
		_, err = validateJoinBlock(block)
		require.NoError(t, err)
	}
}
