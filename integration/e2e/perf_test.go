// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestWithoutPerf runs one network with the binaries of 'make build PERF=off', its configuration asking for the memo, and one
// with those of 'make build'. Without the memo a peer computes each verification that stock Fabric computes; with it, the
// computed and the remembered ones are as many.
func TestWithoutPerf(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	bin := filepath.Join(root, "build", "bin")
	off := bin + "-perf-off"
	_, err = os.Stat(filepath.Join(off, "peer"))
	require.NoError(t, err, "build them with make build network-tools PERF=off")
	stock := verificationsOf(t, "stock", network.Options{NoMemo: true, Bin: bin})
	with := verificationsOf(t, "memo", network.Options{Bin: bin})
	without := verificationsOf(t, "off", network.Options{Bin: off})
	t.Logf("of %d transactions: stock %+v, with the memo %+v, with PERF=off %+v", counted, stock, with, without)
	require.Zero(t, stock["remembered"])
	require.NotZero(t, with["remembered"])
	require.Equal(t, stock, without)
	require.Equal(t, stock["computed"], with["computed"]+with["remembered"])
}

const counted = 10

// verificationsOf counts by source what the one peer of a network verifies for some transactions in turn.
func verificationsOf(t *testing.T, name string, o network.Options) (bySource map[string]int) {
	t.Run(name, func(t *testing.T) {
		o.Orderers, o.Orgs, o.Peers = 1, 1, 1
		n, ctx := start(t, o)
		peer := n.Peers[0].PeersOf()[0]
		c := contract(t, n, peer)
		submit(ctx, t, c, "CreateAsset", "warm", "red", "1", "anna", "1")
		before := verifications(ctx, t, n, peer)
		for i := range counted {
			submit(ctx, t, c, "CreateAsset", fmt.Sprint("lot-", i), "red", "1", "anna", "1")
		}
		bySource = verifications(ctx, t, n, peer)
		for source, n := range before {
			bySource[source] -= n
		}
	})
	require.NotNil(t, bySource)
	return bySource
}

// verifications reads the peer's metric of SM2 verifications.
func verifications(ctx context.Context, t *testing.T, n *network.Network, peer network.Node) map[string]int {
	t.Helper()
	bySource := map[string]int{}
	for _, source := range []string{"computed", "remembered"} {
		value, found, err := n.Metric(ctx, peer, "bccsp_signature_verifications", `algorithm="SM2"`, `source="`+source+`"`)
		require.NoError(t, err)
		require.True(t, found || source == "remembered", "no sample before the first one")
		if found {
			bySource[source] = int(value)
		}
	}
	return bySource
}
