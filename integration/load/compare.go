// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// metric is one number of a result.
type metric struct {
	Name string
	of   func(*Result) float64
}

var metrics = []metric{
	{"committed TPS", func(r *Result) float64 { return r.CommittedTPS }},
	{"submit p50 ms", func(r *Result) float64 { return r.Submit.P50 }},
	{"submit p95 ms", func(r *Result) float64 { return r.Submit.P95 }},
	{"submit p99 ms", func(r *Result) float64 { return r.Submit.P99 }},
	{"evaluations/s", func(r *Result) float64 { return r.EvaluationsPerSecond }},
	{"evaluate p50 ms", func(r *Result) float64 { return r.Evaluate.P50 }},
	{"evaluate p95 ms", func(r *Result) float64 { return r.Evaluate.P95 }},
	{"evaluate p99 ms", func(r *Result) float64 { return r.Evaluate.P99 }},
	{"CPU ms/transaction", func(r *Result) float64 { return r.CPUMsPerTransaction }},
	{"resident MiB, all nodes", (*Result).ResidentMiB},
	{"errors", func(r *Result) (sum float64) {
		for _, n := range r.Errors {
			sum += float64(n)
		}
		return sum
	}},
	{"unresolved", func(r *Result) float64 { return float64(r.Unresolved) }},
}

// Side is one side of a comparison: several results of the same thing.
type Side struct {
	Label string `json:"label"`
	Runs  int    `json:"runs"`
}

// Spread sums up one metric over several runs.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Row compares one metric.
type Row struct {
	Metric string `json:"metric"`
	A      Spread `json:"a"`
	B      Spread `json:"b"`
	// Ratio is B's median over A's; absent where A's is zero.
	Ratio *float64 `json:"ratio,omitempty"`
}

// Comparison is what compare finds.
type Comparison struct {
	A    Side  `json:"a"`
	B    Side  `json:"b"`
	Rows []Row `json:"rows"`
}

// compare sets two sides against each other. They must have been measured in the same way.
func compare(a, b []*Result) (*Comparison, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, errors.New("a comparison needs results on both sides")
	}
	for _, r := range slices.Concat(a, b) {
		if r.Settings != a[0].Settings {
			return nil, fmt.Errorf("the results %q and %q were measured in different ways: %+v and %+v", a[0].Label, r.Label, a[0].Settings, r.Settings)
		}
	}
	c := &Comparison{A: Side{a[0].Label, len(a)}, B: Side{b[0].Label, len(b)}}
	for _, m := range metrics {
		row := Row{Metric: m.Name, A: spread(a, m.of), B: spread(b, m.of)}
		if row.A.Max == 0 && row.B.Max == 0 {
			continue
		}
		if row.A.Median > 0 {
			ratio := row.B.Median / row.A.Median
			row.Ratio = &ratio
		}
		c.Rows = append(c.Rows, row)
	}
	return c, nil
}

func spread(results []*Result, of func(*Result) float64) Spread {
	values := make([]float64, 0, len(results))
	for _, r := range results {
		values = append(values, of(r))
	}
	return SpreadOf(values)
}

// SpreadOf sums up values, of which there must be one at least.
func SpreadOf(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return Spread{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// print writes the comparison as a table: medians, the range where there are several runs, and B over A.
func (c *Comparison) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\tA: %s (%d runs)\tB: %s (%d runs)\tB/A\n", c.A.Label, c.A.Runs, c.B.Label, c.B.Runs)
	for _, row := range c.Rows {
		ratio := ""
		if row.Ratio != nil {
			ratio = fmt.Sprintf("%.3f", *row.Ratio)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", row.Metric, row.A, row.B, ratio)
	}
	return w.Flush()
}

// String writes the median, and the range if there is one.
func (s Spread) String() string {
	if math.Abs(s.Max-s.Min) < 1e-9 {
		return fmt.Sprintf("%.2f", s.Median)
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max)
}
