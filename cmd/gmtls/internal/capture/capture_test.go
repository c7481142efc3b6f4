// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/capturetest"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// record runs a client against a server and returns what crossed.
func record(t *testing.T, server, client func(net.Conn)) []capturetest.Flow {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		server(c)
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, raw.SetDeadline(time.Now().Add(20*time.Second)))
	c := &capturetest.Tap{Conn: raw}
	client(c)
	raw.Close()
	<-done
	return c.Flows()
}

// packets makes a capture of flows; see capturetest.File.
func packets(t *testing.T, shuffle bool, drop int, conversations ...[]capturetest.Flow) io.Reader {
	file, err := capturetest.File(shuffle, drop, conversations...)
	require.NoError(t, err)
	return bytes.NewReader(file)
}

type fixture struct {
	pair  gmtls.Certificate
	cert  tls.Certificate
	roots *x509.CertPool
}

func newFixture(t *testing.T) fixture {
	from, to := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().AddDate(1, 0, 0)
	var m fixture
	m.roots = x509.NewCertPool()
	for _, gm := range []bool{true, false} {
		ca, err := pki.NewCA("root", gm, from, to)
		require.NoError(t, err)
		m.roots.AddCert(ca.Cert)
		sign, signKey, err := ca.Issue(pki.Leaf("peer", []string{"peer"}, pki.SignUsage, from, to))
		require.NoError(t, err)
		if !gm {
			m.cert = tls.Certificate{Certificate: [][]byte{sign.Raw}, PrivateKey: signKey}
			continue
		}
		enc, encKey, err := ca.Issue(pki.Leaf("peer", []string{"peer"}, pki.EncUsage, from, to))
		require.NoError(t, err)
		m.pair = gmtls.Certificate{Certificate: [][]byte{sign.Raw, enc.Raw}, PrivateKey: signKey, EncPrivateKey: encKey}
	}
	return m
}

func (m fixture) tlcpServer(auth gmtls.ClientAuthType) func(net.Conn) {
	return func(c net.Conn) {
		s := gmtls.Server(c, &gmtls.Config{Certificates: []gmtls.Certificate{m.pair}, ClientAuth: auth, ClientCAs: m.roots.SM()})
		_, _ = io.Copy(s, s)
		s.Close()
	}
}

func (m fixture) tlcpClient(roots *x509.CertPool) func(net.Conn) {
	return func(c net.Conn) {
		talk(gmtls.Client(c, &gmtls.Config{RootCAs: roots.SM(), ServerName: "peer"}))
	}
}

func (m fixture) tlsServer(c net.Conn) {
	s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{m.cert}})
	_, _ = io.Copy(s, s)
	s.Close()
}

func (m fixture) tlsClient(version uint16) func(net.Conn) {
	return func(c net.Conn) {
		talk(tls.Client(c, &tls.Config{RootCAs: m.roots.Std(), ServerName: "peer", MaxVersion: version}))
	}
}

// talk sends a word, reads it back and ends the connection in order.
func talk(c interface {
	net.Conn
	CloseWrite() error
}) {
	if _, err := c.Write([]byte("hello")); err == nil {
		_, _ = io.ReadFull(c, make([]byte, 5))
		if c.CloseWrite() == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}
	c.Close()
}

func TestHandshakes(t *testing.T) {
	m := newFixture(t)
	empty := x509.NewCertPool()
	for name, c := range map[string]struct {
		server, client func(net.Conn)
		protocol       string
		broken         cause.ID // empty: complete
		shuffle        bool
	}{
		"TLCP":              {m.tlcpServer(0), m.tlcpClient(m.roots), "TLCP 1.1", "", false},
		"TLCP out of order": {m.tlcpServer(0), m.tlcpClient(m.roots), "TLCP 1.1", "", true},
		"TLS 1.2":           {m.tlsServer, m.tlsClient(tls.VersionTLS12), "TLS 1.2", "", false},
		"TLS 1.3":           {m.tlsServer, m.tlsClient(0), "TLS 1.3", "", true},
		"no client pair":    {m.tlcpServer(gmtls.RequireAndVerifyClientCert), m.tlcpClient(m.roots), "TLCP 1.1", cause.ClientCertRequired, false},
		"unknown root":      {m.tlcpServer(0), m.tlcpClient(empty), "TLCP 1.1", cause.UnknownRoot, false},
		"TLS server":        {m.tlsServer, m.tlcpClient(m.roots), "TLCP, no ServerHello", cause.SpeaksTLS, false},
		"TLCP server":       {m.tlcpServer(0), m.tlsClient(0), "TLS, no ServerHello", cause.SpeaksTLCP, false},
		"hangs up":          {func(c net.Conn) { _, _ = c.Read(make([]byte, 5)) }, m.tlcpClient(m.roots), "TLCP, no ServerHello", cause.ClosedAtHello, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Read(packets(t, c.shuffle, 0, record(t, c.server, c.client)), Options{})
			require.NoError(t, err)
			require.Len(t, r.Conversations, 1)
			got := r.Conversations[0]
			require.Equal(t, c.protocol, got.Protocol)
			require.Equal(t, "10.0.0.1:40000", got.Client)
			require.Equal(t, "ClientHello", got.Ladder[0].Name)
			if c.broken == "" {
				require.True(t, got.Complete, "%+v", got.Ladder)
				require.Empty(t, got.Broken)
				return
			}
			require.False(t, got.Complete)
			require.True(t, strings.HasPrefix(got.Broken, string(c.broken)+":"), got.Broken)
			if c.broken == cause.UnknownRoot {
				require.Contains(t, got.Broken, "CN=peer,O=gmtls pki (sent), of CN=root,O=gmtls pki (neither sent nor given)")
			}
		})
	}
}

func TestMissingPackets(t *testing.T) {
	m := newFixture(t)
	flows := record(t, m.tlcpServer(0), m.tlcpClient(m.roots))
	r, err := Read(packets(t, false, 3, flows), Options{})
	require.NoError(t, err)
	require.Len(t, r.Conversations, 1)
	require.False(t, r.Conversations[0].Complete)
	require.Contains(t, r.Conversations[0].Broken, "packets are missing in the capture")

	// After the handshake too: the count of bytes would mislead.
	whole, err := Read(packets(t, false, 0, flows), Options{})
	require.NoError(t, err)
	require.False(t, whole.Conversations[0].Missing)
	told := 0
	for drop := 4; drop < 40; drop++ {
		r, err := Read(packets(t, false, drop, flows), Options{})
		require.NoError(t, err)
		if len(r.Conversations) != 1 || !r.Conversations[0].Complete {
			continue
		}
		c := r.Conversations[0]
		if c.Missing {
			told++
			require.Equal(t, cause.PacketsMissing, c.Findings[len(c.Findings)-1].Cause)
		}
		if c.Data != whole.Conversations[0].Data {
			require.True(t, c.Missing, "packet %d", drop)
		}
	}
	require.Positive(t, told)
}

func TestOtherTraffic(t *testing.T) {
	r, err := Read(packets(t, false, 0, []capturetest.Flow{
		{Client: true, Data: []byte("GET / HTTP/1.0\r\n\r\n")}, {Data: []byte("HTTP/1.0 200 OK")},
	}), Options{})
	require.NoError(t, err)
	require.Empty(t, r.Conversations)
	require.Equal(t, 1, r.Ignored)
	_, err = Read(strings.NewReader("no capture at all"), Options{})
	require.ErrorContains(t, err, "neither pcap nor pcapng")
	_, err = Read(strings.NewReader("x"), Options{})
	require.ErrorContains(t, err, "too short")
}

// tcpdump that is killed leaves half a packet: what stands before it counts.
func TestTruncatedFile(t *testing.T) {
	m := newFixture(t)
	file, err := io.ReadAll(packets(t, false, 0, record(t, m.tlcpServer(0), m.tlcpClient(m.roots))))
	require.NoError(t, err)
	r, err := Read(bytes.NewReader(file[:len(file)-5]), Options{})
	require.NoError(t, err)
	require.True(t, r.Truncated)
	require.Len(t, r.Conversations, 1)
	require.True(t, r.Conversations[0].Complete)
}

// Wireshark writes pcapng, and tcpdump -i any another link type.
func TestOtherFormats(t *testing.T) {
	m := newFixture(t)
	file, err := io.ReadAll(packets(t, false, 0, record(t, m.tlcpServer(0), m.tlcpClient(m.roots))))
	require.NoError(t, err)
	for name, link := range map[string]layers.LinkType{"Ethernet": layers.LinkTypeEthernet, "Linux SLL2": layers.LinkTypeLinuxSLL2} {
		t.Run(name, func(t *testing.T) {
			var ng bytes.Buffer
			w, err := pcapgo.NewNgWriter(&ng, link)
			require.NoError(t, err)
			source, err := pcapgo.NewReader(bytes.NewReader(file))
			require.NoError(t, err)
			for {
				frame, info, err := source.ReadPacketData()
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				if link != layers.LinkTypeEthernet { // protocol, reserved, interface, ARPHRD, kind, length of the address, address
					header := append([]byte{8, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6}, make([]byte, 8)...)
					frame = append(header, frame[14:]...)
					info.CaptureLength, info.Length = len(frame), len(frame)
				}
				info.InterfaceIndex = 0
				require.NoError(t, w.WritePacket(info, frame))
			}
			require.NoError(t, w.Flush())
			r, err := Read(&ng, Options{})
			require.NoError(t, err)
			require.Equal(t, name, r.Link)
			require.Len(t, r.Conversations, 1)
			require.True(t, r.Conversations[0].Complete)
		})
	}
}
