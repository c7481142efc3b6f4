// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func relayTo(t *testing.T, target string) *Relay {
	t.Helper()
	r, err := Start("127.0.0.1:0", target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestRealTLSPassesAndIsCounted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 100_000))
	}))
	defer server.Close()
	r := relayTo(t, server.Listener.Addr().String())
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get("https://" + r.Address())
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Len(t, body, 100_000)
	resp.Body.Close()
	got := r.Records()
	require.Equal(t, 1, got.Connections)
	require.Greater(t, got.TLS, 8, "100,000 bytes are at least seven records")
	require.Zero(t, got.TLCP)
	require.Zero(t, got.Other)
}

func TestHeadersInAnyPieces(t *testing.T) {
	stream := []byte{22, 1, 1, 0, 3, 'a', 'b', 'c', 23, 1, 1, 0, 0, 22, 3, 3, 0, 1, 'x', 21, 1, 1, 0, 2, 2, 70}
	for piece := 1; piece <= len(stream); piece++ {
		r := &Relay{}
		m := &meter{to: io.Discard, relay: r}
		for rest := stream; len(rest) > 0; {
			n := min(piece, len(rest))
			_, err := m.Write(rest[:n])
			require.NoError(t, err)
			rest = rest[n:]
		}
		require.Equal(t, Records{TLCP: 3, TLS: 1}, r.Records(), "pieces of %d", piece)
	}
}

func TestOtherTrafficIsNeither(t *testing.T) {
	for _, text := range []string{"PRI * HTTP/2.0\r\n", "\x16\x01\x00\x00\x05hello", "\x16\x03\x01\xff\xffhello"} {
		r := &Relay{}
		_, err := (&meter{to: io.Discard, relay: r}).Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, Records{Other: 1}, r.Records(), "%q", text)
	}
}

func TestBlockCutsAndUnblockRestores(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }()
		}
	}()
	r := relayTo(t, echo.Addr().String())
	ask := func() (net.Conn, error) {
		conn, err := net.Dial("tcp", r.Address())
		if err != nil {
			return nil, err
		}
		require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
		_, _ = conn.Write([]byte("!"))
		_, err = io.ReadFull(conn, make([]byte, 1))
		return conn, err
	}
	open, err := ask()
	require.NoError(t, err)
	defer open.Close()
	r.Block()
	_, err = open.Read(make([]byte, 1))
	require.Error(t, err, "an open connection outlived Block")
	_, err = ask()
	require.Error(t, err, "a connection got through while blocked")
	r.Unblock()
	again, err := ask()
	require.NoError(t, err)
	again.Close()
}
