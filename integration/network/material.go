// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hyperledger/fabric/internal/ccpackage"
)

// SharedCollection is a private data collection that all organisations belong to; each also has its implicit one.
const SharedCollection = "shared"

// placement of the nodes' files, in containers or on this machine.
func (n *Network) placement() placement {
	if n.docker {
		return containerPlacement
	}
	return placement{
		Root: filepath.ToSlash(n.Dir), Builder: n.builder(),
		bind: func(node Node) string { return node.Host },
		data: func(node Node) string { return path.Join(filepath.ToSlash(n.Dir), "data", node.Name) },
	}
}

// makeCrypto writes keys and certificates for all organisations, nodes and users.
func (n *Network) makeCrypto(ctx context.Context) error {
	if n.caBin != "" {
		return n.enrolOrgs(ctx, append([]Org{n.Ordering}, n.Peers...)...)
	}
	if err := n.Cryptogen(ctx, "generate", n.Topology, cryptoFolder); err != nil {
		return err
	}
	if !n.gmDialers() {
		return nil
	}
	for _, org := range append([]Org{n.Ordering}, n.Peers...) {
		if err := n.publishGMRoot(org); err != nil {
			return err
		}
	}
	return nil
}

// cryptoFolder has all keys and certificates, in cryptogen's layout.
const cryptoFolder = "crypto"

// Cryptogen lets cryptogen generate keys and certificates for all that a topology has, in a folder of the state directory, or extend that
// folder by what it lacks.
func (n *Network) Cryptogen(ctx context.Context, verb string, t *Topology, folder string) error {
	config, err := t.render("crypto-config.yaml.tmpl", channelView{t, n.Dir})
	if err != nil {
		return err
	}
	file := path.Join("config", folder+"-config.yaml")
	if err := n.write(file, config); err != nil {
		return err
	}
	flag := map[string]string{"generate": "--output", "extend": "--input"}[verb]
	_, err = n.command(ctx, nil, "cryptogen", verb, "--config", n.path(file), flag, n.path(folder))
	return err
}

// publishGMRoot puts the organisation's TLCP root into its MSP, from where the channel configuration takes it, if cryptogen
// has not: it leaves it out for ECDSA organisations, whose channels stock nodes may want to read.
func (n *Network) publishGMRoot(org Org) error {
	root, err := os.ReadFile(n.path(n.nodeCrypto(org.Nodes[0]), "tls", "gm-ca.crt"))
	if err != nil {
		return fmt.Errorf("TLCP root of %s: %w", org.Name, err)
	}
	folder := path.Join(n.orgDir(org), "msp", "tlscacerts")
	present, err := filepath.Glob(n.path(folder, "*"))
	if err != nil {
		return fmt.Errorf("TLS roots of %s: %w", org.Name, err)
	}
	for _, file := range present {
		if data, err := os.ReadFile(file); err == nil && bytes.Equal(data, root) {
			return nil
		}
	}
	return n.write(path.Join(folder, "gm-tlsca.pem"), root)
}

// makeGenesis writes the channel's first block to channel/NAME.block.
func (n *Network) makeGenesis(ctx context.Context) error {
	config, err := n.render("configtx.yaml.tmpl", channelView{n.Topology, filepath.ToSlash(n.Dir)})
	if err != nil {
		return err
	}
	if err := n.write("config/configtx.yaml", config); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(n.genesis()), 0o755); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	_, err = n.command(ctx, nil, "configtxgen", "-configPath", n.path("config"), "-profile", n.Channel,
		"-channelID", n.Channel, "-outputBlock", n.genesis())
	return err
}

func (n *Network) genesis() string { return n.path("channel", n.Channel+".block") }

// WriteConfiguration writes what nodes, clients and the peer command read when they start, and records the network, after its topology
// was changed. The chaincode servers stay as they are.
func (n *Network) WriteConfiguration() error {
	if err := n.makeNodeFiles(n.placement()); err != nil {
		return err
	}
	return n.save()
}

// makeNodeFiles writes the configuration of every orderer and peer, of the peer command, and of client applications.
func (n *Network) makeNodeFiles(p placement) error {
	for node := range n.nodes() {
		if node.Kind == Chaincode {
			continue
		}
		operators, err := n.operators(*node)
		if err != nil {
			return err
		}
		file, data, err := n.renderNode(*node, p, operators...)
		if err != nil {
			return err
		}
		if err := n.write(path.Join("nodes", node.Name, file), data); err != nil {
			return err
		}
	}
	for _, org := range n.Peers {
		view, err := n.profileView(org)
		if err != nil {
			return err
		}
		profile, err := n.render("profile.yaml.tmpl", view)
		if err != nil {
			return err
		}
		if err := n.write(path.Join("profiles", strings.ToLower(org.Name)+".yaml"), profile); err != nil {
			return err
		}
	}
	cli, err := n.render("cli-core.yaml.tmpl", nil)
	if err != nil {
		return err
	}
	return n.write("cli/core.yaml", cli)
}

// profileView names the files of the identity of org's User1, which cryptogen and fabric-ca-client call by different names.
func (n *Network) profileView(org Org) (profileView, error) {
	view := profileView{Topology: n.Topology, Root: filepath.ToSlash(n.Dir), Org: org}
	msp := path.Join(n.userCrypto(org, "User1"), "msp")
	for pattern, file := range map[string]*string{path.Join(msp, "signcerts", "*.pem"): &view.Cert, path.Join(msp, "keystore", "*_sk"): &view.Key} {
		found, err := n.onlyMatch(pattern)
		if err != nil {
			return view, fmt.Errorf("identity of User1 of %s: %w", org.Name, err)
		}
		*file = filepath.ToSlash(found)
	}
	return view, nil
}

// operators are the fingerprints of the certificates with which the Admin of the node's organisation connects, of both protocols
// where there are both.
func (n *Network) operators(node Node) ([]string, error) {
	if n.Mode == ModeTLS {
		return nil, nil
	}
	var list []string
	names := []string{"client.crt", "client-sign.crt"}
	if n.caBin != "" && n.Mode == ModeGM {
		names = names[1:] // nobody enrols certificates that nothing uses
	}
	for _, name := range names {
		text, err := os.ReadFile(n.path(filepath.FromSlash(n.userCrypto(n.OrgOf(node), "Admin")), "tls", name))
		if err != nil {
			return nil, fmt.Errorf("certificate of the Admin of %s: %w", n.OrgOf(node).Name, err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("%s of the Admin of %s is not PEM", name, n.OrgOf(node).Name)
		}
		list = append(list, fmt.Sprintf("%x", sha256.Sum256(block.Bytes)))
	}
	return list, nil
}

// StockOrderer rewrites a stopped orderer's configuration without the keys that stock Fabric refuses to read. It then listens
// for TLS alone.
func (n *Network) StockOrderer(orderer Node) error {
	stock := *n.Topology
	stock.Mode, stock.ClientMode, stock.Suite, stock.GMProtocol = ModeTLS, ModeTLS, "", ""
	file, data, err := stock.renderNode(orderer, n.placement())
	if err != nil {
		return err
	}
	return n.write(path.Join("nodes", orderer.Name, file), data)
}

// collection is one entry of a collections file, as "peer lifecycle chaincode" reads it.
type collection struct {
	Name              string `json:"name"`
	Policy            string `json:"policy"`
	RequiredPeerCount int    `json:"requiredPeerCount"`
	MaxPeerCount      int    `json:"maxPeerCount"`
	BlockToLive       int    `json:"blockToLive"`
	MemberOnlyRead    bool   `json:"memberOnlyRead"`
	MemberOnlyWrite   bool   `json:"memberOnlyWrite"`
}

func (n *Network) collectionsFile() string { return n.path("config", "collections.json") }

func (n *Network) makeCollections() error {
	members := make([]string, len(n.Peers))
	for i, org := range n.Peers {
		members[i] = fmt.Sprintf("'%s.member'", org.MSPID)
	}
	data, err := json.MarshalIndent([]collection{{
		Name: SharedCollection, Policy: "OR(" + strings.Join(members, ", ") + ")",
		MaxPeerCount: len(n.Nodes(Peer)), MemberOnlyRead: true, MemberOnlyWrite: true,
	}}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode collections: %w", err)
	}
	return n.write("config/collections.json", data)
}

// connection is connection.json of a package for chaincode as a service. Certificates and keys are PEM.
type connection struct {
	Address            string `json:"address"`
	DialTimeout        string `json:"dial_timeout"`
	TLSRequired        bool   `json:"tls_required"`
	TLSMode            string `json:"tls_mode,omitempty"` // absent: what stock Fabric speaks
	GMProtocol         string `json:"gm_protocol,omitempty"`
	RootCert           string `json:"root_cert"`
	ClientAuthRequired bool   `json:"client_auth_required"`
	ClientCert         string `json:"client_cert,omitempty"`
	ClientKey          string `json:"client_key,omitempty"`
	ClientEncCert      string `json:"client_enc_cert,omitempty"`
	ClientEncKey       string `json:"client_enc_key,omitempty"`
}

// connectionTo says how peers reach an organisation's chaincode server. With mutual TLS all peers of the organisation show the
// server's own certificates, which its package hands out: a package has one set for all who install it.
func (n *Network) connectionTo(server Node) (*connection, error) {
	c := &connection{Address: server.Address(), DialTimeout: "10s", TLSRequired: true, ClientAuthRequired: n.MutualTLS}
	files := map[string]*string{n.rootFile(): &c.RootCert}
	if n.gmDialers() {
		c.TLSMode, c.GMProtocol = ModeGM, n.GMProtocol
	}
	switch {
	case n.MutualTLS && n.gmDialers():
		files["server-sign.crt"], files["server-sign.key"] = &c.ClientCert, &c.ClientKey
		files["server-enc.crt"], files["server-enc.key"] = &c.ClientEncCert, &c.ClientEncKey
	case n.MutualTLS:
		files["server.crt"], files["server.key"] = &c.ClientCert, &c.ClientKey
	}
	for file, field := range files {
		data, err := os.ReadFile(n.path(filepath.FromSlash(n.nodeCrypto(server)), "tls", file))
		if err != nil {
			return nil, fmt.Errorf("TLS material of %s: %w", server.Name, err)
		}
		*field = string(data)
	}
	return c, nil
}

// makePackage writes org's package of a chaincode, which holds no code but where the organisation's server listens, and
// returns its file. The label carries the version, so that an upgrade makes another package id.
func (n *Network) makePackage(org Org, server Node, name, version string) (file, label string, err error) {
	connection, err := n.connectionTo(server)
	if err != nil {
		return "", "", err
	}
	where, err := json.Marshal(connection)
	if err != nil {
		return "", "", fmt.Errorf("encode connection.json: %w", err)
	}
	label = name + "_" + version
	pkg, err := ccpackage.Pack(label, where)
	if err != nil {
		return "", "", err
	}
	rel := path.Join("chaincode", strings.ToLower(org.Name), label+".tar.gz")
	return n.path(rel), label, n.write(rel, pkg)
}
