// SPDX-License-Identifier: Apache-2.0

package network

import (
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func plan(t *testing.T, o Options) *Topology {
	t.Helper()
	topology, err := Plan(o)
	require.NoError(t, err)
	return topology
}

func testPlacement() placement {
	return placement{
		Root: "/net", Builder: "/builder",
		bind: func(n Node) string { return n.Host },
		data: func(n Node) string { return "/net/data/" + n.Name },
	}
}

// decode parses YAML and looks up a path of keys; a missing key fails the test.
func decode(t *testing.T, data []byte) func(path string) any {
	t.Helper()
	var root map[string]any
	require.NoError(t, yaml.Unmarshal(data, &root), "%s", data)
	return func(path string) any {
		var at any = root
		for _, key := range strings.Split(path, ".") {
			m, ok := at.(map[string]any)
			require.True(t, ok, "%s: %s is not under a mapping", path, key)
			at, ok = m[key]
			require.True(t, ok, "%s: no key %s", path, key)
		}
		return at
	}
}

func TestPlanUsesEveryPortOnce(t *testing.T) {
	topology := plan(t, Options{Orderers: maxOrderers, Orgs: maxOrgs, Peers: maxPeers, BasePort: 20000})
	owner := map[int]string{}
	count := 0
	for n := range topology.nodes() {
		count++
		for port := range n.PortNames() {
			require.NotContains(t, owner, port, "%s and %s", n.Name, owner[port])
			require.Greater(t, 65536, port)
			owner[port] = n.Name
		}
	}
	require.Equal(t, maxOrderers+maxOrgs*(maxPeers+1), count)
}

func TestOptionsThatCannotWork(t *testing.T) {
	for _, c := range []struct {
		o    Options
		says string
	}{
		{Options{Mode: "ssl"}, "MODE=ssl is not one of tls dual gm"},
		{Options{Algorithm: "rsa"}, "ALGORITHM=rsa"},
		{Options{Suite: "RC4"}, "SUITE=RC4"},
		{Options{Mode: ModeTLS, Suite: "ecc_sm4_gcm_sm3"}, "MODE=tls has no TLCP"},
		{Options{Mode: ModeGM, ClientMode: ModeTLS}, "use MODE=dual"},
		{Options{Mode: ModeTLS, ClientMode: ModeGM}, "use MODE=dual"},
		{Options{Orderers: 10}, "ORDERERS=10 is outside 1 to 9"},
		{Options{Peers: -1}, "PEERS=-1"},
		{Options{BasePort: 65500}, "BASE_PORT=65500"},
		{Options{Dir: "/srv/my network"}, `"/srv/my network" has a ' ' in it`},
		{Options{Dir: "/srv/a,b"}, "choose another place with DIR="},
		{Options{Bin: "/srv/$HOME"}, "or move the clone"},
	} {
		_, err := Plan(c.o)
		require.ErrorContains(t, err, c.says)
	}
}

func TestPathsThatNeedNoQuotes(t *testing.T) {
	for _, dir := range []string{"/srv/网络", "/home/jörg/build.d/net_1-2", "/a+b=c@d%e~"} {
		_, err := Plan(Options{Dir: dir})
		require.NoError(t, err)
	}
}

func TestAlgorithms(t *testing.T) {
	for _, c := range []struct {
		mode, algorithm string
		want            []string // "algorithm TLCP" of the ordering organisation, Org1, Org2
	}{
		{ModeTLS, AlgorithmECDSA, []string{"- -", "- -", "- -"}},
		{ModeTLS, AlgorithmMixed, []string{"gm false", "gm false", "- -"}},
		{ModeGM, AlgorithmGM, []string{"gm true", "gm true", "gm true"}},
		{ModeDual, AlgorithmECDSA, []string{"ecdsa true", "ecdsa true", "ecdsa true"}},
	} {
		topology := plan(t, Options{Mode: c.mode, Algorithm: c.algorithm})
		data, err := topology.render("crypto-config.yaml.tmpl", channelView{topology, "/net"})
		require.NoError(t, err)
		var file struct {
			OrdererOrgs, PeerOrgs []struct {
				Algorithm string `yaml:"Algorithm"`
				TLCP      *bool  `yaml:"TLCP"`
				Specs     []struct {
					Hostname string   `yaml:"Hostname"`
					SANS     []string `yaml:"SANS"`
				} `yaml:"Specs"`
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(strings.NewReplacer("OrdererOrgs:", "ordererorgs:", "PeerOrgs:", "peerorgs:").Replace(string(data))), &file))
		var got []string
		for _, o := range append(file.OrdererOrgs, file.PeerOrgs...) {
			if o.TLCP == nil {
				got = append(got, "- -")
				require.Empty(t, o.Algorithm)
			} else {
				got = append(got, fmt.Sprintf("%s %t", o.Algorithm, *o.TLCP))
			}
		}
		require.Equal(t, c.want, got, "%s %s", c.mode, c.algorithm)
		require.Len(t, file.PeerOrgs[0].Specs, 3)
		require.Equal(t, "chaincode", file.PeerOrgs[0].Specs[2].Hostname)
		require.Equal(t, []string{"localhost", "127.0.0.1"}, file.PeerOrgs[0].Specs[2].SANS)
	}
}

func TestPeerConfiguration(t *testing.T) {
	topology := plan(t, Options{Mode: ModeDual, MutualTLS: true})
	n := topology.Peers[1].Nodes[1]
	file, data, err := topology.renderNode(n, testPlacement())
	require.NoError(t, err)
	require.Equal(t, "core.yaml", file)
	at := decode(t, data)
	tls := "/net/crypto/peerOrganizations/org2.example.com/peers/peer1.org2.example.com/tls/"
	require.Equal(t, "peer1.org2.example.com", at("peer.id"))
	require.Equal(t, "127.0.0.1:7260", at("peer.address"))
	require.Equal(t, "127.0.0.1:7250", at("peer.gossip.bootstrap"))
	require.Equal(t, "", at("vm.endpoint"))
	require.Equal(t, true, at("peer.tls.clientAuthRequired"))
	require.Equal(t, tls+"gm-ca.crt", at("peer.tls.rootcert.file"))
	require.Equal(t, "gm", at("peer.tls.clientMode"))
	for _, section := range []string{"peer.tls", "operations.tls"} {
		require.Equal(t, "dual", at(section+".mode"))
		require.Equal(t, []any{tls + "ca.crt", tls + "gm-ca.crt"}, at(section+".clientRootCAs.files"))
		for leaf, name := range map[string]string{"signCert": "sign.crt", "signKey": "sign.key", "encCert": "enc.crt", "encKey": "enc.key"} {
			require.Equal(t, tls+"server-"+name, at(section+".gm."+leaf+".file"))
		}
	}
}

// TestOperators: the Admin of a node's organisation may switch its modes, over either protocol.
func TestOperators(t *testing.T) {
	n := &Network{Topology: plan(t, Options{Mode: ModeDual}), Dir: t.TempDir()}
	node := n.Nodes(Peer)[0]
	_, err := n.operators(node)
	require.ErrorContains(t, err, "certificate of the Admin of Org1")
	sums := make([]string, 2)
	for i, name := range []string{"client.crt", "client-sign.crt"} {
		block := &pem.Block{Type: "CERTIFICATE", Bytes: []byte(name)}
		require.NoError(t, n.write(path.Join(n.userCrypto(n.OrgOf(node), "Admin"), "tls", name), pem.EncodeToMemory(block)))
		sums[i] = fmt.Sprintf("%x", sha256.Sum256(block.Bytes))
	}
	operators, err := n.operators(node)
	require.NoError(t, err)
	require.Equal(t, sums, operators)
	for kind, key := range map[Kind]string{Peer: "operations.operators", Orderer: "Operations.Operators"} {
		_, data, err := n.renderNode(n.Nodes(kind)[0], testPlacement(), operators...)
		require.NoError(t, err)
		require.Equal(t, []any{sums[0], sums[1]}, decode(t, data)(key))
	}
}

func TestStockFilesCarryNoKeyOfOurs(t *testing.T) {
	topology := plan(t, Options{Mode: ModeTLS, Algorithm: AlgorithmECDSA})
	for n := range topology.nodes() {
		if n.Kind == Chaincode {
			continue
		}
		_, data, err := topology.renderNode(*n, testPlacement())
		require.NoError(t, err)
		for _, key := range []string{"Mode: ", "mode: tls", "gm", "GM", "perators"} {
			require.NotContains(t, string(data), key)
		}
	}
}

func TestGMFilesNameNothingOfTLS(t *testing.T) {
	topology := plan(t, Options{Mode: ModeGM, Suite: "ECC_SM4_CBC_SM3", MutualTLS: true})
	for _, kind := range []Kind{Orderer, Peer} {
		_, data, err := topology.renderNode(topology.Nodes(kind)[0], testPlacement())
		require.NoError(t, err)
		for _, file := range []string{"/server.crt", "/server.key", "/ca.crt"} {
			require.NotContains(t, string(data), file)
		}
	}
}

func TestComposeGivesEachNodeItsOwnFilesAlone(t *testing.T) {
	n := &Network{Topology: plan(t, Options{Docker: true}), docker: true, logSpec: "info", packages: map[string]string{"Org1": "a:1", "Org2": "a:2"}}
	data, err := n.renderCompose()
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string
			ReadOnly    bool `yaml:"read_only"`
			Volumes     []string
			Ports       []string
			Environment map[string]string
		}
		Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal(data, &file), "%s", data)
	require.Len(t, file.Services, 9)
	owner := map[string]string{}
	for name, s := range file.Services {
		require.True(t, s.ReadOnly, name)
		for _, v := range s.Volumes {
			volume, path, ok := strings.Cut(v, ":")
			require.True(t, ok && strings.HasPrefix(path, "/"), v)
			require.Contains(t, file.Volumes, volume, "%s: not a named volume", v)
			require.Empty(t, owner[volume], "%s is shared", volume)
			owner[volume] = name
		}
		for _, port := range s.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s is open to the world", port)
		}
	}
	require.Equal(t, "fabric-gm-orderer", file.Services["orderer1.example.com"].Image)
	require.Equal(t, "a:2", file.Services["chaincode.org2.example.com"].Environment["CHAINCODE_ID"])
	require.Equal(t, "0.0.0.0:7340", file.Services["chaincode.org2.example.com"].Environment["CHAINCODE_SERVER_ADDRESS"])
}

func TestOrdererConfiguration(t *testing.T) {
	for _, c := range []struct{ mode, clientMode, dials string }{
		{ModeGM, "", ModeGM}, {ModeDual, ModeTLS, ModeTLS}, {ModeDual, ModeGM, ModeGM},
	} {
		topology := plan(t, Options{Mode: c.mode, ClientMode: c.clientMode, Suite: Suites[0]})
		file, data, err := topology.renderNode(topology.Ordering.Nodes[2], testPlacement())
		require.NoError(t, err)
		require.Equal(t, "orderer.yaml", file)
		at := decode(t, data) // which refuses a key that occurs twice, as Fabric 3 does
		require.Equal(t, 7070, at("General.ListenPort"))
		require.Equal(t, c.dials, at("General.TLS.ClientMode"))
		tls := "/net/crypto/ordererOrganizations/example.com/orderers/orderer2.example.com/tls/"
		for _, section := range []string{"General.TLS", "Admin.TLS", "Operations.TLS"} {
			require.Equal(t, c.mode, at(section+".Mode"))
			require.Equal(t, []any{Suites[0]}, at(section+".GMCipherSuites"))
			require.Equal(t, tls+"server-enc.key", at(section+".GMEncPrivateKey"))
		}
		require.Equal(t, true, at("Admin.TLS.ClientAuthRequired"))
		require.Equal(t, false, at("General.TLS.ClientAuthRequired"))
	}
}

func TestChannelConfiguration(t *testing.T) {
	topology := plan(t, Options{Orgs: 3})
	data, err := topology.render("configtx.yaml.tmpl", channelView{topology, "/net"})
	require.NoError(t, err)
	at := decode(t, data)
	require.Equal(t, "500ms", at("Profiles.trade.Orderer.BatchTimeout"))
	consenters := at("Profiles.trade.Orderer.EtcdRaft.Consenters").([]any)
	require.Len(t, consenters, 3)
	require.Equal(t, "/net/crypto/ordererOrganizations/example.com/orderers/orderer1.example.com/tls/server-sign.crt",
		consenters[1].(map[string]any)["ServerTLSCert"])
	orgs := at("Profiles.trade.Application.Organizations").([]any)
	require.Len(t, orgs, 3)
	anchor := orgs[2].(map[string]any)["AnchorPeers"].([]any)
	require.Equal(t, map[string]any{"Host": "127.0.0.1", "Port": 7350}, anchor[0])
	require.Equal(t, "ANY Writers", at("Profiles.trade.Orderer.Policies.BlockValidation.Rule"))
	require.Equal(t, map[string]any{"V2_0": true, "GM_V1": true}, at("Profiles.trade.Capabilities"))

	data, err = plan(t, Options{Hash: "sm3"}).render("configtx.yaml.tmpl", channelView{plan(t, Options{Hash: "sm3"}), "/net"})
	require.NoError(t, err)
	at = decode(t, data)
	require.Equal(t, "SM3", at("Profiles.trade.HashingAlgorithm"))
	require.Equal(t, map[string]any{"V2_0": true, "GM_V1": true, "GM_V2": true}, at("Profiles.trade.Capabilities"))
}
