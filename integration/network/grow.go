// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// AddOrg makes a further organisation with the given number of peers, lets all present ones admit it to the channel, starts
// its peers and its chaincode server, and has it approve the chaincode as it stands.
func (n *Network) AddOrg(ctx context.Context, peers int, version string, sequence int) (Org, error) {
	if err := n.mayGrow(); err != nil {
		return Org{}, err
	}
	o := n.options()
	o.Peers = peers
	members := n.Peers
	org := planOrg(o, len(members))
	n.setAddresses(o, len(members)+1, &org)
	n.Peers = append(append([]Org(nil), members...), org)
	if err := n.extend(ctx, org); err != nil {
		return Org{}, err
	}
	anchor := org.PeersOf()[0]
	err := n.Change(ctx, "add-"+org.Name, members, "add-organization", "--name", org.Name, "--msp-id", org.MSPID,
		"--msp", n.path(filepath.FromSlash(n.orgDir(org)), "msp"), "--anchor", anchor.Address())
	if err != nil {
		return Org{}, err
	}
	return org, n.joinNewOrg(ctx, org, version, sequence)
}

func (n *Network) mayGrow() error {
	if n.docker || n.isolated {
		return errors.New("a network in containers or namespaces cannot grow: these are made once")
	}
	return nil
}

func (n *Network) joinNewOrg(ctx context.Context, org Org, version string, sequence int) error {
	files, err := n.packageChaincode(ctx, version)
	if err != nil {
		return err
	}
	for _, node := range org.Nodes {
		if err := n.Start(node.Name); err != nil {
			return err
		}
	}
	if err := n.awaitListening(ctx, org.ChaincodeServer()); err != nil {
		return err
	}
	if err := n.AwaitHealthy(ctx, org.PeersOf()...); err != nil {
		return err
	}
	for _, peer := range org.PeersOf() {
		if _, err := n.PeerCommand(ctx, peer, "channel", "join", "--blockpath", n.genesis()); err != nil {
			return err
		}
		if _, err := n.PeerCommand(ctx, peer, "lifecycle", "chaincode", "install", files[org.Name]); err != nil {
			return err
		}
	}
	// The new peers must know that they belong to the channel before they can endorse the approval.
	if _, err := n.AwaitSameHeight(ctx, 2); err != nil {
		return err
	}
	peer, orderer := org.PeersOf()[0], n.Nodes(Orderer)[0]
	args := append(n.definition("approveformyorg", version, sequence), "--package-id", n.packages[org.Name])
	_, err = n.PeerCommand(ctx, peer, append(args, n.OrdererFlags(orderer, org, "Admin")...)...)
	return n.explain(err, orderer)
}

// AddOrderer makes a further consenter, lets the ordering organisation admit it to the channel, and starts it. A consenter of SmartBFT
// follows the channel first, since it counts from the block on that names it.
func (n *Network) AddOrderer(ctx context.Context) (Node, error) {
	if err := n.mayGrow(); err != nil {
		return Node{}, err
	}
	o := n.options()
	org := n.Ordering
	node := planOrderer(o, len(org.Nodes))
	fresh := Org{Name: org.Name, Domain: org.Domain, Algorithm: org.Algorithm, Nodes: []Node{node}}
	n.setAddresses(o, 0, &fresh)
	node = fresh.Nodes[0]
	n.Ordering.Nodes = append(append([]Node(nil), org.Nodes...), node)
	if err := n.extend(ctx, fresh); err != nil {
		return Node{}, err
	}
	if n.BFT() {
		if err := n.joinOrderer(ctx, node); err != nil {
			return Node{}, err
		}
		if err := n.awaitParticipation(ctx, node, "follower"); err != nil {
			return Node{}, err
		}
	}
	flags := append([]string{"--organization", n.Ordering.Name}, n.ConsenterFlags(node)...)
	if err := n.Change(ctx, "add-"+node.Name, []Org{n.Ordering}, "add-orderer", flags...); err != nil {
		return Node{}, err
	}
	if n.BFT() {
		return node, n.awaitParticipation(ctx, node, "consenter")
	}
	return node, n.joinOrderer(ctx, node)
}

// joinOrderer starts an orderer and lets it join the channel by the latest config block.
func (n *Network) joinOrderer(ctx context.Context, node Node) error {
	if err := n.Start(node.Name); err != nil {
		return err
	}
	if err := n.AwaitHealthy(ctx, node); err != nil {
		return err
	}
	block := n.path("channel", "join-"+node.Name+".block")
	if err := n.FetchConfig(ctx, block); err != nil {
		return err
	}
	_, err := n.Osnadmin(ctx, node, "join", "--channelID", n.Channel, "--config-block", block)
	return err
}

// awaitParticipation waits until an orderer has the channel's blocks and that relation to its consensus.
func (n *Network) awaitParticipation(ctx context.Context, node Node, relation string) error {
	return poll(ctx, commitLimit, node.Name+" to be "+relation, func(ctx context.Context) error {
		out, err := n.Osnadmin(ctx, node, "list", "--channelID", n.Channel)
		if err == nil && !(strings.Contains(out, `"consensusRelation": "`+relation+`"`) && strings.Contains(out, `"status": "active"`)) {
			err = errors.New(out)
		}
		return err
	})
}

// RemoveOrderer takes a consenter out of the channel, and then the channel out of that orderer, which stops.
func (n *Network) RemoveOrderer(ctx context.Context, node Node) error {
	if err := n.Change(ctx, "remove-"+node.Name, []Org{n.Ordering}, "remove-orderer", "--address", node.Address()); err != nil {
		return err
	}
	if _, err := n.Osnadmin(ctx, node, "remove", "--channelID", n.Channel); err != nil {
		return err
	}
	if err := n.Stop(ctx, node.Name); err != nil {
		return err
	}
	n.Ordering.Nodes = slices.DeleteFunc(slices.Clone(n.Ordering.Nodes), func(o Node) bool { return o.Name == node.Name })
	return n.save()
}

// options are those that planned the network, as far as growing it needs them.
func (n *Network) options() Options {
	first := n.Ordering.Nodes[0]
	return Options{Algorithm: n.Algorithm, BasePort: first.Port, Docker: n.docker, Relayed: first.Behind != 0, CA: n.caBin}
}

// extend makes certificates and files for the nodes of org, a new organisation or the new part of the ordering one, and relays.
func (n *Network) extend(ctx context.Context, org Org) error {
	if err := n.save(); err != nil {
		return err
	}
	if err := n.certify(ctx, org); err != nil {
		return err
	}
	if err := n.makeNodeFiles(n.placement()); err != nil {
		return err
	}
	return n.relay(org.Nodes)
}

// certify makes certificates for the nodes of org, by its authority or by cryptogen.
func (n *Network) certify(ctx context.Context, org Org) error {
	switch {
	case n.caBin == "":
	case org.Name == n.Ordering.Name: // its authority knows the nodes of before
		return n.enrolHolder(ctx, org, n.nodeHolder(org.Nodes[0]))
	default:
		return n.enrolOrgs(ctx, org)
	}
	if err := n.Cryptogen(ctx, "extend", n.Topology, cryptoFolder); err != nil {
		return err
	}
	if n.gmDialers() {
		return n.publishGMRoot(org)
	}
	return nil
}

// AddChannel makes a further channel of all orderers and peers, hashed by the algorithm, with the chaincode defined on it. Nothing else may use the
// network meanwhile, whose own channel stays Channel. The first block of a channel that is there, or that was begun, stays as it is: nodes that
// join later begin with it.
func (n *Network) AddChannel(ctx context.Context, name, hash string) error {
	first, firstHash := n.Channel, n.Hash
	n.Channel, n.Hash = name, hash
	defer func() { n.Channel, n.Hash = first, firstHash }()
	if _, err := os.Stat(n.genesis()); errors.Is(err, fs.ErrNotExist) {
		if err := n.makeGenesis(ctx); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("first block of channel %s: %w", name, err)
	}
	if err := n.joinOrderers(ctx); err != nil {
		return err
	}
	if _, err := n.AwaitLeader(ctx); err != nil {
		return err
	}
	if err := n.joinPeers(ctx); err != nil {
		return err
	}
	return n.defineChaincode(ctx)
}
