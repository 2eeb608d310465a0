package main

import (
	"fmt"
	"strings"
)

// bar is one bar of a plot.
type bar struct {
	name  string
	value spread
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
