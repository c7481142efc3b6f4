// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestBatchedState writes and reads 2,500 keys in one transaction each: by peers as they are, which take key by key, and by peers over
// 3.1 that are set to take them in batches of 100. Chaincode and peers speak TLCP. What the one way has written the other reads.
func TestBatchedState(t *testing.T) {
	n, ctx := start(t, network.Options{Orderers: 1, Peers: 1, Bin: fabric3(t)})
	_, err := n.Deploy(ctx, "batch", "../chaincode/batch")
	require.NoError(t, err)
	peer := n.Peers[0].PeersOf()[0]
	use := func(value string) {
		t.Helper()
		connection, err := n.Gateway(peer)
		require.NoError(t, err)
		defer connection.Close()
		c := connection.GetNetwork(n.Channel).GetContract("batch")
		_, err = c.SubmitWithContext(ctx, "Write", client.WithArguments("2500", value))
		require.NoError(t, err)
		out, err := c.EvaluateWithContext(ctx, "Read", client.WithArguments("2500"))
		require.NoError(t, err)
		require.Equal(t, "2500 "+value+"2499", string(out))
		out, err = c.EvaluateWithContext(ctx, "Read", client.WithArguments("2600"))
		require.NoError(t, err)
		require.Equal(t, "2500 ", string(out), "keys that are not there have no value")
	}
	batches := func(kind string) float64 {
		t.Helper()
		value, _, err := n.Metric(ctx, peer, "chaincode_shim_requests_completed", `type="`+kind+`"`, `success="true"`)
		require.NoError(t, err)
		return value
	}

	use("single")
	require.Zero(t, batches("WRITE_BATCH_STATE"))
	require.Zero(t, batches("GET_STATE_MULTIPLE"))

	for _, p := range n.Nodes(network.Peer) {
		file := filepath.Join(n.Dir, "nodes", p.Name, "core.yaml")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		set := strings.Replace(string(text), "\nchaincode:\n", "\nchaincode:\n  runtimeParams: {useWriteBatch: true, maxSizeWriteBatch: 100, "+
			"useGetMultipleKeys: true, maxSizeGetMultipleKeys: 100}\n", 1)
		require.NotEqual(t, string(text), set)
		require.NoError(t, os.WriteFile(file, []byte(set), 0o600))
		require.NoError(t, n.Restart(ctx, p.Name))
	}
	assets := contract(t, n, peer)
	require.Eventually(t, func() bool { // peers have found each other again
		_, err := assets.SubmitWithContext(ctx, "CreateAsset", client.WithArguments("after-"+time.Now().String(), "red", "1", "ute", "1"))
		return err == nil
	}, testLimit, 100*time.Millisecond)
	use("batched")
	require.Equal(t, 25.0, batches("WRITE_BATCH_STATE"))
	require.Equal(t, 51.0, batches("GET_STATE_MULTIPLE"))
	requireSameChain(ctx, t, n)
}

// TestOsnadminUpdateAndFetch changes a channel's configuration and fetches blocks through the orderer's admin endpoint over TLCP, as osnadmin
// of 3.1.5 does. No module proxy has to serve 3.1.5, so its binaries are there only where somebody has made them of a checkout.
func TestOsnadminUpdateAndFetch(t *testing.T) {
	bin, err := filepath.Abs("../../build/bin-3.1.5")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(bin, "orderer")); err != nil {
		t.Skip("no binaries over 3.1.5: make build network-tools UPSTREAM=3.1.5 CHECKOUT=folder of a checkout of the tag v3.1.5")
	}
	n, ctx := start(t, network.Options{Orderers: 1, Peers: 1, Bin: bin})
	orderer := n.Nodes(network.Orderer)[0]
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }

	_, err = n.Osnadmin(ctx, orderer, "fetch", "--channelID", n.Channel, "--blockID", "config", "--outputfile", in("config.block"))
	require.NoError(t, err)
	as := func(env []network.Variable, command string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, filepath.Join(bin, command), args...)
		cmd.Env = os.Environ()
		for _, v := range env {
			cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
		}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	as(nil, "consortium", "update", "set-batch", "--max-messages", "77", "--block", in("config.block"), "--out", in("update.pb"))
	as(n.PeerEnv(n.Ordering, n.Nodes(network.Peer)[0], "Admin"), "peer", "channel", "signconfigtx", "--file", in("update.pb"))
	_, err = n.Osnadmin(ctx, orderer, "update", "--channelID", n.Channel, "--config-update-envelope", in("update.pb"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		if _, err := n.Osnadmin(ctx, orderer, "fetch", "--channelID", n.Channel, "--blockID", "config", "--outputfile", in("after.block")); err != nil {
			return false
		}
		translate(ctx, t, n, "proto_decode", "--type", "common.Block", "--input", in("after.block"), "--output", in("after.json"))
		text, err := os.ReadFile(in("after.json"))
		return err == nil && strings.Contains(string(text), `"max_message_count": 77`)
	}, testLimit, 100*time.Millisecond, "the update is not in the channel")

	_, err = n.Osnadmin(ctx, orderer, "fetch", "--channelID", "none", "--blockID", "newest", "--outputfile", in("none.block"))
	require.Error(t, err)
	require.NoFileExists(t, in("none.block"))
	checkTransactions(ctx, t, n)
}
