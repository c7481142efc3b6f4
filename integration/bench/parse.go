// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// Measure is one line of a Go benchmark's output: what was reported for a benchmark, by unit.
type Measure struct {
	Name  string             `json:"name"` // without "Benchmark" and the number of processors
	Units map[string]float64 `json:"units"`
}

// parseBenchmarks reads the output of a test program run with -test.bench: lines of a name, the number of iterations, and
// pairs of a value and a unit, among others. processors is the GOMAXPROCS under which it ran; the testing package appends it
// to names unless it is 1.
func parseBenchmarks(output string, processors int) ([]Measure, error) {
	suffix := ""
	if processors > 1 {
		suffix = "-" + strconv.Itoa(processors)
	}
	var measures []Measure
	for line := range strings.Lines(output) {
		name, found := strings.CutPrefix(line, "Benchmark")
		fields := strings.Fields(name)
		if !found || len(fields) < 2 {
			continue // a benchmark's name is alone on a line when its own output follows
		}
		if _, err := strconv.Atoi(fields[1]); err != nil {
			continue
		}
		m := Measure{Name: strings.TrimSuffix(fields[0], suffix), Units: map[string]float64{}}
		pairs := fields[2:]
		if len(pairs) == 0 || len(pairs)%2 != 0 {
			return nil, fmt.Errorf("line of a benchmark without values and units in pairs: %q", strings.TrimSpace(line))
		}
		for i := 0; i < len(pairs); i += 2 {
			value, err := strconv.ParseFloat(pairs[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is not a value: %w", m.Name, pairs[i], err)
			}
			m.Units[pairs[i+1]] = value
		}
		measures = append(measures, m)
	}
	return measures, nil
}
