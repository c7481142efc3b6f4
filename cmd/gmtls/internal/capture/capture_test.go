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

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/pki"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
)

// flow is what went one way in one piece.
type flow struct {
	client bool
	data   []byte
}

// tap keeps what a client's connection carried.
type tap struct {
	net.Conn
	flows []flow
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if n > 0 {
		t.flows = append(t.flows, flow{false, bytes.Clone(b[:n])})
	}
	return n, err
}

func (t *tap) Write(b []byte) (int, error) {
	t.flows = append(t.flows, flow{true, bytes.Clone(b)})
	return t.Conn.Write(b)
}

// record runs a client against a server and returns what crossed.
func record(t *testing.T, server, client func(net.Conn)) []flow {
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
	c := &tap{Conn: raw}
	client(c)
	raw.Close()
	<-done
	return c.flows
}

// packets makes a capture of flows, in segments of 500 bytes. shuffle swaps
// neighbouring segments of one direction; drop leaves the n-th data segment out.
func packets(t *testing.T, flows []flow, shuffle bool, drop int) []byte {
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	require.NoError(t, w.WriteFileHeader(65536, layers.LinkTypeEthernet))
	seq := map[bool]uint32{true: 1000, false: 5000}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type segment struct {
		client   bool
		seq      uint32
		data     []byte
		syn, fin bool
	}
	var out []segment
	for _, client := range []bool{true, false} {
		out = append(out, segment{client: client, seq: seq[client], syn: true})
		seq[client]++
	}
	for _, f := range flows {
		first := len(out)
		for rest := f.data; len(rest) > 0; rest = rest[min(500, len(rest)):] {
			part := rest[:min(500, len(rest))]
			out = append(out, segment{client: f.client, seq: seq[f.client], data: part})
			seq[f.client] += uint32(len(part))
		}
		if shuffle && len(out)-first > 1 {
			out[first], out[first+1] = out[first+1], out[first]
		}
	}
	for _, client := range []bool{true, false} {
		out = append(out, segment{client: client, seq: seq[client], fin: true})
	}
	data := 0
	for _, s := range out {
		if len(s.data) > 0 {
			if data++; data == drop {
				continue
			}
		}
		at = at.Add(time.Millisecond)
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP,
			SrcIP: net.IPv4(10, 0, 0, 1), DstIP: net.IPv4(10, 0, 0, 2)}
		tcp := &layers.TCP{SrcPort: 40000, DstPort: 7051, Seq: s.seq, SYN: s.syn, FIN: s.fin, ACK: true, Window: 1 << 15}
		if !s.client {
			ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
			tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
		}
		require.NoError(t, tcp.SetNetworkLayerForChecksum(ip))
		buf := gopacket.NewSerializeBuffer()
		require.NoError(t, gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
			&layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4},
			ip, tcp, gopacket.Payload(s.data)))
		require.NoError(t, w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}, buf.Bytes()))
	}
	return file.Bytes()
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

func talk(c net.Conn) {
	if _, err := c.Write([]byte("hello")); err == nil {
		_, _ = io.ReadFull(c, make([]byte, 5))
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
			r, err := Read(bytes.NewReader(packets(t, record(t, c.server, c.client), c.shuffle, 0)))
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
		})
	}
}

func TestMissingPackets(t *testing.T) {
	m := newFixture(t)
	flows := record(t, m.tlcpServer(0), m.tlcpClient(m.roots))
	r, err := Read(bytes.NewReader(packets(t, flows, false, 3)))
	require.NoError(t, err)
	require.Len(t, r.Conversations, 1)
	require.False(t, r.Conversations[0].Complete)
	require.Contains(t, r.Conversations[0].Broken, "packets are missing in the capture")
}

func TestOtherTraffic(t *testing.T) {
	r, err := Read(bytes.NewReader(packets(t, []flow{{true, []byte("GET / HTTP/1.0\r\n\r\n")}, {false, []byte("HTTP/1.0 200 OK")}}, false, 0)))
	require.NoError(t, err)
	require.Empty(t, r.Conversations)
	require.Equal(t, 1, r.Ignored)
	_, err = Read(strings.NewReader("no capture at all"))
	require.ErrorContains(t, err, "neither pcap nor pcapng")
	_, err = Read(strings.NewReader("x"))
	require.ErrorContains(t, err, "too short")
}
