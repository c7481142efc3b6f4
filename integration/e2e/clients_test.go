// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// lockedBuffer takes the output of a process while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// program builds a command of this repository.
func program(ctx context.Context, t *testing.T, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(pkg))
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}

var created = regexp.MustCompile(`event CreateAsset in block \d+: \{"id":"([^"]+)"`)

// createdIn returns the ids of the assets whose creation a listener reported, in order.
func createdIn(text string) (ids []string) {
	for _, match := range created.FindAllStringSubmatch(text, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// TestExampleApplication runs the example, and its listener through a restart of the listener's peer and of the listener.
func TestExampleApplication(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmMixed, MutualTLS: true, Orderers: 1, Peers: 1})
	binary := program(ctx, t, "../../examples/assetclient")
	for _, org := range n.Peers {
		cmd := exec.CommandContext(ctx, binary, "-profile", n.Profile(org), "-channel", n.Channel, "-checkpoints", t.TempDir())
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "DeleteAsset committed")
		require.Contains(t, string(out), "acting for "+org.MSPID)
	}

	checkpoints := t.TempDir()
	listen := func() (*exec.Cmd, *lockedBuffer) {
		out := &lockedBuffer{}
		cmd := exec.CommandContext(ctx, binary, "-profile", n.Profile(n.Peers[0]), "-channel", n.Channel, "-checkpoints", checkpoints, "-listen")
		cmd.Stdout, cmd.Stderr = out, out
		require.NoError(t, cmd.Start())
		return cmd, out
	}
	listensTo := func(out *lockedBuffer, id string) {
		require.Eventually(t, func() bool {
			ids := createdIn(out.String())
			return len(ids) > 0 && ids[len(ids)-1] == id
		}, time.Minute, 50*time.Millisecond, "%s in %s", id, out)
	}
	peers := n.Nodes(network.Peer)
	submitter := contract(t, n, peers[1])
	// Both organisations must endorse, so the listener's peer is up whenever something is submitted.
	create := func(id string) {
		require.Eventually(t, func() bool {
			if _, err := submitter.SubmitTransaction("CreateAsset", id, "blue", "1", "x", "1"); err != nil {
				t.Logf("create %s: %v", id, err)
				return false
			}
			return true
		}, time.Minute, 200*time.Millisecond)
	}
	first, out := listen()
	create("before")
	listensTo(out, "before")

	require.NoError(t, n.Kill(ctx, peers[0].Name))
	require.NoError(t, n.Start(peers[0].Name))
	require.NoError(t, n.AwaitHealthy(ctx, peers[0]))
	create("after-restart")
	listensTo(out, "after-restart")
	seen := createdIn(out.String())
	require.Equal(t, []string{"before", "after-restart"}, seen[len(seen)-2:], "each event once")

	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	create("while-away")
	second, out := listen()
	listensTo(out, "while-away")
	// The last event before the kill may come again if its checkpoint was not written any more; none before it does.
	require.NotContains(t, createdIn(out.String()), "before")
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	require.NoError(t, second.Wait(), "%s", out)
}

// TestLoadGenerator measures a small network with the generator as its users start it.
func TestLoadGenerator(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Orderers: 1, Peers: 1})
	binary := program(ctx, t, "../cmd/load")
	for _, loop := range []string{"open", "closed"} {
		before, err := n.Height(ctx, n.Nodes(network.Peer)[0])
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), loop+".json")
		cmd := exec.CommandContext(ctx, binary, "run", "-network", n.Dir, "-loop", loop, "-submitters", strconv.Itoa(16),
			"-evaluators", "4", "-warm-up", "2s", "-duration", "4s", "-out", file)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var result struct {
			Committed, Blocks, Unresolved int
			Errors                        map[string]int
			Evaluate                      struct{ Count int }
			CPUMsPerTransaction           float64
			Processes                     []struct {
				Name       string
				CPUSeconds float64
				Ended      bool
			}
		}
		require.NoError(t, json.Unmarshal(content, &result))
		require.Positive(t, result.Committed, "%s", out)
		require.Positive(t, result.Evaluate.Count)
		require.Zero(t, result.Unresolved)
		require.Empty(t, result.Errors)
		require.Positive(t, result.CPUMsPerTransaction)
		require.Len(t, result.Processes, 1+1+2+2, "the generator, an orderer, two peers and their chaincode")
		for _, p := range result.Processes {
			require.False(t, p.Ended, p.Name)
		}
		after, err := n.Height(ctx, n.Nodes(network.Peer)[0])
		require.NoError(t, err)
		require.GreaterOrEqual(t, after-before, uint64(result.Blocks))
	}
}

// TestLoadComparison has the generator bring up two topologies in turn and compare them.
func TestLoadComparison(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program(ctx, t, "../cmd/load"), "alternate", "-rounds", "1", "-dir", dir,
		"-a", "mode=tls,algorithm=ecdsa,orderers=1,orgs=1,peers=1", "-b", "mode=gm,orderers=1,orgs=1,peers=1",
		"-base-port", strconv.Itoa(freeBlock(t)), "-submitters", "16", "-warm-up", "1s", "-duration", "3s")
	cmd.Dir = root // binaries are found under build/bin
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	content, err := os.ReadFile(filepath.Join(dir, "comparison.json"))
	require.NoError(t, err)
	var comparison struct {
		Rows []struct {
			Metric string
			A, B   struct{ Median float64 }
			Ratio  float64
		}
	}
	require.NoError(t, json.Unmarshal(content, &comparison))
	require.Equal(t, "committed TPS", comparison.Rows[0].Metric)
	require.Positive(t, comparison.Rows[0].A.Median)
	require.Positive(t, comparison.Rows[0].B.Median)
	require.InDelta(t, comparison.Rows[0].B.Median/comparison.Rows[0].A.Median, comparison.Rows[0].Ratio, 1e-9)
	require.NoDirExists(t, filepath.Join(dir, "network"), "the last network was taken down")
}
