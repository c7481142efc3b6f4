// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestBacklogIsBounded: from a client that takes no answers the server reads no more than it may; when the client takes them it reads on.
func TestBacklogIsBounded(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	conn := newServerConn(near)
	conn.entry = &tracked{group: new(connGroup)}
	written := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		close(begun)
		_, err := conn.Write([]byte("ab"))
		written <- err
	}()
	<-begun
	_, err := io.ReadFull(far, make([]byte, 1)) // the write is under way, and does not end
	require.NoError(t, err)
	go far.Write(make([]byte, 2*maxAhead))
	taken := 0
	take := func() {
		n, err := conn.Read(make([]byte, maxAhead/4))
		require.NoError(t, err)
		taken += n
	}
	for taken < maxAhead {
		take()
	}
	more := make(chan struct{})
	go func() {
		defer close(more)
		take()
	}()
	select {
	case <-more:
		t.Fatal("more is read")
	case <-time.After(50 * time.Millisecond):
	}
	_, err = io.ReadFull(far, make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, <-written)
	<-more
	for taken < 2*maxAhead {
		take()
	}
}

// TestCloseEndsBacklog: a reader that waits for a write ends with its connection.
func TestCloseEndsBacklog(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	conn := newServerConn(near)
	conn.entry = &tracked{group: new(connGroup)}
	go conn.Write([]byte("ab"))
	_, err := io.ReadFull(far, make([]byte, 1))
	require.NoError(t, err)
	conn.backlog.took(maxAhead)
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	conn.Close()
	require.Error(t, <-read)
}

// deaf makes a server's writes to it wait: it asks for 7 MiB, which it does not read.
func deaf(t *testing.T, f *http2.Framer) {
	t.Helper()
	const calls, size = 120, 60_000
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	require.NoError(t, f.WriteWindowUpdate(0, 1<<30))
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", "/EchoService/EchoCall"}, {":authority", "node"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		require.NoError(t, e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true}))
	}
	message := binary.AppendUvarint([]byte{0x0a}, size)
	message = append(message, make([]byte, size)...)
	message = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	for i := range uint32(calls) {
		stream := 2*i + 1
		require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}))
		for rest := message; len(rest) > 0; {
			n := min(len(rest), 16<<10)
			require.NoError(t, f.WriteData(stream, n == len(rest), rest[:n]))
			rest = rest[n:]
		}
	}
}

// TestDeafClientIsNotReadFrom: a client that takes no answers cannot make a node keep a flood of frames, over either protocol. What lies
// in the buffers of the system counts as read. When the client begins to take answers all of its frames are answered.
func TestDeafClientIsNotReadFrom(t *testing.T) {
	const flood, most = 4096, 32 << 20
	ka := DefaultKeepaliveOptions
	ka.ServerTimeout = 20 * patience // by default the system ends a connection whose client takes nothing for 20 seconds
	server, _ := startServerWith(t, ServerConfig{
		SecOpts:           SecureOptions{UseTLS: true, Source: newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeDual})},
		ConnectionTimeout: patience, KaOpts: ka,
	})
	settings := make([]http2.Setting, (16<<10)/6)
	for i := range settings {
		settings[i] = http2.Setting{ID: 0x5a5a, Val: 1}
	}
	for _, p := range families {
		t.Run(string(p), func(t *testing.T) {
			conn, f := stranger(t, server.Address(), p)
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*patience)))
			deaf(t, f)
			var sent atomic.Int64
			done := make(chan error, 1)
			go func() {
				for range flood {
					if err := f.WriteSettings(settings...); err != nil {
						done <- err
						return
					}
					sent.Add(int64(6 * len(settings)))
				}
				done <- f.WritePing(false, [8]byte{1})
			}()
			for before := int64(-1); before != sent.Load() && sent.Load() < most; time.Sleep(time.Second) {
				before = sent.Load()
			}
			require.Less(t, sent.Load(), int64(most))
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
