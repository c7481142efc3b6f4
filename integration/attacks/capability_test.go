// SPDX-License-Identifier: Apache-2.0

//go:build integration

package attacks

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// tree is a node of a channel configuration in JSON.
type tree = map[string]any

func at(t *testing.T, config tree, keys ...string) tree {
	t.Helper()
	for _, key := range keys {
		next, ok := config[key].(tree)
		require.True(t, ok, "no %s in the configuration", key)
		config = next
	}
	return config
}

// everyone are the organisations whose Admins may together change anything.
func everyone(n *network.Network) []network.Org {
	return append(append([]network.Org{}, n.Peers...), n.Ordering)
}

// setCapability turns the rules of GM_V1 on or off.
func setCapability(ctx context.Context, t *testing.T, n *network.Network, name string, on bool, more ...func(tree)) {
	t.Helper()
	require.NoError(t, n.UpdateConfig(ctx, name, everyone(n), func(config tree) error {
		capabilities := at(t, config, "channel_group", "values", "Capabilities", "value", "capabilities")
		delete(capabilities, "GM_V1")
		if on {
			capabilities["GM_V1"] = tree{}
		}
		for _, change := range more {
			change(config)
		}
		return nil
	}))
}

// demandThree has every organisation's policy for endorsements demand three of its peers.
func demandThree(t *testing.T, n *network.Network) func(tree) {
	return func(config tree) {
		for _, org := range n.Peers {
			policy := at(t, config, "channel_group", "groups", "Application", "groups", org.Name, "policies", "Endorsement", "policy", "value")
			one := policy["identities"].([]any)[0]
			policy["identities"] = []any{one, one, one}
			policy["rule"] = tree{"n_out_of": tree{"n": 3, "rules": []any{tree{"signed_by": 0}, tree{"signed_by": 1}, tree{"signed_by": 2}}}}
		}
	}
}

// signThrice has one peer of every organisation sign an outcome of p three times, each time with its certificate in another form,
// and submits the transaction.
func signThrice(ctx context.Context, t *testing.T, n *network.Network, p *proposal, agreed []byte) string {
	t.Helper()
	var all []*peer.Endorsement
	for _, org := range n.Peers {
		one := peerOf(t, n, org, org.PeersOf()[0])
		all = append(all, endorsement(t, one, agreed),
			endorsement(t, one.dress(t, "NULL behind"), agreed), endorsement(t, one.dress(t, "octets behind"), agreed))
	}
	answer := broadcast(ctx, t, n, p.transaction(t, agreed, all...))
	require.Equal(t, common.Status_SUCCESS, answer.Status, answer.Info)
	return p.txID
}

// executed is a proposal by a client of the first organisation, and what the peers agree on.
func executed(ctx context.Context, t *testing.T, n *network.Network, id string) (*proposal, []byte) {
	t.Helper()
	p := propose(t, n, userOf(t, n, n.Peers[0], "User1"), network.ChaincodeName, createAsset(id)...)
	agreed, _ := outcome(ctx, t, n, p)
	return p, agreed
}

// TestOneKeyManySigners: without the capability one key of each organisation meets a policy of three, SM2 and ECDSA alike; from the
// configuration on that names the capability it does not. A peer that judges the whole ledger again comes to the same verdicts.
func TestOneKeyManySigners(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, Orderers: 1, Peers: 1})
	setCapability(ctx, t, n, "without", false, demandThree(t, n))
	p, agreed := executed(ctx, t, n, "before")
	before := signThrice(ctx, t, n, p, agreed)
	requireVerdict(ctx, t, n, peer.TxValidationCode_VALID, before)
	setCapability(ctx, t, n, "with", true)
	p, agreed = executed(ctx, t, n, "after")
	after := signThrice(ctx, t, n, p, agreed)
	requireVerdict(ctx, t, n, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, after)

	for _, node := range n.Nodes(network.Peer) {
		require.NoError(t, n.Stop(ctx, node.Name))
		require.NoError(t, os.RemoveAll(filepath.Join(n.Dir, "data", node.Name)))
		require.NoError(t, n.Start(node.Name))
		require.NoError(t, n.AwaitHealthy(ctx, node))
		require.NoError(t, n.JoinPeer(ctx, node))
		_, err := n.AwaitSameBlocks(ctx)
		require.NoError(t, err)
		require.Equal(t, peer.TxValidationCode_VALID, verdict(ctx, t, n, node, before))
		require.Equal(t, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, verdict(ctx, t, n, node, after))
	}
}

// TestStockPeerAndTheCapability: an unmodified peer judges the forms of ECDSA certificates as ours do until the capability comes.
// Then it leaves with an error that names the capability, and ours continue.
func TestStockPeerAndTheCapability(t *testing.T) {
	stock, err := filepath.Abs("../../build/stock")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(stock, "peer"), "build the stock binaries with make stock")
	n, ctx := start(t, network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Orderers: 1, Peers: 1})
	ours, theirs := n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0]
	require.NoError(t, n.Stop(ctx, theirs.Name))
	require.NoError(t, n.StartFrom(theirs.Name, stock))
	require.NoError(t, n.AwaitHealthy(ctx, theirs))

	setCapability(ctx, t, n, "three", false, demandThree(t, n))
	p, agreed := executed(ctx, t, n, "before")
	before := signThrice(ctx, t, n, p, agreed)
	requireVerdict(ctx, t, n, peer.TxValidationCode_VALID, before)

	p, agreed = executed(ctx, t, n, "after") // while the stock peer is there
	setCapability(ctx, t, n, "with", true)
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(n.LogFile(theirs.Name))
		return err == nil && bytes.Contains(log, []byte("Channel capability GM_V1 is required but not supported"))
	}, time.Minute, 200*time.Millisecond, "%s says why it leaves", theirs.Name)
	after := signThrice(ctx, t, n, p, agreed)
	require.Equal(t, peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, verdict(ctx, t, n, ours, after))
}
