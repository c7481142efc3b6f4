// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Isolated nodes: a bridge in the namespace of the caller, and for each node a namespace of its name with one end of a pair of
// virtual interfaces; the other end is a port of the bridge. All traffic, that of the caller too, goes through the bridge.
const (
	bridge        = "fabric-gm"
	subnet        = "10.231." // of 16 bits
	bridgeAddress = subnet + "255.254/16"
	nodeInterface = "eth0"
	namespaceDir  = "/run/netns" // where ip, of iproute2, keeps namespaces by name
)

// isolatedAddress is the address of the node at index of the organisation at org.
func isolatedAddress(org, index int) string { return fmt.Sprintf(subnet+"%d.%d", org, index+1) }

// bridgePort is the node's interface at the bridge.
func bridgePort(node Node) string {
	return "node-" + strings.ReplaceAll(strings.TrimPrefix(node.Host, subnet), ".", "-")
}

func namespaceFile(node Node) string { return filepath.Join(namespaceDir, node.Name) }

// isolate makes the namespaces. Nothing removes them: they are files of the caller's mount namespace, in which it has mounted
// an empty /run, and live as long as that and the nodes.
func (n *Network) isolate(ctx context.Context) error {
	if !n.isolated {
		return nil
	}
	if entries, err := os.ReadDir(namespaceDir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s holds namespaces of others: an isolated network needs a mount namespace with a separate /run", namespaceDir)
	}
	commands := []string{
		"link add " + bridge + " type bridge",
		"addr add " + bridgeAddress + " dev " + bridge,
		"link set " + bridge + " up",
	}
	for _, node := range n.AllNodes() {
		port := bridgePort(node)
		commands = append(commands,
			"netns add "+node.Name,
			"link add "+port+" type veth peer name "+nodeInterface+" netns "+node.Name,
			"link set "+port+" master "+bridge+" up",
			"-n "+node.Name+" addr add "+node.Host+"/16 dev "+nodeInterface,
			"-n "+node.Name+" link set lo up",
			"-n "+node.Name+" link set "+nodeInterface+" up")
	}
	for _, command := range commands {
		if err := ip(ctx, command); err != nil {
			return err
		}
	}
	n.say("a network namespace for each of %d nodes", len(n.AllNodes()))
	return nil
}

// Disconnect cuts an isolated node off from all others, both ways: packets get lost, no connection is closed.
func (n *Network) Disconnect(ctx context.Context, node Node) error {
	return ip(ctx, "link set "+bridgePort(node)+" nomaster")
}

// Reconnect undoes Disconnect.
func (n *Network) Reconnect(ctx context.Context, node Node) error {
	return ip(ctx, "link set "+bridgePort(node)+" master "+bridge)
}

// ErrNoLoss is returned by LosePackets when this kernel has no means of it.
var ErrNoLoss = errors.New("neither tc's netem nor iptables' statistic match can be had")

// LosePackets loses the given share of the packets to an isolated node, at random, from now on.
func (n *Network) LosePackets(ctx context.Context, node Node, percent int) error {
	enter := []string{"nsenter", "--net=" + namespaceFile(node)}
	// netem loses what leaves; that is as well, since every connection is between two nodes.
	netem := fmt.Sprintf("tc qdisc add dev %s root netem loss %d%%", nodeInterface, percent)
	statistic := fmt.Sprintf("iptables -A INPUT -i %s -m statistic --mode random --probability %.2f -j DROP", nodeInterface, float64(percent)/100)
	var errs []error
	for _, command := range []string{netem, statistic} {
		_, err := execute(ctx, nil, append(enter, strings.Fields(command)...)...)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("%w: %w", ErrNoLoss, errors.Join(errs...))
}

func ip(ctx context.Context, command string) error {
	_, err := execute(ctx, nil, append([]string{"ip"}, strings.Fields(command)...)...)
	return err
}
