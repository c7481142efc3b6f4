// SPDX-License-Identifier: Apache-2.0

// Package e2e runs whole networks of the built binaries and checks what their users rely on. "make build
// network-tools" must have gone before; the tests with the build tag integration take minutes and run by make
// test-integration.
package e2e

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// testLimit ends any test here that hangs.
const testLimit = 5 * time.Minute

// logWriter sends progress to the test's log.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// start brings up a network for one test. It is stopped at the end of the test; its state, with the logs, stays under
// build/e2e if the test failed.
func start(t *testing.T, o network.Options) (*network.Network, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	if o.Bin == "" {
		o.Bin = filepath.Join(root, "build", "bin")
	}
	o.Dir = filepath.Join(root, "build", "e2e", strings.ReplaceAll(t.Name(), "/", "_"))
	require.NoError(t, network.Down(ctx, o.Dir, logWriter{t}), "remove what an earlier run left")
	o.BasePort = freeBlock(t)
	n, err := network.Up(ctx, o, logWriter{t})
	require.NoError(t, err)
	t.Cleanup(func() {
		clean, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Close(clean))
		if t.Failed() {
			t.Logf("logs and state are kept in %s", n.Dir)
			return
		}
		require.NoError(t, network.Down(clean, n.Dir, logWriter{t}))
	})
	return n, ctx
}

func freeBlock(t *testing.T) int {
	t.Helper()
	base, err := network.FreeBlock()
	require.NoError(t, err)
	return base
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
