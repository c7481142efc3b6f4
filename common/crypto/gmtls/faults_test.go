// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

var errFault = errors.New("planted fault")

// faultAt fails once, at the n-th use.
type faultAt struct {
	n    int
	uses int
	met  atomic.Bool
}

func (f *faultAt) use() error {
	if f.uses++; f.uses == f.n {
		f.met.Store(true)
		return errFault
	}
	return nil
}

// Read gives randomness. Single bytes do not count: the standard library reads one now and then to keep callers from relying on how
// much it reads, and does not look at the error.
func (f *faultAt) Read(b []byte) (int, error) {
	if len(b) > 1 {
		if err := f.use(); err != nil {
			clear(b)
			return 0, err
		}
	}
	return rand.Read(b)
}

func (f *faultAt) Write(b []byte) (int, error) { return len(b), f.use() }

// TestEveryFaultCounts: whichever read of randomness or write to the key log fails, the handshake of that end does. No secret is made
// of bytes that did not come.
func TestEveryFaultCounts(t *testing.T) {
	for name, plant := range map[string]func(*Config, *faultAt){
		"randomness": func(c *Config, f *faultAt) { c.Rand = f },
		"key log":    func(c *Config, f *faultAt) { c.KeyLogWriter = f },
	} {
		for _, version := range []uint16{VersionTLCP, VersionTLS13} {
			for _, atClient := range []bool{true, false} {
				t.Run(name+" "+VersionName(version)+map[bool]string{true: " client", false: " server"}[atClient], func(t *testing.T) {
					met := 0
					for n := 1; ; n++ {
						client, server := testConfigs(t)
						client.Versions, server.Versions = []uint16{version}, []uint16{version}
						client.ClientSessionCache, server.ServerSessionCache = NewLRUClientSessionCache(1), NewLRUServerSessionCache(1)
						if version == VersionTLS13 { // with a HelloRetryRequest
							client.CurvePreferences = []CurveID{CurveSM2, CurveSM2MLKEM768}
							server.CurvePreferences = []CurveID{CurveSM2MLKEM768}
						}
						fault, at := &faultAt{n: n}, server
						if atClient {
							at = client
						}
						plant(at, fault)
						_, _, clientErr, serverErr := shake(t, client, server)
						err := serverErr
						if atClient {
							err = clientErr
						}
						if !fault.met.Load() {
							break
						}
						met++
						if !errors.Is(err, errFault) && (err == nil || !strings.Contains(err.Error(), errFault.Error())) {
							t.Errorf("use %d fails, and the handshake ends with %v", n, err)
						}
					}
					if met == 0 {
						t.Error("nothing was used")
					}
				})
			}
		}
	}
}

// A key that does not sign ends the handshake at either end, by a fault of this end's own.
func TestKeyThatFails13(t *testing.T) {
	for _, atClient := range []bool{true, false} {
		client, server := testConfigs13(t)
		server.ClientAuth = RequireAndVerifyClientCert
		at := server
		if atClient {
			at = client
		}
		at.Certificates = []Certificate{at.Certificates[0]}
		at.Certificates[0].PrivateKey = failingSigner{at.Certificates[0].PrivateKey.(*sm2.PrivateKey)}
		_, _, clientErr, serverErr := shake(t, client, server)
		err := serverErr
		if atClient {
			err = clientErr
		}
		wantAlert(t, err, "local error", AlertInternalError)
		if !errors.Is(err, errFault) {
			t.Errorf("client %v: %v", atClient, err)
		}
	}
}

// What the application refuses is refused: a resumed server, a client without a certificate, a choice of certificate that fails.
func TestRefusedByApplication13(t *testing.T) {
	refuse := func(c *Config) { c.VerifyConnection = func(ConnectionState) error { return errFault } }
	t.Run("client, resumed", func(t *testing.T) {
		client, server := resumable13(t)
		client = client.Clone()
		refuse(client)
		_, _, clientErr, _ := shake(t, client, server)
		if !errors.Is(clientErr, errFault) {
			t.Error(clientErr)
		}
	})
	for _, auth := range []ClientAuthType{NoClientCert, VerifyClientCertIfGiven} {
		t.Run("server, nobody presented, "+auth.String(), func(t *testing.T) {
			client, server := testConfigs13(t)
			client.Certificates, server.ClientAuth = nil, auth
			calls := 0
			server.VerifyConnection = func(ConnectionState) error { calls++; return nil }
			mustShake(t, client, server)
			if calls != 1 {
				t.Errorf("the application was asked %d times", calls)
			}
			refuse(server)
			_, _, _, serverErr := shake(t, client, server)
			if !errors.Is(serverErr, errFault) {
				t.Error(serverErr)
			}
		})
	}
	t.Run("server, somebody presented", func(t *testing.T) {
		client, server := testConfigs13(t)
		server.ClientAuth = RequireAndVerifyClientCert
		calls := 0
		server.VerifyConnection = func(ConnectionState) error { calls++; return nil }
		mustShake(t, client, server)
		if calls != 1 {
			t.Errorf("the application was asked %d times", calls)
		}
	})
	t.Run("client's choice", func(t *testing.T) {
		client, server := testConfigs13(t)
		server.ClientAuth = VerifyClientCertIfGiven
		client.GetClientCertificate = func(*CertificateRequestInfo) (*Certificate, error) { return nil, errFault }
		_, _, clientErr, _ := shake(t, client, server)
		if !errors.Is(clientErr, errFault) {
			t.Error(clientErr)
		}
	})
	t.Run("server's choice", func(t *testing.T) {
		client, server := testConfigs13(t)
		server.Certificates = nil
		server.GetCertificate = func(*ClientHelloInfo) (*Certificate, error) { return nil, errFault }
		_, _, _, serverErr := shake(t, client, server)
		if !errors.Is(serverErr, errFault) {
			t.Error(serverErr)
		}
	})
	t.Run("server's groups", func(t *testing.T) {
		client, server := testConfigs13(t)
		server.CurvePreferences = []CurveID{CurveSM2, 29}
		_, _, _, serverErr := shake(t, client, server)
		wantAlert(t, serverErr, "local error", AlertInternalError)
	})
}

// A server takes the suite that the client likes best, or its own if it says so.
func TestSuiteSelection13(t *testing.T) {
	client, server := testConfigs13(t)
	client.CipherSuites = []uint16{TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3}
	for prefer, want := range map[bool]uint16{false: TLS_SM4_CCM_SM3, true: TLS_SM4_GCM_SM3} {
		server.PreferServerCipherSuites = prefer
		c, _ := mustShake(t, client, server)
		if got := c.ConnectionState().CipherSuite; got != want {
			t.Errorf("%v: %s", prefer, CipherSuiteName(got))
		}
	}
}

// No ticket goes out where tickets are off, or where the session would end at once.
func TestNoTicket13(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"off":       func(server *Config) { server.SessionTicketsDisabled = true },
		"soon over": func(server *Config) { server.SessionLifetime = time.Second - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			client, server := resumable13(t, func(_, server *Config) { change(server) })
			if _, ok := client.ClientSessionCache.Get(""); ok {
				t.Error("the client has a ticket")
			}
			if kept := server.ServerSessionCache.(lruSessions[ServerSessionState]).Len(); kept != 0 {
				t.Errorf("the server keeps %d sessions", kept)
			}
		})
	}
}

// A client offers a session to the server by whose name it was made, and as the one that it was then, though server and authority
// would take it otherwise.
func TestSessionOfAnotherClient(t *testing.T) {
	for _, version := range []uint16{VersionTLCP, VersionTLS13} {
		ca := newCA(t, "root", nil)
		client, server := resumableConfigs(t, func(client, server *Config) {
			client.Versions, server.Versions = []uint16{version}, []uint16{version}
			client.RootCAs, server.ClientCAs = poolOf(ca), poolOf(ca)
			client.Certificates, server.Certificates = []Certificate{ca.pair(t, "one", nil)}, []Certificate{ca.pair(t, "*.test", nil)}
		})
		state, _ := client.ClientSessionCache.Get("")
		renamed := client.Clone()
		renamed.ServerName = "other.test"
		if state.session.resumableByClient(renamed) || !state.session.resumableByClient(client) {
			t.Error("the session is offered under another name, or not at all")
		}
		other := client.Clone()
		other.Certificates = []Certificate{ca.pair(t, "two", nil)}
		c, s := mustShake(t, other, server)
		if c.ConnectionState().DidResume || s.ConnectionState().PeerCertificates[0].Subject.CommonName != "two" {
			t.Errorf("%s: a session of one client serves another", VersionName(version))
		}
	}
}

// Of a pair TLS 1.3 sends all but the encryption certificate, whatever tells that there is one.
func TestSingleOfPair(t *testing.T) {
	key, certs := new(sm2.PrivateKey), [][]byte{{1}, {2}, {3}}
	for _, test := range []struct {
		cert Certificate
		want int
	}{
		{Certificate{Certificate: certs}, 3},
		{Certificate{Certificate: certs, EncPrivateKey: key}, 2},
		{Certificate{Certificate: certs, EncLeaf: new(x509.Certificate)}, 2},
		{Certificate{Certificate: certs[:1], EncPrivateKey: key}, 1},
	} {
		if got := test.cert.single(); len(got) != test.want || got[0][0] != 1 || len(got) == 2 && got[1][0] != 3 {
			t.Errorf("%v of %v", got, test.cert.Certificate)
		}
	}
}

// Names of authorities that do not fit into a CertificateRequest are left out.
func TestManyAuthorities13(t *testing.T) {
	names := make([][]byte, 200)
	for i := range names {
		names[i] = make([]byte, 1000)
	}
	msg := appendCertificateRequest13(nil, names)
	_, got, err := parseCertificateRequest13(msg[handshakeHdrLen:])
	if err != nil || len(got) == 0 || len(got) == len(names) || len(msg) > maxNamesLen+100 {
		t.Errorf("%d names in %d bytes, %v", len(got), len(msg), err)
	}
}

// A server refuses a message after the handshake by its first bytes: it keeps nothing of one that it does not take. A client, which takes
// tickets, refuses one that is longer than any message in the handshake.
func TestLongMessageAfterHandshake13(t *testing.T) {
	for _, test := range []struct {
		name  string
		begin []byte
		want  AlertError
	}{
		{"KeyUpdate of two bytes", []byte{msgKeyUpdate, 0, 0, 2}, AlertDecodeError},
		{"KeyUpdate of 64 KiB", []byte{msgKeyUpdate, 0, 0xff, 0xff}, AlertDecodeError},
		{"ticket of a client", []byte{msgNewSessionTicket}, AlertUnexpectedMessage},
		{"certificate", []byte{msgCertificate}, AlertUnexpectedMessage},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := mustShake(testPair13(t))
			sendHandshakeRecord(t, client, test.begin)
			_, err := server.Read(make([]byte, 1))
			wantAlert(t, err, "local error", test.want)
		})
	}
	client, server := mustShake(testPair13(t))
	sendHandshakeRecord(t, server, []byte{msgNewSessionTicket, 0xff, 0xff, 0xff})
	_, err := client.Read(make([]byte, 1))
	wantAlert(t, err, "local error", AlertIllegalParameter)
}

// sendHandshakeRecord sends a record of a handshake message, or of a part of one, behind the handshake.
func sendHandshakeRecord(t *testing.T, c *Conn, body []byte) {
	t.Helper()
	c.out.Lock()
	defer c.out.Unlock()
	if err := c.appendRecordsLocked(recordHandshake, body); err != nil {
		t.Fatal(err)
	}
	if err := c.flushLocked(); err != nil {
		t.Fatal(err)
	}
}

type failingSigner struct{ *sm2.PrivateKey }

func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errFault
}

// countingSigner counts what it signs.
type countingSigner struct {
	crypto.Signer
	signed atomic.Int64
}

func (s *countingSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.signed.Add(1)
	return s.Signer.Sign(rand, digest, opts)
}

// endingConn ends a context with the first bytes that come.
type endingConn struct {
	net.Conn
	end func()
}

func (c *endingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.end()
	return n, err
}

// TestNothingIsComputedTooLate: a message that came in the moment in which the handshake
// was given up is not answered with a signature.
func TestNothingIsComputedTooLate(t *testing.T) {
	for _, version := range []uint16{VersionTLCP, VersionTLS13} {
		for _, late := range []bool{false, true} {
			client, server := testConfigs(t)
			client.Versions, server.Versions = []uint16{version}, []uint16{version}
			pair := server.Certificates[0]
			signer := &countingSigner{Signer: pair.PrivateKey.(crypto.Signer)}
			pair.PrivateKey = signer
			server.Certificates = []Certificate{pair}
			ctx, end := context.WithCancelCause(t.Context())
			raw := &endingConn{end: func() {
				if late {
					end(errFault)
				}
			}}
			var c net.Conn
			c, raw.Conn = tcpPair(t)
			go Client(c, client).Handshake()
			err := Server(raw, server).HandshakeContext(ctx)
			if late && (err != errFault || signer.signed.Load() != 0) {
				t.Errorf("%s: %d signatures after the end, %v", VersionName(version), signer.signed.Load(), err)
			}
			if !late && (err != nil || signer.signed.Load() != 1) {
				t.Errorf("%s: %d signatures, %v", VersionName(version), signer.signed.Load(), err)
			}
			end(nil)
		}
	}
}
