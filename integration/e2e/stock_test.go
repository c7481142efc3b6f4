// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestStockPeerInDualNetwork replaces one peer, and then one orderer, of a network in mode dual by unmodified Fabric of the
// same version, built by make stock. As long as the channel holds no SM2 certificate they take part.
func TestStockPeerInDualNetwork(t *testing.T) {
	stock, err := filepath.Abs("../../build/stock")
	require.NoError(t, err)
	_, err = os.Stat(filepath.Join(stock, "peer"))
	require.NoError(t, err, "build the stock binaries with make stock")
	n, ctx := start(t, network.Options{
		Mode: network.ModeDual, ClientMode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Relayed: true,
	})
	// Org2's first peer endorses for every transaction here.
	peer := n.Peers[1].PeersOf()[0]
	require.NoError(t, n.Stop(ctx, peer.Name))
	require.NoError(t, n.StartFrom(peer.Name, stock))
	require.NoError(t, n.AwaitHealthy(ctx, peer))
	l := startLoad(ctx, t, n, n.Peers[0].PeersOf()[0], peer)
	l.awaitMore(5, "with a stock peer")

	leader, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	require.NoError(t, n.Stop(ctx, leader.Name))
	require.NoError(t, n.StockOrderer(leader))
	require.NoError(t, n.StartFrom(leader.Name, stock))
	require.NoError(t, n.AwaitHealthy(ctx, leader))
	l.awaitMore(5, "with a stock orderer")
	l.finish(ctx)
	checkTransactions(ctx, t, n)
	checkPrivateData(ctx, t, n)
	requireSameChain(ctx, t, n)
	requireSameOrdererHeight(ctx, t, n)
}
