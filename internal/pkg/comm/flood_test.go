// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/hyperledger/fabric/common/crypto/gmtls"
)

// stranger connects without a certificate and speaks HTTP/2 by hand.
func stranger(t *testing.T, address string, p protocol) (net.Conn, *http2.Framer) {
	t.Helper()
	raw, err := net.DialTimeout("tcp", address, patience)
	require.NoError(t, err)
	t.Cleanup(func() { raw.Close() })
	require.NoError(t, raw.SetDeadline(time.Now().Add(patience)))
	var conn net.Conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: alpnProtocols})
	if p == protocolTLCP {
		conn = gmtls.Client(raw, &gmtls.Config{InsecureSkipVerify: true, NextProtos: alpnProtocols})
	}
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	f := http2.NewFramer(conn, conn)
	require.NoError(t, f.WriteSettings())
	return conn, f
}

// openServer serves clients without a certificate too, over both protocols.
func openServer(t *testing.T) (address string) {
	t.Helper()
	source := newTestSource(t, SourceConfig{Role: t.Name(), Load: fixed(newPKI(t).node(t)), ServerMode: ModeDual})
	server, _ := startServer(t, SecureOptions{UseTLS: true, Source: source})
	return server.Address()
}

// headers is the field block of a call to a stream that stays open.
func headers(t *testing.T) []byte {
	t.Helper()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":path", "/EmptyService/EmptyStream"}, {":authority", "node"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		require.NoError(t, e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
	}
	return block.Bytes()
}

// TestStreamsAreBounded: the call beyond the bound is refused, and those before it go on.
func TestStreamsAreBounded(t *testing.T) {
	address := openServer(t)
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
	address := openServer(t)
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
