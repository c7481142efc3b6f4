// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/integration/network"
)

// switchModes tells a running orderer or peer to listen or dial by another protocol, through its operations service. An empty
// mode leaves that side as it is.
func switchModes(ctx context.Context, n *network.Network, node network.Node, server, client string) error {
	body, err := json.Marshal(tlsstatus.Change{ServerMode: tlsstatus.ServerMode(server), ClientMode: tlsstatus.ClientMode(client)})
	if err != nil {
		return err
	}
	_, err = n.Operations(ctx, node, http.MethodPut, tlsstatus.Path, body)
	return err
}

// adoptModes makes modes to which all nodes have been switched those of the network.
func adoptModes(t *testing.T, n *network.Network, server, client string) {
	t.Helper()
	n.Mode, n.ClientMode = server, client
	require.NoError(t, n.WriteConfiguration())
}

// addPairs gives the nodes and users of a network in mode tls their TLCP pairs and the root of these, and writes
// configurations in mode dual, dialing tls. Nodes read them when they start again.
func addPairs(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	n.Mode = network.ModeDual
	require.NoError(t, n.Cryptogen(ctx, "extend", n.Topology, "crypto"))
	for _, node := range append(n.Nodes(network.Orderer), n.Nodes(network.Peer)...) {
		var roots []byte
		for _, file := range []string{"ca.crt", "gm-ca.crt"} {
			root, err := os.ReadFile(filepath.Join(n.NodeFolder(node), "tls", file))
			require.NoError(t, err)
			roots = append(roots, root...)
		}
		replace(t, filepath.Join(n.NodeFolder(node), "tls", "ca.crt"), roots)
	}
	adoptModes(t, n, network.ModeDual, network.ModeTLS)
}

// replace writes a new file: cryptogen makes some of them links to one another, or read-only.
func replace(t *testing.T, file string, data []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file+".new", data, 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}
