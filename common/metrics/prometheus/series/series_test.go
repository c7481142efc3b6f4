// SPDX-License-Identifier: Apache-2.0

//fork:file perf: tests of the series

package series

import (
	"fmt"
	"sync"
	"testing"

	"github.com/go-kit/kit/metrics"
	kit "github.com/go-kit/kit/metrics/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// trio is one metric of each kind.
type trio struct {
	counter   metrics.Counter
	gauge     metrics.Gauge
	histogram metrics.Histogram
}

// registered makes metrics in a new registry.
func registered(t testing.TB, makeThem func() trio) (trio, *prometheus.Registry) {
	t.Helper()
	before := prometheus.DefaultRegisterer
	defer func() { prometheus.DefaultRegisterer = before }()
	registry := prometheus.NewRegistry()
	prometheus.DefaultRegisterer = registry
	return makeThem(), registry
}

func ours(labels ...string) func() trio {
	return func() trio {
		return trio{
			NewCounterFrom(prometheus.CounterOpts{Name: "counter", Help: "h"}, labels),
			NewGaugeFrom(prometheus.GaugeOpts{Name: "gauge", Help: "h"}, labels),
			NewHistogramFrom(prometheus.HistogramOpts{Name: "histogram", Help: "h", Buckets: []float64{1, 2}}, labels),
		}
	}
}

func theirs(labels ...string) func() trio {
	return func() trio {
		return trio{
			kit.NewCounterFrom(prometheus.CounterOpts{Name: "counter", Help: "h"}, labels),
			kit.NewGaugeFrom(prometheus.GaugeOpts{Name: "gauge", Help: "h"}, labels),
			kit.NewHistogramFrom(prometheus.HistogramOpts{Name: "histogram", Help: "h", Buckets: []float64{1, 2}}, labels),
		}
	}
}

func gather(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	text := ""
	for _, family := range families {
		text += family.String() + "\n"
	}
	return text
}

// use does to metrics what a node might, and returns the panics.
func use(m trio, labels [][]string) (panics []string) {
	step := func(f func()) {
		defer func() {
			if p := recover(); p != nil {
				panics = append(panics, fmt.Sprint(p))
			}
		}()
		f()
	}
	for _, given := range labels {
		step(func() { m.counter.With(given...).Add(2) })
		step(func() { c := m.counter.With(given...); c.Add(1); c.Add(1) })
		step(func() { m.gauge.With(given...).Set(7) })
		step(func() { m.gauge.With(given...).Add(-3) })
		step(func() { m.histogram.With(given...).Observe(1.5) })
		for split := 0; split <= len(given); split += 2 {
			step(func() { m.counter.With(given[:split]...).With(given[split:]...).Add(1) })
		}
	}
	step(func() { m.counter.Add(1) })
	step(func() { m.gauge.Set(1) })
	step(func() { m.histogram.Observe(1) })
	return panics
}

// Prometheus sees the same, and mistakes panic alike.
func TestLikeGoKit(t *testing.T) {
	for _, names := range [][]string{nil, {"a"}, {"a", "b"}} {
		given := [][]string{
			nil, {"a", "1"}, {"a", "1", "b", "2"}, {"b", "2", "a", "1"}, {"a", "1", "b"}, {"a"}, {"a", "1", "a", "2"},
			{"a", "", "b", "a"}, {"a", "b", "b", "x"}, {"a", "1", "b", "2", "c", "3"}, {"x", "1", "b", "2"}, {"a", "\xff", "b", "2"},
		}
		mine, myRegistry := registered(t, ours(names...))
		other, otherRegistry := registered(t, theirs(names...))
		require.Equal(t, use(other, given), use(mine, given))
		require.Equal(t, gather(t, otherRegistry), gather(t, myRegistry))
	}
}

func TestNothingIsShownBeforeItIsCounted(t *testing.T) {
	m, registry := registered(t, ours("a"))
	c := m.counter.With("a", "1")
	require.Empty(t, gather(t, registry))
	c.Add(1)
	require.Contains(t, gather(t, registry), "counter")
}

func TestConcurrentSeries(t *testing.T) {
	m, registry := registered(t, ours("a"))
	c := m.counter.With("a", "1")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				c.Add(1)
				m.counter.With("a", "1").Add(1)
			}
		})
	}
	group.Wait()
	require.Contains(t, gather(t, registry), "value:1600")
}

func BenchmarkCounter(b *testing.B) {
	for name, makeThem := range map[string]func() trio{"fork": ours("a", "b"), "go-kit": theirs("a", "b")} {
		m, _ := registered(b, makeThem)
		b.Run("With/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.counter.With("a", "1", "b", "2").Add(1)
			}
		})
		kept := m.counter.With("a", "1", "b", "2")
		b.Run("kept/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				kept.Add(1)
			}
		})
	}
}
