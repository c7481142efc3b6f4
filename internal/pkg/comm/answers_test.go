// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hyperledger/fabric/internal/pkg/comm/testpb"
)

// blobs answers a request for n bytes with messages of n bytes, as long as the client takes them, or with one. A handler of a stream
// that the client has told how many it wants ends before they are taken.
var blobs = grpc.ServiceDesc{
	ServiceName: "Blobs",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName: "Stream", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			for {
				want := new(wrapperspb.UInt64Value)
				if err := stream.RecvMsg(want); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				// The low bits say how many.
				for range want.Value & 0xff {
					if err := stream.SendMsg(wrapperspb.Bytes(make([]byte, want.Value>>8))); err != nil {
						return err
					}
				}
			}
		},
	}},
	Methods: []grpc.MethodDesc{{
		MethodName: "Once",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			want := new(wrapperspb.UInt64Value)
			if err := decode(want); err != nil {
				return nil, err
			}
			return wrapperspb.Bytes(make([]byte, want.Value>>8)), nil
		},
	}},
}

// blobServer serves blobs to anybody. Of answers that nobody has taken, most bytes are kept.
func blobServer(t *testing.T, most int64) (*GRPCServer, bundles) {
	t.Helper()
	ka := DefaultKeepaliveOptions
	ka.ServerTimeout = 20 * patience
	node := newPKI(t).node(t)
	server := startServices(t, ServerConfig{
		SecOpts:           SecureOptions{UseTLS: true, Source: newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(node), ServerMode: ModeDual})},
		ConnectionTimeout: patience, KaOpts: ka,
	}, func(server *grpc.Server) {
		server.RegisterService(&blobs, new(any))
		testpb.RegisterEmptyServiceServer(server, &echoService{})
	})
	server.calls.mu.Lock()
	defer server.calls.mu.Unlock()
	server.calls.most = most
	return server, node
}

// kept returns the bytes of answers that the listener counts.
func (c *calls) kept() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers.bytes
}

// want asks for count messages of a size.
func want(t *testing.T, f *http2.Framer, stream uint32, method string, size, count int) error {
	t.Helper()
	message := binary.AppendUvarint([]byte{0x08}, uint64(size<<8|count))
	message = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headersOf(t, "/Blobs/"+method, true), EndHeaders: true}); err != nil {
		return err
	}
	return f.WriteData(stream, true, message)
}

// TestAnswersNotTaken: who asks for large answers by small requests and takes none loses the connection, over either protocol, whether
// the answers are of calls or of streams, whose next message waits. Others keep theirs.
func TestAnswersNotTaken(t *testing.T) {
	const size, most = 1 << 20, 16 << 20
	for _, p := range families {
		for method, each := range map[string]int64{"Stream": 2, "Once": 1} {
			t.Run(string(p)+" "+method, func(t *testing.T) {
				server, _ := blobServer(t, most)
				_, honest := open(t, server, "127.0.8.1", p)
				require.NoError(t, want(t, honest, 1, "Stream", 100<<10, 1)) // more than the client has room for
				take := func(n int) {
					for n > 0 {
						frame, err := honest.ReadFrame()
						require.NoError(t, err)
						if data, ok := frame.(*http2.DataFrame); ok {
							n -= len(data.Data())
						}
					}
				}
				const room = 65535 // of a connection
				take(room)
				waiting := server.calls.kept()
				require.Positive(t, waiting)

				conn, f := open(t, server, "127.0.8.2", p)
				const calls = most / size / 4
				for i := range uint32(calls) {
					require.NoError(t, want(t, f, 2*i+1, method, size, 10))
				}
				eventually(t, "all count", func() bool { return server.calls.kept() >= waiting+each*calls*size-room })
				time.Sleep(100 * time.Millisecond)
				require.LessOrEqual(t, server.calls.kept(), waiting+each*calls*(size+100), "each counts once")

				for i := range uint32(100) {
					if want(t, f, 2*(calls+i)+1, method, size, 10) != nil {
						break
					}
				}
				var ended error
				for ended == nil {
					_, ended = f.ReadFrame()
				}
				require.NotErrorIs(t, ended, os.ErrDeadlineExceeded, "the node ends the connection")
				conn.Close()
				eventually(t, "nothing of it counts", func() bool { return server.calls.kept() == waiting })
				require.NoError(t, honest.WriteWindowUpdate(0, 1<<20))
				require.NoError(t, honest.WriteWindowUpdate(1, 1<<20))
				take(100<<10 - room)
				eventually(t, "nothing counts", func() bool { return server.calls.kept() == 0 })
			})
		}
	}
}

// TestAnswersCountExactly: whatever clients do, on connections that stay, nothing counts when nothing is left.
func TestAnswersCountExactly(t *testing.T) {
	for mode, p := range map[ClientMode]protocol{ClientTLS: protocolTLS, ClientGM: protocolTLCP} {
		t.Run(string(p), func(t *testing.T) { answersCountExactly(t, mode) })
	}
}

func answersCountExactly(t *testing.T, mode ClientMode) {
	server, node := blobServer(t, 1<<40)
	conn, err := dial(t, server.Address(), SecureOptions{UseTLS: true, ServerRootCAs: node.ServerRootCAs, ClientMode: mode})
	require.NoError(t, err)
	var wg sync.WaitGroup
	var cancelled atomic.Int64
	for worker := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewSource(int64(worker)))
			for range 40 {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				request := wrapperspb.UInt64(uint64(random.Intn(300<<10)<<8 | random.Intn(5)))
				var options []grpc.CallOption
				if random.Intn(2) == 0 {
					options = append(options, grpc.UseCompressor(gzip.Name))
				}
				if random.Intn(3) == 0 {
					_ = conn.Invoke(ctx, "/Blobs/Once", request, new(wrapperspb.BytesValue), options...)
					cancel()
					continue
				}
				stream, err := conn.NewStream(ctx, &blobs.Streams[0], "/Blobs/Stream", options...)
				if err != nil {
					t.Error(err)
					cancel()
					return
				}
				_ = stream.SendMsg(request)
				if random.Intn(2) == 0 {
					_ = stream.CloseSend()
					for stream.RecvMsg(new(wrapperspb.BytesValue)) == nil {
					}
				} else {
					cancelled.Add(1)
					time.Sleep(time.Duration(random.Intn(3)) * time.Millisecond)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	require.Positive(t, cancelled.Load())
	// What was reset counts until gRPC has nothing left to send, which the next answer tells.
	eventually(t, "nothing counts", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := testpb.NewEmptyServiceClient(conn).EmptyCall(ctx, &testpb.Empty{})
		return err == nil && server.calls.kept() == 0
	})
	server.calls.mu.Lock()
	defer server.calls.mu.Unlock()
	require.Len(t, server.calls.conns, 1)
	for cc := range server.calls.conns {
		require.Zero(t, cc.bytes)
		require.Zero(t, cc.ofReset)
	}
}

// TestWhichConnectionGoes: first those that take nothing, then the address with most, then the connection with most.
func TestWhichConnectionGoes(t *testing.T) {
	type connection struct {
		source string
		bytes  int64
		took   time.Duration // ago
	}
	for name, test := range map[string]struct {
		conns []connection
		goes  int // -1: none
	}{
		"the largest":                        {[]connection{{"a", 10, 0}, {"b", 30, 0}, {"c", 20, 0}}, 1},
		"that which takes nothing":           {[]connection{{"a", 30, 0}, {"b", 1, time.Minute}, {"c", 20, 0}}, 1},
		"the largest that takes nothing":     {[]connection{{"a", 30, 0}, {"b", 1, time.Minute}, {"c", 2, time.Hour}}, 2},
		"the largest of an address":          {[]connection{{"a", 30, 0}, {"b", 19, 0}, {"b", 20, 0}}, 2},
		"of the address that takes nothing":  {[]connection{{"a", 30, time.Minute}, {"b", 19, time.Minute}, {"b", 20, time.Minute}}, 2},
		"one that keeps nothing never":       {[]connection{{"a", 0, time.Hour}, {"b", 5, 0}}, 1},
		"nor one that is ahead of its count": {[]connection{{"a", -5, time.Hour}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCalls(0)
			c.most = 0
			closed := make(chan int, len(test.conns))
			for i, of := range test.conns {
				cc := c.connection(of.source)
				cc.shut = func() error { closed <- i; return nil }
				require.NoError(t, cc.begun(1))
				cc.open[1], cc.bytes, cc.took = of.bytes, of.bytes, time.Now().Add(-of.took)
				c.answers.bytes += of.bytes
			}
			all := c.answers.bytes
			c.mu.Lock()
			c.closeOneLocked()
			c.mu.Unlock()
			if test.goes < 0 {
				require.Empty(t, closed)
				return
			}
			require.Equal(t, test.goes, <-closed)
			require.Equal(t, all-test.conns[test.goes].bytes, c.kept())
			require.Len(t, c.conns, len(test.conns)-1)
		})
	}
}

// TestReadEndsAtFields: gRPC makes a call when it knows no later stream, however much the client sends at once.
func TestReadEndsAtFields(t *testing.T) {
	var sent bytes.Buffer
	client := http2.NewFramer(&sent, nil)
	sent.WriteString(http2.ClientPreface)
	require.NoError(t, client.WriteSettings())
	var ends []int
	for i := range uint32(5) {
		require.NoError(t, client.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: []byte{0x83}, EndHeaders: i%2 == 0}))
		if i%2 == 1 {
			require.NoError(t, client.WriteContinuation(2*i+1, false, nil))
			require.NoError(t, client.WriteContinuation(2*i+1, true, make([]byte, 100)))
		}
		ends = append(ends, sent.Len())
		require.NoError(t, client.WriteData(2*i+1, true, make([]byte, 10<<10*i)))
	}
	require.NoError(t, client.WritePing(false, [8]byte{}))
	ends = append(ends, sent.Len())
	for _, size := range []int{1, 7, 1000, 32 << 10, 1 << 20} {
		raw := &recordedConn{}
		raw.in.Write(sent.Bytes())
		conn := newServerConn(raw, newCalls(0).connection("192.0.2.1"))
		var got []byte
		p := make([]byte, size)
		left := ends
		for stream := uint32(0); len(got) < sent.Len(); {
			n, err := conn.Read(p)
			require.NoError(t, err)
			require.Positive(t, n)
			got = append(got, p[:n]...)
			require.LessOrEqual(t, len(got), left[0], "size %d", size)
			if len(got) == left[0] && len(left) > 1 {
				left = left[1:]
				stream = 2*uint32(len(ends)-len(left)) - 1
			}
			if len(left) > 1 && stream > 0 && len(got) == ends[(stream-1)/2] {
				require.Equal(t, stream, conn.calls.newest)
			}
		}
		require.Equal(t, sent.Bytes(), got)
		_, err := conn.Read(p)
		require.ErrorIs(t, err, io.EOF)
		require.Empty(t, conn.rest)
		require.LessOrEqual(t, cap(conn.room), maxRest)
	}
}

// TestFramesOfAnswers: which frames tell that bytes of an answer are no longer kept, and when a connection last took some.
func TestFramesOfAnswers(t *testing.T) {
	c := newCalls(0)
	raw := &recordedConn{}
	conn := newServerConn(raw, c.connection("192.0.2.1"))
	cc := conn.calls
	client, server := http2.NewFramer(&raw.in, nil), http2.NewFramer(conn, nil)
	raw.in.WriteString(http2.ClientPreface)
	call := func(stream uint32) *answer {
		require.NoError(t, client.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x83}, EndHeaders: true}))
		_, err := conn.Read(make([]byte, 1<<10))
		require.NoError(t, err)
		return &answer{conn: cc, stream: stream}
	}
	requireKept := func(bytes int64) {
		t.Helper()
		require.Equal(t, bytes, c.kept())
		require.Equal(t, bytes, cc.bytes)
	}
	const longAgo = -time.Hour
	a := call(1)
	cc.took = time.Now().Add(longAgo)
	a.wait(100)
	requireKept(100)
	require.False(t, cc.stalled(time.Now()), "it had taken all until now")
	a.passed(90) // compressed
	requireKept(90)
	a.wait(30)
	requireKept(120)
	a.wait(50) // gRPC has refused the message before
	requireKept(140)
	cc.took = time.Now().Add(longAgo)
	a.passed(50)
	requireKept(140)
	require.True(t, cc.stalled(time.Now()))
	require.NoError(t, server.WriteData(1, false, make([]byte, 60)))
	requireKept(80)
	require.False(t, cc.stalled(time.Now()))

	b := call(3)
	b.wait(7)
	requireKept(87)
	require.NoError(t, server.WriteRSTStream(1, http2.ErrCodeCancel))
	requireKept(7)
	a.wait(1000)
	a.passed(1000)
	require.NoError(t, server.WriteData(1, false, make([]byte, 60)))
	requireKept(7)

	require.NoError(t, client.WriteRSTStream(3, http2.ErrCodeCancel))
	_, err := conn.Read(make([]byte, 1<<10))
	require.NoError(t, err)
	requireKept(7)
	require.NoError(t, server.WriteSettingsAck()) // gRPC has nothing left to send
	requireKept(0)

	call(5).wait(11)
	requireKept(11)
	cc.close()
	requireKept(0)
	require.Empty(t, c.conns)
}
