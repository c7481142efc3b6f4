// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"bufio"
	"context"
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

// attemptLimit ends a start that hangs, or that does not follow a signal.
const attemptLimit = 2 * time.Minute

// interruption ends a start by a signal, some time after it has said something; at once if it is to say nothing.
type interruption struct {
	after string
	wait  time.Duration
	sig   syscall.Signal
}

// TestInterruptedAnywhere: a start that is interrupted or killed, wherever it is, leaves something that the next one clears by itself, and
// no process that nobody stops.
func TestInterruptedAnywhere(t *testing.T) {
	t.Run("processes", func(t *testing.T) {
		var all []interruption
		for _, wait := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024} {
			all = append(all, interruption{wait: wait * time.Millisecond, sig: syscall.SIGKILL})
		}
		for _, stage := range []string{
			"certificates for", "started 1 orderers", "first block of channel", "orderers joined", "leader of the orderers",
			"peers joined", "chaincode installed", "chaincode approved", "chaincode committed",
		} {
			all = append(all, interruption{after: stage, sig: syscall.SIGINT}, interruption{after: stage, sig: syscall.SIGKILL})
		}
		// Between certificates and the next line the nodes are started, one after the other.
		for _, wait := range []time.Duration{5, 10, 20, 40} {
			all = append(all, interruption{after: "certificates for", wait: wait * time.Millisecond, sig: syscall.SIGKILL})
		}
		interruptAll(t, all)
	})
	t.Run("containers", func(t *testing.T) {
		if out, err := exec.Command("docker", "version").CombinedOutput(); err != nil {
			t.Skipf("no Docker engine answers: %v\n%s", err, out)
		}
		var all []interruption
		for _, stage := range []string{"first block of channel", "a volume with certificates", "started 3 containers"} {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
				all = append(all, interruption{after: stage, sig: sig}, interruption{after: stage, wait: 300 * time.Millisecond, sig: sig})
			}
		}
		interruptAll(t, all, "-docker", "-orgs", "1")
	})
}

func interruptAll(t *testing.T, all []interruption, flags ...string) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*testLimit)
	defer cancel()
	bin, err := filepath.Abs("../../build/bin")
	require.NoError(t, err)
	c := &command{t, ctx, bin, filepath.Join(t.TempDir(), "net")}
	t.Cleanup(func() {
		out, err := exec.Command(filepath.Join(bin, "network"), "-dir", c.dir, "down").CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, processesIn(t, c.dir), "after down")
	})
	up := append([]string{"up", "-orderers", "1", "-peers", "1", "-bin", bin, "-base-port", fmt.Sprint(freeBlock(t))}, flags...)
	stateThere := false
	for _, i := range all {
		began := time.Now()
		said := c.interrupt(i, up...)
		t.Logf("%v %v after %q: %.1f s", i.sig, i.wait, i.after, time.Since(began).Seconds())
		if stateThere {
			require.Contains(t, said, "clearing what an unfinished start has left")
		}
		if i.sig == syscall.SIGINT {
			require.Empty(t, processesIn(t, c.dir), "after an interruption")
		}
		stateThere = i.after != ""
	}
	require.Contains(t, c.run(up...), "first transaction committed")
}

// interrupt runs the network command and ends it by a signal, and returns what it printed.
func (c *command) interrupt(i interruption, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, attemptLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "network"), append([]string{"-dir", c.dir}, args...)...)
	var out strings.Builder
	stdout, err := cmd.StdoutPipe()
	require.NoError(c.t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(c.t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	reached := i.after == ""
	for !reached && lines.Scan() {
		fmt.Fprintln(&out, lines.Text())
		reached = strings.Contains(lines.Text(), i.after)
	}
	require.True(c.t, reached, "it ended before %q:\n%s", i.after, &out)
	time.Sleep(i.wait)
	require.NoError(c.t, cmd.Process.Signal(i.sig))
	for lines.Scan() {
		fmt.Fprintln(&out, lines.Text())
	}
	require.Error(c.t, cmd.Wait(), "%v came too late:\n%s", i.sig, &out)
	require.NoError(c.t, ctx.Err(), "it does not end:\n%s", &out)
	return out.String()
}

// processesIn are those that work in a folder or below it.
func processesIn(t *testing.T, dir string) (all []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir+"/") || cwd == dir {
			all = append(all, link+" "+cwd)
		}
	}
	return all
}
