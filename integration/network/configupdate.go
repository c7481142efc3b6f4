// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tree is a node of a channel configuration in the JSON form of configtxlator.
type tree = map[string]any

// Change changes the channel's configuration by "consortium update KIND FLAGS", as operators do: the admins of all signers sign
// what that writes, and the first of them submits it. name tells the update's files, kept under channel/, from those of others.
func (n *Network) Change(ctx context.Context, name string, signers []Org, kind string, flags ...string) error {
	dir := n.path("channel", name)
	if err := os.RemoveAll(dir); err != nil { // of an attempt that orderers refused
		return fmt.Errorf("remove directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	block, envelope := filepath.Join(dir, "config.block"), filepath.Join(dir, "update.pb")
	if err := n.FetchConfig(ctx, block); err != nil {
		return err
	}
	if _, err := n.command(ctx, nil, "consortium", append([]string{"update", kind, "--block", block, "--out", envelope}, flags...)...); err != nil {
		return err
	}
	return n.SubmitUpdate(ctx, envelope, signers...)
}

// UpdateConfig changes the channel's configuration in ways that Change has no kind for, which attackers may want: change edits it
// in JSON, the admins of all signers sign the difference,
// and the first of them submits it. name tells the update's files, kept under channel/, from those of others.
func (n *Network) UpdateConfig(ctx context.Context, name string, signers []Org, change func(config tree) error) error {
	dir := n.path("channel", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	in := func(file string) string { return filepath.Join(dir, file) }
	before, sequence, err := n.currentConfig(ctx, in("block.pb"))
	if err != nil {
		return err
	}
	after, err := edit(before, change)
	if err != nil {
		return err
	}
	if err := n.encode(ctx, "common.Config", before, in("before.pb")); err != nil {
		return err
	}
	if err := n.encode(ctx, "common.Config", after, in("after.pb")); err != nil {
		return err
	}
	if _, err := n.command(ctx, nil, "configtxlator", "compute_update", "--channel_id", n.Channel,
		"--original", in("before.pb"), "--updated", in("after.pb"), "--output", in("update.pb")); err != nil {
		return err
	}
	update, err := n.command(ctx, nil, "configtxlator", "proto_decode", "--type", "common.ConfigUpdate", "--input", in("update.pb"))
	if err != nil {
		return err
	}
	envelope, err := json.Marshal(tree{"payload": tree{
		"header": tree{"channel_header": tree{"channel_id": n.Channel, "type": 2}}, // 2: CONFIG_UPDATE
		"data":   tree{"config_update": json.RawMessage(update)},
	}})
	if err != nil {
		return fmt.Errorf("encode the configuration update: %w", err)
	}
	if err := n.encode(ctx, "common.Envelope", envelope, in("envelope.pb")); err != nil {
		return err
	}
	return n.commit(ctx, signers, in("envelope.pb"), sequence)
}

// SubmitUpdate has the Admins of all signers sign an update that was made elsewhere, submits it, and waits until it is
// committed.
func (n *Network) SubmitUpdate(ctx context.Context, envelope string, signers ...Org) error {
	_, sequence, err := n.currentConfig(ctx, envelope+".before")
	if err != nil {
		return err
	}
	return n.commit(ctx, signers, envelope, sequence)
}

// commit submits an update and waits until the configuration has another sequence number: what an orderer has taken is not yet
// committed, and a leader that falls may lose it.
func (n *Network) commit(ctx context.Context, signers []Org, envelope, sequence string) error {
	if err := n.signAndSubmit(ctx, signers, envelope); err != nil {
		return err
	}
	return poll(ctx, commitLimit, "the configuration update to be committed", func(ctx context.Context) error {
		_, now, err := n.currentConfig(ctx, envelope+".after")
		if err == nil && now == sequence {
			err = fmt.Errorf("the configuration still has sequence %s", now)
		}
		return err
	})
}

// currentConfig fetches the channel's configuration, in JSON, and its sequence number; the block it is in goes to file.
func (n *Network) currentConfig(ctx context.Context, file string) (config json.RawMessage, sequence string, err error) {
	if err := n.FetchConfig(ctx, file); err != nil {
		return nil, "", err
	}
	text, err := n.command(ctx, nil, "configtxlator", "proto_decode", "--type", "common.Block", "--input", file)
	if err != nil {
		return nil, "", err
	}
	var block struct {
		Data struct {
			Data []struct {
				Payload struct {
					Data struct {
						Config json.RawMessage `json:"config"`
					} `json:"data"`
				} `json:"payload"`
			} `json:"data"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &block); err != nil || len(block.Data.Data) != 1 {
		return nil, "", fmt.Errorf("the configuration block of channel %s cannot be read: %v", n.Channel, err)
	}
	config = block.Data.Data[0].Payload.Data.Config
	var head struct {
		Sequence string `json:"sequence"`
	}
	if err := json.Unmarshal(config, &head); err != nil {
		return nil, "", fmt.Errorf("the configuration of channel %s cannot be read: %w", n.Channel, err)
	}
	return config, head.Sequence, nil
}

// edit applies change to a copy of the configuration. Numbers stay as they are written.
func edit(config json.RawMessage, change func(tree) error) (json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	var t tree
	if err := decoder.Decode(&t); err != nil {
		return nil, fmt.Errorf("decode the channel configuration: %w", err)
	}
	if err := change(t); err != nil {
		return nil, fmt.Errorf("change the channel configuration: %w", err)
	}
	out, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode the channel configuration: %w", err)
	}
	return out, nil
}

func (n *Network) encode(ctx context.Context, kind string, text []byte, file string) error {
	if err := os.WriteFile(file+".json", text, 0o600); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	_, err := n.command(ctx, nil, "configtxlator", "proto_encode", "--type", kind, "--input", file+".json", "--output", file)
	return err
}

// signAndSubmit signs in place with every organisation's Admin. The submission adds the first one's signature.
func (n *Network) signAndSubmit(ctx context.Context, signers []Org, envelope string) error {
	peer := n.Nodes(Peer)[0]
	for _, org := range signers[1:] {
		if _, err := n.command(ctx, n.PeerEnv(org, peer, "Admin"), "peer", "channel", "signconfigtx", "--file", envelope); err != nil {
			return err
		}
	}
	args := []string{"channel", "update", "--channelID", n.Channel, "--file", envelope}
	// An orderer without a leader, or whose way to the leader has just broken, says so and takes nothing: ask again.
	return poll(ctx, commitLimit, "an orderer to take the configuration update", func(ctx context.Context) error {
		orderer := n.leaderOrFirst(ctx)
		_, err := n.command(ctx, n.PeerEnv(signers[0], peer, "Admin"), "peer", append(args, n.OrdererFlags(orderer, signers[0], "Admin")...)...)
		if err != nil && !strings.Contains(err.Error(), "SERVICE_UNAVAILABLE") {
			return fmt.Errorf("%w%w", n.explain(err, orderer), errFinal)
		}
		return err
	})
}

// leaderOrFirst is the orderer to ask about the configuration. Another may not have the last one, or never get it: a consenter
// whose new certificate is in there is cut off by the others until it shows that.
func (n *Network) leaderOrFirst(ctx context.Context) Node {
	if leader, found := n.Leader(ctx); found {
		return leader
	}
	return n.Nodes(Orderer)[0]
}

// FetchConfig writes the channel's latest configuration block to file, as the orderers' Admin: during maintenance they give blocks to no
// other.
func (n *Network) FetchConfig(ctx context.Context, file string) error {
	org, orderer := n.Ordering, n.leaderOrFirst(ctx)
	args := append([]string{"channel", "fetch", "config", file, "--channelID", n.Channel}, n.OrdererFlags(orderer, org, "Admin")...)
	_, err := n.command(ctx, n.PeerEnv(org, n.Nodes(Peer)[0], "Admin"), "peer", args...)
	return n.explain(err, orderer)
}
