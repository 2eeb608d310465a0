package main

import (
	"fmt"
	"math"
	"strings"
)

// bar is one bar of a plot.
type bar struct {
	name  string
	value spread
}

// lines is a plot of curves over the same places.
type lines struct {
	unit, x string
	all     []line
}

type line struct {
	name   string
	points []point
}

type point struct {
	at    string
	value float64
}

const (
	plotWidth  = 760
	plotLeft   = 300 // for the names of bars
	plotRight  = 40
	barHeight  = 26
	plotHeight = 340 // of a plot of curves
	plotTop    = 46
)

// colours are told apart also by those who see few of them (Okabe and Ito's palette).
var colours = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

func svgHead(w *strings.Builder, width, height int, title string) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" fill="#ffffff"/><text x="12" y="22" font-size="15">%s</text>`+"\n", escaped(title))
}

func escaped(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// barsSVG draws medians as bars, with their quartiles as whiskers.
func barsSVG(title, unit string, bars []bar) string {
	var w strings.Builder
	svgHead(&w, plotWidth, plotTop+len(bars)*barHeight+30, title)
	most := 0.0
	for _, b := range bars {
		most = max(most, b.value.high, b.value.middle)
	}
	x := func(v float64) float64 { return plotLeft + v/max(most, 1e-9)*(plotWidth-plotLeft-plotRight-60) }
	for i, b := range bars {
		y := plotTop + i*barHeight
		middle := float64(y) + barHeight/2 - 3
		fmt.Fprintf(&w, `<text x="%d" y="%.0f" text-anchor="end">%s</text>`, plotLeft-8, middle+4, escaped(b.name))
		fmt.Fprintf(&w, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, plotLeft, y, x(b.value.middle)-plotLeft, barHeight-6, colours[i%len(colours)])
		fmt.Fprintf(&w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#333333" stroke-width="2"/>`, x(b.value.low), x(b.value.high), middle, middle)
		fmt.Fprintf(&w, `<text x="%.1f" y="%.0f">%.3g</text>`+"\n", x(max(b.value.high, b.value.middle))+8, middle+4, b.value.middle)
	}
	fmt.Fprintf(&w, `<text x="%d" y="%d" fill="#555555">%s</text></svg>`+"\n", plotLeft, plotTop+len(bars)*barHeight+16, escaped(unit))
	return w.String()
}

// linesSVG draws curves over evenly spaced places, on a logarithmic scale.
func linesSVG(title string, l lines) string {
	var w strings.Builder
	svgHead(&w, plotWidth, plotTop+plotHeight+50+18*((len(l.all)+2)/3), title)
	low, high := math.Inf(1), 0.0
	for _, one := range l.all {
		for _, p := range one.points {
			low, high = min(low, max(p.value, 1e-3)), max(high, p.value)
		}
	}
	if math.IsInf(low, 0) { // there is nothing to draw
		low = 1
	}
	low, high = math.Pow(10, math.Floor(math.Log10(low))), max(high, low*1.01)
	const left = 60
	y := func(v float64) float64 {
		return plotTop + plotHeight*(1-math.Log(max(v, low)/low)/math.Log(high/low))
	}
	x := func(i, n int) float64 { return left + float64(i)*(plotWidth-left-plotRight)/float64(max(1, n-1)) }
	for decade := low; decade <= high; decade *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if v := decade * step; v <= high {
				fmt.Fprintf(&w, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%.3g</text>`+"\n",
					left, plotWidth-plotRight, y(v), y(v), left-6, y(v)+4, v)
			}
		}
	}
	for i, p := range l.all[0].points {
		fmt.Fprintf(&w, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(i, len(l.all[0].points)), plotTop+plotHeight+18, escaped(p.at))
	}
	for i, one := range l.all {
		colour := colours[i%len(colours)]
		var path strings.Builder
		for k, p := range one.points {
			fmt.Fprintf(&path, "%.1f,%.1f ", x(k, len(one.points)), y(p.value))
		}
		fmt.Fprintf(&w, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.TrimSpace(path.String()), colour)
		at := [2]int{left + i%3*230, plotTop + plotHeight + 56 + i/3*18}
		fmt.Fprintf(&w, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", at[0], at[1]-11, colour, at[0]+18, at[1], escaped(one.name))
	}
	fmt.Fprintf(&w, `<text x="%d" y="%d" fill="#555555">%s, over %s</text></svg>`+"\n", left, plotTop+plotHeight+36, escaped(l.unit), escaped(l.x))
	return w.String()
}
