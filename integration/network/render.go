// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"strings"
	"text/template"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

// placement says where the files of a network lie for the processes that read them: on this machine for the native
// runner, inside the container for Docker.
type placement struct {
	Root    string            // of crypto/ and nodes/
	Builder string            // the ccaas external builder: a folder with bin/detect, bin/build, bin/release
	bind    func(Node) string // address that a node's listeners bind
	data    func(Node) string // folder for everything that a node writes
}

// nodeView is what the templates of one node see.
type nodeView struct {
	placement
	Topology *Topology
	Org      Org
	Node     Node
	// Operators are fingerprints of those who may switch modes, separated by commas.
	Operators string
}

// Bind is the address that the node's listeners bind.
func (v nodeView) Bind() string { return v.bind(v.Node) }

// Data is the folder for everything the node writes.
func (v nodeView) Data() string { return v.data(v.Node) }

// ServerRoot is the file name, in the node's tls folder, of the TLS CA that its own dialers trust.
func (v nodeView) ServerRoot() string { return v.Topology.rootFile() }

// ClientRoots lists the TLS CA files of the node's own organisation, those of every protocol it speaks.
func (v nodeView) ClientRoots() string {
	tls := path.Join(v.Root, v.Topology.nodeCrypto(v.Node), "tls")
	var files []string
	if v.Topology.Mode != ModeGM {
		files = append(files, path.Join(tls, "ca.crt"))
	}
	if v.Topology.gmListeners() {
		files = append(files, path.Join(tls, "gm-ca.crt"))
	}
	return strings.Join(files, ", ")
}

// Bootstrap is where gossip begins: the organisation's first peer, and for that one the second.
func (v nodeView) Bootstrap() string {
	peers := v.Org.PeersOf()
	if peers[0].Name == v.Node.Name && len(peers) > 1 {
		return peers[1].Address()
	}
	return peers[0].Address()
}

// GMRules reports whether the channel has the capability by which identities have one form. It is left out where all organisations
// are ECDSA, whose channels stock nodes may want to read.
func (t *Topology) GMRules() bool { return t.Algorithm != AlgorithmECDSA }

// BFT reports whether orderers agree by SmartBFT.
func (t *Topology) BFT() bool { return t.Consensus == ConsensusBFT }

// consenterIdentity is the certificate by whose key n signs as a consenter of SmartBFT.
func (t *Topology) consenterIdentity(n Node) string {
	name := n.Name + "-cert.pem" // by cryptogen
	if t.Ordering.CAPort != 0 {
		name = "cert.pem" // by fabric-ca-client
	}
	return path.Join(t.nodeCrypto(n), "msp", "signcerts", name)
}

// consensusMetric is the name of one of the orderers' metrics of the consensus in use.
func (t *Topology) consensusMetric(name string) string {
	if t.BFT() {
		return "consensus_BFT_" + name
	}
	return "consensus_etcdraft_" + name
}

// HashSM3 reports whether the channel's blocks are hashed with SM3.
func (t *Topology) HashSM3() bool { return t.Hash == HashSM3 }

// rootFile names the file of the TLS CA, in a node's or user's tls folder, that verifies what clients dial.
func (t *Topology) rootFile() string {
	if t.gmDialers() {
		return "gm-ca.crt"
	}
	return "ca.crt"
}

// consenterCert is the certificate by which the cluster knows n, at both ends of its connections.
func (t *Topology) consenterCert(n Node) string {
	file := "server.crt"
	if t.gmDialers() {
		file = "server-sign.crt"
	}
	return path.Join(t.nodeCrypto(n), "tls", file)
}

// orgAlgorithm are cryptogen's keys for one organisation; no Name leaves them out, which stock cryptogen needs.
type orgAlgorithm struct {
	Name string
	TLCP bool
}

func (t *Topology) orgAlgorithm(org Org) orgAlgorithm {
	if org.Algorithm == AlgorithmECDSA && !t.gmListeners() {
		return orgAlgorithm{}
	}
	return orgAlgorithm{Name: org.Algorithm, TLCP: t.gmListeners()}
}

// render fills in one template. The view is a nodeView for node files and {Topology, Root} for the others.
func (t *Topology) render(name string, view any) ([]byte, error) {
	tmpl, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{
		"short":         func(name string) string { return strings.SplitN(name, ".", 2)[0] },
		"algorithm":     t.orgAlgorithm,
		"orgDir":        t.orgDir,
		"nodeCrypto":    t.nodeCrypto,
		"consenterCert": t.consenterCert,
		"identity":      t.consenterIdentity,
		"add":           func(a, b int) int { return a + b },
		"userCrypto":    t.userCrypto,
		"rootFile":      t.rootFile,
	}).ParseFS(templateFiles, "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("parse template %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := tmpl.ExecuteTemplate(&out, name, view); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// channelView is what the templates of the whole network see.
type channelView struct {
	Topology *Topology
	Root     string
}

// profileView is what the template of one organisation's connection profile sees.
type profileView struct {
	Topology  *Topology
	Root      string
	Org       Org
	Cert, Key string // files of the identity
}

// renderNode writes n's configuration file as that kind of node reads it, and says under which name. operators are fingerprints
// of those who may switch modes.
func (t *Topology) renderNode(n Node, p placement, operators ...string) (file string, data []byte, err error) {
	file = "core.yaml"
	if n.Kind == Orderer {
		file = "orderer.yaml"
	}
	data, err = t.render(file+".tmpl", nodeView{placement: p, Topology: t, Org: t.OrgOf(n), Node: n, Operators: strings.Join(operators, ", ")})
	return file, data, err
}
