// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestFaults breaks one network in mode gm under load, in turn, and lets it recover.
func TestFaults(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, Relayed: true})
	org1, org2 := n.Peers[0], n.Peers[1]
	clients := []network.Node{org1.PeersOf()[0], org2.PeersOf()[0]}

	t.Run("kill the raft leader", func(t *testing.T) {
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		leader, err := n.AwaitLeader(ctx)
		require.NoError(t, err)
		require.NoError(t, n.Kill(ctx, leader.Name))
		l.awaitMore(5, "without "+leader.Name)
		require.NoError(t, n.Start(leader.Name))
		require.NoError(t, n.AwaitHealthy(ctx, leader))
		l.awaitMore(5, "with it again")
		l.finish(ctx)
		requireSameOrdererHeight(ctx, t, n)
	})

	t.Run("kill a peer", func(t *testing.T) {
		victim := org2.PeersOf()[1]
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		require.NoError(t, n.Kill(ctx, victim.Name))
		l.awaitMore(5, "without "+victim.Name)
		require.NoError(t, n.Start(victim.Name))
		require.NoError(t, n.AwaitHealthy(ctx, victim))
		l.awaitMore(5, "with it again")
		l.finish(ctx)
	})

	t.Run("kill a chaincode server", func(t *testing.T) {
		victim := org1.ChaincodeServer()
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		require.NoError(t, n.Kill(ctx, victim.Name))
		require.NoError(t, n.Start(victim.Name))
		l.awaitMore(5, "after "+victim.Name+" came back")
		l.finish(ctx)
	})

	t.Run("cut an orderer off", func(t *testing.T) {
		leader, err := n.AwaitLeader(ctx)
		require.NoError(t, err)
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		// Nobody reaches the leader any more. It still reaches the others, until they stop answering to an old term.
		n.Relays[leader.Name].Block()
		l.awaitMore(5, "while nobody reaches "+leader.Name)
		n.Relays[leader.Name].Unblock()
		l.awaitMore(5, "with it again")
		l.finish(ctx)
		requireSameOrdererHeight(ctx, t, n)
	})

	t.Run("freeze a peer", func(t *testing.T) {
		victim := org1.PeersOf()[1]
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		sendSignal(t, n, victim, syscall.SIGSTOP)
		l.awaitMore(5, "while "+victim.Name+" hangs")
		require.ErrorContains(t, n.WriteStatus(ctx, io.Discard), "running, but not answering: "+victim.Name)
		sendSignal(t, n, victim, syscall.SIGCONT)
		l.awaitMore(5, "with it again")
		l.finish(ctx)
	})

	requireOnly(t, n, network.ModeGM)
}

// TestLedgerRebuild lets a stopped peer throw its databases away and build them again from its blocks.
func TestLedgerRebuild(t *testing.T) {
	n, ctx := start(t, network.Options{Orderers: 1, Peers: 1})
	peer := n.Peers[0].PeersOf()[0]
	submit(ctx, t, contract(t, n, peer), "CreateAsset", "kept", "green", "3", "eva", "9")
	awaitHeights(ctx, t, n)
	require.NoError(t, n.Stop(ctx, peer.Name))
	offline(ctx, t, n, peer, "peer", "node", "rebuild-dbs")
	require.NoError(t, n.Start(peer.Name))
	require.NoError(t, n.AwaitHealthy(ctx, peer))
	require.Equal(t, "eva", read(ctx, t, contract(t, n, peer), "kept").Owner)
	requireSameChain(ctx, t, n)
}

// TestChaincodeUpgrade replaces the chaincode by a new version under a new package id while its state stays.
func TestChaincodeUpgrade(t *testing.T) {
	n, ctx := start(t, network.Options{Orderers: 1, Peers: 1})
	c := contract(t, n, n.Peers[0].PeersOf()[0])
	submit(ctx, t, c, "CreateAsset", "old", "green", "3", "eva", "9")
	require.NoError(t, n.UpgradeChaincode(ctx, "2.0", 2))
	require.Equal(t, "eva", read(ctx, t, c, "old").Owner)
	submit(ctx, t, c, "CreateAsset", "new", "green", "3", "eva", "9")
	awaitHeights(ctx, t, n)
	require.Equal(t, "eva", read(ctx, t, contract(t, n, n.Peers[1].PeersOf()[0]), "new").Owner)
	requireSameChain(ctx, t, n)
}

// sendSignal sends a signal to the process of a node: SIGSTOP stops it from running without ending it, as a partition from everybody would
// look, until SIGCONT.
func sendSignal(t *testing.T, n *network.Network, node network.Node, sig syscall.Signal) {
	t.Helper()
	pid := n.PID(node.Name)
	require.NotZero(t, pid, "%s does not run", node.Name)
	require.NoError(t, syscall.Kill(pid, sig))
}

// requireSameOrdererHeight waits for all orderers to have every block, and returns how many there are.
func requireSameOrdererHeight(ctx context.Context, t *testing.T, n *network.Network) (height uint64) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for i, orderer := range n.Nodes(network.Orderer) {
			now, err := n.Height(ctx, orderer)
			require.NoError(c, err)
			if i == 0 {
				height = now
			}
			require.Equal(c, height, now, "%s differs", orderer.Name)
		}
	}, 30*time.Second, 20*time.Millisecond, "all orderers are at one height")
	return height
}
