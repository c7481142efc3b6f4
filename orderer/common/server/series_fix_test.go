// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strconv"
	"testing"

	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/metrics/metricsfakes"
	"github.com/hyperledger/fabric/internal/pkg/series"
	"github.com/stretchr/testify/require"
)

// TestSeriesOfStrangersAreBounded: the metrics of broadcast have a bounded number of series, whatever channels strangers invent.
func TestSeriesOfStrangersAreBounded(t *testing.T) {
	counter, provider := &metricsfakes.Counter{}, &metricsfakes.Provider{}
	counter.WithReturns(counter)
	provider.NewCounterReturns(counter)
	bounded := boundedMetrics(provider).NewCounter(metrics.CounterOpts{})
	for i := range series.Max + 1 {
		bounded.With("channel", strconv.Itoa(i))
	}
	require.Equal(t, []string{"channel", strconv.Itoa(series.Max - 1)}, counter.WithArgsForCall(series.Max-1))
	require.Equal(t, []string{"channel", "other"}, counter.WithArgsForCall(series.Max))
}
