// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// markdown writes what was measured, where, and the sections. Charts are linked under the folder charts, "" for the same.
func (r *Report) markdown(charts string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Measured %s to %s on %s.\n", r.Began.Format("2006-01-02 15:04"), r.Ended.Format("15:04 MST"), r.Machine)
	if r.Plan.Form != full.Form {
		fmt.Fprintf(&out, "\nThis is the %s form, which shows that everything runs. Its numbers mean nothing.\n", r.Plan.Form)
	}
	for _, s := range r.Sections {
		s.markdown(&out, charts)
	}
	return out.String()
}

func (s *Section) markdown(out *strings.Builder, charts string) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n", s.Title, s.Text)
	for _, t := range s.Tables {
		if len(s.Tables) > 1 {
			fmt.Fprintf(out, "\n### %s\n", t.Title)
		}
		out.WriteString("\n")
		t.markdown(out)
	}
	for _, c := range s.Charts {
		fmt.Fprintf(out, "\n![%s](%s)\n", escape(c.Title), charts+c.File)
	}
}

func (t Table) markdown(out *strings.Builder) {
	header := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		header[i] = escape(c)
	}
	fmt.Fprintf(out, "| %s |\n|---%s|\n", strings.Join(header, " | "), strings.Repeat("|--:", len(t.Columns)-1))
	for _, row := range t.Rows {
		out.WriteString("| " + escape(row.Name))
		for _, c := range row.Cells {
			out.WriteString(" | " + text(c))
		}
		out.WriteString(" |\n")
	}
}

// escape keeps text from ending its cell of a table.
func escape(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}

// text writes the median and, if there is one, the range.
func text(c Cell) string {
	if c == nil {
		return "–"
	}
	if math.Abs(c.Max-c.Min) <= 1e-9*math.Abs(c.Max) {
		return number(c.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", number(c.Median), number(c.Min), number(c.Max))
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
