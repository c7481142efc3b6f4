// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/tlsstatus"
)

// protocols sets what nodes listen and dial by; empty: as it is.
func (w *world) protocols(server []string, client string, names ...string) {
	for _, name := range names {
		w.nodes[name].set(func(n *fakeNode) {
			for i := range n.roles {
				r := &n.roles[i]
				if server != nil && r.ServerMode != "" && r.InNetwork() {
					r.GMProtocols = server
				}
				if client != "" && r.ClientMode != "" {
					r.GMClientProtocol = client
				}
			}
		})
	}
}

// TestProtocol takes a network of fakes from TLCP to TLS 1.3, and back.
func TestProtocol(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.modes("gm", "gm", everyNode...)
	w.refused([]string{"peer.server does not say which GM protocols it speaks"}, "protocol", "--to=TLS13")
	both := []string{"TLCP", "TLS13"}
	from := "TLCP"
	w.protocols([]string{from}, from, everyNode...)
	for _, to := range []string{"TLS13", "TLCP"} {
		w.refused([]string{"to " + to + ", step 1 of 3: listeners speak both protocols", "peer1 (Org1MSP): peer.server does not listen for " + to,
			`PUT {"role":"peer.server","gmProtocols":["TLCP","TLS13"]} to its /tls`}, "protocol", "--to="+to)
		w.protocols(both, "", everyNode[1:]...)
		out, _ := w.run("protocol", "--to="+to)
		require.Contains(t, out, "orderer0 (OrdererMSP): orderer.general does not listen for "+to)
		require.NotContains(t, out, "peer1", "it is in both already")
		require.NotContains(t, out, "operations", "servers for operators have separate protocols")
		w.protocols(both, "", everyNode...)

		w.refused([]string{"step 2 of 3: dialers speak the new one", "peer2 (Org2MSP): peer.client does not dial " + to,
			`PUT {"role":"peer.client","gmClientProtocol":"` + to + `"} to its /tls`}, "protocol", "--to="+to)
		w.protocols(nil, to, everyNode...)

		w.nodes["peer1"].set(func(n *fakeNode) { n.connect("peer.server", gmProtocols[from], 2) })
		w.refused([]string{"step 3 of 3: listeners speak the new one alone", "peer1 (Org1MSP): peer.server has 2 connections over " + from,
			"applications too", `PUT {"role":"peer.server","gmProtocols":["` + to + `"]} to its /tls`}, "protocol", "--to="+to)
		w.nodes["peer1"].set(func(n *fakeNode) { n.connect("peer.server", gmProtocols[to], 2) })
		out, _ = w.run("protocol", "--to="+to)
		require.NotContains(t, out, "connections over")
		w.protocols([]string{to}, "", everyNode...)

		require.Contains(t, w.allowed("protocol", "--to="+to), to+" is the only GM protocol of all nodes")
		from = to
	}
	w.nodes["orderer2"].operations.Close()
	w.refused([]string{"orderer2 (OrdererMSP): could not be asked"}, "protocol", "--to=TLCP")
	_, number := w.run("protocol", "--to=TLS")
	require.Equal(t, 1, number)
}

// connect says that a role has connections over a protocol.
func (n *fakeNode) connect(name, protocol string, count int) {
	for i := range n.roles {
		r := &n.roles[i]
		if r.Name != name {
			continue
		}
		r.Listeners = []tlsstatus.Listener{{Address: "127.0.0.1:1", Connections: []tlsstatus.Connections{{Protocol: protocol, Count: count}}}}
	}
}

// TestPairOverTLS13: the pair of a node that speaks TLS 1.3 alone is asked for by that, and its signing certificate checked.
func TestPairOverTLS13(t *testing.T) {
	w := newWorld(t)
	w.pairs(everyNode...)
	w.protocols([]string{"TLCP"}, "", everyNode...)
	n := w.nodes["peer1"]
	n.set(func(n *fakeNode) { n.versions = []uint16{gmtls.VersionTLS13} })
	w.serve(n, w.orgs["Org1MSP"].gmTLS)
	w.inventory(nil)
	w.refused([]string{"peer1 (Org1MSP): TLCP 1.1 handshake with"}, "check", "--stage=2", w.block())
	w.protocols([]string{"TLS13"}, "", "peer1")
	w.allowed("check", "--stage=2", w.block())
	w.serve(n, w.orgs["Org2MSP"].gmTLS)
	w.inventory(nil)
	w.refused([]string{"peer1 (Org1MSP): its pair at " + n.address + " does not hold"}, "check", "--stage=2", w.block())
}

// TestConnectionsOfEachProtocol: plan shows a role's connections of every protocol, and Ask counts them.
func TestConnectionsOfEachProtocol(t *testing.T) {
	w := newWorld(t)
	w.nodes["peer1"].set(func(n *fakeNode) {
		connections := []tlsstatus.Connections{{Protocol: "TLS", Count: 11}, {Protocol: "TLCP", Count: 12}, {Protocol: "TLS13-GM", Suite: "a", Count: 6}, {Protocol: "TLS13-GM", Suite: "b", Count: 7}}
		for i := range n.roles {
			switch r := &n.roles[i]; r.Name {
			case tlsstatus.PeerServer:
				r.Listeners = []tlsstatus.Listener{{Address: "127.0.0.1:1", Connections: connections}}
			case tlsstatus.PeerClient:
				r.Dialed = connections[2:]
			}
		}
	})
	out := w.allowed("plan")
	require.Regexp(t, `OVER TLS +OVER TLCP +OVER TLS13-GM`, out)
	require.Regexp(t, `peer1 .* peer.server .* 11 in, 0 out +12 in, 0 out +13 in, 0 out`, out)
	require.Regexp(t, `(peer1 .*)? peer.client .* 0 in, 0 out +0 in, 0 out +0 in, 13 out`, out)

	nodes, err := Ask(t.Context(), w.path("nodes.yaml"))
	require.NoError(t, err)
	counted := map[string][3]int{}
	for _, n := range nodes {
		for _, r := range n.Roles {
			if n.Name == "peer1" && r.TLS+r.TLCP+r.TLS13 > 0 {
				counted[r.Role] = [3]int{r.TLS, r.TLCP, r.TLS13}
			}
		}
	}
	require.Equal(t, map[string][3]int{tlsstatus.PeerServer: {11, 12, 13}, tlsstatus.PeerClient: {0, 0, 13}}, counted)
}
