// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// markdown writes what was measured, where, and the sections.
func (r *Report) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Measured %s to %s on %s.\n", r.Began.Format("2006-01-02 15:04"), r.Ended.Format("15:04 MST"), r.Machine)
	if r.Plan.Form != full.Form {
		fmt.Fprintf(&out, "\nThis is the %s form, which shows that everything runs. Its numbers mean nothing.\n", r.Plan.Form)
	}
	for _, s := range r.Sections {
		s.markdown(&out)
	}
	return out.String()
}

func (s *Section) markdown(out *strings.Builder) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n", s.Title, s.Text)
	for _, t := range s.Tables {
		if len(s.Tables) > 1 {
			fmt.Fprintf(out, "\n### %s\n", t.Title)
		}
		out.WriteString("\n")
		t.markdown(out)
	}
}

func (t Table) markdown(out *strings.Builder) {
	var header []string
	for _, c := range t.Columns {
		header = append(header, escape(c))
		if slices.Contains(t.Ranged, c) {
			header = append(header, "least", "most")
		}
	}
	fmt.Fprintf(out, "| %s |\n|---%s|\n", strings.Join(header, " | "), strings.Repeat("|--:", len(header)-1))
	for _, row := range t.Rows {
		out.WriteString("| " + escape(row.Name))
		for i, c := range row.Cells {
			out.WriteString(" | " + text(c, median))
			if slices.Contains(t.Ranged, t.Columns[i+1]) {
				out.WriteString(" | " + text(c, least) + " | " + text(c, most))
			}
		}
		out.WriteString(" |\n")
	}
}

func median(c Cell) float64 { return c.Median }
func least(c Cell) float64  { return c.Min }
func most(c Cell) float64   { return c.Max }

// escape keeps text from ending its cell of a table.
func escape(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}

// text writes one figure of a cell.
func text(c Cell, of func(Cell) float64) string {
	if c == nil {
		return "–"
	}
	return number(of(c))
}

// number writes a number that is not negative with three significant digits, or all those left of the point, in groups.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.995:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}
