package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A plot is a chart of horizontal marks on a logarithmic scale, as SVG. It has no background, and colours that can be told
// from white and from black.
type plot struct {
	title, unit string
	lines       []plotLine
}

// A plotLine is one row of the chart: a bar to its value, or from one value to another, and bounds to compare with.
type plotLine struct {
	label       string
	from, to    float64 // Bar; from 0: the left edge.
	text        string  // Behind it.
	colour      string
	floor, goal float64 // 0: none.
}

const (
	plotWidth   = 1100
	plotLabels  = 520
	plotRight   = 90
	plotTop     = 58
	plotLineGap = 20

	ink        = "#808080"
	colourGoal = "#2f9e5b"
	colourLow  = "#c08a1e"
	colourNo   = "#d0483e"
	colourBare = "#5b8def"
)

func (p plot) svg() string {
	least, most := p.bounds()
	x := func(v float64) float64 {
		share := (math.Log(v) - math.Log(least)) / (math.Log(most) - math.Log(least))
		return plotLabels + max(0, min(1, share))*(plotWidth-plotLabels-plotRight)
	}
	bottom := plotTop + len(p.lines)*plotLineGap
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="%s">`+"\n", plotWidth, bottom+28, ink)
	fmt.Fprintf(&b, `<text x="8" y="18" font-size="15">%s</text>`+"\n", html.EscapeString(p.title))
	fmt.Fprintf(&b, `<text x="8" y="36">floor: thin mark, goal: thick mark; reached: <tspan fill="%s">the goal</tspan>, <tspan fill="%s">the floor</tspan>, <tspan fill="%s">neither</tspan></text>`+"\n",
		colourGoal, colourLow, colourNo)
	for _, v := range ticks(least, most) {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="%s" stroke-opacity="%s"/><text x="%.1f" y="%d" text-anchor="middle">%s%s</text>`+"\n",
			x(v), plotTop-4, bottom, ink, map[bool]string{true: "0.9", false: "0.3"}[v == 1], x(v), bottom+16, number(v), p.unit)
	}
	for i, line := range p.lines {
		y := plotTop + i*plotLineGap
		from := float64(plotLabels)
		if line.from > 0 {
			from = x(line.from)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, plotLabels-8, y+12, html.EscapeString(line.label))
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="11" fill="%s"/>`, from, y+2, max(2, x(line.to)-from), line.colour)
		for _, bound := range []struct{ at, width float64 }{{line.floor, 1.5}, {line.goal, 4}} {
			if bound.at > 0 {
				fmt.Fprintf(&b, `<path d="M%.1f %dv17" stroke="%s" stroke-width="%g"/>`, x(bound.at), y-1, ink, bound.width)
			}
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", max(x(line.to), x(max(line.floor, least)), x(max(line.goal, least)))+6, y+12, html.EscapeString(line.text))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// bounds of the axis hold everything.
func (p plot) bounds() (least, most float64) {
	least, most = 1, 10
	for _, line := range p.lines {
		for _, v := range []float64{line.from, line.to, line.floor, line.goal} {
			if v > 0 {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	return least / 1.2, most * 1.2
}

// ticks are 1, 2 and 5 times the powers of ten.
func ticks(least, most float64) []float64 {
	var all []float64
	for power := math.Floor(math.Log10(least)); power <= math.Log10(most); power++ {
		for _, digit := range []float64{1, 2, 5} {
			if v := digit * math.Pow(10, power); v >= least && v <= most {
				all = append(all, v)
			}
		}
	}
	return all
}
