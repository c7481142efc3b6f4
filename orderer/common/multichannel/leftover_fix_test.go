// SPDX-License-Identifier: Apache-2.0

package multichannel

import (
	"os"
	"path/filepath"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
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

// joinBy joins the channel trade. Fabric 2.5 also asks whether it is an application channel.
func joinBy(r *Registrar, block *cb.Block) (err error) {
	switch r := any(r).(type) {
	case interface {
		JoinChannel(string, *cb.Block) (types.ChannelInfo, error)
	}:
		_, err = r.JoinChannel("trade", block)
	case interface {
		JoinChannel(string, *cb.Block, bool) (types.ChannelInfo, error)
	}:
		_, err = r.JoinChannel("trade", block, true)
	}
	return err
}

// TestLeftOverLog: the first block of a channel is refused while the log of another channel of that name is there. A later block may be of
// the channel whose log it is.
func TestLeftOverLog(t *testing.T) {
	csp, err := sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore())
	require.NoError(t, err)
	profile := genesisconfig.Load(genesisconfig.SampleDevModeSoloProfile, configtest.GetDevConfigDir())
	profile.Orderer.Organizations[0].OrdererEndpoints = []string{"127.0.0.1:7050"}
	first := encoder.New(profile).GenesisBlockForChannel("trade")

	dir := t.TempDir()
	wal, snap := filepath.Join(dir, "wal"), filepath.Join(dir, "snap")
	config := localconfig.TopLevel{
		Consensus:            map[string]any{"WALDir": wal, "SnapDir": snap, "EvictionSuspicion": "10m"},
		ChannelParticipation: localconfig.ChannelParticipation{Enabled: true},
		FileLedger:           localconfig.FileLedger{Location: dir},
	}
	factory := newFactory(dir)
	defer factory.Close()
	consenter := &mocks.Consenter{}
	consenter.HandleChainCalls(handleChainCluster)
	consenter.IsChannelMemberReturns(true, nil)
	registrar := NewRegistrar(config, factory, mockCrypto(), &disabled.Provider{}, csp, nil)
	registrar.Initialize(map[string]consensus.Consenter{profile.Orderer.OrdererType: consenter})

	require.NoError(t, os.MkdirAll(filepath.Join(wal, "other"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(wal, "other", "1.wal"), nil, 0o600))
	for _, parent := range []string{wal, snap} {
		left := filepath.Join(parent, "trade")
		require.NoError(t, os.MkdirAll(left, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(left, "1"), nil, 0o600))
		require.ErrorContains(t, joinBy(registrar, first), "has files in "+left+": for a new channel of that name, move this folder away")
		require.Empty(t, factory.ChannelIDs())
		_, _, err = registrar.resourcesToJoin("trade", &cb.Block{Header: &cb.BlockHeader{Number: 5}, Data: first.Data})
		require.NoError(t, err)
		require.NoError(t, factory.Remove("trade"))
		require.NoError(t, os.Remove(filepath.Join(left, "1")))
	}
	require.NoError(t, joinBy(registrar, first))
}
