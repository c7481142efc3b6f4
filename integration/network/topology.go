// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"time"
)

// Each organisation owns a block of ports, each node ten of them from the start of the block; the orderers' block
// comes first.
const (
	portsPerOrg  = 100
	portsPerNode = 10
	// relayOffset is from the port of a relay to the node's own, within the node's block.
	relayOffset = 5
	// loopback is the address of all nodes, unless they are containers or isolated.
	loopback = "127.0.0.1"
	// chaincodeSlot is the node slot of the organisation's chaincode server, after the most peers there can be.
	chaincodeSlot = maxPeers
)

// Kind is the program that a node runs.
type Kind string

// The kinds of nodes.
const (
	Orderer   Kind = "orderer"
	Peer      Kind = "peer"
	Chaincode Kind = "chaincode"
)

// Topology is a network as data: what there is, how it is called and where it listens. It holds no file paths of
// one machine, so the same value serves the native runner and Docker.
type Topology struct {
	Mode       string `json:"mode"`
	ClientMode string `json:"clientMode"`
	Algorithm  string `json:"algorithm"`
	Suite      string `json:"suite,omitempty"`
	GMProtocol string `json:"gmProtocol,omitempty"`
	MutualTLS  bool   `json:"mutualTLS"`
	NoMemo     bool   `json:"noMemo,omitempty"`
	Consensus  string `json:"consensus,omitempty"` // bft; raft if absent
	Strict     bool   `json:"strict,omitempty"`

	Channel      string        `json:"channel"`
	Hash         string        `json:"hash"`
	BatchTimeout time.Duration `json:"batchTimeout"`
	MaxMessages  int           `json:"maxMessages"`

	Ordering Org   `json:"ordering"`
	Peers    []Org `json:"peers"`
}

// Org is one organisation.
type Org struct {
	Name      string `json:"name"`  // Org1
	MSPID     string `json:"mspID"` // Org1MSP
	Domain    string `json:"domain"`
	Algorithm string `json:"algorithm"` // gm or ecdsa
	Nodes     []Node `json:"nodes"`
	CAPort    int    `json:"caPort,omitempty"` // of its authority, if it has one
}

// Node is one process or container.
type Node struct {
	Name string `json:"name"` // peer0.org1.example.com; unique in the network, the name in its certificates
	Kind Kind   `json:"kind"`
	// Host is the address that other nodes use; it is in the channel configuration and in gossip.
	Host string `json:"host"`
	// Ports, on Host. Those of a container are published on 127.0.0.1 under the same numbers.
	Port       int `json:"port"`
	Behind     int `json:"behind,omitempty"`     // where the node really listens, when a relay stands at Port
	Operations int `json:"operations,omitempty"` // orderer and peer
	Admin      int `json:"admin,omitempty"`      // orderer: channel participation
	CCPort     int `json:"ccPort,omitempty"`     // peer: listener for chaincode that dials in
	// Of chaincode that Deploy made: the program, and the package that it answers to. Otherwise it is the asset chaincode.
	Program string `json:"program,omitempty"`
	Package string `json:"package,omitempty"`
}

// Address is where other nodes reach n.
func (n Node) Address() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// Local is where a client on this machine reaches n.
func (n Node) Local() string { return n.addressAt(n.Port) }

// addressAt is where a client on this machine reaches a port of n. A Host that is a name is known among containers alone.
func (n Node) addressAt(port int) string {
	host := n.Host
	if net.ParseIP(host) == nil {
		host = loopback
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// SANs are the addresses and names, besides its own, that n's certificates hold.
func (n Node) SANs() string {
	sans := "localhost, " + loopback
	if n.Host != loopback && net.ParseIP(n.Host) != nil {
		sans += ", " + n.Host
	}
	return sans
}

// ListenPort is the port that the node's service binds.
func (n Node) ListenPort() int {
	if n.Behind != 0 {
		return n.Behind
	}
	return n.Port
}

// PortNames are n's ports by what listens there.
func (n Node) PortNames() map[int]string {
	names := map[int]string{n.Port: "service"}
	for port, name := range map[int]string{n.Behind: "service behind a relay", n.Operations: "operations", n.Admin: "admin", n.CCPort: "chaincode listener"} {
		if port != 0 {
			names[port] = name
		}
	}
	return names
}

// Plan makes the standard topology that the options describe: one ordering organisation with its cluster, and
// peer organisations of equal size, each with its own chaincode server.
func Plan(o Options) (*Topology, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Topology{
		Mode: o.Mode, ClientMode: o.ClientMode, Algorithm: o.Algorithm, Suite: o.Suite, GMProtocol: o.GMProtocol, Hash: o.Hash,
		MutualTLS: o.MutualTLS, NoMemo: o.NoMemo, Strict: o.Strict,
		Consensus: o.Consensus,
		Channel:   "trade", BatchTimeout: o.BatchTimeout, MaxMessages: o.MaxMessages,
		Ordering: Org{Name: "Orderer", MSPID: "OrdererMSP", Domain: "example.com", Algorithm: algorithmOf(o.Algorithm, 0)},
	}
	for i := range o.Orderers {
		t.Ordering.Nodes = append(t.Ordering.Nodes, planOrderer(o, i))
	}
	t.setAddresses(o, 0, &t.Ordering)
	for i := range o.Orgs {
		org := planOrg(o, i)
		t.setAddresses(o, i+1, &org)
		t.Peers = append(t.Peers, org)
	}
	return t, nil
}

// setAddresses says where the nodes of org, the one at index, are reached. The ordering organisation is at 0.
func (*Topology) setAddresses(o Options, index int, org *Org) {
	if o.CA != "" {
		org.CAPort = o.BasePort + index*portsPerOrg + caPort
	}
	for i := range org.Nodes {
		n := &org.Nodes[i]
		switch {
		case o.Docker:
			n.Host = n.Name
		case o.Isolated:
			n.Host = isolatedAddress(index, i)
		default:
			n.Host = loopback
		}
		if o.Relayed {
			n.Behind = n.Port + relayOffset
		}
	}
}

func planOrderer(o Options, index int) Node {
	port := o.BasePort + index*portsPerNode
	return Node{
		Name: fmt.Sprintf("orderer%d.example.com", index), Kind: Orderer, Port: port, Admin: port + 1, Operations: port + 2,
	}
}

func planOrg(o Options, index int) Org {
	name := fmt.Sprintf("Org%d", index+1)
	org := Org{
		Name: name, MSPID: name + "MSP", Domain: fmt.Sprintf("org%d.example.com", index+1),
		Algorithm: algorithmOf(o.Algorithm, index),
	}
	first := o.BasePort + (index+1)*portsPerOrg
	for i := range o.Peers {
		port := first + i*portsPerNode
		org.Nodes = append(org.Nodes, Node{
			Name: fmt.Sprintf("peer%d.%s", i, org.Domain), Kind: Peer,
			Port: port, Operations: port + 1, CCPort: port + 2,
		})
	}
	org.Nodes = append(org.Nodes, Node{
		Name: "chaincode." + org.Domain, Kind: Chaincode, Port: first + chaincodeSlot*portsPerNode,
	})
	return org
}

// algorithmOf resolves "mixed" for the organisation at index; the ordering organisation counts as the first.
func algorithmOf(algorithm string, index int) string {
	if algorithm != AlgorithmMixed {
		return algorithm
	}
	if index%2 == 0 {
		return AlgorithmGM
	}
	return AlgorithmECDSA
}

// nodes ranges over all nodes, orderers first, so that callers may change them in place.
func (t *Topology) nodes() func(yield func(*Node) bool) {
	return func(yield func(*Node) bool) {
		for i := range t.Ordering.Nodes {
			if !yield(&t.Ordering.Nodes[i]) {
				return
			}
		}
		for o := range t.Peers {
			for i := range t.Peers[o].Nodes {
				if !yield(&t.Peers[o].Nodes[i]) {
					return
				}
			}
		}
	}
}

// AllNodes lists all nodes, orderers first.
func (t *Topology) AllNodes() []Node {
	var out []Node
	for n := range t.nodes() {
		out = append(out, *n)
	}
	return out
}

// Nodes lists the nodes of one kind, in order.
func (t *Topology) Nodes(kind Kind) []Node {
	var out []Node
	for n := range t.nodes() {
		if n.Kind == kind {
			out = append(out, *n)
		}
	}
	return out
}

// Node finds a node by name.
func (t *Topology) Node(name string) (Node, error) {
	for n := range t.nodes() {
		if n.Name == name {
			return *n, nil
		}
	}
	return Node{}, fmt.Errorf("no node %s in this network", name)
}

// Org finds a peer organisation by name, in any case, or the ordering organisation by "orderer".
func (t *Topology) Org(name string) (Org, error) {
	for _, org := range append([]Org{t.Ordering}, t.Peers...) {
		if strings.EqualFold(org.Name, name) {
			return org, nil
		}
	}
	return Org{}, fmt.Errorf("no organisation %s in this network; it has %s", name, orgNames(t.Peers))
}

// OrgOf is the organisation that n belongs to.
func (t *Topology) OrgOf(n Node) Org {
	for _, org := range append([]Org{t.Ordering}, t.Peers...) {
		for _, m := range org.Nodes {
			if m.Name == n.Name {
				return org
			}
		}
	}
	panic("network: node " + n.Name + " is not of this topology")
}

// PeersOf lists the peers of org.
func (org Org) PeersOf() []Node { return org.nodesOfKind(Peer) }

// ChaincodeServer is the node that runs org's chaincode.
func (org Org) ChaincodeServer() Node { return org.nodesOfKind(Chaincode)[0] }

func (org Org) nodesOfKind(kind Kind) []Node {
	var out []Node
	for _, n := range org.Nodes {
		if n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// gmListeners reports whether listeners speak TLCP; gmDialers whether nodes dial with it.
func (t *Topology) gmListeners() bool { return t.Mode != ModeTLS }
func (t *Topology) gmDialers() bool   { return t.ClientMode == ModeGM }

// Material paths, relative to the root of the state directory and with forward slashes: cryptogen's layout.

func (t *Topology) orgDir(org Org) string {
	if org.Name == t.Ordering.Name {
		return path.Join("crypto", "ordererOrganizations", org.Domain)
	}
	return path.Join("crypto", "peerOrganizations", org.Domain)
}

func (t *Topology) nodeCrypto(n Node) string {
	role := "peers"
	if n.Kind == Orderer {
		role = "orderers"
	}
	return path.Join(t.orgDir(t.OrgOf(n)), role, n.Name)
}

// userCrypto is the folder of an organisation's user: Admin or User1.
func (t *Topology) userCrypto(org Org, user string) string {
	return path.Join(t.orgDir(org), "users", user+"@"+org.Domain)
}
