// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric/integration/load"
	"github.com/hyperledger/fabric/integration/network"
	"github.com/stretchr/testify/require"
)

const benchOutput = `goos: linux
cpu: some
BenchmarkUnary
BenchmarkUnary/1024/gm-2         	    8090	    137562 ns/op	  14.89 MB/s	   10234 B/op	     168 allocs/op
BenchmarkRatioFull-2             	       3	       662.5 gmtls/s	         2.125 x-crypto/tls
BenchmarkP-256-2 	 10	 1e+03 ns/op
Benchmark note of a test
PASS
ok  	example.org/p	1.2s
`

func TestParseBenchmarks(t *testing.T) {
	got, err := parseBenchmarks(benchOutput, 2)
	require.NoError(t, err)
	require.Equal(t, []Measure{
		{"Unary/1024/gm", map[string]float64{"ns/op": 137562, "MB/s": 14.89, "B/op": 10234, "allocs/op": 168}},
		{"RatioFull", map[string]float64{"gmtls/s": 662.5, "x-crypto/tls": 2.125}},
		{"P-256", map[string]float64{"ns/op": 1000}},
	}, got)

	got, err = parseBenchmarks("BenchmarkP-256 \t 10\t 5 ns/op\n", 1)
	require.NoError(t, err)
	require.Equal(t, "P-256", got[0].Name, "one processor adds nothing to names")

	for _, bad := range []string{"BenchmarkX-2 10 5", "BenchmarkX-2 10", "BenchmarkX-2 10 fast ns/op"} {
		_, err := parseBenchmarks(bad+"\n", 2)
		require.Error(t, err, bad)
	}
}

func TestSamples(t *testing.T) {
	s := &samples{values: map[sample][]float64{}}
	s.add([]Measure{{"A", map[string]float64{"ns/op": 1000, "MB/s": 10}}, {"B", map[string]float64{"ns/op": 3000, "MB/s": 20}}})
	// A TestMain that runs its benchmarks three times.
	s.add([]Measure{{"A", map[string]float64{"ns/op": 4000}}, {"A", map[string]float64{"ns/op": 2000}}, {"A", map[string]float64{"ns/op": 1000}},
		{"B", map[string]float64{"ns/op": 2000}}})
	require.Equal(t, []float64{1000, 2000}, s.valuesOf("A", "ns/op"))
	table := s.paired("times", "what", "a", "b", pair{"row", sample{"A", "ns/op"}, sample{"B", "ns/op"}})
	require.Equal(t, Row{"row", []Cell{{Median: 1.5, Min: 1, Max: 2}, {Median: 2.5, Min: 2, Max: 3}, {Median: 2, Min: 1, Max: 3}}}, table.Rows[0],
		"µs, and the median of the ratios 3000/1000 and 2000/2000")
	require.Empty(t, s.missing)
	s.valuesOf("A", "MB/s") // of one round alone
	s.valuesOf("C", "ns/op")
	require.Equal(t, []string{"A MB/s", "C ns/op"}, s.missing)

	s = &samples{values: map[sample][]float64{}}
	s.add([]Measure{{"A", map[string]float64{"MB/s": 10}}, {"B", map[string]float64{"MB/s": 20}}})
	table = s.paired("throughput", "what", "a", "b", pair{"row", sample{"A", "MB/s"}, sample{"B", "MB/s"}})
	require.InDelta(t, 0.5, table.Rows[0].Cells[2].Median, 1e-12, "more is better here")
}

// TestRatiosArePaired tells the median of quotients from the quotient of medians.
func TestRatiosArePaired(t *testing.T) {
	got := ratios([]float64{10, 60, 30}, []float64{10, 20, 100})
	require.Equal(t, &load.Spread{Median: 1, Min: 0.3, Max: 3}, got)
	require.Nil(t, ratios([]float64{1}, []float64{1, 2}), "rounds that lack a side make no ratio")
	require.Nil(t, cell())
}

func runOf(variant string, tps, evaluations float64, verifications ...float64) *Run {
	r := &Run{
		Variant: variant, BringUp: 4, PeakMiB: 500, SteadyMiB: 400,
		Steady: &load.Result{Committed: 1, Submit: load.Latency{Count: 1, P95: 2}, CPUMsPerTransaction: 5},
		Submit: &load.Result{
			CommittedTPS: tps, Committed: 1, Submit: load.Latency{Count: 1, P50: 1, P95: 2, P99: 3}, CPUMsPerTransaction: 4,
		},
		Evaluate: &load.Result{EvaluationsPerSecond: evaluations, Evaluate: load.Latency{Count: 1}},
	}
	if len(verifications) > 0 {
		r.Verifications = &verifications[0]
	}
	return r
}

func TestCompareRuns(t *testing.T) {
	s := compareRuns([][]*Run{
		{runOf("stock", 400, 1000), runOf("stock", 500, 1000), runOf("stock", 100, 1000)},
		{runOf("fork", 500, 2000, 12), runOf("fork", 500, 2000, 14), runOf("fork", 500, 2000, 13)},
	})
	quotients, values := s.Tables[0], s.Tables[1]
	require.Equal(t, []string{"median of paired ratios", "fork"}, quotients.Columns)
	require.Equal(t, Row{"committed TPS", []Cell{{Median: 1.25, Min: 1, Max: 5}}}, quotients.Rows[0])
	require.Len(t, quotients.Rows, len(metrics)-1, "no ratio of what stock does not tell")
	last := values.Rows[len(values.Rows)-1]
	require.Equal(t, Row{"verifications/transaction", []Cell{nil, {Median: 13, Min: 12, Max: 14}}}, last)
	require.NoError(t, (&Report{Sections: []*Section{{Name: "network", Tables: s.Tables}}}).check([]maker{{name: "network"}}))

}

func TestRunsThatDidNotWork(t *testing.T) {
	require.NoError(t, runOf("fork", 1, 1).check())
	for want, spoil := range map[string]func(*Run){
		"nothing was committed": func(r *Run) { r.Submit.Committed = 0 },
		"was committed or":      func(r *Run) { r.Steady.Committed = 0 },
		"or evaluated":          func(r *Run) { r.Evaluate.Evaluate.Count = 0 },
		"met errors":            func(r *Run) { r.Evaluate.Errors = map[string]int{"evaluate: Unavailable": 3} },
		"not known":             func(r *Run) { r.PeakMiB = 0 },
		"peer0 ended":           func(r *Run) { r.Submit.Processes = []load.ProcessUse{{Name: "peer0", Ended: true}} },
	} {
		r := runOf("fork", 1, 1)
		spoil(r)
		require.ErrorContains(t, r.check(), want)
	}
}

func TestVerificationsPerTransaction(t *testing.T) {
	each, err := (&counts{1300, 110}).since(&counts{100, 10})
	require.NoError(t, err)
	require.InDelta(t, 12, *each, 1e-12)
	each, err = (*counts)(nil).since(nil) // stock
	require.NoError(t, err)
	require.Nil(t, each)
	for _, c := range []counts{{0, 110}, {100, 10}} {
		_, err = c.since(&counts{0, 10})
		require.ErrorContains(t, err, "metrics count no")
	}
}

// someReport has one complete section.
func someReport() *Report {
	table := Table{
		Title: "Table | one", Columns: []string{"name", "a <b>", "c"}, Ranged: []string{"a <b>"},
		Rows: []Row{{"x|y", []Cell{cell(1, 2, 3), nil}}, {"z", []Cell{cell(1234567), cell(0.1234)}}},
	}
	return &Report{
		Title: "Benchmarks", Plan: full, Machine: Machine{CPUs: 2, CPU: "fast", Go: "go1", Commit: "abc"},
		Began: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Ended: time.Date(2026, 1, 2, 4, 5, 0, 0, time.UTC),
		Sections: []*Section{{
			Name: "one", Title: "Section one", Text: "Words.", Tables: []Table{table},
		}},
	}
}

func TestIncompleteReports(t *testing.T) {
	wanted := []maker{{name: "one"}}
	require.NoError(t, someReport().check(wanted))
	for want, spoil := range map[string]func(*Report){
		"no section one":           func(r *Report) { r.Sections = nil },
		"section one has no table": func(r *Report) { r.Sections[0].Tables = nil },
		"has no rows":              func(r *Report) { r.Sections[0].Tables[0].Rows = nil },
		"1 numbers in 2 columns":   func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells = []Cell{cell(1)} },
		"no numbers":               func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells = []Cell{nil, nil} },
		"NaN is not a result":      func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells[0] = cell(math.NaN()) },
		"+Inf is not a result":     func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells[0] = cell(1, math.Inf(1)) },
		"-1 is not a result":       func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells[0] = cell(-1) },
	} {
		r := someReport()
		spoil(r)
		require.ErrorContains(t, r.check(wanted), want)
	}
}

func TestMarkdown(t *testing.T) {
	text := someReport().markdown()
	for _, want := range []string{
		"Measured 2026-01-02 03:04 to 04:05 UTC on 2 × fast,", "commit abc;", "## Section one\n\nWords.\n",
		"| name | a &lt;b> | least | most | c |\n|---|--:|--:|--:|--:|\n| x\\|y | 2.00 | 1.00 | 3.00 | – |\n| z | 1,234,567 | 1,234,567 | 1,234,567 | 0.123 |\n",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "mean nothing")
	r := someReport()
	r.Plan = small
	require.Contains(t, r.markdown(), "mean nothing")
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 0.9: "0.9", 1.25: "1.25", 9.999: "10.0", 12.34: "12.3", 99.99: "100", 123.4: "123",
		1234.5: "1,234", 12345678: "12,345,678",
	} {
		require.Equal(t, want, number(v))
	}
}

// TestReport makes a report of sections that need no benchmarks.
func TestReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	b := &bench{plan: small, dir: dir, progress: io.Discard}
	read := func(file string) (r Report) {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &r))
		return r
	}
	made := func(name string) maker {
		return maker{name, func(context.Context) (*Section, error) { return someReport().Sections[0], nil }}
	}
	require.NoError(t, b.report(context.Background(), "Title", "report", []maker{made("one"), made("two")}, ""))
	r := read("report.json")
	require.Len(t, r.Sections, 2)
	require.Positive(t, r.Machine.CPUs)
	require.Positive(t, r.Machine.Memory)
	require.NotEqual(t, "unknown", r.Machine.CPU)
	require.FileExists(t, filepath.Join(dir, "report.md"))

	require.NoError(t, b.report(context.Background(), "Title", "part", []maker{made("one"), made("two")}, "two"))
	r = read("part.json")
	require.Equal(t, "two", r.Sections[0].Name)
	require.ErrorContains(t, b.report(context.Background(), "", "x", []maker{made("one")}, "one,three"), `no section "three"`)

	broken := maker{"broken", func(context.Context) (*Section, error) { return nil, errors.New("no network") }}
	require.ErrorContains(t, b.report(context.Background(), "Title", "half", []maker{made("one"), broken}, ""), "section broken: no network")
	require.FileExists(t, filepath.Join(dir, "half.md"), "what was measured is not lost")
	partly := maker{"partly", func(context.Context) (*Section, error) {
		return someReport().Sections[0], errors.New("one point failed")
	}}
	require.ErrorContains(t, b.report(context.Background(), "Title", "parts", []maker{broken, partly, made("one")}, ""), "section partly: one point failed")
	r = read("parts.json")
	require.Len(t, r.Sections, 2)

	empty := maker{"empty", func(context.Context) (*Section, error) { return &Section{Title: "Empty"}, nil }}
	require.ErrorContains(t, b.report(context.Background(), "Title", "empty", []maker{empty}, ""), "incomplete")
}

func TestArguments(t *testing.T) {
	for want, args := range map[string][]string{
		"say what to do":   {},
		"say what":         {"walk"},
		"no argument":      {"run", "fast"},
		"positive number":  {"run", "-rounds", "-1"},
		`no section "gas"`: {"run", "-only", "gas"},
		"section \"run\"":  {"scale", "-only", "run"},
		`variant "slow"`:   {"scale", "-variants", "gm,slow"},
		"want a variant":   {"scale", "-variants", ","},
		`"0" is no`:        {"scale", "-orgs", "2,0"},
		"want a number":    {"scale", "-clients", ""},
		"positive numbers": {"scale", "-height", "0"},
	} {
		require.ErrorContains(t, dispatch(context.Background(), args, io.Discard), want)
	}
}

func TestSweep(t *testing.T) {
	gm, tls := variants[3], variants[2]
	require.Equal(t, []string{"gm", "tls"}, []string{gm.short, tls.short})
	d := dimension{name: "size", title: "Size", what: "bytes", points: []int{256, 4096}, more: []string{colSize}}
	result := func(committed int, p95 float64) *load.Result {
		return &load.Result{
			Committed: committed, CommittedTPS: float64(committed) / 10, Blocks: 4, Submit: load.Latency{P50: 1, P95: p95},
			Processes: []load.ProcessUse{{Name: load.Self, CPUSeconds: 50, RSSMiB: 50}, {Name: "peer", CPUSeconds: 3, RSSMiB: 200}},
		}
	}
	var runs []*ScaleRun
	for i, at := range d.points {
		for _, v := range []variant{gm, tls} {
			r := &ScaleRun{Variant: v.name, At: at, Values: map[string]float64{colSize: 5}, Results: []*load.Result{result(100*(i+1), 7), result(100, 9)}}
			require.NoError(t, r.sumUp())
			runs = append(runs, r)
		}
	}
	table := sweepTable(d, []variant{gm, tls}, runs)
	require.Equal(t, []string{"bytes, variant", colTPS, colP50, colP95, colCPU, colMemory, colSize}, table.Columns)
	require.Len(t, table.Rows, 4)
	require.Equal(t, Row{"4096, gm", []Cell{cell(30), cell(1), cell(9), cell(10), cell(200), cell(5)}}, table.Rows[2],
		"the channels' sum of throughput, the slowest one's latency, and processes once")

	failed := &ScaleRun{Values: map[string]float64{}, Results: []*load.Result{result(1, 1)}}
	failed.Results[0].Errors = map[string]int{"endorse: Unavailable": 1}
	require.ErrorContains(t, failed.sumUp(), "Unavailable")
	require.ErrorContains(t, (&ScaleRun{Values: map[string]float64{}, Results: []*load.Result{result(0, 1)}}).sumUp(), "nothing was committed")
}

func TestJoinCells(t *testing.T) {
	cells := joinCells([]*joinRun{{Blocks: 1000, MiB: 20, Seconds: 10, PeerCPU: 4}, {Blocks: 1000, MiB: 20, Seconds: 20, PeerCPU: 6}})
	require.Equal(t, []Cell{cell(1000), cell(20.48), cell(10, 20), cell(50, 100), cell(1, 2), cell(4, 6)}, cells)
}

func TestRank(t *testing.T) {
	c := &connected{Milliseconds: []float64{1, 2, 3, 4}}
	require.Equal(t, []float64{2, 4, 4}, []float64{c.rank(50), c.rank(95), c.rank(100)})
}

// TestDimensions checks that every dimension changes what it is named for, within what networks and loads allow.
func TestDimensions(t *testing.T) {
	s := &scale{clients: []int{7}, channels: []int{7}, orgs: []int{7}, payloads: []int{7}, blocks: []int{7}}
	seen := map[string]bool{}
	for _, d := range s.dimensions() {
		p := point{options: forkGM.options, settings: load.Capacity(1, 0, time.Second, time.Second), channels: 1}
		before := p
		d.shape(&p, d.points[0])
		require.NotEqual(t, before, p, d.name)
		_, err := network.Plan(p.options)
		require.NoError(t, err)
		require.False(t, seen[d.name])
		seen[d.name] = true
	}
	require.Len(t, seen, 5)
}
