// SPDX-License-Identifier: Apache-2.0

package channelparticipation_test

import (
	"crypto/sha256"
	"testing"

	"github.com/hyperledger/fabric/common/capabilities"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
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
	channel, err := validateJoinBlock(block)
	require.NoError(t, err)
	require.Equal(t, "new", channel)

	sum := sha256.Sum256(block.Data.Data[0])
	block.Header.DataHash = sum[:]
	channel, err = validateJoinBlock(block)
	require.ErrorContains(t, err, wrongDataHash)
	require.Empty(t, channel)

	// A later block with the hashes of another channel's chain.
	block.Header.Number, block.Header.PreviousHash = 1, sum[:]
	channel, err = validateJoinBlock(block)
	require.ErrorContains(t, err, "its previous hash is not one of SM3")
	require.Empty(t, channel)
}
