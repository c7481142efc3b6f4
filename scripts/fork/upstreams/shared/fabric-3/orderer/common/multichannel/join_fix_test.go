// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"path/filepath"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/hyperledger/fabric/core/config/configtest"
	"github.com/hyperledger/fabric/internal/configtxgen/encoder"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
	"github.com/hyperledger/fabric/orderer/common/multichannel/mocks"
	"github.com/hyperledger/fabric/orderer/common/types"
	"github.com/hyperledger/fabric/orderer/consensus"
)

// A block that ends the making of its channel leaves neither the block nor a ledger, and another may be tried.
func TestJoinThatEndsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	profile := genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir())
	profile.Consortiums = nil
	profile.Application = genesisconfig.Load(genesisconfig.SampleSingleMSPChannelProfile, configtest.GetDevConfigDir()).Application
	profile.Orderer.Organizations[0].OrdererEndpoints = []string{"orderer:7050"}
	block := encoder.New(profile).GenesisBlockForChannel("new")

	ends, consenter := true, &mocks.Consenter{}
	consenter.IsChannelMemberReturns(true, nil)
	consenter.HandleChainCalls(func(support consensus.ConsenterSupport, metadata *cb.Metadata) (consensus.Chain, error) {
		if ends {
			panic("bad identity")
		}
		return handleChainCluster(support, metadata)
	})
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	ledgers := newFactory(dir)
	defer ledgers.Close()
	registrar := NewRegistrar(localconfig.TopLevel{FileLedger: localconfig.FileLedger{Location: dir}}, ledgers, mockCrypto(), &disabled.Provider{}, csp, nil)
	registrar.Initialize(map[string]consensus.Consenter{profile.Orderer.OrdererType: consenter})

	info, err := registrar.JoinChannel("new", block)
	require.EqualError(t, err, "cannot join channel new by this block: bad identity")
	require.Equal(t, types.ChannelInfo{}, info)
	require.Empty(t, ledgers.ChannelIDs())
	require.NoFileExists(t, filepath.Join(dir, "pendingops", "join", "new.join"))

	ends = false
	_, err = registrar.JoinChannel("new", block)
	require.NoError(t, err)
	require.NotNil(t, registrar.GetChain("new"))
	require.Equal(t, []string{"new"}, ledgers.ChannelIDs())
	_, err = registrar.JoinChannel("new", block)
	require.ErrorIs(t, err, types.ErrChannelAlreadyExists)
	require.Equal(t, []string{"new"}, ledgers.ChannelIDs(), "a channel that is there stays")
}
