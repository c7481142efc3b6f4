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

func (e entry) set(v float64) {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.l.sums[e.name] = v
}

type counter struct{ entry }

func (c counter) With(labels ...string) metrics.Counter { return counter{c.with(labels)} }
func (c counter) Add(v float64)                         { c.add(v) }

type gauge struct{ entry }

func (g gauge) With(labels ...string) metrics.Gauge { return gauge{g.with(labels)} }
func (g gauge) Add(v float64)                       { g.add(v) }
func (g gauge) Set(v float64)                       { g.set(v) }

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
	want := func(count float64, parts ...string) {
		t.Helper()
		eventually(t, strings.Join(parts, " "), func() bool { return l.sum(parts...) == count })
	}
	for _, metric := range []string{"handshakes ", "handshake_duration "} {
		want(1, metric, role, listener, "side server", suite, "result ok")
		want(1, metric, "role "+n.clientSource.role, "listener none", "side client", suite, "result ok")
	}
	want(1, "connections ", role, listener, suite)
	conn.Close()
	want(0, "connections ", suite)

	require.NoError(t, n.serverSource.SetMode(ModeTLS, ""))
	_, err := dialTLS(t.Context(), newOptionsDialer(n.clientOptions(), nil), "tcp", n.grpc.Address())
	require.ErrorContains(t, err, "no common protocol")
	want(1, "handshakes ", role, "side server", "protocol TLCP", "result mode")
	want(1, "handshakes ", n.clientSource.role, "side client", "result mode")

	from(t, "127.0.0.1", n.grpc.Address()).Close()
	want(1, "handshakes ", role, "result silent")
	stranger := SecureOptions{UseTLS: true, ServerRootCAs: newPKI(t).roots()}
	_, err = dialTLS(t.Context(), newOptionsDialer(stranger, nil), "tcp", n.grpc.Address())
	require.Error(t, err)
	want(1, "handshakes ", role, "side server", "protocol TLS", "result failed")
	want(1, "handshakes ", "role none", "side client", "protocol TLS", "result certificate")
}

// TestCertificateExpiry: the end of each certificate shows up, whether its
// source was there before the metrics or not, and follows a reload.
func TestCertificateExpiry(t *testing.T) {
	early := newLiveNode(t, ModeDual, patience)
	l := &ledger{sums: make(map[string]float64)}
	UseMetrics(l)
	t.Cleanup(func() { metricsInUse.Store(nil) })
	late := newTestSource(t, SourceConfig{Role: t.Name() + ".late", Load: early.server.load, ClientMode: ClientGM})
	check := func(s *Source) {
		t.Helper()
		for i, use := range []string{"tls", "gm-signing", "gm-encryption"} {
			require.Equal(t, float64(s.state.Load().certificates()[i].NotAfter.Unix()), l.sum("certificate_expiry ", "role "+s.role+" ", "use "+use))
		}
	}
	check(early.serverSource)
	check(early.clientSource)
	check(late)

	stale := "certificate_expiry role " + late.role + " use tls"
	l.mu.Lock()
	require.Contains(t, l.sums, stale)
	l.sums[stale] = 0
	l.mu.Unlock()
	require.NoError(t, late.Reload())
	check(late)
}
