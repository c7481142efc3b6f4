// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/stretchr/testify/require"
)

// TestAttemptsAtASilentServerAreBounded: a server that takes connections and says nothing costs DialTimeout an attempt, and
// the pauses between attempts stay short. gRPC alone would begin its second attempt after 20 s.
func TestAttemptsAtASilentServerAreBounded(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer lis.Close()
	accepted := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			accepted <- struct{}{}
		}
	}()

	pki := newPKI(t)
	config := ClientConfig{AsyncConnect: true, DialTimeout: 50 * time.Millisecond, SecOpts: SecureOptions{
		UseTLS: true, ServerRootCAs: [][]byte{pki.std.CertBytes()},
	}}
	conn, err := config.Dial(lis.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	conn.Connect()
	deadline := time.After(15 * time.Second)
	for range 5 {
		select {
		case <-accepted:
			conn.Connect()
		case <-deadline:
			require.FailNow(t, "the client waits for the silent server")
		}
	}
}

// TestDialsCannotFillTheLog: servers that refuse cost a dialer a bounded number of lines.
func TestDialsCannotFillTheLog(t *testing.T) {
	var out safeBuffer
	defer flogging.Reset()
	require.NoError(t, flogging.Global.Apply(flogging.Config{Writer: &out}))
	dial := func() {
		near, far := net.Pipe()
		far.Close()
		_, _, err := clientHandshake(t.Context(), staticDialer{&tls.Config{ServerName: "node"}}, &unnamed, "", "", near)
		require.Error(t, err)
	}
	lines := func() int { return strings.Count(out.String(), "Client TLS handshake failed") }
	eventually(t, "a line", func() bool { dial(); return lines() > 0 }) // earlier tests may have used up the bound
	before := lines()
	for range 4 * loglimit.Burst {
		dial()
	}
	require.Less(t, lines()-before, 3*loglimit.Burst)
}
