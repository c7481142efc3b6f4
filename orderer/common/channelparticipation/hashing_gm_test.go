// SPDX-License-Identifier: Apache-2.0

package channelparticipation_test

import (
	"crypto/sha256"
	"testing"

	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/orderer/common/channelparticipation"
	"github.com/stretchr/testify/require"
)

// TestJoinBlockOfSM3 makes the first block of an SM3 channel as configtxgen does.
func TestJoinBlockOfSM3(t *testing.T) {
	profile := genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir())
	profile.Consortiums = nil
	profile.Application = genesisconfig.Load(genesisconfig.SampleSingleMSPChannelProfile, configtest.GetDevConfigDir()).Application
	profile.HashingAlgorithm = "SM3"
	_, err := encoder.NewChannelGroup(profile)
	require.ErrorContains(t, err, "needs the channel's capability GM_V2")
	profile.HashingAlgorithm = "MD5"
	_, err = encoder.NewChannelGroup(profile)
	require.ErrorContains(t, err, `unknown HashingAlgorithm "MD5"`)

	profile.HashingAlgorithm = "SM3"
	profile.Capabilities = map[string]bool{capabilities.ChannelV2_0: true, capabilities.ChannelGMV2: true}
	bootstrapper, err := encoder.NewBootstrapper(profile)
	require.NoError(t, err)
	block := bootstrapper.GenesisBlockForChannel("new")
	channel, ofApplications, err := channelparticipation.ValidateJoinBlock(block)
	require.NoError(t, err)
	require.Equal(t, "new", channel)
	require.True(t, ofApplications)

	sum := sha256.Sum256(block.Data.Data[0])
	block.Header.DataHash = sum[:]
	channel, ofApplications, err = channelparticipation.ValidateJoinBlock(block)
	require.ErrorContains(t, err, "the hash of its data is not the SM3 of them")
	require.Empty(t, channel)
	require.False(t, ofApplications)
}
