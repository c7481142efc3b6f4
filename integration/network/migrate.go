// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/common/tlsstatus"
)

// SwitchModes tells a running orderer or peer to listen or dial by another protocol, through its operations service. An empty
// mode leaves that side as it is.
func (n *Network) SwitchModes(ctx context.Context, node Node, server, client string) error {
	body, err := json.Marshal(tlsstatus.Change{ServerMode: tlsstatus.ServerMode(server), ClientMode: tlsstatus.ClientMode(client)})
	if err != nil {
		return fmt.Errorf("encode the modes: %w", err)
	}
	_, err = n.Operations(ctx, node, http.MethodPut, tlsstatus.Path, body)
	return err
}

// AdoptModes makes modes to which all nodes have been switched those of the network: in the files that the nodes read when they
// start again, in the clients' profiles, and for this package's own connections. The chaincode servers stay as they are.
func (n *Network) AdoptModes(server, client string) error {
	n.Mode, n.ClientMode = server, client
	if err := n.makeNodeFiles(n.placement()); err != nil {
		return err
	}
	return n.save()
}

// AdoptProtocol is AdoptModes for the GM protocol that all nodes have been switched to.
func (n *Network) AdoptProtocol(protocol string) error {
	n.GMProtocol = protocol
	return n.AdoptModes(n.Mode, n.ClientMode)
}

// AddPairs gives the nodes and users of a network in mode tls their TLCP pairs and the root of these, and writes
// configurations in mode dual, dialing tls. Nodes read them when they start again.
func (n *Network) AddPairs(ctx context.Context) error {
	n.Mode = ModeDual
	if err := n.extendCrypto(ctx); err != nil {
		return err
	}
	for _, node := range append(n.Nodes(Orderer), n.Nodes(Peer)...) {
		dir := path.Join(n.nodeCrypto(node), "tls")
		var roots []byte
		for _, file := range []string{"ca.crt", "gm-ca.crt"} {
			root, err := os.ReadFile(n.path(filepath.FromSlash(dir), file))
			if err != nil {
				return fmt.Errorf("roots of %s: %w", node.Name, err)
			}
			roots = append(roots, root...)
		}
		if err := n.write(path.Join(dir, "ca.crt"), roots); err != nil {
			return err
		}
	}
	return n.AdoptModes(ModeDual, ModeTLS)
}

// extendCrypto lets cryptogen make what the topology has and its folders lack.
func (n *Network) extendCrypto(ctx context.Context) error {
	config, err := n.render("crypto-config.yaml.tmpl", channelView{n.Topology, n.Dir})
	if err != nil {
		return err
	}
	if err := n.write("config/crypto-config.yaml", config); err != nil {
		return err
	}
	_, err = n.command(ctx, nil, "cryptogen", "extend", "--config", n.path("config", "crypto-config.yaml"), "--input", n.path("crypto"))
	return err
}

// identities is the folder with the SM2 identities that are to replace those of ECDSA organisations, laid out as crypto/.
const identities = "gm-identities"

// IssueIdentities makes an SM2 CA for every organisation and SM2 identities of the same names for all its nodes and users.
func (n *Network) IssueIdentities(ctx context.Context) error {
	t := *n.Topology
	t.Mode, t.ClientMode = ModeTLS, ModeTLS // the pairs are there already
	t.Ordering.Algorithm = AlgorithmGM
	t.Peers = slices.Clone(t.Peers)
	for i := range t.Peers {
		t.Peers[i].Algorithm = AlgorithmGM
	}
	config, err := t.render("crypto-config.yaml.tmpl", channelView{&t, n.Dir})
	if err != nil {
		return err
	}
	if err := n.write("config/"+identities+".yaml", config); err != nil {
		return err
	}
	_, err = n.command(ctx, nil, "cryptogen", "generate", "--config", n.path("config", identities+".yaml"), "--output", n.path(identities))
	return err
}

// holders are the folders of those with an identity: the nodes, and the users of their organisations.
func (n *Network) holders(nodes ...Node) (dirs []string) {
	for _, node := range nodes {
		org := n.orgOf(node)
		dirs = append(dirs, n.nodeCrypto(node), n.userCrypto(org, "Admin"))
		if org.Name != n.Ordering.Name {
			dirs = append(dirs, n.userCrypto(org, "User1"))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// openOUs is config.yaml of an MSP whose node OUs any of its roots certifies.
const openOUs = `NodeOUs:
  Enable: true
  ClientOUIdentifier: {OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {OrganizationalUnitIdentifier: orderer}
`

// TrustIdentities adds the SM2 CA to the local MSPs of nodes and of their organisations' users.
func (n *Network) TrustIdentities(nodes ...Node) error {
	for _, dir := range n.holders(nodes...) {
		if err := n.copyIdentity(dir, "cacerts", "gm-"); err != nil {
			return err
		}
		if err := n.write(path.Join(dir, "msp", "config.yaml"), []byte(openOUs)); err != nil {
			return err
		}
	}
	return nil
}

// TrustInChannel adds the SM2 CA to an organisation's MSP in the channel.
func (n *Network) TrustInChannel(ctx context.Context, org Org) error {
	dir := n.orgDir(org)
	if err := n.copyIdentity(dir, "cacerts", "gm-"); err != nil {
		return err
	}
	if err := n.write(path.Join(dir, "msp", "config.yaml"), []byte(openOUs)); err != nil {
		return err
	}
	return n.Change(ctx, "trust-"+org.Name, []Org{org}, "set-msp", "--msp-id", org.MSPID, "--msp", n.path(filepath.FromSlash(dir), "msp"))
}

// AdoptIdentity puts a node's SM2 identity, or that of a user if user is not empty, in the place of the ECDSA one.
func (n *Network) AdoptIdentity(node Node, user string) error {
	dir := n.nodeCrypto(node)
	if user != "" {
		dir = n.userCrypto(n.orgOf(node), user)
	}
	for _, part := range []string{"signcerts", "keystore"} {
		if err := os.RemoveAll(n.path(filepath.FromSlash(dir), "msp", part)); err != nil {
			return fmt.Errorf("remove the old identity: %w", err)
		}
		if err := n.copyIdentity(dir, part, ""); err != nil {
			return err
		}
	}
	return nil
}

// copyIdentity copies a part of the SM2 MSP to the MSP in dir, with a prefix to the files' names.
func (n *Network) copyIdentity(dir, part, prefix string) error {
	from := path.Join(identities, strings.TrimPrefix(dir, "crypto/"), "msp", part)
	files, err := os.ReadDir(n.path(filepath.FromSlash(from)))
	if err != nil {
		return fmt.Errorf("SM2 identity: %w", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(n.path(filepath.FromSlash(from), file.Name()))
		if err != nil {
			return fmt.Errorf("SM2 identity: %w", err)
		}
		if err := n.write(path.Join(dir, "msp", part, prefix+file.Name()), data); err != nil {
			return err
		}
	}
	return nil
}

// WriteInventory writes the file by which gmtls migrate reaches the nodes, as each organisation's Admin. Roots are named once
// there are any.
func (n *Network) WriteInventory(file string) error {
	organizations := map[string]any{}
	for _, org := range append([]Org{n.Ordering}, n.Peers...) {
		admin := n.path(filepath.FromSlash(n.userCrypto(org, "Admin")), "tls")
		first := n.path(filepath.FromSlash(n.nodeCrypto(org.Nodes[0])), "tls")
		client := map[string]any{"protocol": "tls", "ca": []string{filepath.Join(first, "ca.crt")},
			"cert": filepath.Join(admin, "client.crt"), "key": filepath.Join(admin, "client.key")}
		if n.gmDialers() {
			protocol := "tlcp"
			if n.GMProtocol == GMProtocolTLS13 {
				protocol = "tls13-gm"
			}
			client = map[string]any{"protocol": protocol, "ca": []string{filepath.Join(first, "gm-ca.crt")},
				"signCert": filepath.Join(admin, "client-sign.crt"), "signKey": filepath.Join(admin, "client-sign.key"),
				"encCert": filepath.Join(admin, "client-enc.crt"), "encKey": filepath.Join(admin, "client-enc.key")}
		}
		o := map[string]any{"client": client}
		nodes := map[string]any{}
		for _, node := range org.Nodes {
			if node.Kind == Chaincode {
				continue
			}
			entry := map[string]string{"operations": node.addressAt(node.Operations), "address": node.Address()}
			if n.gmListeners() {
				entry["signCert"] = n.path(filepath.FromSlash(n.nodeCrypto(node)), "tls", "server-sign.crt")
			}
			nodes[node.Name] = entry
		}
		o["nodes"] = nodes
		if n.gmListeners() {
			o["gmTLSRoots"] = []string{filepath.Join(first, "gm-ca.crt")}
		}
		if ca, err := filepath.Glob(n.path(identities, strings.TrimPrefix(n.orgDir(org), "crypto/"), "ca", "*.pem")); err == nil && len(ca) == 1 {
			o["gmIdentityRoots"] = ca
		}
		organizations[org.MSPID] = o
	}
	data, err := yaml.Marshal(map[string]any{"organizations": organizations})
	if err != nil {
		return fmt.Errorf("encode the inventory: %w", err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("write the inventory: %w", err)
	}
	return nil
}

// MoveChaincode lets the peers reach the chaincode by the network's present protocol, without a break: every organisation gets a
// second server that speaks it, a package that says so, and approves the definition that the channel has with this package. When
// all peers have that, the first server ends. version and sequence are those of the definition.
func (n *Network) MoveChaincode(ctx context.Context, version string, sequence int) error {
	var old []Node
	spoken := n.ClientMode
	if n.GMProtocol != "" {
		spoken = strings.ToLower(n.GMProtocol)
	}
	for i := range n.Peers {
		org := &n.Peers[i]
		before := org.ChaincodeServer()
		old = append(old, before)
		next := before
		next.Name, next.Port = "chaincode-"+spoken+"."+org.Domain, before.Port+1
		if next.Behind != 0 {
			next.Behind = next.Port + relayOffset
		}
		org.Nodes = append(slices.DeleteFunc(slices.Clone(org.Nodes), func(node Node) bool { return node.Kind == Chaincode }), next)
	}
	if err := n.extendCrypto(ctx); err != nil {
		return err
	}
	if err := n.relay(n.Nodes(Chaincode)); err != nil {
		return err
	}
	files, err := n.packageChaincode(ctx, version+"-"+spoken)
	if err != nil {
		return err
	}
	if err := n.startNodes(Chaincode); err != nil {
		return err
	}
	if err := n.awaitListening(ctx, n.Nodes(Chaincode)...); err != nil {
		return err
	}
	if err := n.installChaincode(ctx, files); err != nil {
		return err
	}
	if err := n.approveChaincode(ctx, version, sequence); err != nil {
		return err
	}
	if _, err := n.AwaitSameHeight(ctx, 1); err != nil {
		return err
	}
	var failed []error
	for _, server := range old {
		failed = append(failed, n.Stop(ctx, server.Name))
		if r := n.Relays[server.Name]; r != nil {
			failed = append(failed, r.Close())
			delete(n.Relays, server.Name)
		}
	}
	return errors.Join(failed...)
}
