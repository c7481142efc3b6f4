// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hello returns what crypto/tls sends first.
func hello(t testing.TB) []byte {
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "peer0.example.com", NextProtos: []string{"h2"}}).Handshake()
		client.Close()
	}()
	buf := make([]byte, 16<<10)
	require.NoError(t, server.SetDeadline(time.Now().Add(5*time.Second)))
	n, err := server.Read(buf)
	require.NoError(t, err)
	return buf[:n]
}

func TestHelloOfCryptoTLS(t *testing.T) {
	var p Parser
	for _, b := range hello(t) { // byte by byte, as a slow network might
		p.Feed(true, []byte{b}, time.Millisecond)
	}
	require.NotNil(t, p.Client)
	require.Equal(t, "peer0.example.com", p.Client.ServerName)
	require.Equal(t, []string{"h2"}, p.Client.Protocols)
	require.EqualValues(t, tls.VersionTLS13, p.Client.Version)
	require.Len(t, p.Steps, 1)
	require.Equal(t, "ClientHello", p.Steps[0].Name)
}

func TestForeignBytes(t *testing.T) {
	var p Parser
	p.Feed(false, []byte("HTTP/1.0 400 Bad Request"), 0)
	require.Equal(t, "HTTP/1.0 400 Bad Request", string(p.Foreign[1]))
	p.Feed(false, []byte{22, 3, 3, 0, 0}, 0)
	require.Empty(t, p.Steps)
}

// GmSSL 3.1 sends alerts in the clear after ChangeCipherSpec; a sealed one is longer than 2 bytes.
func TestPlaintextAlertAfterChangeCipherSpec(t *testing.T) {
	var p Parser
	p.Feed(false, []byte{20, 1, 1, 0, 1, 1}, 0)
	p.Feed(false, []byte{21, 1, 1, 0, 2, 2, 51}, 0)
	p.Feed(false, append([]byte{21, 1, 1, 0, 26}, make([]byte, 26)...), 0)
	require.Len(t, p.Steps, 3)
	require.Equal(t, []byte{2, 51}, p.Steps[1].Alert)
	require.False(t, p.Steps[1].Encrypted)
	require.Contains(t, p.Steps[1].Note, "decrypt error (51), in the clear")
	require.Nil(t, p.Steps[2].Alert)
	require.True(t, p.Steps[2].Encrypted)
}

func FuzzParser(f *testing.F) {
	f.Add(hello(f), []byte{22, 1, 1, 0, 4, 14, 0, 0, 0})
	f.Fuzz(func(t *testing.T, client, server []byte) {
		var p Parser
		p.Feed(true, client, 0)
		p.Feed(false, server, 0)
		require.LessOrEqual(t, len(p.directions[0].records), len(client))
	})
}

// TestManyMessages: a handshake has some twenty messages, and of what sends them by the million few are kept.
func TestManyMessages(t *testing.T) {
	messages := append([]byte{22, 1, 1, 0x40, 0}, make([]byte, 0x4000)...) // 4096 messages without content
	for name, record := range map[string][]byte{"messages": messages, "alerts": {21, 1, 1, 0, 2, 1, 0}, "ends": {20, 1, 1, 0, 1, 1}} {
		var p Parser
		for range 1000 {
			p.Feed(false, record, 0)
		}
		require.Len(t, p.Steps, maxSteps, name)
		require.GreaterOrEqual(t, p.Hidden, 1000-maxSteps, name)
	}
}
