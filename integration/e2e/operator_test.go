// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
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
		peer chaincode invoke $ORDERER_FLAGS $ENDORSER_FLAGS -C trade -n asset --waitForEvent \
			-c '{"Args":["CreateAsset","by-cli","red","1","fritz","2"]}'`
	cmd := exec.CommandContext(ctx, "/bin/sh", "-euc", script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BIN=" + n.Bin, "NET=" + n.Dir}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Blockchain info: {")
	require.Contains(t, string(out), "status:200")
	awaitHeights(ctx, t, n)
	require.Equal(t, "fritz", read(ctx, t, contract(t, n, n.Peers[0].PeersOf()[0]), "by-cli").Owner)
}

// checkDiscovery asks a peer of one organisation, as a user of it, for the peers and for the endorsers of the chaincode.
func checkDiscovery(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	org := n.Peers[1]
	server := org.PeersOf()[0]
	tree := filepath.Join(n.Dir, "crypto", "peerOrganizations", org.Domain)
	user := func(parts ...string) string {
		return filepath.Join(append([]string{tree, "users", "User1@" + org.Domain}, parts...)...)
	}
	flags := []string{
		"--MSP", org.MSPID, "--userKey", user("msp", "keystore", "priv_sk"), "--userCert", user("msp", "signcerts", "User1@"+org.Domain+"-cert.pem"),
	}
	root := filepath.Join(tree, "peers", server.Name, "tls")
	if n.ClientMode == network.ModeGM {
		flags = append(flags, "--tlsMode", "gm", "--peerTLSCA", filepath.Join(root, "gm-ca.crt"),
			"--tlsCert", user("tls", "client-sign.crt"), "--tlsKey", user("tls", "client-sign.key"),
			"--tlsEncCert", user("tls", "client-enc.crt"), "--tlsEncKey", user("tls", "client-enc.key"))
		if n.GMProtocol != "" {
			flags = append(flags, "--gmProtocol", n.GMProtocol)
		}
	} else {
		flags = append(flags, "--peerTLSCA", filepath.Join(root, "ca.crt"), "--tlsCert", user("tls", "client.crt"), "--tlsKey", user("tls", "client.key"))
	}
	discover := func(into any, query ...string) {
		t.Helper()
		args := append(append(flags, query...), "--server", server.Local(), "--channel", n.Channel)
		out, err := exec.CommandContext(ctx, filepath.Join(n.Bin, "discover"), args...).Output()
		require.NoError(t, err, "discover %v: %s", query, out)
		require.NoError(t, json.Unmarshal(out, into), "%s", out)
	}

	var want []string
	for _, o := range n.Peers {
		for _, peer := range o.PeersOf() {
			want = append(want, o.MSPID+" "+peer.Address())
		}
	}
	var got []string
	for limit := time.Now().Add(30 * time.Second); !slices.Equal(want, got); { // gossip takes its time
		require.True(t, time.Now().Before(limit), "discovered %v instead of %v", got, want)
		var found []struct{ MSPID, Endpoint string }
		discover(&found, "peers")
		got = nil
		for _, peer := range found {
			got = append(got, peer.MSPID+" "+peer.Endpoint)
		}
		slices.Sort(got)
	}

	var endorsers []struct {
		Chaincode         string
		EndorsersByGroups map[string][]struct{ MSPID, Endpoint string }
		Layouts           []struct {
			QuantitiesByGroup map[string]int `json:"quantities_by_group"`
		}
	}
	discover(&endorsers, "endorsers", "--chaincode", network.ChaincodeName)
	require.Len(t, endorsers, 1)
	require.Len(t, endorsers[0].EndorsersByGroups, len(n.Peers), "a group for each organisation")
	require.NotEmpty(t, endorsers[0].Layouts)
	for _, layout := range endorsers[0].Layouts {
		require.Len(t, layout.QuantitiesByGroup, len(n.Peers)/2+1, "a majority")
	}
}

// TestCrashedNodeIsExplained starts a network whose orderer ends at once: the error must name it and show the end of its log,
// and nothing may be left running.
func TestCrashedNodeIsExplained(t *testing.T) {
	bin, tested := t.TempDir(), networktest.Bin(t)
	built, err := os.ReadDir(tested)
	require.NoError(t, err, "run make build network-tools first")
	for _, file := range built {
		if file.Name() != "orderer" {
			require.NoError(t, os.Symlink(filepath.Join(tested, file.Name()), filepath.Join(bin, file.Name())))
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(bin, "orderer"), []byte("#!/bin/sh\necho the disk is made of cheese >&2\nexit 3\n"), 0o755))
	dir := filepath.Join(t.TempDir(), "net")
	_, err = network.Up(t.Context(), network.Options{Dir: dir, Bin: bin, Orderers: 1, Orgs: 1, Peers: 1, BasePort: freeBlock(t)}, networktest.Log{T: t})
	require.ErrorContains(t, err, "orderer0.example.com has ended")
	require.ErrorContains(t, err, "the disk is made of cheese")
	require.ErrorContains(t, err, filepath.Join(dir, "logs"))

	n, err := network.Open(dir)
	require.NoError(t, err)
	var table strings.Builder
	require.ErrorContains(t, n.WriteStatus(t.Context(), &table), "not running: orderer0.example.com, peer0.org1.example.com")
	require.NoError(t, network.Down(t.Context(), dir, networktest.Log{T: t}))
	require.NoDirExists(t, dir)
}
