// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestBFTFaults takes each of four consenters of SmartBFT away in turn, the leader too, while clients write. The network continues
// without any one of them, and each catches up. The next fault comes when the others have reached the one before again, which they try ever more
// seldom while it is away: until then it counts as a fault, and two are too many.
func TestBFTFaults(t *testing.T) {
	n, ctx := start(t, network.Options{Consensus: network.ConsensusBFT, Peers: 1, Relayed: true, Bin: fabric3(t)})
	clients := []network.Node{n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0]}

	for _, victim := range n.Nodes(network.Orderer) {
		t.Run("kill "+victim.Name, func(t *testing.T) {
			l := startLoad(ctx, t, n, clients...)
			l.awaitMore(5, "before the fault")
			require.NoError(t, n.Kill(ctx, victim.Name))
			l.awaitMore(5, "without "+victim.Name)
			require.NoError(t, n.Start(victim.Name))
			require.NoError(t, n.AwaitHealthy(ctx, victim))
			l.awaitMore(50, "until the others reach it again")
			l.finish(ctx)
			requireSameOrdererHeight(ctx, t, n)
		})
	}

	t.Run("freeze the leader", func(t *testing.T) {
		leader, err := n.AwaitLeader(ctx)
		require.NoError(t, err)
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		sendSignal(t, n, leader, syscall.SIGSTOP)
		l.awaitMore(5, "while "+leader.Name+" hangs")
		next, err := n.AwaitLeader(ctx) // of those that answer
		require.NoError(t, err)
		require.NotEqual(t, leader.Name, next.Name)
		sendSignal(t, n, leader, syscall.SIGCONT)
		l.awaitMore(50, "until the others reach it again")
		l.finish(ctx)
		requireSameOrdererHeight(ctx, t, n)
	})

	requireOnly(t, n, network.ModeGM)
}

// TestBFTMissedBlock starts a consenter again that has missed one block, while nothing more is ordered. Heartbeats do not tell it: it has to ask
// the others when it starts.
func TestBFTMissedBlock(t *testing.T) {
	n, ctx, clients := startBFT(t, network.Options{})
	victim := follower(ctx, t, n)
	requireSameOrdererHeight(ctx, t, n)
	require.NoError(t, n.Stop(ctx, victim.Name))
	submit(ctx, t, contract(t, n, clients[0]), "CreateAsset", "missed", "blue", "1", "ida", "1")
	require.NoError(t, n.Start(victim.Name))
	require.NoError(t, n.AwaitHealthy(ctx, victim))
	requireSameOrdererHeight(ctx, t, n)
}
