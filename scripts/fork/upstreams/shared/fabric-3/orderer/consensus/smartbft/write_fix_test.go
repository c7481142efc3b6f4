// SPDX-License-Identifier: Apache-2.0

package smartbft_test

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/orderer/consensus"
)

// stillDisk is a channel of an orderer whose disk takes blocks only once a test says so. It writes as multichannel.BlockWriter does.
type stillDisk struct {
	consensus.ConsenterSupport
	takes   <-chan struct{}
	begun   *atomic.Int32
	writing sync.Mutex
}

func (d *stillDisk) WriteBlock(block *cb.Block, metadata []byte) {
	d.begun.Add(1)
	d.writing.Lock()
	go d.write(block, metadata)
}

func (d *stillDisk) WriteBlockSync(block *cb.Block, metadata []byte) {
	d.begun.Add(1)
	d.writing.Lock()
	d.write(block, metadata)
}

func (d *stillDisk) write(block *cb.Block, metadata []byte) {
	defer d.writing.Unlock()
	<-d.takes
	d.ConsenterSupport.WriteBlockSync(block, metadata)
}

// TestPowerCut: all orderers lose power while they write the same block, and one of them while it begins a file of its log. All start again,
// and the block is in their ledgers.
func TestPowerCut(t *testing.T) {
	const channel = "testchannel"
	network := NewNetworkSetupInfo(t, channel, t.TempDir())
	nodes := network.CreateNodes(4)
	takes, begun := make(chan struct{}), &atomic.Int32{}
	for _, node := range nodes {
		node.Chain.WrapSupport(func(support consensus.ConsenterSupport) consensus.ConsenterSupport {
			return &stillDisk{ConsenterSupport: support, takes: takes, begun: begun}
		})
	}
	network.StartAllNodes()
	require.NoError(t, network.SendTxToAllAvailableNodes(createEndorserTxEnvelope("one", channel)))
	require.Eventually(t, func() bool { return begun.Load() == 4 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, network.SendTxToAllAvailableNodes(createEndorserTxEnvelope("two", channel)))
	time.Sleep(3 * time.Second) // as a slow disk does; without the mend, the next block is decided meanwhile

	restarted := map[uint64]*Node{}
	for id, old := range nodes {
		dir := filepath.Join(t.TempDir(), "wal")
		require.NoError(t, os.CopyFS(dir, os.DirFS(old.WorkingDir)))
		restarted[id] = &Node{
			t: t, NodeId: id, ChannelId: channel, WorkingDir: dir, Endpoint: old.Endpoint, Logger: old.Logger,
			State: NewNodeState(t, id, channel, network.genesisBlock), nodesMap: restarted,
		}
	}
	for _, old := range nodes { // what the cut leaves of them ends here
		old.lock.Lock()
		old.IsConnectedToNetwork = false
		old.lock.Unlock()
	}
	close(takes)
	for _, old := range nodes {
		old.Stop()
	}
	require.NoError(t, os.WriteFile(filepath.Join(restarted[1].WorkingDir, "0000000000000002.wal"), nil, 0o600))

	for id, node := range restarted {
		chain, err := createBFTChainUsingMocks(t, node, network.configInfo)
		require.NoError(t, err)
		chain.ClusterService = nodes[id].Chain.ClusterService
		node.Chain = chain
	}
	network.nodeIdToNode = restarted
	network.StartAllNodes()
	// Votes are sent once, at the start. Where those were lost, the next transaction has the consenters change the view.
	order(t, network, "three", 3)
	for _, node := range restarted {
		require.Equal(t, restarted[1].State.GetBlock(1).Header.DataHash, node.State.GetBlock(1).Header.DataHash)
	}
}
