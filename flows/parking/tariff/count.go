package tariff

import (
	"cmp"
	"slices"
)

// stretch is a time in Unix seconds.
type stretch struct{ from, to int64 }

// chargeable returns the time that is not covered by passes and not free, in order, and how much time is free.
func (t *Tariff) chargeable(r *rates, v Visit, entered, left int64) (charged []stretch, free freeTime) {
	charged = uncovered(v.Passes, entered, left)
	total := int64(0)
	for _, s := range charged {
		total += s.to - s.from
	}
	free = freeTime{minutes: r.free, covered: left - entered - total}
	if r.forfeited && total > r.free {
		free.forfeited, free.minutes = r.free, 0
	}
	if e := int64(t.electric.Free.Seconds()); v.Electric && e > free.minutes {
		free.minutes, free.electric, free.forfeited = e, true, 0
	}
	rest := free.minutes
	for len(charged) > 0 && rest > 0 {
		part := min(charged[0].to-charged[0].from, rest)
		charged[0].from += part
		if rest -= part; charged[0].from == charged[0].to {
			charged = charged[1:]
		}
	}
	return charged, free
}

// freeTime is what of a stay costs nothing, in seconds.
type freeTime struct {
	minutes   int64 // at the start
	electric  bool  // because the vehicle is
	forfeited int64 // would have been free
	covered   int64 // by passes
}

// uncovered returns what passes leave of a stay.
func uncovered(passes []Span, entered, left int64) []stretch {
	var covered []stretch
	for _, p := range passes {
		if s := (stretch{max(p.From.Unix(), entered), min(p.To.Unix(), left)}); s.from < s.to {
			covered = append(covered, s)
		}
	}
	slices.SortFunc(covered, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	var rest []stretch
	at := entered
	for _, s := range covered {
		if s.from > at {
			rest = append(rest, stretch{at, s.from})
		}
		at = max(at, s.to)
	}
	if at < left {
		rest = append(rest, stretch{at, left})
	}
	return rest
}

// count walks over a stay and counts what it costs. Between two borders (of periods, days, 24 hours, of the zone's
// offset) all units of a step are counted at once.
type count struct {
	t       *Tariff
	r       *rates
	entered int64
	clock   clock

	date, period, since int64 // the day, the period and the number of 24 hours since entry, now
	far                 int64 // on the steps: charged seconds
	running             bool  // a unit is, until end
	end                 int64
	of                  *step
	ofNumber            int

	left     [windows]int64 // what each cap leaves, in parts
	units    []int64        // by step
	saved    [windows]int64 // by caps, in parts
	hit      [windows]int64 // how many windows were full
	full     [windows]bool  // whether this one is
	saidCaps []int64        // saved by the caps of periods, by period
	overflow bool
	sum      int64 // of all units, before caps
}

func (n *count) begin() {
	n.period, n.date, n.since = -1, -1, -1
	n.units = make([]int64, n.r.steps)
	n.saidCaps = make([]int64, len(n.r.periods))
	n.left = n.r.caps
}

// walk goes from a moment to another. Where it does not charge, a running unit waits, and it looks where periods end.
func (n *count) walk(from, to int64, charge bool) {
	for at := from; at < to && !n.overflow; {
		border := min(n.look(at), to)
		switch {
		case !charge:
			n.end += border - at
			at = border
		case n.running:
			at = n.run(at, border)
		default:
			at = n.charge(at, border)
		}
	}
}

// look takes over where the stay is at a moment, and returns when that changes.
func (n *count) look(at int64) (border int64) {
	date, second, change := n.clock.at(at)
	since := (at - n.entered) / day
	kind, special := n.t.calendar[date]
	if !special {
		kind = weekday(date)
	}
	here := n.r.week[kind][0]
	for _, s := range n.r.week[kind] {
		if s.from <= second {
			here = s
		}
	}
	n.enter(at, int64(here.period), date, since)
	return min(at+here.to-second, change, n.entered+(since+1)*day)
}

// enter opens the windows that begin at a moment.
func (n *count) enter(at, period, date, since int64) {
	newPeriod, newDay, new24h := period != n.period, date != n.date, since != n.since
	anew := newPeriod && n.t.restart == restartPeriod || newDay && n.t.restart == restartDay || new24h && n.t.restart == restart24h
	if n.t.borders == bordersCut && (newPeriod || anew) {
		n.stop(at)
	}
	if anew {
		n.far = 0
	}
	if newPeriod {
		n.open(capPeriod, n.r.periods[period].cap)
	}
	if newDay {
		n.open(capDay, n.r.caps[capDay])
	}
	if new24h {
		n.open(cap24h, n.r.caps[cap24h])
	}
	n.period, n.date, n.since = period, date, since
}

func (n *count) open(window int, limit int64) { n.left[window], n.full[window] = limit, false }

// stop ends a running unit before its time. One that counts when it is over then costs nothing.
func (n *count) stop(at int64) {
	if n.running {
		n.far -= n.end - at
	}
	n.running = false
}

// run goes on with a running unit, to its end or to a border.
func (n *count) run(at, border int64) int64 {
	if n.end > border {
		return border
	}
	n.running = false
	if n.t.units == unitsWhole {
		n.add(n.of, n.ofNumber, 1)
	}
	return max(n.end, at)
}

// charge counts the units that begin here and end before a border, all of one step, or else the one that passes it.
func (n *count) charge(at, border int64) int64 {
	p := &n.r.periods[n.period]
	if len(p.steps) == 0 {
		return border
	}
	i := 0
	for n.far >= p.steps[i].until {
		i++
	}
	s := &p.steps[i]
	fit := (border - at) / s.each
	if i < len(p.steps)-1 {
		fit = min(fit, (s.until-n.far+s.each-1)/s.each)
	}
	if fit > 0 {
		n.far += fit * s.each
		n.add(s, p.first+i, fit)
		return at + fit*s.each
	}
	n.running, n.end, n.of, n.ofNumber = true, at+s.each, s, p.first+i
	n.far += s.each
	if n.t.units == unitsBegun {
		n.add(s, p.first+i, 1)
	}
	return border
}

// add charges units of a step, one after the other, each with what the caps leave.
func (n *count) add(s *step, number int, units int64) {
	full, ok := times(s.cost, units)
	n.sum += full
	if !ok || n.sum < 0 {
		n.overflow = true
		return
	}
	n.units[number] += units
	tightest := slices.Index(n.left[:], slices.Min(n.left[:]))
	taken := min(full, n.left[tightest])
	for w := range n.left {
		if n.left[w] != noCap {
			n.left[w] -= taken
		}
	}
	if full == taken {
		return
	}
	n.saved[tightest] += full - taken
	if tightest == capPeriod {
		n.saidCaps[n.period] += full - taken
	}
	if !n.full[tightest] {
		n.full[tightest] = true
		n.hit[tightest]++
	}
}
