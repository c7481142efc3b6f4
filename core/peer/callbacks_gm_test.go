// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"runtime"
	"testing"

	"github.com/hyperledger/fabric/common/channelconfig"
	configtxtest "github.com/hyperledger/fabric/common/configtx/test"
	"github.com/hyperledger/fabric/core/committer/txvalidator/plugin"
	validation "github.com/hyperledger/fabric/core/handlers/validation/api"
	ledgermocks "github.com/hyperledger/fabric/core/ledger/mock"
	"github.com/stretchr/testify/require"
)

// A callback that is added when a channel exists, as by the gateway of a peer that starts again, hears of later changes.
func TestCallbackOfAnExistingChannel(t *testing.T) {
	peerInstance, cleanup := NewTestPeer(t)
	defer cleanup()
	deployed := &ledgermocks.DeployedChaincodeInfoProvider{}
	peerInstance.Initialize(nil, nil, plugin.MapBasedMapper(map[string]validation.PluginFactory{}), deployed, nil, nil, runtime.NumCPU())
	block, err := configtxtest.MakeGenesisBlock("existing")
	require.NoError(t, err)
	require.NoError(t, peerInstance.CreateChannel("existing", block, deployed, nil, nil))

	var heard []string
	peerInstance.AddConfigCallbacks(func(bundle *channelconfig.Bundle) {
		heard = append(heard, bundle.ConfigtxValidator().ChannelID())
	})
	require.Empty(t, heard)
	source := peerInstance.Channel("existing").bundleSource
	source.Update(source.StableBundle())
	require.Equal(t, []string{"existing"}, heard)
}
