// SPDX-License-Identifier: Apache-2.0

package comm

import (
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/common/crypto"
	"github.com/hyperledger/fabric/common/metrics"
)

var (
	openConnCounterOpts = metrics.CounterOpts{
		Namespace: "grpc", Subsystem: "comm", Name: "conn_opened",
		Help: "gRPC connections opened. Open minus closed is the active number of connections.",
	}
	closedConnCounterOpts = metrics.CounterOpts{
		Namespace: "grpc", Subsystem: "comm", Name: "conn_closed",
		Help: "gRPC connections closed. Open minus closed is the active number of connections.",
	}
	handshakesCounterOpts = metrics.CounterOpts{
		Namespace:    "comm",
		Subsystem:    "tls",
		Name:         "handshakes",
		Help:         "Handshakes by role, listener (none for dialers), side (server or client), protocol (TLS, TLCP or TLS13-GM), cipher suite and result (ok, mode, certificate, revoked, timeout, silent, throttled, displaced or failed).",
		LabelNames:   []string{"role", "listener", "side", "protocol", "suite", "result"},
		StatsdFormat: "%{#fqname}.%{role}.%{listener}.%{side}.%{protocol}.%{suite}.%{result}",
	}
	handshakeDurationOpts = metrics.HistogramOpts{
		Namespace:    "comm",
		Subsystem:    "tls",
		Name:         "handshake_duration",
		Help:         "Time from the first byte waited for to the end of the handshake, in seconds.",
		LabelNames:   []string{"role", "listener", "side", "protocol", "suite", "result"},
		StatsdFormat: "%{#fqname}.%{role}.%{listener}.%{side}.%{protocol}.%{suite}.%{result}",
	}
	connectionsGaugeOpts = metrics.GaugeOpts{
		Namespace:    "comm",
		Subsystem:    "tls",
		Name:         "connections",
		Help:         "Live connections by role, listener (none for dialers), protocol (TLS, TLCP or TLS13-GM) and cipher suite.",
		LabelNames:   []string{"role", "listener", "protocol", "suite"},
		StatsdFormat: "%{#fqname}.%{role}.%{listener}.%{protocol}.%{suite}",
	}
	certificateExpiryGaugeOpts = metrics.GaugeOpts{
		Namespace:    "comm",
		Subsystem:    "tls",
		Name:         "certificate_expiry",
		Help:         "End of validity of the certificates that a role presents, and of the node's identity, by role and use (tls, gm-signing, gm-encryption or identity), in seconds since 1970.",
		LabelNames:   []string{"role", "use"},
		StatsdFormat: "%{#fqname}.%{role}.%{use}",
	}
	listExpiryGaugeOpts = metrics.GaugeOpts{
		Namespace:    "comm",
		Subsystem:    "tls",
		Name:         "revocation_list_expiry",
		Help:         "Time from which certificates are refused because a revocation list of a channel's MSP (role none), or of a role's own files (channel and msp none), has not been replaced, in seconds since 1970; 0 for none.",
		LabelNames:   []string{"role", "channel", "msp"},
		StatsdFormat: "%{#fqname}.%{role}.%{channel}.%{msp}",
	}
)

// NewServerStatsHandler returns a handler that counts the connections of gRPC
// servers with the provider.
func NewServerStatsHandler(p metrics.Provider) *ServerStatsHandler {
	return &ServerStatsHandler{
		OpenConnCounter:   p.NewCounter(openConnCounterOpts),
		ClosedConnCounter: p.NewCounter(closedConnCounterOpts),
	}
}

// tlsMetrics are the metrics of all listeners and dialers.
type tlsMetrics struct {
	handshakes  metrics.Counter
	durations   metrics.Histogram
	connections metrics.Gauge
	expiry      metrics.Gauge
	listExpiry  metrics.Gauge
}

var metricsInUse atomic.Pointer[tlsMetrics]

// UseMetrics sends the metrics of all listeners and dialers of the process to the
// provider from now on. A process calls it once, before it listens.
func UseMetrics(p metrics.Provider) {
	metricsInUse.Store(&tlsMetrics{
		handshakes:  p.NewCounter(handshakesCounterOpts),
		durations:   p.NewHistogram(handshakeDurationOpts),
		connections: p.NewGauge(connectionsGaugeOpts),
		expiry:      p.NewGauge(certificateExpiryGaugeOpts),
		listExpiry:  p.NewGauge(listExpiryGaugeOpts),
	})
	registry.mu.RLock()
	defer registry.mu.RUnlock()
	for _, s := range registry.byRole {
		observeCertificates(s.role, s.state.Load())
		if s.revocation {
			observeLists("", nil, ofChannels())
			observeLists(s.role, nil, s.state.Load().ownLists())
		}
	}
}

// observeLists shows when the lists of channels or of a role's files end, and
// that earlier ones are gone.
func observeLists(role string, earlier, present []*organization) {
	m := metricsInUse.Load()
	if m == nil {
		return
	}
	set := func(o *organization, value int64) {
		m.listExpiry.With("role", orNone(role), "channel", orNone(o.channel), "msp", orNone(o.msp)).Set(float64(value))
	}
	for _, o := range earlier {
		set(o, 0)
	}
	for _, o := range present {
		if end := o.end(); !end.IsZero() {
			set(o, end.Unix())
		}
	}
}

func observeCertificates(role string, s *sourceState) {
	m := metricsInUse.Load()
	if m == nil {
		return
	}
	for _, cert := range s.status(time.Now()) {
		m.expiry.With("role", role, "use", cert.Use).Set(float64(cert.NotAfter.Unix()))
	}
}

// observeIdentity shows the expiry of the certificate that the node signs with, as of those that it connects with: the alerts watch it too.
func observeIdentity(serialized []byte) {
	m := metricsInUse.Load()
	if end := crypto.ExpiresAt(serialized); m != nil && !end.IsZero() {
		m.expiry.With("role", "identity", "use", "identity").Set(float64(end.Unix()))
	}
}

func observeHandshake(role, listener, side string, s *session, result string, start time.Time) {
	m := metricsInUse.Load()
	if m == nil {
		return
	}
	proto, suite := "", ""
	if s != nil {
		proto, suite = string(s.protocol), s.suite
	}
	labels := []string{
		"role", orNone(role), "listener", orNone(listener), "side", side,
		"protocol", orNone(proto), "suite", orNone(suite), "result", result,
	}
	m.handshakes.With(labels...).Add(1)
	m.durations.With(labels...).Observe(time.Since(start).Seconds())
}

func observeConnection(t *tracked, change float64) {
	if m := metricsInUse.Load(); m != nil {
		m.connections.With("role", orNone(t.group.role), "listener", orNone(t.group.listener),
			"protocol", string(t.protocol), "suite", orNone(t.suite)).Add(change)
	}
}

// orNone keeps a label from being empty, which statsd cannot have in a name.
func orNone(label string) string {
	if label == "" {
		return "none"
	}
	return label
}
