// SPDX-License-Identifier: Apache-2.0

//fork:file fix: an orderer that joins or follows a channel does not depend on what one other orderer claims

package follower_test

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/orderer/common/follower"
	"github.com/hyperledger/fabric/orderer/common/types"
	"github.com/hyperledger/fabric/protoutil"
)

// following starts a follower that pulls by the given function.
func following(t *testing.T, joinBlock *common.Block, pull func(uint64) *common.Block) *follower.Chain {
	t.Helper()
	ledgerResources.AppendCalls(localBlockchain.Append)
	mockClusterConsenter.IsChannelMemberCalls(amIReallyInChannel)
	puller.PullBlockCalls(pull)
	switches()
	chain, err := follower.NewChain(ledgerResources, mockClusterConsenter, joinBlock, options, pullerFactory, mockChainCreator, cryptoProvider, mockChannelParticipationMetricsReporter)
	require.NoError(t, err)
	chain.Start()
	t.Cleanup(chain.Halt)
	return chain
}

func ended(c *follower.Chain) func() bool { return func() bool { return !c.IsRunning() } }

// TestFollowerWithFalseHeight: an orderer claims a height that the channel never has. The node becomes a consenter all the same.
func TestFollowerWithFalseHeight(t *testing.T) {
	globalSetup(t)
	remoteBlockchain.fill(5)
	localBlockchain.fill(3)
	claimHeight(1 << 60)
	chain := following(t, nil, remoteBlockchain.Block)
	require.Eventually(t, func() bool { return localBlockchain.Height() == 5 }, 10*time.Second, time.Millisecond)
	remoteBlockchain.appendConfig(0)
	require.Eventually(t, func() bool { return localBlockchain.Height() == 6 }, 10*time.Second, time.Millisecond)
	require.True(t, chain.IsRunning())
	remoteBlockchain.appendConfig(1)
	require.Eventually(t, ended(chain), 10*time.Second, time.Millisecond)
	require.Equal(t, uint64(7), localBlockchain.Height())
	require.Equal(t, 1, mockChainCreator.SwitchFollowerToChainCallCount())
}

// TestFollowerNamedBefore: a configuration that named the node is not the last one. The node does not become a consenter by it.
func TestFollowerNamedBefore(t *testing.T) {
	globalSetup(t)
	remoteBlockchain.fill(5)
	localBlockchain.fill(3)
	for _, isMember := range []uint8{1, 0} {
		remoteBlockchain.appendConfig(isMember)
		remoteBlockchain.appendConfig(0)
	}
	claimHeight(1 << 60)
	chain := following(t, nil, remoteBlockchain.Block)
	require.Eventually(t, func() bool { return localBlockchain.Height() == remoteBlockchain.Height() }, 10*time.Second, time.Millisecond)
	require.Never(t, ended(chain), 200*time.Millisecond, 10*time.Millisecond)
	require.Zero(t, mockChainCreator.SwitchFollowerToChainCallCount())
}

// TestJoinOverFalseBlocks: the blocks below the one that the node was given are not its own.
func TestJoinOverFalseBlocks(t *testing.T) {
	globalSetup(t)
	remoteBlockchain.fill(4)
	remoteBlockchain.appendConfig(1)
	given := makeConfigBlock(4, []byte("the hash of another block"), 1)
	chain := following(t, given, remoteBlockchain.Block)
	require.Eventually(t, ended(chain), 10*time.Second, time.Millisecond)
	_, status := chain.StatusReport()
	require.Equal(t, types.StatusFailed, status)
	require.Equal(t, uint64(4), localBlockchain.Height())
	require.Zero(t, mockChainCreator.SwitchFollowerToChainCallCount())
}

// TestJoinWithFalseBlock: only the block itself is false, so it is pulled again.
func TestJoinWithFalseBlock(t *testing.T) {
	globalSetup(t)
	remoteBlockchain.fill(4)
	remoteBlockchain.appendConfig(1)
	given := remoteBlockchain.Block(4)
	forged := makeConfigBlock(4, given.Header.PreviousHash, 1)
	forged.Header.DataHash = []byte("other data")
	pulled := 0
	chain := following(t, given, func(i uint64) *common.Block {
		if i == 4 && pulled < 3 {
			pulled++
			return forged
		}
		return remoteBlockchain.Block(i)
	})
	require.Eventually(t, ended(chain), 10*time.Second, time.Millisecond)
	require.Equal(t, 3, pulled)
	require.Equal(t, protoutil.BlockHeaderHash(given.Header), protoutil.BlockHeaderHash(localBlockchain.Block(4).Header))
	require.Equal(t, 1, mockChainCreator.SwitchFollowerToChainCallCount())
}
