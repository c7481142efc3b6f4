// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// RotateTLS replaces the TLS and TLCP certificates and keys of a running orderer or peer by new ones of the same authorities.
// A consenter's new certificate goes into the channel configuration first. The node takes its files up on SIGHUP, without a
// restart; RotateTLS returns when it serves the new certificate.
func (n *Network) RotateTLS(ctx context.Context, node Node) error {
	if n.caBin != "" {
		return errors.New("cryptogen makes the new certificates, and this network has authorities: see WriteRenewalPlan")
	}
	before, err := n.ServedCertificate(ctx, node)
	if err != nil {
		return err
	}
	if err := n.reissueTLS(ctx, node); err != nil {
		return err
	}
	if node.Kind == Orderer {
		if err := n.rotateConsenter(ctx, node); err != nil {
			return err
		}
	}
	u := n.unit(node.Name)
	if u == nil {
		return fmt.Errorf("%s was never started", node.Name)
	}
	if err := u.signal(syscall.SIGHUP); err != nil {
		return err
	}
	return poll(ctx, healthLimit, node.Name+" to serve its new certificate", func(ctx context.Context) error {
		if err := n.checkRunning(node.Name); err != nil {
			return err
		}
		now, err := n.ServedCertificate(ctx, node)
		if err == nil && bytes.Equal(now, before) {
			err = errors.New("it serves the old one")
		}
		return err
	})
}

// awaitActive waits until the raft leader counts every consenter as active.
func (n *Network) awaitActive(ctx context.Context) error {
	return poll(ctx, commitLimit, "all consenters to be active", func(ctx context.Context) error {
		leader, found := n.Leader(ctx)
		if !found {
			return errors.New("there is no raft leader")
		}
		active, _, err := n.Metric(ctx, leader, "consensus_etcdraft_active_nodes", n.channelLabel())
		if err == nil && int(active) != len(n.Ordering.Nodes) {
			err = fmt.Errorf("%s counts %v of %d", leader.Name, active, len(n.Ordering.Nodes))
		}
		return err
	})
}

// reissue lets cryptogen make the node's keys and certificates again, and returns where the former folder is now.
func (n *Network) reissue(ctx context.Context, node Node) (old string, err error) {
	old = n.path("old-" + node.Name)
	if err := os.Rename(n.NodeFolder(node), old); err != nil {
		return "", fmt.Errorf("set the certificates of %s aside: %w", node.Name, err)
	}
	_, err = n.command(ctx, nil, "cryptogen", "extend", "--config", n.path("config", "crypto-config.yaml"), "--input", n.path("crypto"))
	return old, err
}

// reissueTLS lets cryptogen make the node's keys and certificates again and keeps only the TLS part of that.
func (n *Network) reissueTLS(ctx context.Context, node Node) error {
	folder := n.NodeFolder(node)
	old, err := n.reissue(ctx, node)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(folder, "msp")); err != nil {
		return fmt.Errorf("keep the identity of %s: %w", node.Name, err)
	}
	if err := os.Rename(filepath.Join(old, "msp"), filepath.Join(folder, "msp")); err != nil {
		return fmt.Errorf("keep the identity of %s: %w", node.Name, err)
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("remove the old certificates of %s: %w", node.Name, err)
	}
	return nil
}

// ServedCertificate is the leaf that a node's service presents to the network's own kind of dialers, in DER: under TLCP the
// signing certificate.
func (n *Network) ServedCertificate(ctx context.Context, node Node) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, operationsLimit)
	defer cancel()
	dial, err := n.dialer(n.ClientMode, node, n.orgOf(node), "Admin")
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, "tcp", node.Local())
	if err != nil {
		return nil, fmt.Errorf("handshake with %s: %w", node.Name, err)
	}
	defer conn.Close()
	switch c := conn.(type) {
	case *tls.Conn:
		return c.ConnectionState().PeerCertificates[0].Raw, nil
	case *gmtls.Conn:
		return c.ConnectionState().PeerCertificates[0].Raw, nil
	}
	return nil, fmt.Errorf("unknown kind of connection %T", conn)
}

// rotateConsenter puts node's new certificate into the channel. A change to one consenter while another is away could cost
// the quorum, and orderers refuse it; whether one is away they learn with a delay. An update that an orderer took but could not
// hand to the leader is lost, as any transaction is. Neither is a failure: the update is sent again.
func (n *Network) rotateConsenter(ctx context.Context, node Node) error {
	ctx, cancel := context.WithTimeout(ctx, 3*healthLimit)
	defer cancel()
	for {
		if err := n.awaitActive(ctx); err != nil {
			return err
		}
		err := n.Change(ctx, "rotate-"+node.Name, []Org{n.Ordering}, "replace-orderer", n.consenterFlags(node)...)
		again := err != nil && (strings.Contains(err.Error(), "quorum loss") || strings.Contains(err.Error(), "update to be committed"))
		if !again || ctx.Err() != nil {
			return err
		}
	}
}
