// SPDX-License-Identifier: Apache-2.0

//go:build integration

package attacks

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/integration/network"
)

// putSM2CA has the Admin of an organisation put an SM2 CA into its MSP in the channel, which no other organisation need agree to.
func putSM2CA(ctx context.Context, t *testing.T, n *network.Network, org network.Org, name string) error {
	t.Helper()
	ca := gmtlstest.NewCA(t)
	return n.UpdateConfig(ctx, name, []network.Org{org}, func(config tree) error {
		msp := at(t, config, "channel_group", "groups", "Application", "groups", org.Name, "values", "MSP", "value", "config")
		msp["root_certs"] = append(msp["root_certs"].([]any), base64.StdEncoding.EncodeToString(ca.CertPEM))
		return nil
	})
}

// TestSM2CAInASharedChannel: what docs/security.md says of channels that stock nodes share. One Admin can put an SM2 CA into his MSP:
// an unmodified orderer refuses that. One of this fork takes it; unmodified peers then stop at the block and say why, none of them judges
// wrongly, and peers of this fork continue.
func TestSM2CAInASharedChannel(t *testing.T) {
	stock, err := filepath.Abs("../../build/stock")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(stock, "peer"), "build the stock binaries with make stock")
	n, ctx := start(t, network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Orderers: 1, Peers: 1})
	ours, theirs, orderer := n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0], n.Nodes(network.Orderer)[0]
	restart := func(node network.Node, run func() error) {
		t.Helper()
		require.NoError(t, n.Stop(ctx, node.Name))
		require.NoError(t, run())
		require.NoError(t, n.AwaitHealthy(ctx, node))
	}
	restart(theirs, func() error { return n.StartFrom(theirs.Name, stock) })
	restart(orderer, func() error {
		if err := n.StockOrderer(orderer); err != nil {
			return err
		}
		return n.StartFrom(orderer.Name, stock)
	})
	_, err = n.AwaitLeader(ctx)
	require.NoError(t, err)
	require.ErrorContains(t, putSM2CA(ctx, t, n, n.Peers[0], "refused"), "unsupported elliptic curve")

	restart(orderer, func() error { return n.Start(orderer.Name) })
	_, err = n.AwaitLeader(ctx)
	require.NoError(t, err)
	before, err := n.AwaitSameBlocks(ctx)
	require.NoError(t, err)
	require.NoError(t, putSM2CA(ctx, t, n, n.Peers[0], "taken"))
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(n.LogFile(theirs.Name))
		return err == nil && bytes.Contains(log, []byte("unsupported elliptic curve"))
	}, time.Minute, 200*time.Millisecond, "%s says why it stops", theirs.Name)
	require.Eventually(t, func() bool {
		info, err := n.Info(ctx, ours)
		return err == nil && info.Height > before.Height
	}, time.Minute, 200*time.Millisecond, "%s goes on", ours.Name)
}
