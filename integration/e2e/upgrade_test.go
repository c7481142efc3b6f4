// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestUpgradeToFabric3 takes a network in mode gm from 2.5.9 to 3.1.1 node by node while clients write, as docs/upgrading.md tells:
// orderers first, the leader last, then peers, then the capability. What one version has written the other reads.
func TestUpgradeToFabric3(t *testing.T) {
	upgrade(t, fabric3(t), func(ctx context.Context, n *network.Network, l *load) {
		require.NoError(t, n.UpdateConfig(ctx, "capability", append([]network.Org{n.Ordering}, n.Peers...), func(config map[string]any) error {
			group := config["channel_group"].(map[string]any)["values"].(map[string]any)
			value := group["Capabilities"].(map[string]any)["value"].(map[string]any)
			value["capabilities"].(map[string]any)["V3_0"] = map[string]any{}
			return nil
		}))
		l.awaitMore(5, "with capability V3_0")
	})
}

// TestUpgradeToNewest25 does the same from 2.5.9 to 2.5.16, which adds no capability. No module proxy has to serve 2.5.16, so its
// binaries are there only where somebody has made them of a checkout.
func TestUpgradeToNewest25(t *testing.T) {
	to, err := filepath.Abs("../../build/bin-2.5.16")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(to, "orderer")); err != nil {
		t.Skip("no binaries over 2.5.16: make build UPSTREAM=2.5.16 CHECKOUT=folder of a checkout of the tag v2.5.16")
	}
	upgrade(t, to, func(context.Context, *network.Network, *load) {})
}

// upgrade gives all nodes of a network over 2.5.9 the binaries of another folder, one after the other, and then does what can be done
// once all have them.
func upgrade(t *testing.T, to string, finally func(context.Context, *network.Network, *load)) {
	n, ctx := start(t, network.Options{Peers: 1, Relayed: true})
	org1, org2 := n.Peers[0], n.Peers[1]
	submit(ctx, t, contract(t, n, org1.PeersOf()[0]), "CreateAsset", "before", "red", "1", "berta", "1")
	awaitHeights(ctx, t, n)

	leader, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	orderers := slices.DeleteFunc(n.Nodes(network.Orderer), func(o network.Node) bool { return o.Name == leader.Name })
	l := startLoad(ctx, t, n, org1.PeersOf()[0], org2.PeersOf()[0])
	l.awaitMore(5, "before the upgrade")
	for _, node := range append(append(orderers, leader), n.Nodes(network.Peer)...) {
		require.NoError(t, n.Stop(ctx, node.Name))
		require.NoError(t, n.StartFrom(node.Name, to))
		require.NoError(t, n.AwaitHealthy(ctx, node))
		l.awaitMore(3, "with "+node.Name+" from "+filepath.Base(to))
		requireSameOrdererHeight(ctx, t, n)
	}
	finally(ctx, n, l)
	l.finish(ctx)
	require.Equal(t, "berta", read(ctx, t, contract(t, n, org2.PeersOf()[0]), "before").Owner)
	checkTransactions(ctx, t, n)
	requireSameChain(ctx, t, n)
	requireOnly(t, n, network.ModeGM)
}
