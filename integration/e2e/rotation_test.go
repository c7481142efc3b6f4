// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestCertificateRotation replaces, under load and without a restart, the TLCP pairs of a peer and of every consenter, the
// leader's last.
func TestCertificateRotation(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, Peers: 1, Relayed: true})
	peer := n.Peers[1].PeersOf()[0]
	l := startLoad(ctx, t, n, n.Peers[0].PeersOf()[0], peer)
	l.awaitMore(3, "before the rotation")
	require.NoError(t, n.RotateTLS(ctx, peer))
	l.awaitMore(3, "with new certificates of "+peer.Name)

	leader, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	order := []network.Node{}
	for _, orderer := range n.Nodes(network.Orderer) {
		if orderer.Name != leader.Name {
			order = append(order, orderer)
		}
	}
	for _, orderer := range append(order, leader) {
		pid := n.PID(orderer.Name)
		require.NoError(t, n.RotateTLS(ctx, orderer))
		require.Equal(t, pid, n.PID(orderer.Name), "%s was restarted", orderer.Name)
		l.awaitMore(3, "with new certificates of "+orderer.Name)
	}
	l.finish(ctx)

	// New connections must work too, not only those that were open: start everything again.
	for _, orderer := range n.Nodes(network.Orderer) {
		require.NoError(t, n.Stop(ctx, orderer.Name))
		require.NoError(t, n.Start(orderer.Name))
		require.NoError(t, n.AwaitHealthy(ctx, orderer))
	}
	again := startLoad(ctx, t, n, n.Peers[0].PeersOf()[0], peer)
	again.awaitMore(3, "after a restart of all orderers")
	again.finish(ctx)
	requireSameOrdererHeight(ctx, t, n)
}
