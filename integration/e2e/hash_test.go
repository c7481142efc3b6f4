// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/hyperledger/fabric/integration/network"
)

var hashesInReport = regexp.MustCompile(`hash by (SM3|SHA-256) ([0-9a-f]+), previous ([0-9a-f]*)`)

// requireHashes has gmtls recompute the hashes of every block of the channel: all by the algorithm, each the previous one of the
// next, the last what the peer says.
func requireHashes(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, algorithm string) {
	t.Helper()
	info, err := n.Info(ctx, peer)
	require.NoError(t, err)
	require.Greater(t, info.Height, uint64(2))
	before := ""
	for i, found := range inspectBlocks(ctx, t, n, peer, info.Height) {
		require.Equal(t, []string{algorithm, before}, []string{found[1], found[3]}, "block %d", i)
		before = found[2]
	}
	last, err := base64.StdEncoding.DecodeString(info.CurrentHash)
	require.NoError(t, err)
	require.Equal(t, before, hex.EncodeToString(last))
}

// inspectBlocks returns what gmtls says of the hashes of the first blocks, height of them.
func inspectBlocks(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, height uint64) [][]string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"inspect"}
	for number, block := range blocksOf(ctx, t, n, peer, height) {
		text, err := proto.Marshal(block)
		require.NoError(t, err)
		file := filepath.Join(dir, fmt.Sprintf("%d.block", number))
		require.NoError(t, os.WriteFile(file, text, 0o600))
		args = append(args, file)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(n.Bin, "gmtls"), args...).CombinedOutput()
	require.NoError(t, err, string(out))
	found := hashesInReport.FindAllStringSubmatch(string(out), -1)
	require.Len(t, found, int(height), string(out))
	return found
}

// offline runs a command of the peer over the files of a stopped node.
func offline(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, tool string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(ctx, filepath.Join(n.Bin, tool), args...)
	command.Env = append(os.Environ(), "FABRIC_CFG_PATH="+filepath.Join(n.Dir, "nodes", peer.Name))
	command.Dir = t.TempDir()
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", tool, args, out)
	return string(out)
}

// TestSM3Channel runs a channel that hashes with SM3 and one that hashes with SHA-256 on the same nodes. In both, peers join from
// the first block and from a snapshot, roll back and rebuild, exchange private data, and come to the same chain.
func TestSM3Channel(t *testing.T) {
	n, ctx := start(t, network.Options{Hash: network.HashSM3})
	first, second := n.Peers[0].PeersOf()[0], n.Peers[0].PeersOf()[1]
	require.NoError(t, n.AddChannel(ctx, "older", network.HashSHA256))
	require.ErrorContains(t, n.AddChannel(ctx, n.Channel, network.HashSM3), "channel already exists") // and its first block stays, as below
	use := func(channel string) { n.Channel = channel }
	sm3, older := n.Channel, "older"
	write := func(id string) {
		for _, channel := range []string{sm3, older} {
			use(channel)
			c := contract(t, n, first)
			submit(ctx, t, c, "CreateAsset", id, "blue", "2", "ida", "8")
			_, err := c.SubmitWithContext(ctx, "PutPrivateDetails", client.WithArguments("_implicit_org_"+n.Peers[0].MSPID, id),
				client.WithTransient(map[string][]byte{"details": []byte(`{"appraisal":7,"remark":"x","salt":"0123456789abcdef"}`)}),
				client.WithEndorsingOrganizations(n.Peers[0].MSPID))
			require.NoError(t, err)
		}
	}
	same := func() {
		for channel, algorithm := range map[string]string{sm3: "SM3", older: "SHA-256"} {
			use(channel)
			requireSameChain(ctx, t, n)
			requireSameOrdererHeight(ctx, t, n)
			requireHashes(ctx, t, n, second, algorithm)
		}
	}
	restart := func(offlineWork func()) {
		require.NoError(t, n.Stop(ctx, second.Name))
		offlineWork()
		require.NoError(t, n.Start(second.Name))
		require.NoError(t, n.AwaitHealthy(ctx, second))
	}
	serves := func() { // while it rebuilds its ledgers, a peer answers nothing
		for _, channel := range []string{sm3, older} {
			use(channel)
			require.Eventually(t, func() bool { _, err := n.Info(ctx, second); return err == nil }, testLimit, 200*time.Millisecond)
		}
	}
	write("one")
	same()

	restart(func() { offline(ctx, t, n, second, "peer", "node", "rollback", "-c", sm3, "-b", "2") })
	serves()
	same()
	restart(func() { offline(ctx, t, n, second, "peer", "node", "rebuild-dbs") })
	serves()
	write("two")
	same()
	restart(func() {
		out := t.TempDir()
		offline(ctx, t, n, second, "ledgerutil", "verify", filepath.Join(n.Dir, "data", second.Name), "-o", out)
	})
	serves()

	// A peer that lost everything: one channel from its first block, the other from a snapshot, then the other way round.
	for _, by := range [][2]string{{sm3, older}, {older, sm3}} {
		use(by[1])
		snapshot := takeSnapshot(ctx, t, n, first)
		restart(func() { require.NoError(t, n.WipeData(second)) })
		joinBySnapshot(ctx, t, n, second, snapshot)
		use(by[0])
		require.NoError(t, n.JoinPeer(ctx, second))
		installChaincode(ctx, t, n, second, network.FirstVersion)
		write("after " + by[0])
		for _, channel := range []string{sm3, older} {
			use(channel)
			requireSameChain(ctx, t, n)
		}
	}

	// The algorithm stays, by every orderer's refusal.
	for channel, to := range map[string]string{sm3: "SHA256", older: "SM3"} {
		use(channel)
		err := n.UpdateConfig(ctx, "hash-"+channel, append(append([]network.Org{}, n.Peers...), n.Ordering), func(config map[string]any) error {
			values := config["channel_group"].(map[string]any)["values"].(map[string]any)
			values["HashingAlgorithm"].(map[string]any)["value"].(map[string]any)["name"] = to
			values["Capabilities"].(map[string]any)["value"].(map[string]any)["capabilities"].(map[string]any)["GM_V2"] = map[string]any{}
			return nil
		})
		require.ErrorContains(t, err, "attempted to change HashingAlgorithm")
	}

	// A first block whose data are hashed by another algorithm than it names is refused.
	use(sm3)
	raw, err := os.ReadFile(filepath.Join(n.Dir, "channel", sm3+".block"))
	require.NoError(t, err)
	var genesis common.Block
	require.NoError(t, proto.Unmarshal(raw, &genesis))
	sum := sha256.Sum256(genesis.Data.Data[0])
	genesis.Header.DataHash = sum[:]
	raw, err = proto.Marshal(&genesis)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "downgraded.block")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	_, err = n.PeerCommand(ctx, second, "channel", "join", "--blockpath", file)
	require.ErrorContains(t, err, "refusing to join: block 0 names HashingAlgorithm SM3, and the hash of its data is not the SM3 of them")
}
