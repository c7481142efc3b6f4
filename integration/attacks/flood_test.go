// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/integration/network"
)

// session completes a handshake without a certificate, with the application protocol of gRPC or HTTP.
func (s *stranger) session(raw net.Conn, protocol string) (net.Conn, error) {
	if s.mode == network.ModeTLS {
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
		return conn, conn.Handshake()
	}
	conn := gmtls.Client(raw, &gmtls.Config{
		InsecureSkipVerify: true, NextProtos: []string{protocol}, CipherSuites: []uint16{gmtls.ECC_SM4_GCM_SM3},
	})
	return conn, conn.Handshake()
}

// request is the field block of a call that no node knows.
func request() []byte {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", "/attacks.None/None"}, {":authority", "node"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			panic(err)
		}
	}
	return block.Bytes()
}

// flood sends frames of HTTP/2 behind a complete handshake until the node has had enough. A stranger who is deaf reads no answer.
func (s *stranger) flood(raw net.Conn, deaf bool, send func(f *http2.Framer, stream uint32) error) {
	conn, err := s.session(raw, "h2")
	if err != nil {
		return
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return
	}
	if !deaf {
		go io.Copy(io.Discard, conn)
	}
	f := http2.NewFramer(conn, nil)
	if f.WriteSettings() != nil {
		return
	}
	for stream := uint32(1); send(f, stream) == nil; stream += 2 {
	}
	if !deaf {
		time.Sleep(10 * time.Millisecond) // the node has ended it: no haste to come again
	}
}

// block is the part of a field block that never ends.
var block = bytes.Repeat([]byte{0x82}, 8<<10) // :method GET, over and over

// floods are attacks on what stands behind the handshake of a gRPC server. Where it demands certificates strangers do not get there.
var floods = []attack{
	// CVE-2023-44487
	{"rapid reset", func(s *stranger, conn net.Conn) {
		fields := request()
		s.flood(conn, false, func(f *http2.Framer, stream uint32) error {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields, EndHeaders: true}); err != nil {
				return err
			}
			return f.WriteRSTStream(stream, http2.ErrCodeCancel)
		})
	}},
	// CVE-2023-45288
	{"CONTINUATION without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, false, func(f *http2.Framer, stream uint32) error {
			if stream == 1 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request()})
			}
			return f.WriteContinuation(1, false, block)
		})
	}},
	// CVE-2019-9515 and CVE-2019-9512
	{"SETTINGS without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, true, func(f *http2.Framer, _ uint32) error { return f.WriteSettings() })
	}},
	{"PING without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, true, func(f *http2.Framer, _ uint32) error { return f.WritePing(false, [8]byte{1}) })
	}},
	{"streams without end", func(s *stranger, conn net.Conn) {
		fields := request()
		s.flood(conn, true, func(f *http2.Framer, stream uint32) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields, EndHeaders: true})
		})
	}},
}

// web sends text of HTTP/1 behind a complete handshake: first, and then more until the node has had enough.
func (s *stranger) web(raw net.Conn, first, more string) {
	conn, err := s.session(raw, "http/1.1")
	if err != nil {
		return
	}
	if _, err = io.WriteString(conn, first); err != nil {
		return
	}
	if more == "" {
		awaitEnd(conn)
		return
	}
	go io.Copy(io.Discard, conn)
	for err == nil {
		_, err = io.WriteString(conn, more)
	}
}

// webs are the same for servers of HTTP/1: operations and admin.
var webs = []attack{
	{"half a request", func(s *stranger, conn net.Conn) { s.web(conn, "GET /healthz HTTP/1.1\r\nHost: node\r\n", "") }},
	{"a header without end", func(s *stranger, conn net.Conn) {
		s.web(conn, "GET /healthz HTTP/1.1\r\nHost: node\r\nX-Long: ", string(bytes.Repeat([]byte("x"), 16<<10)))
	}},
	{"a body without end", func(s *stranger, conn net.Conn) {
		s.web(conn, "PUT /tls HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n", "1000\r\n"+string(bytes.Repeat([]byte("x"), 0x1000))+"\r\n")
	}},
	{"requests without end", func(s *stranger, conn net.Conn) {
		s.web(conn, "", "GET /logspec HTTP/1.1\r\nHost: node\r\n\r\n")
	}},
	{"an idle connection", func(s *stranger, conn net.Conn) {
		s.web(conn, "GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n", "")
	}},
}

// TestStrangersAtOtherListeners runs the attacks against the listeners beside the one for gRPC: operations, admin, and that for
// chaincode which the peer launched. They go on to answer, and so does the node's own, which grows by no more than its share.
func TestStrangersAtOtherListeners(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeDual, Orderers: 1, Orgs: 1, Peers: 1})
	peer, orderer := n.Nodes(network.Peer)[0], n.Nodes(network.Orderer)[0]
	for _, c := range []struct {
		name  string
		node  network.Node
		port  int
		modes []string
		more  []attack
	}{
		{"operations", peer, peer.Operations, []string{network.ModeTLS, network.ModeGM}, webs},
		{"admin", orderer, orderer.Admin, []string{network.ModeTLS, network.ModeGM}, webs},
		{"chaincode", peer, peer.CCPort, []string{network.ModeTLS}, floods},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, _, err := net.SplitHostPort(c.node.Local())
			require.NoError(t, err)
			target := net.JoinHostPort(host, strconv.Itoa(c.port))
			before, _ := memory(t, n.PID(c.node.Name))
			forgetPeak(t, n.PID(c.node.Name))
			for _, mode := range c.modes {
				s, grpc := newStranger(t, target, mode, 6), newHonest(t, n, c.node, mode)
				for _, a := range append(append([]attack{}, attacks...), c.more...) {
					end := s.besiege(a, 40, false)
					errs := []error{answers(target)}
					_, err := grpc.connect(net.IPv4(127, 0, 0, 1))
					require.Positive(t, end(), a.name)
					require.NoError(t, errors.Join(append(errs, err)...), "%s by %s", a.name, mode)
				}
			}
			after, peak := memory(t, n.PID(c.node.Name))
			t.Logf("%d MiB before, %d MiB after, %d MiB at most", before, after, peak)
			require.Less(t, peak, before+strangersMayCost)
			_, err = n.Operations(ctx, c.node, "GET", "/healthz", nil)
			require.NoError(t, err)
		})
	}
}

// answers reports whether a listener serves somebody from another address: it sends its whole flight of TLS 1.3. What it says to a
// client without a certificate comes later.
func answers(target string) error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, 0, 1)}, Timeout: honestPatience}
	raw, err := d.Dial("tcp", target)
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(honestPatience))
	return tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}).Handshake()
}
