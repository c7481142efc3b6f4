// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	tjtls "github.com/tjfoc/gmsm/gmtls"
	tjx509 "github.com/tjfoc/gmsm/x509"
)

// Recorded connections hold every byte that this package sends, with fixed
// randomness, against what the peer answered when the record was made. A change
// of what goes over the wire thus shows, and records made with tjfoc/gmsm are
// known answers from another implementation for key derivation and record
// protection.

var (
	update     = flag.Bool("update", false, "record the connections in testdata/transcripts again")
	recordWith = flag.String("record", "", "record the selected connection of TestForeignTranscripts with the peer at this address")
)

const transcriptDir = "testdata/transcripts"

// transcriptTime is when the recorded connections take place.
var transcriptTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// flow is what went one way without a turn.
type flow struct {
	own  bool // sent by the side under test
	data []byte
}

// recordConn records both directions.
type recordConn struct {
	net.Conn
	flows []flow
}

func (c *recordConn) add(own bool, data []byte) {
	if n := len(c.flows); n > 0 && c.flows[n-1].own == own {
		c.flows[n-1].data = append(c.flows[n-1].data, data...)
		return
	}
	c.flows = append(c.flows, flow{own, bytes.Clone(data)})
}

func (c *recordConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.add(false, b[:n])
	}
	return n, err
}

func (c *recordConn) Write(b []byte) (int, error) {
	c.add(true, b)
	return c.Conn.Write(b)
}

// replayConn plays the peer's part and compares the other one.
type replayConn struct {
	net.Conn // for what is not replayed
	t        *testing.T
	flows    []flow
}

func (c *replayConn) Write(b []byte) (int, error) {
	if len(c.flows) == 0 || !c.flows[0].own || !bytes.HasPrefix(c.flows[0].data, b) {
		c.t.Errorf("sent %x, want %x", b, c.flows[0].data)
		return 0, errors.New("the record says otherwise")
	}
	c.flows[0].data = c.flows[0].data[len(b):]
	c.turn()
	return len(b), nil
}

func (c *replayConn) Read(b []byte) (int, error) {
	if len(c.flows) == 0 {
		return 0, io.EOF
	}
	if c.flows[0].own {
		c.t.Errorf("reads before it has sent %x", c.flows[0].data)
		return 0, errors.New("the record says otherwise")
	}
	n := copy(b, c.flows[0].data)
	c.flows[0].data = c.flows[0].data[n:]
	c.turn()
	return n, nil
}

func (c *replayConn) turn() {
	if len(c.flows[0].data) == 0 {
		c.flows = c.flows[1:]
	}
}

func (c *replayConn) Close() error                     { return nil }
func (c *replayConn) RemoteAddr() net.Addr             { return nil }
func (c *replayConn) SetWriteDeadline(time.Time) error { return nil }

func writeFlows(path string, flows []flow) error {
	var b strings.Builder
	for _, f := range flows {
		if f.own {
			b.WriteString("sent\n")
		} else {
			b.WriteString("received\n")
		}
		for chunk := range slices.Chunk(f.data, 32) {
			b.WriteString("  " + hex.EncodeToString(chunk) + "\n")
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func readFlows(t testing.TB, path string) (flows []flow) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); line {
		case "sent", "received":
			flows = append(flows, flow{own: line == "sent"})
		default:
			last := &flows[len(flows)-1]
			last.data = append(last.data, unhex(t, line)...)
		}
	}
	if len(flows) == 0 {
		t.Fatalf("%s is empty", path)
	}
	return flows
}

// fixedAgreer takes its ephemeral key from fixed bytes: the engine's generator
// reads a random number of bytes on purpose.
type fixedAgreer struct {
	*sm2.PrivateKey
	ephemeral byte
}

func (a fixedAgreer) NewKeyAgreement(_ io.Reader, initiator bool) (SM2KeyAgreement, error) {
	agreement, err := softwareAgreer{a.PrivateKey}.NewKeyAgreement((&Config{}).rand(), initiator)
	if err != nil {
		return nil, err
	}
	run := agreement.(*softwareAgreement)
	run.ephemeral, err = ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{a.ephemeral}, 32))
	return run, err
}

// fixedKey makes keyAgreer use the fixed ephemeral key rather than *sm2.PrivateKey.
type fixedKey struct {
	deviceKey
	fixed fixedAgreer
}

func (k *fixedKey) NewKeyAgreement(rand io.Reader, initiator bool) (SM2KeyAgreement, error) {
	return k.fixed.NewKeyAgreement(rand, initiator)
}

// transcriptPKI loads the authority and the two pairs of the recorded
// connections, or makes them.
func transcriptPKI(t testing.TB) (roots *smx509.CertPool, client, server Certificate) {
	t.Helper()
	return pkiOf(t, "", *update, transcriptTime.AddDate(-1, 0, 0), transcriptTime.AddDate(20, 0, 0))
}

// pkiOf loads authority and pairs from the files with the prefix, or makes them.
func pkiOf(t testing.TB, prefix string, remake bool, notBefore, notAfter time.Time) (roots *smx509.CertPool, client, server Certificate) {
	t.Helper()
	names := []string{"client", "server"}
	path := func(name string) string { return filepath.Join(transcriptDir, prefix+name+".pem") }
	write := func(name string, data ...[]byte) {
		if err := os.WriteFile(path(name), bytes.Join(data, nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if remake {
		life := func(c *smx509.Certificate) { c.NotBefore, c.NotAfter = notBefore, notAfter }
		ca := newCA(t, "transcript root", nil, life)
		write("root", certPEM(ca.cert.Raw))
		for _, name := range names {
			p := newPairPEM(t, ca.pair(t, name+".test", nil, life))
			write(name, p.signCert, p.signKey)
			write(name+"-enc", p.encCert, p.encKey)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	roots = smx509.NewCertPool()
	if !roots.AppendCertsFromPEM(read("root")) {
		t.Fatal("no root")
	}
	var pairs [2]Certificate
	for i, name := range names {
		sign, enc := read(name), read(name+"-enc")
		pair, err := X509KeyPair(sign, sign, enc, enc)
		if err != nil {
			t.Fatal(err)
		}
		pairs[i] = pair
	}
	return roots, pairs[0], pairs[1]
}

// fixEphemeral gives the pair a fixed ephemeral key.
func fixEphemeral(pair Certificate, b byte) Certificate {
	key := pair.EncPrivateKey.(*sm2.PrivateKey)
	pair.EncPrivateKey = &fixedKey{deviceKey{key: key}, fixedAgreer{key, b}}
	return pair
}

func TestTranscripts(t *testing.T) {
	roots, clientPair, serverPair := transcriptPKI(t)
	type shaker interface {
		net.Conn
		Handshake() error
	}
	for _, test := range []struct {
		name     string
		suite    uint16
		isClient bool
		tjfoc    bool
	}{
		{"client-ecc-cbc-tjfoc", ECC_SM4_CBC_SM3, true, true},
		{"server-ecc-cbc-tjfoc", ECC_SM4_CBC_SM3, false, true},
		{"client-ecc-gcm", ECC_SM4_GCM_SM3, true, false},
		{"server-ecc-gcm", ECC_SM4_GCM_SM3, false, false},
		{"client-ecdhe-gcm", ECDHE_SM4_GCM_SM3, true, false},
		{"server-ecdhe-gcm", ECDHE_SM4_GCM_SM3, false, false},
		{"client-ecdhe-cbc", ECDHE_SM4_CBC_SM3, true, false},
		{"server-ecdhe-cbc", ECDHE_SM4_CBC_SM3, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := func(seed byte, pair Certificate) *Config {
				return &Config{
					Rand: rand.NewChaCha8([32]byte{seed}), Time: func() time.Time { return transcriptTime },
					RootCAs: roots, ClientCAs: roots, ClientAuth: RequireAndVerifyClientCert, ServerName: "server.test",
					CipherSuites: []uint16{test.suite}, Certificates: []Certificate{fixEphemeral(pair, seed)},
					NextProtos: []string{"h2"}, ChainCache: NewChainCache(0),
				}
			}
			client := func(c net.Conn) shaker { return Client(c, config(1, clientPair)) }
			server := func(c net.Conn) shaker { return Server(c, config(2, serverPair)) }
			own := client
			if !test.isClient {
				own = server
			}
			path := filepath.Join(transcriptDir, test.name+".txt")
			if *update {
				peer := server
				switch {
				case test.tjfoc && test.isClient:
					peer = func(c net.Conn) shaker {
						return tjtls.Server(c, tjfocTranscriptConfig(t, serverPair, false))
					}
				case test.tjfoc:
					peer = func(c net.Conn) shaker {
						return tjtls.Client(c, tjfocTranscriptConfig(t, clientPair, true))
					}
				case !test.isClient:
					peer = client
				}
				c, s := tcpPair(t)
				if !test.isClient {
					c, s = s, c
				}
				recorder := &recordConn{Conn: c}
				done := make(chan error, 1)
				go func() { done <- talk(peer(s), !test.isClient) }()
				if err := talk(own(recorder), test.isClient); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if err := writeFlows(path, recorder.flows); err != nil {
					t.Fatal(err)
				}
			}
			replay := &replayConn{t: t, flows: readFlows(t, path)}
			if err := talk(own(replay), test.isClient); err != nil {
				t.Fatal(err)
			}
			if len(replay.flows) != 0 {
				t.Errorf("%d flows of the record did not take place", len(replay.flows))
			}
		})
	}
}

// talk is what happens on a recorded connection after the handshake.
func talk(conn interface {
	net.Conn
	Handshake() error
}, isClient bool) error {
	if err := conn.Handshake(); err != nil {
		return err
	}
	request, answer := []byte("a request of the client"), bytes.Repeat([]byte("the answer "), 100)
	if isClient {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		request, answer = answer, nil
	}
	got := make([]byte, len(request))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if !bytes.Equal(got, request) {
		return fmt.Errorf("read %q", got)
	}
	if !isClient {
		if _, err := conn.Write(answer); err != nil {
			return err
		}
		_, err := conn.Read(got) // the client closes first
		if err != io.EOF {
			return fmt.Errorf("at the end: %v", err)
		}
		return nil
	}
	return conn.Close()
}

func tjfocTranscriptConfig(t *testing.T, pair Certificate, isClient bool) *tjtls.Config {
	pem, err := os.ReadFile(filepath.Join(transcriptDir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := tjx509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tjtls.Config{
		GMSupport: tjtls.NewGMSupport(), RootCAs: pool, ClientCAs: pool, ServerName: "server.test",
		ClientAuth: tjtls.RequireAndVerifyClientCert, Time: func() time.Time { return transcriptTime },
	}
	sign := tjfocKeyPair(t, pair.Certificate[0], pair.PrivateKey)
	if isClient {
		sign.Certificate = pair.Certificate
		config.Certificates = []tjtls.Certificate{sign}
	} else {
		config.Certificates = []tjtls.Certificate{sign, tjfocKeyPair(t, pair.Certificate[1], pair.EncPrivateKey)}
	}
	return config
}
