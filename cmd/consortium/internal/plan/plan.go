// SPDX-License-Identifier: Apache-2.0

// Package plan reads the plan of a consortium, one file on which all organisations agree, and writes what each organisation needs on
// each of its hosts: configuration of nodes, scripts that make keys and enrol certificates, and systemd units or a compose file.
//
// [Read] returns a checked [Plan]. The package makes and reads no keys; each key is made on the host that uses it. docs/consortium.md is the
// guide.
package plan

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/internal/settings"
)

// Values of fields.
const (
	ModeGM   = "gm"   // TLCP alone
	ModeDual = "dual" // TLCP and TLS on one port; nodes dial with TLCP

	ConsensusRaft = "raft"
	ConsensusBFT  = "bft" // SmartBFT, of Fabric 3

	ByOpenSSL  = "openssl"
	ByFabricCA = "fabric-ca"

	RunSystemd    = "systemd"
	RunCompose    = "compose"
	RunKubernetes = "kubernetes" // by the chart of deploy/helm

	Orderer   = "orderer"
	Peer      = "peer"
	Chaincode = "chaincode"
)

// Plan is a consortium: one channel of several organisations.
type Plan struct {
	Channel       string          `yaml:"channel"`
	Mode          string          `yaml:"mode"`
	Consensus     string          `yaml:"consensus"`
	Batch         Batch           `yaml:"batch"`
	Organizations []*Organization `yaml:"organizations"`
}

// Batch says when orderers cut a block.
type Batch struct {
	Timeout     time.Duration `yaml:"timeout"`
	MaxMessages uint32        `yaml:"maxMessages"`
}

// Organization is a member. It is an ordering organisation if it has orderers, and an application organisation if it has peers.
type Organization struct {
	Name         string   `yaml:"name"`
	MSPID        string   `yaml:"mspID"`
	Domain       string   `yaml:"domain"` // its nodes' names end in it
	Country      string   `yaml:"country"`
	Certificates string   `yaml:"certificates"` // who issues: openssl or fabric-ca
	CA           string   `yaml:"ca"`           // https://HOST:PORT of its fabric-ca-server
	Users        []string `yaml:"users"`        // clients, in addition to the administrator; on its first host
	Hosts        []*Host  `yaml:"hosts"`
}

// Host is a machine of an organisation.
type Host struct {
	Name    string  `yaml:"name"`
	Address string  `yaml:"address"` // by which all other hosts reach it: an IP address, or a name
	Run     string  `yaml:"run"`
	Nodes   []*Node `yaml:"nodes"`
}

// Node is a process of a host.
type Node struct {
	Name       string `yaml:"name"` // its full name has the organisation's domain behind it
	Kind       string `yaml:"kind"`
	Port       int    `yaml:"port"`
	Operations int    `yaml:"operations"` // orderer, peer: health and metrics, on the host alone
	Admin      int    `yaml:"admin"`      // orderer: osnadmin, on the host alone
	Launched   int    `yaml:"launched"`   // peer: for chaincode that it launches itself, on the host alone
	Command    string `yaml:"command"`    // chaincode under systemd: the program, by its absolute path
	Image      string `yaml:"image"`      // chaincode under compose and kubernetes

	org  *Organization
	host *Host
}

// FullName is the node's name in certificates and in the channel.
func (n *Node) FullName() string { return n.Name + "." + n.org.Domain }

// Address is where others reach the node.
func (n *Node) Address() string { return net.JoinHostPort(n.FullName(), strconv.Itoa(n.Port)) }

// leastBFT is the fewest consenters of which SmartBFT tolerates one that is faulty.
const leastBFT = 4

// maxPlan bounds the file, in bytes.
const maxPlan = 1 << 20

// Read reads a plan. It refuses unknown keys, and all mistakes that would otherwise show only on a host.
func Read(file string) (*Plan, error) {
	data, err := material.ReadBounded(file, maxPlan)
	if err != nil {
		return nil, err
	}
	p, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func parse(data []byte) (*Plan, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	p := &Plan{Mode: ModeGM, Consensus: ConsensusRaft, Batch: Batch{Timeout: 500 * time.Millisecond, MaxMessages: 500}}
	if err := settings.DecodeOne(decoder, p); err != nil {
		return nil, err
	}
	for _, o := range p.Organizations {
		if o == nil {
			return nil, errors.New("an organisation is empty")
		}
		if o.Country == "" {
			o.Country = "CN"
		}
		for _, h := range o.Hosts {
			if h == nil {
				return nil, fmt.Errorf("a host of %s is empty", o.Name)
			}
			for _, n := range h.Nodes {
				if n == nil {
					return nil, fmt.Errorf("a node of %s is empty", h.Name)
				}
				n.org, n.host = o, h
			}
		}
	}
	return p, p.check()
}

var (
	channelName = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,248}$`)             // as Fabric has it
	identifier  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]{0,63}$`)     // stands in policies, subjects and file names
	label       = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // RFC 1123, section 2.1, in lower case
	domain      = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	country     = regexp.MustCompile(`^[A-Z]{2}$`)
	caURL       = regexp.MustCompile(`^https://[a-zA-Z0-9.-]+:[0-9]{1,5}$`)
	program     = regexp.MustCompile(`^/[a-zA-Z0-9._/-]+$`)
	image       = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9._/:@-]{0,254}$`)
)

// checker collects what is wrong, each with its place, so that a plan is mended in one go.
type checker struct {
	errs []error
	seen map[string]string // what must be unique, to where it stands
}

func (c *checker) need(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

func (c *checker) match(re *regexp.Regexp, where, key, value string) {
	c.need(re.MatchString(value), "%s: %s is %q, which does not fit %s", where, key, value, re)
}

func (c *checker) oneOf(where, key, value string, values ...string) {
	c.need(slices.Contains(values, value), "%s: %s is %q; it must be %s", where, key, value, strings.Join(values, " or "))
}

func (c *checker) unique(kind, value, where string) {
	id := kind + " " + strings.ToLower(value)
	if other, there := c.seen[id]; there {
		c.need(false, "%s: the %s %s is already that of %s", where, kind, value, other)
	}
	c.seen[id] = where
}

// maxCommonName is the most characters of a common name (RFC 5280, appendix A.1); openssl issues for none that is longer.
const maxCommonName = 64

func (c *checker) commonName(where, name string) {
	c.need(len(name) <= maxCommonName, "%s: the name %s has %d characters, and a certificate takes %d: shorten the domain or the name", where, name, len(name), maxCommonName)
}

func (p *Plan) check() error {
	c := &checker{seen: map[string]string{}}
	c.match(channelName, "plan", "channel", p.Channel)
	c.oneOf("plan", "mode", p.Mode, ModeGM, ModeDual)
	c.oneOf("plan", "consensus", p.Consensus, ConsensusRaft, ConsensusBFT)
	c.need(p.Batch.Timeout >= 10*time.Millisecond && p.Batch.MaxMessages > 0, "plan: batch needs a timeout of 10ms or more and maxMessages above 0")
	for _, o := range p.Organizations {
		p.checkOrganization(c, o)
	}
	c.need(len(p.nodes(Orderer)) > 0, "plan: no organisation has an orderer")
	c.need(p.Consensus != ConsensusBFT || len(p.nodes(Orderer)) >= leastBFT, "plan: consensus bft with %d orderers tolerates no faulty one; it needs %d", len(p.nodes(Orderer)), leastBFT)
	c.need(len(p.nodes(Peer)) > 0, "plan: no organisation has a peer")
	return errors.Join(c.errs...)
}

func (p *Plan) checkOrganization(c *checker, o *Organization) {
	where := "organisation " + o.Name
	c.match(identifier, where, "name", o.Name)
	c.match(identifier, where, "mspID", o.MSPID)
	c.match(domain, where, "domain", o.Domain)
	c.match(country, where, "country", o.Country)
	c.unique("name", o.Name, where)
	c.unique("mspID", o.MSPID, where)
	c.unique("domain", o.Domain, where)
	c.oneOf(where, "certificates", o.Certificates, ByOpenSSL, ByFabricCA)
	if o.Certificates == ByFabricCA {
		c.match(caURL, where, "ca", o.CA)
		c.need(p.Mode != ModeDual, "%s: mode dual needs certificates of two families, and a CA issues those of one: use openssl", where)
	} else {
		c.need(o.CA == "", "%s: ca is for certificates of fabric-ca", where)
	}
	c.unique("name", Admin+"."+o.Domain, where)
	c.commonName(where, "tls-ca."+o.Domain) // the longest of its CAs and of the administrator
	for _, user := range o.Users {
		c.match(label, where, "a user", user)
		c.commonName(where, user+"."+o.Domain)
		c.unique("name", user+"."+o.Domain, where)
	}
	c.need(len(o.Hosts) > 0, "%s: it has no host", where)
	for _, h := range o.Hosts {
		c.match(label, where, "the name of a host", h.Name)
		c.unique("host", h.Name, where)
		c.need(h.Name != authority, "host %s: this is the name of the folder with the CA's keys: name the host otherwise", h.Name)
		c.need(net.ParseIP(h.Address) != nil || domain.MatchString(h.Address), "host %s: address is %q, which is neither an IP address nor a name", h.Name, h.Address)
		c.oneOf("host "+h.Name, "run", h.Run, RunSystemd, RunCompose, RunKubernetes)
		c.need(len(h.Nodes) > 0, "host %s: it has no node", h.Name)
		for _, n := range h.Nodes {
			checkNode(c, n)
		}
	}
}

func checkNode(c *checker, n *Node) {
	where := "node " + n.FullName()
	c.match(label, where, "name", n.Name)
	c.unique("name", n.FullName(), where)
	c.commonName(where, n.FullName())
	c.oneOf(where, "kind", n.Kind, Orderer, Peer, Chaincode)
	for _, port := range []struct {
		key  string
		port int
		of   []string // kinds that have it
	}{
		{"port", n.Port, []string{Orderer, Peer, Chaincode}},
		{"operations", n.Operations, []string{Orderer, Peer}},
		{"admin", n.Admin, []string{Orderer}},
		{"launched", n.Launched, []string{Peer}},
	} {
		if !slices.Contains(port.of, n.Kind) {
			c.need(port.port == 0, "%s: %s is for kind %s", where, port.key, strings.Join(port.of, " and "))
			continue
		}
		c.need(port.port >= 1 && port.port <= 65535, "%s: %s is %d; it must be a port from 1 to 65535", where, port.key, port.port)
		c.unique("port of host "+n.host.Name, strconv.Itoa(port.port), where+", "+port.key)
	}
	switch {
	case n.Kind != Chaincode:
		c.need(n.Command == "" && n.Image == "", "%s: command and image are for kind chaincode", where)
	case n.host.Run == RunSystemd:
		c.match(program, where, "command", n.Command)
		c.need(n.Image == "", "%s: image is for hosts that run compose or kubernetes", where)
	default:
		c.match(image, where, "image", n.Image)
		c.need(n.Command == "", "%s: command is for hosts that run systemd", where)
	}
}

// nodes lists the nodes of a kind, in the order of the plan.
func (p *Plan) nodes(kind string) (all []*Node) {
	for _, o := range p.Organizations {
		all = append(all, o.nodes(kind)...)
	}
	return all
}

func (o *Organization) nodes(kind string) (all []*Node) {
	for _, h := range o.Hosts {
		for _, n := range h.Nodes {
			if n.Kind == kind {
				all = append(all, n)
			}
		}
	}
	return all
}

// organization finds an organisation by its name.
func (p *Plan) organization(name string) (*Organization, error) {
	var names []string
	for _, o := range p.Organizations {
		if o.Name == name {
			return o, nil
		}
		names = append(names, o.Name)
	}
	return nil, fmt.Errorf("the plan has no organisation %s; it has %s", name, strings.Join(names, ", "))
}
