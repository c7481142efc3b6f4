// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Snapshot lets a peer write a snapshot of the channel as of its last block, and returns its folder.
func (n *Network) Snapshot(ctx context.Context, peer Node) (string, error) {
	height, err := n.Height(ctx, peer)
	if err != nil {
		return "", err
	}
	last := strconv.FormatUint(height-1, 10)
	if _, err := n.snapshotCommand(ctx, peer, "submitrequest", "--channelID", n.Channel, "--blockNumber", last); err != nil {
		return "", err
	}
	folder := n.path("data", peer.Name, "snapshots", "completed", n.Channel, last)
	return folder, poll(ctx, commitLimit, "the snapshot of "+peer.Name, func(context.Context) error {
		_, err := os.Stat(filepath.Join(folder, "_snapshot_signable_metadata.json"))
		return err
	})
}

// snapshotCommand adds the flags by which the snapshot commands, unlike others, want to be told of the peer.
func (n *Network) snapshotCommand(ctx context.Context, peer Node, args ...string) (string, error) {
	root := n.path(filepath.FromSlash(n.nodeCrypto(peer)), "tls", n.rootFile())
	return n.PeerCommand(ctx, peer, append(append([]string{"snapshot"}, args...), "--peerAddress", peer.Local(), "--tlsRootCertFile", root)...)
}

// WipeData removes all that a stopped peer has stored.
func (n *Network) WipeData(peer Node) error {
	if u := n.unit(peer.Name); u != nil && u.alive() {
		return fmt.Errorf("stop %s before its data is removed", peer.Name)
	}
	if err := os.RemoveAll(n.path("data", peer.Name)); err != nil {
		return fmt.Errorf("remove the data of %s: %w", peer.Name, err)
	}
	return nil
}

// JoinBySnapshot lets a peer join the channel from a snapshot and waits until it has.
func (n *Network) JoinBySnapshot(ctx context.Context, peer Node, folder string) error {
	if _, err := n.PeerCommand(ctx, peer, "channel", "joinbysnapshot", "--snapshotpath", folder); err != nil {
		return err
	}
	return poll(ctx, commitLimit, peer.Name+" to join by snapshot", func(ctx context.Context) error {
		out, err := n.PeerCommand(ctx, peer, "channel", "joinbysnapshotstatus")
		if err != nil {
			return err
		}
		if !strings.Contains(out, "No joinbysnapshot operation is in progress") {
			return errors.New(strings.TrimSpace(out))
		}
		_, err = n.Height(ctx, peer)
		return err
	})
}

// InstallChaincode installs the package of the peer's organisation on that peer.
func (n *Network) InstallChaincode(ctx context.Context, peer Node) error {
	label, _, _ := strings.Cut(n.packages[n.orgOf(peer).Name], ":")
	file := n.path("chaincode", strings.ToLower(n.orgOf(peer).Name), label+".tar.gz")
	_, err := n.PeerCommand(ctx, peer, "lifecycle", "chaincode", "install", file)
	return err
}
