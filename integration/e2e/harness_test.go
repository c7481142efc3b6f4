// SPDX-License-Identifier: Apache-2.0

// Package e2e runs whole networks of the built binaries and checks what their users rely on. "make build
// network-tools" must have gone before; the tests with the build tag integration take minutes and run by make
// test-integration.
package e2e

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// testLimit ends any test here that hangs.
const testLimit = networktest.Limit

func start(t *testing.T, o network.Options) (*network.Network, context.Context) {
	t.Helper()
	return networktest.Start(t, o)
}

func freeBlock(t *testing.T) int {
	t.Helper()
	return networktest.FreeBlock(t)
}

// asset is the chaincode's answer.
type asset struct {
	ID       string `json:"id"`
	Color    string `json:"color"`
	Size     int    `json:"size"`
	Owner    string `json:"owner"`
	OwnerMSP string `json:"ownerMSP"`
	Value    int    `json:"value"`
}

// contract opens the asset chaincode at one peer for the length of the test.
func contract(t *testing.T, n *network.Network, peer network.Node, options ...client.ConnectOption) *client.Contract {
	t.Helper()
	connection, err := n.Gateway(peer, options...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return n.Contract(connection)
}

func submit(ctx context.Context, t *testing.T, c *client.Contract, name string, args ...string) []byte {
	t.Helper()
	out, err := c.SubmitWithContext(ctx, name, client.WithArguments(args...))
	require.NoError(t, err, "%s %v", name, args)
	return out
}

func read(ctx context.Context, t *testing.T, c *client.Contract, id string) asset {
	t.Helper()
	out, err := c.EvaluateWithContext(ctx, "ReadAsset", client.WithArguments(id))
	require.NoError(t, err)
	var a asset
	require.NoError(t, json.Unmarshal(out, &a), "%s", out)
	return a
}

// requireSameChain waits for all peers to be at one height and compares their last blocks.
func requireSameChain(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	info, err := n.AwaitSameBlocks(ctx)
	require.NoError(t, err)
	t.Logf("all peers at height %d, last block %s", info.Height, info.CurrentHash)
}
