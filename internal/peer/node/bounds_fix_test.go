// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/metrics/metricsfakes"
	"github.com/hyperledger/fabric/internal/pkg/comm"
	"github.com/hyperledger/fabric/internal/pkg/series"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
)

// TestAnswersInGossipAreBounded: the peer tells the peers that it dials how much their header fields may take.
func TestAnswersInGossipAreBounded(t *testing.T) {
	setKey(t, "peer.tls.enabled", false)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	told := make(chan uint32, 1)
	go func() {
		defer close(told)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		frame, err := http2.NewFramer(conn, conn).ReadFrame()
		if settings, ok := frame.(*http2.SettingsFrame); err == nil && ok {
			value, _ := settings.Value(http2.SettingMaxHeaderListSize)
			told <- value
		}
	}()
	conn, err := grpc.Dial(listener.Addr().String(), secureDialOpts(comm.NewCredentialSupport())()...)
	require.NoError(t, err)
	defer conn.Close()
	conn.Connect()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case value := <-told:
		require.EqualValues(t, 64<<10, value)
	case <-ctx.Done():
		t.Fatal("the peer does not dial")
	}
}

// TestSeriesOfClientsAreBounded: the metrics of the endorser have a bounded number of series, whatever names clients invent.
func TestSeriesOfClientsAreBounded(t *testing.T) {
	counter, provider := &metricsfakes.Counter{}, &metricsfakes.Provider{}
	counter.WithReturns(counter)
	provider.NewCounterReturns(counter)
	bounded := boundedMetrics(provider).NewCounter(metrics.CounterOpts{})
	for i := range series.Max + 1 {
		bounded.With("chaincode", strconv.Itoa(i))
	}
	require.Equal(t, []string{"chaincode", strconv.Itoa(series.Max - 1)}, counter.WithArgsForCall(series.Max-1))
	require.Equal(t, []string{"chaincode", "other"}, counter.WithArgsForCall(series.Max))
}
