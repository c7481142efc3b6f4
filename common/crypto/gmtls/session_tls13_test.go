// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// resumable13 is resumableConfigs for TLS 1.3.
func resumable13(t *testing.T, change ...func(client, server *Config)) (client, server *Config) {
	t.Helper()
	return resumableConfigs(t, append([]func(client, server *Config){func(client, server *Config) {
		client.Versions, server.Versions = []uint16{VersionTLS13}, []uint16{VersionTLS13}
	}}, change...)...)
}

// A session of TLS 1.3 is bound to what one of TLCP is bound to; what does not
// hold any more leads to a full handshake.
func TestSessionBinding13(t *testing.T) {
	for _, test := range append(bindingCases(t), []bindingCase{
		{"other suite of the same hash preferred", func(client, server *Config) {
			client.CipherSuites = []uint16{TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3}
		}, true},
		{"suite not offered any more", func(client, server *Config) { client.CipherSuites = []uint16{TLS_SM4_CCM_SM3} }, false},
		{"suite not accepted any more", func(client, server *Config) { server.CipherSuites = []uint16{TLS_SM4_CCM_SM3} }, false},
		{"other group", func(client, server *Config) {
			client.CurvePreferences, server.CurvePreferences = []CurveID{CurveSM2MLKEM768}, []CurveID{CurveSM2MLKEM768}
		}, true},
		{"other group after a HelloRetryRequest", func(client, server *Config) {
			client.CurvePreferences = []CurveID{CurveSM2, CurveSM2MLKEM768}
			server.CurvePreferences = []CurveID{CurveSM2MLKEM768}
		}, true},
		{"too old by the server's word", func(client, server *Config) {
			client.Time, client.SessionLifetime = later(2*time.Hour), 3*time.Hour
		}, false},
	}...) {
		t.Run(test.name, func(t *testing.T) {
			client, server := resumable13(t)
			client, server = client.Clone(), server.Clone()
			test.change(client, server)
			wantResumed(t, client, server, test.want)
		})
	}
}

// A session is resumed in the protocol in which it was made, whatever shares the
// caches.
func TestSessionOfOtherProtocol(t *testing.T) {
	for _, made := range []uint16{VersionTLCP, VersionTLS13} {
		client, server := resumableConfigs(t, func(client, server *Config) {
			client.Versions, server.Versions = []uint16{made}, []uint16{VersionTLCP, VersionTLS13}
		})
		state, _ := client.ClientSessionCache.Get("")
		other := client.Clone()
		other.Versions = []uint16{VersionTLCP ^ VersionTLS13 ^ made}
		wantResumed(t, other, server, false)

		// The server must not rely on the client: it forges a session of its
		// protocol with the identifier and the secret of the other one.
		forged := *state.session
		forged.suite = TLS_SM4_GCM_SM3
		if made == VersionTLS13 {
			forged.suite = ECC_SM4_GCM_SM3
			forged.peer = client.mustPeer(t, server)
		}
		forged.local = nil
		other.ClientSessionCache.Put("", &ClientSessionState{&forged})
		wantResumed(t, other, server, false)
	}
}

// mustPeer returns the server as a client of TLCP knows it.
func (c *Config) mustPeer(t *testing.T, server *Config) *peer {
	t.Helper()
	tlcp := c.Clone()
	tlcp.Versions = []uint16{VersionTLCP}
	client, _ := mustShake(t, tlcp, server)
	return client.peer
}

// A ticket is used once, and what the peer proved once does not last longer by
// being resumed.
func TestTicketOnce(t *testing.T) {
	client, server := resumable13(t)
	first, _ := client.ClientSessionCache.Get("")
	wantResumed(t, client, server, true)
	second, ok := client.ClientSessionCache.Get("")
	if !ok || string(second.session.id) == string(first.session.id) || second.session.psk() == nil ||
		string(second.session.psk()) == string(first.session.psk()) {
		t.Fatal("there is no new ticket, or one with the same secret")
	}
	if !second.session.created.Equal(first.session.created) {
		t.Error("the session is younger for being resumed")
	}
	client.ClientSessionCache.Put("", first)
	wantResumed(t, client, server, false)

	client, server = client.Clone(), server.Clone()
	for _, minutes := range []time.Duration{30, 59} {
		at := func() time.Time { return time.Now().Add(minutes * time.Minute) }
		client.Time, server.Time = at, at
		wantResumed(t, client, server, true)
	}
	at := func() time.Time { return time.Now().Add(61 * time.Minute) }
	client.Time, server.Time = at, at
	wantResumed(t, client, server, false)
}

// The server counts by itself: a client whose clock stands still gains nothing.
func TestTicketAgeAtServer(t *testing.T) {
	client, server := resumable13(t)
	server = server.Clone()
	for _, test := range []struct {
		minutes time.Duration
		want    bool
	}{{30, true}, {59, true}, {61, false}} {
		server.Time = func() time.Time { return time.Now().Add(test.minutes * time.Minute) }
		wantResumed(t, client, server, test.want)
	}
}

// A ticket that was offered is gone, whatever became of the connection.
func TestTicketOfferedOnce(t *testing.T) {
	client, _ := resumable13(t)
	c, s := tcpPair(t)
	go func() {
		s.Read(make([]byte, 1))
		s.Close()
	}()
	if Client(c, client).Handshake() == nil {
		t.Fatal("there was no server")
	}
	if _, ok := client.ClientSessionCache.Get(""); ok {
		t.Error("the ticket can be offered again")
	}
}

// A session is for one server name, and one without a client's certificate is
// none for a server that demands one.
func TestSessionForged13(t *testing.T) {
	ca := newCA(t, "root", nil)
	wildcard := func(client, server *Config) {
		client.RootCAs = poolOf(ca)
		server.Certificates = []Certificate{ca.pair(t, "*.test", nil)}
	}
	client, server := resumable13(t, wildcard)
	state, _ := client.ClientSessionCache.Get("")
	forged := *state.session
	forged.serverName = "other.test"
	client = client.Clone()
	client.ServerName = "other.test"
	client.ClientSessionCache.Put("", &ClientSessionState{&forged})
	wantResumed(t, client, server, false)

	client, server = resumable13(t, func(client, server *Config) {
		client.Certificates, server.ClientAuth = nil, VerifyClientCertIfGiven
	})
	server = server.Clone()
	server.ClientAuth = RequireAndVerifyClientCert
	_, _, _, serverErr := shake(t, client, server)
	wantAlert(t, serverErr, "local error", AlertCertificateRequired)
}

// Both callbacks are asked for resumed sessions, at both ends, and the peer is
// the one of the session.
func TestSessionCallbacks13(t *testing.T) {
	client, server := resumable13(t)
	var calls, resumed int
	count := func(c *Config) *Config {
		c = c.Clone()
		c.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
			if len(raw) == 1 && len(chains) == 1 {
				calls++
			}
			return nil
		}
		c.VerifyConnection = func(state ConnectionState) error {
			if state.DidResume && len(state.PeerCertificates) == 1 && len(state.VerifiedChains) == 1 {
				resumed++
			}
			return nil
		}
		return c
	}
	wantResumed(t, count(client), server, true)
	wantResumed(t, client, count(server), true)
	if calls != 2 || resumed != 2 {
		t.Errorf("VerifyPeerCertificate was asked %d times, VerifyConnection %d times, want 2", calls, resumed)
	}
	refused := errors.New("revoked")
	bad := server.Clone()
	bad.VerifyConnection = func(ConnectionState) error { return refused }
	_, _, clientErr, serverErr := shake(t, client, bad)
	if !errors.Is(serverErr, refused) {
		t.Errorf("server: %v", serverErr)
	}
	wantAlert(t, clientErr, "remote error", AlertBadCertificate)
	wantResumed(t, client, server, false)
}

// A connection that ends by a fatal alert takes the session with it that came of
// it, at both ends.
func TestSessionForgottenAfterFatalAlert13(t *testing.T) {
	client, server := resumable13(t)
	c, s := mustShake(t, client, server)
	if _, ok := client.ClientSessionCache.Get(""); !ok {
		t.Fatal("there is no ticket")
	}
	c.NetConn().Write([]byte{recordApplicationData, 3, 3, 0, 17, 16 + 5: 0})
	_, err := s.Read(make([]byte, 1))
	wantAlert(t, err, "local error", AlertBadRecordMAC)
	_, err = c.Read(make([]byte, 1))
	wantAlert(t, err, "remote error", AlertBadRecordMAC)
	if _, ok := client.ClientSessionCache.Get(""); ok {
		t.Error("the client keeps the session")
	}
	wantResumed(t, client, server, false)
}

// TestGreatTickets: a ticket for which a ClientHello has too little room is not kept. The greatest that is kept fits into what a listener
// with several protocols looks at.
func TestGreatTickets(t *testing.T) {
	config, server := testConfigs13(t)
	config.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(2)}
	config.CurvePreferences = []CurveID{CurveSM2MLKEM768, CurveSM2}
	client, _ := mustShake(t, config, server)
	take := func(size int) *clientHandshakeState13 {
		t.Helper()
		ticket := &newSessionTicket{lifetime: 60, nonce: []byte{1}, ticket: make([]byte, size)}
		if err := client.takeTicketLocked(appendNewSessionTicket(nil, ticket)[handshakeHdrLen:]); err != nil {
			t.Fatal(err)
		}
		hs := &clientHandshakeState13{handshake13: handshake13{handshake: client.newHandshake(t.Context())}}
		if err := hs.makeHello(); err != nil {
			t.Fatal(err)
		}
		return hs
	}
	hs := take(maxTicketLen)
	if hs.session == nil {
		t.Fatal("a ticket of the greatest size is not kept")
	}
	if n := len(appendClientHello13(nil, hs.hello)); n+recordHeaderLen > maxHelloLook {
		t.Errorf("the ClientHello has %d bytes", n)
	}
	if take(maxTicketLen+1).session != nil {
		t.Error("a greater ticket is kept")
	}
}
