// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"io"
	"math/rand"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// http2Stream returns some frames as a server sends them, in one piece.
func http2Stream(t testing.TB) (raw []byte, count int) {
	t.Helper()
	var buf bytes.Buffer
	framer := http2.NewFramer(&buf, nil)
	require.NoError(t, framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16384}))
	require.NoError(t, framer.WriteSettingsAck())
	require.NoError(t, framer.WritePing(false, [8]byte{1}))
	for _, size := range []int{0, 1, 9, 16384} {
		require.NoError(t, framer.WriteData(1, false, make([]byte, size)))
	}
	// A field block in three frames, one of them empty; then one in a single frame.
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x88}}))
	require.NoError(t, framer.WriteContinuation(3, false, nil))
	require.NoError(t, framer.WriteContinuation(3, true, []byte{0x88}))
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: []byte{0x88}, EndHeaders: true}))
	require.NoError(t, framer.WriteRSTStream(1, http2.ErrCodeCancel))
	return buf.Bytes(), 12
}

// TestGoAwayStaysOutOfFieldBlocks: between HEADERS and the CONTINUATION that
// ends the block, another frame is a connection error for the peer.
func TestGoAwayStaysOutOfFieldBlocks(t *testing.T) {
	for name, first := range map[string]func(*http2.Framer) error{
		"HEADERS": func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}})
		},
		"PUSH_PROMISE": func(f *http2.Framer) error {
			return f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: []byte{0x88}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			conn := newServerConn(writeConn{w: &out}, nil)
			framer := http2.NewFramer(conn, nil)
			require.NoError(t, first(framer))
			conn.finish()
			length := out.Len()
			require.NoError(t, framer.WriteContinuation(1, false, nil))
			require.Equal(t, length+9, out.Len(), "a GOAWAY stands within the field block")
			require.NoError(t, framer.WriteContinuation(1, true, nil))
			require.Equal(t, goAway, out.Bytes()[length+18:])
		})
	}
}

// readFrames parses what a client would see, with x/net's parser.
func readFrames(t testing.TB, r io.Reader) (kinds []http2.FrameType, goAways []*http2.GoAwayFrame) {
	t.Helper()
	framer := http2.NewFramer(nil, r)
	for {
		frame, err := framer.ReadFrame()
		if err == io.EOF {
			return kinds, goAways
		}
		require.NoError(t, err, "the frames must stay whole")
		kinds = append(kinds, frame.Header().Type)
		if f, ok := frame.(*http2.GoAwayFrame); ok {
			goAways = append(goAways, f)
			kinds = kinds[:len(kinds)-1]
		}
	}
}

// pieces cuts a stream at random places.
func pieces(raw []byte, rnd *rand.Rand) [][]byte {
	var all [][]byte
	for len(raw) > 0 {
		n := 1 + rnd.Intn(min(len(raw), 30))
		if rnd.Intn(4) == 0 {
			n = 1 + rnd.Intn(len(raw))
		}
		all, raw = append(all, raw[:n]), raw[n:]
	}
	return all
}

// TestServerGoAway: however gRPC cuts its frames into writes and whenever the
// drain is asked for, one GOAWAY stands between whole frames.
func TestServerGoAway(t *testing.T) {
	raw, count := http2Stream(t)
	rnd := rand.New(rand.NewSource(1))
	for range 200 {
		var out bytes.Buffer
		conn := newServerConn(writeConn{w: &out}, nil)
		parts := pieces(raw, rnd)
		ask := rnd.Intn(len(parts))
		for i, part := range parts {
			if i == ask {
				conn.finish()
			}
			n, err := conn.Write(part)
			require.NoError(t, err)
			require.Equal(t, len(part), n)
		}
		kinds, goAways := readFrames(t, &out)
		require.Len(t, kinds, count)
		require.Equal(t, http2.FrameSettings, kinds[0])
		require.Len(t, goAways, 1)
		require.Equal(t, uint32(1<<31-1), goAways[0].LastStreamID)
		require.Equal(t, http2.ErrCodeNo, goAways[0].ErrCode)
	}
}

// TestGoAwayComesAfterSettings: the first frame of a server is its SETTINGS (RFC 9113, 3.4).
func TestGoAwayComesAfterSettings(t *testing.T) {
	var out bytes.Buffer
	conn := newServerConn(writeConn{w: &out}, nil)
	conn.finish()
	require.Zero(t, out.Len())
	require.NoError(t, http2.NewFramer(conn, nil).WriteSettings())
	require.Equal(t, goAway, out.Bytes()[9:])
}

// TestClientGoAway: the same towards gRPC's reader, while data comes in from a
// real connection whose reader may be asleep.
func TestClientGoAway(t *testing.T) {
	raw, count := http2Stream(t)
	rnd := rand.New(rand.NewSource(2))
	for range 50 {
		local, remote := tcpPair(t)
		conn := &clientConn{Conn: local}
		parts := pieces(raw, rnd)
		ask := rnd.Intn(len(parts) + 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i, part := range parts {
				if i == ask {
					conn.finish()
				}
				remote.Write(part)
			}
			if ask == len(parts) {
				conn.finish()
				return // the reader must be woken without further data
			}
			remote.(*net.TCPConn).CloseWrite()
		})
		pr, pw := io.Pipe()
		wg.Go(func() {
			seen := 0
			buf := make([]byte, 4096)
			for {
				n, err := conn.Read(buf)
				pw.Write(buf[:n])
				seen += n
				if err != nil || ask == len(parts) && seen == len(raw)+len(goAway) {
					pw.Close()
					return
				}
			}
		})
		kinds, goAways := readFrames(t, pr)
		wg.Wait()
		require.Len(t, kinds, count)
		require.Len(t, goAways, 1)
	}
}

// TestClientDeadlines: a deadline that is not the drain's still shows.
func TestClientDeadlines(t *testing.T) {
	local, _ := tcpPair(t)
	conn := &clientConn{Conn: local}
	require.NoError(t, conn.SetReadDeadline(time.Unix(1, 0)))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
}

// writeConn is a connection that can only be written to.
type writeConn struct {
	net.Conn
	w io.Writer
}

func (c writeConn) Write(p []byte) (int, error) { return c.w.Write(p) }
func (c writeConn) RemoteAddr() net.Addr        { return testAddr("pipe") }
