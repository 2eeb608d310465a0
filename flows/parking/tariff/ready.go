package tariff

import (
	"math"
	"math/bits"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// rates are Rates made ready. Amounts are exact: whole parts, of which one minor unit has r.parts.
type rates struct {
	parts     int64
	free      int64 // seconds
	forfeited bool
	periods   []period
	week      [kinds][]span // sorted
	caps      [windows]int64
	steps     int // of all periods
}

type period struct {
	name  gateway.Text
	cap   int64
	steps []step
	first int // the number of its first step among those of all periods
}

type step struct {
	until int64 // how far on the steps it ends, seconds
	each  int64 // seconds
	cost  int64 // parts, for each
	said  Step
	from  time.Duration // how far on the steps it begins
}

// The windows of caps, in the order in which they are named where several hold at once.
const (
	capPeriod = iota
	capDay
	cap24h
	capStay
	windows
)

const noCap = math.MaxInt64

// ready makes the prices of one kind of vehicle ready. What cannot be counted exactly goes to c.
func (t *Tariff) ready(c *checker, path string, s Rates) *rates {
	r := &rates{parts: 1, free: int64(s.Free.For / time.Second), forfeited: s.Free.Longer == freeForfeited}
	for i, p := range s.Periods {
		for _, st := range p.Steps {
			each, per := st.seconds()
			r.parts = lcm(r.parts, per/gcd(each, per))
			if r.parts > maxParts/100 {
				c.refuse(true, path+".periods", "the fractions of a minor unit in periods[%d] and before are finer than 1/%d: choose each and per with a simpler ratio", i, maxParts/100)
				return r
			}
		}
	}
	r.parts *= 100 // for what is given off in percent
	r.caps = [windows]int64{noCap, r.limit(s.Caps.Day), r.limit(s.Caps.Hours24), r.limit(s.Caps.Stay)}
	for i, p := range s.Periods {
		for _, h := range p.hours() {
			from, to := h.seconds()
			for _, k := range h.kinds() {
				r.week[k] = insert(r.week[k], span{from, to, i})
			}
		}
		r.periods = append(r.periods, t.readyPeriod(c, path, i, r, p))
	}
	return r
}

func (t *Tariff) readyPeriod(c *checker, path string, i int, r *rates, s Period) period {
	p := period{name: s.Name, cap: r.limit(s.Cap), first: r.steps}
	r.steps += len(s.Steps)
	from := time.Duration(0)
	for j, st := range s.Steps {
		each, per := st.seconds()
		cost, ok := times(st.Price, each*r.parts/per)
		c.refuse(!ok, stepPath(path, i, j)+".price", "%d is more than can be counted in fractions of 1/%d", st.Price, r.parts)
		if t.rounding.At == roundUnit {
			cost = t.rounding.round(cost, r.parts) * r.parts
		}
		until := int64(math.MaxInt64)
		if st.For > 0 {
			until = int64((from + st.For) / time.Second)
		}
		p.steps = append(p.steps, step{until: until, each: each, cost: cost, said: st, from: from})
		from += st.For
	}
	return p
}

// limit returns a cap in parts. One that is past what can be counted is never reached.
func (r *rates) limit(minor int64) int64 {
	parts, ok := times(minor, r.parts)
	if minor == 0 || !ok {
		return noCap
	}
	return parts
}

// seconds returns a unit, and what its price is for.
func (st Step) seconds() (each, per int64) {
	each = int64(st.Each / time.Second)
	if st.Per == 0 {
		return each, each
	}
	return each, int64(st.Per / time.Second)
}

// above reports whether one unit costs more than an amount in minor units.
func (st Step) above(minor int64) bool {
	each, per := st.seconds()
	hi, lo := bits.Mul64(uint64(st.Price), uint64(each))
	hi2, lo2 := bits.Mul64(uint64(minor), uint64(per))
	return hi > hi2 || hi == hi2 && lo > lo2
}

// insert adds a span to sorted ones.
func insert(all []span, s span) []span {
	i := 0
	for i < len(all) && all[i].from < s.from {
		i++
	}
	all = append(all, s)
	copy(all[i+1:], all[i:])
	all[i] = s
	return all
}

// times multiplies what is not negative; false: it is past int64.
func times(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return int64(lo & math.MaxInt64), hi == 0 && lo <= math.MaxInt64
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func lcm(a, b int64) int64 { return a / gcd(a, b) * b }
