// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// sameByte is randomness that is one byte over and over, whatever amount of it
// the engine reads.
type sameByte byte

func (s sameByte) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

// TestForeignTranscripts13 is TestForeignTranscripts for TLS 1.3, with a line
// each way after the handshake. Where there are two connections the second one
// resumes the first. The servers were Tongsuo's s_server -rev, which sends the
// line back reversed, and GmSSL's tls13_server, which sends it back as it is. The
// clients were s_client and tls13_client, which got the line "ping" to send. What
// Tongsuo exported for the label "EXPORTER-test" (-keymatexport) is a known answer.
func TestForeignTranscripts13(t *testing.T) {
	roots, clientPair, serverPair := pkiOf(t, "foreign-", false, foreignTime, foreignTime)
	hybrid := []CurveID{CurveSM2MLKEM768, CurveSM2}
	for _, test := range []struct {
		name        string
		isClient    bool
		suite       uint16
		groups      []CurveID
		omit        bool
		connections int
		answer      string
		exported    string
	}{
		{"tongsuo-8.5-server-tls13-gcm", true, TLS_SM4_GCM_SM3, nil, false, 2, "gnip\n", ""},
		{"tongsuo-8.5-server-tls13-ccm", true, TLS_SM4_CCM_SM3, nil, false, 1, "gnip\n", ""},
		{"tongsuo-8.5-server-tls13-hybrid", true, TLS_SM4_GCM_SM3, hybrid, false, 1, "gnip\n", ""},
		{"tongsuo-8.5-server-tls13-retry", true, TLS_SM4_GCM_SM3, []CurveID{CurveSM2, CurveSM2MLKEM768}, false, 1, "gnip\n", ""},
		{"tongsuo-8.5-client-tls13-gcm", false, TLS_SM4_GCM_SM3, nil, false, 2, "PING\n", ""},
		{
			"tongsuo-8.5-client-tls13-ccm", false, TLS_SM4_CCM_SM3, nil, false, 1, "PING\n",
			"d9334ac73e7786127adc725676740d78ac8150251dfe38f479d7616ac221bcfbe552bb935aa2ed17",
		},
		{"tongsuo-8.5-client-tls13-hybrid-retry", false, TLS_SM4_GCM_SM3, hybrid, false, 1, "PING\n", ""},
		{"gmssl-3.3-server-tls13-gcm", true, TLS_SM4_GCM_SM3, nil, true, 1, "ping\n", ""},
		{"gmssl-3.3-server-tls13-ccm", true, TLS_SM4_CCM_SM3, nil, true, 1, "ping\n", ""},
		{"gmssl-3.3-client-tls13-gcm", false, TLS_SM4_GCM_SM3, nil, false, 1, "PING\n", ""},
		{"gmssl-3.3-client-tls13-ccm", false, TLS_SM4_CCM_SM3, nil, false, 1, "PING\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := &Config{
				Versions: []uint16{VersionTLS13}, Rand: sameByte(2), Time: func() time.Time { return foreignTime },
				RootCAs: roots, ClientCAs: roots, ClientAuth: RequireAndVerifyClientCert, ServerName: "server.test",
				CipherSuites: []uint16{test.suite}, CurvePreferences: test.groups, OmitMiddleboxCompatibility: test.omit,
				Certificates:       []Certificate{serverPair},
				ClientSessionCache: anyAddressCache{NewLRUClientSessionCache(1)}, ServerSessionCache: NewLRUServerSessionCache(1),
			}
			own := func(c net.Conn) *Conn { return Server(c, config) }
			if test.isClient {
				config.Rand, config.Certificates = sameByte(1), []Certificate{clientPair}
				own = func(c net.Conn) *Conn { return Client(c, config) }
			}
			path := func(n int) string {
				return filepath.Join(transcriptDir, fmt.Sprintf("%s%s.txt", test.name, map[int]string{1: "-resumed"}[n]))
			}
			if *recordWith != "" {
				for n, recorder := range foreignConns(t, test.isClient, test.connections) {
					if err := line(own(recorder), test.isClient, test.answer, n == 1); err != nil {
						t.Fatal(err)
					}
					if err := writeFlows(path(n), recorder.flows); err != nil {
						t.Fatal(err)
					}
				}
				config.ClientSessionCache.Put("", nil)
				config.ServerSessionCache = NewLRUServerSessionCache(1)
			}
			for n := range test.connections {
				replay := &replayConn{t: t, flows: readFlows(t, path(n))}
				conn := own(replay)
				if err := line(conn, test.isClient, test.answer, n == 1); err != nil {
					t.Fatal(err)
				}
				if want := unhex(t, test.exported); len(want) > 0 {
					got, err := conn.ExportKeyingMaterial("EXPORTER-test", nil, len(want))
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("exported %x, %v, want %x", got, err, want)
					}
				}
				if len(replay.flows) != 0 {
					t.Errorf("%d flows of the record did not take place", len(replay.flows))
				}
			}
		})
	}
}

// line sends the line "ping" from the client and the answer to it.
func line(conn *Conn, isClient bool, answer string, resumed bool) error {
	if err := conn.Handshake(); err != nil {
		return err
	}
	if got := conn.ConnectionState().DidResume; got != resumed {
		return fmt.Errorf("resumed: %v", got)
	}
	want := "ping\n"
	if isClient {
		if _, err := conn.Write([]byte(want)); err != nil {
			return err
		}
		want = answer
	}
	got, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || got != want {
		return fmt.Errorf("read %q, %v, want %q", got, err, want)
	}
	if !isClient {
		if _, err := conn.Write([]byte(answer)); err != nil {
			return err
		}
	}
	return conn.Close()
}

// foreignConns yields connections with the peer at the address of -record.
func foreignConns(t *testing.T, isClient bool, count int) func(yield func(int, *recordConn) bool) {
	t.Helper()
	return func(yield func(int, *recordConn) bool) {
		var l *net.TCPListener
		if !isClient {
			listener, err := net.Listen("tcp", *recordWith)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			l = listener.(*net.TCPListener)
			_ = l.SetDeadline(time.Now().Add(30 * time.Second))
		}
		for n := range count {
			var conn net.Conn
			var err error
			if isClient {
				conn, err = net.DialTimeout("tcp", *recordWith, 10*time.Second)
			} else {
				conn, err = l.Accept()
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if !yield(n, &recordConn{Conn: conn}) {
				return
			}
			conn.Close()
		}
	}
}
