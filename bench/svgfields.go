package main

import (
	"fmt"
	"slices"
	"strings"
)

// field is one field of a picture of a matrix. Fields of the same row and column share its place.
type field struct {
	row, column, words string
	share              float64 // of what is allowed
	held               bool
}

const (
	fieldsLeft = 210 // for the names of rows
	fieldsTop  = 190 // for those of columns, which stand on edge
	fieldSide  = 26
	fieldWide  = 48
	notHeld    = "#d55e00" // orange
)

// fieldsSVG draws a matrix: the darker a field, the more of its share it has taken; what was not held is orange. Each field says
// its words where the pointer rests on it.
func fieldsSVG(title string, fields []field) string {
	var rows, columns []string
	places := map[[2]string][]field{}
	for _, f := range fields {
		if !slices.Contains(rows, f.row) {
			rows = append(rows, f.row)
		}
		if !slices.Contains(columns, f.column) {
			columns = append(columns, f.column)
		}
		at := [2]string{f.row, f.column}
		places[at] = append(places[at], f)
	}
	var w strings.Builder
	svgHead(&w, max(plotWidth, fieldsLeft+len(columns)*fieldWide+90), fieldsTop+len(rows)*fieldSide+60, title)
	for i, c := range columns {
		x, y := fieldsLeft+i*fieldWide+fieldWide/2, fieldsTop-8
		fmt.Fprintf(&w, `<text x="%d" y="%d" transform="rotate(-50 %d %d)">%s</text>`+"\n", x, y, x, y, escaped(c))
	}
	for i, r := range rows {
		y := fieldsTop + i*fieldSide
		if i > 0 && journeyOf(r) != journeyOf(rows[i-1]) {
			fmt.Fprintf(&w, `<line x1="12" x2="%d" y1="%d" y2="%d" stroke="#bbbbbb"/>`+"\n", fieldsLeft+len(columns)*fieldWide, y-2, y-2)
		}
		fmt.Fprintf(&w, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", fieldsLeft-8, y+fieldSide/2+4, escaped(r))
		for k, c := range columns {
			all := places[[2]string{r, c}]
			for j, f := range all {
				wide := float64(fieldWide-4) / float64(len(all))
				fmt.Fprintf(&w, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" stroke="#ffffff"><title>%s</title></rect>`+"\n",
					float64(fieldsLeft+k*fieldWide)+float64(j)*wide, y, wide, fieldSide-4, f.colour(), escaped(f.words))
			}
		}
	}
	fieldsKey(&w, fieldsTop+len(rows)*fieldSide+10)
	w.WriteString("</svg>\n")
	return w.String()
}

// shades are the shares that a picture explains.
func shades() []float64 { return []float64{0, 0.25, 0.5, 0.75, 1} }

// fieldsKey says what the colours mean.
func fieldsKey(w *strings.Builder, y int) {
	x := fieldsLeft
	say := func(colour, words string, wide int) {
		fmt.Fprintf(w, `<rect x="%d" y="%d" width="16" height="16" fill="%s" stroke="#cccccc"/><text x="%d" y="%d" fill="#555555">%s</text>`+"\n", x, y, colour, x+22, y+13, words)
		x += wide
	}
	for _, share := range shades() {
		say((&field{share: share, held: true}).colour(), fmt.Sprintf("%.0f %%", share*100), 68)
	}
	say(notHeld, "not as it has to be", 150)
	fmt.Fprintf(w, `<text x="%d" y="%d" fill="#555555">%s</text>`+"\n", fieldsLeft, y+34, "of the machine budget; where there is nothing, there is no such case")
}

// journeyOf is whose a row is: the word before its comma.
func journeyOf(row string) string {
	journey, _, _ := strings.Cut(row, ",")
	return journey
}

// colour goes from a light blue to a dark one.
func (f *field) colour() string {
	if !f.held {
		return notHeld
	}
	s := min(max(f.share, 0), 1)
	fade := func(light, dark float64) int { return int(light + (dark-light)*s) }
	return fmt.Sprintf("#%02x%02x%02x", fade(0xdc, 0), fade(0xea, 0x45), fade(0xf5, 0x7d))
}
