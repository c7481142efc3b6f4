// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// recoveryLimit is how long the network may take to commit again after a fault. Upstream's raft, with the ticks of these
// networks, elects within seconds; clients may wait for a commit status until commitWait before they try again.
const (
	recoveryLimit = 45 * time.Second
	// viewChangesLimit is the same for SmartBFT. A view change that fails takes the 20 s of its time limit: so does one where the next leader
	// hears of a consenter's view before it leaves its own, as that message is not sent again.
	viewChangesLimit = 3 * time.Minute
	commitWait       = 10 * time.Second
)

// load creates assets through several gateways until it is stopped, and remembers which of them were reported committed.
type load struct {
	t      *testing.T
	n      *network.Network
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	committed []string
	failures  map[string]int // how often, by error
}

// startLoad begins with two clients at each of the peers.
func startLoad(ctx context.Context, t *testing.T, n *network.Network, peers ...network.Node) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	l := &load{t: t, n: n, cancel: cancel, failures: map[string]int{}}
	for p, peer := range peers {
		c := contract(t, n, peer, client.WithCommitStatusTimeout(commitWait), client.WithEndorseTimeout(commitWait),
			client.WithSubmitTimeout(commitWait))
		for w := range 2 {
			l.wg.Go(func() { l.work(ctx, c, fmt.Sprintf("load-%x-%d-%d-", time.Now().UnixNano(), p, w)) })
		}
	}
	t.Cleanup(func() { cancel(); l.wg.Wait() })
	return l
}

func (l *load) work(ctx context.Context, c *client.Contract, prefix string) {
	for i := 0; ctx.Err() == nil; i++ {
		id := prefix + strconv.Itoa(i)
		// Without a separate context each step has the gateway's time limit. A transaction that a dying leader acknowledged
		// may be lost before it is replicated: its commit status never comes.
		_, err := c.Submit("CreateAsset", client.WithArguments(id, "blue", "1", "load", "1"))
		l.mu.Lock()
		if err == nil {
			l.committed = append(l.committed, id)
		} else if ctx.Err() == nil {
			l.failures[firstLine(err)]++
		}
		l.mu.Unlock()
		if err != nil {
			// A node that is down refuses at once: do not spin.
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

func firstLine(err error) string {
	text := err.Error()
	for i, c := range text {
		if c == '\n' || i > 160 {
			return text[:i]
		}
	}
	return text
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.committed)
}

// awaitMore waits until so many more transactions have committed.
func (l *load) awaitMore(more int, when string) {
	l.t.Helper()
	limit := recoveryLimit
	if l.n.Consensus == network.ConsensusBFT {
		limit = viewChangesLimit
	}
	l.awaitMoreWithin(limit, more, when)
}

func (l *load) awaitMoreWithin(limit time.Duration, more int, when string) {
	l.t.Helper()
	from, began := l.count(), time.Now()
	require.Eventually(l.t, func() bool { return l.count() >= from+more }, limit, 20*time.Millisecond,
		"the network does not commit %s", when)
	l.t.Logf("%d more commits %s after %.1f s", more, when, time.Since(began).Seconds())
}

// finish stops the load and checks that every transaction that was reported committed is on every peer, and that all peers
// and all orderers have the same chain.
func (l *load) finish(ctx context.Context) {
	l.t.Helper()
	l.cancel()
	l.wg.Wait()
	l.t.Logf("%d transactions committed, failures %v", len(l.committed), l.failures)
	requireSameChain(ctx, l.t, l.n)
	requireSameOrdererChain(ctx, l.t, l.n)
	for _, peer := range l.n.Nodes(network.Peer) {
		c := contract(l.t, l.n, peer)
		for _, id := range l.committed {
			out, err := c.EvaluateWithContext(ctx, "AssetExists", client.WithArguments(id),
				client.WithEndorsingOrganizations(l.n.OrgOf(peer).MSPID))
			require.NoError(l.t, err)
			require.Equal(l.t, "true", string(out), "committed transaction %s is lost on %s", id, peer.Name)
		}
	}
}

// requireSameOrdererChain waits for all orderers to have every block, and compares the headers of their last ones. The rest of a
// block differs: each orderer signs its own copy.
func requireSameOrdererChain(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	height := requireSameOrdererHeight(ctx, t, n)
	org, file := n.Peers[0], filepath.Join(t.TempDir(), "block")
	var first any
	for i, orderer := range n.Nodes(network.Orderer) {
		args := []string{"channel", "fetch", strconv.FormatUint(height-1, 10), file, "--channelID", n.Channel}
		_, err := n.PeerCommand(ctx, org.PeersOf()[0], append(args, n.OrdererFlags(orderer, org, "Admin")...)...)
		require.NoError(t, err)
		translate(ctx, t, n, "proto_decode", "--type", "common.Block", "--input", file, "--output", file+".json")
		header := at(t, readJSON(t, file+".json"), "header")
		if i == 0 {
			first = header
		}
		require.Equal(t, strconv.FormatUint(height-1, 10), at(t, header, "number"))
		require.Equal(t, first, header, "%s has another chain", orderer.Name)
	}
}
