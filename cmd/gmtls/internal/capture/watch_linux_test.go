// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"
)

// Where watching is not permitted the error must say what to do instead.
func TestWatchLoopback(t *testing.T) {
	m := newFixture(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go m.tlcpServer(0)(c)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	type result struct {
		r   *Report
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := watch(ctx, "lo", layers.TCPPort(l.Addr().(*net.TCPAddr).Port))
		done <- result{r, err}
	}()
	for range 20 { // the watching may begin after the first ones
		select {
		case got := <-done:
			require.ErrorContains(t, got.err, "it takes root or CAP_NET_RAW")
			return
		case <-time.After(50 * time.Millisecond):
		}
		raw, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, raw.SetDeadline(time.Now().Add(10*time.Second)))
		m.tlcpClient(m.roots)(raw)
		raw.Close()
	}
	cancel()
	got := <-done
	require.NoError(t, got.err)
	require.NotEmpty(t, got.r.Conversations)
	complete := 0
	for _, c := range got.r.Conversations {
		require.True(t, strings.HasPrefix(c.Protocol, "TLCP"))
		if c.Complete {
			complete++
		}
	}
	require.Positive(t, complete)
}

func TestWatchUnknownInterface(t *testing.T) {
	_, err := watch(context.Background(), "nosuch0", 1)
	require.ErrorContains(t, err, "nosuch0")
}
