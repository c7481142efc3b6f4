// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hyperledger/fabric/integration/load"
)

// Report has all measurements of one session.
type Report struct {
	Title    string     `json:"title"`
	Plan     plan       `json:"plan"`
	Machine  Machine    `json:"machine"`
	Began    time.Time  `json:"began"`
	Ended    time.Time  `json:"ended"`
	Sections []*Section `json:"sections"`
}

// Section is one part of a report.
type Section struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Text   string  `json:"text"` // what was measured and how to read it, Markdown
	Tables []Table `json:"tables"`
	// Raw is what the tables were computed from: each single measurement.
	Raw any `json:"raw"`
}

// Table has a text and then numbers in each row.
type Table struct {
	Title   string   `json:"title"`
	Columns []string `json:"columns"` // the first is that of the rows' names
	Ranged  []string `json:"ranged"`  // those of them whose range is written too, in two columns more
	Rows    []Row    `json:"rows"`
}

// Row is one row of a table.
type Row struct {
	Name  string `json:"name"`
	Cells []Cell `json:"cells"`
}

// Cell is the median of a number over the rounds with its range, or nil where there is no such number.
type Cell = *load.Spread

func cell(values ...float64) Cell {
	if len(values) == 0 {
		return nil
	}
	s := load.SpreadOf(values)
	return &s
}

// ratios divides measurements that belong together, value by value, and sums up the quotients.
func ratios(values, by []float64) Cell {
	if len(values) != len(by) {
		return nil
	}
	quotients := make([]float64, len(values))
	for i := range values {
		quotients[i] = values[i] / by[i]
	}
	return cell(quotients...)
}

// check says what is missing: a section, a table without rows, a number that is none. Cells that are nil stand for numbers
// that do not exist, such as a metric that unmodified Fabric lacks; a row needs one number at least.
func (r *Report) check(wanted []maker) error {
	var failures []error
	missing := func(format string, args ...any) {
		failures = append(failures, fmt.Errorf("the report is incomplete: "+format, args...))
	}
	for _, m := range wanted {
		i := slices.IndexFunc(r.Sections, func(s *Section) bool { return s.Name == m.name })
		if i < 0 {
			missing("no section %s", m.name)
			continue
		}
		s := r.Sections[i]
		if len(s.Tables) == 0 {
			missing("section %s has no table", m.name)
		}
		for _, t := range s.Tables {
			if len(t.Rows) == 0 {
				missing("%s, table %q has no rows", m.name, t.Title)
			}
			for _, row := range t.Rows {
				if problem := row.problem(len(t.Columns) - 1); problem != "" {
					missing("%s, table %q, row %q: %s", m.name, t.Title, row.Name, problem)
				}
			}
		}
	}
	return errors.Join(failures...)
}

func (row Row) problem(columns int) string {
	if len(row.Cells) != columns {
		return fmt.Sprintf("%d numbers in %d columns", len(row.Cells), columns)
	}
	numbers := 0
	for _, c := range row.Cells {
		if c == nil {
			continue
		}
		numbers++
		for _, v := range []float64{c.Min, c.Median, c.Max} {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return fmt.Sprintf("%v is not a result", v)
			}
		}
	}
	if numbers == 0 {
		return "no numbers"
	}
	return ""
}

// write puts the report into dir: name.json and name.md.
func (r *Report) write(dir, name string) error {
	if err := load.WriteJSON(filepath.Join(dir, name+".json"), r); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte("# "+r.Title+"\n\n"+r.markdown()), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func splitList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
