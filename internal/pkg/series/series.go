// SPDX-License-Identifier: Apache-2.0

// Package series bounds the series of metrics whose labels have values that clients choose: a process keeps each series until it ends.
package series

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hyperledger/fabric/common/metrics"
)

const (
	// Max is how many series one metric of a node may have.
	Max = 4096
	// maxValue bounds the value of a label in bytes: names of channels and chaincodes are shorter.
	maxValue = 256
	// other is what labels have in place of the values of further series.
	other = "other"
)

// Bound returns a provider whose counters and histograms each have at most max series, and one with the values "other" for whatever comes
// after them.
func Bound(p metrics.Provider, max int) metrics.Provider { return provider{p, max} }

type provider struct {
	metrics.Provider
	max int
}

// NewCounter returns a bounded counter.
func (p provider) NewCounter(o metrics.CounterOpts) metrics.Counter {
	return counter{p.Provider.NewCounter(o), &known{max: p.max}}
}

// NewHistogram returns a bounded histogram.
func (p provider) NewHistogram(o metrics.HistogramOpts) metrics.Histogram {
	return histogram{p.Provider.NewHistogram(o), &known{max: p.max}}
}

type counter struct {
	metrics.Counter
	known *known
}

// With returns the counter of the series with these labels, or of the other ones.
func (c counter) With(labels ...string) metrics.Counter {
	return c.Counter.With(c.known.admit(labels)...)
}

type histogram struct {
	metrics.Histogram
	known *known
}

// With returns the histogram of the series with these labels, or of the other ones.
func (h histogram) With(labels ...string) metrics.Histogram {
	return h.Histogram.With(h.known.admit(labels)...)
}

// known holds the series of one metric.
type known struct {
	max int

	mu  sync.Mutex
	set map[string]struct{} // protected by mu
}

// admit returns labels, names and values in turn, or their names with other values.
func (k *known) admit(labels []string) []string {
	if k.has(labels) {
		return labels
	}
	others := make([]string, len(labels))
	for i := range labels {
		others[i] = other
		if i%2 == 0 {
			others[i] = labels[i]
		}
	}
	return others
}

func (k *known) has(labels []string) bool {
	for _, label := range labels {
		if len(label) > maxValue || !utf8.ValidString(label) { // a provider ends the process for what is no UTF-8
			return false
		}
	}
	key := strings.Join(labels, "\xff") // which no label contains
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.set[key]; ok {
		return true
	}
	if len(k.set) >= k.max {
		return false
	}
	if k.set == nil {
		k.set = make(map[string]struct{})
	}
	k.set[key] = struct{}{}
	return true
}
