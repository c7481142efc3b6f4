// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// A network with Options.CA has a fabric-ca-server for each organisation, which holds one authority for identities and one for
// each protocol of its nodes. Everything is enrolled there with fabric-ca-client; cryptogen has no part. The servers run natively,
// also if the nodes run in containers.

// Authorities of an organisation's server, by the names that --caname takes.
const (
	identityCA = "ca"     // identities, of the organisation's algorithm
	tlcpCA     = "tlcpca" // TLCP pairs
	tlsCA      = "tlsca"  // TLS certificates, ECDSA
)

// Ports of an organisation's server, behind those of its nodes in the block.
const (
	caPort           = portsPerOrg - 3
	caOperationsPort = portsPerOrg - 2
)

// registrar is the identity that every authority begins with.
const registrar = "registrar"

// caOf is the name of the process.
func caOf(org Org) string { return "ca." + org.Domain }

// listenerCA is the authority that certifies the server's own listener: it is the server's first.
func (t *Topology) listenerCA() string {
	if t.gmListeners() {
		return tlcpCA
	}
	return tlsCA
}

// authorities lists those of an organisation, the listener's first.
func (t *Topology) authorities() []string {
	switch t.Mode {
	case ModeTLS:
		return []string{tlsCA, identityCA}
	case ModeDual:
		return []string{tlcpCA, tlsCA, identityCA}
	}
	return []string{tlcpCA, identityCA}
}

// caAddress is where the server of org listens.
func (n *Network) caAddress(org Org) string {
	return net.JoinHostPort(loopback, strconv.Itoa(org.CAPort))
}

// caHome is the folder of org's server; that of another authority than its first lies below.
func (n *Network) caHome(org Org, authority string) string {
	home := path.Join("ca", strings.ToLower(org.Name))
	if authority != n.listenerCA() {
		home = path.Join(home, authority)
	}
	return home
}

// keyOf are the flags of fabric-ca-client for a key of the family that an authority certifies.
func (n *Network) keyOf(org Org, authority string) (algo string) {
	if authority == tlcpCA || authority == identityCA && org.Algorithm == AlgorithmGM {
		return "sm2"
	}
	return "ecdsa"
}

// enrolOrgs starts the authorities of organisations and enrols all of their nodes and users.
func (n *Network) enrolOrgs(ctx context.Context, orgs ...Org) error {
	for _, org := range orgs {
		if err := n.writeCAConfig(org); err != nil {
			return err
		}
		if err := n.StartCA(org); err != nil {
			return err
		}
	}
	return parallel(orgs, func(org Org) error {
		if err := n.awaitCA(ctx, org); err != nil {
			return err
		}
		if err := n.enrolOrg(ctx, org); err != nil {
			return fmt.Errorf("%s: %w", org.Name, err)
		}
		return n.makeOrgMSP(org)
	})
}

// writeCAConfig writes the configuration of org's server and of its authorities.
func (n *Network) writeCAConfig(org Org) error {
	for i, authority := range n.authorities() {
		config := map[string]any{
			"ca": map[string]any{"name": authority},
			"csr": map[string]any{
				"cn": authority + "." + org.Domain, "names": []map[string]string{{"C": "CN", "O": org.Domain}},
				"hosts": []string{"localhost", loopback}, "keyrequest": map[string]any{"algo": n.keyOf(org, authority), "size": 256},
				"ca": map[string]any{"expiry": "131400h", "pathlength": 0},
			},
			"db": map[string]any{"type": "sqlite3", "datasource": "fabric-ca-server.db"},
			"registry": map[string]any{"maxenrollments": -1, "identities": []map[string]any{{
				"name": registrar, "pass": n.secrets.secretOf(org.Name), "type": "client", "affiliation": "",
				"attrs": map[string]any{"hf.Registrar.Roles": "*", "hf.Registrar.DelegateRoles": "*", "hf.Registrar.Attributes": "*",
					"hf.Revoker": true, "hf.GenCRL": true, "hf.AffiliationMgr": true},
			}}},
			// Without usages upstream's server issues certificates that sign certificates.
			"signing": map[string]any{
				"default": map[string]any{"usage": []string{"digital signature"}, "expiry": "8760h"},
				"profiles": map[string]any{"tls": map[string]any{"expiry": "8760h",
					"usage": []string{"digital signature", "key encipherment", "key agreement", "server auth", "client auth"}}},
			},
			"crl": map[string]any{"expiry": "24h"},
		}
		if i == 0 {
			config["address"], config["port"] = loopback, org.CAPort
			config["operations"] = map[string]any{"listenAddress": net.JoinHostPort(loopback, strconv.Itoa(org.CAPort+caOperationsPort-caPort))}
			tls := map[string]any{"enabled": true}
			if authority == tlcpCA {
				tls["mode"] = ModeGM
			}
			config["tls"] = tls
			var more []string
			for _, other := range n.authorities()[1:] {
				more = append(more, path.Join(other, "fabric-ca-server-config.yaml"))
			}
			config["cafiles"] = more
		}
		text, err := yaml.Marshal(config)
		if err != nil {
			return fmt.Errorf("encode the configuration of %s: %w", caOf(org), err)
		}
		if err := n.write(path.Join(n.caHome(org, authority), "fabric-ca-server-config.yaml"), text); err != nil {
			return err
		}
	}
	return nil
}

// StartCA starts org's server, also again after it was killed.
func (n *Network) StartCA(org Org) error {
	home := n.path(filepath.FromSlash(n.caHome(org, n.listenerCA())))
	p := &process{
		Name: caOf(org), Dir: home, Log: n.LogFile(caOf(org)), Env: bareEnv(),
		Command: []string{filepath.Join(n.caBin, "fabric-ca-server"), "start", "-H", home},
	}
	if err := p.start(n.path("run", caOf(org)+".json")); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.units[caOf(org)] = p
	return nil
}

// caTools are the programs that a network with authorities needs.
func (n *Network) caTools() []string {
	if n.caBin == "" {
		return nil
	}
	return []string{filepath.Join(n.caBin, "fabric-ca-server"), filepath.Join(n.caBin, "fabric-ca-client")}
}

func (n *Network) awaitCA(ctx context.Context, org Org) error {
	return poll(ctx, healthLimit, caOf(org)+" to listen", func(ctx context.Context) error {
		if err := n.checkRunning(caOf(org)); err != nil {
			return err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.caAddress(org))
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

// holder is somebody who has certificates.
type holder struct {
	id, role, dir string
	hosts         []string
	user          bool
	identity      bool // chaincode servers have none
}

func (n *Network) holdersOf(org Org) (all []holder) {
	for _, node := range org.Nodes {
		all = append(all, n.nodeHolder(node))
	}
	all = append(all, n.userHolder(org, "Admin", "admin"))
	if org.Name != n.Ordering.Name {
		all = append(all, n.userHolder(org, "User1", "client"))
	}
	return all
}

func (n *Network) nodeHolder(node Node) holder {
	h := holder{id: node.Name, role: string(node.Kind), dir: n.nodeCrypto(node), identity: node.Kind != Chaincode}
	h.hosts = append([]string{node.Name}, strings.Split(node.SANs(), ", ")...)
	if node.Kind == Chaincode {
		h.role = "client"
	}
	return h
}

func (n *Network) userHolder(org Org, user, role string) holder {
	id := user + "@" + org.Domain
	return holder{id: id, role: role, dir: n.userCrypto(org, user), hosts: []string{id}, user: true, identity: true}
}

// enrolOrg enrols the registrar with every authority, then all others.
func (n *Network) enrolOrg(ctx context.Context, org Org) error {
	for _, authority := range n.authorities() {
		err := n.caClient(ctx, org, authority, n.registrarHome(org, authority), registrar, "enroll",
			"--csr.keyrequest.algo", n.keyOf(org, authority), "--csr.keyrequest.size", "256")
		if err != nil {
			return err
		}
	}
	for _, h := range n.holdersOf(org) {
		if err := n.enrolHolder(ctx, org, h); err != nil {
			return err
		}
	}
	return nil
}

// enrolHolder makes h known and enrols it.
func (n *Network) enrolHolder(ctx context.Context, org Org, h holder, attributes ...string) error {
	if err := n.register(ctx, org, h, attributes...); err != nil {
		return err
	}
	return n.enrol(ctx, org, h)
}

func (n *Network) registrarHome(org Org, authority string) string {
	return path.Join("ca", "registrars", strings.ToLower(org.Name), authority)
}

// register makes h known to every authority that it has certificates of. Attributes, "name=value:ecert", are for that of identities.
func (n *Network) register(ctx context.Context, org Org, h holder, attributes ...string) error {
	for _, authority := range n.authorities() {
		if authority == identityCA && !h.identity {
			continue
		}
		args := []string{"register", "--id.name", h.id, "--id.secret", n.secrets.secretOf(org.Name), "--id.type", h.role}
		if authority == identityCA && len(attributes) > 0 {
			args = append(args, "--id.attrs", strings.Join(attributes, ","))
		}
		err := n.caClient(ctx, org, authority, n.registrarHome(org, authority), "", args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// enrol writes the certificates and keys of h where cryptogen would have.
func (n *Network) enrol(ctx context.Context, org Org, h holder) error {
	hosts := []string{"--csr.names", "C=CN,O=" + org.Domain, "--csr.hosts", strings.Join(h.hosts, ",")}
	for _, authority := range n.authorities() {
		args := append([]string{"enroll", "--csr.keyrequest.algo", n.keyOf(org, authority), "--csr.keyrequest.size", "256"}, hosts...)
		home := h.dir
		switch authority {
		case identityCA:
			if !h.identity {
				continue
			}
		case tlcpCA:
			home, args = path.Join(h.dir, "tlcp"), append(args, "--enrollment.profile", "tlcp", "--tlcp.dir", n.path(filepath.FromSlash(h.dir), "tls"))
		case tlsCA:
			home, args = path.Join(h.dir, "tlsca"), append(args, "--enrollment.profile", "tls")
		}
		if err := n.caClient(ctx, org, authority, home, h.id, args...); err != nil {
			return err
		}
	}
	return n.arrange(h)
}

// openOUs is config.yaml of an MSP whose node OUs any of its roots certifies.
const openOUs = `NodeOUs:
  Enable: true
  ClientOUIdentifier: {OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {OrganizationalUnitIdentifier: orderer}
`

// arrange gives files the names that cryptogen's layout has and the client's has not.
func (n *Network) arrange(h holder) error {
	for _, authority := range n.authorities() {
		var err error
		switch {
		case authority == identityCA && h.identity:
			err = n.write(path.Join(h.dir, "msp", "config.yaml"), []byte(openOUs))
		case authority == tlcpCA && h.user:
			err = n.renameAll(path.Join(h.dir, "tls"), "server-sign.crt", "client-sign.crt", "server-sign.key", "client-sign.key",
				"server-enc.crt", "client-enc.crt", "server-enc.key", "client-enc.key")
		case authority == tlsCA:
			name := "server"
			if h.user {
				name = "client"
			}
			from := path.Join(h.dir, "tlsca", "msp")
			err = n.copyOne(path.Join(from, "signcerts", "*"), path.Join(h.dir, "tls", name+".crt"))
			if err == nil {
				err = n.copyOne(path.Join(from, "keystore", "*"), path.Join(h.dir, "tls", name+".key"))
			}
			if err == nil {
				err = n.copyOne(path.Join(from, "tlscacerts", "*"), path.Join(h.dir, "tls", "ca.crt"))
			}
		}
		if err != nil {
			return fmt.Errorf("certificates of %s: %w", h.id, err)
		}
	}
	return nil
}

func (n *Network) renameAll(dir string, names ...string) error {
	for pair := range slices.Chunk(names, 2) {
		if err := os.Rename(n.path(filepath.FromSlash(dir), pair[0]), n.path(filepath.FromSlash(dir), pair[1])); err != nil {
			return err
		}
	}
	return nil
}

// copyOne copies the one file that pattern matches.
func (n *Network) copyOne(pattern, to string) error {
	data, err := n.readOne(pattern)
	if err != nil {
		return err
	}
	return n.write(to, data)
}

// makeOrgMSP writes the MSP that the channel configuration takes.
func (n *Network) makeOrgMSP(org Org) error {
	msp := path.Join(n.orgDir(org), "msp")
	if err := n.write(path.Join(msp, "config.yaml"), []byte(openOUs)); err != nil {
		return err
	}
	for _, authority := range n.authorities() {
		folder := "tlscacerts"
		if authority == identityCA {
			folder = "cacerts"
		}
		if err := n.copyOne(path.Join(n.caHome(org, authority), "ca-cert.pem"), path.Join(msp, folder, authority+".pem")); err != nil {
			return fmt.Errorf("root of %s: %w", authority, err)
		}
	}
	return nil
}

// caClient runs "fabric-ca-client ARGS" against an authority of org. With an id it speaks as that id with its secret, else by the
// identity that is enrolled in home. Secrets stay out of the log of commands.
func (n *Network) caClient(ctx context.Context, org Org, authority, home, id string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	address := "https://" + n.caAddress(org)
	if id != "" {
		address = fmt.Sprintf("https://%s:%s@%s", strings.ReplaceAll(id, "@", "%40"), n.secrets.secretOf(org.Name), n.caAddress(org))
	}
	if err := os.MkdirAll(n.path(filepath.FromSlash(home)), 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	all := append(slices.Clone(args), "-u", address, "-H", n.path(filepath.FromSlash(home)), "--caname", authority)
	all = append(all, n.caFlags(org)...)
	cmd := boundCommand(ctx, filepath.Join(n.caBin, "fabric-ca-client"), all...)
	cmd.Env = bareEnv()
	out, err := cmd.CombinedOutput()
	n.keep(nil, "fabric-ca-client", n.secrets.redact(all), n.secrets.redact([]string{string(out)})[0])
	if err != nil {
		return fmt.Errorf("fabric-ca-client %s of %s at %s: %w:\n%s", args[0], id, authority, err, indent(lastLines(string(out), 8)))
	}
	return nil
}

// caFlags are the flags by which fabric-ca-client trusts org's server.
func (n *Network) caFlags(org Org) []string {
	flags := []string{"--tls.certfiles", n.path(filepath.FromSlash(n.caHome(org, n.listenerCA())), "ca-cert.pem")}
	if n.gmListeners() {
		flags = append(flags, "--tls.mode", ModeGM)
	}
	return flags
}

// secrets are those of the identities of a network, by organisation. They live as long as the process that made them.
type secrets struct{ seed string }

func newSecrets() *secrets { return &secrets{rand.Text()} }

// secretOf returns the secret that all identities of an organisation have.
func (s *secrets) secretOf(org string) string { return s.seed + "-" + strings.ToLower(org) }

func (s *secrets) redact(texts []string) []string {
	hidden := make([]string, len(texts))
	for i, text := range texts {
		hidden[i] = strings.ReplaceAll(text, s.seed, "SECRET")
	}
	return hidden
}

// EnrolUser registers and enrols a further user of org with its authorities.
func (n *Network) EnrolUser(ctx context.Context, org Org, user string, attributes ...string) error {
	return n.enrolHolder(ctx, org, n.userHolder(org, user, "client"), attributes...)
}

// RevokeUser revokes all certificates that a user of org has from the authority of identities, and returns its new list, PEM.
func (n *Network) RevokeUser(ctx context.Context, org Org, user string) ([]byte, error) {
	home := n.registrarHome(org, identityCA)
	if err := n.caClient(ctx, org, identityCA, home, "", "revoke", "-e", user+"@"+org.Domain, "--gencrl"); err != nil {
		return nil, err
	}
	return n.readOne(path.Join(home, "msp", "crls", "*.pem"))
}

// onlyMatch is the one file of the state directory that pattern matches.
func (n *Network) onlyMatch(pattern string) (string, error) {
	files, err := filepath.Glob(n.path(filepath.FromSlash(pattern)))
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		return "", fmt.Errorf("%d files are %s, not one", len(files), pattern)
	}
	return files[0], nil
}

func (n *Network) readOne(pattern string) ([]byte, error) {
	file, err := n.onlyMatch(pattern)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
