// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/integration/network"
)

// TestStrict runs nodes that use only approved algorithms, with keys in a simulated device and an SM3 channel, and checks
// them with gmtls assess. Other algorithms from an operator, a client or an administrator of the channel are refused.
func TestStrict(t *testing.T) {
	n, ctx := start(t, network.Options{Strict: true, Hash: network.HashSM3, Orderers: 1, Peers: 1, Keys: network.KeysSDF})
	peer := n.Peers[0].PeersOf()[0]
	for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
		log, err := os.ReadFile(filepath.Join(n.Dir, "logs", node.Name+".log"))
		require.NoError(t, err)
		require.Contains(t, string(log), "BCCSP.GM.Strict: only approved algorithms", node.Name)
	}
	submit(ctx, t, contract(t, n, peer), "CreateAsset", "approved", "blue", "2", "ida", "8")
	requireSameChain(ctx, t, n)
	requireTLSRefused(t, n)

	// An organisation must not bring a CA of another family.
	ecdsa := gmtlstest.NewFamilyCA(t, gmtlstest.ECDSA, "ecdsa").CertPEM
	err := n.UpdateConfig(ctx, "ecdsa", append(append([]network.Org{}, n.Peers...), n.Ordering), func(config map[string]any) error {
		at := config
		for _, key := range []string{"channel_group", "groups", "Application", "groups", n.Peers[0].Name, "values", "MSP", "value", "config"} {
			at = at[key].(map[string]any)
		}
		at["root_certs"] = append(at["root_certs"].([]any), base64.StdEncoding.EncodeToString(ecdsa))
		return nil
	})
	require.ErrorContains(t, err, "whose key is not SM2, and BCCSP.GM.Strict allows only SM2")

	block := filepath.Join(t.TempDir(), "config.block")
	_, err = n.PeerCommand(ctx, peer, "channel", "fetch", "config", block, "--channelID", n.Channel)
	require.NoError(t, err)
	args := []string{"assess", "--block", block}
	for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
		args = append(args, "--node", filepath.Join(n.Dir, "nodes", node.Name))
	}
	out, err := exec.CommandContext(ctx, filepath.Join(n.Bin, "gmtls"), args...).CombinedOutput()
	require.Error(t, err, "nothing was said of connections and volumes")
	t.Logf("%s", out)
	agreement := "not met" // by Raft, which tolerates crashes alone
	if n.BFT() {
		agreement = "met"
	}
	for _, line := range []string{
		"met             JR/T 0184-2020 7.2:", "met             JR/T 0184-2020 8.4:", "met             JR/T 0184-2020 8.6:", "met             JR/T 0184-2020 8.7:",
		fmt.Sprintf("%-16sJR/T 0184-2020 11.4 agreement:", agreement), "not shown       JR/T 0184-2020 7.8:", "open            JR/T 0184-2020 8.1 module:",
	} {
		require.Contains(t, string(out), line)
	}
}
