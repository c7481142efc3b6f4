// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
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
	for _, c := range s.Charts {
		requireSVG(t, c)
	}
	require.NoError(t, (&Report{Sections: []*Section{{Name: "network", Tables: s.Tables, Charts: s.Charts}}}).check([]maker{{name: "network"}}))

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
	lines := Chart{
		File: "lines.svg", Title: "Lines <&> \"more\"", Unit: "TPS", XLabel: "clients", Lines: true, X: []string{"8", "512"},
		Series: []Series{{Name: "gm", Y: []load.Spread{{Median: 1, Min: 0.5, Max: 2}, {Median: 3, Min: 3, Max: 3}}}},
	}
	curve := Chart{File: "curve.svg", Title: "Curve", Lines: true, Series: []Series{{Name: "gm", At: []float64{0, 7.5}, Y: []load.Spread{{}, {Median: 9, Max: 9}}}}}
	return &Report{
		Title: "Benchmarks", Plan: full, Machine: Machine{CPUs: 2, CPU: "fast", Go: "go1", Commit: "abc"},
		Began: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Ended: time.Date(2026, 1, 2, 4, 5, 0, 0, time.UTC),
		Sections: []*Section{{
			Name: "one", Title: "Section one", Text: "Words.", Tables: []Table{table},
			Charts: []Chart{lines, curve, table.ratioChart("bars.svg"), table.barChart("all.svg")},
		}},
	}
}

func TestIncompleteReports(t *testing.T) {
	wanted := []maker{{name: "one"}}
	require.NoError(t, someReport().check(wanted))
	for want, spoil := range map[string]func(*Report){
		"no section one":           func(r *Report) { r.Sections = nil },
		"section one has 0 tables": func(r *Report) { r.Sections[0].Tables = nil },
		"and 0 charts":             func(r *Report) { r.Sections[0].Charts = nil },
		"has no rows":              func(r *Report) { r.Sections[0].Tables[0].Rows = nil },
		"1 numbers in 2 columns":   func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells = []Cell{cell(1)} },
		"no numbers":               func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells = []Cell{nil, nil} },
		"NaN is no result":         func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells[0] = cell(math.NaN()) },
		"+Inf is no result":        func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells[0] = cell(1, math.Inf(1)) },
		"-1 is no result":          func(r *Report) { r.Sections[0].Tables[0].Rows[1].Cells[0] = cell(-1) },
	} {
		r := someReport()
		spoil(r)
		require.ErrorContains(t, r.check(wanted), want)
	}
}

func TestMarkdown(t *testing.T) {
	text := someReport().markdown("charts/")
	for _, want := range []string{
		"Measured 2026-01-02 03:04 to 04:05 UTC on 2 × fast,", "commit abc;", "## Section one\n\nWords.\n",
		"| name | a &lt;b> | least | most | c |\n|---|--:|--:|--:|--:|\n| x\\|y | 2.00 | 1.00 | 3.00 | – |\n| z | 1,234,567 | 1,234,567 | 1,234,567 | 0.123 |\n",
		"![Curve](charts/curve.svg)",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "mean nothing")
	r := someReport()
	r.Plan = small
	require.Contains(t, r.markdown(""), "mean nothing")
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 0.9: "0.9", 1.25: "1.25", 9.999: "10.0", 12.34: "12.3", 99.99: "100", 123.4: "123",
		1234.5: "1,234", 12345678: "12,345,678",
	} {
		require.Equal(t, want, number(v))
	}
}

// requireSVG parses the chart and checks that all that is drawn lies within it.
func requireSVG(t *testing.T, c Chart) (texts []string) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(c.svg()))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err, "%s", c.svg())
		switch element := token.(type) {
		case xml.CharData:
			texts = append(texts, string(element))
		case xml.StartElement:
			for _, a := range element.Attr {
				require.NotContains(t, a.Value, "NaN", "%s %s", element.Name.Local, a.Name.Local)
				require.NotContains(t, a.Value, "Inf", "%s %s", element.Name.Local, a.Name.Local)
				limits := map[string]float64{"x": chartWidth, "x1": chartWidth, "cx": chartWidth, "y": chartHeight, "y1": chartHeight, "cy": chartHeight, "height": chartHeight}
				if limit, ok := limits[a.Name.Local]; ok {
					var v float64
					require.NoError(t, json.Unmarshal([]byte(a.Value), &v))
					require.True(t, v >= 0 && v <= limit, "%s %s=%s", element.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestCharts(t *testing.T) {
	for _, c := range someReport().Sections[0].Charts {
		texts := requireSVG(t, c)
		require.Contains(t, texts, c.Title)
		require.Equal(t, c.Lines, bytes.Contains(c.svg(), []byte("<polyline")), c.File)
		for _, s := range c.Series {
			require.Contains(t, texts, s.Name)
		}
		for _, x := range c.X {
			require.Contains(t, texts, x)
		}
	}
	long := Chart{Title: "long names", X: []string{"a", strings.Repeat("name ", 20)}, Series: []Series{{Name: "s", Y: []load.Spread{{}, {}}}}}
	require.Contains(t, string(long.svg()), `transform="rotate(-35`)
	long.X[1] = "b"
	require.NotContains(t, string(long.svg()), "rotate")
	requireSVG(t, Chart{Title: "nothing but zero", X: []string{"a"}, Series: []Series{{Name: "s", Y: []load.Spread{{}}}}})
}

func TestTicks(t *testing.T) {
	for most, want := range map[float64]float64{0: 1, 1: 0.2, 0.9: 0.1, 4: 0.5, 9: 1, 10: 2, 436: 50, 1000: 200, 50000: 10000} {
		require.InDelta(t, want, tick(most), want*1e-9, "up to %v", most)
	}
}

func TestPublish(t *testing.T) {
	dir, docs := t.TempDir(), t.TempDir()
	document := filepath.Join(docs, "performance.md")
	publish := func() error {
		return dispatch(context.Background(), []string{"publish", "-dir", dir, "-into", document}, io.Discard)
	}
	require.NoError(t, os.WriteFile(document, []byte("# Performance\n\n<!-- report -->\nold\n<!-- /report -->\n\nEnd.\n"), 0o600))
	require.ErrorContains(t, publish(), "there is no report")

	require.NoError(t, someReport().write(dir, "report"))
	for range 2 { // the second finds the place again
		require.NoError(t, publish())
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "# Performance\n\n<!-- report -->\n\nMeasured 2026"), "%s", text)
		require.True(t, strings.HasSuffix(string(text), "\n<!-- /report -->\n\nEnd.\n"), "%s", text)
		require.Contains(t, string(text), "\n### Section one\n")
		require.Contains(t, string(text), "(performance/lines.svg)")
		require.NotContains(t, string(text), "old")
		require.FileExists(t, filepath.Join(docs, "performance", "lines.svg"))
		require.NotContains(t, string(text), "bars.svg", "the first chart alone")
		require.NoFileExists(t, filepath.Join(docs, "performance", "bars.svg"))
	}

	require.NoError(t, os.WriteFile(document, []byte("<!-- report -->\n"), 0o600))
	require.ErrorContains(t, publish(), "to write between")
	outside := someReport()
	outside.Sections[0].Charts[0].File = "../x.svg"
	require.NoError(t, load.WriteJSON(filepath.Join(dir, "report.json"), outside))
	require.ErrorContains(t, publish(), "../x.svg")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "report.json"), []byte("{}"), 0o600))
	require.ErrorContains(t, publish(), "not a report")
}

// TestReport makes a report of sections that need no benchmarks.
func TestReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	b := &bench{plan: small, dir: dir, progress: io.Discard}
	made := func(name string) maker {
		return maker{name, func(context.Context) (*Section, error) { return someReport().Sections[0], nil }}
	}
	require.NoError(t, b.report(context.Background(), "Title", "report", []maker{made("one"), made("two")}, ""))
	r, err := readReport(filepath.Join(dir, "report.json"))
	require.NoError(t, err)
	require.Len(t, r.Sections, 2)
	require.Positive(t, r.Machine.CPUs)
	require.Positive(t, r.Machine.Memory)
	require.NotEqual(t, "unknown", r.Machine.CPU)
	for _, file := range []string{"report.md", "lines.svg"} {
		require.FileExists(t, filepath.Join(dir, file))
	}

	require.NoError(t, b.report(context.Background(), "Title", "part", []maker{made("one"), made("two")}, "two"))
	r, err = readReport(filepath.Join(dir, "part.json"))
	require.NoError(t, err)
	require.Equal(t, "two", r.Sections[0].Name)
	require.ErrorContains(t, b.report(context.Background(), "", "x", []maker{made("one")}, "one,three"), `no section "three"`)

	broken := maker{"broken", func(context.Context) (*Section, error) { return nil, errors.New("no network") }}
	require.ErrorContains(t, b.report(context.Background(), "Title", "half", []maker{made("one"), broken}, ""), "section broken: no network")
	require.FileExists(t, filepath.Join(dir, "half.md"), "what was measured is not lost")
	partly := maker{"partly", func(context.Context) (*Section, error) {
		return someReport().Sections[0], errors.New("one point failed")
	}}
	require.ErrorContains(t, b.report(context.Background(), "Title", "parts", []maker{broken, partly, made("one")}, ""), "section partly: one point failed")
	r, err = readReport(filepath.Join(dir, "parts.json"))
	require.NoError(t, err)
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
	chart := sweepChart(d, []variant{gm, tls}, runs, 1, colTPS)
	requireSVG(t, chart)
	require.Equal(t, []string{"256", "4,096"}, chart.X)
	require.Equal(t, []load.Spread{{Median: 20, Min: 20, Max: 20}, {Median: 30, Min: 30, Max: 30}}, chart.Series[0].Y)

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
