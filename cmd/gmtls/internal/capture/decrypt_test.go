// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	tjtls "github.com/tjfoc/gmsm/gmtls"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/capturetest"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/wire"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

func keyLog(t *testing.T, text string) *wire.KeyLog {
	keys, err := wire.NewKeyLog("keys", strings.NewReader(text))
	require.NoError(t, err)
	return keys
}

// names lists what a side sent encrypted, with the sizes and the notes.
func encrypted(c *Conversation, fromClient bool) (names []string, data []byte) {
	for _, s := range c.Ladder {
		if s.FromClient == fromClient && s.Encrypted {
			names = append(names, s.Name)
			data = append(data, s.Payload...)
		}
	}
	return names, data
}

// say sends a text longer than a record and reads it back.
func say(c net.Conn, text []byte) {
	if _, err := c.Write(text); err == nil {
		_, _ = io.ReadFull(c, make([]byte, len(text)))
	}
	c.Close()
}

// sameServer makes every connection look like one to the same address, as
// sessions are bound to it.
type sameServer struct{ net.Conn }

func (sameServer) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// twice reads a capture of two connections over which the server says again what the client says, with the key log.
func twice(t *testing.T, server, client *gmtls.Config, text []byte, log *bytes.Buffer) []*Conversation {
	t.Helper()
	serve := func(c net.Conn) {
		s := gmtls.Server(c, server)
		_, _ = io.Copy(s, s)
		s.Close()
	}
	ask := func(c net.Conn) { say(gmtls.Client(sameServer{c}, client), text) }
	first, second := record(t, serve, ask), record(t, serve, ask)
	r, err := Read(packets(t, true, 0, first, second), Options{Keys: keyLog(t, log.String()), Payload: 20_000})
	require.NoError(t, err)
	require.Len(t, r.Conversations, 2)
	return r.Conversations
}

// Every suite is opened, of full and of resumed handshakes.
func TestDecryption(t *testing.T) {
	m := newFixture(t)
	text := bytes.Repeat([]byte("abc"), 7000) // two records
	for _, suite := range gmtls.CipherSuites() {
		t.Run(suite.Name, func(t *testing.T) {
			var log bytes.Buffer
			server := &gmtls.Config{Certificates: []gmtls.Certificate{m.pair}, ClientAuth: gmtls.RequireAndVerifyClientCert,
				ClientCAs: m.roots.SM(), ServerSessionCache: gmtls.NewLRUServerSessionCache(1)}
			client := &gmtls.Config{RootCAs: m.roots.SM(), ServerName: "peer", Certificates: []gmtls.Certificate{m.pair},
				CipherSuites: []uint16{suite.ID}, KeyLogWriter: &log, ClientSessionCache: gmtls.NewLRUClientSessionCache(1)}
			for i, c := range twice(t, server, client, text, &log) {
				require.True(t, c.Complete)
				require.Equal(t, i == 1, !hasStep(c, "ClientKeyExchange"), "the second one is resumed")
				for _, fromClient := range []bool{true, false} {
					names, data := encrypted(c, fromClient)
					require.Equal(t, []string{"Finished", "ApplicationData", "ApplicationData"}, names[:3])
					require.Equal(t, text, data)
				}
				require.Equal(t, [2]int{len(text), len(text)}, c.Data)
				require.NotContains(t, c.Decryption, "then one")
				finished := c.Ladder[stepOf(c, "Finished")]
				require.Equal(t, 16, finished.Size, "4 bytes of header and 12 of verify_data")
				require.Equal(t, "warning: close notify (0)", c.Ladder[stepOf(c, "Alert")].Note)
			}
		})
	}
}

func stepOf(c *Conversation, name string) int {
	for i, s := range c.Ladder {
		if s.Name == name {
			return i
		}
	}
	return -1
}

func hasStep(c *Conversation, name string) bool { return stepOf(c, name) >= 0 }

// Both ends, and the key log, are of another implementation.
func TestDecryptionOfTjfoc(t *testing.T) {
	m := newFixture(t)
	half := func(der []byte, key any) tjtls.Certificate {
		text, err := x509.MarshalPrivateKeyPEM(key, nil)
		require.NoError(t, err)
		cert, err := tjtls.GMX509KeyPairsSingle(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), text)
		require.NoError(t, err)
		return cert
	}
	var log bytes.Buffer
	server := &tjtls.Config{GMSupport: tjtls.NewGMSupport(), Certificates: []tjtls.Certificate{
		half(m.pair.Certificate[0], m.pair.PrivateKey), half(m.pair.Certificate[1], m.pair.EncPrivateKey)}}
	client := &tjtls.Config{GMSupport: tjtls.NewGMSupport(), InsecureSkipVerify: true, KeyLogWriter: &log}
	flows := record(t, func(c net.Conn) {
		s := tjtls.Server(c, server)
		_, _ = io.Copy(s, s)
		s.Close()
	}, func(c net.Conn) { say(tjtls.Client(c, client), []byte("hello")) })
	r, err := Read(packets(t, false, 0, flows), Options{Keys: keyLog(t, log.String()), Payload: 4})
	require.NoError(t, err)
	require.Len(t, r.Conversations, 1)
	c := r.Conversations[0]
	require.True(t, c.Complete)
	require.Equal(t, [2]int{5, 5}, c.Data)
	for _, fromClient := range []bool{true, false} {
		names, data := encrypted(c, fromClient)
		require.Equal(t, []string{"Finished", "ApplicationData"}, names[:2])
		require.Equal(t, "hell", string(data[:4]), "--payload bounds what is shown")
	}
}

// What the key log does not open stays closed, and the report says why.
func TestDecryptionFails(t *testing.T) {
	m := newFixture(t)
	var log bytes.Buffer
	client := func(c net.Conn) {
		talk(gmtls.Client(c, &gmtls.Config{RootCAs: m.roots.SM(), ServerName: "peer", KeyLogWriter: &log}))
	}
	flows := record(t, m.tlcpServer(0), client)
	read := func(keys string, drop int) *Conversation {
		r, err := Read(packets(t, false, drop, flows), Options{Keys: keyLog(t, keys), Payload: 99})
		require.NoError(t, err)
		require.Len(t, r.Conversations, 1)
		for _, s := range r.Conversations[0].Ladder {
			require.Empty(t, s.Payload)
		}
		return r.Conversations[0]
	}
	line := strings.Fields(log.String())
	require.Len(t, line, 3)

	c := read("# nothing\nEXPORTER_SECRET 00 11\n", 0)
	require.True(t, c.Complete)
	require.Equal(t, "none: the key log has no secret that fits; it would stand behind CLIENT_RANDOM "+line[1][:16]+"...", c.Decryption)

	wrong := line[0] + " " + line[1] + " " + strings.Repeat("7", 96) + "\n"
	c = read(wrong, 0)
	require.True(t, c.Complete)
	require.Contains(t, c.Decryption, "no secret that fits")
	require.Equal(t, "does not decrypt with the secret in the key log", c.Ladder[stepOf(c, "Finished")].Note)

	c = read(log.String(), 2) // with the ServerHello
	require.Equal(t, "none: packets are missing in the capture", c.Decryption)

	r, err := Read(packets(t, false, 0, record(t, m.tlsServer, m.tlsClient(tls.VersionTLS12))), Options{Keys: keyLog(t, log.String())})
	require.NoError(t, err)
	require.Contains(t, r.Conversations[0].Decryption, "this is TLS")
}

// An encrypted alert that refuses the client is read.
func TestDecryptedAlert(t *testing.T) {
	m := newFixture(t)
	var log bytes.Buffer
	flows := record(t, func(c net.Conn) {
		s := gmtls.Server(c, &gmtls.Config{Certificates: []gmtls.Certificate{m.pair}})
		if s.Handshake() == nil {
			c.(*net.TCPConn).CloseWrite() // the test is over
		}
		_, _ = io.Copy(io.Discard, c)
	}, func(c net.Conn) {
		s := gmtls.Client(c, &gmtls.Config{RootCAs: m.roots.SM(), ServerName: "peer", KeyLogWriter: &log})
		if s.Handshake() == nil {
			s.Close()
		}
	})
	r, err := Read(packets(t, false, 0, flows), Options{Keys: keyLog(t, log.String())})
	require.NoError(t, err)
	names, _ := encrypted(r.Conversations[0], true)
	require.Equal(t, []string{"Finished", "Alert"}, names)
}

// A server whose encryption key is not that of its certificate.
func TestForeignKeyInCapture(t *testing.T) {
	m, other := newFixture(t), newFixture(t)
	m.pair.EncPrivateKey = other.pair.EncPrivateKey
	var log bytes.Buffer
	flows := record(t, m.tlcpServer(0), func(c net.Conn) {
		talk(gmtls.Client(c, &gmtls.Config{RootCAs: m.roots.SM(), ServerName: "peer", KeyLogWriter: &log}))
	})
	r, err := Read(packets(t, false, 0, flows), Options{Keys: keyLog(t, log.String())})
	require.NoError(t, err)
	c := r.Conversations[0]
	require.False(t, c.Complete)
	require.True(t, strings.HasPrefix(c.Broken, string(cause.FinishedMismatch)+": the server sent fatal: "), c.Broken)
	names, _ := encrypted(c, true)
	require.Equal(t, []string{"Finished"}, names, "the client's own secret opens its own records")
}

// The key log of a live capture grows while it is read.
func TestGrowingKeyLog(t *testing.T) {
	m := newFixture(t)
	name := filepath.Join(t.TempDir(), "keys")
	w, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	defer w.Close()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	keys, err := wire.NewKeyLog(name, f)
	require.NoError(t, err)
	for range 2 {
		flows := record(t, m.tlcpServer(0), func(c net.Conn) {
			talk(gmtls.Client(c, &gmtls.Config{RootCAs: m.roots.SM(), ServerName: "peer", KeyLogWriter: w}))
		})
		r, err := Read(packets(t, false, 0, flows), Options{Keys: keys})
		require.NoError(t, err)
		require.Equal(t, [2]int{5, 5}, r.Conversations[0].Data)
	}
	_, err = w.WriteString("CLIENT_RANDOM 12\n")
	require.NoError(t, err)
	flows := record(t, m.tlcpServer(0), m.tlcpClient(m.roots))
	_, err = Read(packets(t, false, 0, flows), Options{Keys: keys})
	require.ErrorContains(t, err, "keys: line 3: CLIENT_RANDOM must be followed by 32 and 48 bytes in hexadecimal")
}

// A client that is alone in the capture, whose ClientHello is cut off, and that
// continues as if there had been a handshake.
func TestDecryptionWithoutClientHello(t *testing.T) {
	data := []byte{22, 1, 1, 0, 6, 1, 0, 0, 41, 1, 1, 20, 1, 1, 0, 1, 1, 22, 1, 1, 0, 4, 1, 2, 3, 4}
	file, err := capturetest.File(false, 0, []capturetest.Flow{{Client: true, Data: data}})
	require.NoError(t, err)
	r, err := Read(bytes.NewReader(file), Options{Keys: keyLog(t, "")})
	require.NoError(t, err)
	require.Len(t, r.Conversations, 1)
	require.Equal(t, "none: there is no ClientHello that can be read", r.Conversations[0].Decryption)
}

// Both suites of TLS 1.3 are opened, of full and of resumed handshakes, with what the server sends before and after Finished.
func TestDecryption13(t *testing.T) {
	m := newFixture(t)
	text := bytes.Repeat([]byte("abc"), 7000) // two records
	for _, suite := range gmtls.CipherSuitesTLS13() {
		t.Run(suite.Name, func(t *testing.T) {
			var log bytes.Buffer
			versions := []uint16{gmtls.VersionTLS13}
			server := &gmtls.Config{Versions: versions, Certificates: []gmtls.Certificate{m.pair}, ClientAuth: gmtls.RequireAndVerifyClientCert,
				ClientCAs: m.roots.SM(), ServerSessionCache: gmtls.NewLRUServerSessionCache(4)}
			client := &gmtls.Config{Versions: versions, RootCAs: m.roots.SM(), ServerName: "peer", Certificates: []gmtls.Certificate{m.pair},
				CipherSuites: []uint16{suite.ID}, KeyLogWriter: &log, ClientSessionCache: gmtls.NewLRUClientSessionCache(4)}
			for i, c := range twice(t, server, client, text, &log) {
				require.True(t, c.Complete)
				require.Equal(t, "TLS 1.3", c.Protocol)
				full := i == 0
				for _, side := range []struct {
					client bool
					want   []string
				}{
					{true, map[bool][]string{true: {"Certificate", "CertificateVerify", "Finished"}, false: {"Finished"}}[full]},
					{false, map[bool][]string{
						true:  {"EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify", "Finished"},
						false: {"EncryptedExtensions", "Finished"},
					}[full]},
				} {
					names, data := encrypted(c, side.client)
					require.Equal(t, side.want, names[:len(side.want)])
					require.Equal(t, text, data)
				}
				require.True(t, hasStep(c, "NewSessionTicket"))
				require.Equal(t, [2]int{len(text), len(text)}, c.Data)
				require.Regexp(t, `^\d+ records$`, c.Decryption)
				require.Equal(t, "warning: close notify (0)", c.Ladder[stepOf(c, "Alert")].Note)
				if full {
					require.Equal(t, "1 certificate", c.Ladder[stepOf(c, "Certificate")].Note)
					require.Equal(t, "names 2 authorities", c.Ladder[stepOf(c, "CertificateRequest")].Note)
				}
			}
		})
	}
}

// What cannot be opened of TLS 1.3 stays closed, from where on it is, and the report says why.
func TestDecryption13Fails(t *testing.T) {
	m := newFixture(t)
	var log bytes.Buffer
	versions := []uint16{gmtls.VersionTLS13}
	flows := record(t, func(c net.Conn) {
		s := gmtls.Server(c, &gmtls.Config{Versions: versions, Certificates: []gmtls.Certificate{m.pair}})
		_, _ = io.Copy(s, s)
		s.Close()
	}, func(c net.Conn) {
		talk(gmtls.Client(c, &gmtls.Config{Versions: versions, RootCAs: m.roots.SM(), ServerName: "peer", KeyLogWriter: &log}))
	})
	read := func(keys string) *Conversation {
		r, err := Read(packets(t, false, 0, flows), Options{Keys: keyLog(t, keys), Payload: 99})
		require.NoError(t, err)
		require.True(t, r.Conversations[0].Complete)
		return r.Conversations[0]
	}
	without := func(label string) string {
		var kept strings.Builder
		for line := range strings.Lines(log.String()) {
			if !strings.HasPrefix(line, label) {
				kept.WriteString(line)
			}
		}
		require.Less(t, kept.Len(), log.Len())
		return kept.String()
	}
	require.Equal(t, [2]int{5, 5}, read(log.String()).Data)
	random := strings.Fields(log.String())[1]
	require.Equal(t, "none: the key log has no secret that fits; it would stand behind CLIENT_HANDSHAKE_TRAFFIC_SECRET "+random[:16]+"...", read("").Decryption)

	c := read(without("SERVER_TRAFFIC_SECRET_0"))
	require.Contains(t, c.Decryption, " records, then one that the secret in the key log does not fit")
	require.True(t, hasStep(c, "EncryptedExtensions"))
	_, data := encrypted(c, false)
	require.Empty(t, data)
	_, data = encrypted(c, true)
	require.Equal(t, "hello", string(data), "the other direction is opened")

	wrong := without("CLIENT_HANDSHAKE") + "CLIENT_HANDSHAKE_TRAFFIC_SECRET " + random + " " + strings.Repeat("7", 64) + "\n"
	c = read(wrong)
	_, data = encrypted(c, true)
	require.Empty(t, data)
	require.Contains(t, c.Ladder[stepOf(c, "handshake or data")].Note, "does not decrypt")
}

// A client that refuses the server's certificate says so under the keys of the handshake: the alert is read.
func TestDecrypted13Alert(t *testing.T) {
	m, other := newFixture(t), newFixture(t)
	var log bytes.Buffer
	versions := []uint16{gmtls.VersionTLS13}
	flows := record(t, func(c net.Conn) {
		_ = gmtls.Server(c, &gmtls.Config{Versions: versions, Certificates: []gmtls.Certificate{m.pair}}).Handshake()
		c.Close()
	}, func(c net.Conn) {
		talk(gmtls.Client(c, &gmtls.Config{Versions: versions, RootCAs: other.roots.SM(), ServerName: "peer", KeyLogWriter: &log}))
	})
	r, err := Read(packets(t, false, 0, flows), Options{Keys: keyLog(t, log.String())})
	require.NoError(t, err)
	c := r.Conversations[0]
	require.False(t, c.Complete)
	require.True(t, strings.HasPrefix(c.Broken, string(cause.UnknownRoot)+": the client sent fatal: unknown certificate authority (48)"), c.Broken)
	require.Equal(t, [][]byte{m.pair.Certificate[0]}, c.parser.Certificates)
}

// A server that does not accept the client judges it after both have sent Finished. Only the decrypted alert tells.
func TestDecrypted13Refusal(t *testing.T) {
	m, other := newFixture(t), newFixture(t)
	versions := []uint16{gmtls.VersionTLS13}
	for want, certs := range map[cause.ID][]gmtls.Certificate{cause.ClientCertRequired: nil, cause.ClientCertRefused: {other.pair}} {
		var log bytes.Buffer
		flows := record(t, func(c net.Conn) {
			_ = gmtls.Server(c, &gmtls.Config{Versions: versions, Certificates: []gmtls.Certificate{m.pair},
				ClientAuth: gmtls.RequireAndVerifyClientCert, ClientCAs: m.roots.SM()}).Handshake()
			_, _ = io.Copy(io.Discard, c)
		}, func(c net.Conn) {
			talk(gmtls.Client(c, &gmtls.Config{Versions: versions, RootCAs: m.roots.SM(), ServerName: "peer", Certificates: certs, KeyLogWriter: &log}))
		})
		r, err := Read(packets(t, false, 0, flows), Options{Keys: keyLog(t, log.String())})
		require.NoError(t, err)
		c := r.Conversations[0]
		require.True(t, c.sent(0, "Finished") && c.sent(1, "Finished"))
		require.False(t, c.Complete)
		require.True(t, strings.HasPrefix(c.Broken, string(want)+": the server sent fatal: "), c.Broken)
	}
}
