// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/sampleconfig"
)

// Folders on every host, and in containers.
const (
	configRoot = "/etc/fabric"
	dataRoot   = "/var/hyperledger"
)

// Folder is the folder of the node's configuration and keys.
func (n *Node) Folder() string { return path.Join(configRoot, n.FullName()) }

// Data is where the node keeps its ledgers.
func (n *Node) Data() string { return path.Join(dataRoot, n.FullName()) }

// localAddress is the address to listen on for what only this host is to reach. A container listens on all its addresses; a compose
// file publishes its port on loopback alone, and the chart has a policy for it.
func (n *Node) localAddress(port int) string {
	host := "127.0.0.1"
	if n.host.Run != RunSystemd {
		host = "0.0.0.0"
	}
	return host + ":" + strconv.Itoa(port)
}

// setting is a key of a node's configuration with its value; a nil value takes the key out.
type setting struct {
	key   string
	value any
}

// config is the node's configuration: the sample of this version, comments and all, with the node's own settings in their places.
func (p *Plan) config(n *Node) (file string, data []byte, err error) {
	file, sample, settings := "core.yaml", sampleconfig.Core, p.peerSettings(n)
	if n.Kind == Orderer {
		file, sample, settings = "orderer.yaml", sampleconfig.Orderer, p.ordererSettings(n)
	}
	data, err = edit(sample, settings)
	if err != nil {
		return "", nil, fmt.Errorf("%s of %s: %w", file, n.FullName(), err)
	}
	return file, data, nil
}

// roots are the TLS CAs of the node's own organisation; those of others come with the channel.
func (p *Plan) roots(n *Node) []string {
	roots := []string{path.Join(n.Folder(), "msp/tlscacerts/gm-ca.crt")}
	if p.Mode == ModeDual {
		roots = append(roots, path.Join(n.Folder(), "msp/tlscacerts/tls-ca.crt"))
	}
	return roots
}

// peerListener are the settings of one of a peer's two TLS sections.
func (p *Plan) peerListener(n *Node, section string) []setting {
	tls := path.Join(n.Folder(), "tls")
	all := []setting{
		{section + ".enabled", true}, {section + ".mode", p.Mode}, {section + ".clientAuthRequired", true}, {section + ".clientRootCAs.files", p.roots(n)},
		{section + ".gm.signCert.file", tls + "/server-sign.crt"}, {section + ".gm.signKey.file", tls + "/server-sign.key"},
		{section + ".gm.encCert.file", tls + "/server-enc.crt"}, {section + ".gm.encKey.file", tls + "/server-enc.key"},
	}
	if p.Mode == ModeDual {
		return append(all, setting{section + ".cert.file", tls + "/server.crt"}, setting{section + ".key.file", tls + "/server.key"})
	}
	return append(all, setting{section + ".cert", nil}, setting{section + ".key", nil})
}

func (p *Plan) peerSettings(n *Node) []setting {
	var others []string
	for _, peer := range n.org.nodes(Peer) {
		if peer != n {
			others = append(others, peer.Address())
		}
	}
	if others == nil {
		others = []string{n.Address()}
	}
	all := []setting{
		{"peer.id", n.FullName()}, {"peer.networkId", p.Channel}, {"peer.listenAddress", "0.0.0.0:" + strconv.Itoa(n.Port)}, {"peer.address", n.Address()},
		{"peer.chaincodeListenAddress", n.localAddress(n.Launched)}, {"peer.localMspId", n.org.MSPID}, {"peer.mspConfigPath", n.Folder() + "/msp"},
		{"peer.fileSystemPath", n.Data()}, {"ledger.snapshots.rootDir", n.Data() + "/snapshots"},
		{"peer.gossip.bootstrap", strings.Join(others, " ")}, {"peer.gossip.endpoint", n.Address()}, {"peer.gossip.externalEndpoint", n.Address()},
		{"peer.tls.clientMode", ModeGM}, {"peer.tls.rootcert.file", p.roots(n)[0]},
		{"operations.listenAddress", n.localAddress(n.Operations)}, {"metrics.provider", "prometheus"},
		{"vm.endpoint", ""}, // chaincode runs as a separate service
		{"chaincode.tls.mode", ModeGM},
	}
	return append(append(all, p.peerListener(n, "peer.tls")...), p.peerListener(n, "operations.tls")...)
}

// ordererListener are the settings of one of an orderer's TLS sections.
func (p *Plan) ordererListener(n *Node, section string) []setting {
	tls := path.Join(n.Folder(), "tls")
	all := []setting{
		{section + ".Enabled", true}, {section + ".Mode", p.Mode}, {section + ".ClientAuthRequired", true}, {section + ".ClientRootCAs", p.roots(n)}, {section + ".RootCAs", p.roots(n)},
		{section + ".GMSignCertificate", tls + "/server-sign.crt"}, {section + ".GMSignPrivateKey", tls + "/server-sign.key"},
		{section + ".GMEncCertificate", tls + "/server-enc.crt"}, {section + ".GMEncPrivateKey", tls + "/server-enc.key"},
	}
	if p.Mode == ModeDual {
		return append(all, setting{section + ".Certificate", tls + "/server.crt"}, setting{section + ".PrivateKey", tls + "/server.key"})
	}
	return append(all, setting{section + ".Certificate", nil}, setting{section + ".PrivateKey", nil})
}

func (p *Plan) ordererSettings(n *Node) []setting {
	tls := path.Join(n.Folder(), "tls")
	all := []setting{
		{"General.ListenAddress", "0.0.0.0"}, {"General.ListenPort", n.Port}, {"General.LocalMSPDir", n.Folder() + "/msp"}, {"General.LocalMSPID", n.org.MSPID},
		{"General.BootstrapMethod", "none"}, {"General.TLS.ClientMode", ModeGM},
		{"General.Cluster.RootCAs", p.roots(n)},
		{"General.Cluster.GMClientSignCertificate", tls + "/server-sign.crt"}, {"General.Cluster.GMClientSignPrivateKey", tls + "/server-sign.key"},
		{"General.Cluster.GMClientEncCertificate", tls + "/server-enc.crt"}, {"General.Cluster.GMClientEncPrivateKey", tls + "/server-enc.key"},
		{"FileLedger.Location", n.Data()}, {"Consensus.WALDir", n.Data() + "/etcdraft/wal"}, {"Consensus.SnapDir", n.Data() + "/etcdraft/snapshot"},
		{"ChannelParticipation.Enabled", true}, {"Admin.ListenAddress", n.localAddress(n.Admin)}, {"Operations.ListenAddress", n.localAddress(n.Operations)},
		{"Metrics.Provider", "prometheus"},
	}
	if p.Mode == ModeDual {
		all = append(all, setting{"General.Cluster.ClientCertificate", tls + "/server.crt"}, setting{"General.Cluster.ClientPrivateKey", tls + "/server.key"})
	}
	for _, section := range []string{"General.TLS", "Admin.TLS", "Operations.TLS"} {
		all = append(all, p.ordererListener(n, section)...)
	}
	return all
}

// edit sets values in a YAML text and keeps everything else of it. Sections must exist; the last part of a key may be new.
func edit(text []byte, settings []setting) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	for _, s := range settings {
		if err := set(doc.Content[0], strings.Split(s.key, "."), s.value); err != nil {
			return nil, fmt.Errorf("%s: %w", s.key, err)
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

func set(node *yaml.Node, key []string, value any) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("the sample configuration has no section above %s", key[0])
	}
	at := -1
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key[0] {
			at = i
		}
	}
	switch {
	case len(key) > 1 && at < 0:
		return fmt.Errorf("the sample configuration has no section %s", key[0])
	case len(key) > 1:
		return set(node.Content[at+1], key[1:], value)
	case value == nil:
		if at >= 0 {
			node.Content = append(node.Content[:at:at], node.Content[at+2:]...)
		}
		return nil
	}
	var fresh yaml.Node
	if err := fresh.Encode(value); err != nil {
		return err
	}
	if at >= 0 {
		fresh.LineComment = ""
		node.Content[at+1] = &fresh
		return nil
	}
	node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key[0]}, &fresh)
	return nil
}
