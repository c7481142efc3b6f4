// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"net"
	"testing"
	"time"

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
