package main

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// lines is a plot of curves over the same places, and of limits that hold at all of them.
type lines struct {
	unit, x  string // of the scale, and of the places
	all      []line
	limits   []limit
	fromZero bool // the scale is an even one; else it is logarithmic
}

type line struct {
	name    string
	points  []point
	allowed bool // what may be, not what was measured: dashed
}

type point struct {
	at     string
	value  float64
	around spread // its quartiles, where there are any
}

type limit struct {
	name  string
	value float64
}

const (
	linesLeft = 66 // for the scale
	linesFew  = 5  // so many places have their values written beside them
)

// linesSVG draws curves over evenly spaced places.
func linesSVG(title string, l lines) string {
	var w strings.Builder
	columns := l.legendColumns()
	svgHead(&w, plotWidth, plotTop+plotHeight+62+18*((len(l.all)+columns-1)/columns), title)
	s := l.scale()
	fmt.Fprintf(&w, `<text x="12" y="%d" fill="#555555">%s</text>`+"\n", plotTop-4, escaped(l.unit))
	for _, v := range s.steps {
		fmt.Fprintf(&w, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%.6g</text>`+"\n",
			linesLeft, plotWidth-plotRight, s.y(v), s.y(v), linesLeft-6, s.y(v)+4, v)
	}
	if len(l.all) > 0 {
		for i, p := range l.all[0].points {
			fmt.Fprintf(&w, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", placeOf(i, len(l.all[0].points)), plotTop+plotHeight+18, escaped(p.at))
		}
	}
	for _, x := range l.limits {
		fmt.Fprintf(&w, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#333333" stroke-width="1.5" stroke-dasharray="7 4"/>`, linesLeft, plotWidth-plotRight, s.y(x.value), s.y(x.value))
		fmt.Fprintf(&w, `<text x="%d" y="%.1f" fill="#333333" stroke="#ffffff" stroke-width="3" paint-order="stroke">%s: %.6g %s</text>`+"\n", linesLeft+6, s.y(x.value)+15, escaped(x.name), x.value, escaped(l.unit))
	}
	for i := range l.all {
		l.all[i].draw(&w, s, colours[i%len(colours)], l.fromZero)
		at := [2]int{linesLeft + i%columns*((plotWidth-linesLeft)/columns), plotTop + plotHeight + 66 + i/columns*18}
		fmt.Fprintf(&w, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", at[0], at[1]-11, colours[i%len(colours)], at[0]+18, at[1], escaped(l.all[i].name))
	}
	fmt.Fprintf(&w, `<text x="%d" y="%d" fill="#555555" text-anchor="middle">%s</text></svg>`+"\n", (linesLeft+plotWidth-plotRight)/2, plotTop+plotHeight+38, escaped(l.x))
	return w.String()
}

// legendColumns is how many names fit beside each other.
func (l *lines) legendColumns() int {
	longest := 0
	for i := range l.all {
		longest = max(longest, utf8.RuneCountInString(l.all[i].name))
	}
	const letter, room = 7, 34
	return min(3, max(1, (plotWidth-linesLeft)/(longest*letter+room)))
}

func placeOf(i, n int) float64 {
	return linesLeft + float64(i)*(plotWidth-linesLeft-plotRight)/float64(max(1, n-1))
}

// draw draws a curve, with its quartiles and, on an even scale of few places, its values.
func (o *line) draw(w *strings.Builder, s scale, colour string, values bool) {
	var path strings.Builder
	for k, p := range o.points {
		x, y := placeOf(k, len(o.points)), s.y(p.value)
		fmt.Fprintf(&path, "%.1f,%.1f ", x, y)
		if o.allowed {
			continue
		}
		fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x, y, colour)
		top := y
		if p.around != (spread{}) {
			top = s.y(p.around.high)
			fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#333333"/>`, x, x, s.y(p.around.low), top)
		}
		if values && len(o.points) <= linesFew {
			anchor := "middle"
			if k == 0 { // not over the scale
				anchor = "start"
			}
			fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="%s">%.3g</text>`, x, top-7, anchor, p.value)
		}
	}
	dashes := ""
	if o.allowed {
		dashes = ` stroke-dasharray="7 4"`
	}
	fmt.Fprintf(w, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", strings.TrimSpace(path.String()), colour, dashes)
}

// scale is where values stand in a plot, and which of them are written beside it.
type scale struct {
	low, high float64
	even      bool
	steps     []float64
}

func (s scale) y(v float64) float64 {
	share := math.Log(max(v, s.low)/s.low) / math.Log(s.high/s.low)
	if s.even {
		share = (v - s.low) / (s.high - s.low)
	}
	return plotTop + 8 + (plotHeight-8)*(1-share)
}

// scale has room for every value and every limit.
func (l *lines) scale() scale {
	low, high := math.Inf(1), 0.0
	for i := range l.all {
		for _, p := range l.all[i].points {
			low, high = min(low, max(p.value, 1e-3)), max(high, p.value, p.around.high)
		}
	}
	for _, x := range l.limits {
		low, high = min(low, max(x.value, 1e-3)), max(high, x.value)
	}
	if high <= 0 { // there is nothing to draw
		low, high = 1, 1
	}
	if l.fromZero {
		return evenScale(high)
	}
	var steps []float64
	for v := range roundSteps(low/10, high*10) {
		steps = append(steps, v)
	}
	from := max(0, slices.IndexFunc(steps, func(v float64) bool { return v > low*1.000001 })-1)
	to := slices.IndexFunc(steps, func(v float64) bool { return v >= high*0.999999 })
	to = max(to, from+1)
	return scale{low: steps[from], high: steps[to], steps: steps[from : to+1]}
}

// evenScale goes from nothing in some five steps.
func evenScale(high float64) scale {
	s := scale{even: true}
	for step := range roundSteps(high/50, high) {
		if high/step > 6 {
			continue
		}
		for i := 0; ; i++ {
			s.steps = append(s.steps, float64(i)*step)
			if s.high = float64(i) * step; s.high >= high {
				return s
			}
		}
	}
	s.steps, s.high = []float64{0, high}, high
	return s
}

// roundSteps are 1, 2, 5, 10, 20, … from below low to past high.
func roundSteps(low, high float64) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		for decade := math.Floor(math.Log10(low)); math.Pow(10, decade) <= high; decade++ {
			for _, step := range []float64{1, 2, 5} {
				if !yield(step * math.Pow(10, decade)) {
					return
				}
			}
		}
	}
}
