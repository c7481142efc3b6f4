// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/hyperledger/fabric/integration/network"
)

// writeInventory writes the file by which gmtls migrate and gmtls assess reach the nodes, as each organisation's Admin. Roots are named
// once there are any.
func writeInventory(t *testing.T, n *network.Network, file string) {
	t.Helper()
	organizations := map[string]any{}
	for _, org := range append([]network.Org{n.Ordering}, n.Peers...) {
		nodes := map[string]any{}
		for _, node := range org.Nodes {
			if node.Kind == network.Chaincode {
				continue
			}
			entry := map[string]string{"operations": operationsOf(node), "address": node.Address()}
			if n.Mode != network.ModeTLS {
				entry["signCert"] = filepath.Join(n.NodeFolder(node), "tls", "server-sign.crt")
			}
			nodes[node.Name] = entry
		}
		o := map[string]any{"client": operatorOf(n, org), "nodes": nodes}
		if n.Mode != network.ModeTLS {
			o["gmTLSRoots"] = []string{filepath.Join(n.NodeFolder(org.Nodes[0]), "tls", "gm-ca.crt")}
		}
		inCrypto, err := filepath.Rel(filepath.Join(n.Dir, "crypto"), organisationFolder(n, org))
		require.NoError(t, err)
		if ca, err := filepath.Glob(filepath.Join(n.Dir, gmIdentities, inCrypto, "ca", "*.pem")); err == nil && len(ca) == 1 {
			o["gmIdentityRoots"] = ca
		}
		organizations[org.MSPID] = o
	}
	writeYAML(t, file, map[string]any{"organizations": organizations})
}

// operationsOf is the address of a node's operations service.
func operationsOf(node network.Node) string {
	return net.JoinHostPort(node.Host, strconv.Itoa(node.Operations))
}

// operatorOf is the Admin of an organisation as a client of its nodes, by the protocol that the network dials.
func operatorOf(n *network.Network, org network.Org) map[string]any {
	admin, root := filepath.Join(n.UserFolder(org, "Admin"), "tls"), filepath.Join(n.NodeFolder(org.Nodes[0]), "tls")
	if n.ClientMode == network.ModeTLS {
		return map[string]any{"protocol": "tls", "ca": []string{filepath.Join(root, "ca.crt")},
			"cert": filepath.Join(admin, "client.crt"), "key": filepath.Join(admin, "client.key")}
	}
	protocol := "tlcp"
	if n.GMProtocol == network.GMProtocolTLS13 {
		protocol = "tls13-gm"
	}
	return map[string]any{"protocol": protocol, "ca": []string{filepath.Join(root, "gm-ca.crt")},
		"signCert": filepath.Join(admin, "client-sign.crt"), "signKey": filepath.Join(admin, "client-sign.key"),
		"encCert": filepath.Join(admin, "client-enc.crt"), "encKey": filepath.Join(admin, "client-enc.key")}
}

// writeRenewalPlan writes the file by which gmtls renew renews nodes of a network in mode gm with authorities: how each is reached, and
// which home folders of fabric-ca-client hold its certificates. restart is a command to which the node's name is added.
func writeRenewalPlan(t *testing.T, n *network.Network, file string, within time.Duration, restart []string, nodes ...network.Node) {
	t.Helper()
	var list []map[string]any
	for _, node := range nodes {
		org, dir := n.OrgOf(node), n.NodeFolder(node)
		flags := func(authority string) []string {
			return []string{"-u", fmt.Sprintf("https://127.0.0.1:%d", org.CAPort), "--caname", authority,
				"--tls.certfiles", caCertificate(n, org), "--tls.mode", network.ModeGM}
		}
		list = append(list, map[string]any{
			"name": node.Name, "operations": operationsOf(node), "client": operatorOf(n, org),
			"identity": map[string]any{"home": dir, "flags": flags("ca")},
			"pair": map[string]any{"home": filepath.Join(dir, "tlcp"), "dir": filepath.Join(dir, "tls"),
				"flags": flags("tlcpca"), "keepKeys": node.Kind == network.Orderer},
			"restart": append(slices.Clone(restart), node.Name),
		})
	}
	client, err := filepath.Abs(filepath.Join(authorities, "fabric-ca-client"))
	require.NoError(t, err)
	writeYAML(t, file, map[string]any{"client": client, "within": within.String(), "nodes": list})
}

func writeYAML(t *testing.T, file string, value any) {
	t.Helper()
	data, err := yaml.Marshal(value)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data, 0o600))
}
