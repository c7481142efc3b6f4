// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// counters are shown in the text format of Prometheus.
type counters struct {
	accepted, active, refused, displaced, failed atomic.Int64
	sent, received                               atomic.Int64 // bytes to and from the server
	reloads, reloadsFailed                       atomic.Int64
}

func (c *counters) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, m := range []struct {
		name, kind, help string
		value            *atomic.Int64
	}{
		{"gmtls_proxy_connections_total", "counter", "Connections accepted.", &c.accepted},
		{"gmtls_proxy_connections_active", "gauge", "Connections open.", &c.active},
		{"gmtls_proxy_connections_refused_total", "counter", "Connections closed because of the limit.", &c.refused},
		{"gmtls_proxy_connections_displaced_total", "counter", "Connections closed during their handshake, the oldest for a new one, because of the limit.", &c.displaced},
		{"gmtls_proxy_connections_failed_total", "counter", "Connections for which no bridge could be made.", &c.failed},
		{"gmtls_proxy_sent_bytes_total", "counter", "Bytes from clients for the server.", &c.sent},
		{"gmtls_proxy_received_bytes_total", "counter", "Bytes from the server for clients.", &c.received},
		{"gmtls_proxy_reloads_total", "counter", "Reloads that succeeded.", &c.reloads},
		{"gmtls_proxy_reloads_failed_total", "counter", "Reloads that failed.", &c.reloadsFailed},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", m.name, m.help, m.name, m.kind, m.name, m.value.Load())
	}
}

// Limits of the server of the metrics, which strangers may reach. One that is slow has its connection for 15 seconds.
const (
	metricsConnections = 64       // open at a time
	metricsHeader      = 16 << 10 // bytes of a request, as at the operations servers of nodes
)

// serveMetrics starts the server of the metrics and returns what stops it.
func (p *Proxy) serveMetrics() (stop func()) {
	if p.metrics == nil {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", &p.counters)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: metricsHeader}
	server.SetKeepAlivesEnabled(false) // an idle connection would take a place
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(netutil.LimitListener(p.metrics, metricsConnections)) // ends by Close
	}()
	return func() {
		server.Close()
		<-done
	}
}
