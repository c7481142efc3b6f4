// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// unknownHeight is in the table for the height of a node whose operations service does not tell.
const unknownHeight = "unknown"

// WriteStatus prints a table of the nodes and how to talk to the network. The error, after the table, names nodes that
// should run and do not, with the end of the log of the first that has ended, and nodes that run and do not answer.
func (n *Network) WriteStatus(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "channel %s, chaincode %s, mode %s (dialing %s), identities %s, client certificates %s\n\n",
		n.Channel, ChaincodeName, n.Mode, n.ClientMode, n.Algorithm, map[bool]string{true: "demanded", false: "not demanded"}[n.MutualTLS])
	down, silent, err := n.writeNodes(ctx, out)
	if err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	n.writeHints(out)
	var errs []error
	if len(silent) > 0 {
		errs = append(errs, fmt.Errorf("running, but not answering: %s; their logs may say why", strings.Join(silent, ", ")))
	}
	if len(down) > 0 {
		errs = append(errs, fmt.Errorf("not running: %s", strings.Join(down, ", ")), n.checkRunning(down...))
	}
	return errors.Join(errs...)
}

// writeNodes prints the table, and returns the nodes that do not run and those that do not answer. All are asked at once: one
// that hangs takes its time.
func (n *Network) writeNodes(ctx context.Context, out io.Writer) (down, silent []string, err error) {
	nodes := n.AllNodes()
	use, height := make([]string, len(nodes)), make([]string, len(nodes))
	var leader Node
	var byHand []string // nodes that run, and not as they were started by this
	tasks := []func() error{func() error { leader, _ = n.Leader(ctx); return nil }}
	for i, node := range nodes {
		if u := n.unit(node.Name); u == nil || !u.alive() {
			if !n.servesUnrecorded(ctx, node) {
				down = append(down, node.Name)
				use[i], height[i] = "-", "-"
				continue
			}
			byHand = append(byHand, node.Name)
		}
		tasks = append(tasks, func() error { use[i], height[i] = n.InUse(ctx, node), n.heightText(ctx, node); return nil })
	}
	if err := runAll(tasks...); err != nil {
		return nil, nil, err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tADDRESS\tOPERATIONS\tIN USE\tHEIGHT\tSTATE")
	for i, node := range nodes {
		state, u := "", n.unit(node.Name)
		switch {
		case slices.Contains(down, node.Name):
			state = notRunning(u)
		case slices.Contains(byHand, node.Name):
			state = "runs, started by hand"
			if node.Name == leader.Name {
				state += ", raft leader"
			}
		case height[i] == unknownHeight || allFail(use[i]):
			silent = append(silent, node.Name)
			fallthrough
		default:
			state = stateText(node, u, leader)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", node.Name, node.Local(), operationsPort(node), use[i], height[i], state)
	}
	return down, silent, table.Flush()
}

// writeHints says where things are, and which commands reach this network: those for the usual folders need no DIR.
func (n *Network) writeHints(out io.Writer) {
	logs, dir, stop := n.path("logs"), "DIR="+quote(n.Dir), "make network-down"
	build := filepath.Dir(n.Bin)
	if n.docker {
		logs = "docker logs CONTAINER; what commands said, in " + logs
	}
	env := dir + " scripts/env.sh"
	switch n.Dir {
	case filepath.Join(build, "network"):
		env = "scripts/env.sh"
	case filepath.Join(build, "docker-network"):
		stop = "make docker-network-down"
	default:
		stop += " " + dir
	}
	fmt.Fprintf(out, "\nlogs       %s\nmaterial   %s\npeer CLI   eval \"$(%s %s)\" && peer channel getinfo -c %s\nstop       %s\n",
		logs, n.path("crypto"), env, strings.ToLower(n.Peers[0].Name), n.Channel, stop)
}

func operationsPort(node Node) string {
	if node.Operations == 0 {
		return "-"
	}
	return node.addressAt(node.Operations)
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
		text += ", leader"
	}
	return text
}

func (n *Network) heightText(ctx context.Context, node Node) string {
	if node.Kind == Chaincode {
		return "-"
	}
	height, err := n.Height(ctx, node)
	if err != nil {
		return unknownHeight
	}
	return fmt.Sprint(height)
}

// WriteEnv prints, for a shell's eval, the environment in which the peer command acts as the Admin of org towards its first
// peer, ORDERER_FLAGS for commands that send to an orderer, and ENDORSER_FLAGS for those that need a peer of every organisation.
// Both are for $-expansion without quotes: their paths have no spaces, see checkPath.
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
	fmt.Fprintf(out, "export ENDORSER_FLAGS=%s\n", quote(strings.Join(n.endorserFlags(), " ")))
	fmt.Fprintf(out, "export PATH=%s:\"$PATH\"\n", quote(n.Bin))
	return nil
}

// quote makes one word of the shell out of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
