// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
	rotateTLS(ctx, t, n, peer)
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
		rotateTLS(ctx, t, n, orderer)
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

// rotationLimit is how long a node may take to serve new certificates, and consenters to be active again.
const rotationLimit = 30 * time.Second

// rotateTLS replaces the TLS and TLCP certificates and keys of a running orderer or peer by new ones of the same authorities.
// A consenter's new certificate goes into the channel configuration first. The node takes its files up on SIGHUP, without a
// restart; rotateTLS returns when it serves the new certificate.
func rotateTLS(ctx context.Context, t *testing.T, n *network.Network, node network.Node) {
	t.Helper()
	before, err := n.ServedCertificate(ctx, node)
	require.NoError(t, err)
	old, own := reissue(ctx, t, n, node), n.NodeFolder(node)
	require.NoError(t, os.RemoveAll(filepath.Join(own, "msp")))
	require.NoError(t, os.Rename(filepath.Join(old, "msp"), filepath.Join(own, "msp")), "keep the identity")
	require.NoError(t, os.RemoveAll(old))
	if node.Kind == network.Orderer {
		rotateConsenter(ctx, t, n, node)
	}
	sendSignal(t, n, node, syscall.SIGHUP)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		now, err := n.ServedCertificate(ctx, node)
		require.NoError(c, err)
		require.NotEqual(c, before, now)
	}, rotationLimit, 20*time.Millisecond, "%s serves its new certificate", node.Name)
}

// reissue lets cryptogen make the node's keys and certificates again, and returns where the former folder is now.
func reissue(ctx context.Context, t *testing.T, n *network.Network, node network.Node) (old string) {
	t.Helper()
	old = filepath.Join(n.Dir, "old-"+node.Name)
	require.NoError(t, os.Rename(n.NodeFolder(node), old))
	require.NoError(t, n.Cryptogen(ctx, "extend", n.Topology, "crypto"))
	return old
}

// rotateConsenter puts node's new certificate into the channel. A change to one consenter while another is away could cost
// the quorum, and orderers refuse it; whether one is away they learn with a delay. An update that an orderer took but could not
// hand to the leader is lost, as any transaction is. Neither is a failure: the update is sent again.
func rotateConsenter(ctx context.Context, t *testing.T, n *network.Network, node network.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*rotationLimit)
	defer cancel()
	for {
		awaitActive(ctx, t, n)
		err := n.Change(ctx, "rotate-"+node.Name, []network.Org{n.Ordering}, "replace-orderer", n.ConsenterFlags(node)...)
		again := err != nil && (strings.Contains(err.Error(), "quorum loss") || strings.Contains(err.Error(), "update to be committed"))
		if !again || ctx.Err() != nil {
			require.NoError(t, err)
			return
		}
	}
}

// awaitActive waits until the raft leader counts every consenter as active.
func awaitActive(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		leader, found := n.Leader(ctx)
		require.True(c, found, "there is no raft leader")
		active, _, err := n.Metric(ctx, leader, "consensus_etcdraft_active_nodes", `channel="`+n.Channel+`"`)
		require.NoError(c, err)
		require.EqualValues(c, len(n.Ordering.Nodes), active)
	}, rotationLimit, 20*time.Millisecond, "all consenters are active")
}
