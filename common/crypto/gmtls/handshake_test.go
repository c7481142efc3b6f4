// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

const testName = "server.test"

// testConfigs returns a client's and a server's configuration that trust each
// other, the client having a pair.
func testConfigs(t testing.TB) (client, server *Config) {
	t.Helper()
	ca := newCA(t, "test root", nil)
	pool := poolOf(ca)
	client = &Config{
		RootCAs: pool, ServerName: testName,
		Certificates: []Certificate{ca.pair(t, "client.test", nil)},
		ChainCache:   NewChainCache(16),
	}
	server = &Config{
		ClientCAs: pool, ClientAuth: RequireAndVerifyClientCert,
		Certificates: []Certificate{ca.pair(t, testName, nil)},
		ChainCache:   NewChainCache(16),
	}
	return client, server
}

// tcpPair returns the two ends of a loopback connection, closed with the test.
func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	client.SetDeadline(deadline)
	server.SetDeadline(deadline)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// shake runs a handshake over loopback and returns both ends and both errors.
// An end that fails closes its connection, so that the other one fails as well.
func shake(t testing.TB, clientConfig, serverConfig *Config) (client, server *Conn, clientErr, serverErr error) {
	t.Helper()
	c, s := tcpPair(t)
	client, server = Client(c, clientConfig), Server(s, serverConfig)
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err != nil {
			s.Close()
		}
		done <- err
	}()
	clientErr = client.Handshake()
	if clientErr != nil {
		c.Close()
	}
	return client, server, clientErr, <-done
}

// mustShake is shake where both ends must succeed and data must pass.
func mustShake(t testing.TB, clientConfig, serverConfig *Config) (client, server *Conn) {
	t.Helper()
	client, server, clientErr, serverErr := shake(t, clientConfig, serverConfig)
	if clientErr != nil || serverErr != nil {
		t.Fatalf("client: %v; server: %v", clientErr, serverErr)
	}
	exchange(t, client, server)
	return client, server
}

// exchange sends data of several sizes both ways.
func exchange(t testing.TB, a, b net.Conn) {
	t.Helper()
	for _, size := range []int{1, 15, 16, 17, 1000, maxPlaintext, maxPlaintext + 1, 100_000} {
		data := bytes.Repeat([]byte{byte(size)}, size)
		data[0] ^= 0xff
		for _, dir := range []struct{ from, to net.Conn }{{a, b}, {b, a}} {
			errc := make(chan error, 1)
			go func() {
				_, err := dir.from.Write(data)
				errc <- err
			}()
			got := make([]byte, size)
			if _, err := io.ReadFull(dir.to, got); err != nil {
				t.Fatalf("reading %d bytes: %v", size, err)
			}
			if err := <-errc; err != nil {
				t.Fatalf("writing %d bytes: %v", size, err)
			}
			if !bytes.Equal(got, data) {
				t.Fatalf("%d bytes arrived changed", size)
			}
		}
	}
}

func TestHandshakeSuites(t *testing.T) {
	for _, suite := range CipherSuites() {
		for _, auth := range []ClientAuthType{NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert} {
			t.Run(fmt.Sprintf("%s/%v", suite.Name, auth), func(t *testing.T) {
				clientConfig, serverConfig := testConfigs(t)
				clientConfig.CipherSuites = []uint16{suite.ID}
				serverConfig.CipherSuites = []uint16{suite.ID}
				serverConfig.ClientAuth = auth
				client, server := mustShake(t, clientConfig, serverConfig)
				cs, ss := client.ConnectionState(), server.ConnectionState()
				for _, state := range []ConnectionState{cs, ss} {
					if !state.HandshakeComplete || state.Version != VersionTLCP || state.CipherSuite != suite.ID || state.DidResume {
						t.Errorf("state %+v", state)
					}
				}
				if ss.ServerName != testName {
					t.Errorf("server name %q", ss.ServerName)
				}
				if len(cs.PeerCertificates) != 2 || !bytes.Equal(cs.PeerCertificates[1].Raw, serverConfig.Certificates[0].Certificate[1]) {
					t.Errorf("client sees %d certificates", len(cs.PeerCertificates))
				}
				if len(cs.VerifiedChains) != 1 || len(cs.VerifiedChains[0]) != 2 || len(cs.EncVerifiedChains) != 1 {
					t.Errorf("client's chains %v", cs.VerifiedChains)
				}
				wantPeer := auth != NoClientCert || suiteByID(suite.ID).ecdhe
				if got := len(ss.PeerCertificates) == 2; got != wantPeer {
					t.Errorf("server sees %d certificates, want any: %v", len(ss.PeerCertificates), wantPeer)
				}
				if got := len(ss.VerifiedChains) > 0; got != auth.verified() {
					t.Errorf("server verified: %v, want %v", got, auth.verified())
				}
			})
		}
	}
}

// A client without a certificate: GB/T 38636 lets it answer with an empty list.
func TestClientWithoutCertificate(t *testing.T) {
	for _, auth := range []ClientAuthType{NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert} {
		t.Run(auth.String(), func(t *testing.T) {
			clientConfig, serverConfig := testConfigs(t)
			clientConfig.Certificates = nil
			serverConfig.ClientAuth = auth
			_, _, clientErr, serverErr := shake(t, clientConfig, serverConfig)
			if !auth.demanded() {
				if clientErr != nil || serverErr != nil {
					t.Fatalf("client: %v; server: %v", clientErr, serverErr)
				}
				return
			}
			wantAlert(t, clientErr, "remote error", AlertHandshakeFailure)
			wantAlert(t, serverErr, "local error", AlertHandshakeFailure)
		})
	}
}

// wantAlert checks that err carries the alert, sent or received as op says.
func wantAlert(t testing.TB, err error, op string, want AlertError) {
	t.Helper()
	var opErr *net.OpError
	if !errors.As(err, &opErr) || opErr.Op != op || opErr.Err != want {
		t.Errorf("got error %v, want %s with the alert %q", err, op, want.name())
	}
}

func TestResumption(t *testing.T) {
	for _, suite := range CipherSuites() {
		t.Run(suite.Name, func(t *testing.T) {
			clientConfig, serverConfig := testConfigs(t)
			clientConfig.CipherSuites = []uint16{suite.ID}
			clientConfig.NextProtos = []string{"h2"}
			serverConfig.NextProtos = []string{"h2"}
			clientConfig.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(4)}
			serverConfig.ServerSessionCache = NewLRUServerSessionCache(4)
			for i := range 3 {
				client, server := mustShake(t, clientConfig, serverConfig)
				for _, state := range []ConnectionState{client.ConnectionState(), server.ConnectionState()} {
					if state.DidResume != (i > 0) {
						t.Errorf("connection %d: resumed %v", i, state.DidResume)
					}
					if len(state.PeerCertificates) != 2 || len(state.VerifiedChains) != 1 || state.NegotiatedProtocol != "h2" {
						t.Errorf("connection %d: state %+v", i, state)
					}
				}
			}
		})
	}
}

// anyAddressCache drops the address from the key: each test connection goes to
// a separate port.
type anyAddressCache struct{ ClientSessionCache }

func (c anyAddressCache) Get(string) (*ClientSessionState, bool) { return c.ClientSessionCache.Get("") }

func (c anyAddressCache) Put(_ string, s *ClientSessionState) { c.ClientSessionCache.Put("", s) }

func TestALPN(t *testing.T) {
	for _, test := range []struct {
		client, server []string
		want           string
		fails          bool
	}{
		{[]string{"h2"}, []string{"h2"}, "h2", false},
		{[]string{"a", "b"}, []string{"b", "a"}, "b", false},
		{nil, []string{"h2"}, "", false},
		{[]string{"h2"}, nil, "", false},
		{[]string{"a"}, []string{"b"}, "", true},
	} {
		clientConfig, serverConfig := testConfigs(t)
		clientConfig.NextProtos, serverConfig.NextProtos = test.client, test.server
		client, server, clientErr, serverErr := shake(t, clientConfig, serverConfig)
		if test.fails {
			wantAlert(t, clientErr, "remote error", AlertNoApplicationProtocol)
			wantAlert(t, serverErr, "local error", AlertNoApplicationProtocol)
			continue
		}
		if clientErr != nil || serverErr != nil {
			t.Fatalf("%v: client: %v; server: %v", test, clientErr, serverErr)
		}
		if c, s := client.ConnectionState(), server.ConnectionState(); c.NegotiatedProtocol != test.want || s.NegotiatedProtocol != test.want {
			t.Errorf("%v: negotiated %q and %q", test, c.NegotiatedProtocol, s.NegotiatedProtocol)
		}
	}
}

func TestCloseNotify(t *testing.T) {
	clientConfig, serverConfig := testConfigs(t)
	client, server := mustShake(t, clientConfig, serverConfig)
	client.SetWriteDeadline(time.Unix(1, 0)) // of a Write long ago
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after CloseWrite the peer reads %v, want EOF", err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, errShutdown) {
		t.Errorf("after CloseWrite a write says %v", err)
	}
	if _, err := server.Write([]byte("late")); err != nil {
		t.Errorf("the other direction: %v", err)
	}
	buf := make([]byte, 4)
	if _, err := io.ReadFull(client, buf); err != nil || string(buf) != "late" {
		t.Errorf("read %q, %v", buf, err)
	}
	server.Close()
	if _, err := client.Read(buf); err != io.EOF {
		t.Errorf("after Close the peer reads %v, want EOF", err)
	}
	if err := server.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

// A connection that ends without close_notify may have been cut by an attacker.
func TestTruncation(t *testing.T) {
	clientConfig, serverConfig := testConfigs(t)
	client, server := mustShake(t, clientConfig, serverConfig)
	server.NetConn().Close()
	if _, err := client.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want unexpected EOF", err)
	}
}

func TestHandshakeContext(t *testing.T) {
	clientConfig, _ := testConfigs(t)
	c, _ := tcpPair(t) // nobody answers
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := Client(c, clientConfig).HandshakeContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	_, serverConfig := testConfigs(t)
	serverConfig.HandshakeTimeout = 30 * time.Millisecond
	_, s := tcpPair(t) // the client is silent
	err := Server(s, serverConfig).Handshake()
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestReadDeadlineIsNotPermanent(t *testing.T) {
	clientConfig, serverConfig := testConfigs(t)
	client, server := mustShake(t, clientConfig, serverConfig)
	client.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	var netErr net.Error
	if _, err := client.Read(make([]byte, 1)); !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Fatalf("got %v, want a timeout", err)
	}
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	exchange(t, client, server)
}
