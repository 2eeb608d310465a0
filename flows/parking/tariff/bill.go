package tariff

import "github.com/warmgate/warmgate/gateway"

// bill collects the lines of a price. Amounts are exact until it is closed; a line shows what it adds to the whole minor
// units of the sum, so that lines always sum to it.
type bill struct {
	t     *Tariff
	r     *rates
	lines []Line
	exact int64 // parts
}

// add adds an exact amount, which never makes the sum negative.
func (b *bill) add(parts int64, text gateway.Text) {
	before := b.exact / b.r.parts
	b.exact += parts
	b.lines = append(b.lines, Line{Minor: b.exact/b.r.parts - before, Text: text})
}

// close rounds the sum and says so where that changes it.
func (b *bill) close() (Price, error) {
	minor := b.exact / b.r.parts
	if b.t.rounding.At == roundEnd {
		minor = b.t.rounding.round(b.exact, b.r.parts)
	}
	if minor > maxMinor {
		return Price{}, ErrAmount
	}
	if change := minor - b.exact/b.r.parts; change != 0 {
		b.lines = append(b.lines, Line{Minor: change, Text: b.t.sayRounding()})
	}
	return Price{Minor: minor, Lines: b.lines}, nil
}

// round rounds an exact amount that is not negative, and returns minor units.
func (r Rounding) round(exact, parts int64) int64 {
	to := r.To * parts
	whole, rest := exact/to, exact%to
	switch {
	case r.Way == wayUp && rest > 0, r.Way == wayNearest && rest >= to-rest:
		whole++
	}
	return whole * r.To
}
