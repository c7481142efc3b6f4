// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestGrow adds an organisation and an orderer to a channel under load.
func TestGrow(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, Peers: 1, Relayed: true})
	l := startLoad(ctx, t, n, n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0])
	l.awaitMore(3, "before the channel grows")

	orderer, err := n.AddOrderer(ctx)
	require.NoError(t, err)
	l.awaitMore(3, "with "+orderer.Name)
	// The new orderer must count: with it four are a majority of three, so the old ones can lose one.
	leader, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	require.NoError(t, n.Kill(ctx, leader.Name))
	l.awaitMore(3, "without "+leader.Name)
	require.NoError(t, n.Start(leader.Name))
	require.NoError(t, n.AwaitHealthy(ctx, leader))

	org, err := n.AddOrg(ctx, 1, "1.0", 1)
	require.NoError(t, err)
	l.awaitMore(3, "with "+org.Name)
	l.finish(ctx)

	requireSameOrdererHeight(ctx, t, n) // one that catches up does not know the organisation yet
	c := contract(t, n, org.PeersOf()[0])
	submit(ctx, t, c, "CreateAsset", "from-the-new-one", "pink", "1", "hedwig", "4")
	awaitHeights(ctx, t, n)
	got := read(ctx, t, contract(t, n, n.Peers[0].PeersOf()[0]), "from-the-new-one")
	require.Equal(t, org.MSPID, got.OwnerMSP)
	requireSameChain(ctx, t, n)
	requireSameOrdererHeight(ctx, t, n)
	requireOnly(t, n, network.ModeGM)
}
