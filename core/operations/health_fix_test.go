// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/fabhttp"
)

// slow is a component whose check lasts until it is let go.
type slow chan struct{}

func (s slow) HealthCheck(context.Context) error { <-s; return nil }

// TestHealthOfClientsThatLeave: a node keeps nothing of clients that ask for /healthz and leave before the answer.
func TestHealthOfClientsThatLeave(t *testing.T) {
	const clients, others = 100, 10 // others are goroutines that come and go in any process
	system := NewSystem(Options{Options: fabhttp.Options{ListenAddress: "127.0.0.1:0"}})
	component := make(slow)
	require.NoError(t, system.RegisterChecker("component", component))
	require.NoError(t, system.Start())
	t.Cleanup(func() { require.NoError(t, system.Stop()) })
	before := runtime.NumGoroutine()
	for range clients {
		conn, err := net.Dial("tcp", system.Addr())
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", system.Addr())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		time.AfterFunc(200*time.Millisecond, func() { conn.Close() })
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+others }, 10*time.Second, 10*time.Millisecond,
		"goroutines while the check runs")
	close(component)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < before+others }, 10*time.Second, 10*time.Millisecond)
}
