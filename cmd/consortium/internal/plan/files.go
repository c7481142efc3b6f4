// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"text/template"
)

//go:embed templates/*.tmpl
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/*.tmpl"))

// Admin is the name of every organisation's administrator, before its domain.
const Admin = "admin"

// authority is the folder for who issues the certificates. It is among those of hosts.
const authority = "ca"

// Member is a node or a user, which gets certificates.
type Member struct {
	Name     string // in full
	Role     string // of its identity, the OU; empty for one without an identity, as chaincode is
	AltNames string // in the words of openssl
	Hosts    string // the same in those of fabric-ca-client
	Country  string
	Org      string
}

// Type is the member's type in Fabric CA, which becomes the OU of all its certificates. That of one without an identity is the OU of no
// role in an MSP: its certificates for TLCP come from the CA for identities, and must not be taken for one.
func (m Member) Type() string {
	if m.Role == "" {
		return Chaincode
	}
	return m.Role
}

// Subject is the subject of its certificates in the form of openssl.
func (m Member) Subject() string {
	subject := "/C=" + m.Country + "/O=" + m.Org
	if m.Role != "" {
		subject += "/OU=" + m.Role
	}
	return subject + "/CN=" + m.Name
}

func (n *Node) member() Member {
	role := n.Kind
	if n.Kind == Chaincode {
		role = ""
	}
	kind := "DNS"
	if net.ParseIP(n.host.Address) != nil {
		kind = "IP"
	}
	return Member{
		Name: n.FullName(), Role: role, Country: n.org.Country, Org: n.org.Name,
		AltNames: "DNS:" + n.FullName() + ", DNS:localhost, IP:127.0.0.1, " + kind + ":" + n.host.Address,
		Hosts:    n.FullName() + ",localhost,127.0.0.1," + n.host.Address,
	}
}

// members are who gets keys on a host: its nodes, and on the organisation's first host its users.
func (o *Organization) members(h *Host) (all []Member) {
	for _, n := range h.Nodes {
		all = append(all, n.member())
	}
	if h != o.Hosts[0] {
		return all
	}
	for _, user := range append([]string{Admin}, o.Users...) {
		name, role := user+"."+o.Domain, "client"
		if user == Admin {
			role = Admin
		}
		all = append(all, Member{Name: name, Role: role, Country: o.Country, Org: o.Name, AltNames: "DNS:" + name, Hosts: name})
	}
	return all
}

// view is what the templates see.
type view struct {
	*Plan
	Org     *Organization
	Host    *Host
	Node    *Node
	Members []Member // of the host, or of the organisation where there is no host

	ConfigRoot string
}

// Dual reports whether nodes also have a TLS certificate.
func (v view) Dual() bool { return v.Mode == ModeDual }

// Digests are those of the organisation's CAs, by the names of their files.
func (v view) Digests() map[string]string {
	digests := map[string]string{"ca": "sm3", "gm-ca": "sm3"}
	if v.Dual() {
		digests["tls-ca"] = "sha256"
	}
	return digests
}

// BFT reports whether orderers agree by SmartBFT.
func (v view) BFT() bool { return v.Consensus == ConsensusBFT }

// LargestMiB is the size of the largest transaction. In SmartBFT, the proof of a new view has two blocks of each of a quorum of consenters in
// one message, which must not exceed 100 MiB, and the channel may grow by three consenters.
func (v view) LargestMiB() int {
	if !v.BFT() {
		return 64
	}
	n := len(v.Orderers()) + 3
	return max(1, 96/2/((n+(n-1)/3)/2+1))
}

// PreferredMiB is the size that a block of several transactions does not exceed.
func (v view) PreferredMiB() int { return min(4, v.LargestMiB()) }

// Number is what SmartBFT counts with, from 1.
func (v view) Number(index int) int { return index + 1 }

// Orderers are those of all organisations.
func (v view) Orderers() []*Node { return v.nodes(Orderer) }

// MembersOf are who gets keys on a host of the organisation.
func (v view) MembersOf(h *Host) []Member { return v.Org.members(h) }

// OrderersOf and PeersOf return those of one organisation.
func (v view) OrderersOf(o *Organization) []*Node { return o.nodes(Orderer) }
func (v view) PeersOf(o *Organization) []*Node    { return o.nodes(Peer) }

// Resolvable reports whether a host has a name as its address. DNS then knows this name and those of its nodes.
func (v view) Resolvable(h *Host) bool { return net.ParseIP(h.Address) == nil }

// FirstPeer is the one that the administrator's commands talk to; nil if the organisation has none.
func (v view) FirstPeer() *Node {
	if peers := v.Org.nodes(Peer); len(peers) > 0 {
		return peers[0]
	}
	return nil
}

// NearOrderer is the orderer that the administrator's commands talk to: the organisation's own, or the first of all.
func (v view) NearOrderer() *Node {
	if own := v.Org.nodes(Orderer); len(own) > 0 {
		return own[0]
	}
	return v.nodes(Orderer)[0]
}

// OwnerOf is the organisation of a node.
func (v view) OwnerOf(n *Node) *Organization { return n.org }

// NodesOf are the host's nodes of a kind.
func (v view) NodesOf(kind string) (all []*Node) {
	for _, n := range v.Host.Nodes {
		if n.Kind == kind {
			all = append(all, n)
		}
	}
	return all
}

// Text is a node's configuration, or the environment of chaincode, as a value of YAML.
func (v view) Text(n *Node) (string, error) {
	var text []byte
	var err error
	if n.Kind == Chaincode {
		v.Node = n
		var out bytes.Buffer
		err = templates.ExecuteTemplate(&out, "chaincode.tmpl", v)
		text = out.Bytes()
	} else {
		_, text, err = v.config(n)
	}
	if err != nil {
		return "", err
	}
	quoted, err := json.Marshal(string(text)) // JSON is YAML
	return string(quoted), err
}

// Container is the image of a node, at the version of this program.
func (v view) Container(n *Node, version string) string {
	if n.Kind == Chaincode {
		return n.Image
	}
	return "fabric-gm-" + n.Kind + ":" + version
}

// Write writes what one organisation needs into a folder that must not exist: a folder for each of its hosts, to be copied to
// configRoot there; ca, for who issues its certificates; and configtx.yaml, which is the same for all organisations.
// It returns the names of the files.
func (p *Plan) Write(organization, dir string) ([]string, error) {
	org, err := p.organization(organization)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, os.ErrExist) {
			err = fmt.Errorf("%s is there already: remove it, or name another", dir)
		}
		return nil, err
	}
	w := &writer{dir: dir}
	base := view{Plan: p, Org: org, ConfigRoot: configRoot}
	w.template("configtx.yaml", "configtx.yaml.tmpl", base, 0o644)
	for _, h := range org.Hosts {
		v := base
		v.Host, v.Members = h, org.members(h)
		w.host(v)
	}
	for _, h := range org.Hosts {
		base.Members = append(base.Members, org.members(h)...)
	}
	w.authority(base)
	return w.names, w.err
}

// writer writes files until the first error.
type writer struct {
	dir   string
	names []string
	err   error
}

func (w *writer) file(name string, data []byte, mode os.FileMode) {
	if w.err != nil {
		return
	}
	file := filepath.Join(w.dir, filepath.FromSlash(name))
	if w.err = os.MkdirAll(filepath.Dir(file), 0o755); w.err != nil {
		return
	}
	w.err = os.WriteFile(file, data, mode)
	w.names = append(w.names, name)
}

func (w *writer) template(name, from string, v view, mode os.FileMode) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, from, v); err != nil && w.err == nil {
		w.err = err
	}
	w.file(name, out.Bytes(), mode)
}

func (w *writer) host(v view) {
	at := func(name string) string { return path.Join(v.Host.Name, name) }
	w.template(at("hosts"), "hosts.tmpl", v, 0o644)
	if v.Org.Certificates == ByFabricCA {
		w.template(at("enroll.sh"), "enroll.sh.tmpl", v, 0o755)
	} else {
		w.template(at("request.sh"), "request.sh.tmpl", v, 0o755)
		w.template(at("install.sh"), "install.sh.tmpl", v, 0o755)
	}
	w.file(at("msp.yaml"), []byte(nodeOUs), 0o644)
	for _, n := range v.Host.Nodes {
		v.Node = n
		if n.Kind != Chaincode {
			file, data, err := v.config(n)
			if err != nil && w.err == nil {
				w.err = err
			}
			w.file(at(path.Join(n.FullName(), file)), data, 0o644)
		} else {
			w.template(at(path.Join(n.FullName(), "environment")), "chaincode.tmpl", v, 0o644)
		}
		if v.Host.Run == RunSystemd {
			w.template(at(n.FullName()+".service"), "service.tmpl", v, 0o644)
		}
	}
	switch v.Host.Run {
	case RunCompose:
		w.template(at("compose.yaml"), "compose.yaml.tmpl", v, 0o644)
	case RunKubernetes:
		w.template(at("values.yaml"), "values.yaml.tmpl", v, 0o644)
		w.template(at("secrets.sh"), "secrets.sh.tmpl", v, 0o755)
	}
	if v.Host == v.Org.Hosts[0] {
		w.template(at(path.Join(Admin+"."+v.Org.Domain, "core.yaml")), "commands.yaml.tmpl", v, 0o644)
		w.template(at(path.Join(Admin+"."+v.Org.Domain, "environment")), "environment.tmpl", v, 0o644)
	}
}

func (w *writer) authority(v view) {
	if v.Org.Certificates == ByFabricCA {
		w.template(path.Join(authority, "register.sh"), "register.sh.tmpl", v, 0o755)
		return
	}
	w.template(path.Join(authority, "extensions.cnf"), "extensions.cnf.tmpl", v, 0o644)
	for _, script := range []string{"create.sh", "issue.sh", "revoke.sh"} {
		w.template(path.Join(authority, script), script+".tmpl", v, 0o755)
	}
	w.file(path.Join(authority, "msp.yaml"), []byte(nodeOUs), 0o644)
}

// nodeOUs is config.yaml of an MSP: a certificate's OU says what its owner is.
const nodeOUs = `NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: cacerts/ca.crt, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: cacerts/ca.crt, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {Certificate: cacerts/ca.crt, OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {Certificate: cacerts/ca.crt, OrganizationalUnitIdentifier: orderer}
`

// Registration is a member as fabric-ca's registrar sees it.
type Registration struct {
	Member
	Host string
}

// Enrolments are how many certificates its secret is for: an identity and a pair, or a pair alone.
func (r Registration) Enrolments() int {
	if r.Role == "" {
		return 1
	}
	return 2
}

// Registrations lists the members of all hosts of the organisation.
func (v view) Registrations() (all []Registration) {
	for _, h := range v.Org.Hosts {
		for _, m := range v.Org.members(h) {
			all = append(all, Registration{m, h.Name})
		}
	}
	return all
}
