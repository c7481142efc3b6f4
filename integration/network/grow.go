// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	n.place(o, len(members)+1, &org)
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
			return n.explain(err, peer)
		}
		if _, err := n.PeerCommand(ctx, peer, "lifecycle", "chaincode", "install", files[org.Name]); err != nil {
			return n.explain(err, peer)
		}
	}
	// The new peers must know that they belong to the channel before they can endorse the approval.
	if _, err := n.AwaitSameHeight(ctx, 2); err != nil {
		return err
	}
	peer, orderer := org.PeersOf()[0], n.Nodes(Orderer)[0]
	args := append(n.definition("approveformyorg", version, sequence), "--package-id", n.packages[org.Name])
	_, err = n.PeerCommand(ctx, peer, append(args, n.OrdererFlags(orderer, org, "Admin")...)...)
	return n.explain(err, peer, orderer)
}

// AddOrderer makes a further raft consenter, lets the ordering organisation admit it to the channel, and starts it.
func (n *Network) AddOrderer(ctx context.Context) (Node, error) {
	if err := n.mayGrow(); err != nil {
		return Node{}, err
	}
	o := n.options()
	org := n.Ordering
	node := planOrderer(o, len(org.Nodes))
	fresh := Org{Name: org.Name, Domain: org.Domain, Algorithm: org.Algorithm, Nodes: []Node{node}}
	n.place(o, 0, &fresh)
	node = fresh.Nodes[0]
	n.Ordering.Nodes = append(append([]Node(nil), org.Nodes...), node)
	if err := n.extend(ctx, fresh); err != nil {
		return Node{}, err
	}
	err := n.Change(ctx, "add-"+node.Name, []Org{n.Ordering}, "add-orderer", "--organization", n.Ordering.Name,
		"--address", node.Address(), "--certificate", n.path(filepath.FromSlash(n.consenterCert(node))))
	if err != nil {
		return Node{}, err
	}
	if err := n.Start(node.Name); err != nil {
		return Node{}, err
	}
	if err := n.AwaitHealthy(ctx, node); err != nil {
		return Node{}, err
	}
	block := n.path("channel", "join-"+node.Name+".block")
	if err := n.FetchConfig(ctx, block); err != nil {
		return Node{}, err
	}
	_, err = n.Osnadmin(ctx, node, "join", "--channelID", n.Channel, "--config-block", block)
	return node, n.explain(err, node)
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
	if err := n.extendCrypto(ctx); err != nil {
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
