// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestBFTGrow adds a fifth consenter to four while clients write, and then takes out one of the first four. Each time another consenter is killed
// afterwards: the quorum is then all that are left, so the new one counts.
func TestBFTGrow(t *testing.T) {
	n, ctx, clients := startBFT(t, network.Options{Relayed: true})
	l := startLoad(ctx, t, n, clients...)
	l.awaitMore(5, "with four consenters")

	fifth, err := n.AddOrderer(ctx)
	require.NoError(t, err)
	l.awaitMore(5, "with "+fifth.Name)
	requireSameOrdererHeight(ctx, t, n)
	requireClusterSize(ctx, t, n, 5)
	missed := leader(ctx, t, n)
	require.NotEqual(t, fifth.Name, missed.Name)
	require.NoError(t, n.Kill(ctx, missed.Name))
	l.awaitMore(5, "without "+missed.Name)
	require.NoError(t, n.Start(missed.Name))
	require.NoError(t, n.AwaitHealthy(ctx, missed))
	l.awaitMore(50, "until the others reach "+missed.Name+" again")
	requireSameOrdererHeight(ctx, t, n)

	leaves := n.Nodes(network.Orderer)[1]
	require.NoError(t, n.RemoveOrderer(ctx, leaves))
	l.awaitMore(5, "with four consenters again")
	requireSameOrdererHeight(ctx, t, n)
	requireClusterSize(ctx, t, n, 4)
	missed = n.Nodes(network.Orderer)[1]
	require.NotEqual(t, fifth.Name, missed.Name)
	require.NoError(t, n.Kill(ctx, missed.Name))
	l.awaitMore(5, "without "+leaves.Name+" and "+missed.Name)
	require.NoError(t, n.Start(missed.Name))
	require.NoError(t, n.AwaitHealthy(ctx, missed))
	l.awaitMore(50, "until the others reach "+missed.Name+" again")
	l.finish(ctx)
	requireSameOrdererHeight(ctx, t, n)
	requireOnly(t, n, network.ModeGM)
}

// requireClusterSize checks how many consenters each of them counts.
func requireClusterSize(ctx context.Context, t *testing.T, n *network.Network, want float64) {
	t.Helper()
	for _, o := range n.Nodes(network.Orderer) {
		size, found, err := n.Metric(ctx, o, "consensus_BFT_cluster_size", `channel="`+n.Channel+`"`)
		require.NoError(t, err)
		require.True(t, found, o.Name)
		require.Equal(t, want, size, o.Name)
	}
}
