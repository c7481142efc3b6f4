// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxDeployed is how many chaincodes an organisation's block of ports has room for, in addition to the first.
const maxDeployed = portsPerNode - 1

var chaincodeNames = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`) // for Fabric, for host names and for files

// Deploy builds the Go program in a folder, runs it as every organisation's chaincode server, and makes it the channel's chaincode of that
// name: the first version, or the next one of what Deploy made before. It returns the sequence.
func (n *Network) Deploy(ctx context.Context, name, folder string) (sequence int, err error) {
	if err := n.mayGrow(); err != nil {
		return 0, err
	}
	if !chaincodeNames.MatchString(name) || name == ChaincodeName {
		return 0, fmt.Errorf("%q is not a name for a chaincode of yours: small letters and digits, and not %s", name, ChaincodeName)
	}
	if sequence, err = n.committedSequence(ctx, name); err != nil {
		return 0, err
	}
	sequence++
	program := n.path("chaincode", name+"-"+strconv.Itoa(sequence))
	if err := build(ctx, folder, program); err != nil {
		return 0, err
	}
	for i := range n.Peers {
		if err := n.serve(ctx, i, name, program, sequence); err != nil {
			return 0, err
		}
	}
	if err := n.save(); err != nil {
		return 0, err
	}
	return sequence, n.define(ctx, name, sequence)
}

// build compiles a Go program without C code.
func build(ctx context.Context, folder, program string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder with a Go program", folder)
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	_, err := execute(ctx, nil, "env", "CGO_ENABLED=0", "go", "build", "-C", folder, "-trimpath", "-o", program, ".")
	return err
}

// committedSequence is the sequence of a chaincode on the channel; 0 if it has none.
func (n *Network) committedSequence(ctx context.Context, name string) (int, error) {
	out, err := n.PeerCommand(ctx, n.Nodes(Peer)[0], "lifecycle", "chaincode", "querycommitted", "--channelID", n.Channel, "--output", "json")
	if err != nil {
		return 0, err
	}
	var all struct {
		Definitions []struct {
			Name     string `json:"name"`
			Sequence int    `json:"sequence"`
		} `json:"chaincode_definitions"`
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return 0, fmt.Errorf("the answer of querycommitted: %w", err)
	}
	for _, d := range all.Definitions {
		if d.Name == name {
			return d.Sequence, nil
		}
	}
	return 0, nil
}

// serve runs the program as the server of the organisation at that index, and installs its package on the organisation's peers.
func (n *Network) serve(ctx context.Context, index int, name, program string, sequence int) error {
	server, err := n.server(ctx, index, name)
	if err != nil {
		return err
	}
	org := n.Peers[index]
	file, label, err := n.makePackage(org, server, name, strconv.Itoa(sequence))
	if err != nil {
		return err
	}
	id, err := n.packageID(ctx, org, file, label)
	if err != nil {
		return err
	}
	if u := n.unit(server.Name); u != nil && u.alive() {
		if err := n.Stop(ctx, server.Name); err != nil {
			return err
		}
	}
	for i := range org.Nodes {
		if org.Nodes[i].Name == server.Name {
			org.Nodes[i].Program, org.Nodes[i].Package = program, id
		}
	}
	if err := n.Start(server.Name); err != nil {
		return err
	}
	if err := n.awaitListening(ctx, server); err != nil {
		return err
	}
	return parallel(org.PeersOf(), func(peer Node) error {
		_, err := n.PeerCommand(ctx, peer, "lifecycle", "chaincode", "install", file)
		return err
	})
}

// server finds the organisation's server of that chaincode, or gives it one with certificates.
func (n *Network) server(ctx context.Context, index int, name string) (Node, error) {
	org := &n.Peers[index]
	full := name + "." + org.Domain
	servers := org.nodesOfKind(Chaincode)
	for _, server := range servers {
		if server.Name == full {
			return server, nil
		}
	}
	if len(servers) > maxDeployed {
		return Node{}, fmt.Errorf("%s has no room for another chaincode: it has %d", org.Name, len(servers))
	}
	server := Node{Name: full, Kind: Chaincode, Host: loopback, Port: servers[0].Port + len(servers)}
	if server.Host != servers[0].Host || servers[0].Behind != 0 {
		return Node{}, errors.New("chaincode cannot be deployed where nodes are behind relays or elsewhere")
	}
	org.Nodes = append(slices.Clone(org.Nodes), server)
	return server, n.extend(ctx, Org{Name: org.Name, Domain: org.Domain, Nodes: []Node{server}})
}

// define has all organisations approve the chaincode, and commits it.
func (n *Network) define(ctx context.Context, name string, sequence int) error {
	definition := func(verb string) []string {
		return []string{
			"lifecycle", "chaincode", verb, "--channelID", n.Channel, "--name", name, "--version", strconv.Itoa(sequence), "--sequence", strconv.Itoa(sequence),
		}
	}
	orderer := n.Nodes(Orderer)[0]
	err := parallel(n.Peers, func(org Org) error {
		i := slices.IndexFunc(org.Nodes, func(node Node) bool { return node.Name == name+"."+org.Domain })
		args := append(definition("approveformyorg"), "--package-id", org.Nodes[i].Package)
		_, err := n.PeerCommand(ctx, org.PeersOf()[0], append(args, n.OrdererFlags(orderer, org, "Admin")...)...)
		return n.explain(err, orderer)
	})
	if err != nil {
		return err
	}
	first := n.Peers[0]
	args := append(definition("commit"), n.endorserFlags()...)
	_, err = n.PeerCommand(ctx, first.PeersOf()[0], append(args, n.OrdererFlags(orderer, first, "Admin")...)...)
	return n.explain(err, orderer)
}

// packageID has the peer command compute the id of a package.
func (n *Network) packageID(ctx context.Context, org Org, file, label string) (string, error) {
	out, err := n.PeerCommand(ctx, org.PeersOf()[0], "lifecycle", "chaincode", "calculatepackageid", file)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(out)
	if !strings.HasPrefix(id, label+":") {
		return "", fmt.Errorf("unexpected package id %q of %s", id, file)
	}
	return id, nil
}
