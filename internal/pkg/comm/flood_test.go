// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/flogging/floggingtest"
	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
)

// stranger connects without a certificate and speaks HTTP/2 by hand.
func stranger(t *testing.T, address string, p protocol) (net.Conn, *http2.Framer) {
	t.Helper()
	return strangerFrom(t, "127.0.0.1", address, p)
}

func strangerFrom(t *testing.T, source, address string, p protocol) (net.Conn, *http2.Framer) {
	t.Helper()
	raw := from(t, source, address)
	require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
	var conn net.Conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: alpnProtocols})
	if p == protocolTLCP {
		conn = gmtls.Client(raw, &gmtls.Config{InsecureSkipVerify: true, NextProtos: alpnProtocols})
	}
	_, err := io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	f := http2.NewFramer(conn, conn)
	require.NoError(t, f.WriteSettings())
	return conn, f
}

// openServer serves clients without a certificate too, over both protocols.
func openServer(t *testing.T) *GRPCServer {
	t.Helper()
	server, _ := openServerWithLog(t)
	return server
}

func openServerWithLog(t *testing.T) (*GRPCServer, *floggingtest.Recorder) {
	t.Helper()
	logger, recorder := floggingtest.NewTestLogger(t, floggingtest.AtLevel(zap.WarnLevel))
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeDual})
	server, _ := startServerWith(t, ServerConfig{SecOpts: SecureOptions{UseTLS: true, Source: source}, ConnectionTimeout: patience, Logger: logger})
	return server, recorder
}

// headers is the field block of a call to a stream that stays open.
func headers(t *testing.T) []byte {
	t.Helper()
	return headersOf(t, "/EmptyService/EmptyStream", false)
}

// headersOf is the field block of a call, plain if it does not use the client's table.
func headersOf(t *testing.T, method string, plain bool) []byte {
	t.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", method}, {":authority", "node"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		require.NoError(t, e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: plain}))
	}
	return block.Bytes()
}

// TestStreamsAreBounded: the call beyond the bound is refused, and those before it continue.
func TestStreamsAreBounded(t *testing.T) {
	address := openServer(t).Address()
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			_, f := stranger(t, address, p)
			go func() {
				block := headers(t)
				for i := range uint32(maxStreams + 1) {
					if f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: block, EndHeaders: true}) != nil {
						return
					}
				}
			}()
			for {
				frame, err := f.ReadFrame()
				require.NoError(t, err)
				switch frame := frame.(type) {
				case *http2.SettingsFrame:
					if value, ok := frame.Value(http2.SettingMaxConcurrentStreams); ok {
						require.EqualValues(t, maxStreams, value)
					}
				case *http2.RSTStreamFrame:
					require.EqualValues(t, 2*maxStreams+1, frame.StreamID)
					require.Equal(t, http2.ErrCodeRefusedStream, frame.ErrCode)
					return
				}
			}
		})
	}
}

// TestHeaderFieldsAreBounded: a field block that never ends (CVE-2023-45288) ends the connection, long before it has cost much.
func TestHeaderFieldsAreBounded(t *testing.T) {
	const enough = 64 << 20
	address := openServer(t).Address()
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			conn, f := stranger(t, address, p)
			go io.Copy(io.Discard, conn)
			require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers(t)}))
			part := bytes.Repeat([]byte{0x82}, 16<<10) // :method GET, over and over
			for sent := 0; f.WriteContinuation(1, false, part) == nil; sent += len(part) {
				require.Less(t, sent, enough, "the server reads on")
			}
			stranger(t, address, p) // others are served
		})
	}
}

// TestFieldsThatUnpackAreBounded: fields that take a byte each on the wire and a copy of some KiB in memory are refused with their call,
// and the connection continues.
func TestFieldsThatUnpackAreBounded(t *testing.T) {
	address := openServer(t).Address()
	const long = 2000
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			_, f := stranger(t, address, p)
			var block bytes.Buffer
			block.Write(headers(t))
			e := hpack.NewEncoder(&block)
			for range maxFields/long + 1 {
				require.NoError(t, e.WriteField(hpack.HeaderField{Name: "x-bin", Value: strings.Repeat("A", long)}))
			}
			require.Less(t, block.Len(), 2*long)
			require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}))
			require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: headers(t), EndHeaders: true, EndStream: true}))
			told, refused := false, false
			for {
				frame, err := f.ReadFrame()
				require.NoError(t, err)
				switch frame := frame.(type) {
				case *http2.SettingsFrame:
					if value, ok := frame.Value(http2.SettingMaxHeaderListSize); ok {
						require.EqualValues(t, maxFields, value)
						told = true
					}
				case *http2.RSTStreamFrame:
					require.EqualValues(t, 1, frame.StreamID)
					refused = true
				case *http2.HeadersFrame:
					require.EqualValues(t, 3, frame.StreamID)
					require.True(t, told, "the client is told")
					require.True(t, refused)
					return
				}
			}
		})
	}
}

// TestFieldsOfAnswersAreBounded: an answer whose header fields unpack to more than a node takes ends its call, and the connection
// continues. The server is told.
func TestFieldsOfAnswersAreBounded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	told := make(chan uint32, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
		f := http2.NewFramer(conn, conn)
		f.WriteSettings()
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for range 2 {
			for {
				frame, err := f.ReadFrame()
				if err != nil {
					return
				}
				if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
					value, _ := s.Value(http2.SettingMaxHeaderListSize)
					told <- value
				}
				if h, ok := frame.(*http2.HeadersFrame); ok {
					e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
					e.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/grpc", Sensitive: true})
					for range 24 / h.StreamID * 4 { // 96 values in answer to the first call, 32 to the second
						e.WriteField(hpack.HeaderField{Name: "x-bin", Value: strings.Repeat("A", 1000)})
					}
					e.WriteField(hpack.HeaderField{Name: "grpc-status", Value: "9", Sensitive: true})
					f.WriteHeaders(http2.HeadersFrameParam{StreamID: h.StreamID, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
					block.Reset()
					break
				}
			}
		}
	}()
	conn, err := ClientConfig{DialTimeout: patience}.Dial(listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := testpb.NewEchoServiceClient(conn)
	_, err = client.EchoCall(ctx, new(testpb.Echo))
	require.Equal(t, codes.Internal, status.Code(err), "%v", err)
	_, err = client.EchoCall(ctx, new(testpb.Echo))
	require.Equal(t, codes.FailedPrecondition, status.Code(err), "%v", err)
	require.EqualValues(t, maxAnswerFields, <-told)
}

// open makes a connection from an address and waits for its first frame: from then on it counts.
func open(t *testing.T, server *GRPCServer, source string, p protocol) (net.Conn, *http2.Framer) {
	t.Helper()
	conn, f := strangerFrom(t, source, server.Address(), p)
	_, err := f.ReadFrame()
	require.NoError(t, err)
	return conn, f
}

// TestOpenConnectionsAreBounded: of too many connections the oldest of the address that has the most goes, whichever protocol it
// speaks. Nothing is kept of it, nor of those that end by themselves.
func TestOpenConnectionsAreBounded(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			server, log := openServerWithLog(t)
			guard, group := server.endpoint.guard, &server.endpoint.conns
			guard.limitOpen(3)
			one, _ := open(t, server, "127.0.5.1", p)
			older, _ := open(t, server, "127.0.5.2", p)
			newer, _ := open(t, server, "127.0.5.2", p)
			fresh, f := open(t, server, "127.0.5.3", p)
			requireEnded(t, older)
			require.Equal(t, 3, guard.openNow())
			eventually(t, "it is said, with a remedy", func() bool {
				return len(log.MessagesContaining("Closed a connection: this address has the most of too many; handshakesPerAddress sets")) == 1
			})
			for _, conn := range []net.Conn{one, newer, fresh} { // they are served
				require.NoError(t, http2.NewFramer(conn, nil).WritePing(false, [8]byte{1}))
			}
			for {
				frame, err := f.ReadFrame()
				require.NoError(t, err)
				if ping, ok := frame.(*http2.PingFrame); ok && ping.IsAck() {
					break
				}
			}
			require.Len(t, group.matching(func(*tracked) bool { return true }), 3)
			for _, conn := range []net.Conn{one, newer, fresh} {
				conn.Close()
			}
			eventually(t, "nothing is left", func() bool {
				return guard.openNow() == 0 && len(group.matching(func(*tracked) bool { return true })) == 0
			})
		})
	}
}

// TestCallsAreBounded: of an address that has its share of too many calls one more is refused, of another it is not. A call counts until
// its handler has returned, though the client has cancelled it and its connection is gone.
func TestCallsAreBounded(t *testing.T) {
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			so := newPKI(t).node(t).options()
			so.ServerMode = ModeDual
			release := make(chan struct{})
			free := sync.OnceFunc(func() { close(release) })
			t.Cleanup(free)
			server, _ := startServerWith(t, ServerConfig{SecOpts: so, ConnectionTimeout: patience, StreamInterceptors: []grpc.StreamServerInterceptor{
				func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error { <-release; return nil },
			}})
			const most = 4
			server.calls.limit(most)
			block := headers(t)
			begin := func(f *http2.Framer, stream uint32) {
				require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true}))
			}
			conn, f := open(t, server, "127.0.6.1", p)
			for i := range uint32(most) {
				begin(f, 2*i+1)
				require.NoError(t, f.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
			}
			eventually(t, "all count", func() bool { return server.calls.now() == most })
			conn.Close()
			_, f = open(t, server, "127.0.6.1", p)
			begin(f, 1)
			requireRefused(t, f)
			_, f = open(t, server, "127.0.6.2", p)
			begin(f, 1)
			eventually(t, "it is served", func() bool { return server.calls.now() == most+1 })
			free()
			eventually(t, "none is left", func() bool {
				server.calls.mu.Lock()
				defer server.calls.mu.Unlock()
				return server.calls.total == 0 && len(server.calls.bySource) == 0
			})
		})
	}
}

func (c *calls) limit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.max = n
}

func (c *calls) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// requireRefused waits for the answer to a call, which says that there are too many.
func requireRefused(t *testing.T, f *http2.Framer) {
	t.Helper()
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		if answer, ok := frame.(*http2.MetaHeadersFrame); ok {
			require.Contains(t, answer.Fields, hpack.HeaderField{Name: "grpc-status", Value: "8"}) // RESOURCE_EXHAUSTED
			return
		}
	}
}

// TestAnswersThatWaitCount: a call whose handler has returned counts until the client takes the answer.
func TestAnswersThatWaitCount(t *testing.T) {
	const most = 4
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			server := openServer(t)
			server.calls.limit(most)
			block := headersOf(t, "/EchoService/EchoCall", true)
			call := func(f *http2.Framer, stream uint32) {
				require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true}))
				require.NoError(t, f.WriteData(stream, true, []byte{0, 0, 0, 0, 3, 0x0a, 1, 'x'}))
			}
			conn, f := open(t, server, "127.0.8.1", p)
			require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
			for i := range uint32(most) {
				call(f, 2*i+1)
			}
			running := func() (n int) {
				server.calls.mu.Lock()
				defer server.calls.mu.Unlock()
				for _, t := range server.endpoint.conns.matching(func(*tracked) bool { return true }) {
					n += t.calls.running
				}
				return n
			}
			eventually(t, "the answers wait", func() bool { return server.calls.now() == most && running() == 0 })
			_, second := open(t, server, "127.0.8.1", p)
			call(second, 1)
			requireRefused(t, second)
			require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16}))
			eventually(t, "they are taken", func() bool { return server.calls.now() == 0 })
			call(second, 3)
			for taken := false; !taken; {
				frame, err := second.ReadFrame()
				require.NoError(t, err)
				_, taken = frame.(*http2.DataFrame)
			}
			require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
			call(f, 2*most+1)
			eventually(t, "it counts", func() bool { return server.calls.now() == 1 })
			conn.Close()
			eventually(t, "with its connection it is gone", func() bool { return server.calls.now() == 0 })
		})
	}
}

// TestCallsOfConnection: a call counts once, by its handler or by its frames. One that was reset counts until gRPC has nothing left to
// send. A connection ends with twice the bound.
func TestCallsOfConnection(t *testing.T) {
	c := newCalls(0)
	c.max = 3
	cc := c.connection("192.0.2.1")
	handler := func(event stats.RPCStats) { c.HandleRPC(context.WithValue(t.Context(), connCallsKey{}, cc), event) }
	require.NoError(t, cc.begun(1))
	handler(&stats.Begin{})
	require.Equal(t, 1, c.total)
	cc.ended(1, true)
	require.Equal(t, 1, c.total, "the handler runs")
	handler(&stats.End{})
	require.Equal(t, 1, c.total, "gRPC may hold it")
	cc.sent()
	require.Zero(t, c.total)
	require.Empty(t, c.bySource)

	for stream := uint32(3); stream < 15; stream += 2 {
		require.NoError(t, cc.begun(stream))
		require.NoError(t, cc.begun(stream), "gRPC refuses it")
	}
	require.Equal(t, 2*c.max, c.total)
	require.ErrorIs(t, cc.begun(15), errCallsNotRead)
	other := c.connection("192.0.2.2")
	for stream := uint32(1); stream < 5; stream += 2 { // its share, a third of twice the bound as a third might come
		require.NoError(t, other.begun(stream))
	}
	require.ErrorIs(t, other.begun(5), errCallsNotRead)
	cc.ended(3, false)
	cc.ended(3, false)
	require.Equal(t, 7, c.total)
	cc.close()
	other.close()
	require.NoError(t, cc.begun(17))
	require.Zero(t, c.total)
	require.Empty(t, c.bySource)
}

// recordedConn reads what was put in, and keeps what is written.
type recordedConn struct {
	net.Conn
	in, out bytes.Buffer
}

func (c *recordedConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *recordedConn) Write(p []byte) (int, error) { return c.out.Write(p) }

// TestFramesOfCalls: which frames begin and end a call on a connection, and that too many end it.
func TestFramesOfCalls(t *testing.T) {
	c := newCalls(0)
	c.max = 1
	raw := &recordedConn{}
	conn := newServerConn(raw, c.connection("192.0.2.1"))
	client, server := http2.NewFramer(&raw.in, nil), http2.NewFramer(conn, nil)
	read := func() error {
		for {
			_, err := conn.Read(make([]byte, 1<<10))
			if err != nil || raw.in.Len() == 0 && len(conn.rest) == 0 {
				return err
			}
		}
	}
	begin := func(stream uint32) {
		t.Helper()
		require.NoError(t, client.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x83}, EndHeaders: true}))
	}
	answer := func(stream uint32, end bool) {
		t.Helper()
		require.NoError(t, server.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: end}))
	}
	raw.in.WriteString(http2.ClientPreface)

	begin(1)
	require.NoError(t, read())
	require.Equal(t, 1, c.total)
	require.NoError(t, client.WriteRSTStream(1, http2.ErrCodeCancel))
	require.NoError(t, read())
	require.Equal(t, 1, c.total, "gRPC may hold it")
	_, err := conn.Write(make([]byte, 9*(writeBatch/9+1))) // whole frames, empty ones
	require.NoError(t, err)
	require.Equal(t, 1, c.total, "more may be left to send")
	require.NoError(t, server.WriteSettingsAck())
	require.Zero(t, c.total, "all is sent")

	begin(3)
	require.NoError(t, client.WriteRSTStream(3, http2.ErrCodeCancel))
	require.NoError(t, read())
	require.Equal(t, 1, c.total)
	require.ErrorIs(t, read(), io.EOF)
	require.Zero(t, c.total, "gRPC reads on and has written nothing: nothing is left")

	require.NoError(t, client.WriteRSTStream(3, http2.ErrCodeCancel))
	require.NoError(t, client.WriteRSTStream(99, http2.ErrCodeCancel))
	require.NoError(t, read())
	require.Zero(t, c.total, "streams that are not open")

	begin(5)
	require.NoError(t, read())
	require.NoError(t, server.WriteRSTStream(5, http2.ErrCodeRefusedStream))
	require.Zero(t, c.total, "gRPC has refused it")

	begin(7)
	require.NoError(t, read())
	answer(7, false)
	require.Equal(t, 1, c.total, "the answer has begun")
	answer(7, true)
	require.Zero(t, c.total)

	raw.in.Write([]byte{0, 0, 0, frameHeaders, flagEndHeaders, 0x80, 0, 0, 9}) // the reserved bit, which is ignored (RFC 9113, 4.1)
	require.NoError(t, read())
	require.Equal(t, 1, c.total)
	answer(9, true)
	require.Zero(t, c.total)

	begin(11)
	begin(13)
	require.NoError(t, read())
	require.Equal(t, 2, c.total)
	require.NoError(t, client.WriteRSTStream(11, http2.ErrCodeCancel))
	begin(15)
	require.ErrorIs(t, read(), errCallsNotRead)
	require.Equal(t, 2, c.total)
	conn.calls.close()
	require.Zero(t, c.total, "what was reset ends with the connection")
	require.Empty(t, c.bySource)
}

// TestCallsAreShared: what an address may have at least, when there are too many calls, is the same for all.
func TestCallsAreShared(t *testing.T) {
	c := newCalls(0)
	require.Equal(t, callsFactor*DefaultHandshakesPerAddress, c.max)
	require.Equal(t, callsFactor*MaxHandshakes, newCalls(MaxHandshakes).max)
	c.max = 10
	conns := make(map[string]context.Context)
	at := func(source string) context.Context {
		if conns[source] == nil {
			conns[source] = c.TagConn(t.Context(), &stats.ConnTagInfo{RemoteAddr: testAddr(source + ":1")})
		}
		return conns[source]
	}
	call := func(source string) error {
		_, err := c.admit(at(source), nil)
		if err == nil {
			c.HandleRPC(at(source), &stats.Begin{})
		}
		return err
	}
	for range 10 {
		require.NoError(t, call("192.0.2.1"))
	}
	require.ErrorIs(t, call("192.0.2.1"), errTooManyCalls)
	for range 3 { // a third of ten, as a third might come
		require.NoError(t, call("192.0.2.2"))
	}
	require.ErrorIs(t, call("192.0.2.2"), errTooManyCalls)
	require.ErrorIs(t, call("192.0.2.1"), errTooManyCalls)
	require.NoError(t, call("192.0.2.3"))
	for range 5 {
		c.HandleRPC(at("192.0.2.1"), &stats.End{})
	}
	require.NoError(t, call("192.0.2.1"), "there is room")
}

// TestOpenWebConnectionsAreBounded is the same for the operations and admin servers.
func TestOpenWebConnectionsAreBounded(t *testing.T) {
	so := newPKI(t).node(t).options()
	so.ServerMode = ModeDual
	address, e := startHTTP(t, so)
	e.guard.limitOpen(2)
	for _, mode := range families {
		web := func(source string) net.Conn {
			raw := from(t, source, address)
			var conn net.Conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
			if mode == protocolTLCP {
				conn = gmtls.Client(raw, &gmtls.Config{InsecureSkipVerify: true})
			}
			_, err := io.WriteString(conn, "GET /open HTTP/1.1\r\nHost: node\r\n\r\n")
			require.NoError(t, err)
			_, err = conn.Read(make([]byte, 1))
			require.NoError(t, err)
			return conn
		}
		older, newer := web("127.0.7.1"), web("127.0.7.1")
		other := web("127.0.7.2")
		requireEnded(t, older)
		require.Equal(t, 2, e.guard.openNow())
		newer.Close()
		other.Close()
		eventually(t, "nothing is left", func() bool { return e.guard.openNow() == 0 })
	}
}

// requireEnded reads until the other end has closed the connection.
func requireEnded(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}
