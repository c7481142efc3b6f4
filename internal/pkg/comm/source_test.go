// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// TestLocalCertificateHash: a node that shows its TLS certificate to one peer
// and its TLCP pair to another knows which it showed where, on both ends of a
// stream. Gossip binds its handshake to this.
func TestLocalCertificateHash(t *testing.T) {
	org := newPKI(t)
	node, remote := org.node(t), org.node(t)
	so := remote.options()
	so.ServerMode, so.RequireClientCert = ModeDual, true
	srv, service := startServer(t, so)
	for _, mode := range []ClientMode{ClientTLS, ClientGM, ClientTLS, ClientGM} {
		co := node.options()
		co.ClientMode, co.RequireClientCert = mode, true
		conn, err := dial(t, srv.Address(), co)
		require.NoError(t, err)
		stream, err := testpb.NewEmptyServiceClient(conn).EmptyStream(t.Context())
		require.NoError(t, err)
		require.NoError(t, stream.Send(&testpb.Empty{}))
		_, err = stream.Recv()
		require.NoError(t, err)
		proto := dialedBy(mode)
		require.Equal(t, node.leafDigest(t, proto), LocalCertificateHash(stream.Context()))
		seen := service.last.Load()
		require.Equal(t, digest(seen.info.State.PeerCertificates[0].Raw), LocalCertificateHash(stream.Context()))
		require.Equal(t, remote.leafDigest(t, proto), seen.local)
	}
	require.Nil(t, LocalCertificateHash(t.Context()))
}

// TestCredentialSupportFollowsSource: the credentials of gossip find the source
// by the certificate that they were given, and follow its mode, certificate and
// roots although gossip keeps them for as long as a connection.
func TestCredentialSupportFollowsSource(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	cert, err := n.clientSource.ClientCertificate()
	require.NoError(t, err)
	cs := NewCredentialSupport()
	cs.SetClientCertificate(cert)
	creds := cs.GetPeerCredentials()
	for i, mode := range []ClientMode{ClientTLS, ClientGM, ClientTLS} {
		require.NoError(t, n.clientSource.SetMode("", mode))
		material := n.org.node(t)
		n.client.set(material, nil)
		require.NoError(t, n.clientSource.Reload())
		conn, err := grpc.NewClient(n.grpc.Address(), grpc.WithTransportCredentials(creds.Clone()))
		require.NoError(t, err)
		defer conn.Close()
		_, err = call(t, conn)
		require.NoError(t, err, "round %d", i)
		state := n.service.last.Load().info.State
		require.Equal(t, material.leafDigest(t, dialedBy(mode)), digest(state.PeerCertificates[0].Raw))
	}
}

// TestCredentialSupportWithoutSource presents a certificate for TLS, and refuses
// to dial with that of a TLCP pair, whose keys only its source has. The roots are
// those of channels; one that nobody can parse leaves the others in effect.
func TestCredentialSupportWithoutSource(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode, so.RequireClientCert = ModeDual, true
	srv, service := startServer(t, so)
	node := org.node(t)
	pairs, err := splitBundle(node.Certificate, node.Key)
	require.NoError(t, err)
	reach := func(cert tls.Certificate) error {
		cs := NewCredentialSupport([]byte("garbage"))
		cs.SetClientCertificate(cert)
		cs.appRootCAsByChain["channel"] = append(org.roots(), []byte("garbage"))
		conn, err := grpc.NewClient(srv.Address(), grpc.WithTransportCredentials(cs.GetPeerCredentials()))
		require.NoError(t, err)
		defer conn.Close()
		_, err = call(t, conn)
		return err
	}
	require.NoError(t, reach(*pairs.Std))
	require.Equal(t, pairs.Std.Certificate[0], service.last.Load().info.State.PeerCertificates[0].Raw)
	require.ErrorContains(t, reach(shown(pairs.GM)), "which no role presents any more")
	require.Equal(t, ClientTLS, (&supportDialer{NewCredentialSupport()}).mode(nil), "without a certificate, as in stock Fabric")
}

// TestSourceLookup: by role, and for options rebuilt from bytes by the digest
// of the bundle, where a role that dials goes first; a replaced source is no
// longer found.
func TestSourceLookup(t *testing.T) {
	org := newPKI(t)
	m := org.node(t)
	server := newTestSource(t, SourceConfig{Role: t.Name() + ".server", Load: fixed(m), ServerMode: ModeDual})
	require.Same(t, server, SecureOptions{Certificate: m.Certificate}.source())
	client := newTestSource(t, SourceConfig{Role: t.Name() + ".client", Load: fixed(m), ClientMode: ClientGM})
	require.Same(t, client, SecureOptions{Certificate: m.Certificate}.source())
	require.Same(t, server, LookupSource(server.role))
	require.Nil(t, LookupSource("no such role"))
	for _, p := range []protocol{protocolTLS, protocolTLCP} {
		leaf, _ := pem.Decode(m.only(p).Certificate)
		require.Same(t, client, sourceOf(leaf.Bytes), "what a connection presents finds its source")
	}
	require.Nil(t, SecureOptions{Certificate: org.node(t).Certificate}.source())

	rebuilt := SecureOptions{UseTLS: true, RequireClientCert: true, Certificate: m.Certificate, Key: m.Key}
	require.Equal(t, m.leafDigest(t, protocolTLCP), rebuilt.BindingHash())
	rebuilt.ClientMode = ClientTLS
	require.Equal(t, m.leafDigest(t, protocolTLS), rebuilt.BindingHash(), "an explicit mode goes before the source's")
	rebuilt.RequireClientCert = false
	require.Nil(t, rebuilt.BindingHash(), "nothing is presented")

	replaced := newTestSource(t, SourceConfig{Role: client.role, Load: fixed(m), ClientMode: ClientTLS})
	require.Same(t, replaced, LookupSource(client.role))
	require.Same(t, replaced, SecureOptions{Certificate: m.Certificate}.source())
	newTestSource(t, SourceConfig{Role: client.role, Load: fixed(org.node(t)), ClientMode: ClientTLS})
	require.Same(t, server, SecureOptions{Certificate: m.Certificate}.source(), "another role that presents it is found as before")
}

func TestSourceRefusals(t *testing.T) {
	org := newPKI(t)
	_, err := NewSource(SourceConfig{Load: fixed(org.node(t))})
	require.ErrorContains(t, err, "needs a role")
	_, err = NewSource(SourceConfig{Role: t.Name()})
	require.ErrorContains(t, err, "needs a role and a way to load its material")
	_, err = NewSource(SourceConfig{Role: t.Name(), Load: fixed(org.node(t)), ServerMode: ModeDual, GMProtocols: []string{"SSL"}})
	require.ErrorContains(t, err, `"SSL" is not a GM protocol`)
	_, err = NewSource(SourceConfig{Role: t.Name(), Load: fixed(org.node(t).only(protocolTLS)), ServerMode: ModeGM})
	require.ErrorContains(t, err, "no SM2 signing and encryption pair")
	_, err = NewSource(SourceConfig{Role: t.Name(), Load: fixed(org.node(t).only(protocolTLS)), ClientMode: ClientGM})
	require.ErrorContains(t, err, "no SM2 signing and encryption pair")
	for _, grace := range []time.Duration{60, -time.Second} {
		_, err = NewSource(SourceConfig{Role: t.Name(), Load: fixed(org.node(t)), ServerMode: ModeDual, DrainGrace: grace})
		require.ErrorContains(t, err, "write a time with its unit, such as 60s")
	}
	_, err = NewSource(SourceConfig{Role: t.Name(), Load: fixed(org.node(t).only(protocolTLCP)), ClientMode: ClientTLS})
	require.ErrorContains(t, err, "cannot dial in mode tls: it has no certificate for TLS")
	require.Nil(t, LookupSource(t.Name()))
	for _, config := range []SourceConfig{
		{Load: fixed(org.node(t).only(protocolTLCP)), ServerMode: ModeGM, ClientMode: ClientTLS},        // a listener's pair need not serve for dialing
		{Load: fixed(bundles{}), ClientMode: ClientTLS}, {Load: fixed(bundles{}), ClientMode: ClientGM}, // nor does every dialer present one
	} {
		config.Role = t.Name()
		newTestSource(t, config)
	}
}

// TestDigestsAreBounded: an operator may reload for ever, and each certificate is remembered once.
func TestDigestsAreBounded(t *testing.T) {
	s := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeDual})
	require.Equal(t, DefaultDrainGrace, s.grace)
	registry.mu.Lock()
	defer registry.mu.Unlock()
	before := len(registry.byDigest)
	own := len(s.digests)
	for i := range 2 * maxDigests {
		for range 2 {
			s.rememberLocked(&sourceState{Material: Material{certFile: fmt.Append(nil, "certificate ", i)}})
		}
	}
	require.Len(t, s.digests, maxDigests)
	require.LessOrEqual(t, len(registry.byDigest), before+maxDigests)
	for digest := range s.digests {
		require.Len(t, slices.DeleteFunc(slices.Clone(registry.byDigest[digest]), func(other *Source) bool { return other != s }), 1)
	}
	s.forgetLocked()
	require.Len(t, registry.byDigest, before-own)
}

// TestRenewalsWithoutEnd: options that were built from an early certificate, and are used, find their source after any number of renewals;
// so do those that were built from the last certificate.
func TestRenewalsWithoutEnd(t *testing.T) {
	m := newPKI(t).node(t)
	certificate := []byte("first")
	s := newTestSource(t, SourceConfig{Role: t.Name(), Load: func() (Material, error) {
		material, err := m.load()
		material.certFile = certificate
		return material, err
	}, ServerMode: ModeDual, ClientMode: ClientTLS})
	for i := range maxDigests + 10 {
		certificate = fmt.Append(nil, "certificate ", i)
		require.NoError(t, s.Reload())
		require.Same(t, s, SecureOptions{Certificate: []byte("first")}.source(), "in use since the start")
		require.Same(t, s, SecureOptions{Certificate: certificate}.source())
	}
	require.Nil(t, SecureOptions{Certificate: []byte("certificate 0")}.source(), "nobody used it again")
}

// TestCertificates lists every certificate of a bundle, for expiry tracking and
// for the status.
func TestCertificates(t *testing.T) {
	m := newPKI(t).node(t)
	s := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(m), ServerMode: ModeDual, ClientMode: ClientTLS})
	certs := s.state.Load().certificates()
	require.Len(t, certs, 3)
	for i, block := range blocks(m.Certificate) {
		require.Equal(t, string(block), string(certPEM(certs[i].Raw)))
	}
	for _, status := range Status() {
		if status.Name == t.Name() {
			require.Equal(t, []string{"tls", "gm-signing", "gm-encryption"}, []string{status.Certificates[0].Use, status.Certificates[1].Use, status.Certificates[2].Use})
			require.False(t, status.Certificates[0].Expired)
		}
	}
	require.NoError(t, s.SetMode(ModeGM, ClientGM))
	client, err := s.ClientCertificate()
	require.NoError(t, err)
	require.Equal(t, [][]byte{certs[1].Raw, certs[2].Raw}, client.Certificate)
}

// TestClientCredentials: the exported literal of upstream's API speaks TLS with
// its configuration and nothing else.
func TestClientCredentials(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, service := startServer(t, so)
	roots, _ := parseRootBlobs(org.roots())
	creds := &DynamicClientCredentials{TLSConfig: &tls.Config{RootCAs: roots.stdPool(), ServerName: "127.0.0.1"}}
	require.Equal(t, "127.0.0.1", creds.Info().ServerName)
	_, _, err := creds.ServerHandshake(nil)
	require.ErrorIs(t, err, ErrServerHandshakeNotImplemented)
	reach := func(creds credentials.TransportCredentials) error {
		conn, err := grpc.NewClient(srv.Address(), grpc.WithTransportCredentials(creds))
		require.NoError(t, err)
		defer conn.Close()
		_, err = call(t, conn)
		return err
	}
	clone := creds.Clone()
	require.NoError(t, clone.OverrideServerName("elsewhere"))
	require.Equal(t, "elsewhere", clone.Info().ServerName)
	require.ErrorContains(t, reach(clone), "elsewhere")
	require.NoError(t, reach(creds), "the clone's name is its own")
	require.Equal(t, uint16(tls.VersionTLS13), service.last.Load().info.State.Version)
}

// TestUnnamedStatus: connections of dialers without a source are in the status.
func TestUnnamedStatus(t *testing.T) {
	org := newPKI(t)
	srv, _ := startServer(t, org.node(t).options())
	conn, err := dial(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots()})
	require.NoError(t, err)
	shown := func() (n int) {
		for _, s := range Status() {
			if s.Name == tlsstatus.Unnamed {
				n += countOf(s.Dialed, protocolTLS)
			}
		}
		return n
	}
	require.NotZero(t, shown())
	conn.Close()
	eventually(t, "it is gone", func() bool { return shown() == 0 })
}

// TestListenerWithoutSource: a listener of fixed material, as that for launched
// chaincode, is in the status until it ends, and stays as it was started.
func TestListenerWithoutSource(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.Role, so.ServerMode = t.Name(), ModeDual
	srv, _ := startServer(t, so)
	shown := func() *tlsstatus.Role {
		for _, s := range Status() {
			if s.Name == t.Name() {
				return &s
			}
		}
		return nil
	}
	conn, err := dial(t, srv.Address(), SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: ClientGM})
	require.NoError(t, err)
	_, err = call(t, conn)
	require.NoError(t, err)
	s := shown()
	require.NotNil(t, s)
	require.Equal(t, ModeDual, s.ServerMode)
	require.Equal(t, ModeDual, s.ConfiguredServerMode)
	require.Len(t, s.Certificates, 3)
	require.Len(t, s.Listeners, 1)
	require.Equal(t, srv.Address(), s.Listeners[0].Address)
	require.Equal(t, 1, countOf(s.Listeners[0].Connections, protocolTLCP))

	require.ErrorContains(t, SetMode(t.Name(), ModeTLS, ""), "neither switched nor reloaded")
	require.ErrorContains(t, Reload(t.Name()), "neither switched nor reloaded")
	newTestSource(t, SourceConfig{Role: t.Name() + ".other", Load: fixed(org.node(t)), ServerMode: ModeDual})
	require.NoError(t, SetMode("", ModeTLS, ""))
	require.Equal(t, ModeDual, shown().ServerMode)
	srv.Stop()
	require.Nil(t, shown())
}

// TestServerNames: the override goes before the host, in either protocol.
func TestServerNames(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	srv, _ := startServer(t, so)
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		co := SecureOptions{UseTLS: true, ServerRootCAs: org.roots(), ClientMode: mode}
		require.NoError(t, try(t, srv.Address(), co))
		co.ServerNameOverride = "elsewhere"
		require.ErrorContains(t, try(t, srv.Address(), co), "elsewhere")
		co.ServerNameOverride = "127.0.0.1"
		require.NoError(t, try(t, srv.Address(), co))
	}
}

// TestModeChangeDuringHandshake: a handshake that ends after a switch to a mode
// without its protocol yields no connection.
func TestModeChangeDuringHandshake(t *testing.T) {
	org := newPKI(t)
	so := org.node(t).options()
	so.ServerMode = ModeDual
	e, err := fixedEndpoint(so)
	require.NoError(t, err)
	closed := false
	entry := &tracked{protocol: protocolTLS, addresses: t.Name(), permitted: e.permits(protocolTLS), close: func() error {
		closed = true
		return nil
	}}
	next := *e.live.state.Load()
	next.mode = ModeGM
	e.live.state.Store(&next)
	var mode *ModeError
	require.ErrorAs(t, e.track(entry), &mode)
	require.True(t, closed)
	require.Empty(t, e.conns.count())
	_, known := localHashes.Load(t.Name())
	require.False(t, known)
}

// changedDialer is one whose mode has changed since its handshake began.
type changedDialer struct{ dialer }

func (d changedDialer) bind() (*connGroup, func() protocol) {
	group, _ := d.dialer.bind()
	return group, func() protocol { return protocolTLCP }
}

// TestModeChangeWhileDialing is the same at the dialing end.
func TestModeChangeWhileDialing(t *testing.T) {
	org := newPKI(t)
	srv, _ := startServer(t, org.node(t).options())
	raw, err := net.Dial("tcp", srv.Address())
	require.NoError(t, err)
	defer raw.Close()
	d := newOptionsDialer(SecureOptions{UseTLS: true, ServerRootCAs: org.roots()}, alpnProtocols)
	_, _, err = (&DynamicClientCredentials{dialer: changedDialer{d}}).ClientHandshake(t.Context(), srv.Address(), raw)
	require.ErrorIs(t, err, errModeChanged)
	_, err = raw.Write([]byte{0})
	require.ErrorIs(t, err, net.ErrClosed)
}

// TestHealth: the health service reports every registered service.
func TestHealth(t *testing.T) {
	srv, err := NewGRPCServer("127.0.0.1:0", ServerConfig{HealthCheckEnabled: true})
	require.NoError(t, err)
	testpb.RegisterEmptyServiceServer(srv.Server(), &echoService{})
	go srv.Start()
	defer srv.Stop()
	require.False(t, srv.MutualTLSRequired())
	require.Error(t, srv.SetClientRootCAs(nil), "a server without TLS has no roots to set")
	require.Equal(t, tls.Certificate{}, srv.ServerCertificate())
	conn, err := dial(t, srv.Address(), SecureOptions{})
	require.NoError(t, err)
	for name := range srv.Server().GetServiceInfo() {
		eventually(t, name+" is healthy", func() bool {
			answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
			return err == nil && answer.Status == healthpb.HealthCheckResponse_SERVING
		})
	}
}

// TestSetServerCertificate replaces the certificate for TLS until the next reload.
func TestSetServerCertificate(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	other := n.org.node(t)
	pairs, err := splitBundle(other.Certificate, other.Key)
	require.NoError(t, err)
	presented := func(mode ClientMode) []byte {
		require.NoError(t, n.clientSource.SetMode("", mode))
		info, err := call(t, n.dial(t))
		require.NoError(t, err)
		return digest(info.State.PeerCertificates[0].Raw)
	}
	original := n.server.m
	n.grpc.SetServerCertificate(*pairs.Std)
	require.Equal(t, *pairs.Std, n.grpc.ServerCertificate())
	require.Equal(t, other.leafDigest(t, protocolTLS), presented(ClientTLS))
	require.Equal(t, original.leafDigest(t, protocolTLCP), presented(ClientGM))
	require.NoError(t, n.grpc.SetClientRootCAs(n.org.roots()))
	require.Equal(t, other.leafDigest(t, protocolTLS), presented(ClientTLS), "it survives a change of roots")
	require.NoError(t, n.serverSource.Reload())
	require.Equal(t, original.leafDigest(t, protocolTLS), presented(ClientTLS))
	require.Equal(t, original.leafDigest(t, protocolTLCP), presented(ClientGM))
	require.NoError(t, n.grpc.SetClientRootCAs(n.org.roots()))
	require.Equal(t, original.leafDigest(t, protocolTLS), presented(ClientTLS))
}

// TestTrace: the logger comm.tls at debug shows a handshake message by message
// on both ends, as far as messages are in the clear.
func TestTrace(t *testing.T) {
	old := flogging.Global.Spec()
	defer flogging.ActivateSpec(old)
	flogging.ActivateSpec("comm.tls=debug")
	full := []string{
		"ClientHello", "ServerHello", "Certificate", "ServerKeyExchange", "CertificateRequest",
		"ServerHelloDone", "ClientKeyExchange", "CertificateVerify",
	}
	for _, c := range []struct {
		name     string
		mode     ClientMode
		version  uint16 // greatest of TLS
		messages []string
		protocol string
	}{
		{"TLCP", ClientGM, 0, append(full, "Finished"), "TLCP"},
		{"TLS 1.2", ClientTLS, tls.VersionTLS12, append(full, "ChangeCipherSpec"), "TLS"},
		{"TLS 1.3", ClientTLS, tls.VersionTLS13, []string{"ClientHello", "ServerHello", "protected record"}, "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out safeBuffer
			writer := flogging.Global.SetWriter(&out)
			defer flogging.Global.SetWriter(writer)
			org := newPKI(t)
			so := org.node(t).options()
			so.ServerMode, so.RequireClientCert = ModeDual, true
			srv, _ := startServer(t, so)
			co := org.node(t).options()
			co.ClientMode, co.RequireClientCert = c.mode, true
			var d dialer = newOptionsDialer(co, alpnProtocols)
			if c.mode == ClientTLS {
				config, err := co.TLSConfig()
				require.NoError(t, err)
				config.MaxVersion = c.version
				d = staticDialer{config}
			}
			conn, err := dialTLS(t.Context(), d, "tcp", srv.Address())
			require.NoError(t, err)
			defer conn.Close()
			eventually(t, "both ends are logged", func() bool {
				return containsAll(out.String(), "Client TLS handshake completed", "Server TLS handshake completed")
			})
			for _, message := range c.messages {
				require.True(t, containsAll(out.String(), c.protocol+" sent "+message, c.protocol+" received "+message), "%s in %s", message, out.String())
			}
		})
	}
}

// TestRegisteredBeforeItIsJudged: a switch of mode or an update of lists that comes while a connection is judged finds it in its group.
func TestRegisteredBeforeItIsJudged(t *testing.T) {
	g := &connGroup{}
	registered := func() int { return len(g.matching(func(*tracked) bool { return true })) }
	var byMode, byLists int
	entry := &tracked{
		addresses: t.Name(),
		permitted: func() bool { byMode = registered(); return true },
		refused:   func() error { byLists = registered(); return nil },
	}
	require.NoError(t, g.add(entry))
	defer entry.remove()
	require.Equal(t, 1, byMode)
	require.Equal(t, 1, byLists)
}

// TestReusedAddresses: a connection that ends late leaves alone what has come after it from the same port.
func TestReusedAddresses(t *testing.T) {
	g := &connGroup{}
	entry := func() *tracked { return &tracked{addresses: t.Name(), permitted: func() bool { return true }} }
	old, fresh := entry(), entry()
	require.NoError(t, g.add(old))
	require.NoError(t, g.add(fresh))
	old.remove()
	found, _ := localHashes.Load(t.Name())
	require.Same(t, fresh, found)
	fresh.remove()
	_, known := localHashes.Load(t.Name())
	require.False(t, known)
}
