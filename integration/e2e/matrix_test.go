// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestMatrix runs the same checks over protocols, identities, client authentication and suites.
func TestMatrix(t *testing.T) {
	for _, c := range []struct {
		name string
		o    network.Options
	}{
		{"tls-ecdsa", network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA}},
		{"tls-ecdsa-mutual", network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, MutualTLS: true}},
		{"tls-gm", network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmGM}},
		{"tls-mixed", network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmMixed}},
		{"dual-ecdsa-dialing-tls", network.Options{Mode: network.ModeDual, ClientMode: network.ModeTLS, Algorithm: network.AlgorithmECDSA}},
		{"dual-mixed-mutual", network.Options{Mode: network.ModeDual, Algorithm: network.AlgorithmMixed, MutualTLS: true}},
		{"gm-ecdsa", network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmECDSA}},
		{"gm-mixed", network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed}},
		{"gm-gm-mutual", network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, MutualTLS: true}},
		{"gm-tls13", network.Options{GMProtocol: network.GMProtocolTLS13}},
		{"dual-tls13-mutual", network.Options{Mode: network.ModeDual, GMProtocol: network.GMProtocolTLS13, Algorithm: network.AlgorithmMixed, MutualTLS: true}},
		{"gm-ecc-gcm", network.Options{Suite: "ECC_SM4_GCM_SM3"}},
		{"gm-ecc-cbc", network.Options{Suite: "ECC_SM4_CBC_SM3"}},
		{"gm-ecdhe-gcm", network.Options{Suite: "ECDHE_SM4_GCM_SM3"}},
		{"gm-ecdhe-cbc", network.Options{Suite: "ECDHE_SM4_CBC_SM3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// One orderer and one peer an organisation: the standard size is TestGMNetwork's.
			c.o.Orderers, c.o.Peers, c.o.Relayed = 1, 1, true
			n, ctx := start(t, c.o)
			checkTransactions(ctx, t, n)
			checkPrivateData(ctx, t, n)
			checkEvents(ctx, t, n)
			checkDiscovery(ctx, t, n)
			requireSameChain(ctx, t, n)
			requireOnly(t, n, n.ClientMode)
			requireSuite(ctx, t, n)
			checkOperator(ctx, t, n) // status makes handshakes of both kinds where a node serves both
			if n.Mode == network.ModeGM {
				requireTLSRefused(t, n)
			}
		})
	}
}

// requireSuite checks that orderers and peers grant the suite that the network was made for, and no other.
func requireSuite(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	if n.GMProtocol == network.GMProtocolTLS13 {
		for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
			require.Contains(t, n.InUse(ctx, node), "TLS 1.3 TLS_SM4_GCM_SM3", node.Name)
			other := *n.Topology
			other.GMProtocol = ""
			stranger := network.Network{Topology: &other, Dir: n.Dir}
			require.Contains(t, stranger.InUse(ctx, node), "gm handshake fails", "%s grants TLCP", node.Name)
		}
	}
	if n.Suite == "" {
		return
	}
	for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
		require.Equal(t, "TLCP "+n.Suite, n.InUse(ctx, node), node.Name)
		other := *n.Topology
		for _, other.Suite = range network.Suites {
			if other.Suite != n.Suite {
				stranger := network.Network{Topology: &other, Dir: n.Dir}
				require.Equal(t, "gm handshake fails", stranger.InUse(ctx, node), "%s grants %s", node.Name, other.Suite)
			}
		}
	}
}
