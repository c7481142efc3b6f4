// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"fmt"
	"testing"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/credentials"
)

// TestModes runs every server mode against every client mode, with and without
// client authentication and over each suite of TLCP.
func TestModes(t *testing.T) {
	org := newPKI(t)
	server, client := org.node(t), org.node(t)
	for _, serverMode := range []ServerMode{"", ModeTLS, ModeDual, ModeGM} {
		for _, clientMode := range []ClientMode{"", ClientTLS, ClientGM} {
			for _, mutual := range []bool{false, true} {
				for _, suite := range append([]*gmtls.CipherSuite{nil}, gmtls.CipherSuites()...) {
					if suite != nil && clientMode != ClientGM {
						continue
					}
					c := modeCase{serverMode: serverMode, clientMode: clientMode, mutual: mutual, suite: suite}
					t.Run(c.String(), func(t *testing.T) { c.run(t, server, client) })
				}
			}
		}
	}
}

type modeCase struct {
	serverMode ServerMode
	clientMode ClientMode
	mutual     bool
	suite      *gmtls.CipherSuite
}

func (c modeCase) String() string {
	suite := "default"
	if c.suite != nil {
		suite = c.suite.Name
	}
	return fmt.Sprintf("server=%s,client=%s,mutual=%t,suite=%s", c.serverMode, c.clientMode, c.mutual, suite)
}

// ecdhe suites need the client's pair, which it has with client authentication
// alone.
func (c modeCase) ecdhe() bool {
	return c.suite != nil && (c.suite.ID == gmtls.ECDHE_SM4_CBC_SM3 || c.suite.ID == gmtls.ECDHE_SM4_GCM_SM3)
}

func (c modeCase) run(t *testing.T, server, client bundles) {
	so := server.options()
	so.ServerMode, so.RequireClientCert = c.serverMode, c.mutual
	srv, service := startServer(t, so)

	co := client.options()
	co.ClientMode, co.RequireClientCert = c.clientMode, c.mutual
	if c.suite != nil {
		co.CipherSuites = []uint16{c.suite.ID}
	}
	proto := dialedBy(c.clientMode)
	conn, err := dial(t, srv.Address(), co)
	if c.ecdhe() && !c.mutual {
		require.ErrorContains(t, err, "offers only ECDHE suites")
		return
	}
	if !speaks(c.serverMode, proto) {
		require.ErrorContains(t, err, "no common protocol")
		require.ErrorContains(t, err, "client mode")
		require.Empty(t, srv.endpoint.conns.count())
		return
	}
	require.NoError(t, err)
	info, err := call(t, conn)
	require.NoError(t, err)

	require.Equal(t, credentials.PrivacyAndIntegrity, info.SecurityLevel)
	require.True(t, info.State.HandshakeComplete)
	require.Equal(t, "h2", info.State.NegotiatedProtocol)
	require.Equal(t, server.leafDigest(t, proto), digest(info.State.PeerCertificates[0].Raw))
	require.NotEmpty(t, info.State.VerifiedChains)
	if c.suite != nil {
		require.Equal(t, c.suite.ID, info.State.CipherSuite)
	}
	got := service.last.Load()
	require.Equal(t, server.leafDigest(t, proto), got.local)
	if !c.mutual {
		require.Empty(t, got.info.State.PeerCertificates)
		return
	}
	require.Equal(t, client.leafDigest(t, proto), digest(got.info.State.PeerCertificates[0].Raw))
	require.Equal(t, client.leafDigest(t, proto), co.BindingHash())
	require.NotEmpty(t, got.info.State.VerifiedChains)
	if proto == protocolTLCP {
		require.GreaterOrEqual(t, len(got.info.State.PeerCertificates), 2, "signing and encryption certificate")
		require.Equal(t, gmtls.VersionTLCP, got.info.State.Version)
	}
}

// TestRequestedButNotVerified holds upstream's semantics without client
// authentication: a certificate is asked for and its hash is there for
// discovery and gossip, but nobody verifies it.
func TestRequestedButNotVerified(t *testing.T) {
	org, stranger := newPKI(t), newPKI(t)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			so := org.node(t).options()
			so.ServerMode = ModeDual
			srv, service := startServer(t, so)
			client := stranger.node(t)
			co := client.options()
			co.ServerRootCAs, co.ClientMode, co.RequireClientCert = org.roots(), mode, true
			conn, err := dial(t, srv.Address(), co)
			require.NoError(t, err)
			_, err = call(t, conn)
			require.NoError(t, err)
			state := service.last.Load().info.State
			require.Equal(t, client.leafDigest(t, dialedBy(mode)), digest(state.PeerCertificates[0].Raw))
			require.Empty(t, state.VerifiedChains)
		})
	}
}

// TestStrangersRefused is the counterpart with client authentication.
func TestStrangersRefused(t *testing.T) {
	org, stranger := newPKI(t), newPKI(t)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		for _, presents := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,presents=%t", mode, presents), func(t *testing.T) {
				so := org.node(t).options()
				so.ServerMode, so.RequireClientCert = ModeDual, true
				srv, service := startServer(t, so)
				co := stranger.node(t).options()
				co.ServerRootCAs, co.ClientMode, co.RequireClientCert = org.roots(), mode, presents
				require.Error(t, try(t, srv.Address(), co))
				require.Zero(t, service.calls.Load())
			})
		}
	}
}

// TestServerRefusedByClient: neither family accepts a server of another CA, nor
// one root of the other family and none of its family.
func TestServerRefusedByClient(t *testing.T) {
	org, stranger := newPKI(t), newPKI(t)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			so := org.node(t).options()
			so.ServerMode = ModeDual
			srv, _ := startServer(t, so)
			co := SecureOptions{UseTLS: true, ClientMode: mode, ServerRootCAs: stranger.roots()}
			d := newOptionsDialer(co, alpnProtocols)
			_, err := dialTLS(t.Context(), d, "tcp", srv.Address())
			require.Error(t, err)
		})
	}
}

// TestModesWithoutMaterial: a mode for which a certificate or a root is missing
// is refused when the listener or the dialer is made, never replaced by another.
func TestModesWithoutMaterial(t *testing.T) {
	org := newPKI(t)
	node := org.node(t)
	server := func(m bundles, mode ServerMode) error {
		so := m.options()
		so.ServerMode = mode
		_, err := fixedEndpoint(so)
		return err
	}
	require.ErrorContains(t, server(node.only(protocolTLS), ModeGM), "no SM2 signing and encryption pair")
	require.ErrorContains(t, server(node.only(protocolTLS), ModeDual), "no SM2 signing and encryption pair")
	require.ErrorContains(t, server(node.only(protocolTLCP), ModeTLS), "no certificate for TLS")
	require.ErrorContains(t, server(node.only(protocolTLCP), ModeDual), "no certificate for TLS")
	require.NoError(t, server(node.only(protocolTLCP), ModeGM))
	require.ErrorContains(t, server(node, "gmtls"), `"gmtls" is not a server mode`)

	client := func(m bundles, mode ClientMode, roots ...[]byte) error {
		co := m.options()
		co.ServerRootCAs, co.ClientMode, co.RequireClientCert = roots, mode, len(m.Certificate) > 0
		_, err := ClientConfig{SecOpts: co}.DialOptions()
		return err
	}
	require.ErrorContains(t, client(node.only(protocolTLS), ClientGM, org.gm.CertPEM), "no SM2 signing and encryption pair")
	require.ErrorContains(t, client(node.only(protocolTLCP), ClientTLS, org.std.CertBytes()), "none for TLS")
	require.ErrorContains(t, client(bundles{}, ClientGM), "none of its 0 server root CAs is SM2")
	require.ErrorContains(t, client(bundles{}, ClientGM, org.std.CertBytes()), "none of its 1 server root CAs is SM2")
	require.ErrorContains(t, client(bundles{}, ClientTLS, org.gm.CertPEM), "all of its 1 server root CAs are SM2")
	require.NoError(t, client(bundles{}, ClientTLS), "no roots at all mean the system's, as upstream has it")
}

func fixedEndpoint(so SecureOptions) (*endpoint, error) {
	return newEndpoint(testAddr("test"), so, 0, nil)
}

type testAddr string

func (a testAddr) Network() string { return "test" }
func (a testAddr) String() string  { return string(a) }

func TestParseModes(t *testing.T) {
	for value, want := range map[string]ServerMode{"": ModeTLS, "tls": ModeTLS, "dual": ModeDual, "gm": ModeGM} {
		got, err := ParseServerMode(value)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for value, want := range map[string]ClientMode{"": ClientTLS, "tls": ClientTLS, "gm": ClientGM} {
		got, err := ParseClientMode(value)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, value := range []string{"GM", "tlcp", " gm", "both"} {
		_, err := ParseServerMode(value)
		require.Error(t, err)
		_, err = ParseClientMode(value)
		require.Error(t, err)
	}
	_, err := ParseClientMode("dual")
	require.ErrorContains(t, err, "use tls or gm")
}

// TestSourceSuites: the suites of a source hold for its listeners and for its
// dialers.
func TestSourceSuites(t *testing.T) {
	org := newPKI(t)
	_, err := NewSource(SourceConfig{Role: t.Name(), Load: fixed(org.node(t)), GMCipherSuites: []string{"ECC_SM4_GCM_SM3", "RC4"}})
	require.ErrorContains(t, err, `no cipher suite "RC4"`)
	require.ErrorContains(t, err, "ECDHE_SM4_CBC_SM3")
	for _, suite := range gmtls.CipherSuites() {
		for _, side := range []string{"server", "client"} {
			t.Run(suite.Name+","+side, func(t *testing.T) {
				server := SourceConfig{Role: t.Name() + ".server", Load: fixed(org.node(t)), ServerMode: ModeGM}
				client := SourceConfig{Role: t.Name() + ".client", Load: fixed(org.node(t)), ClientMode: ClientGM}
				if side == "server" {
					server.GMCipherSuites = []string{suite.Name}
				} else {
					client.GMCipherSuites = []string{suite.Name}
				}
				srv, _ := startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: newTestSource(t, server)})
				conn, err := dial(t, srv.Address(), SecureOptions{UseTLS: true, RequireClientCert: true, Source: newTestSource(t, client)})
				require.NoError(t, err)
				info, err := call(t, conn)
				require.NoError(t, err)
				require.Equal(t, suite.ID, info.State.CipherSuite)
			})
		}
	}
}
