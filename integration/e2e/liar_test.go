// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// buildLiar builds the orderer over 3.1.1 with testdata/liar.go in it, and returns a folder with this and the other binaries.
func buildLiar(t *testing.T) string {
	t.Helper()
	const name = "orderer/consensus/smartbft/egress.go"
	tree, err := filepath.Abs("../../build/fabric-3.1.1")
	require.NoError(t, err)
	liar, err := filepath.Abs("testdata/liar.go")
	require.NoError(t, err)
	bin := fabric3(t)
	honest, err := os.ReadFile(filepath.Join(tree, name))
	require.NoError(t, err, "make build UPSTREAM=3.1.1 must have gone before")
	method := []byte("func (e *Egress) SendConsensus(")
	require.Equal(t, 1, bytes.Count(honest, method))

	dir := t.TempDir()
	renamed := filepath.Join(dir, "egress.go")
	require.NoError(t, os.WriteFile(renamed, bytes.Replace(honest, method, []byte("func (e *Egress) honestSendConsensus("), 1), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(tree, name): renamed, filepath.Join(tree, filepath.Dir(name), "liar.go"): liar,
	}})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))

	entries, err := os.ReadDir(bin)
	require.NoError(t, err)
	out := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(out, 0o700))
	for _, e := range entries {
		if e.Name() != "orderer" {
			require.NoError(t, os.Symlink(filepath.Join(bin, e.Name()), filepath.Join(out, e.Name())))
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-overlay", file, "-o", filepath.Join(out, "orderer"), "./cmd/orderer")
	build.Dir, build.Env = tree, append(os.Environ(), "CGO_ENABLED=0")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// TestBFTLiar lets the leader propose two valid blocks of one number to different consenters while clients write. Neither is
// ordered, the others change the leader and continue, and all ledgers are the same.
func TestBFTLiar(t *testing.T) {
	n, ctx := start(t, network.Options{Consensus: network.ConsensusBFT, Peers: 1, Bin: buildLiar(t)})
	l := startLoad(ctx, t, n, n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0])
	l.awaitMore(5, "before the lie")
	liar, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	lie := filepath.Join(n.Dir, "data", liar.Name, "lie")
	require.NoError(t, os.WriteFile(lie, nil, 0o600))
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(n.LogFile(liar.Name))
		return err == nil && bytes.Contains(text, []byte("lies to consenter"))
	}, time.Minute, 100*time.Millisecond, "the leader did not lie")
	l.awaitMore(5, "although "+liar.Name+" lies")
	l.finish(ctx)
	next, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	require.NotEqual(t, liar.Name, next.Name, "the leader did not change")
	require.NoError(t, os.Remove(lie))
	requireSameChain(ctx, t, n)
	requireSameOrdererHeight(ctx, t, n)
}
