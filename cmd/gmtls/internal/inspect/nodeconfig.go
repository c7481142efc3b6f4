// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
)

// pair names the keys of a certificate and its key; of a TLCP pair with a second half.
type pair struct{ cert, key, encCert, encKey string }

func (p pair) gm() bool { return p.encCert != "" }

// section is a part of the configuration that has its own certificates and keys.
type section struct {
	enabled  string
	mode     string
	address  string // of the listener
	pairs    []pair
	roots    []string // keys of one file, or of a list of files
	password string   // of the TLCP keys
	lists    string   // key of files of revocation lists

	protocols []string // keys of the GM protocols of listeners and of dialers

	clientRoots string // key of roots that are read if clientAuth is true, or always without one
	clientAuth  string
}

// nodeKind says where a kind of node has its files.
type nodeKind struct {
	name, file, env, msp, bccsp string
	chaincode                   string // where installed chaincode lies
	sections                    []section
}

var nodeKinds = []nodeKind{
	{
		name: "a peer", file: "core.yaml", env: "CORE_", msp: "peer.mspConfigPath", bccsp: "peer.BCCSP", chaincode: "peer.fileSystemPath",
		sections: []section{
			{
				enabled: "peer.tls.enabled", mode: "peer.tls.mode", address: "peer.listenAddress",
				pairs: []pair{
					{cert: "peer.tls.cert.file", key: "peer.tls.key.file"}, {cert: "peer.tls.clientCert.file", key: "peer.tls.clientKey.file"},
					{"peer.tls.gm.signCert.file", "peer.tls.gm.signKey.file", "peer.tls.gm.encCert.file", "peer.tls.gm.encKey.file"},
					{"peer.tls.gm.clientSignCert.file", "peer.tls.gm.clientSignKey.file", "peer.tls.gm.clientEncCert.file", "peer.tls.gm.clientEncKey.file"},
				},
				roots: []string{"peer.tls.rootcert.file"}, password: "peer.tls.gm.keyPassword.file",
				protocols:   []string{"peer.tls.gm.protocols", "peer.tls.gm.clientProtocol"},
				clientRoots: "peer.tls.clientRootCAs.files", lists: "peer.tls.revocationLists.files", clientAuth: "peer.tls.clientAuthRequired",
			},
			{
				enabled: "operations.tls.enabled", mode: "operations.tls.mode", address: "operations.listenAddress",
				pairs: []pair{
					{cert: "operations.tls.cert.file", key: "operations.tls.key.file"},
					{"operations.tls.gm.signCert.file", "operations.tls.gm.signKey.file", "operations.tls.gm.encCert.file", "operations.tls.gm.encKey.file"},
				},
				clientRoots: "operations.tls.clientRootCAs.files", password: "operations.tls.gm.keyPassword.file",
				lists: "operations.tls.revocationLists.files", protocols: []string{"operations.tls.gm.protocols"},
			},
		},
	},
	{
		name: "an orderer", file: "orderer.yaml", env: "ORDERER_", msp: "General.LocalMSPDir", bccsp: "General.BCCSP",
		sections: []section{
			{
				enabled: "General.TLS.Enabled", mode: "General.TLS.Mode", address: "General.ListenAddress",
				pairs: []pair{
					{cert: "General.TLS.Certificate", key: "General.TLS.PrivateKey"},
					{cert: "General.Cluster.ClientCertificate", key: "General.Cluster.ClientPrivateKey"},
					{cert: "General.Cluster.ServerCertificate", key: "General.Cluster.ServerPrivateKey"},
					{"General.TLS.GMSignCertificate", "General.TLS.GMSignPrivateKey", "General.TLS.GMEncCertificate", "General.TLS.GMEncPrivateKey"},
					{"General.Cluster.GMClientSignCertificate", "General.Cluster.GMClientSignPrivateKey", "General.Cluster.GMClientEncCertificate", "General.Cluster.GMClientEncPrivateKey"},
					{"General.Cluster.GMServerSignCertificate", "General.Cluster.GMServerSignPrivateKey", "General.Cluster.GMServerEncCertificate", "General.Cluster.GMServerEncPrivateKey"},
				},
				roots: []string{"General.TLS.RootCAs", "General.Cluster.RootCAs"}, password: "General.TLS.GMKeyPasswordFile",
				protocols:   []string{"General.TLS.GMProtocols", "General.TLS.GMClientProtocol"},
				clientRoots: "General.TLS.ClientRootCAs", lists: "General.TLS.RevocationLists", clientAuth: "General.TLS.ClientAuthRequired",
			},
			ordererHTTP("Operations"), ordererHTTP("Admin"),
		},
	},
}

func ordererHTTP(server string) section {
	name := server + ".TLS"
	return section{
		enabled: name + ".Enabled", mode: name + ".Mode", address: server + ".ListenAddress",
		pairs: []pair{
			{cert: name + ".Certificate", key: name + ".PrivateKey"},
			{name + ".GMSignCertificate", name + ".GMSignPrivateKey", name + ".GMEncCertificate", name + ".GMEncPrivateKey"},
		},
		roots: []string{name + ".RootCAs"}, password: name + ".GMKeyPasswordFile", clientRoots: name + ".ClientRootCAs",
		lists: name + ".RevocationLists", protocols: []string{name + ".GMProtocols"},
	}
}

// nodeConfig is the configuration of a node, with the environment over it.
type nodeConfig struct {
	dir, file string
	kind      nodeKind
	values    map[string]any
	twice     []repeated
}

// repeated is a key that is twice in the file, in upper or lower case.
type repeated struct {
	key           string
	first, second int // lines
}

func (k repeated) String() string {
	return fmt.Sprintf("%s is in line %d and in line %d", k.key, k.first, k.second)
}

func readNode(dir string, kind nodeKind) (*nodeConfig, error) {
	c := &nodeConfig{dir: dir, file: filepath.Join(dir, kind.file), kind: kind}
	var document yaml.Node
	if err := material.ReadYAML(c.file, &document); err != nil {
		return nil, err
	}
	c.lastOnly(&document, "", 0)
	if err := document.Decode(&c.values); err != nil {
		return nil, fmt.Errorf("%s: %w", c.file, err)
	}
	var err error
	c.dir, err = filepath.Abs(dir)
	return c, err
}

// Words without quotes that nodes read as switches, by YAML 1.1, and that gmtls otherwise would not.
var (
	wordsOn  = []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
	wordsOff = []string{"n", "N", "no", "No", "NO", "off", "Off", "OFF"}
)

// lastOnly notes the keys that are there twice, and keeps the last of each, which nodes over Fabric 2.5 use.
func (c *nodeConfig) lastOnly(node *yaml.Node, path string, depth int) {
	if depth > maxDepth {
		return
	}
	if on := slices.Contains(wordsOn, node.Value); node.Kind == yaml.ScalarNode && node.Style == 0 && node.Tag == "!!str" && (on || slices.Contains(wordsOff, node.Value)) {
		node.Tag, node.Value = "!!bool", strconv.FormatBool(on)
	}
	if node.Kind != yaml.MappingNode {
		for _, inner := range node.Content {
			c.lastOnly(inner, path, depth+1)
		}
		return
	}
	var kept []*yaml.Node // names and values in turns
	at := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		key := strings.TrimPrefix(path+"."+name.Value, ".")
		c.lastOnly(value, key, depth+1)
		before, twice := at[strings.ToLower(name.Value)]
		if !twice {
			at[strings.ToLower(name.Value)] = len(kept)
			kept = append(kept, name, value)
			continue
		}
		c.twice = append(c.twice, repeated{key, kept[before].Line, name.Line})
		kept[before], kept[before+1] = name, value
	}
	node.Content = kept
}

// at names a key with its file: several nodes may be checked at once.
func (c *nodeConfig) at(key string) string { return c.file + ": " + key }

// value finds a key; names are compared without their case, as nodes do.
func (c *nodeConfig) value(key string) any {
	if text, ok := os.LookupEnv(c.kind.env + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))); ok && text != "" {
		return text
	}
	var value any = c.values
next:
	for _, name := range strings.Split(key, ".") {
		members, _ := value.(map[string]any)
		for member, inner := range members {
			if strings.EqualFold(member, name) {
				value = inner
				continue next
			}
		}
		return nil
	}
	return value
}

func (c *nodeConfig) text(key string) string {
	if value := c.value(key); value != nil {
		return fmt.Sprint(value)
	}
	return ""
}

// isOn reads a switch as nodes do. What is neither on nor off is an error, as nodes refuse it or take it for off.
func (c *nodeConfig) isOn(key string) (bool, error) {
	text := c.text(key)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("it is %q: write true or false", text)
	}
	return on, nil
}

// path resolves a file as the node does: against the folder of the configuration, but what the orderer's HTTP servers and its cluster's
// listener name against the folder in which it is started.
func (c *nodeConfig) path(key string) string { return c.resolve(key, c.text(key)) }

func (c *nodeConfig) resolve(key, name string) string {
	asItStands := strings.HasPrefix(key, "Operations.") || strings.HasPrefix(key, "Admin.") || strings.HasPrefix(key, "General.Cluster.GMServer") ||
		strings.HasPrefix(key, "General.Cluster.Server")
	if name == "" || filepath.IsAbs(name) || asItStands {
		return name
	}
	return filepath.Join(c.dir, name)
}

// paths are the files of a key that names one or a list.
func (c *nodeConfig) paths(key string) []string {
	names := c.words(key)
	for i := range names {
		names[i] = c.resolve(key, names[i])
	}
	return names
}

// words are the values of a key that has one or a list.
func (c *nodeConfig) words(key string) (names []string) {
	switch value := c.value(key).(type) {
	case []any:
		for _, name := range value {
			names = append(names, fmt.Sprint(name))
		}
	case string:
		names = strings.FieldsFunc(strings.Trim(value, "[]"), func(r rune) bool { return r == ',' || r == ' ' })
	}
	return names
}
