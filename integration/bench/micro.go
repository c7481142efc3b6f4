// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hyperledger/fabric/integration/load"
)

// suite is a set of Go benchmarks of one package and how its report is made of them.
type suite struct {
	name, title, text string
	module            string // folder of the module: the repository's, or that of the assembled tree
	pkg               string // folder of the package within the module
	pattern           string // of the benchmarks
	tables            func(*samples) []Table
}

// tree is where make fork assembles upstream and ours.
var tree = filepath.Join("build", "fabric")

// micro makes a suite's section.
func (b *bench) micro(s suite) maker {
	return maker{s.name, func(ctx context.Context) (*Section, error) { return b.runSuite(ctx, s) }}
}

// runSuite builds the test program once and runs it once a round.
func (b *bench) runSuite(ctx context.Context, s suite) (*Section, error) {
	dir, err := filepath.Abs(filepath.Join(s.module, s.pkg))
	if err != nil {
		return nil, fmt.Errorf("find the package: %w", err)
	}
	program, err := filepath.Abs(filepath.Join(b.dir, strings.ReplaceAll(s.pkg, "/", "-")+".test"))
	if err != nil {
		return nil, fmt.Errorf("find the package: %w", err)
	}
	if _, err := output(ctx, s.module, "go", "test", "-c", "-o", program, "./"+s.pkg); err != nil {
		return nil, err
	}
	defer os.Remove(program)
	all := &samples{values: map[sample][]float64{}}
	for round := range b.Rounds {
		b.say("%s, round %d of %d", s.pkg, round+1, b.Rounds)
		out, err := output(ctx, dir, program, "-test.run=^$", "-test.bench="+s.pattern, "-test.benchtime="+b.BenchTime.String())
		if err != nil {
			return nil, err
		}
		measures, err := parseBenchmarks(out, runtime.GOMAXPROCS(0))
		if err != nil {
			return nil, err
		}
		all.add(measures)
	}
	section := &Section{Title: s.title, Text: s.text, Tables: s.tables(all), Raw: all.rounds}
	if len(all.missing) > 0 {
		return nil, fmt.Errorf("%s reported nothing for %s", s.pkg, strings.Join(all.missing, ", "))
	}
	return section, nil
}

// output runs a command and returns what it printed on standard output.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, lastPart(stdout.String()), lastPart(stderr.String()))
	}
	return stdout.String(), nil
}

func lastPart(text string) string { return text[max(0, len(text)-2000):] }

// sample names one number of a benchmark.
type sample struct{ bench, unit string }

// samples are the numbers of all rounds.
type samples struct {
	rounds  [][]Measure
	values  map[sample][]float64
	missing []string // asked for and not there
}

// add takes the numbers of a round. Where a package's TestMain runs everything several times, their medians count.
func (s *samples) add(round []Measure) {
	s.rounds = append(s.rounds, round)
	values := map[sample][]float64{}
	for _, m := range round {
		for unit, value := range m.Units {
			key := sample{m.Name, unit}
			values[key] = append(values[key], value)
		}
	}
	for key, several := range values {
		s.values[key] = append(s.values[key], load.SpreadOf(several).Median)
	}
}

// valuesOf returns the numbers of a benchmark, one of each round.
func (s *samples) valuesOf(bench, unit string) []float64 {
	values := s.values[sample{bench, unit}]
	if len(values) != len(s.rounds) {
		s.missing = append(s.missing, bench+" "+unit)
	}
	return values
}

// pair is a row of a table that compares ours with another. The ratio is that of rates: above 1, ours is faster.
type pair struct {
	name        string
	ours, other sample
}

// paired makes a table of pairs with values in the unit of time or of throughput that they have.
func (s *samples) paired(title, first, ours, other string, pairs ...pair) Table {
	t := Table{Title: title, Columns: []string{first, ours, other, "ratio of rates"}, Ranged: []string{"ratio of rates"}}
	for _, p := range pairs {
		a, b := s.valuesOf(p.ours.bench, p.ours.unit), s.valuesOf(p.other.bench, p.other.unit)
		ratio := ratios(b, a) // of times
		if strings.HasSuffix(p.ours.unit, "MB/s") {
			ratio = ratios(a, b)
		} else {
			a, b = scaled(a, 1e-3), scaled(b, 1e-3)
		}
		t.Rows = append(t.Rows, Row{Name: p.name, Cells: []Cell{cell(a...), cell(b...), ratio}})
	}
	return t
}

func scaled(values []float64, by float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * by
	}
	return out
}
