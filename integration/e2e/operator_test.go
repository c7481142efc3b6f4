// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// checkOperator does what the README tells an operator: status, the environment for the peer command, a query and a
// transaction with it.
func checkOperator(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	var table bytes.Buffer
	require.NoError(t, n.WriteStatus(ctx, &table))
	for _, kind := range []network.Kind{network.Orderer, network.Peer, network.Chaincode} {
		for _, node := range n.Nodes(kind) {
			require.Contains(t, table.String(), node.Name)
		}
	}
	require.NotContains(t, table.String(), "unknown")
	require.NotContains(t, table.String(), "fails")

	const script = `
		eval "$("$BIN/network" -dir "$NET" env org2)"
		peer channel getinfo -c trade
		peer chaincode query -C trade -n asset -c '{"Args":["AssetExists","none"]}'
		peer chaincode invoke $ORDERER_FLAGS -C trade -n asset --waitForEvent -c '{"Args":["CreateAsset","by-cli","red","1","fritz","2"]}' \
			--peerAddresses "$CORE_PEER_ADDRESS" --tlsRootCertFiles "$CORE_PEER_TLS_ROOTCERT_FILE" \
			--peerAddresses "$OTHER" --tlsRootCertFiles "$OTHER_ROOT"`
	other := n.Peers[0].PeersOf()[0]
	var root string
	for _, v := range n.PeerEnv(n.Peers[0], other, "Admin") {
		if v.Name == "CORE_PEER_TLS_ROOTCERT_FILE" {
			root = v.Value
		}
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-euc", script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BIN=" + n.Bin, "NET=" + n.Dir, "OTHER=" + other.Local(), "OTHER_ROOT=" + root}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Blockchain info: {")
	require.Contains(t, string(out), "status:200")
	awaitHeights(ctx, t, n)
	require.Equal(t, "fritz", read(ctx, t, contract(t, n, other), "by-cli").Owner)
}

// TestCrashedNodeIsExplained starts a network whose orderer ends at once: the error must name it and show the end of its log,
// and nothing may be left running.
func TestCrashedNodeIsExplained(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	bin := t.TempDir()
	built, err := os.ReadDir(filepath.Join(root, "build", "bin"))
	require.NoError(t, err, "run make build network-tools first")
	for _, file := range built {
		if file.Name() != "orderer" {
			require.NoError(t, os.Symlink(filepath.Join(root, "build", "bin", file.Name()), filepath.Join(bin, file.Name())))
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(bin, "orderer"), []byte("#!/bin/sh\necho the disk is made of cheese >&2\nexit 3\n"), 0o755))
	dir := filepath.Join(t.TempDir(), "net")
	_, err = network.Up(t.Context(), network.Options{Dir: dir, Bin: bin, Orderers: 1, Orgs: 1, Peers: 1, BasePort: freeBlock(t)}, logWriter{t})
	require.ErrorContains(t, err, "orderer0.example.com has ended")
	require.ErrorContains(t, err, "the disk is made of cheese")
	require.ErrorContains(t, err, filepath.Join(dir, "logs"))

	n, err := network.Open(dir)
	require.NoError(t, err)
	var table strings.Builder
	require.ErrorContains(t, n.WriteStatus(t.Context(), &table), "not running: orderer0.example.com, peer0.org1.example.com")
	require.NoError(t, network.Down(t.Context(), dir, logWriter{t}))
	require.NoDirExists(t, dir)
}
