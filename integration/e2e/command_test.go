// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// command is the network command on a separate state directory.
type command struct {
	t   *testing.T
	ctx context.Context
	bin string
	dir string
}

func (c *command) start(args ...string) *exec.Cmd {
	return exec.CommandContext(c.ctx, filepath.Join(c.bin, "network"), append([]string{"-dir", c.dir}, args...)...)
}

func (c *command) try(args ...string) (string, error) {
	out, err := c.start(args...).CombinedOutput()
	return string(out), err
}

func (c *command) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	require.NoError(c.t, err, "network %v: %s", args, out)
	return out
}

// shell runs a script in the environment of Org1's administrator.
func (c *command) shell(script string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.ctx, "sh", "-eu", "-c", fmt.Sprintf(`eval "$(%s/network -dir %s env org1)"; %s`, c.bin, c.dir, script))
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, "%s: %s", script, out)
	return string(out)
}

// record is what the network command knows of a process that it started.
type record struct {
	PID      int
	Command  []string
	Env      []string
	Dir, Log string
}

func (c *command) record(node string) (r record, found bool) {
	data, err := os.ReadFile(filepath.Join(c.dir, "run", node+".json"))
	return r, err == nil && json.Unmarshal(data, &r) == nil
}

// TestNetworkCommand does what a developer does over a day: an interrupted start, a chaincode from a folder and its next version, everything
// stopped and started, a node restarted by the command and by hand, another organisation, another channel.
func TestNetworkCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*testLimit)
	defer cancel()
	bin, err := filepath.Abs("../../build/bin")
	require.NoError(t, err)
	c := &command{t, ctx, bin, filepath.Join(t.TempDir(), "net")}
	t.Cleanup(func() {
		out, err := exec.Command(filepath.Join(bin, "network"), "-dir", c.dir, "down").CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	up := []string{"up", "-orderers", "1", "-peers", "1", "-bin", bin, "-base-port", fmt.Sprint(freeBlock(t))}
	const orderer, peer = "orderer0.example.com", "peer0.org2.example.com"

	first := c.start(up...)
	require.NoError(t, first.Start())
	require.Eventually(t, func() bool { _, found := c.record(orderer); return found }, time.Minute, 10*time.Millisecond)
	out, err := c.try(up...)
	require.Error(t, err)
	require.Contains(t, out, "another command brings up", "two at once")
	require.NoError(t, first.Process.Signal(os.Interrupt))
	require.Error(t, first.Wait())
	require.Contains(t, c.run(up...), "clearing what an unfinished start has left")

	require.Contains(t, c.run("deploy", "ledger", "../chaincode/asset"), "version 1")
	c.shell(`peer chaincode invoke -C trade -n ledger --waitForEvent $ORDERER_FLAGS $ENDORSER_FLAGS -c '{"Args":["CreateAsset","l1","red","5","Lin","1"]}'`)
	c.run("stop")
	out, err = c.try("status")
	require.Error(t, err)
	require.Contains(t, out, "not running: ")
	out, err = c.try(up...)
	require.Error(t, err, "a network that was up is not cleared")
	require.Contains(t, out, "start it again with")
	require.Contains(t, c.run("start"), "started 7 nodes")
	const query = `peer chaincode query -C trade -n ledger -c '{"Args":["ReadAsset","l1"]}'`
	require.Contains(t, c.shell(query), `"owner":"Lin"`)

	before, _ := c.record(peer)
	c.run("restart", peer)
	after, _ := c.record(peer)
	require.NotEqual(t, before.PID, after.PID)
	requireByHand(t, c, peer)

	require.Contains(t, c.run("add-org"), "Org3 joined")
	require.Contains(t, c.run("deploy", "ledger", "../chaincode/asset"), "version 2")
	require.Contains(t, c.shell(query), `"owner":"Lin"`)
	c.run("add-channel", "second")
	require.Contains(t, c.shell("peer channel list"), "second")
	require.Contains(t, c.run("status"), "peer0.org3.example.com")
}

// requireByHand: a node that somebody starts without the command is one that runs.
func requireByHand(t *testing.T, c *command, node string) {
	t.Helper()
	r, found := c.record(node)
	require.True(t, found)
	require.NoError(t, syscall.Kill(r.PID, syscall.SIGKILL))
	out, err := c.try("status")
	require.Error(t, err)
	require.Contains(t, out, "not running: "+node)
	mine := exec.CommandContext(c.ctx, r.Command[0], r.Command[1:]...)
	mine.Env, mine.Dir = r.Env, r.Dir
	require.NoError(t, mine.Start())
	require.Eventually(t, func() bool {
		out, err = c.try("status")
		return err == nil
	}, time.Minute, 200*time.Millisecond, "status: %s", out)
	require.Regexp(t, strings.ReplaceAll(node, ".", `\.`)+`.* [0-9]+ +runs, started by hand`, out, "with its height")
	out, err = c.try("restart", node)
	require.Error(t, err)
	require.Contains(t, out, "was not started by this")
	require.NoError(t, mine.Process.Signal(syscall.SIGTERM))
	_ = mine.Wait()
	require.Contains(t, c.run("start"), "started 1 nodes")
}
