// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/crypto/gmtlstest"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/crypto/tlsgen"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// patience bounds every wait of these tests. None of them asserts on time.
const patience = 20 * time.Second

// pki is an organisation with a CA of each family.
type pki struct {
	std tlsgen.CA
	gm  *gmtlstest.CA
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	std, err := tlsgen.NewCA()
	require.NoError(t, err)
	return &pki{std: std, gm: gmtlstest.NewCA(t)}
}

// bundles are the material of a node in PEM.
type bundles struct {
	Certificate, Key             []byte
	ServerRootCAs, ClientRootCAs [][]byte
}

func (m bundles) load() (Material, error) {
	return ParseMaterial(m.Certificate, m.Key, m.ServerRootCAs, m.ClientRootCAs)
}

func (p *pki) roots() [][]byte { return [][]byte{p.std.CertBytes(), p.gm.CertPEM} }

// node issues a certificate of each family for 127.0.0.1, as bundles.
func (p *pki) node(t testing.TB) bundles {
	t.Helper()
	std, err := p.std.NewServerCertKeyPair("127.0.0.1")
	require.NoError(t, err)
	certs, keys := p.gm.NewPair(t, "127.0.0.1").Bundle(std.Cert, std.Key)
	return bundles{Certificate: certs, Key: keys, ServerRootCAs: p.roots(), ClientRootCAs: p.roots()}
}

// only returns the material with the certificates of one family.
func (m bundles) only(proto protocol) bundles {
	family := material.Standard
	if proto == protocolTLCP {
		family = material.SM2
	}
	certs, err := material.Parse("", m.Certificate)
	if err != nil {
		panic(err)
	}
	keys, err := material.Parse("", m.Key)
	if err != nil {
		panic(err)
	}
	m.Certificate, m.Key = nil, nil
	for _, cert := range certs.Certificates {
		if cert.Family() == family {
			m.Certificate = append(m.Certificate, cert.PEM()...)
		}
	}
	for _, k := range keys.Keys {
		key, err := k.Open(nil)
		if err != nil {
			panic(err)
		}
		if material.FamilyOf(key) == family {
			text, err := gmx509.MarshalPrivateKeyPEM(key, nil)
			if err != nil {
				panic(err)
			}
			m.Key = append(m.Key, text...)
		}
	}
	return m
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (m bundles) options() SecureOptions {
	return SecureOptions{
		UseTLS:        true,
		Certificate:   m.Certificate,
		Key:           m.Key,
		ServerRootCAs: m.ServerRootCAs,
		ClientRootCAs: m.ClientRootCAs,
	}
}

// leafDigest returns the SHA-256 of the first certificate of a family.
func (m bundles) leafDigest(t testing.TB, proto protocol) []byte {
	t.Helper()
	block, _ := pem.Decode(m.only(proto).Certificate)
	require.NotNil(t, block)
	sum := sha256.Sum256(block.Bytes)
	return sum[:]
}

// newTestSource registers a source for the time of the test.
func newTestSource(t testing.TB, config SourceConfig) *Source {
	t.Helper()
	source, err := NewSource(config)
	require.NoError(t, err)
	t.Cleanup(func() {
		registry.mu.Lock()
		defer registry.mu.Unlock()
		source.forgetLocked()
		if registry.byRole[source.role] == source {
			delete(registry.byRole, source.role)
		}
	})
	return source
}

// Reload is the function Reload for the source's role.
func (s *Source) Reload() error { return Reload(s.role) }

// SetMode is the function SetMode for the source's role.
func (s *Source) SetMode(server ServerMode, client ClientMode) error {
	return SetMode(s.role, server, client)
}

// fixed is the Load of material that does not change.
func fixed(m bundles) func() (Material, error) { return m.load }

// changing is the Load of material that a test replaces.
type changing struct {
	mu  sync.Mutex
	m   bundles // protected by mu
	err error   // protected by mu
}

func (c *changing) set(m bundles, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m, c.err = m, err
}

func (c *changing) load() (Material, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return Material{}, c.err
	}
	return c.m.load()
}

// echoService answers calls and records what it sees of their connections.
type echoService struct {
	last  atomic.Pointer[seen]
	calls atomic.Int64
}

// seen is what a server sees of a client.
type seen struct {
	info  credentials.TLSInfo
	local []byte // LocalCertificateHash
	ctx   context.Context
}

func (s *echoService) observe(ctx context.Context) {
	s.calls.Add(1)
	p, _ := peer.FromContext(ctx)
	info, _ := p.AuthInfo.(credentials.TLSInfo)
	s.last.Store(&seen{info: info, local: LocalCertificateHash(ctx), ctx: ctx})
}

func (s *echoService) EmptyCall(ctx context.Context, in *testpb.Empty) (*testpb.Empty, error) {
	s.observe(ctx)
	return in, nil
}

func (s *echoService) EchoCall(ctx context.Context, in *testpb.Echo) (*testpb.Echo, error) {
	return in, nil
}

func (s *echoService) EmptyStream(stream testpb.EmptyService_EmptyStreamServer) error {
	s.observe(stream.Context())
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(in); err != nil {
			return err
		}
	}
}

// startServer serves echoService on a free port of 127.0.0.1.
func startServer(t testing.TB, so SecureOptions) (*GRPCServer, *echoService) {
	t.Helper()
	return startServerWith(t, ServerConfig{SecOpts: so, ConnectionTimeout: patience, KaOpts: DefaultKeepaliveOptions})
}

func startServerWith(t testing.TB, config ServerConfig) (*GRPCServer, *echoService) {
	t.Helper()
	service := &echoService{}
	return startServices(t, config, func(server *grpc.Server) {
		testpb.RegisterEmptyServiceServer(server, service)
		testpb.RegisterEchoServiceServer(server, service)
	}), service
}

func startServices(t testing.TB, config ServerConfig, register func(*grpc.Server)) *GRPCServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, err := NewGRPCServerFromListener(listener, config)
	if err != nil {
		listener.Close()
	}
	require.NoError(t, err)
	register(server.Server())
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Start()
	}()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return server
}

// dial connects in the manner of Fabric's clients and waits for the connection.
func dial(t testing.TB, address string, so SecureOptions) (*grpc.ClientConn, error) {
	t.Helper()
	conn, err := ClientConfig{SecOpts: so, KaOpts: DefaultKeepaliveOptions, DialTimeout: patience}.Dial(address)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// try makes one call over a new connection. Other than a blocking dial it fails
// as soon as the connection does.
func try(t testing.TB, address string, so SecureOptions) error {
	t.Helper()
	conn, err := ClientConfig{SecOpts: so, DialTimeout: patience, AsyncConnect: true}.Dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = call(t, conn)
	return err
}

// call makes one unary call and returns the client's view of the connection.
func call(t testing.TB, conn *grpc.ClientConn) (credentials.TLSInfo, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var p peer.Peer
	_, err := testpb.NewEmptyServiceClient(conn).EmptyCall(ctx, &testpb.Empty{}, grpc.Peer(&p))
	info, _ := p.AuthInfo.(credentials.TLSInfo)
	return info, err
}

// eventually polls a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func digest(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

// safeBuffer is a buffer that goroutines may share.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // protected by mu
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
