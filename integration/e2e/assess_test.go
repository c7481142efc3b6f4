// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/internal/keydtest"
)

// assessed is what the tests read of gmtls assess: state, details and remedies of each clause.
type assessed map[string]clause

type clause struct {
	Clause, State string
	Findings      []finding
}

type finding struct{ State, Detail, Remedy string }

// assess has gmtls walk the network: all nodes at /tls, the channel, every node's folder and ledger.
func assess(ctx context.Context, t *testing.T, n *network.Network) assessed {
	t.Helper()
	inventory, block := filepath.Join(t.TempDir(), "nodes.yaml"), filepath.Join(t.TempDir(), "config.block")
	writeInventory(t, n, inventory)
	_, err := n.PeerCommand(ctx, n.Peers[0].PeersOf()[0], "channel", "fetch", "config", block, "--channelID", n.Channel)
	require.NoError(t, err)
	args := []string{"assess", "--inventory", inventory, "--block", block, "-o", "json"}
	for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
		args = append(args, "--node", filepath.Join(n.Dir, "nodes", node.Name), "--ledger", filepath.Join(n.Dir, "data", node.Name))
	}
	command := exec.CommandContext(ctx, filepath.Join(n.Bin, "gmtls"), args...)
	out, err := command.Output()
	require.Contains(t, []int{0, 5}, command.ProcessState.ExitCode(), "%v %s", err, out)
	var report struct {
		Clauses []clause
		Count   map[string]int
	}
	require.NoError(t, json.Unmarshal(out, &report), "%s", out)
	all := assessed{}
	for _, c := range report.Clauses {
		all[c.Clause] = c
		t.Logf("%-14s %s", c.State, c.Clause)
	}
	require.Equal(t, report.Count["not met"]+report.Count["not shown"] == 0, command.ProcessState.ExitCode() == 0)
	return all
}

// TestBFTAssessed puts everything together: SmartBFT, approved algorithms only, an SM3 channel, certificates from authorities, keys in
// a simulated device. gmtls assess finds no technical clause unmet except what no software here can meet: the module's certificate
// and volumes where the kernel has no SM4. Each node passes its self-tests under load.
func TestBFTAssessed(t *testing.T) {
	n, ctx := startApproved(t)
	requireNoKeysInFiles(t, n)
	peer := n.Peers[0].PeersOf()[0]
	l := startLoad(ctx, t, n, peer)
	l.awaitMore(3, "before the self-tests")
	for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
		answer, err := n.Operations(ctx, node, http.MethodPost, tlsstatus.SelfTestPath, nil)
		require.NoError(t, err, node.Name)
		var result tlsstatus.SelfTest
		require.NoError(t, json.Unmarshal(answer, &result), "%s", answer)
		require.Empty(t, result.Error, node.Name)
		require.WithinDuration(t, time.Now(), result.Time, testLimit)
		_, err = n.Operations(ctx, node, http.MethodPost, tlsstatus.SelfTestPath, nil)
		require.ErrorContains(t, err, "at most once a minute", node.Name)
	}
	l.awaitMore(3, "after the self-tests")
	l.finish(ctx)
	require.Empty(t, l.failures)
	requireSameChain(ctx, t, n)
	requireHashes(ctx, t, n, peer, "SM3")

	// What no software here can meet. Machines whose kernel has SM4 do not have the volumes of docs/data-at-rest.md either.
	requireMet(t, assess(ctx, t, n), "not a certified cryptographic product|lies on no dm-crypt mapping")
}

// TestAssessedOnSM4 assesses the same network on a volume that the kernel encrypts by SM4, which SM4_VOLUME in the environment names: the
// module's certificate alone stays open. "make test-storage" runs it in a virtual machine, as few kernels have SM4.
func TestAssessedOnSM4(t *testing.T) {
	volume := os.Getenv("SM4_VOLUME")
	if volume == "" {
		t.Skip("it wants a volume by SM4: make test-storage")
	}
	n, ctx := startApproved(t)
	require.True(t, strings.HasPrefix(n.Dir, volume+"/"), "%s is not on %s", n.Dir, volume)
	found := assess(ctx, t, n)
	requireMet(t, found, "not a certified cryptographic product")
	for _, id := range []string{"JR/T 0184-2020 10.3", "GB/T 39786-2021 8.4 e", "GM/T 0111-2021 7.6"} {
		require.Contains(t, found[id].Findings, finding{State: "met", Detail: "6 ledgers on dm-crypt with sm4-xts-plain64"}, id)
	}
}

// startApproved starts a network with approved algorithms only: SmartBFT, an SM3 channel, certificates from authorities, keys in a
// simulated device.
func startApproved(t *testing.T) (*network.Network, context.Context) {
	t.Helper()
	if _, err := keydtest.BuildDevice(keydtest.ShortDir(t), keydtest.SDF); err != nil {
		t.Skip(err)
	}
	return start(t, network.Options{Consensus: network.ConsensusBFT, Strict: true, Hash: network.HashSM3, Peers: 1,
		CA: authorities, Keys: network.KeysSDF, Bin: fabric3(t)})
}

// requireMet fails for each finding that is not met, unless its detail matches cannot, or people have to meet it.
func requireMet(t *testing.T, found assessed, cannot string) {
	t.Helper()
	for id, clause := range found {
		for _, f := range clause.Findings {
			if f.State != "met" && f.State != "organisational" {
				require.Regexp(t, cannot, f.Detail, id)
				require.NotEmpty(t, f.Remedy, id)
			}
		}
	}
}

// TestStockAssessed: a network configured as stock Fabric is. gmtls assess says what is missing, clause by clause, with a remedy.
func TestStockAssessed(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Orderers: 1, Peers: 1})
	found := assess(ctx, t, n)
	for id, detail := range map[string]string{
		"JR/T 0184-2020 6.3.2":               "listens in mode tls",
		"JR/T 0184-2020 7.2":                 "hashes blocks with SHA256",
		"JR/T 0184-2020 7.5":                 "",
		"JR/T 0184-2020 7.8":                 "listens in mode tls",
		"JR/T 0184-2020 8.1 hashes":          "hashes blocks with SHA256",
		"JR/T 0184-2020 8.1":                 "does not ask for approved algorithms only",
		"JR/T 0184-2020 8.4":                 "CAs without an SM2 key",
		"JR/T 0184-2020 8.6":                 "does not ask for approved algorithms only",
		"JR/T 0184-2020 8.7":                 "is a key in a file",
		"JR/T 0184-2020 9.3":                 "listens in mode tls",
		"JR/T 0184-2020 9.4 key agreement":   "listens in mode tls",
		"JR/T 0184-2020 10.3":                "lies on no dm-crypt mapping",
		"JR/T 0184-2020 11.4 agreement":      "orders by etcdraft",
		"JR/T 0184-2020 13.7":                "CAs without an SM2 key",
		"JR/T 0184-2020 13.8 authentication": "CAs without an SM2 key",
	} {
		clause, known := found[id]
		require.True(t, known, id)
		require.Equal(t, "not met", clause.State, id)
		said := ""
		for _, f := range clause.Findings {
			require.Equal(t, f.State == "met", f.Remedy == "", "%s: %+v", id, f)
			said += f.Detail + "\n"
		}
		require.Contains(t, said, detail, id)
	}
	for id, clause := range found {
		require.NotEqual(t, "not shown", clause.State, id)
	}
}
