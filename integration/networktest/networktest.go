// SPDX-License-Identifier: Apache-2.0

// Package networktest starts networks for tests. Run "make build network-tools" first. [Start] starts one and stops it when the test ends.
package networktest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// Limit ends any test here that hangs.
const Limit = 5 * time.Minute

// Log sends progress to a test's log.
type Log struct{ T *testing.T }

func (w Log) Write(p []byte) (int, error) {
	w.T.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// Bin is the folder of the binaries under test: what the variable NETWORK_BIN names, else build/bin.
func Bin(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("NETWORK_BIN"); bin != "" {
		return bin
	}
	bin, err := filepath.Abs("../../build/bin")
	require.NoError(t, err)
	return bin
}

// Start brings up a network for one test of a package two folders below the repository's root. Binaries come from build/bin
// unless o, or the variable NETWORK_BIN, names others. With NETWORK_CONSENSUS=bft a network whose test leaves the consensus open is one of
// SmartBFT, with the fewest orderers that it has. The network is stopped at the end of the test; its state, with the logs, stays under
// build/FOLDER/TEST if the test failed, where FOLDER is that of the test's package.
func Start(t *testing.T, o network.Options) (*network.Network, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	t.Cleanup(cancel)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	if o.Bin == "" {
		o.Bin = Bin(t)
	}
	if o.Consensus == "" {
		if o.Consensus = os.Getenv("NETWORK_CONSENSUS"); o.Consensus == network.ConsensusBFT {
			o.Orderers = 0
		}
	}
	o.Dir = filepath.Join(root, "build", filepath.Base(here), strings.ReplaceAll(t.Name(), "/", "_"))
	require.NoError(t, network.Down(ctx, o.Dir, Log{t}), "remove what an earlier run left")
	o.BasePort = FreeBlock(t)
	n, err := network.Up(ctx, o, Log{t})
	require.NoError(t, err)
	t.Cleanup(func() {
		clean, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Close(clean))
		if t.Failed() {
			t.Logf("logs and state are kept in %s", n.Dir)
			return
		}
		require.NoError(t, network.Down(clean, n.Dir, Log{t}))
	})
	return n, ctx
}

// FreeBlock is a base port for a network.
func FreeBlock(t *testing.T) int {
	t.Helper()
	base, err := network.FreeBlock()
	require.NoError(t, err)
	return base
}
