// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/common/tlsstatus"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

// liveNode is a server and a client that follow sources.
type liveNode struct {
	org            *pki
	server, client changing
	serverSource   *Source
	clientSource   *Source
	grpc           *GRPCServer
	service        *echoService
}

func newLiveNode(t testing.TB, mode ServerMode, grace time.Duration) *liveNode {
	t.Helper()
	n := &liveNode{org: newPKI(t)}
	n.server.set(n.org.node(t), nil)
	n.client.set(n.org.node(t), nil)
	n.serverSource = newTestSource(t, SourceConfig{Role: t.Name() + ".server", Load: n.server.load, ServerMode: mode, DrainGrace: grace})
	n.clientSource = newTestSource(t, SourceConfig{Role: t.Name() + ".client", Load: n.client.load, ClientMode: ClientTLS, DrainGrace: grace})
	n.grpc, n.service = startServer(t, SecureOptions{UseTLS: true, RequireClientCert: true, Source: n.serverSource})
	return n
}

func (n *liveNode) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := dial(t, n.grpc.Address(), n.clientOptions())
	require.NoError(t, err)
	return conn
}

func (n *liveNode) clientOptions() SecureOptions {
	return SecureOptions{UseTLS: true, RequireClientCert: true, Source: n.clientSource}
}

// connections returns the number of live connections that the status shows for
// a protocol, on the server's side.
func (n *liveNode) connections(p protocol) int {
	for _, s := range Status() {
		if s.Name == n.serverSource.role {
			return countOf(s.Listeners[0].Connections, p)
		}
	}
	return -1
}

func countOf(counts []tlsstatus.Connections, p protocol) int {
	total := 0
	for _, c := range counts {
		if c.Protocol == string(p) {
			total += c.Count
		}
	}
	return total
}

// TestLiveSwitch goes from tls over dual to gm and back while calls run on
// several connections, and loses none of them.
func TestLiveSwitch(t *testing.T) {
	n := newLiveNode(t, ModeTLS, patience)
	const workers = 4
	var calls atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	failures := make(chan error, workers)
	for range workers {
		client := testpb.NewEmptyServiceClient(n.dial(t))
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_, err := client.EmptyCall(ctx, &testpb.Empty{})
				cancel()
				if err != nil {
					failures <- err
					return
				}
				calls.Add(1)
			}
		})
	}
	progress := func() {
		t.Helper()
		from := calls.Load()
		eventually(t, "calls go on", func() bool { return calls.Load() > from+20 || len(failures) > 0 })
	}
	progress()
	require.Equal(t, workers, n.connections(protocolTLS))

	require.NoError(t, n.serverSource.SetMode(ModeDual, ""))
	progress()
	require.Equal(t, workers, n.connections(protocolTLS), "dual leaves TLS connections alone")

	require.NoError(t, n.clientSource.SetMode("", ClientGM))
	eventually(t, "the clients' TLS connections end", func() bool { return n.connections(protocolTLS) == 0 })
	eventually(t, "every client has a TLCP connection", func() bool { return n.connections(protocolTLCP) == workers })
	progress()

	require.NoError(t, n.serverSource.SetMode(ModeGM, ""))
	progress()
	require.Equal(t, workers, n.connections(protocolTLCP))

	require.NoError(t, n.serverSource.SetMode(ModeDual, ""))
	require.NoError(t, n.clientSource.SetMode("", ClientTLS))
	eventually(t, "the clients' TLCP connections end", func() bool { return n.connections(protocolTLCP) == 0 })
	progress()
	close(stop)
	wg.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("a call was lost: %s", err)
	}
	require.NotZero(t, calls.Load())
}

// TestServerDrain switches a server to gm under a client that already dials gm
// but still has a TLS connection, as when operators switch the clients first.
func TestServerDrain(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	client := testpb.NewEmptyServiceClient(n.dial(t))
	stream, err := client.EmptyStream(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&testpb.Empty{}))
	_, err = stream.Recv()
	require.NoError(t, err)

	require.NoError(t, n.serverSource.SetMode(ModeGM, ""))
	require.NoError(t, n.clientSource.SetMode("", ClientGM))
	eventually(t, "new calls go over a new connection", func() bool {
		_, err = client.EmptyCall(t.Context(), &testpb.Empty{}, grpc.WaitForReady(true))
		require.NoError(t, err)
		return n.connections(protocolTLCP) == 1
	})
	require.Equal(t, 1, n.connections(protocolTLS), "the stream keeps its connection during the grace")
	require.NoError(t, stream.Send(&testpb.Empty{}))
	_, err = stream.Recv()
	require.NoError(t, err)

	require.NoError(t, stream.CloseSend())
	eventually(t, "the TLS connection ends with its last stream", func() bool { return n.connections(protocolTLS) == 0 })
}

// TestDrainGrace closes what outlives the grace.
func TestDrainGrace(t *testing.T) {
	n := newLiveNode(t, ModeDual, time.Millisecond)
	stream, err := testpb.NewEmptyServiceClient(n.dial(t)).EmptyStream(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&testpb.Empty{}))
	_, err = stream.Recv()
	require.NoError(t, err)
	require.Equal(t, 1, n.connections(protocolTLS))
	require.NoError(t, n.serverSource.SetMode(ModeGM, ""))
	eventually(t, "the TLS connection is closed", func() bool { return n.connections(protocolTLS) == 0 })
	_, err = stream.Recv()
	require.Error(t, err)
}

// TestRotation replaces the certificates of both ends: the next handshakes
// present the new ones, connections that stand continue, and options that were
// built from the old bytes follow.
func TestRotation(t *testing.T) {
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			n := newLiveNode(t, ModeDual, patience)
			require.NoError(t, n.clientSource.SetMode("", mode))
			before := n.dial(t)
			_, err := call(t, before)
			require.NoError(t, err)
			rebuilt := SecureOptions{UseTLS: true, Certificate: n.clientSource.Material().PEM(), ServerRootCAs: n.org.roots()}
			rebuilt.RequireClientCert = true

			server, client := n.org.node(t), n.org.node(t)
			n.server.set(server, nil)
			n.client.set(client, nil)
			require.NoError(t, n.serverSource.Reload())
			require.NoError(t, n.clientSource.Reload())

			_, err = call(t, before)
			require.NoError(t, err)
			for _, opts := range []SecureOptions{n.clientOptions(), rebuilt} {
				require.Equal(t, client.leafDigest(t, dialedBy(mode)), opts.BindingHash())
				after, err := dial(t, n.grpc.Address(), opts)
				require.NoError(t, err)
				info, err := call(t, after)
				require.NoError(t, err)
				require.Equal(t, server.leafDigest(t, dialedBy(mode)), digest(info.State.PeerCertificates[0].Raw))
				seen := n.service.last.Load()
				require.Equal(t, client.leafDigest(t, dialedBy(mode)), digest(seen.info.State.PeerCertificates[0].Raw))
			}
			require.Equal(t, 3, n.connections(dialedBy(mode)), "no connection was touched")
		})
	}
}

// TestRedialForCertificate: a role that is known by its certificate leaves the
// connection that it opened with the old one, without losing a call.
func TestRedialForCertificate(t *testing.T) {
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			n := newLiveNode(t, ModeDual, patience)
			n.clientSource.redial = true
			require.NoError(t, n.clientSource.SetMode("", mode))
			conn := n.dial(t)
			_, err := call(t, conn)
			require.NoError(t, err)
			require.NoError(t, n.clientSource.Reload())
			_, err = call(t, conn)
			require.NoError(t, err)
			require.Equal(t, 1, n.connections(dialedBy(mode)), "the certificate is the same: no connection was to be touched")

			client := n.org.node(t)
			n.client.set(client, nil)
			require.NoError(t, n.clientSource.Reload())
			require.Eventually(t, func() bool {
				_, err := call(t, conn)
				require.NoError(t, err)
				seen := n.service.last.Load()
				return string(digest(seen.info.State.PeerCertificates[0].Raw)) == string(client.leafDigest(t, dialedBy(mode)))
			}, patience, time.Millisecond)
			require.Eventually(t, func() bool { return n.connections(dialedBy(mode)) == 1 }, patience, time.Millisecond)
		})
	}
}

// TestRedialForCertificateDuringHandshake: a reload looks through the connections before this one is among them. It is given up
// for one with the new certificate, or its peers would refuse it for as long as it stands.
func TestRedialForCertificateDuringHandshake(t *testing.T) {
	for _, mode := range []ClientMode{ClientTLS, ClientGM} {
		t.Run(string(mode), func(t *testing.T) {
			n := newLiveNode(t, ModeDual, patience)
			n.clientSource.redial = true
			require.NoError(t, n.clientSource.SetMode("", mode))
			client := n.org.node(t)
			opts := n.clientOptions()
			var reload sync.Once
			opts.VerifyCertificate = func([][]byte, [][]*x509.Certificate) error {
				reload.Do(func() {
					n.client.set(client, nil)
					require.NoError(t, n.clientSource.Reload())
				})
				return nil
			}
			conn, err := dial(t, n.grpc.Address(), opts)
			require.NoError(t, err)
			_, err = call(t, conn)
			require.NoError(t, err)
			seen := n.service.last.Load()
			require.Equal(t, client.leafDigest(t, dialedBy(mode)), digest(seen.info.State.PeerCertificates[0].Raw))
			require.Eventually(t, func() bool { return n.connections(dialedBy(mode)) == 1 }, patience, time.Millisecond)
		})
	}
}

// TestBadReload: material that cannot serve changes nothing and says why.
func TestBadReload(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	good, key := n.serverSource.Material(), n.server.m.Key
	other := n.org.node(t)
	expired := n.org.node(t).only(protocolTLS)
	gmCerts, gmKeys := n.org.gm.NewPairUntil(t, time.Now().Add(-time.Hour), "127.0.0.1").Bundle(expired.Certificate, expired.Key)

	bad := map[string]struct {
		m   bundles
		err error
		say string
	}{
		"unreadable file":     {err: errors.New("open server.crt: no such file"), say: "no such file"},
		"key of another":      {m: bundles{Certificate: other.Certificate, Key: key}, say: "no key for the SM2 signing certificate"},
		"TLCP pair missing":   {m: other.only(protocolTLS), say: "no SM2 signing and encryption pair"},
		"TLS pair missing":    {m: other.only(protocolTLCP), say: "no certificate for TLS"},
		"nothing":             {m: bundles{}, say: "no certificate for TLS"},
		"garbage":             {m: bundles{Certificate: []byte("garbage"), Key: key}, say: "failed to find any PEM data"},
		"expired":             {m: bundles{Certificate: gmCerts, Key: gmKeys}, say: "is valid from"},
		"garbage among roots": {m: bundles{Certificate: other.Certificate, Key: other.Key, ClientRootCAs: [][]byte{n.org.std.CertBytes(), []byte("garbage")}}, say: "no certificate can be parsed in element 1"},
	}
	for name, c := range bad {
		t.Run(name, func(t *testing.T) {
			n.server.set(c.m, c.err)
			err := n.serverSource.Reload()
			require.ErrorContains(t, err, c.say)
			require.ErrorContains(t, err, n.serverSource.role)
			require.Equal(t, good, n.serverSource.Material())
			for _, s := range Status() {
				if s.Name == n.serverSource.role {
					require.Equal(t, err.Error(), s.Last.Error)
				}
			}
			_, err = call(t, n.dial(t))
			require.NoError(t, err)
		})
	}
}

// TestBadReloadOfDialer: a dialer whose pair has gone would go on without a certificate.
func TestBadReloadOfDialer(t *testing.T) {
	org := newPKI(t)
	node := &changing{m: org.node(t)}
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: node.load, ClientMode: ClientGM})
	before := source.Material()
	node.set(org.node(t).only(protocolTLS), nil)
	require.ErrorContains(t, source.Reload(), "cannot dial in mode gm: it has no SM2 signing and encryption pair")
	require.Equal(t, before, source.Material())
}

// TestSourceOfAReload: a role that is set up while the others reload has nothing that the reload could swap in.
func TestSourceOfAReload(t *testing.T) {
	org := newPKI(t)
	node := org.node(t)
	reloading := false
	var late *Source
	newTestSource(t, SourceConfig{Role: t.Name() + ".first", ServerMode: ModeDual, Load: func() (Material, error) {
		if reloading {
			reloading = false
			late = newTestSource(t, SourceConfig{Role: t.Name() + ".late", Load: fixed(node), ClientMode: ClientTLS})
		}
		return node.load()
	}})
	reloading = true
	require.ErrorContains(t, Reload(""), t.Name()+".late was set up during the reload: reload again")
	require.NotNil(t, late.Material().Std)
	require.NoError(t, Reload(""))
	require.NotNil(t, late.Material().Std)
}

// TestNotYetValid: a certificate of the future is not presented.
func TestNotYetValid(t *testing.T) {
	now := time.Now()
	valid := func(from, to time.Duration) error {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(from), NotAfter: now.Add(to)}
		return Material{Std: &tls.Certificate{Leaf: leaf}}.checkValidity("role", now)
	}
	require.NoError(t, valid(-time.Hour, time.Hour))
	require.ErrorContains(t, valid(time.Hour, 2*time.Hour), "is valid from")
	require.ErrorContains(t, valid(-2*time.Hour, -time.Hour), "is valid from")
}

// TestAllOrNothing: one role's bad material keeps every role from changing.
func TestAllOrNothing(t *testing.T) {
	n := newLiveNode(t, ModeDual, patience)
	before := n.serverSource.Material()
	n.server.set(n.org.node(t), nil)
	n.client.set(bundles{}, errors.New("disk on fire"))
	require.ErrorContains(t, Reload(""), "disk on fire")
	require.Equal(t, before, n.serverSource.Material())

	n.client.set(n.org.node(t).only(protocolTLS), nil)
	require.NoError(t, Reload(""))
	require.NotEqual(t, before, n.serverSource.Material())
	require.ErrorContains(t, SetMode("", ModeGM, ClientGM), "cannot dial in mode gm")
	mode, _ := n.serverSource.Modes()
	require.Equal(t, ModeDual, mode)
}

func TestSetModeRefusals(t *testing.T) {
	n := newLiveNode(t, ModeTLS, patience)
	require.ErrorContains(t, SetMode("no such role", ModeGM, ""), `no role "no such role"`)
	require.ErrorContains(t, n.serverSource.SetMode("", ""), "no mode given")
	require.ErrorContains(t, n.serverSource.SetMode("tlcp", ""), "not a server mode")
	require.ErrorContains(t, n.serverSource.SetMode("", ClientGM), n.serverSource.role+" does not dial")
	require.ErrorContains(t, n.serverSource.SetMode(ModeDual, ClientGM), n.serverSource.role+" does not dial")
	require.ErrorContains(t, n.clientSource.SetMode(ModeGM, ""), n.clientSource.role+" does not listen")
	require.ErrorContains(t, n.clientSource.SetMode("", "dual"), "not a client mode")
	_, client := n.clientSource.Modes()
	require.Equal(t, ClientTLS, client)

	both := newTestSource(t, SourceConfig{Role: t.Name() + ".both", Load: fixed(n.org.node(t)), ServerMode: ModeDual, ClientMode: ClientTLS})
	require.NoError(t, both.SetMode("", ClientGM))
	server, client := both.Modes()
	require.Equal(t, []string{"dual", "gm"}, []string{string(server), string(client)}, "what is not named stays")
	require.NoError(t, both.SetMode(ModeGM, ""))
	server, client = both.Modes()
	require.Equal(t, []string{"gm", "gm"}, []string{string(server), string(client)})

}

// TestSwitchThatLocksOut: a listener that verifies clients is not switched, in either direction, to a mode in which it can verify
// none, and a root is not taken away so; the operator who asks would be locked out too. It is not held against a reload that
// this is so already.
func TestSwitchThatLocksOut(t *testing.T) {
	org := newPKI(t)
	grpcListener := func(t *testing.T, so SecureOptions) { startServer(t, so) }
	httpListener := func(listen func(net.Listener, SecureOptions) (net.Listener, error)) func(*testing.T, SecureOptions) {
		return func(t *testing.T, so SecureOptions) {
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			l, err := listen(inner, so)
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
		}
	}
	for name, c := range map[string]struct {
		listen   func(*testing.T, SecureOptions)
		required bool
		say      string // empty: clients are not verified, or prove who they are in another way
	}{
		"gRPC":                  {grpcListener, true, "would refuse every client"},
		"gRPC, not required":    {grpcListener, false, ""},
		"HTTP":                  {httpListener(NewHTTPListener), true, "would refuse every client"},
		"HTTP, verified if any": {httpListener(NewHTTPListener), false, "would verify no client"},
		"HTTP, anonymous":       {httpListener(NewAnonymousHTTPListener), false, ""},
	} {
		for mode, root := range map[ServerMode][]byte{ModeGM: org.std.CertBytes(), ModeTLS: org.gm.CertPEM} {
			t.Run(name+" to "+string(mode), func(t *testing.T) {
				m := org.node(t)
				node := &changing{m: m}
				source := newTestSource(t, SourceConfig{Role: t.Name(), Load: node.load, ServerMode: ModeDual})
				c.listen(t, SecureOptions{UseTLS: true, RequireClientCert: c.required, Source: source})
				one := m
				one.ClientRootCAs = [][]byte{root}
				node.set(one, nil)
				require.NoError(t, source.Reload(), "those of the other family are there")
				if c.say == "" {
					require.NoError(t, source.SetMode(mode, ""))
					return
				}
				require.ErrorContains(t, source.SetMode(mode, ""), c.say)
				node.set(m, nil)
				require.NoError(t, source.Reload())
				require.NoError(t, source.SetMode(mode, ""))
				node.set(one, nil)
				require.ErrorContains(t, source.Reload(), c.say)

				locked := newTestSource(t, SourceConfig{Role: t.Name() + " locked", Load: fixed(one), ServerMode: mode})
				c.listen(t, SecureOptions{UseTLS: true, RequireClientCert: c.required, Source: locked})
				require.NoError(t, locked.Reload())
			})
		}
	}
}

// TestUnwrittenMode: a switch that a restart would undo is told with the key to
// set, by the log and the status; one that leads back to the configuration is
// not.
func TestUnwrittenMode(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t, floggingtest.AtLevel(zap.WarnLevel))
	defer func(old *flogging.FabricLogger) { commLogger = old }(commLogger)
	commLogger = logger
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeTLS, ModeKey: "peer.tls.mode"})
	require.NoError(t, source.Reload())
	require.Empty(t, recorder.Messages())
	require.NoError(t, source.SetMode(ModeDual, ""))
	require.Len(t, recorder.Messages(), 1)
	require.True(t, containsAll(recorder.Messages()[0], t.Name(), "restart", "set peer.tls.mode to dual"), recorder.Messages()[0])
	require.NoError(t, source.SetMode(ModeTLS, ""))
	require.Len(t, recorder.Messages(), 1)
}

// TestUnwrittenProtocols: a switch of GM protocols is told in the same way, also in a mode that does not use them yet.
func TestUnwrittenProtocols(t *testing.T) {
	logger, recorder := floggingtest.NewTestLogger(t, floggingtest.AtLevel(zap.WarnLevel))
	defer func(old *flogging.FabricLogger) { commLogger = old }(commLogger)
	commLogger = logger
	m := newPKI(t).node(t)
	listens := newTestSource(t, SourceConfig{Role: t.Name() + ".listens", Load: fixed(m), ServerMode: ModeTLS, GMProtocolsKey: "peer.tls.gm.protocols"})
	dials := newTestSource(t, SourceConfig{Role: t.Name() + ".dials", Load: fixed(m), ClientMode: ClientTLS, GMProtocolsKey: "peer.tls.gm.clientProtocol"})
	shown := func(source *Source) (r tlsstatus.Role) {
		for _, s := range Status() {
			if s.Name == source.role {
				r = s
			}
		}
		return r
	}
	require.Empty(t, shown(listens).GMProtocols)
	require.Empty(t, shown(listens).ConfiguredGMProtocols)
	require.Empty(t, shown(dials).ConfiguredGMClientProtocol)

	require.NoError(t, SetGMProtocols(listens.role, []string{GMProtocolTLCP, GMProtocolTLS13}, ""))
	require.Len(t, recorder.Messages(), 1)
	require.True(t, containsAll(recorder.Messages()[0], listens.role, "started with TLCP, ", "restart", "set peer.tls.gm.protocols to [TLCP, TLS13]"), recorder.Messages()[0])
	require.Equal(t, []string{GMProtocolTLCP, GMProtocolTLS13}, shown(listens).GMProtocols)
	require.Equal(t, []string{GMProtocolTLCP}, shown(listens).ConfiguredGMProtocols)
	require.Empty(t, shown(listens).ConfiguredGMClientProtocol)

	require.NoError(t, SetGMProtocols(dials.role, nil, GMProtocolTLS13))
	require.Len(t, recorder.Messages(), 2)
	require.True(t, containsAll(recorder.Messages()[1], dials.role, "started with TLCP, ", "restart", "set peer.tls.gm.clientProtocol to TLS13"), recorder.Messages()[1])
	require.Equal(t, GMProtocolTLS13, shown(dials).GMClientProtocol)
	require.Equal(t, GMProtocolTLCP, shown(dials).ConfiguredGMClientProtocol)
	require.Empty(t, shown(dials).ConfiguredGMProtocols)

	require.NoError(t, SetGMProtocols(listens.role, []string{GMProtocolTLCP}, ""))
	require.NoError(t, SetGMProtocols(dials.role, nil, GMProtocolTLCP))
	require.Len(t, recorder.Messages(), 2)
	require.NoError(t, listens.SetMode(ModeDual, ""))
	require.Equal(t, []string{GMProtocolTLCP}, shown(listens).ConfiguredGMProtocols, "as the modes are")
}

// TestRestart: a node that was switched comes back in the mode of its
// configuration, under the same address, and clients that stayed find it again
// or are told which modes do not fit.
func TestRestart(t *testing.T) {
	n := newLiveNode(t, ModeTLS, patience)
	config := SourceConfig{Role: n.serverSource.role, Load: n.server.load, ServerMode: ModeTLS}
	conn := n.dial(t)
	_, err := call(t, conn)
	require.NoError(t, err)
	require.NoError(t, n.serverSource.SetMode(ModeDual, ""))
	require.NoError(t, n.clientSource.SetMode("", ClientGM))
	restart := func() {
		address := n.grpc.Address()
		n.grpc.Stop()
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		server, err := NewGRPCServerFromListener(listener, ServerConfig{
			SecOpts: SecureOptions{UseTLS: true, RequireClientCert: true, Source: newTestSource(t, config)}, ConnectionTimeout: patience,
		})
		require.NoError(t, err)
		testpb.RegisterEmptyServiceServer(server.Server(), n.service)
		go server.Start()
		t.Cleanup(server.Stop)
		n.grpc = server
	}
	restart()
	eventually(t, "the client is told both modes", func() bool {
		_, err := call(t, conn)
		return err != nil && containsAll(err.Error(), "in mode gm", "mode is tls")
	})
	require.Zero(t, n.connections(protocolTLS))
	config.ServerMode = ModeGM
	restart()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = testpb.NewEmptyServiceClient(conn).EmptyCall(ctx, &testpb.Empty{}, grpc.WaitForReady(true))
	require.NoError(t, err)
	require.Equal(t, 1, n.connections(protocolTLCP))
}

// TestRefusedDowngrade: once a server is in mode gm, a client of mode tls gets
// an error that names both modes and no connection, and a gm client never ends
// up with TLS on a server that went back to tls.
func TestRefusedDowngrade(t *testing.T) {
	n := newLiveNode(t, ModeDual, time.Millisecond)
	conn := n.dial(t)
	_, err := call(t, conn)
	require.NoError(t, err)
	require.NoError(t, n.serverSource.SetMode(ModeGM, ""))
	eventually(t, "drained", func() bool { return n.connections(protocolTLS) == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	eventually(t, "the error reaches the caller", func() bool {
		_, err = testpb.NewEmptyServiceClient(conn).EmptyCall(ctx, &testpb.Empty{})
		return err != nil
	})
	eventually(t, "the error names both modes", func() bool {
		_, err := testpb.NewEmptyServiceClient(conn).EmptyCall(ctx, &testpb.Empty{})
		return err != nil && containsAll(err.Error(), "in mode tls", "mode gm")
	})
	require.Zero(t, n.connections(protocolTLS))

	require.NoError(t, n.clientSource.SetMode("", ClientGM))
	require.NoError(t, n.serverSource.SetMode(ModeTLS, ""))
	_, err = dial(t, n.grpc.Address(), n.clientOptions())
	require.ErrorContains(t, err, "in mode gm")
	require.ErrorContains(t, err, "mode is tls")
	require.Zero(t, n.connections(protocolTLS)+n.connections(protocolTLCP))
}

func containsAll(s string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}

// TestSwitchOfAllRoles: a mode for all roles leaves the side alone that a role does not have.
func TestSwitchOfAllRoles(t *testing.T) {
	m := newPKI(t).node(t)
	both := newTestSource(t, SourceConfig{Role: t.Name() + ".both", Load: fixed(m), ServerMode: ModeTLS, ClientMode: ClientTLS})
	listens := newTestSource(t, SourceConfig{Role: t.Name() + ".listens", Load: fixed(m), ServerMode: ModeTLS})
	dials := newTestSource(t, SourceConfig{Role: t.Name() + ".dials", Load: fixed(m), ClientMode: ClientTLS})
	require.NoError(t, SetMode("", ModeDual, ClientGM))
	for source, want := range map[*Source]modes{both: {server: ModeDual, client: ClientGM}, listens: {server: ModeDual}, dials: {client: ClientGM}} {
		server, client := source.Modes()
		require.Equal(t, want, modes{server: server, client: client}, source.role)
	}
}
