// SPDX-License-Identifier: Apache-2.0

package attacks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
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

// calls are those of a server that a stranger uses: one that waits for his message, and one that answers it whatever it is.
type calls struct{ waits, answers string }

const (
	noCall   = "/attacks.None/None" // no node knows it
	submit   = "/orderer.AtomicBroadcast/Broadcast"
	register = "/protos.ChaincodeSupport/Register"
)

var peerCalls = calls{"/protos.Endorser/ProcessProposal", "/protos.Deliver/Deliver"}

// fields are those of a call. They stay out of the table of the encoder, so that other fields keep their places in it.
func fields(e *hpack.Encoder, path string) {
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", path}, {":authority", "node"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true}); err != nil {
			panic(err) // it writes into a buffer
		}
	}
}

// request is the field block of a call.
func request(path string) []byte {
	var block bytes.Buffer
	fields(hpack.NewEncoder(&block), path)
	return block.Bytes()
}

// http2 completes a handshake and the opening of HTTP/2.
func (s *stranger) http2(raw net.Conn, settings ...http2.Setting) (net.Conn, *http2.Framer, error) {
	conn, err := s.session(raw, "h2")
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, nil, err
	}
	f := http2.NewFramer(conn, nil)
	return conn, f, f.WriteSettings(settings...)
}

// flood sends frames of HTTP/2 behind a complete handshake until the node has had enough. A stranger who is deaf reads no answer.
func (s *stranger) flood(raw net.Conn, deaf bool, send func(f *http2.Framer, stream uint32) error) {
	conn, f, err := s.http2(raw)
	if err != nil {
		return
	}
	if !deaf {
		go io.Copy(io.Discard, conn)
	}
	for stream := uint32(1); send(f, stream) == nil; stream += 2 {
	}
	if !deaf {
		time.Sleep(10 * time.Millisecond) // the node has ended it: no haste to come again
	}
}

// held is how many calls a stranger opens on one connection and keeps.
const held = 1000

// hold opens calls, with send for each, and keeps them until somebody ends the connection.
func (s *stranger) hold(raw net.Conn, send func(f *http2.Framer, stream uint32) error, settings ...http2.Setting) {
	conn, f, err := s.http2(raw, settings...)
	if err != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		awaitEnd(conn)
		close(ended)
	}()
	for i := range uint32(held) {
		if send(f, 2*i+1) != nil {
			return
		}
	}
	<-ended
}

// open begins a call and sends data on it, if there is any.
func open(f *http2.Framer, stream uint32, block, data []byte) error {
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true}); err != nil || data == nil {
		return err
	}
	return f.WriteData(stream, false, data)
}

// block is the part of a field block that never ends.
var block = bytes.Repeat([]byte{0x82}, 8<<10) // :method GET, over and over

// floods are attacks on what is behind the handshake of a gRPC server. Where it demands certificates strangers do not get there.
var floods = []attack{
	// CVE-2023-44487
	{resets, func(s *stranger, conn net.Conn) {
		call := request(s.waits)
		s.flood(conn, false, func(f *http2.Framer, stream uint32) error {
			if err := open(f, stream, call, nil); err != nil {
				return err
			}
			return f.WriteRSTStream(stream, http2.ErrCodeCancel)
		})
	}},
	// CVE-2023-45288
	{"CONTINUATION without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, false, func(f *http2.Framer, stream uint32) error {
			if stream == 1 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: request(noCall)})
			}
			return f.WriteContinuation(1, false, block)
		})
	}},
	// A field of a few KiB that is in the table of the connection takes one byte each further time.
	{"fields that unpack", func(s *stranger, conn net.Conn) {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		s.hold(conn, func(f *http2.Framer, stream uint32) error {
			block.Reset()
			fields(e, s.waits)
			for range 4000 {
				if err := e.WriteField(hpack.HeaderField{Name: "x-bin", Value: strings.Repeat("A", 4000)}); err != nil {
					return err
				}
			}
			return open(f, stream, block.Bytes(), nil)
		})
	}},
	// CVE-2019-9515 and CVE-2019-9512
	{"SETTINGS without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, true, func(f *http2.Framer, _ uint32) error { return f.WriteSettings() })
	}},
	{"PING without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, true, func(f *http2.Framer, _ uint32) error { return f.WritePing(false, [8]byte{1}) })
	}},
	{"WINDOW_UPDATE without end", func(s *stranger, conn net.Conn) {
		s.flood(conn, false, func(f *http2.Framer, stream uint32) error {
			if stream == 1 {
				return open(f, stream, request(s.waits), nil)
			}
			return f.WriteWindowUpdate(1, 1)
		})
	}},
	{"calls without end", func(s *stranger, conn net.Conn) {
		call := request(noCall)
		s.flood(conn, true, func(f *http2.Framer, stream uint32) error { return open(f, stream, call, nil) })
	}},
	{"calls that send nothing", func(s *stranger, conn net.Conn) {
		call := request(s.waits)
		s.hold(conn, func(f *http2.Framer, stream uint32) error { return open(f, stream, call, nil) })
	}},
	{"messages that are announced", func(s *stranger, conn net.Conn) {
		call := request(s.waits)
		s.hold(conn, func(f *http2.Framer, stream uint32) error {
			return open(f, stream, call, []byte{0, 5, 0, 0, 0, 1}) // 80 MiB, of which the first byte comes
		})
	}},
	// CVE-2019-9517
	{"answers that nobody takes", func(s *stranger, conn net.Conn) {
		call := request(s.answers)
		s.hold(conn, func(f *http2.Framer, stream uint32) error {
			return open(f, stream, call, []byte{0, 0, 0, 0, 1, 0xff})
		}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
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

// TestFloods runs the floods against the gRPC listeners of a peer and an orderer, behind handshakes of both protocols, and all attacks
// against the other listeners: operations, admin, and that for chaincode which the peer launched. All listeners continue to answer. The
// node's memory grows by no more than its share, and is what it was afterwards.
func TestFloods(t *testing.T) {
	n, ctx := start(t, network.Options{Mode: network.ModeDual, Orderers: 1, Orgs: 1, Peers: 1})
	peer, orderer := n.Nodes(network.Peer)[0], n.Nodes(network.Orderer)[0]
	both := []string{network.ModeTLS, network.ModeGM}
	all := func(more []attack) []attack { return append(slices.Clone(attacks), more...) }
	for _, c := range []struct {
		name    string
		node    network.Node
		port    int
		modes   []string
		attacks []attack
		calls   calls
	}{
		{"peer", peer, peer.Port, both, floods, peerCalls},
		{"orderer", orderer, orderer.Port, both, floods, calls{submit, submit}},
		{"operations", peer, peer.Operations, both, all(webs), calls{}},
		{"admin", orderer, orderer.Admin, both, all(webs), calls{}},
		{"chaincode", peer, peer.CCPort, []string{network.ModeTLS}, all(floods), calls{register, register}},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, _, err := net.SplitHostPort(c.node.Local())
			require.NoError(t, err)
			target := net.JoinHostPort(host, strconv.Itoa(c.port))
			calm := goroutines(ctx, t, n, c.node)
			before, _ := memory(t, n.PID(c.node.Name))
			forgetPeak(t, n.PID(c.node.Name))
			for _, mode := range c.modes {
				s, grpc := newStranger(t, target, mode, 6), newHonest(t, n, c.node, mode)
				s.calls = c.calls
				for _, a := range c.attacks {
					written := size(t, n.LogFile(c.node.Name))
					end := s.besiege(a, 6, false)
					if c.calls != (calls{}) {
						time.Sleep(floodTime)
					}
					err := served(func() error {
						_, err := grpc.connect(net.IPv4(127, 0, 0, 1))
						return errors.Join(answers(target), err)
					})
					require.Positive(t, end(), a.name)
					require.NoError(t, err, "%s by %s", a.name, mode)
					_, peak := memory(t, n.PID(c.node.Name))
					t.Logf("%s by %s: %d MiB at first, %d MiB at most", a.name, mode, before, peak)
					require.Less(t, peak, before+floodsMayCost, a.name)
					if a.name == resets {
						require.Less(t, size(t, n.LogFile(c.node.Name))-written, int64(resetsMayLog), "bytes of log")
					}
				}
			}
			require.Eventually(t, func() bool { return goroutines(ctx, t, n, c.node) < calm+100 }, time.Minute, time.Second, "%d at first", calm)
		})
	}
}

// size returns that of a file.
func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	return info.Size()
}

// resets is a flood of calls that the client cancels, and resetsMayLog what it may add to a node's log, in bytes: the lines of a burst and
// of the time that it goes on, of three places in the code.
const (
	resets       = "rapid reset"
	resetsMayLog = 256 << 10
)

// floodTime is how long a flood goes on before honest clients come, and floodsMayCost what all of them together may add to a node's
// memory, in MiB: as many calls as a listener serves, which wait for the log, and as much garbage.
const (
	floodTime     = 300 * time.Millisecond
	floodsMayCost = 800
)

// served reports whether an honest client is served, who tries again for a while as such clients do.
func served(try func() error) (err error) {
	for began := time.Now(); time.Since(began) < patience; {
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

// goroutines returns how many a node has.
func goroutines(ctx context.Context, t *testing.T, n *network.Network, node network.Node) int {
	t.Helper()
	value, found, err := n.Metric(ctx, node, "go_goroutines")
	require.NoError(t, err)
	require.True(t, found)
	return int(value)
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
