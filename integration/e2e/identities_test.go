// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// gmIdentities is the folder with the SM2 identities that are to replace those of ECDSA organisations, laid out as crypto.
const gmIdentities = "gm-identities"

// issueIdentities makes an SM2 CA for every organisation and SM2 identities of the same names for all its nodes and users.
func issueIdentities(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	topology := *n.Topology
	topology.Mode, topology.ClientMode = network.ModeTLS, network.ModeTLS // the pairs are there already
	topology.Ordering.Algorithm = network.AlgorithmGM
	topology.Peers = slices.Clone(topology.Peers)
	for i := range topology.Peers {
		topology.Peers[i].Algorithm = network.AlgorithmGM
	}
	require.NoError(t, n.Cryptogen(ctx, "generate", &topology, gmIdentities))
}

// organisationFolder has all that belongs to an organisation.
func organisationFolder(n *network.Network, org network.Org) string {
	return filepath.Join(n.UserFolder(org, "Admin"), "..", "..")
}

// trustIdentities adds the SM2 CA to the local MSPs of a node and of its organisation's users.
func trustIdentities(t *testing.T, n *network.Network, node network.Node) {
	t.Helper()
	org := n.OrgOf(node)
	trustCA(t, n, n.NodeFolder(node))
	trustCA(t, n, n.UserFolder(org, "Admin"))
	if org.Name != n.Ordering.Name {
		trustCA(t, n, n.UserFolder(org, "User1"))
	}
}

// trustInChannel adds the SM2 CA to an organisation's MSP in the channel.
func trustInChannel(ctx context.Context, t *testing.T, n *network.Network, org network.Org) {
	t.Helper()
	dir := organisationFolder(n, org)
	trustCA(t, n, dir)
	require.NoError(t, n.Change(ctx, "trust-"+org.Name, []network.Org{org}, "set-msp", "--msp-id", org.MSPID, "--msp", filepath.Join(dir, "msp")))
}

// oneCA is the line of config.yaml that binds a node OU to one CA.
var oneCA = regexp.MustCompile(`(?m)^ *Certificate: .*\n`)

// trustCA adds the SM2 CA to the MSP in a folder, as docs/migration.md tells: afterwards any of its roots certifies node OUs.
func trustCA(t *testing.T, n *network.Network, dir string) {
	t.Helper()
	copyIdentity(t, n, dir, "cacerts", "gm-")
	file := filepath.Join(dir, "msp", "config.yaml")
	config, err := os.ReadFile(file)
	require.NoError(t, err)
	replace(t, file, oneCA.ReplaceAll(config, nil))
}

// adoptIdentity puts a node's SM2 identity, or that of a user if user is not empty, in the place of the ECDSA one.
func adoptIdentity(t *testing.T, n *network.Network, node network.Node, user string) {
	t.Helper()
	dir := n.NodeFolder(node)
	if user != "" {
		dir = n.UserFolder(n.OrgOf(node), user)
	}
	for _, part := range []string{"signcerts", "keystore"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "msp", part)))
		copyIdentity(t, n, dir, part, "")
	}
}

// copyIdentity copies a part of the SM2 MSP to the MSP in a folder, with a prefix to the files' names.
func copyIdentity(t *testing.T, n *network.Network, dir, part, prefix string) {
	t.Helper()
	inCrypto, err := filepath.Rel(filepath.Join(n.Dir, "crypto"), dir)
	require.NoError(t, err)
	from := filepath.Join(n.Dir, gmIdentities, inCrypto, "msp", part)
	files, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(from, file.Name()))
		require.NoError(t, err)
		replace(t, filepath.Join(dir, "msp", part, prefix+file.Name()), data)
	}
}
