// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/common/crypto/keyd"
)

// buckets of durations, in seconds.
var buckets = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

const (
	operations = int(keyd.OpMetrics) + 1
	codes      = int(keyd.Unusable) + 1
)

var codeNames = [codes]string{"ok", "bad-request", "denied", "no-key", "unavailable", "failed", "other-form", "unusable"}

type metrics struct {
	clients, denied atomic.Int64
	requests        [operations][codes]atomic.Int64
	times           [operations]struct {
		buckets [len(buckets) + 1]atomic.Int64
		nanos   atomic.Int64
	}
}

func (m *metrics) note(op keyd.Operation, code keyd.Code, took time.Duration) {
	if int(op) >= operations {
		op = 0
	}
	m.requests[op][code].Add(1)
	t := &m.times[op]
	t.nanos.Add(int64(took))
	i := 0
	for i < len(buckets) && took.Seconds() > buckets[i] {
		i++
	}
	t.buckets[i].Add(1)
}

// text writes all in the text format of Prometheus, version 0.0.4. The states have the keys that the user may see.
func (m *metrics) text(devices []*device.Device, states []keyd.DeviceState) []byte {
	var b bytes.Buffer
	head := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	number := func(ok bool) int {
		if ok {
			return 1
		}
		return 0
	}
	head("gmkeyd_device_up", "gauge", "Whether the device is connected.")
	for _, s := range states {
		fmt.Fprintf(&b, "gmkeyd_device_up{device=%q} %d\n", s.Name, number(s.Ready))
	}
	head("gmkeyd_device_sessions", "gauge", "Sessions with the device, and those in use.")
	for _, s := range states {
		fmt.Fprintf(&b, "gmkeyd_device_sessions{device=%q,state=\"open\"} %d\n", s.Name, s.Sessions)
		fmt.Fprintf(&b, "gmkeyd_device_sessions{device=%q,state=\"busy\"} %d\n", s.Name, s.Busy)
	}
	head("gmkeyd_device_connects_total", "counter", "Connections made to the device.")
	for _, d := range devices {
		fmt.Fprintf(&b, "gmkeyd_device_connects_total{device=%q} %d\n", d.Name, d.Counters.Connects.Load())
	}
	head("gmkeyd_device_lost_total", "counter", "Connections to the device that were lost.")
	for _, d := range devices {
		fmt.Fprintf(&b, "gmkeyd_device_lost_total{device=%q} %d\n", d.Name, d.Counters.Lost.Load())
	}
	head("gmkeyd_key_usable", "gauge", "Whether the key passed its self-test.")
	for _, s := range states {
		for _, k := range s.Keys {
			fmt.Fprintf(&b, "gmkeyd_key_usable{device=%q,key=%q} %d\n", s.Name, k.URI, number(k.Error == ""))
		}
	}
	head("gmkeyd_clients", "gauge", "Connections of clients.")
	fmt.Fprintf(&b, "gmkeyd_clients %d\n", m.clients.Load())
	head("gmkeyd_clients_refused_total", "counter", "Connections of users that may not use the daemon.")
	fmt.Fprintf(&b, "gmkeyd_clients_refused_total %d\n", m.denied.Load())
	head("gmkeyd_requests_total", "counter", "Requests answered.")
	for op := range m.requests {
		for code := range m.requests[op] {
			if n := m.requests[op][code].Load(); n != 0 {
				fmt.Fprintf(&b, "gmkeyd_requests_total{operation=%q,result=%q} %d\n", keyd.Operation(op), codeNames[code], n)
			}
		}
	}
	head("gmkeyd_request_seconds", "histogram", "Time from a request to its answer, waiting for a session included.")
	for op := range m.times {
		m.histogram(&b, keyd.Operation(op))
	}
	return b.Bytes()
}

func (m *metrics) histogram(b *bytes.Buffer, op keyd.Operation) {
	t, sum := &m.times[op], int64(0)
	for i := range t.buckets {
		sum += t.buckets[i].Load()
	}
	if sum == 0 {
		return
	}
	count := int64(0)
	for i, limit := range buckets {
		count += t.buckets[i].Load()
		fmt.Fprintf(b, "gmkeyd_request_seconds_bucket{operation=%q,le=\"%g\"} %d\n", op, limit, count)
	}
	fmt.Fprintf(b, "gmkeyd_request_seconds_bucket{operation=%q,le=\"+Inf\"} %d\n", op, sum)
	fmt.Fprintf(b, "gmkeyd_request_seconds_sum{operation=%q} %g\n", op, time.Duration(t.nanos.Load()).Seconds())
	fmt.Fprintf(b, "gmkeyd_request_seconds_count{operation=%q} %d\n", op, sum)
}
