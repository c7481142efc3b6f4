// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// deaf makes a server's writes to it wait: it asks for 7 MiB, which it does not read.
func deaf(t *testing.T, f *http2.Framer) {
	t.Helper()
	const calls, size = 120, 60_000
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	require.NoError(t, f.WriteWindowUpdate(0, 1<<30))
	block := headersOf(t, "/EchoService/EchoCall", true)
	message := binary.AppendUvarint([]byte{0x0a}, size)
	message = append(message, make([]byte, size)...)
	message = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	for i := range uint32(calls) {
		stream := 2*i + 1
		require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true}))
		for rest := message; len(rest) > 0; {
			n := min(len(rest), 16<<10)
			require.NoError(t, f.WriteData(stream, n == len(rest), rest[:n]))
			rest = rest[n:]
		}
	}
}

// TestDeafClientKeepsLittle: gRPC keeps frames of a client that takes no answers. They cost a node little, over either protocol, and are
// answered when the client takes answers again.
func TestDeafClientKeepsLittle(t *testing.T) {
	const flood = 12_000  // more than gRPC keeps
	const most = 32 << 20 // 7 MiB are the answers that deaf asks for
	ka := DefaultKeepaliveOptions
	ka.ServerTimeout = 20 * patience // by default the system ends a connection whose client takes nothing for 20 seconds
	server, _ := startServerWith(t, ServerConfig{
		SecOpts:           SecureOptions{UseTLS: true, Source: newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeDual})},
		ConnectionTimeout: patience, KaOpts: ka,
	})
	settings := make([]http2.Setting, maxSettings/6)
	for i := range settings {
		settings[i] = http2.Setting{ID: 0x5a5a, Val: 1}
	}
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			conn, f := stranger(t, server.Address(), p)
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*patience)))
			before := heapSize()
			deaf(t, f)
			var sent atomic.Int64
			done := make(chan error, 1)
			go func() {
				for range flood {
					if err := f.WriteSettings(settings...); err != nil {
						done <- err
						return
					}
					sent.Add(1)
				}
				done <- f.WritePing(false, [8]byte{1})
			}()
			for last := int64(-1); last != sent.Load(); time.Sleep(time.Second) {
				last = sent.Load()
			}
			require.Less(t, heapSize()-before, int64(most))
			for acks := 0; ; {
				frame, err := f.ReadFrame()
				require.NoError(t, err)
				switch frame := frame.(type) {
				case *http2.SettingsFrame:
					if frame.IsAck() {
						acks++
					}
				case *http2.PingFrame:
					if frame.IsAck() {
						require.GreaterOrEqual(t, acks, flood)
						require.NoError(t, <-done)
						return
					}
				}
			}
		})
	}
}

// TestDeafClientsCallsKeepLittle is the same for calls that are reset, whose header fields gRPC keeps, and for frames that end a
// connection, of which gRPC keeps any number.
func TestDeafClientsCallsKeepLittle(t *testing.T) {
	const most = 32 << 20
	ka := DefaultKeepaliveOptions
	ka.ServerTimeout = 20 * patience
	server, _ := startServerWith(t, ServerConfig{
		SecOpts:           SecureOptions{UseTLS: true, Source: newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeDual})},
		ConnectionTimeout: patience, KaOpts: ka,
	})
	const first = 1001 // stream, after those of deaf
	calls := func(t *testing.T, f *http2.Framer) func(int) error {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		block.Write(headers(t))
		for i := range 60 { // from the second call on, a byte each
			require.NoError(t, e.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", i)}))
		}
		setup := bytes.Clone(block.Bytes())
		block.Reset()
		for range 6 {
			for i := range 60 {
				require.NoError(t, e.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", i)}))
			}
		}
		each := append(headersOf(t, "/EmptyService/EmptyStream", true), block.Bytes()...)
		return func(i int) error {
			fields := each
			if i == 0 {
				fields = setup
			}
			stream := uint32(first + 2*i)
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: fields, EndHeaders: true}); err != nil {
				return err
			}
			return f.WriteRSTStream(stream, http2.ErrCodeCancel)
		}
	}
	for _, attack := range []struct {
		name  string
		count int
		frame func(t *testing.T, f *http2.Framer) func(int) error
	}{
		{"calls that are reset", 3_000, calls},
		{"streams that are none", 400_000, func(t *testing.T, f *http2.Framer) func(int) error {
			return func(int) error {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2, BlockFragment: []byte{0x83}, EndHeaders: true})
			}
		}},
	} {
		for _, p := range families {
			t.Run(attack.name+", "+string(p), func(t *testing.T) {
				conn, f := stranger(t, server.Address(), p)
				require.NoError(t, conn.SetDeadline(time.Now().Add(10*patience)))
				before := heapSize()
				deaf(t, f)
				out := bufio.NewWriterSize(conn, 16<<10)
				frame := attack.frame(t, http2.NewFramer(out, nil))
				var sent atomic.Int64
				go func() {
					for i := range attack.count {
						if frame(i) != nil {
							return
						}
						sent.Add(1)
					}
					out.Flush()
				}()
				for last := int64(-1); last != sent.Load(); time.Sleep(time.Second) {
					last = sent.Load()
				}
				require.Less(t, heapSize()-before, int64(most))
				conn.Close()
				eventually(t, "nothing counts", func() bool { return server.calls.now() == 0 })
			})
		}
	}
}

// TestBacklogIsBounded: reading waits while too much is to be answered and the client does not take what is being written, and no longer.
func TestBacklogIsBounded(t *testing.T) {
	var b backlog
	flood := func(n int) {
		for range n {
			b.came()
		}
	}
	waits := func() chan bool {
		none := make(chan bool, 1)
		go func() { none <- b.wait() }()
		return none
	}
	flood(2 * maxBacklog)
	require.False(t, b.wait(), "nothing is being written")

	all, done := b.begin(writeBatch)
	require.False(t, all)
	none := waits()
	select {
	case <-none:
		t.Fatal("it reads on")
	case <-time.After(20 * time.Millisecond):
	}
	done()
	require.False(t, <-none, "more may be left")

	all, done = b.begin(writeBatch - 1)
	require.True(t, all)
	flood(maxBacklog)
	require.False(t, b.wait(), "the bound")
	flood(1)
	none = waits()
	time.Sleep(20 * time.Millisecond)
	require.Empty(t, none)
	done()
	require.True(t, <-none)
	require.False(t, b.wait(), "told once")
}

// TestReaderWaitsForTheNextWrite: between two writes of a client that takes little by little nothing is read.
func TestReaderWaitsForTheNextWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b backlog
		for range maxBacklog + 1 {
			b.came()
		}
		_, done := b.begin(writeBatch)
		read := make(chan bool, 1)
		go func() { read <- b.wait() }()
		synctest.Wait()
		done()
		synctest.Wait() // gRPC needs a moment for its next write
		_, done = b.begin(writeBatch)
		time.Sleep(2 * afterWrite)
		synctest.Wait()
		require.Empty(t, read, "it reads on")
		done()
		require.False(t, <-read)
	})
}

func heapSize() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLongSettingsEndConnection: either end refuses a SETTINGS frame that is longer than any use of it, and takes the longest that may be.
func TestLongSettingsEndConnection(t *testing.T) {
	long := make([]http2.Setting, maxSettings/6+1)
	for i := range long {
		long[i] = http2.Setting{ID: 0x5a5a, Val: 1}
	}
	node := newPKI(t).node(t)
	server, _ := startServerWith(t, ServerConfig{
		SecOpts:           SecureOptions{UseTLS: true, Source: newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(node), ServerMode: ModeDual})},
		ConnectionTimeout: patience,
	})
	for _, p := range families {
		t.Run("server "+string(p), func(t *testing.T) {
			_, f := stranger(t, server.Address(), p)
			require.NoError(t, f.WriteSettings(long[1:]...))
			requireAck(t, f, 2)
			require.NoError(t, f.WriteSettings(long...))
			for {
				if _, err := f.ReadFrame(); err != nil {
					require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
					return
				}
			}
		})
	}
	for name, settings := range map[string][]http2.Setting{"client long": long, "client longest": long[1:]} {
		t.Run(name, func(t *testing.T) {
			near, far := tcpPair(t)
			conn := &clientConn{Conn: near, entry: &tracked{group: new(connGroup)}}
			f := http2.NewFramer(far, nil)
			require.NoError(t, f.WriteSettings(settings...))
			require.NoError(t, near.SetReadDeadline(time.Now().Add(patience)))
			_, err := http2.NewFramer(nil, conn).ReadFrame()
			if len(settings) == len(long) {
				require.ErrorContains(t, err, "a SETTINGS frame of 198 bytes is refused, the most is 192")
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// TestFramesThatAreAnswered: what gRPC has to answer, or keeps, counts towards the backlog, and nothing else.
func TestFramesThatAreAnswered(t *testing.T) {
	raw := &recordedConn{}
	conn := newServerConn(raw, nil)
	client := http2.NewFramer(&raw.in, nil)
	raw.in.WriteString(http2.ClientPreface)
	for _, c := range []struct {
		name  string
		write func() error
		count int
	}{
		{"HEADERS", func() error {
			return client.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x83}, EndHeaders: true})
		}, 1},
		{"RST_STREAM", func() error { return client.WriteRSTStream(1, http2.ErrCodeCancel) }, 1},
		{"SETTINGS", func() error { return client.WriteSettings() }, 1},
		{"PING", func() error { return client.WritePing(false, [8]byte{1}) }, 1},
		{"DATA", func() error { return client.WriteData(1, false, []byte("x")) }, 0},
	} {
		before := conn.backlog.frames
		require.NoError(t, c.write(), c.name)
		_, err := conn.Read(make([]byte, 1<<10))
		require.NoError(t, err, c.name)
		require.Equal(t, before+c.count, conn.backlog.frames, c.name)
	}
}

// requireAck reads until the given number of SETTINGS were acknowledged.
func requireAck(t *testing.T, f *http2.Framer, count int) {
	t.Helper()
	for count > 0 {
		frame, err := f.ReadFrame()
		require.NoError(t, err)
		if s, ok := frame.(*http2.SettingsFrame); ok && s.IsAck() {
			count--
		}
	}
}
