// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// TestBFTMigration takes a channel in mode gm from Raft to SmartBFT, as docs/byzantine.md tells. What was committed before is there, and the
// orderers survive the loss of any one.
func TestBFTMigration(t *testing.T) {
	n, ctx := start(t, network.Options{Orderers: 4, Peers: 1, Relayed: true, Bin: fabric3(t)})
	clients := []network.Node{n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0]}
	l := startLoad(ctx, t, n, clients...)
	l.awaitMore(5, "on Raft")
	l.finish(ctx)
	everybody := append([]network.Org{n.Ordering}, n.Peers...)
	require.NoError(t, n.Change(ctx, "capability", everybody, "set-capability", "--capability", "V3_0"))

	backup := t.TempDir()
	migrateToBFT(ctx, t, n, func() { require.NoError(t, os.CopyFS(backup, os.DirFS(filepath.Join(n.Dir, "data")))) })
	for _, o := range n.Nodes(network.Orderer) {
		require.DirExists(t, filepath.Join(backup, o.Name))
		log, err := os.ReadFile(n.LogFile(o.Name))
		require.NoError(t, err)
		require.Contains(t, string(log), "Detected migration to BFT")
	}
	after := startLoad(ctx, t, n, clients...)
	after.awaitMore(5, "on SmartBFT")
	requireAnyCanBeMissed(ctx, t, n, after)
	for _, id := range l.committed {
		require.Equal(t, "load", read(ctx, t, contract(t, n, clients[1]), id).Owner)
	}
	requireOnly(t, n, network.ModeGM)
}

// tree is a node of a channel's configuration in the JSON form of configtxlator.
type tree = map[string]any

// migrateToBFT takes a channel in mode gm from Raft to SmartBFT, as upstream describes it: into maintenance, the other type with its
// consenters and the policy of their signatures, all orderers started again, out of maintenance. backUp is called while the orderers
// stand still in maintenance, before anything of Raft is gone.
func migrateToBFT(ctx context.Context, t *testing.T, n *network.Network, backUp func()) {
	t.Helper()
	change := func(name string, change func(orderer tree)) {
		t.Helper()
		require.NoError(t, n.UpdateConfig(ctx, name, []network.Org{n.Ordering}, func(config tree) error {
			change(at(t, config, "channel_group", "groups", "Orderer").(tree))
			return nil
		}))
	}
	state := func(name, value string) {
		t.Helper()
		change(name, func(orderer tree) { at(t, orderer, "values", "ConsensusType", "value").(tree)["state"] = value })
	}
	change("smaller", func(orderer tree) { // a new view of SmartBFT is proved in one message, with blocks
		at(t, orderer, "values", "BatchSize", "value").(tree)["absolute_max_bytes"] = 7 << 20
	})
	state("maintenance", "STATE_MAINTENANCE")
	restartOrderers(ctx, t, n, backUp)
	change("to-bft", func(orderer tree) { becomeBFT(t, n, orderer) })
	n.Consensus = network.ConsensusBFT
	require.NoError(t, n.WriteConfiguration())
	restartOrderers(ctx, t, n, func() {})
	state("normal", "STATE_NORMAL")
}

// restartOrderers stops all orderers, calls stopped, starts them and waits until one leads.
func restartOrderers(ctx context.Context, t *testing.T, n *network.Network, stopped func()) {
	t.Helper()
	orderers := n.Nodes(network.Orderer)
	var all sync.WaitGroup
	for _, o := range orderers {
		all.Go(func() { assert.NoError(t, n.Stop(ctx, o.Name)) })
	}
	all.Wait()
	stopped()
	for _, o := range orderers {
		require.NoError(t, n.Start(o.Name))
	}
	require.NoError(t, n.AwaitHealthy(ctx, orderers...))
	leader(ctx, t, n)
}

// becomeBFT turns the orderers' part of a configuration in maintenance from Raft to SmartBFT.
func becomeBFT(t *testing.T, n *network.Network, orderer tree) {
	t.Helper()
	consensus := at(t, orderer, "values", "ConsensusType", "value").(tree)
	consensus["type"], consensus["metadata"] = "BFT", tree{
		// Orderers take these two from BatchSize in the end, and yet refuse a migration without them.
		"request_batch_max_count": n.MaxMessages, "request_batch_max_bytes": 4 << 20,
		"request_batch_max_interval": n.BatchTimeout.String(), "request_forward_timeout": "2s", "request_complain_timeout": "10s",
		"request_auto_remove_timeout": "3m", "view_change_resend_interval": "2s", "view_change_timeout": "20s",
		"leader_heartbeat_timeout": "10s", "leader_heartbeat_count": "10", "collect_timeout": "1s",
		"incoming_message_buffer_size": "200", "request_pool_size": "100000", "sync_on_start": true,
	}
	var consenters, principals, signed []any
	for i, node := range n.Nodes(network.Orderer) {
		identity, err := os.ReadFile(filepath.Join(n.NodeFolder(node), "msp", "signcerts", node.Name+"-cert.pem"))
		require.NoError(t, err)
		tls, err := os.ReadFile(filepath.Join(n.NodeFolder(node), "tls", "server-sign.crt"))
		require.NoError(t, err)
		consenters = append(consenters, tree{
			"id": i + 1, "host": node.Host, "port": node.Port, "msp_id": n.Ordering.MSPID,
			"identity": identity, "client_tls_cert": tls, "server_tls_cert": tls,
		})
		principals = append(principals, tree{
			"principal_classification": "IDENTITY", "principal": tree{"mspid": n.Ordering.MSPID, "id_bytes": identity},
		})
		signed = append(signed, tree{"signed_by": i})
	}
	at(t, orderer, "values").(tree)["Orderers"] = tree{"mod_policy": "Admins", "version": "0", "value": tree{"consenter_mapping": consenters}}
	total := len(consenters)
	quorum := (total + (total-1)/3 + 2) / 2 // the least of which any two share an honest one
	at(t, orderer, "policies", "BlockValidation").(tree)["policy"] = tree{"type": 1, "value": tree{
		"version": 0, "identities": principals, "rule": tree{"n_out_of": tree{"n": quorum, "rules": signed}},
	}}
}
