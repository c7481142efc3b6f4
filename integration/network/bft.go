// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// RenewConsenter gives a consenter of SmartBFT another identity and another pair, of the same authorities: both go into the channel's
// configuration first, then the node starts with them.
func (n *Network) RenewConsenter(ctx context.Context, node Node) error {
	old, err := n.reissue(ctx, node)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("remove the old certificates of %s: %w", node.Name, err)
	}
	return n.replaceConsenter(ctx, node)
}

// AdoptConsenter is AdoptIdentity for a consenter of SmartBFT that runs: the configuration names it by its SM2 identity first.
func (n *Network) AdoptConsenter(ctx context.Context, node Node) error {
	if err := n.AdoptIdentity(node, ""); err != nil {
		return err
	}
	return n.replaceConsenter(ctx, node)
}

// consenterFlags name a consenter to "consortium update".
func (n *Network) consenterFlags(node Node) []string {
	flags := []string{"--address", node.Address(), "--certificate", n.path(filepath.FromSlash(n.consenterCert(node)))}
	if n.BFT() {
		flags = append(flags, "--identity", n.path(filepath.FromSlash(n.consenterIdentity(node))))
	}
	return flags
}

// replaceConsenter puts the node's present certificates into the channel's configuration and starts the node again.
func (n *Network) replaceConsenter(ctx context.Context, node Node) error {
	if err := n.Change(ctx, "renew-"+node.Name, []Org{n.Ordering}, "replace-orderer", n.consenterFlags(node)...); err != nil {
		return err
	}
	if err := n.Stop(ctx, node.Name); err != nil {
		return err
	}
	if err := n.Start(node.Name); err != nil {
		return err
	}
	return n.AwaitHealthy(ctx, node)
}

// MigrateToBFT takes the channel from Raft to SmartBFT, as upstream describes it: into maintenance, the other type with its consenters
// and the policy of their signatures, all orderers started again, out of maintenance. backUp is called while the orderers stand still
// in maintenance, before anything of Raft is gone. The channel needs the capability V3_0 and at least four orderers.
func (n *Network) MigrateToBFT(ctx context.Context, backUp func() error) error {
	if len(n.Ordering.Nodes) < leastBFT {
		return fmt.Errorf("SmartBFT needs %d orderers", leastBFT)
	}
	state := func(name, value string) error {
		return n.UpdateConfig(ctx, name, []Org{n.Ordering}, func(config tree) error {
			consensus, err := descend(config, "channel_group", "groups", "Orderer", "values", "ConsensusType", "value")
			if err == nil {
				consensus["state"] = value
			}
			return err
		})
	}
	if err := state("maintenance", "STATE_MAINTENANCE"); err != nil {
		return err
	}
	if err := n.restartOrderers(ctx, backUp); err != nil {
		return err
	}
	if _, err := n.AwaitLeader(ctx); err != nil {
		return err
	}
	if err := n.UpdateConfig(ctx, "to-bft", []Org{n.Ordering}, n.becomeBFT); err != nil {
		return err
	}
	n.Consensus = ConsensusBFT
	if err := errors.Join(n.save(), n.restartOrderers(ctx, func() error { return nil })); err != nil {
		return err
	}
	if _, err := n.AwaitLeader(ctx); err != nil {
		return err
	}
	return state("normal", "STATE_NORMAL")
}

// restartOrderers stops all orderers, calls stopped, and starts them.
func (n *Network) restartOrderers(ctx context.Context, stopped func() error) error {
	orderers := n.Nodes(Orderer)
	if err := parallel(orderers, func(o Node) error { return n.Stop(ctx, o.Name) }); err != nil {
		return err
	}
	if err := stopped(); err != nil {
		return err
	}
	if err := n.startNodes(Orderer); err != nil {
		return err
	}
	return n.AwaitHealthy(ctx, orderers...)
}

// becomeBFT turns the configuration of a channel on Raft, in maintenance, into that of one on SmartBFT.
func (n *Network) becomeBFT(config tree) error {
	orderer, err := descend(config, "channel_group", "groups", "Orderer")
	if err != nil {
		return err
	}
	consensus, err := descend(orderer, "values", "ConsensusType", "value")
	if err != nil {
		return err
	}
	consensus["type"], consensus["metadata"] = "BFT", tree{
		// Orderers take these two from BatchSize in the end, and yet refuse a migration without them.
		"request_batch_max_count": n.MaxMessages, "request_batch_max_bytes": 4 << 20,
		"request_batch_max_interval": n.BatchTimeout.String(), "request_forward_timeout": "2s", "request_complain_timeout": "10s",
		"request_auto_remove_timeout": "3m", "view_change_resend_interval": "2s", "view_change_timeout": "20s",
		"leader_heartbeat_timeout": "10s", "leader_heartbeat_count": "10", "collect_timeout": "1s",
		"incoming_message_buffer_size": "200", "request_pool_size": "100000", "sync_on_start": true,
	}
	var consenters, principals, signed []any
	for i, node := range n.Nodes(Orderer) {
		identity, err := os.ReadFile(n.path(filepath.FromSlash(n.consenterIdentity(node))))
		if err != nil {
			return fmt.Errorf("identity of %s: %w", node.Name, err)
		}
		tls, err := os.ReadFile(n.path(filepath.FromSlash(n.consenterCert(node))))
		if err != nil {
			return fmt.Errorf("TLS certificate of %s: %w", node.Name, err)
		}
		consenters = append(consenters, tree{
			"id": i + 1, "host": node.Host, "port": node.Port, "msp_id": n.Ordering.MSPID,
			"identity": identity, "client_tls_cert": tls, "server_tls_cert": tls,
		})
		principals = append(principals, tree{
			"principal_classification": "IDENTITY", "principal": tree{"mspid": n.Ordering.MSPID, "id_bytes": identity},
		})
		signed = append(signed, tree{"signed_by": i})
	}
	values, err := descend(orderer, "values")
	if err != nil {
		return err
	}
	values["Orderers"] = tree{"mod_policy": "Admins", "version": "0", "value": tree{"consenter_mapping": consenters}}
	validation, err := descend(orderer, "policies", "BlockValidation")
	if err != nil {
		return err
	}
	total := len(consenters)
	quorum := (total + (total-1)/3 + 2) / 2 // the least of which any two share an honest one
	validation["policy"] = tree{"type": 1, "value": tree{
		"version": 0, "identities": principals, "rule": tree{"n_out_of": tree{"n": quorum, "rules": signed}},
	}}
	return nil
}
