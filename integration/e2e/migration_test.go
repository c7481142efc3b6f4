// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestMigrationOfChannels moves a network of ECDSA organisations from TLS to TLCP under load and without a restart: roots and
// consenters' certificates by configuration updates, dialers to gm, back once, and on, then listeners to gm.
func TestMigrationOfChannels(t *testing.T) {
	n, ctx := start(t, network.Options{
		Mode: network.ModeDual, ClientMode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Peers: 1, Relayed: true,
	})
	clients := []network.Node{n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0]}
	l := startLoad(ctx, t, n, clients...)
	l.awaitMore(3, "in mode dual, dialing tls")
	requireOnly(t, n, network.ModeTLS)

	require.NoError(t, n.PublishGMRoots(ctx))
	l.awaitMore(3, "with TLCP roots in the channel")
	require.NoError(t, n.PublishConsenterPairs(ctx))
	l.awaitMore(3, "with two certificates of each consenter")

	for _, mode := range []string{network.ModeGM, network.ModeTLS, network.ModeGM} {
		for _, node := range servers(n) {
			require.NoError(t, n.SwitchModes(ctx, node, "", mode))
			l.awaitMore(1, node.Name+" dialing "+mode)
		}
	}
	l.finish(ctx)

	// Applications follow: from here on over TLCP.
	require.NoError(t, n.AdoptModes(network.ModeDual, network.ModeGM))
	l = startLoad(ctx, t, n, clients...)
	l.awaitMore(3, "of applications over TLCP")
	for _, node := range servers(n) {
		require.NoError(t, n.SwitchModes(ctx, node, network.ModeGM, ""))
		l.awaitMore(1, node.Name+" listening for gm alone")
	}
	require.NoError(t, n.AdoptModes(network.ModeGM, network.ModeGM))
	requireTLSEnds(ctx, t, n)
	l.awaitMore(3, "without TLS")
	l.finish(ctx)
	requireSameOrdererHeight(ctx, t, n)
}

// servers are the nodes whose protocols can be switched; chaincode servers keep theirs.
func servers(n *network.Network) []network.Node {
	return append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...)
}

// requireTLSEnds waits until no TLS record passes any orderer's or peer's relay for as long as a heartbeat cannot be silent.
func requireTLSEnds(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	const quiet = 5 * time.Second
	count := func() (records int) {
		for _, node := range servers(n) {
			records += n.Relays[node.Name].Records().TLS
		}
		return records
	}
	last, since := count(), time.Now()
	require.Eventually(t, func() bool {
		if now := count(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) >= quiet
	}, time.Minute, 50*time.Millisecond, "TLS records still pass between the nodes")
	require.NoError(t, ctx.Err())
}
