// SPDX-License-Identifier: Apache-2.0

package networktest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// Peer runs the peer command as the Admin of a peer's organisation, for as long as ctx allows, and returns what it prints.
func Peer(ctx context.Context, t *testing.T, n *network.Network, peer network.Node, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, filepath.Join(n.Bin, "peer"), args...)
	cmd.Env = os.Environ()
	for _, v := range n.PeerEnv(n.OrgOf(peer), peer, "Admin") {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "peer %s: %s", strings.Join(args, " "), stderr.String())
	return string(out)
}

// Deploy installs a package on a peer and makes it the channel's chaincode of that name. The network has one organisation with
// one peer. It returns the package id.
func Deploy(ctx context.Context, t *testing.T, n *network.Network, name, file string, sequence int) string {
	t.Helper()
	peer := n.Nodes(network.Peer)[0]
	id := strings.TrimSpace(Peer(ctx, t, n, peer, "lifecycle", "chaincode", "calculatepackageid", file))
	Peer(ctx, t, n, peer, "lifecycle", "chaincode", "install", file)
	flags := append([]string{"--channelID", n.Channel, "--name", name, "--version", fmt.Sprint(sequence), "--sequence", strconv.Itoa(sequence)},
		n.OrdererFlags(n.Nodes(network.Orderer)[0], n.OrgOf(peer), "Admin")...)
	Peer(ctx, t, n, peer, append([]string{"lifecycle", "chaincode", "approveformyorg", "--package-id", id}, flags...)...)
	Peer(ctx, t, n, peer, append([]string{"lifecycle", "chaincode", "commit"}, flags...)...)
	return id
}
