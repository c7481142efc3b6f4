// SPDX-License-Identifier: Apache-2.0

package series

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/metrics/prometheus"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// TestSeriesAreBounded has a client choose labels, and looks at what Prometheus would be told.
func TestSeriesAreBounded(t *testing.T) {
	registry := prom.NewRegistry()
	earlier := prom.DefaultRegisterer
	prom.DefaultRegisterer = registry
	defer func() { prom.DefaultRegisterer = earlier }()

	labels := []string{"channel", "success"}
	p := Bound(&prometheus.Provider{}, 10)
	calls := p.NewCounter(metrics.CounterOpts{Name: "calls", LabelNames: labels})
	seconds := p.NewHistogram(metrics.HistogramOpts{Name: "seconds", LabelNames: labels})
	note := func(channel string) {
		calls.With("channel", channel, "success", "false").Add(1)
		seconds.With("channel", channel, "success", "false").Observe(1)
	}
	note("known")
	longest := strings.Repeat("x", maxValue)
	note(longest)
	note(longest + "x")
	note("\xff")
	for i := range 100 {
		note(fmt.Sprintf("channel%d", i))
	}
	note("known")

	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 2)
	for _, family := range families {
		require.Len(t, family.GetMetric(), 11)
		counts := map[string]float64{}
		for _, metric := range family.GetMetric() {
			require.Equal(t, "channel", metric.GetLabel()[0].GetName())
			require.Equal(t, "success", metric.GetLabel()[1].GetName())
			count := metric.GetCounter().GetValue()
			if h := metric.GetHistogram(); h != nil {
				count = float64(h.GetSampleCount())
			}
			counts[metric.GetLabel()[0].GetValue()+" "+metric.GetLabel()[1].GetValue()] = count
		}
		require.EqualValues(t, 2, counts["known false"])
		require.EqualValues(t, 1, counts[longest+" false"])
		require.EqualValues(t, 1, counts["channel7 false"])
		require.EqualValues(t, 2+100-8, counts["other other"])
	}
	p.NewGauge(metrics.GaugeOpts{Name: "height", LabelNames: []string{"channel"}}).With("channel", "one").Set(1)
}
