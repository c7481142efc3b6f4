// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// WriteStatus prints a table of the nodes and how to talk to the network. The error, after the table, names nodes that
// should run and do not.
func (n *Network) WriteStatus(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "channel %s, chaincode %s, mode %s (dialing %s), identities %s, client certificates %s\n\n",
		n.Channel, ChaincodeName, n.Mode, n.ClientMode, n.Algorithm, map[bool]string{true: "demanded", false: "not demanded"}[n.MutualTLS])
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tADDRESS\tOPERATIONS\tIN USE\tHEIGHT\tSTATE")
	var down []string
	leader, _ := n.Leader(ctx)
	for node := range n.nodes() {
		u := n.unit(node.Name)
		if u == nil || !u.alive() {
			down = append(down, node.Name)
			fmt.Fprintf(table, "%s\t%s\t%s\t-\t-\t%s\n", node.Name, node.Local(), operationsPort(*node), notRunning(u))
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", node.Name, node.Local(), operationsPort(*node),
			n.InUse(ctx, *node), n.heightText(ctx, *node), stateText(*node, u, leader))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	dir, stop := "", "make network-down"
	switch base := filepath.Base(n.Dir); {
	case n.docker && base == "docker-network":
		dir, stop = "DIR="+quote(n.Dir)+" ", "make docker-network-down"
	case base != "network":
		dir, stop = "DIR="+quote(n.Dir)+" ", stop+" DIR="+quote(n.Dir)
	}
	fmt.Fprintf(out, "\nlogs       %s\nmaterial   %s\npeer CLI   eval \"$(%sscripts/env.sh %s)\" && peer channel getinfo -c %s\nstop       %s\n",
		n.path("logs"), n.path("crypto"), dir, strings.ToLower(n.Peers[0].Name), n.Channel, stop)
	if len(down) > 0 {
		return fmt.Errorf("not running: %s", strings.Join(down, ", "))
	}
	return nil
}

func operationsPort(node Node) string {
	if node.Operations == 0 {
		return "-"
	}
	return local(node.Operations)
}

func notRunning(u unit) string {
	if u == nil {
		return "never started"
	}
	_, where := u.lastLog(1)
	return "not running, see " + where
}

func stateText(node Node, u unit, leader Node) string {
	text := u.describe()
	if node.Name == leader.Name {
		text += ", raft leader"
	}
	return text
}

func (n *Network) heightText(ctx context.Context, node Node) string {
	var height uint64
	var err error
	switch node.Kind {
	case Peer:
		height, err = n.Height(ctx, node)
	case Orderer:
		var value float64
		var found bool
		value, found, err = n.Metric(ctx, node, "consensus_etcdraft_committed_block_number", n.channelLabel())
		if err == nil && !found {
			err = errors.New("the orderer is not on the channel")
		}
		height = uint64(value) + 1 // a block's number counts from 0
	default:
		return "-"
	}
	if err != nil {
		return "unknown"
	}
	return fmt.Sprint(height)
}

// WriteEnv prints, for a shell's eval, the environment in which the peer command acts as the Admin of org towards its first
// peer, and ORDERER_FLAGS for commands that send to an orderer.
func (n *Network) WriteEnv(name string, out io.Writer) error {
	org, err := n.Org(name)
	if err != nil {
		return err
	}
	peers := org.PeersOf()
	if len(peers) == 0 {
		return fmt.Errorf("%s has no peers; name one of %s", org.Name, orgNames(n.Peers))
	}
	for _, v := range n.PeerEnv(org, peers[0], "Admin") {
		fmt.Fprintf(out, "export %s=%s\n", v.Name, quote(v.Value))
	}
	flags := n.OrdererFlags(n.Nodes(Orderer)[0], org, "Admin")
	fmt.Fprintf(out, "export ORDERER_FLAGS=%s\n", quote(strings.Join(flags, " ")))
	fmt.Fprintf(out, "export PATH=%s:\"$PATH\"\n", quote(n.Bin))
	return nil
}

// quote makes one word of the shell out of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
