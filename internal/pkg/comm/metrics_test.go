// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"strings"
	"sync"
	"testing"

	"github.com/hyperledger/fabric/common/metrics"
	"github.com/stretchr/testify/require"
)

// ledger is a metrics provider that keeps sums by name and labels.
type ledger struct {
	mu   sync.Mutex
	sums map[string]float64 // protected by mu
}

type entry struct {
	l    *ledger
	name string
}

func (l *ledger) NewCounter(o metrics.CounterOpts) metrics.Counter { return counter{entry{l, o.Name}} }
func (l *ledger) NewGauge(o metrics.GaugeOpts) metrics.Gauge       { return gauge{entry{l, o.Name}} }
func (l *ledger) NewHistogram(o metrics.HistogramOpts) metrics.Histogram {
	return histogram{entry{l, o.Name}}
}

func (e entry) with(labels []string) entry {
	for _, label := range labels {
		if label == "" {
			panic("statsd cannot have empty labels")
		}
	}
	return entry{e.l, e.name + " " + strings.Join(labels, " ")}
}

func (e entry) add(v float64) {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.l.sums[e.name] += v
}

type counter struct{ entry }

func (c counter) With(labels ...string) metrics.Counter { return counter{c.with(labels)} }
func (c counter) Add(v float64)                         { c.add(v) }

type gauge struct{ entry }

func (g gauge) With(labels ...string) metrics.Gauge { return gauge{g.with(labels)} }
func (g gauge) Add(v float64)                       { g.add(v) }
func (g gauge) Set(float64)                         { panic("not used") }

type histogram struct{ entry }

func (h histogram) With(labels ...string) metrics.Histogram { return histogram{h.with(labels)} }
func (h histogram) Observe(float64)                         { h.add(1) }

func (l *ledger) sum(parts ...string) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var total float64
	for name, v := range l.sums {
		if containsAll(name, parts...) {
			total += v
		}
	}
	return total
}

// TestMetrics: handshakes, their durations and live connections show up by
// role, listener, side, protocol, suite and result.
func TestMetrics(t *testing.T) {
	l := &ledger{sums: make(map[string]float64)}
	UseMetrics(l)
	t.Cleanup(func() { metricsInUse.Store(nil) })
	n := newLiveNode(t, ModeDual, patience)
	role, listener := "role "+n.serverSource.role, "listener "+n.grpc.Address()
	require.NoError(t, n.clientSource.SetMode("", ClientGM))
	conn := n.dial(t)
	suite := "protocol TLCP suite ECC_SM4_GCM_SM3"
	for _, metric := range []string{"handshakes ", "handshake_duration "} {
		require.Equal(t, 1.0, l.sum(metric, role, listener, "side server", suite, "result ok"))
		require.Equal(t, 1.0, l.sum(metric, "role "+n.clientSource.role, "listener none", "side client", suite, "result ok"))
	}
	require.Equal(t, 1.0, l.sum("connections ", role, listener, suite))
	conn.Close()
	eventually(t, "the connection is gone", func() bool { return l.sum("connections ", suite) == 0 })

	require.NoError(t, n.serverSource.SetMode(ModeTLS, ""))
	require.Error(t, try(t, n.grpc.Address(), n.clientOptions()))
	require.NotZero(t, l.sum("handshakes ", role, "side server", "protocol TLCP", "result mode"))
	require.NotZero(t, l.sum("handshakes ", n.clientSource.role, "side client", "result mode"))

	from(t, "127.0.0.1", n.grpc.Address()).Close()
	eventually(t, "a silent client is counted", func() bool { return l.sum("handshakes ", role, "result silent") == 1 })
	stranger := newPKI(t).node(t).options()
	stranger.ServerRootCAs, stranger.RequireClientCert, stranger.ClientMode = n.org.roots(), false, ClientTLS
	require.Error(t, try(t, n.grpc.Address(), stranger))
	require.NotZero(t, l.sum("handshakes ", role, "protocol TLS", "result failed"))
}
