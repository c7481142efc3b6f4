// SPDX-License-Identifier: Apache-2.0

package gmcredentials

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

const serverName = "grpc.test"

// authority issues the certificates of a test.
type authority struct {
	t    *testing.T
	cert *smx509.Certificate
	key  *sm2.PrivateKey
	last int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, last: 1 << 32}
	a.cert, a.key = a.issue(&smx509.Certificate{
		Subject: pkix.Name{CommonName: "grpc test root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: smx509.KeyUsageCertSign,
	})
	return a
}

func (a *authority) issue(template *smx509.Certificate) (*smx509.Certificate, *sm2.PrivateKey) {
	a.t.Helper()
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.last++
	template.SerialNumber = big.NewInt(a.last)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	issuer, signer := a.cert, a.key
	if issuer == nil {
		issuer, signer = template, key
	}
	der, err := smx509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := smx509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) pair(name string) gmtls.Certificate {
	a.t.Helper()
	var certs, keys [2][]byte
	for i, usage := range []smx509.KeyUsage{smx509.KeyUsageDigitalSignature, smx509.KeyUsageKeyEncipherment | smx509.KeyUsageKeyAgreement} {
		cert, key := a.issue(&smx509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: usage, DNSNames: []string{name}})
		der, err := smx509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			a.t.Fatal(err)
		}
		certs[i] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		keys[i] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	pair, err := gmtls.X509KeyPair(certs[0], keys[0], certs[1], keys[1])
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

func (a *authority) pool() *smx509.CertPool {
	pool := smx509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// serve starts a health server and returns its address and what each call's
// peer was.
func serve(t *testing.T, config *gmtls.Config) (addr string, peers <-chan *peer.Peer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan *peer.Peer, 16)
	server := grpc.NewServer(grpc.Creds(New(config)), grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			p, _ := peer.FromContext(ctx)
			seen <- p
			return handler(ctx, req)
		}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), seen
}

// check makes one call.
func check(t *testing.T, addr string, creds credentials.TransportCredentials) (*peer.Peer, error) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var p peer.Peer
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.Peer(&p))
	return &p, err
}

func TestMutual(t *testing.T) {
	a := newAuthority(t)
	server, client := a.pair(serverName), a.pair("client.test")
	addr, peers := serve(t, &gmtls.Config{
		Certificates: []gmtls.Certificate{server}, ClientCAs: a.pool(), ClientAuth: gmtls.RequireAndVerifyClientCert,
	})
	creds := New(&gmtls.Config{Certificates: []gmtls.Certificate{client}, RootCAs: a.pool(), ServerName: serverName})
	got, err := check(t, addr, creds)
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []struct {
		peer *peer.Peer
		want gmtls.Certificate
	}{{got, server}, {<-peers, client}} {
		info, ok := side.peer.AuthInfo.(credentials.TLSInfo)
		if !ok {
			t.Fatalf("AuthInfo is a %T", side.peer.AuthInfo)
		}
		if info.SecurityLevel != credentials.PrivacyAndIntegrity {
			t.Errorf("security level %v", info.SecurityLevel)
		}
		state := info.State
		if !state.HandshakeComplete || state.Version != gmtls.VersionTLCP || state.CipherSuite != gmtls.ECC_SM4_GCM_SM3 ||
			state.NegotiatedProtocol != "h2" || len(state.PeerCertificates) != 2 || len(state.VerifiedChains) == 0 {
			t.Errorf("state %+v", state)
		}
		for i, cert := range state.PeerCertificates {
			if !bytes.Equal(cert.Raw, side.want.Certificate[i]) {
				t.Errorf("certificate %d is not the peer's", i)
			}
		}
	}
}

func TestClientWithoutCertificateIsRefused(t *testing.T) {
	a := newAuthority(t)
	addr, _ := serve(t, &gmtls.Config{
		Certificates: []gmtls.Certificate{a.pair(serverName)}, ClientCAs: a.pool(), ClientAuth: gmtls.RequireAndVerifyClientCert,
	})
	_, err := check(t, addr, New(&gmtls.Config{RootCAs: a.pool(), ServerName: serverName}))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

func TestServerOfAnotherNameIsRefused(t *testing.T) {
	a := newAuthority(t)
	addr, _ := serve(t, &gmtls.Config{Certificates: []gmtls.Certificate{a.pair("other.test")}})
	creds := New(&gmtls.Config{RootCAs: a.pool()})
	if err := creds.OverrideServerName(serverName); err != nil {
		t.Fatal(err)
	}
	if _, err := check(t, addr, creds); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

// handshake runs both ends of one connection.
func handshake(t *testing.T, client, server func(net.Conn) error) (clientErr, serverErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	done := make(chan error, 1)
	go func() { done <- server(s) }()
	clientErr = client(c)
	if clientErr != nil {
		c.Close()
	}
	return clientErr, <-done
}

// Peers that know nothing of ALPN are served; those that want another protocol
// are not.
func TestALPN(t *testing.T) {
	a := newAuthority(t)
	config := &gmtls.Config{Certificates: []gmtls.Certificate{a.pair(serverName)}}
	for _, test := range []struct {
		protocols []string
		ok        bool
	}{{nil, true}, {[]string{"h2"}, true}, {[]string{"http/1.1"}, false}} {
		clientErr, serverErr := handshake(t,
			func(c net.Conn) error {
				return gmtls.Client(c, &gmtls.Config{RootCAs: a.pool(), ServerName: serverName, NextProtos: test.protocols}).Handshake()
			},
			func(c net.Conn) error {
				_, _, err := New(config).ServerHandshake(c)
				return err
			})
		if (clientErr == nil) != test.ok || (serverErr == nil) != test.ok {
			t.Errorf("%v: client: %v; server: %v", test.protocols, clientErr, serverErr)
		}
	}
	clientErr, serverErr := handshake(t,
		func(c net.Conn) error {
			creds := New(&gmtls.Config{RootCAs: a.pool()})
			_, _, err := creds.ClientHandshake(context.Background(), serverName+":7051", c)
			return err
		},
		func(c net.Conn) error { return gmtls.Server(c, config).Handshake() })
	if clientErr != nil || serverErr != nil {
		t.Errorf("server without ALPN: client: %v; server: %v", clientErr, serverErr)
	}
}

// The server name is the host of the authority, with or without a port.
func TestAuthority(t *testing.T) {
	a := newAuthority(t)
	server := &gmtls.Config{Certificates: []gmtls.Certificate{a.pair(serverName)}}
	for authority, ok := range map[string]bool{serverName: true, serverName + ":443": true, "other.test:443": false, "": false} {
		var state gmtls.ConnectionState
		clientErr, _ := handshake(t,
			func(c net.Conn) error {
				conn, _, err := New(&gmtls.Config{RootCAs: a.pool()}).ClientHandshake(context.Background(), authority, c)
				if err == nil {
					state = conn.(*gmtls.Conn).ConnectionState()
				}
				return err
			},
			func(c net.Conn) error { return gmtls.Server(c, server).Handshake() })
		if (clientErr == nil) != ok || ok && state.ServerName != serverName {
			t.Errorf("%q: %v, server name %q", authority, clientErr, state.ServerName)
		}
	}
	if New(nil).Info().ServerName != "" {
		t.Error("credentials without configuration have a server name")
	}
}

// A client that is ready for more than HTTP/2 must not get something else.
func TestServerChoosesAnotherProtocol(t *testing.T) {
	a := newAuthority(t)
	server := &gmtls.Config{Certificates: []gmtls.Certificate{a.pair(serverName)}, NextProtos: []string{"http/1.1"}}
	clientErr, _ := handshake(t,
		func(c net.Conn) error {
			config := &gmtls.Config{RootCAs: a.pool(), ServerName: serverName, NextProtos: []string{"http/1.1"}}
			_, _, err := New(config).ClientHandshake(context.Background(), serverName, c)
			return err
		},
		func(c net.Conn) error { return gmtls.Server(c, server).Handshake() })
	if clientErr == nil || !strings.Contains(clientErr.Error(), "http/1.1") {
		t.Errorf("got %v, want a refusal of http/1.1", clientErr)
	}
}

func TestConfigIsNotShared(t *testing.T) {
	config := &gmtls.Config{ServerName: "a.test", NextProtos: make([]string, 0, 4)}
	creds := New(config)
	clone := creds.Clone()
	if err := clone.OverrideServerName("b.test"); err != nil {
		t.Fatal(err)
	}
	if config.ServerName != "a.test" || creds.Info().ServerName != "a.test" || clone.Info().ServerName != "b.test" {
		t.Error("the server name leaks between copies")
	}
	if len(config.NextProtos) != 0 || len(config.NextProtos[:1][0]) != 0 {
		t.Error("New wrote into the caller's NextProtos")
	}
	if err := creds.OverrideServerName(""); err == nil {
		t.Error("an empty server name is accepted")
	}
	if protocol := creds.Info().SecurityProtocol; protocol != "tls" {
		t.Errorf("security protocol %q: gRPC would not use the https scheme", protocol)
	}
}
