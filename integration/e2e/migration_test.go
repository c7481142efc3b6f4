// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/integration/network"
)

// migrationLimit ends a migration that hangs.
const migrationLimit = 20 * time.Minute

// TestMigration takes a network of stock nodes and ECDSA identities to TLCP and SM2 alone, under a load that never pauses, as
// docs/migration.md tells: each stage is entered when gmtls migrate check lets it, and every change of the channel is one that
// gmtls migrate update wrote. From stage 3 it goes back to 1 once.
func TestMigration(t *testing.T) {
	m := newMigration(t)
	n := m.n
	clients := []network.Node{n.Peers[0].PeersOf()[0], n.Peers[1].PeersOf()[0]}
	m.load = startSteady(m.ctx, t, n, clients...)

	m.binaries()
	m.pairs()
	m.roots()
	m.dialing()
	m.back()
	m.roots()
	m.dialing()
	m.applications(clients)
	m.listening()
	m.identities(clients)

	m.load.finish(m.ctx)
	requireSameChain(m.ctx, t, n)
	requireSameOrdererHeight(m.ctx, t, n)
	requireTLSRefused(t, n)
	require.Equal(t, 5, m.plan().Stage)
}

// migration is the network with what the test has of its progress.
type migration struct {
	*testing.T
	ctx   context.Context
	n     *network.Network
	fork  string       // folder of the fork's binaries
	stock network.Node // stays stock until stage 2 is refused for its sake
	load  *steady
}

// newMigration starts a network of stock nodes: stock binaries have made its channel and run all of it.
func newMigration(t *testing.T) *migration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), migrationLimit)
	t.Cleanup(cancel)
	build, err := filepath.Abs("../../build")
	require.NoError(t, err)
	m := &migration{T: t, ctx: ctx, fork: filepath.Join(build, "bin")}
	mixed := t.TempDir()
	link := func(from string, names ...string) {
		for _, name := range names {
			_, err := os.Stat(filepath.Join(from, name))
			require.NoError(t, err, "build it with make build stock network-tools")
			require.NoError(t, os.Symlink(filepath.Join(from, name), filepath.Join(mixed, name)))
		}
	}
	link(filepath.Join(build, "stock"), "peer", "orderer", "configtxgen", "configtxlator", "osnadmin")
	link(m.fork, "cryptogen", "asset", "ccaas") // what every network brings along
	m.n, _ = start(t, network.Options{Mode: network.ModeTLS, Algorithm: network.AlgorithmECDSA, Relayed: true, Bin: mixed})
	m.n.Bin = m.fork // for commands; nodes run what they were started from
	m.stock = m.n.Peers[1].PeersOf()[1]
	return m
}

// nodes are the orderers and peers.
func (m *migration) nodes() []network.Node {
	return append(m.n.Nodes(network.Orderer), m.n.Nodes(network.Peer)...)
}

// restart restarts a node, from the fork's binaries.
func (m *migration) restart(node network.Node, why string) {
	m.Helper()
	require.NoError(m, m.n.Stop(m.ctx, node.Name))
	require.NoError(m, m.n.StartFrom(node.Name, m.fork))
	require.NoError(m, m.n.AwaitHealthy(m.ctx, node))
	m.load.goesOn(1, "after the restart of "+node.Name+why)
	// One node at a time: the next one stops when this one has caught up.
	requireSameOrdererHeight(m.ctx, m.T, m.n)
}

// gmtls runs gmtls migrate with the inventory and the latest config block as they are now.
func (m *migration) gmtls(args ...string) (string, error) {
	m.Helper()
	nodes, block := filepath.Join(m.n.Dir, "nodes.yaml"), filepath.Join(m.n.Dir, "config.block")
	writeInventory(m.T, m.n, nodes)
	require.NoError(m, m.n.FetchConfig(m.ctx, block))
	return run(m.ctx, m.n, nil, "gmtls", append(append([]string{"migrate"}, args...), "--nodes", nodes, "--block", block)...)
}

// planned is what the test reads of the plan.
type planned struct {
	Stage int
	Nodes []struct {
		Name  string
		Stage int
	}
}

func (m *migration) plan() (p planned) {
	m.Helper()
	out, err := m.gmtls("plan", "-o", "json")
	require.NoError(m, err)
	require.NoError(m, json.Unmarshal([]byte(out), &p), "%s", out)
	return p
}

// verdict is what the test reads of a check.
type verdict struct {
	Enter    bool
	Refusals []struct{ Node, Organization, Reason, Remedy string }
}

// ask runs a check: exit code 0 lets in, 5 does not.
func (m *migration) ask(stage int, more ...string) (v verdict, out string) {
	m.Helper()
	out, err := m.gmtls(append([]string{"check", "--stage", fmt.Sprint(stage), "-o", "json"}, more...)...)
	code := 0
	var failed *commandError
	if errors.As(err, &failed) {
		var exited *exec.ExitError
		require.ErrorAs(m, failed.cause, &exited)
		code, out = exited.ExitCode(), failed.output
	}
	require.NoError(m, json.Unmarshal([]byte(out), &v), "%s", out)
	require.Equal(m, map[bool]int{true: 0, false: 5}[v.Enter], code, out)
	return v, out
}

// mayEnter wants a check to let the stage be entered.
func (m *migration) mayEnter(stage int, more ...string) {
	m.Helper()
	v, out := m.ask(stage, more...)
	require.True(m, v.Enter, "%s", out)
}

// written is what the test reads of an update.
type written struct {
	Steps []struct{ File, What string }
	Left  int `json:"consenters_left"`
}

// write has gmtls write updates of a kind.
func (m *migration) write(kind string, more ...string) (w written, err error) {
	m.Helper()
	dir, err := os.MkdirTemp(m.n.Dir, kind+"-")
	require.NoError(m, err)
	out, err := m.gmtls(append([]string{"update", kind, "--out", dir, "-o", "json"}, more...)...)
	if err != nil {
		return w, err
	}
	require.NoError(m, json.Unmarshal([]byte(out), &w), "%s", out)
	return w, nil
}

// update makes one update for each organisation, signed by its Admin alone, and has the channel take them.
func (m *migration) update(kind string, more ...string) {
	m.Helper()
	w, err := m.write(kind, more...)
	require.NoError(m, err)
	signers := append([]network.Org{m.n.Ordering}, m.n.Peers...)
	require.Len(m, w.Steps, len(signers))
	for _, step := range w.Steps {
		signer := slices.IndexFunc(signers, func(org network.Org) bool { return org.MSPID == step.What })
		require.GreaterOrEqual(m, signer, 0, step.What)
		require.NoError(m, m.n.SubmitUpdate(m.ctx, step.File, signers[signer]))
		m.load.goesOn(1, "after "+kind+" of "+step.What)
	}
}

// until repeats what the test does until it succeeds.
func (m *migration) until(limit time.Duration, what string, try func() bool) {
	m.Helper()
	for deadline := time.Now().Add(limit); !try(); pause(m.ctx) {
		require.True(m, time.Now().Before(deadline), "waited %v for %s", limit, what)
		require.NoError(m, m.ctx.Err())
	}
}

// rotate changes all consenters, one a block. Which of them is away orderers learn with a delay: in the meantime the tool
// refuses, or they do. An update that an orderer could not hand to the leader is lost. Then it is asked again.
func (m *migration) rotate(kind string) {
	m.Helper()
	changed := 0
	m.until(2*time.Minute, kind+" to come to its end", func() bool {
		w, err := m.write(kind)
		if err != nil {
			m.Logf("not yet: %v", err)
			return false
		}
		if len(w.Steps) == 0 {
			return true
		}
		require.Len(m, w.Steps, 1)
		if err := m.n.SubmitUpdate(m.ctx, w.Steps[0].File, m.n.Ordering); err != nil {
			m.Logf("%s: %v", w.Steps[0].File, err)
			return false
		}
		changed++
		m.load.goesOn(1, "after "+kind+" of "+w.Steps[0].What)
		return false
	})
	require.GreaterOrEqual(m, changed, 1)
}

// binaries is stage 0: all nodes but one run the fork, with their configuration as it was.
func (m *migration) binaries() {
	m.Helper()
	m.mayEnter(0)
	require.Equal(m, -1, m.plan().Stage)
	for _, node := range m.nodes() {
		if node.Name != m.stock.Name {
			m.restart(node, ", from the fork's binary")
		}
	}
	requireOnly(m.T, m.n, network.ModeTLS)
}

// pairs is stage 1. The stock peer takes part, and is all that holds stage 2 back; then it is replaced.
func (m *migration) pairs() {
	m.Helper()
	m.mayEnter(1)
	addPairs(m.ctx, m.T, m.n)
	issueIdentities(m.ctx, m.T, m.n)
	for _, node := range m.nodes() {
		if node.Name != m.stock.Name {
			trustIdentities(m.T, m.n, node)
			m.restart(node, ", in mode dual")
		}
	}
	v, out := m.ask(2)
	require.False(m, v.Enter)
	for _, refusal := range v.Refusals {
		require.Equal(m, m.stock.Name, refusal.Node, "%s", out)
		require.Equal(m, m.n.Peers[1].MSPID, refusal.Organization)
		require.Contains(m, refusal.Reason, "it is not this fork")
	}
	require.NotEmpty(m, v.Refusals)
	_, err := m.gmtls("update", "add-gm-tls-roots", "--out", m.TempDir())
	require.ErrorContains(m, err, m.stock.Name)

	trustIdentities(m.T, m.n, m.stock)
	m.restart(m.stock, ", the last one from the fork's binary")
	require.Equal(m, 1, m.plan().Stage)
}

// roots is stage 2.
func (m *migration) roots() {
	m.Helper()
	m.mayEnter(2)
	m.update("add-gm-tls-roots")
	require.Equal(m, 2, m.plan().Stage)
}

// dialing is stage 3: consenters, then dialers node by node.
func (m *migration) dialing() {
	m.Helper()
	m.mayEnter(3)
	v, _ := m.ask(3, "--node", m.n.Nodes(network.Orderer)[0].Name)
	require.False(m, v.Enter, "an orderer may dial TLCP before the channel knows its certificate for it")
	m.rotate("consenters-both")
	for _, node := range m.nodes() {
		m.mayEnter(3, "--node", node.Name)
		require.NoError(m, switchModes(m.ctx, m.n, node, "", network.ModeGM))
		m.load.goesOn(1, "with "+node.Name+" dialing gm")
	}
	require.Equal(m, 3, m.plan().Stage)
}

// back undoes stages 3 and 2.
func (m *migration) back() {
	m.Helper()
	for _, node := range m.nodes() {
		require.NoError(m, switchModes(m.ctx, m.n, node, "", network.ModeTLS))
		m.load.goesOn(1, "with "+node.Name+" dialing tls")
	}
	m.rotate("consenters-tls")
	m.update("remove-gm-tls-roots")
	require.Equal(m, 1, m.plan().Stage)
}

// applications follow in stage 3: clients and chaincode. A new load begins before the old one ends.
func (m *migration) applications(clients []network.Node) {
	m.Helper()
	adoptModes(m.T, m.n, network.ModeDual, network.ModeGM)
	m.relieve(clients)
	require.NoError(m, m.n.MoveChaincode(m.ctx, "1.0", 1))
	m.load.goesOn(3, "with chaincode over TLCP")
}

// relieve lets clients with what the network's profiles say now take over.
func (m *migration) relieve(clients []network.Node) {
	m.Helper()
	next := startSteady(m.ctx, m.T, m.n, clients...)
	next.goesOn(1, "with new clients")
	m.load.finish(m.ctx)
	m.load = next
}

// listening is stage 4, when no connection is left over TLS.
func (m *migration) listening() {
	m.Helper()
	m.until(recoveryLimit, "the last connection over TLS to end", func() bool {
		v, out := m.ask(4)
		if !v.Enter {
			m.Logf("not yet: %s", out)
		}
		return v.Enter
	})
	for _, node := range m.nodes() {
		m.mayEnter(4, "--node", node.Name)
		require.NoError(m, switchModes(m.ctx, m.n, node, network.ModeGM, ""))
		m.load.goesOn(1, "with "+node.Name+" listening for gm alone")
	}
	adoptModes(m.T, m.n, network.ModeGM, network.ModeGM)
	requireTLSEnds(m.ctx, m.T, m.n)
	require.Equal(m, 4, m.plan().Stage)
}

// identities is stage 5: SM2 roots join, nodes and users change their identities, ECDSA roots go.
func (m *migration) identities(clients []network.Node) {
	m.Helper()
	m.mayEnter(5)
	m.update("add-gm-identity-roots")
	for _, node := range m.nodes() {
		adoptIdentity(m.T, m.n, node, "")
		m.restart(node, ", with its SM2 identity")
	}
	_, err := m.gmtls(append([]string{"update", "remove-ecdsa-identity-roots", "--out", m.TempDir()}, m.recent(5)...)...)
	require.ErrorContains(m, err, "signed in block", "users still have ECDSA identities")
	for _, org := range append([]network.Org{m.n.Ordering}, m.n.Peers...) {
		adoptIdentity(m.T, m.n, org.Nodes[0], "Admin")
		if org.Name != m.n.Ordering.Name {
			adoptIdentity(m.T, m.n, org.Nodes[0], "User1")
		}
	}
	m.relieve(clients)
	m.load.goesOn(10, "with SM2 identities")
	records := tlsRecords(m.n)
	m.update("remove-ecdsa-identity-roots", m.recent(5)...)
	m.rotate("consenters-gm")
	m.update("remove-ecdsa-tls-roots")
	require.Equal(m, records, tlsRecords(m.n), "TLS came back")
}

// recent fetches the last blocks of the channel, as arguments of an update.
func (m *migration) recent(count uint64) (args []string) {
	m.Helper()
	height := awaitHeights(m.ctx, m.T, m.n)
	org, orderer := m.n.Peers[0], m.n.Nodes(network.Orderer)[0]
	dir := m.TempDir()
	for number := height - count; number < height; number++ {
		file := filepath.Join(dir, fmt.Sprint(number))
		_, err := peerAs(m.ctx, m.n, org, "Admin", append([]string{"channel", "fetch", fmt.Sprint(number), file, "--channelID", m.n.Channel},
			m.n.OrdererFlags(orderer, org, "Admin")...)...)
		require.NoError(m, err)
		args = append(args, "--recent", file)
	}
	return args
}

// tlsRecords counts the TLS records that have passed the relays of all services.
func tlsRecords(n *network.Network) (records int) {
	for _, r := range n.Relays {
		records += r.Records().TLS
	}
	return records
}

// requireTLSEnds waits until no TLS record passes any relay for as long as a heartbeat cannot be silent.
func requireTLSEnds(ctx context.Context, t *testing.T, n *network.Network) {
	t.Helper()
	const quiet = 5 * time.Second
	last, since := tlsRecords(n), time.Now()
	require.Eventually(t, func() bool {
		if now := tlsRecords(n); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) >= quiet
	}, time.Minute, 50*time.Millisecond, "TLS records still pass between the nodes")
	require.NoError(t, ctx.Err())
}
