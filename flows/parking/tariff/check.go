package tariff

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// checker collects what is wrong with settings.
type checker struct{ wrong []error }

func (c *checker) refuse(bad bool, path, format string, args ...any) {
	if bad {
		c.wrong = append(c.wrong, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) word(path, got string, words ...string) {
	c.refuse(got != "" && !slices.Contains(words, got), path, "must be %s, is %q", strings.Join(words, " or "), got)
}

func (c *checker) amount(path string, minor int64) {
	c.refuse(minor < 0 || minor > maxMinor, path, "must be 0 to %d, is %d", int64(maxMinor), minor)
}

func (c *checker) span(path string, d, least, most time.Duration) {
	c.refuse(d < least || d > most, path, "must be %s to %s, is %s", least, most, d)
	c.refuse(d%time.Second != 0, path, "must be whole seconds, is %s", d)
}

// Validate reports every mistake as a *gateway.FieldError, joined.
func (s *Settings) Validate() error {
	c := &checker{}
	c.word("units", s.Units, unitsBegun, unitsWhole)
	c.word("borders", s.Borders, bordersCut, bordersFinish)
	c.word("restart", s.Restart, restartStay, restartPeriod, restartDay, restart24h)
	c.word("rounding.way", s.Rounding.Way, wayNearest, wayUp, wayDown)
	c.word("rounding.at", s.Rounding.At, roundEnd, roundUnit)
	c.refuse(s.Units == unitsWhole && s.Borders == bordersFinish, "borders", "units that count when they are over have to end where their period ends: %s goes with units: %s", bordersFinish, unitsBegun)
	c.refuse(s.Rounding.To < 0 || s.Rounding.To > maxTo, "rounding.to", "must be 0 to %d, is %d", maxTo, s.Rounding.To)
	c.span("grace", s.Grace, 0, maxGrace)
	c.span("electric.free", s.Electric.Free, 0, maxFree)
	c.refuse(s.Electric.PercentOff < 0 || s.Electric.PercentOff > 100, "electric.percent_off", "must be 0 to 100, is %d", s.Electric.PercentOff)
	s.checkCalendar(c)
	_, car := s.Vehicles[Car]
	c.refuse(!car, "vehicles", "a tariff needs the prices of a %s", Car)
	for _, name := range slices.Sorted(maps.Keys(s.Vehicles)) {
		path := "vehicles." + name
		c.refuse(!isName(name), path, "%q is not 1 to 32 small letters, digits or dashes", name)
		r := s.Vehicles[name]
		r.check(c, path, s)
	}
	return errors.Join(c.wrong...)
}

func (s *Settings) checkCalendar(c *checker) {
	for _, date := range slices.Sorted(maps.Keys(s.Calendar)) {
		path := "calendar." + date
		_, err := time.Parse(time.DateOnly, date)
		c.refuse(err != nil, path, "%q is no date written YYYY-MM-DD", date)
		c.refuse(kindOf(s.Calendar[date]) < 0, path, "must be one of %s, is %q", dayWords, s.Calendar[date])
	}
}

// hasHolidays reports whether a day can be a holiday.
func (s *Settings) hasHolidays() bool {
	for _, word := range s.Calendar {
		if kindOf(word) == holiday {
			return true
		}
	}
	return false
}

func (r *Rates) check(c *checker, path string, s *Settings) {
	c.span(path+".free.for", r.Free.For, 0, maxFree)
	c.word(path+".free.longer", r.Free.Longer, freeKept, freeForfeited)
	c.amount(path+".caps.day", r.Caps.Day)
	c.amount(path+".caps.24h", r.Caps.Hours24)
	c.amount(path+".caps.stay", r.Caps.Stay)
	before := len(c.wrong)
	c.refuse(len(r.Periods) == 0 || len(r.Periods) > maxPeriods, path+".periods", "must be 1 to %d, are %d", maxPeriods, len(r.Periods))
	for i := range r.Periods {
		r.Periods[i].check(c, fmt.Sprintf("%s.periods[%d]", path, i))
	}
	if len(c.wrong) == before { // only hours that can be read can be laid side by side
		r.checkWeek(c, path, s.hasHolidays())
		r.checkCaps(c, path, s.Rounding)
	}
}

func (p *Period) check(c *checker, path string) {
	c.refuse(p.Name.Zh == "" || len(p.Name.Zh) > 60, path+".name.zh", "must be 1 to 60 bytes")
	c.refuse(p.Name.En == "" || len(p.Name.En) > 60, path+".name.en", "must be 1 to 60 bytes")
	c.amount(path+".cap", p.Cap)
	for i, h := range p.At {
		at := fmt.Sprintf("%s.at[%d]", path, i)
		for j, word := range h.Days {
			c.refuse(len(kindsOf(word)) == 0, fmt.Sprintf("%s.days[%d]", at, j), "must be one of %s weekdays weekend, is %q", dayWords, word)
		}
		from, to := h.seconds()
		c.refuse(from < 0 || from == day, at+".from", "must be 00:00 to 23:59, is %q", h.From)
		c.refuse(to < 0, at+".to", "must be 00:01 to 24:00, is %q", h.To)
		c.refuse(from >= 0 && from < day && to >= 0 && to <= from, at+".to", "must be later than from, %s; a night over midnight is written as two", h.From)
	}
	c.refuse(len(p.Steps) > maxSteps, path+".steps", "must be at most %d, are %d", maxSteps, len(p.Steps))
	for i, st := range p.Steps {
		st.check(c, fmt.Sprintf("%s.steps[%d]", path, i), i == len(p.Steps)-1)
	}
}

func (st Step) check(c *checker, path string, last bool) {
	c.span(path+".each", st.Each, time.Second, maxUnit)
	c.amount(path+".price", st.Price)
	if st.Per != 0 {
		c.span(path+".per", st.Per, time.Second, maxUnit)
	}
	if last {
		c.refuse(st.For != 0, path+".for", "the last step has no end; leave it out")
		return
	}
	c.refuse(st.For <= 0, path+".for", "only the last step has no end")
	c.refuse(st.For > 0 && st.Each > 0 && st.For%st.Each != 0, path+".for", "must be whole units of %s, is %s", st.Each, st.For)
	c.refuse(st.For > 100*maxUnit, path+".for", "must be at most %s, is %s", 100*maxUnit, st.For)
}

// claim is a part of some kind of day that a period has.
type claim struct {
	span
	path string
}

// claims returns what the periods have of each kind of day, in order.
func (r *Rates) claims(path string) (claims [kinds][]claim) {
	for i := range r.Periods {
		for j, h := range r.Periods[i].hours() {
			at := fmt.Sprintf("%s.periods[%d]", path, i)
			if len(r.Periods[i].At) > 0 {
				at += fmt.Sprintf(".at[%d]", j)
			}
			from, to := h.seconds()
			for _, k := range h.kinds() {
				claims[k] = append(claims[k], claim{span{from, to, i}, at})
			}
		}
	}
	for _, all := range claims {
		slices.SortStableFunc(all, func(a, b claim) int { return cmp.Compare(a.from, b.from) })
	}
	return claims
}

// checkWeek refuses moments that no period covers, or more than one. Days of which the same is wrong are named together.
func (r *Rates) checkWeek(c *checker, path string, holidays bool) {
	var found []gateway.FieldError
	days := map[gateway.FieldError][]string{}
	for k, all := range r.claims(path) {
		if k == holiday && !holidays && len(all) == 0 {
			continue // no day is one
		}
		note := func(bad bool, path, format string, from, to int64) {
			if e := (gateway.FieldError{Path: path, Message: fmt.Sprintf(format, clockOf(from), clockOf(to))}); bad {
				if days[e] == nil {
					found = append(found, e)
				}
				days[e] = append(days[e], strings.Fields(dayWords)[k])
			}
		}
		covered := int64(0)
		for _, a := range all {
			note(a.from < covered, a.path, "%s to %s is in another period too", a.from, min(covered, a.to))
			note(a.from > covered, path+".periods", "no period covers %s to %s", covered, a.from)
			covered = max(covered, a.to)
		}
		note(covered < day, path+".periods", "no period covers %s to %s", covered, day)
	}
	for _, e := range found {
		c.refuse(true, e.Path, "%s on %s", e.Message, strings.Join(days[e], " "))
	}
}

// checkCaps refuses caps that contradict prices, rounding or one another.
func (r *Rates) checkCaps(c *checker, path string, rounding Rounding) {
	caps := []struct {
		path  string
		minor int64
	}{{path + ".caps.day", r.Caps.Day}, {path + ".caps.24h", r.Caps.Hours24}, {path + ".caps.stay", r.Caps.Stay}}
	to := max(rounding.To, 1)
	atEnd := rounding.At != roundUnit && rounding.Way != wayDown
	fits := func(at string, minor int64) {
		c.refuse(atEnd && minor%to != 0, at, "rounding could lift the price above it: must be a multiple of rounding.to, %d, is %d", to, minor)
	}
	for i, p := range r.Periods {
		at := fmt.Sprintf("%s.periods[%d]", path, i)
		fits(at+".cap", p.Cap)
		for j, st := range p.Steps {
			most := p.Cap
			where := at + ".cap"
			for _, cp := range caps {
				if cp.minor > 0 && (most == 0 || cp.minor < most) {
					most, where = cp.minor, cp.path
				}
			}
			c.refuse(most > 0 && st.above(most), where, "%d is less than one unit of %s.steps[%d]", most, at, j)
		}
	}
	for i, cp := range caps {
		fits(cp.path, cp.minor)
		c.refuse(i < 2 && cp.minor > 0 && r.Caps.Stay > 0 && r.Caps.Stay < cp.minor, path+".caps.stay", "%d is less than %s, %d", r.Caps.Stay, cp.path, cp.minor)
	}
}

func stepPath(path string, period, step int) string {
	return fmt.Sprintf("%s.periods[%d].steps[%d]", path, period, step)
}

// isName reports whether s can be a kind of vehicle: 1 to 32 small letters, digits or dashes.
func isName(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}
