// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric/integration/load"
)

// Chart is drawn as bars, a group at each category, or as lines, over categories or over numbers.
type Chart struct {
	File   string   `json:"file"`
	Title  string   `json:"title"`
	Unit   string   `json:"unit"`   // of the values, beside the upper end of their axis
	XLabel string   `json:"xLabel"` // under the horizontal axis
	Lines  bool     `json:"lines"`
	X      []string `json:"x"` // categories; none for lines over numbers
	// Mark is a value across which a line is drawn, 1 for ratios; 0 for none.
	Mark   float64  `json:"mark,omitempty"`
	Series []Series `json:"series"`
}

// Series is one colour of a chart.
type Series struct {
	Name string        `json:"name"`
	At   []float64     `json:"at,omitempty"` // where the values of a line over numbers stand
	Y    []load.Spread `json:"y"`
}

// Geometry in SVG units. The plot's left end leaves room for numbers, its right end none: the legend stands above.
const (
	chartWidth, chartHeight   = 760, 445
	plotLeft, plotRight       = 80, chartWidth - 20
	plotTop, plotBottom       = 92, chartHeight - 127
	legendTop                 = 46
	whisker                   = 4 // half the width of the ends of a range
	barShare                  = 0.8
	legendWidth, legendSquare = 225, 12
	letter                    = 7 // about the width of one
)

// The colours keep apart for people who see few of them and stand out from white and from black. Text and lines follow the
// reader's preference.
var colours = []string{"#4e9bd9", "#e8833a", "#3fae6a", "#c56bc0", "#b59b1f", "#d9534f"}

const style = `text{font:13px sans-serif;fill:#333}.title{font-size:16px;font-weight:bold}.value{font-size:10px}.axis{stroke:#666}.grid{stroke:#8888884d}.mark{stroke:#999;stroke-width:1.5;stroke-dasharray:6 4}` +
	`.range{stroke:#222;stroke-width:1.5}@media(prefers-color-scheme:dark){text{fill:#ddd}.axis{stroke:#aaa}.range{stroke:#eee}}`

// svg draws the chart on no background.
func (c Chart) svg() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n<title>%s</title>\n<style>%s</style>\n",
		chartWidth, chartHeight, chartWidth, chartHeight, xmlText(c.Title), style)
	label(&out, plotLeft, 24, "start", "title", c.Title)
	for i, s := range c.Series {
		x, y := plotLeft+i%3*legendWidth, legendTop+i/3*16
		fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", x, y-10, legendSquare, legendSquare, colour(i))
		label(&out, float64(x+legendSquare+6), float64(y), "start", "", s.Name)
	}
	top := c.axes(&out)
	height := func(v float64) float64 { return plotBottom - (plotBottom-plotTop)*v/top }
	if c.Lines {
		c.lines(&out, height)
	} else {
		c.bars(&out, height)
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// axes draws the frame, the grid and its numbers, and returns the value at the upper end.
func (c Chart) axes(out *bytes.Buffer) (top float64) {
	step := tick(c.greatest())
	steps := max(1, int(math.Ceil(c.greatest()/step)))
	top = step * float64(steps)
	for i := range steps + 1 {
		y := plotBottom - float64(plotBottom-plotTop)*float64(i)/float64(steps)
		line(out, "grid", plotLeft, y, plotRight, y)
		label(out, plotLeft-8, y+4, "end", "", tickText(step*float64(i)))
	}
	if c.Mark > 0 && c.Mark <= top {
		y := plotBottom - (plotBottom-plotTop)*c.Mark/top
		line(out, "mark", plotLeft, y, plotRight, y)
	}
	label(out, plotLeft-8, plotTop-14, "end", "", c.Unit)
	line(out, "axis", plotLeft, plotBottom, plotRight, plotBottom)
	label(out, (plotLeft+plotRight)/2, plotBottom+44, "middle", "", c.XLabel)
	for i, name := range c.X {
		if c.crowded() {
			slanted(out, c.category(i), plotBottom+16, name)
		} else {
			label(out, c.category(i), plotBottom+20, "middle", "", name)
		}
	}
	if len(c.X) == 0 {
		step := tick(c.farthest())
		for v := 0.0; v <= c.farthest(); v += step {
			label(out, c.along(v), plotBottom+20, "middle", "", tickText(v))
		}
	}
	return top
}

func (c Chart) lines(out *bytes.Buffer, height func(float64) float64) {
	for i, s := range c.Series {
		var points []string
		for j, y := range s.Y {
			x := 0.0
			if len(c.X) == 0 {
				x = c.along(s.At[j])
			} else {
				x = c.category(j)
				span(out, x, height(y.Min), height(y.Max))
				fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", x, height(y.Median), colour(i))
			}
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, height(y.Median)))
		}
		fmt.Fprintf(out, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>`+"\n", strings.Join(points, " "), colour(i))
	}
}

func (c Chart) bars(out *bytes.Buffer, height func(float64) float64) {
	group := barShare * float64(plotRight-plotLeft) / float64(len(c.X))
	width := group / float64(len(c.Series))
	for i, s := range c.Series {
		for j, y := range s.Y {
			x := c.category(j) - group/2 + width*float64(i)
			fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n",
				x, height(y.Median), width*0.95, plotBottom-height(y.Median), colour(i))
			span(out, x+width*0.475, height(y.Min), height(y.Max))
			label(out, x+width*0.475, min(height(y.Median), height(y.Max))-5, "middle", "value", number(y.Median))
		}
	}
}

func (c Chart) greatest() (most float64) {
	for _, s := range c.Series {
		for _, y := range s.Y {
			most = max(most, y.Max)
		}
	}
	return most
}

func (c Chart) farthest() (most float64) {
	for _, s := range c.Series {
		for _, x := range s.At {
			most = max(most, x)
		}
	}
	return most
}

// crowded tells whether a category's name is too long for its part of the axis.
func (c Chart) crowded() bool {
	for _, name := range c.X {
		if len(name)*letter > (plotRight-plotLeft)/len(c.X) {
			return true
		}
	}
	return false
}

// category is the middle of a category's part of the axis, along the place of a number on it.
func (c Chart) category(i int) float64 {
	return plotLeft + float64(plotRight-plotLeft)*(float64(i)+0.5)/float64(len(c.X))
}

func (c Chart) along(v float64) float64 {
	return plotLeft + (plotRight-plotLeft)*v/max(c.farthest(), math.SmallestNonzeroFloat64)
}

// tick is a round step, 1, 2 or 5 times a power of ten, of which five to about ten make up most.
func tick(most float64) float64 {
	if most <= 0 {
		return 1
	}
	raw := most / 5
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	switch f := raw / power; {
	case f < 2:
		return power
	case f < 5:
		return 2 * power
	default:
		return 5 * power
	}
}

// tickText writes a number of an axis, which is round.
func tickText(v float64) string {
	if v >= 1000 {
		return number(v)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func colour(i int) string { return colours[i%len(colours)] }

// span draws a range if there is one.
func span(out *bytes.Buffer, x, low, high float64) {
	if math.Abs(low-high) < 1 {
		return
	}
	line(out, "range", x, low, x, high)
	line(out, "range", x-whisker, low, x+whisker, low)
	line(out, "range", x-whisker, high, x+whisker, high)
}

func line(out *bytes.Buffer, class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(out, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

func label(out *bytes.Buffer, x, y float64, anchor, class, text string) {
	fmt.Fprintf(out, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, xmlText(text))
}

// slanted writes text that ends at a point, upwards from the left.
func slanted(out *bytes.Buffer, x, y float64, text string) {
	fmt.Fprintf(out, `<text x="%.1f" y="%.1f" text-anchor="end" transform="rotate(-35 %.1f %.1f)">%s</text>`+"\n", x, y, x, y, xmlText(text))
}

func xmlText(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a strings.Builder takes everything
	return out.String()
}
