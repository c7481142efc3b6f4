// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
)

// speaks and dialedBy are for tests in which the GM protocol is TLCP.
func speaks(m ServerMode, p protocol) bool {
	return (&serverState{mode: m, gms: []protocol{protocolTLCP}}).speaks(p)
}

func dialedBy(m ClientMode) protocol { return clientProtocol(m, nil) }

func TestGMProtocolNames(t *testing.T) {
	listed, dialed, err := gmProtocols(nil, "")
	require.NoError(t, err)
	require.Equal(t, []protocol{protocolTLCP}, listed)
	require.Equal(t, protocolTLCP, dialed)
	listed, dialed, err = gmProtocols([]string{"TLS13", "TLCP"}, "TLS13")
	require.NoError(t, err)
	require.Equal(t, []protocol{protocolTLS13, protocolTLCP}, listed)
	require.Equal(t, protocolTLS13, dialed)
	require.NoError(t, CheckGMProtocols([]string{"TLS13"}, ""))
	require.EqualError(t, CheckGMProtocols([]string{"tls13"}, ""), `"tls13" is not a GM protocol: use TLCP or TLS13`)
	require.EqualError(t, CheckGMProtocols(nil, "TLCP,TLS13"), `"TLCP,TLS13" is not a GM protocol: use TLCP or TLS13`)
	require.EqualError(t, CheckGMProtocols([]string{"TLCP", "TLCP"}, ""), "the GM protocol TLCP is there twice")
	require.EqualError(t, SetGMProtocols("", nil, ""), "comm: no GM protocol given")
}

// protocolNode is a listener and a dialer with GM protocols.
func protocolNode(t *testing.T, mode ServerMode, listed []string, dialed string, hybrid bool) *liveNode {
	t.Helper()
	n := &liveNode{org: newPKI(t)}
	n.server.set(n.org.node(t), nil)
	n.client.set(n.org.node(t), nil)
	n.serverSource = newTestSource(t, SourceConfig{
		Role: t.Name() + ".server", Load: n.server.load, ServerMode: mode, DrainGrace: patience, GMProtocols: listed, GMHybrid: hybrid,
	})
	n.clientSource = newTestSource(t, SourceConfig{
		Role: t.Name() + ".client", Load: n.client.load, ClientMode: ClientGM, DrainGrace: patience, GMClientProtocol: dialed, GMHybrid: hybrid,
	})
	n.grpc, n.service = startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: n.serverSource})
	return n
}

// Listener and dialer meet if the protocol of the dialer is among those of the
// listener, and otherwise both say what is to be changed. Nothing else is tried.
func TestGMProtocols(t *testing.T) {
	both := []string{GMProtocolTLCP, GMProtocolTLS13}
	for _, mode := range []ServerMode{ModeTLS, ModeDual, ModeGM} {
		for _, listed := range [][]string{nil, both[1:], both} {
			for _, dialed := range []string{"", GMProtocolTLS13} {
				t.Run(string(mode)+joined(listed)+dialed, func(t *testing.T) {
					n := protocolNode(t, mode, listed, dialed, false)
					conn, err := dial(t, n.grpc.Address(), n.clientOptions())
					proto := n.clientSource.state.Load().gmClient
					if !n.grpc.endpoint.live.state.Load().speaks(proto) {
						require.ErrorContains(t, err, "no common protocol")
						require.Empty(t, n.grpc.endpoint.conns.count())
						return
					}
					require.NoError(t, err)
					_, err = call(t, conn)
					require.NoError(t, err)
					require.Equal(t, 1, n.connections(proto))
					require.Zero(t, n.connections(protocolTLS))
				})
			}
		}
	}
}

func joined(names []string) (text string) {
	for _, name := range names {
		text += "," + name
	}
	return text
}

// Three kinds of clients at one port, and the hash that messages are bound to.
func TestOnePort(t *testing.T) {
	n := protocolNode(t, ModeDual, []string{GMProtocolTLCP, GMProtocolTLS13}, GMProtocolTLS13, true)
	for _, test := range []struct {
		mode   ClientMode
		dialed string
		want   protocol
	}{
		{ClientTLS, GMProtocolTLS13, protocolTLS}, {ClientGM, GMProtocolTLCP, protocolTLCP}, {ClientGM, GMProtocolTLS13, protocolTLS13},
	} {
		require.NoError(t, SetMode(n.clientSource.role, "", test.mode))
		require.NoError(t, SetGMProtocols(n.clientSource.role, nil, test.dialed))
		conn, err := dial(t, n.grpc.Address(), n.clientOptions())
		require.NoError(t, err)
		_, err = call(t, conn)
		require.NoError(t, err)
		state := n.service.last.Load().info.State
		require.Equal(t, n.clientOptions().BindingHash(), leafHash([][]byte{state.PeerCertificates[0].Raw}))
		require.NotEmpty(t, state.VerifiedChains)
		require.Equal(t, 1, n.connections(test.want), test.want)
		switch test.want {
		case protocolTLS13:
			require.Equal(t, gmtls.VersionTLS13, state.Version)
			require.Equal(t, gmtls.TLS_SM4_GCM_SM3, state.CipherSuite)
			require.Len(t, state.PeerCertificates, 1, "the signing certificate alone")
		case protocolTLS:
			require.NotEqual(t, gmtls.TLS_SM4_GCM_SM3, state.CipherSuite)
		}
	}
}

// The protocols are changed live: first both, then the dialers,
// then the old one goes and its connections with it.
func TestSwitchGMProtocol(t *testing.T) {
	n := protocolNode(t, ModeGM, nil, "", false)
	old := n.dial(t)
	_, err := call(t, old)
	require.NoError(t, err)
	require.Equal(t, 1, n.connections(protocolTLCP))

	require.NoError(t, SetGMProtocols(n.serverSource.role, []string{GMProtocolTLCP, GMProtocolTLS13}, ""))
	_, err = call(t, old)
	require.NoError(t, err)
	require.Equal(t, 1, n.connections(protocolTLCP), "a connection that may go on")

	require.NoError(t, SetGMProtocols(n.clientSource.role, nil, GMProtocolTLS13))
	require.Eventually(t, func() bool {
		_, err := call(t, old) // gRPC has connected again
		return err == nil && n.connections(protocolTLS13) == 1 && n.connections(protocolTLCP) == 0
	}, patience, 10*time.Millisecond)
	require.NoError(t, SetGMProtocols(n.serverSource.role, []string{GMProtocolTLS13}, ""))
	for _, s := range Status() {
		switch s.Name {
		case n.serverSource.role:
			require.Equal(t, []string{GMProtocolTLS13}, s.GMProtocols)
		case n.clientSource.role:
			require.Equal(t, GMProtocolTLS13, s.GMClientProtocol)
		}
	}

	// And back, by all roles of the process at once, which reloads leave as they are.
	require.NoError(t, SetGMProtocols(n.serverSource.role, []string{GMProtocolTLCP, GMProtocolTLS13}, ""))
	require.NoError(t, SetGMProtocols(n.clientSource.role, nil, GMProtocolTLCP))
	require.NoError(t, n.serverSource.Reload())
	require.NoError(t, n.clientSource.Reload())
	require.Eventually(t, func() bool {
		_, err := call(t, old)
		return err == nil && n.connections(protocolTLCP) == 1 && n.connections(protocolTLS13) == 0
	}, patience, 10*time.Millisecond)
	require.ErrorContains(t, SetGMProtocols(n.serverSource.role, []string{"SSL"}, ""), "is not a GM protocol")
}

// A client of the standard library at a listener that looks for GM suites is
// served by the standard library, whatever the size of its hello and of the
// records that it comes in.
func TestStandardClientBesideTLS13(t *testing.T) {
	n := protocolNode(t, ModeDual, []string{GMProtocolTLCP, GMProtocolTLS13}, "", false)
	require.NoError(t, SetMode(n.clientSource.role, "", ClientTLS))
	config, err := n.clientOptions().TLSConfig()
	require.NoError(t, err)
	host, _, err := net.SplitHostPort(n.grpc.Address())
	require.NoError(t, err)
	config.ServerName, config.NextProtos = host, []string{"h2"}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{0, 1, 100} {
			raw, err := net.Dial("tcp", n.grpc.Address())
			require.NoError(t, err)
			conn := raw
			if size > 0 {
				conn = &shortRecords{Conn: raw, size: size}
			}
			config := config.Clone()
			config.MinVersion, config.MaxVersion = version, version
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			require.NoError(t, tls.Client(conn, config).HandshakeContext(ctx), "version %x in records of %d", version, size)
			cancel()
			raw.Close()
		}
	}
}

// shortRecords sends the first record, which holds the ClientHello, as records of
// size bytes.
type shortRecords struct {
	net.Conn
	size int
	sent bool
}

func (c *shortRecords) Write(b []byte) (int, error) {
	if c.sent {
		return c.Conn.Write(b)
	}
	c.sent = true
	var out []byte
	for rest := b[5:]; len(rest) > 0; {
		n := min(c.size, len(rest))
		out = append(append(out, b[0], b[1], b[2], 0, byte(n)), rest[:n]...)
		rest = rest[n:]
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// A listener without a source speaks the protocols that its options list, and its options are checked.
func TestGMProtocolsWithoutSource(t *testing.T) {
	n := protocolNode(t, ModeGM, nil, GMProtocolTLS13, false)
	fixed := SecureOptions{UseTLS: true, RequireClientCert: true, ServerMode: ModeGM, Role: t.Name(), GMProtocols: []string{GMProtocolTLS13}}
	material := n.org.node(t)
	fixed.Certificate, fixed.Key, fixed.ClientRootCAs = material.Certificate, material.Key, material.ClientRootCAs
	server, _ := startServer(t, fixed)
	conn, err := dial(t, server.Address(), n.clientOptions())
	require.NoError(t, err)
	_, err = call(t, conn)
	require.NoError(t, err)
	require.NoError(t, SetGMProtocols(n.clientSource.role, nil, GMProtocolTLCP))
	_, err = dial(t, server.Address(), n.clientOptions())
	require.ErrorContains(t, err, "no common protocol")
	fixed.GMProtocols = []string{"TLS1.3"}
	_, err = NewGRPCServer("127.0.0.1:0", ServerConfig{SecOpts: fixed})
	require.ErrorContains(t, err, `"TLS1.3" is not a GM protocol`)
}

// TestSwitchOfNoSide: protocols, or a mode, that would have no effect are refused.
func TestSwitchOfNoSide(t *testing.T) {
	m := newPKI(t).node(t)
	listens := newTestSource(t, SourceConfig{Role: t.Name() + ".listens", Load: fixed(m), ServerMode: ModeGM})
	require.ErrorContains(t, SetGMProtocols(listens.role, nil, GMProtocolTLS13), listens.role+" does not dial")
	require.ErrorContains(t, SetGMProtocols("", nil, GMProtocolTLS13), "this process does not dial")
	require.ErrorContains(t, SetGMProtocols("", []string{GMProtocolTLS13}, GMProtocolTLS13), "this process does not dial")
	require.ErrorContains(t, SetMode("", ModeGM, ClientGM), "this process does not dial")
	require.Equal(t, []protocol{protocolTLCP}, listens.state.Load().gmServer, "nothing has changed")
	require.NoError(t, SetGMProtocols(listens.role, []string{GMProtocolTLS13}, ""))
	require.Equal(t, protocolTLCP, listens.state.Load().gmClient)

	dials := newTestSource(t, SourceConfig{Role: t.Name() + ".dials", Load: fixed(m), ClientMode: ClientGM})
	require.ErrorContains(t, SetGMProtocols(dials.role, []string{GMProtocolTLS13}, ""), dials.role+" does not listen")
	require.NoError(t, SetGMProtocols("", []string{GMProtocolTLCP}, GMProtocolTLS13), "each role has one side")
	require.Equal(t, []protocol{protocolTLCP}, listens.state.Load().gmServer)
	require.Equal(t, protocolTLCP, listens.state.Load().gmClient, "not a side of its own")
	require.Equal(t, []protocol{protocolTLCP}, dials.state.Load().gmServer)
	require.Equal(t, protocolTLS13, dials.state.Load().gmClient)
}

// TestSwitchOfOneSide: the side that is not named stays as it is.
func TestSwitchOfOneSide(t *testing.T) {
	s := newTestSource(t, SourceConfig{
		Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeGM, ClientMode: ClientGM,
		GMProtocols: []string{GMProtocolTLS13}, GMClientProtocol: GMProtocolTLS13,
	})
	requirePresent := func(listed, dialed protocol) {
		t.Helper()
		require.Equal(t, []protocol{listed}, s.state.Load().gmServer)
		require.Equal(t, dialed, s.state.Load().gmClient)
	}
	require.NoError(t, SetGMProtocols(s.role, nil, GMProtocolTLCP))
	requirePresent(protocolTLS13, protocolTLCP)
	require.NoError(t, SetGMProtocols(s.role, nil, GMProtocolTLS13))
	require.NoError(t, SetGMProtocols(s.role, []string{GMProtocolTLCP}, ""))
	requirePresent(protocolTLCP, protocolTLS13)
}
