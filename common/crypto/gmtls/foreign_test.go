// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// foreignTime is when the connections took place: GmSSL takes no certificate that lives for long.
var foreignTime = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// TestForeignTranscripts plays handshakes again that took place with stacks of others, which are not here: what this package sent, byte
// by byte, was taken by them, and what they sent is taken here. With -record ADDRESS one is recorded again: as a client with the server
// there, as a server with the client that calls. The peer has the keys of testdata/transcripts: foreign-server.pem and
// foreign-server-enc.pem, or those of the client, under foreign-root.pem. -update makes them again, and all have to be recorded then.
func TestForeignTranscripts(t *testing.T) {
	roots, clientPair, serverPair := pkiOf(t, "foreign-", *update && *recordWith != "", foreignTime.AddDate(0, -1, 0), foreignTime.AddDate(0, 11, 0))
	raw := func(c *Config) { c.RawTranscriptVerify = true }
	single := func(c *Config) { c.RawTranscriptVerify, c.SingleClientCertificate = true, true }
	vector := func(c *Config) { c.RawTranscriptVerify, c.VectorClientParams = true, true }
	standard := func(*Config) {}
	for _, test := range []struct {
		name     string
		suite    uint16
		isClient bool
		dialect  func(*Config)
	}{
		{"gmssl-3.3-server-ecdhe-gcm", ECDHE_SM4_GCM_SM3, true, vector},
		{"gmssl-3.3-server-ecdhe-cbc", ECDHE_SM4_CBC_SM3, true, vector},
		{"gmssl-3.3-server-ecc-gcm", ECC_SM4_GCM_SM3, true, single},
		{"gmssl-3.3-client-ecc-gcm", ECC_SM4_GCM_SM3, false, raw},
		{"gmssl-3.3-client-ecdhe-gcm", ECDHE_SM4_GCM_SM3, false, raw},
		{"tongsuo-8.5-server-ecdhe-gcm", ECDHE_SM4_GCM_SM3, true, standard},
		{"tongsuo-8.5-server-ecc-cbc", ECC_SM4_CBC_SM3, true, standard},
		{"tongsuo-8.5-client-ecdhe-cbc", ECDHE_SM4_CBC_SM3, false, standard},
		{"tongsuo-8.5-client-ecc-gcm", ECC_SM4_GCM_SM3, false, standard},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := func(seed byte, pair Certificate) *Config {
				c := &Config{
					Rand: rand.NewChaCha8([32]byte{seed}), Time: func() time.Time { return foreignTime },
					RootCAs: roots, ClientCAs: roots, ClientAuth: RequireAndVerifyClientCert, ServerName: "server.test",
					CipherSuites: []uint16{test.suite}, Certificates: []Certificate{fixEphemeral(pair, seed)},
					OmitExtensions: true,
				}
				test.dialect(c)
				return c
			}
			own := func(c net.Conn) *Conn { return Server(c, config(2, serverPair)) }
			if test.isClient {
				own = func(c net.Conn) *Conn { return Client(c, config(1, clientPair)) }
			}
			path := filepath.Join(transcriptDir, test.name+".txt")
			if *recordWith != "" {
				recordForeign(t, path, test.isClient, own)
			}
			if _, err := os.Stat(path); err != nil {
				t.Fatal(err)
			}
			replay := &replayConn{t: t, flows: readFlows(t, path)}
			if err := own(replay).Handshake(); err != nil {
				t.Fatal(err)
			}
			if len(replay.flows) != 0 {
				t.Errorf("%d flows of the record did not take place", len(replay.flows))
			}

			// Without the dialect the record cannot be played: the option is what makes it work.
			strict := config(1, clientPair)
			if !test.isClient {
				strict = config(2, serverPair)
			}
			strict.RawTranscriptVerify, strict.SingleClientCertificate, strict.VectorClientParams = false, false, false
			reference := &Config{}
			if test.dialect(reference); reference.RawTranscriptVerify {
				conn := Server(&replayConn{t: new(testing.T), flows: readFlows(t, path)}, strict)
				if test.isClient {
					conn = Client(&replayConn{t: new(testing.T), flows: readFlows(t, path)}, strict)
				}
				if conn.Handshake() == nil {
					t.Error("the record is played without the dialect too")
				}
			}
		})
	}
}

func recordForeign(t *testing.T, path string, isClient bool, own func(net.Conn) *Conn) {
	t.Helper()
	var conn net.Conn
	var err error
	if isClient {
		conn, err = net.DialTimeout("tcp", *recordWith, 10*time.Second)
	} else {
		var l net.Listener
		if l, err = net.Listen("tcp", *recordWith); err == nil {
			defer l.Close()
			_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
			conn, err = l.Accept()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	recorder := &recordConn{Conn: conn}
	if err := own(recorder).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := writeFlows(path, recorder.flows); err != nil {
		t.Fatal(err)
	}
}
