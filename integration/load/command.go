// SPDX-License-Identifier: Apache-2.0

// Package load measures a Fabric network: throughput, latency, errors, and what its processes use. Throughput is counted in
// the blocks that a peer delivers, never in answers of the gateway. The command of the same name is integration/cmd/load.
package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// Command runs a verb with its flags: run, compare or alternate. Results go to out, progress to progress.
func Command(ctx context.Context, args []string, out, progress io.Writer) error {
	verbs := map[string]func(context.Context, []string, io.Writer, io.Writer) error{
		"run": runCommand, "compare": compareCommand, "alternate": alternateCommand,
	}
	if len(args) == 0 || verbs[args[0]] == nil {
		return errors.New("say what to do: run, compare or alternate")
	}
	return verbs[args[0]](ctx, args[1:], out, progress)
}

func parse(set *flag.FlagSet, args []string) error {
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", set.Name(), set.Arg(0))
	}
	return nil
}

func runCommand(ctx context.Context, args []string, out, progress io.Writer) error {
	var s Settings
	set := flag.NewFlagSet("load run", flag.ContinueOnError)
	set.SetOutput(progress)
	s.flags(set)
	dir := set.String("network", "build/network", "state directory of the network that make network started")
	profile := set.String("profile", "", "connection profile, for another network than that")
	peer := set.String("peer", "", "gateway peer (default: the first of the profile)")
	channel := set.String("channel", "mychannel", "channel, with -profile")
	chaincode := set.String("chaincode", network.ChaincodeName, "name of the asset chaincode, with -profile")
	pids := set.String("pids", "", "processes to watch, name=pid,..., with -profile")
	label := set.String("label", "", "name of the result")
	file := set.String("out", "", "file for the result as JSON")
	if err := parse(set, args); err != nil {
		return err
	}
	t := Target{profile: *profile, peer: *peer, Channel: *channel, chaincode: *chaincode}
	if *profile == "" {
		if *pids != "" {
			return errors.New("-pids goes with -profile: the processes of a network in -network are known")
		}
		n, err := network.Open(*dir)
		if err != nil {
			return err
		}
		t = TargetOf(n)
		if *peer != "" {
			t.peer = *peer
		}
	} else {
		var err error
		if t.processes, err = parseProcesses(*pids); err != nil {
			return err
		}
	}
	result, err := t.Measure(ctx, s, progress)
	if err != nil {
		return err
	}
	if result.Label = *label; result.Label == "" {
		result.Label = t.label
	}
	if err := result.print(out); err != nil {
		return err
	}
	if *file != "" {
		return WriteJSON(*file, result)
	}
	return nil
}

// Target is what a load is put on.
type Target struct {
	// Channel is where transactions go.
	Channel string

	label                    string
	profile, peer, chaincode string
	processes                []Process
}

// TargetOf is the first peer of a network of the harness, with all of the network's processes.
func TargetOf(n *network.Network) Target {
	first := n.Nodes(network.Peer)[0]
	t := Target{
		label:   fmt.Sprintf("mode %s, identities %s", n.Mode, n.Algorithm),
		profile: n.Profile(n.Peers[0]), peer: first.Name, Channel: n.Channel, chaincode: network.ChaincodeName,
	}
	for _, kind := range []network.Kind{network.Orderer, network.Peer, network.Chaincode} {
		for _, node := range n.Nodes(kind) {
			if pid := n.PID(node.Name); pid != 0 {
				t.processes = append(t.processes, Process{Name: node.Name, PID: pid})
			}
		}
	}
	return t
}

// Measure puts the load on the target, each connection with a separate gateway and handshake, and returns what it
// measured.
func (t Target) Measure(ctx context.Context, s Settings, progress io.Writer) (*Result, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	connections, err := t.Connect(s.Connections, client.WithCommitStatusTimeout(s.CommitLimit), client.WithEndorseTimeout(s.CommitLimit))
	if err != nil {
		return nil, err
	}
	networks := make([]*client.Network, len(connections))
	for i, c := range connections {
		defer c.Close()
		networks[i] = c.GetNetwork(t.Channel)
	}
	processes := append([]Process{{Name: Self, PID: os.Getpid()}}, t.processes...)
	return measure(ctx, s, networks, t.chaincode, processes, progress)
}

// Connect prepares gateways, each with a separate connection, which its first call opens. The caller closes them.
func (t Target) Connect(count int, options ...client.ConnectOption) ([]*gmgateway.Connection, error) {
	profile, err := gmgateway.LoadProfile(t.profile)
	if err != nil {
		return nil, err
	}
	var connections []*gmgateway.Connection
	for range count {
		c, err := profile.Connect(t.peer, options...)
		if err != nil {
			for _, c := range connections {
				_ = c.Close()
			}
			return nil, err
		}
		connections = append(connections, c)
	}
	return connections, nil
}

func compareCommand(_ context.Context, args []string, out, progress io.Writer) error {
	set := flag.NewFlagSet("load compare", flag.ContinueOnError)
	set.SetOutput(progress)
	a := set.String("a", "", "results of one side, file,...")
	b := set.String("b", "", "results of the other side, file,...")
	file := set.String("out", "", "file for the comparison as JSON")
	if err := parse(set, args); err != nil {
		return err
	}
	var sides [2][]*Result
	for i, files := range []string{*a, *b} {
		for name := range strings.SplitSeq(files, ",") {
			if name == "" {
				continue
			}
			r, err := readResult(name)
			if err != nil {
				return err
			}
			sides[i] = append(sides[i], r)
		}
	}
	return conclude(sides[0], sides[1], *file, out)
}

func conclude(a, b []*Result, file string, out io.Writer) error {
	c, err := compare(a, b)
	if err != nil {
		return err
	}
	if err := c.print(out); err != nil {
		return err
	}
	if file != "" {
		return WriteJSON(file, c)
	}
	return nil
}
