// SPDX-License-Identifier: Apache-2.0

//go:build integration && linux

package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
	"github.com/hyperledger/fabric/integration/networktest"
)

// TestFaultsOfMachines breaks, under load, what only namespaces let a test break: the network between the nodes and a disk.
func TestFaultsOfMachines(t *testing.T) {
	if !networktest.InNamespaces(t, 2*testLimit) {
		return
	}
	n, ctx := start(t, network.Options{Mode: network.ModeGM, Algorithm: network.AlgorithmGM, Isolated: true})
	org1, org2 := n.Peers[0], n.Peers[1]
	clients := []network.Node{org1.PeersOf()[0], org2.PeersOf()[0]}
	victim := org2.PeersOf()[1]
	disk := giveSmallDisk(ctx, t, n, victim)

	t.Run("a full disk", func(t *testing.T) {
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the disk is full")
		fill(t, disk)
		require.Eventually(t, func() bool { return n.PID(victim.Name) == 0 }, recoveryLimit, 50*time.Millisecond, "%s runs on with a full disk", victim.Name)
		err := n.WriteStatus(ctx, io.Discard)
		require.ErrorContains(t, err, "not running: "+victim.Name+"\n")
		require.ErrorContains(t, err, "no space left on device", "what the peer says for an operator")
		l.awaitMore(5, "without "+victim.Name)
		require.NoError(t, os.Remove(filepath.Join(disk, ballast)))
		require.NoError(t, n.Start(victim.Name))
		require.NoError(t, n.AwaitHealthy(ctx, victim))
		l.awaitMore(5, "with room on the disk again")
		l.finish(ctx)
	})

	t.Run("the leader cut off, both ways", func(t *testing.T) {
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(5, "before the fault")
		old, err := n.AwaitLeader(ctx)
		require.NoError(t, err)
		require.NoError(t, n.Disconnect(ctx, old))
		defer func() { require.NoError(t, n.Reconnect(ctx, old)) }() // for the next test, whatever comes
		l.awaitMoreWithin(silenceLimit, 60, "without "+old.Name)     // so many that TCP has given its connections up by then
		now, err := n.AwaitLeader(ctx)                               // among those that can be asked
		require.NoError(t, err)
		require.NotEqual(t, old.Name, now.Name)
		require.NoError(t, n.Reconnect(ctx, old))
		l.awaitMore(5, "with it again")
		l.finish(ctx)
		requireSameOrdererHeight(ctx, t, n)
	})

	t.Run("2 % of all packets lost", func(t *testing.T) {
		for _, node := range n.AllNodes() {
			err := n.LosePackets(ctx, node, 2)
			if err != nil {
				t.Skip(err)
			}
		}
		before := retransmitted(t, n)
		l := startLoad(ctx, t, n, clients...)
		l.awaitMore(40, "while packets get lost")
		l.finish(ctx)
		requireSameOrdererHeight(ctx, t, n)
		again := retransmitted(t, n) - before
		require.Positive(t, again, "no packet was lost")
		t.Logf("%d segments sent again", again)
	})
}

// silenceLimit is how long the network may take to commit again when a consenter falls silent. No connection breaks until TCP
// gives up, after 20 s; upstream's raft then sends to nobody while gRPC tries to connect to the silent one, 20 s at most at a
// time, until the pauses between the attempts have grown.
const silenceLimit = 2 * time.Minute

// smallDisk is the size of the disk that giveSmallDisk makes, in MB.
const smallDisk = 64

// giveSmallDisk moves what a peer has stored to a separate file system that is soon full, and returns where that is mounted.
func giveSmallDisk(ctx context.Context, t *testing.T, n *network.Network, peer network.Node) string {
	t.Helper()
	dir := filepath.Join(n.Dir, "data", peer.Name)
	require.NoError(t, n.Stop(ctx, peer.Name))
	require.NoError(t, os.Rename(dir, dir+".before"))
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", smallDisk)))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	require.NoError(t, os.CopyFS(dir, os.DirFS(dir+".before")))
	require.NoError(t, n.Start(peer.Name))
	require.NoError(t, n.AwaitHealthy(ctx, peer))
	return dir
}

// ballast is the file that fill writes.
const ballast = "ballast"

// fill takes up all room that is left on a disk.
func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, ballast))
	require.NoError(t, err)
	defer f.Close()
	for range smallDisk + 1 {
		if _, err = f.Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}

// retransmitted adds up how many TCP segments the nodes' namespaces have sent again, by /proc/PID/net/snmp (RFC 4022,
// tcpRetransSegs).
func retransmitted(t *testing.T, n *network.Network) (total int) {
	t.Helper()
	for _, node := range n.AllNodes() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/snmp", n.PID(node.Name)))
		require.NoError(t, err)
		var names []string
		for _, line := range strings.Split(string(text), "\n") {
			fields := strings.Fields(line)
			if len(fields) == 0 || fields[0] != "Tcp:" {
				continue
			}
			if names == nil {
				names = fields
				continue
			}
			for i, name := range names {
				if name == "RetransSegs" {
					count, err := strconv.Atoi(fields[i])
					require.NoError(t, err)
					total += count
				}
			}
		}
	}
	return total
}
