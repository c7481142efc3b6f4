// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestJoinBySnapshot lets a peer that has lost everything join from another peer's snapshot.
func TestJoinBySnapshot(t *testing.T) {
	n, ctx := start(t, network.Options{Orderers: 1})
	source, target := n.Peers[0].PeersOf()[0], n.Peers[0].PeersOf()[1]
	c := contract(t, n, source)
	submit(ctx, t, c, "CreateAsset", "in-snapshot", "blue", "2", "ida", "8")
	awaitHeights(ctx, t, n)
	snapshot := takeSnapshot(ctx, t, n, source)
	require.NoError(t, n.Stop(ctx, target.Name))
	require.NoError(t, n.WipeData(target))
	require.NoError(t, n.Start(target.Name))
	require.NoError(t, n.AwaitHealthy(ctx, target))
	joinBySnapshot(ctx, t, n, target, snapshot)
	submit(ctx, t, c, "CreateAsset", "after-snapshot", "blue", "2", "jan", "8")
	requireSameChain(ctx, t, n)
	// Chaincode packages are not part of a ledger.
	installChaincode(ctx, t, n, target, network.FirstVersion)
	joined := contract(t, n, target)
	require.Equal(t, "ida", read(ctx, t, joined, "in-snapshot").Owner)
	require.Equal(t, "jan", read(ctx, t, joined, "after-snapshot").Owner)
}

// snapshotLimit is how long a peer may take to write a snapshot, or to join by one.
const snapshotLimit = 30 * time.Second

// takeSnapshot lets a peer, dialed by TLCP, write a snapshot of the channel as of its last block, and returns its folder.
func takeSnapshot(ctx context.Context, t *testing.T, n *network.Network, peer network.Node) string {
	t.Helper()
	height, err := n.Height(ctx, peer)
	require.NoError(t, err)
	last := strconv.FormatUint(height-1, 10)
	// Unlike others, the snapshot commands want to be told of the peer.
	_, err = n.PeerCommand(ctx, peer, "snapshot", "submitrequest", "--channelID", n.Channel, "--blockNumber", last,
		"--peerAddress", peer.Local(), "--tlsRootCertFile", filepath.Join(n.NodeFolder(peer), "tls", "gm-ca.crt"))
	require.NoError(t, err)
	folder := filepath.Join(n.Dir, "data", peer.Name, "snapshots", "completed", n.Channel, last)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.FileExists(c, filepath.Join(folder, "_snapshot_signable_metadata.json"))
	}, snapshotLimit, 20*time.Millisecond, "%s writes a snapshot", peer.Name)
	return folder
}

// joinBySnapshot lets a peer join the channel from a snapshot and waits until it has.
func joinBySnapshot(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, folder string) {
	t.Helper()
	_, err := n.PeerCommand(ctx, peer, "channel", "joinbysnapshot", "--snapshotpath", folder)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := n.PeerCommand(ctx, peer, "channel", "joinbysnapshotstatus")
		require.NoError(c, err)
		require.Contains(c, out, "No joinbysnapshot operation is in progress")
		_, err = n.Height(ctx, peer)
		require.NoError(c, err)
	}, snapshotLimit, 20*time.Millisecond, "%s joins by snapshot", peer.Name)
}

// installChaincode installs on a peer the package that its organisation has of a version of the asset chaincode.
func installChaincode(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, version string) {
	t.Helper()
	file := filepath.Join(n.Dir, "chaincode", strings.ToLower(n.OrgOf(peer).Name), network.ChaincodeName+"_"+version+".tar.gz")
	_, err := n.PeerCommand(ctx, peer, "lifecycle", "chaincode", "install", file)
	require.NoError(t, err)
}
