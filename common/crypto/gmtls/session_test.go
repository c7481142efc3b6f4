// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// resumableConfigs returns configurations with a session in both caches.
func resumableConfigs(t *testing.T, change ...func(client, server *Config)) (client, server *Config) {
	t.Helper()
	client, server = testConfigs(t)
	client.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(4)}
	server.ServerSessionCache = NewLRUServerSessionCache(4)
	for _, f := range change {
		f(client, server)
	}
	c, _ := mustShake(t, client, server)
	if c.ConnectionState().DidResume {
		t.Fatal("the first connection claims to be resumed")
	}
	return client, server
}

func wantResumed(t *testing.T, client, server *Config, want bool) {
	t.Helper()
	c, s := mustShake(t, client, server)
	if got := c.ConnectionState().DidResume; got != want || s.ConnectionState().DidResume != want {
		t.Errorf("resumed: %v, want %v", got, want)
	}
}

// bindingCase is a change at one end after which a session is resumed, or not.
type bindingCase struct {
	name   string
	change func(client, server *Config)
	want   bool
}

// later returns a clock that is ahead.
func later(d time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(d) }
}

// bindingCases are those that TLCP and TLS 1.3 have in common.
func bindingCases(t *testing.T) []bindingCase {
	return []bindingCase{
		{"nothing changed", func(client, server *Config) {}, true},
		{"too old for the client", func(client, server *Config) { client.Time = later(2 * time.Hour) }, false},
		{"too old for the server", func(client, server *Config) { server.Time = later(2 * time.Hour) }, false},
		{"from the future", func(client, server *Config) { server.Time = later(-time.Minute) }, false},
		{"client's roots changed", func(client, server *Config) {
			client.RootCAs = client.RootCAs.Clone()
			client.RootCAs.AddCert(newCA(t, "new root", nil).cert)
		}, false},
		{"server's roots changed", func(client, server *Config) {
			server.ClientCAs = server.ClientCAs.Clone()
			server.ClientCAs.AddCert(newCA(t, "new root", nil).cert)
		}, false},
		{"client authentication relaxed", func(client, server *Config) { server.ClientAuth = VerifyClientCertIfGiven }, false},
		{"client verifies no more", func(client, server *Config) { client.InsecureSkipVerify = true }, false},
		{"client has another certificate", func(client, server *Config) {
			ca := newCA(t, "other root", nil)
			server.ClientCAs.AddCert(ca.cert)
			client.Certificates = []Certificate{ca.pair(t, "someone else", nil)}
		}, false},
		{"client's certificate is chosen by a callback", func(client, server *Config) {
			pair := client.Certificates[0]
			client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return &pair, nil }
		}, false},
		{"turned off at the client", func(client, server *Config) { client.SessionTicketsDisabled = true }, false},
		{"turned off at the server", func(client, server *Config) { server.SessionTicketsDisabled = true }, false},
		{"server lost its cache", func(client, server *Config) { server.ServerSessionCache = NewLRUServerSessionCache(4) }, false},
		{"chain caches lost", func(client, server *Config) {
			client.ChainCache, server.ChainCache = NewChainCache(0), NewChainCache(0)
		}, true},
	}
}

// A session is resumed only under the conditions under which it was made; what
// does not hold any more leads to a full handshake.
func TestSessionBinding(t *testing.T) {
	for _, test := range append(bindingCases(t), []bindingCase{
		{"other suite preferred", func(client, server *Config) {
			client.CipherSuites = []uint16{ECC_SM4_CBC_SM3, ECC_SM4_GCM_SM3}
		}, true},
		{"suite not offered any more", func(client, server *Config) { client.CipherSuites = []uint16{ECC_SM4_CBC_SM3} }, false},
		{"suite not accepted any more", func(client, server *Config) { server.CipherSuites = []uint16{ECC_SM4_CBC_SM3} }, false},
		{"lifetime configured", func(client, server *Config) {
			client.Time, server.Time = later(2*time.Hour), later(2*time.Hour)
			client.SessionLifetime, server.SessionLifetime = 3*time.Hour, 3*time.Hour
		}, true},
		{"client's roots changed in place", func(client, server *Config) {
			client.RootCAs.AddCert(newCA(t, "new root", nil).cert) // the server's as well
		}, false},
		{"equal roots", func(client, server *Config) {
			client.RootCAs, server.ClientCAs = client.RootCAs.Clone(), server.ClientCAs.Clone()
		}, true},
		{"client has one more certificate", func(client, server *Config) {
			client.Certificates = append([]Certificate{newCA(t, "x", nil).pair(t, "x", nil)}, client.Certificates...)
		}, true},
	}...) {
		t.Run(test.name, func(t *testing.T) {
			client, server := resumableConfigs(t)
			client, server = client.Clone(), server.Clone()
			test.change(client, server)
			wantResumed(t, client, server, test.want)
		})
	}
}

// A session is for one server name, at both ends.
func TestSessionServerName(t *testing.T) {
	client, server := testConfigs(t)
	ca := newCA(t, "root", nil)
	client.RootCAs = poolOf(ca)
	server.Certificates = []Certificate{ca.pair(t, "*.test", nil)}
	client.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(4)}
	server.ServerSessionCache = NewLRUServerSessionCache(4)
	mustShake(t, client, server)
	other := client.Clone()
	other.ServerName = "other.test"
	wantResumed(t, other, server, false)
	wantResumed(t, other, server, true)

	// The server must not rely on the client: change the name behind the
	// client's back.
	state, _ := other.ClientSessionCache.Get("")
	forged := *state.session
	forged.serverName = testName
	other.ClientSessionCache.Put("", &ClientSessionState{&forged})
	other.ServerName = testName
	wantResumed(t, other, server, false)

	// A client may leave the name out when it resumes (RFC 6066, section 3), as
	// openHiTLS does; the connection is then one of the session's name.
	wantResumed(t, other, server, true)
	bare := other.Clone()
	bare.OmitExtensions = true
	_, s := mustShake(t, bare, server)
	if state := s.ConnectionState(); !state.DidResume || state.ServerName != testName {
		t.Errorf("without a name: resumed %v, for %q", state.DidResume, state.ServerName)
	}
	// A session without a name is none for any name.
	fresh := bare.Clone()
	fresh.ClientSessionCache = anyAddressCache{NewLRUClientSessionCache(4)}
	mustShake(t, fresh, server)
	fresh.OmitExtensions = false
	wantResumed(t, fresh, server, false)
}

// Certificates that expire during the life of a session end it; a full
// handshake then fails.
func TestSessionExpiredCertificates(t *testing.T) {
	soon := time.Now().Add(10 * time.Minute)
	at := func() time.Time { return time.Now().Add(20 * time.Minute) }
	expiring := func(c *smx509.Certificate) { c.NotAfter = soon }
	t.Run("server", func(t *testing.T) {
		client, server := resumableConfigs(t, func(client, server *Config) {
			ca := newCA(t, "root", nil)
			client.RootCAs = poolOf(ca)
			server.Certificates = []Certificate{ca.pair(t, testName, nil, expiring)}
		})
		client = client.Clone()
		client.Time = at
		_, _, clientErr, serverErr := shake(t, client, server)
		wantAlert(t, clientErr, "local error", AlertCertificateExpired)
		wantAlert(t, serverErr, "remote error", AlertCertificateExpired)
	})
	t.Run("client", func(t *testing.T) {
		client, server := resumableConfigs(t, func(client, server *Config) {
			ca := newCA(t, "root", nil)
			server.ClientCAs = poolOf(ca)
			client.Certificates = []Certificate{ca.pair(t, "client", nil, expiring)}
		})
		server = server.Clone()
		server.Time = at
		_, _, clientErr, serverErr := shake(t, client, server)
		wantAlert(t, clientErr, "remote error", AlertCertificateExpired)
		wantAlert(t, serverErr, "local error", AlertCertificateExpired)
	})
}

// Both callbacks are asked for resumed sessions, at both ends.
func TestSessionCallbacks(t *testing.T) {
	client, server := resumableConfigs(t)
	var calls, resumed int
	count := func(c *Config) *Config {
		c = c.Clone()
		c.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
			if len(raw) == 2 && len(chains) == 1 {
				calls++
			}
			return nil
		}
		c.VerifyConnection = func(state ConnectionState) error {
			if state.DidResume && len(state.PeerCertificates) == 2 {
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
	wantResumed(t, client, server, false) // both have forgotten it
}

// A connection that ends by a fatal alert takes its session with it (6.4.2.2).
func TestSessionForgottenAfterFatalAlert(t *testing.T) {
	client, server := resumableConfigs(t)
	c, s := mustShake(t, client, server)
	if !c.ConnectionState().DidResume {
		t.Fatal("not resumed")
	}
	c.NetConn().Write([]byte{recordApplicationData, 1, 1, 0, 32, 31: 0, 36: 0}) // does not authenticate
	_, err := s.Read(make([]byte, 1))
	wantAlert(t, err, "local error", AlertBadRecordMAC)
	_, err = c.Read(make([]byte, 1))
	wantAlert(t, err, "remote error", AlertBadRecordMAC)
	if _, ok := client.ClientSessionCache.Get(""); ok {
		t.Error("the client keeps the session")
	}
	wantResumed(t, client, server, false)
}

// A certificate without verification is bound as well.
func TestSessionUnverified(t *testing.T) {
	client, server := resumableConfigs(t, func(client, server *Config) {
		client.InsecureSkipVerify = true
		server.ClientAuth, server.ClientCAs = RequireAnyClientCert, nil
	})
	wantResumed(t, client, server, true)
	client, server = client.Clone(), server.Clone()
	client.InsecureSkipVerify = false
	wantResumed(t, client, server, false)
}

func TestSessionWithoutClientCertificate(t *testing.T) {
	client, server := resumableConfigs(t, func(client, server *Config) {
		client.Certificates = nil
		server.ClientAuth = VerifyClientCertIfGiven
	})
	wantResumed(t, client, server, true)
	server = server.Clone()
	server.ClientAuth = NoClientCert
	wantResumed(t, client, server, false)
}

func TestSessionKey(t *testing.T) {
	a, b := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}
	keys := map[string]bool{}
	for _, name := range []string{"", "a.test", "b.test"} {
		for _, addr := range []net.Addr{nil, a, b} {
			keys[clientSessionKey(name, addr)] = true
		}
	}
	if len(keys) != 9 {
		t.Errorf("9 servers have %d keys", len(keys))
	}
}

func TestLRU(t *testing.T) {
	c := NewLRUServerSessionCache(2)
	s := func() *ServerSessionState { return &ServerSessionState{&session{}} }
	has := func(want ...string) {
		t.Helper()
		for _, key := range []string{"a", "b", "c"} {
			_, ok := c.Get(key)
			wanted := false
			for _, w := range want {
				wanted = wanted || w == key
			}
			if ok != wanted {
				t.Errorf("%q is there: %v, want %v", key, ok, wanted)
			}
		}
	}
	c.Put("a", s())
	c.Put("b", s())
	has("a", "b")
	c.Get("a")
	c.Put("c", s())
	has("a", "c")
	c.Put("a", nil)
	c.Put("b", nil)
	has("c")
	newer := s()
	c.Put("c", newer)
	if got, _ := c.Get("c"); got != newer {
		t.Error("Put does not replace")
	}
	l := newLRU[ServerSessionState](0)
	for i := range 2 * defaultSessionCacheSize {
		l.Put(string(rune(i)), s())
	}
	if l.Len() != defaultSessionCacheSize {
		t.Errorf("the default capacity is %d", l.Len())
	}
}

// A peer is verified again when a session is resumed, by the rules of that time.
func TestSessionVerifiedAgain(t *testing.T) {
	ca := newCA(t, "root", nil)
	unpaired := func(name string) Certificate {
		pair, other := ca.pair(t, name, nil), ca.pair(t, name, nil, func(c *smx509.Certificate) { c.Subject.CommonName = "other" })
		pair.Certificate[1], pair.EncPrivateKey, pair.EncLeaf = other.Certificate[1], other.EncPrivateKey, other.EncLeaf
		return pair
	}
	for _, test := range []struct {
		name   string
		before func(client, server *Config)
		after  func(client, server *Config)
	}{
		{"client is stricter on pairs", func(client, server *Config) {
			client.RootCAs, client.AllowUnpairedCertificates = poolOf(ca), true
			server.Certificates = []Certificate{unpaired(testName)}
		}, func(client, server *Config) { client.AllowUnpairedCertificates = false }},
		{"server is stricter on pairs", func(client, server *Config) {
			server.ClientCAs, server.AllowUnpairedCertificates = poolOf(ca), true
			client.Certificates = []Certificate{unpaired("client.test")}
		}, func(client, server *Config) { server.AllowUnpairedCertificates = false }},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := resumableConfigs(t, test.before)
			wantResumed(t, client, server, true)
			client, server = client.Clone(), server.Clone()
			test.after(client, server)
			c, _, clientErr, serverErr := shake(t, client, server)
			// The full handshake that is due fails.
			if clientErr == nil || serverErr == nil || c.ConnectionState().DidResume {
				t.Errorf("client: %v; server: %v; resumed: %v", clientErr, serverErr, c.ConnectionState().DidResume)
			}
		})
	}
}

// Constraints of a pool are asked at every resumption.
func TestSessionConstraints(t *testing.T) {
	revoked := false
	constrained := func(ca *testCA) *smx509.CertPool {
		pool := smx509.NewCertPool()
		pool.AddCertWithConstraint(ca.cert, func([]*smx509.Certificate) error {
			if revoked {
				return errors.New("revoked")
			}
			return nil
		})
		return pool
	}
	for _, who := range []string{"client", "server"} {
		revoked = false
		client, server := resumableConfigs(t, func(client, server *Config) {
			ca := newCA(t, "root", nil)
			client.ChainCache, server.ChainCache = nil, nil
			if who == "client" {
				client.RootCAs, server.Certificates = constrained(ca), []Certificate{ca.pair(t, testName, nil)}
			} else {
				server.ClientCAs, client.Certificates = constrained(ca), []Certificate{ca.pair(t, "client.test", nil)}
			}
		})
		wantResumed(t, client, server, true)
		revoked = true
		if _, _, clientErr, serverErr := shake(t, client, server); clientErr == nil || serverErr == nil {
			t.Errorf("%s: a session under a root that is revoked is resumed", who)
		}
	}
}
