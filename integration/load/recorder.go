// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/status"
)

// recorder collects what happens within the window that counts.
type recorder struct {
	from, to time.Time // of the window; immutable

	mu          sync.Mutex // guards all below
	submits     []time.Duration
	evaluations []time.Duration
	committed   int // valid transactions of ours in blocks
	blocks      int // blocks that held any of ours
	errors      map[string]int
}

func newRecorder(from, to time.Time) *recorder {
	return &recorder{from: from, to: to, errors: map[string]int{}}
}

func (r *recorder) inWindow(at time.Time) bool { return !at.Before(r.from) && at.Before(r.to) }

// submitted notes the latency of a transaction, from the moment it was due until its commit was known.
func (r *recorder) submitted(due, done time.Time) {
	if r.inWindow(done) {
		r.mu.Lock()
		r.submits = append(r.submits, done.Sub(due))
		r.mu.Unlock()
	}
}

func (r *recorder) evaluated(began, done time.Time) {
	if r.inWindow(done) {
		r.mu.Lock()
		r.evaluations = append(r.evaluations, done.Sub(began))
		r.mu.Unlock()
	}
}

// block notes a block that held valid transactions of ours.
func (r *recorder) block(at time.Time, valid int) {
	if r.inWindow(at) && valid > 0 {
		r.mu.Lock()
		r.committed += valid
		r.blocks++
		r.mu.Unlock()
	}
}

func (r *recorder) failed(at time.Time, cause string) {
	if r.inWindow(at) {
		r.mu.Lock()
		r.errors[cause]++
		r.mu.Unlock()
	}
}

// Latency sums up durations, in milliseconds.
type Latency struct {
	Count int     `json:"count"`
	Mean  float64 `json:"meanMs"`
	P50   float64 `json:"p50Ms"`
	P95   float64 `json:"p95Ms"`
	P99   float64 `json:"p99Ms"`
	Max   float64 `json:"maxMs"`
}

// latencyOf sums up by nearest rank: pN is the least value that at least N percent of the values do not exceed.
func latencyOf(values []time.Duration) Latency {
	if len(values) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(values))
	var sum time.Duration
	for _, v := range sorted {
		sum += v
	}
	rank := func(percent int) float64 { return milliseconds(sorted[(len(sorted)*percent+99)/100-1]) }
	return Latency{
		Count: len(sorted),
		Mean:  milliseconds(sum) / float64(len(sorted)),
		P50:   rank(50), P95: rank(95), P99: rank(99),
		Max: milliseconds(sorted[len(sorted)-1]),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var variable = regexp.MustCompile(`[0-9a-f]{12,}|\b\d{1,3}(\.\d{1,3}){3}:\d+|\bload-[\w-]+|\d+`)

// cause names the step that failed and why, with all that differs from one transaction to the next taken out.
func cause(step string, err error) string {
	var flow *client.TransactionError
	var commit *client.CommitError
	switch {
	case errors.As(err, &commit):
		return step + ": invalid, " + commit.Code.String()
	case errors.As(err, &flow):
		if details := flow.Details(); len(details) > 0 {
			return step + ": " + flow.GRPCStatus().Code().String() + ", " + shorten(details[0].GetMessage())
		}
	}
	s := status.Convert(err)
	for _, detail := range s.Details() {
		if d, ok := detail.(*gateway.ErrorDetail); ok {
			return step + ": " + s.Code().String() + ", " + shorten(d.GetMessage())
		}
	}
	return step + ": " + s.Code().String() + ", " + shorten(s.Message())
}

func shorten(message string) string {
	const most = 160
	message = variable.ReplaceAllString(message, "_")
	if runes := []rune(message); len(runes) > most {
		message = string(runes[:most]) + "…"
	}
	return message
}
