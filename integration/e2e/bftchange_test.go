// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// startBFT starts four consenters of SmartBFT and two peers.
func startBFT(t *testing.T, o network.Options) (*network.Network, context.Context, []network.Node) {
	t.Helper()
	o.Consensus, o.Peers, o.Bin = network.ConsensusBFT, 1, fabric3(t)
	n, ctx := start(t, o)
	return n, ctx, []network.Node{n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0]}
}

// leader is the consenter that leads.
func leader(ctx context.Context, t *testing.T, n *network.Network) network.Node {
	t.Helper()
	node, err := n.AwaitLeader(ctx)
	require.NoError(t, err)
	return node
}

// follower is a consenter that does not lead.
func follower(ctx context.Context, t *testing.T, n *network.Network) network.Node {
	t.Helper()
	leads := leader(ctx, t, n)
	for _, o := range n.Nodes(network.Orderer) {
		if o.Name != leads.Name {
			return o
		}
	}
	t.Fatal("there is one orderer alone")
	return network.Node{}
}

// awaitLog waits until a node has logged the text after the first bytes of its log.
func awaitLog(t *testing.T, n *network.Network, node network.Node, from int64, text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(n.LogFile(node.Name))
		return err == nil && bytes.Contains(log[from:], []byte(text))
	}, time.Minute, 100*time.Millisecond, "%s does not log %q", node.Name, text)
}

// logged is how long a node's log is.
func logged(t *testing.T, n *network.Network, node network.Node) int64 {
	t.Helper()
	info, err := os.Stat(n.LogFile(node.Name))
	require.NoError(t, err)
	return info.Size()
}

// TestBFTForeignCertificate starts a consenter with the pair, then with the identity, that other authorities of the same names have
// issued. It takes no part, the others continue, and with its own certificates it catches up.
func TestBFTForeignCertificate(t *testing.T) {
	n, ctx, clients := startBFT(t, network.Options{})
	foreign := t.TempDir()
	out, err := exec.CommandContext(ctx, filepath.Join(n.Bin, "cryptogen"), "generate",
		"--config", filepath.Join(n.Dir, "config", "crypto-config.yaml"), "--output", foreign).CombinedOutput()
	require.NoError(t, err, "%s", out)

	for part, refusal := range map[string]struct {
		atItself bool // or at the leader
		text     string
	}{
		"tls": {true, "remote error: gmtls: unknown certificate authority"},
		"msp": {false, "is not authorized: implicit policy evaluation failed"},
	} {
		t.Run(part, func(t *testing.T) {
			victim, witness := follower(ctx, t, n), leader(ctx, t, n)
			if refusal.atItself {
				witness = victim
			}
			own := filepath.Join(n.NodeFolder(victim), part)
			inCrypto, err := filepath.Rel(filepath.Join(n.Dir, "crypto"), own)
			require.NoError(t, err)
			l := startLoad(ctx, t, n, clients...)
			l.awaitMore(5, "before "+victim.Name+" changes")
			require.NoError(t, n.Stop(ctx, victim.Name))
			stopped := logged(t, n, witness)
			require.NoError(t, os.Rename(own, own+".own"))
			require.NoError(t, os.CopyFS(own, os.DirFS(filepath.Join(foreign, inCrypto))))
			require.NoError(t, n.Start(victim.Name))
			awaitLog(t, n, witness, stopped, refusal.text)
			l.awaitMore(20, "while "+victim.Name+" has a foreign "+part)
			require.NoError(t, n.Stop(ctx, victim.Name))
			require.NoError(t, os.RemoveAll(own))
			require.NoError(t, os.Rename(own+".own", own))
			require.NoError(t, n.Start(victim.Name))
			require.NoError(t, n.AwaitHealthy(ctx, victim))
			l.awaitMore(5, "with "+victim.Name+" again")
			l.finish(ctx)
			requireSameOrdererHeight(ctx, t, n)
		})
	}
}

// TestBFTRenewal gives every consenter another identity and another TLCP pair, one after the other, the leader too, while clients write. In the
// end none could continue by what it had before, and any one can be missed.
func TestBFTRenewal(t *testing.T) {
	n, ctx, clients := startBFT(t, network.Options{Relayed: true})
	l := startLoad(ctx, t, n, clients...)
	l.awaitMore(5, "before the renewal")
	for _, o := range n.Nodes(network.Orderer) {
		served, err := n.ServedCertificate(ctx, o)
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(reissue(ctx, t, n, o)))
		replaceConsenter(ctx, t, n, o)
		now, err := n.ServedCertificate(ctx, o)
		require.NoError(t, err)
		require.NotEqual(t, served, now)
		l.awaitMore(5, "with new certificates of "+o.Name)
		requireSameOrdererHeight(ctx, t, n)
	}
	requireAnyCanBeMissed(ctx, t, n, l)
	requireOnly(t, n, network.ModeGM)
}

// TestBFTMixedIdentities turns two of four consenters, which begin with ECDSA, to SM2. The channel continues with both families, and needs both: without
// one of either, blocks have signatures of either.
func TestBFTMixedIdentities(t *testing.T) {
	n, ctx, clients := startBFT(t, network.Options{Algorithm: network.AlgorithmECDSA, Relayed: true})
	issueIdentities(ctx, t, n)
	for _, o := range n.Nodes(network.Orderer) {
		trustIdentities(t, n, o)
		require.NoError(t, n.Restart(ctx, o.Name))
	}
	trustInChannel(ctx, t, n, n.Ordering)
	l := startLoad(ctx, t, n, clients...)
	l.awaitMore(5, "with ECDSA alone")
	for _, o := range n.Nodes(network.Orderer)[:2] {
		adoptIdentity(t, n, o, "")
		replaceConsenter(ctx, t, n, o)
		l.awaitMore(5, "with SM2 at "+o.Name)
		requireSameOrdererHeight(ctx, t, n)
	}
	requireAnyCanBeMissed(ctx, t, n, l)
}

// replaceConsenter puts the node's present certificates into the channel's configuration and starts the node again.
func replaceConsenter(ctx context.Context, t *testing.T, n *network.Network, node network.Node) {
	t.Helper()
	require.NoError(t, n.Change(ctx, "renew-"+node.Name, []network.Org{n.Ordering}, "replace-orderer", n.ConsenterFlags(node)...))
	require.NoError(t, n.Stop(ctx, node.Name))
	require.NoError(t, n.Start(node.Name))
	require.NoError(t, n.AwaitHealthy(ctx, node))
}

// requireAnyCanBeMissed kills each consenter in turn: the three others are a quorum, so each of them counts. As in TestBFTFaults the others must have
// reached the one before again: it fetches blocks by itself when it starts, so its height does not say that.
func requireAnyCanBeMissed(ctx context.Context, t *testing.T, n *network.Network, l *load) {
	t.Helper()
	for _, o := range n.Nodes(network.Orderer) {
		require.NoError(t, n.Kill(ctx, o.Name))
		l.awaitMore(5, "without "+o.Name)
		require.NoError(t, n.Start(o.Name))
		require.NoError(t, n.AwaitHealthy(ctx, o))
		l.awaitMore(50, "until the others reach "+o.Name+" again")
		requireSameOrdererHeight(ctx, t, n)
	}
	l.finish(ctx)
}
