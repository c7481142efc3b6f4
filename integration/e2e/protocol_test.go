// SPDX-License-Identifier: Apache-2.0

//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/integration/network"
)

// TestProtocolMigration takes a network from TLCP to TLS 1.3 with GM suites and back while it works. What is done is what gmtls
// migrate protocol names, request by request; the load has its clients changed where the tool says that they are in the way. No
// transaction fails or is sent again on the way.
func TestProtocolMigration(t *testing.T) {
	n, _ := start(t, network.Options{Mode: network.ModeGM, Peers: 1, Relayed: true})
	ctx, cancel := context.WithTimeout(t.Context(), migrationLimit)
	defer cancel()
	clients := n.Nodes(network.Peer)
	m := &migration{T: t, ctx: ctx, n: n, load: startSteady(ctx, t, n, clients...)}
	m.operatorsSpeakBoth()
	for _, to := range []string{network.GMProtocolTLS13, network.GMProtocolTLCP} {
		from := map[string]string{network.GMProtocolTLS13: network.GMProtocolTLCP, network.GMProtocolTLCP: network.GMProtocolTLS13}[to]
		m.takeStep(1, to)
		m.takeStep(2, to)
		step := m.askProtocol(to)
		require.Equal(t, 3, step.Step)
		m.requireClientsNamed(step, from)
		n.GMProtocol = to
		require.NoError(t, n.WriteConfiguration())
		m.untroubled()
		m.relieve(clients)
		require.NoError(t, n.MoveChaincode(ctx, "1.0", 1))
		m.load.goesOn(3, "with chaincode over "+to)
		m.takeStep(3, to)
		require.Zero(t, m.askProtocol(to).Step)
		m.load.goesOn(5, "over "+to+" alone")
		m.untroubled()
		m.requireOver(to, from)
	}
	m.load.finish(ctx)
	requireSameChain(ctx, t, n)
}

// operatorsSpeakBoth lets the servers for operators, which no step demands anything of, be asked by either protocol.
func (m *migration) operatorsSpeakBoth() {
	m.Helper()
	for _, node := range m.nodes() {
		for _, role := range m.rolesOf(m.ctx, node) {
			if tlsstatus.Purposes[role.Name] != tlsstatus.ForOperators {
				continue
			}
			body, err := json.Marshal(tlsstatus.Change{Role: role.Name, GMProtocols: []string{network.GMProtocolTLCP, network.GMProtocolTLS13}})
			require.NoError(m, err)
			_, err = m.n.Operations(m.ctx, node, http.MethodPut, tlsstatus.Path, body)
			require.NoError(m, err, "%s %s", node.Name, role.Name)
		}
	}
}

// protocolStep is what the test reads of gmtls migrate protocol.
type protocolStep struct {
	Step             int
	Missing, Unknown []struct{ Node, Reason, Remedy string }
}

// askProtocol runs gmtls migrate protocol: exit code 0 if nothing is left to do, else 5.
func (m *migration) askProtocol(to string) (s protocolStep) {
	m.Helper()
	nodes := filepath.Join(m.n.Dir, "nodes.yaml")
	writeInventory(m.T, m.n, nodes)
	out, err := run(m.ctx, m.n, nil, "gmtls", "migrate", "protocol", "--to", to, "--nodes", nodes, "-o", "json")
	var failed *commandError
	if errors.As(err, &failed) {
		var exited *exec.ExitError
		require.ErrorAs(m, failed.cause, &exited)
		require.Equal(m, 5, exited.ExitCode(), failed.output)
		out = failed.output
	} else {
		require.NoError(m, err)
	}
	require.NoError(m, json.Unmarshal([]byte(out), &s), "%s", out)
	require.Empty(m, s.Unknown)
	return s
}

// putToTLS finds the body of the request that a remedy names.
var putToTLS = regexp.MustCompile(`^PUT (\{.*\}) to its /tls`)

// takeStep does all that the step lacks, node by node, and what is named when connections that were in the way have ended.
func (m *migration) takeStep(step int, to string) {
	m.Helper()
	m.until(recoveryLimit, "the end of the step", func() bool {
		s := m.askProtocol(to)
		if s.Step != step {
			require.True(m, s.Step == 0 || s.Step > step, "back in step %d", s.Step)
			return true
		}
		for _, missing := range s.Missing {
			put := putToTLS.FindStringSubmatch(missing.Remedy)
			if put == nil {
				m.Logf("%s: %s", missing.Node, missing.Reason)
				continue
			}
			_, err := m.n.Operations(m.ctx, m.nodeOf(missing.Node), http.MethodPut, tlsstatus.Path, []byte(put[1]))
			require.NoError(m, err, "%s: %s", missing.Node, put[1])
			m.load.goesOn(1, "after "+put[1]+" at "+missing.Node)
		}
		return false
	})
}

func (m *migration) nodeOf(name string) network.Node {
	m.Helper()
	for _, node := range m.nodes() {
		if node.Name == name {
			return node
		}
	}
	require.Fail(m, "no such node", name)
	return network.Node{}
}

// requireClientsNamed wants the connections of the load's clients to hold the last step back.
func (m *migration) requireClientsNamed(s protocolStep, from string) {
	m.Helper()
	held := map[string]bool{}
	for _, missing := range s.Missing {
		if regexp.MustCompile(`^peer\.server has \d+ connections over ` + from).MatchString(missing.Reason) {
			held[missing.Node] = true
		}
	}
	for _, peer := range m.n.Nodes(network.Peer) {
		require.True(m, held[peer.Name], "the clients at %s are not named: %+v", peer.Name, s.Missing)
	}
}

// untroubled wants nothing to have been sent again so far, which would hide a failed transaction.
func (m *migration) untroubled() {
	m.Helper()
	m.load.mu.Lock()
	defer m.load.mu.Unlock()
	require.Empty(m, m.load.again)
	require.Empty(m, m.load.failures)
}

// requireOver reads at /tls of every node that the roles of the network speak the one protocol, and have all their connections
// over it.
func (m *migration) requireOver(to, from string) {
	m.Helper()
	over := map[string]string{network.GMProtocolTLCP: tlsstatus.OverTLCP, network.GMProtocolTLS13: tlsstatus.OverTLS13}
	for _, node := range m.nodes() {
		total := 0
		for _, role := range m.rolesOf(m.ctx, node) {
			if !role.InNetwork() {
				continue
			}
			if role.ServerMode.GM() {
				require.Equal(m, []string{to}, role.GMProtocols, "%s %s", node.Name, role.Name)
			}
			if role.ClientMode != "" {
				require.Equal(m, to, role.GMClientProtocol, "%s %s", node.Name, role.Name)
			}
			for _, gone := range []string{over[from], tlsstatus.OverTLS} {
				listening, dialed := role.Over(gone)
				require.Zero(m, listening+dialed, "%s %s has connections over %s", node.Name, role.Name, gone)
			}
			listening, dialed := role.Over(over[to])
			total += listening + dialed
		}
		require.NotZero(m, total, "%s has no connection over %s", node.Name, to)
	}
}

func (m *migration) rolesOf(ctx context.Context, node network.Node) (roles []tlsstatus.Role) {
	m.Helper()
	page, err := m.n.Operations(ctx, node, http.MethodGet, tlsstatus.Path, nil)
	require.NoError(m, err)
	require.NoError(m, json.Unmarshal(page, &roles))
	return roles
}
