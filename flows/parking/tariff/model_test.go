package tariff_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
)

// model prices a visit minute by minute, as the package's comment says it, with nothing but a wall clock and fractions.
// All times are whole minutes.
type model struct {
	s    tariff.Settings
	r    tariff.Rates
	zone *time.Location

	far     int // minutes on the steps
	running *tariff.Step
	ends    time.Time
	counted bool
	in      int // the period; -1: none yet
	left    map[string]*big.Rat
	sum     *big.Rat
	windows map[string]*big.Rat // what was charged in each window, to be held against its cap
}

func (m *model) price(v tariff.Visit) int64 {
	m.r = m.s.Vehicles["car"]
	m.in, m.sum, m.left, m.windows = -1, new(big.Rat), map[string]*big.Rat{}, map[string]*big.Rat{}
	paying := 0
	for now := v.Entered; now.Before(v.Left); now = now.Add(time.Minute) {
		if !covered(v.Passes, now) {
			paying++
		}
	}
	free := int(m.r.Free.For / time.Minute)
	if m.r.Free.Longer == "forfeited" && paying > free {
		free = 0
	}
	if v.Electric {
		free = max(free, int(m.s.Electric.Free/time.Minute))
	}
	seen, day, day24 := 0, "", -1
	occurrence := 0
	for now := v.Entered; now.Before(v.Left); now = now.Add(time.Minute) {
		if m.running != nil && now.Equal(m.ends) {
			m.over(day, day24, occurrence)
		}
		today, since, period := now.In(m.zone).Format(time.DateOnly), int(now.Sub(v.Entered)/(24*time.Hour)), m.periodAt(now)
		anew := m.s.Restart == "period" && period != m.in || m.s.Restart == "day" && today != day || m.s.Restart == "24h" && since != day24
		if m.s.Borders != "finish" && (period != m.in || anew) {
			m.running = nil
		}
		if anew {
			m.far, m.counted = 0, false
		}
		if period != m.in {
			occurrence++
		}
		m.in, day, day24 = period, today, since
		if covered(v.Passes, now) {
			m.ends = m.ends.Add(time.Minute)
			continue
		}
		if seen++; seen <= free {
			continue
		}
		if m.running == nil {
			m.start(now, day, day24, occurrence)
		}
		if m.running != nil && m.counted {
			m.far++
		}
	}
	if m.running != nil && v.Left.Equal(m.ends) {
		m.over(day, day24, occurrence)
	}
	return m.rounded(v.Electric)
}

func covered(passes []tariff.Span, now time.Time) bool {
	return slices.ContainsFunc(passes, func(s tariff.Span) bool { return !now.Before(s.From) && now.Before(s.To) })
}

func (m *model) periodAt(now time.Time) int {
	here := now.In(m.zone)
	kind := strings.ToLower(here.Format("Mon"))
	if special, ok := m.s.Calendar[here.Format(time.DateOnly)]; ok {
		kind = special
	}
	clock := here.Format("15:04")
	for i, p := range m.r.Periods {
		if len(p.At) == 0 {
			return i
		}
		for _, h := range p.At {
			is := len(h.Days) == 0 || slices.Contains(h.Days, kind) ||
				slices.Contains(h.Days, "weekend") && (kind == "sat" || kind == "sun") ||
				slices.Contains(h.Days, "weekdays") && !slices.Contains([]string{"sat", "sun", "holiday"}, kind)
			if is && (h.From == "" || clock >= h.From) && (h.To == "" || clock < h.To) {
				return i
			}
		}
	}
	panic("no period at " + here.String())
}

func (m *model) start(now time.Time, day string, day24, occurrence int) {
	steps := m.r.Periods[m.in].Steps
	from := time.Duration(0)
	for i := range steps {
		from += steps[i].For
		if steps[i].For == 0 || time.Duration(m.far)*time.Minute < from {
			m.running, m.ends, m.counted = &steps[i], now.Add(steps[i].Each), true
			break
		}
	}
	if m.running != nil && m.s.Units != "whole" {
		m.charge(day, day24, occurrence)
	}
}

func (m *model) over(day string, day24, occurrence int) {
	if m.s.Units == "whole" {
		m.charge(day, day24, occurrence)
	}
	m.running = nil
}

func (m *model) charge(day string, day24, occurrence int) {
	per := m.running.Per
	if per == 0 {
		per = m.running.Each
	}
	cost := big.NewRat(m.running.Price, 1)
	cost.Mul(cost, big.NewRat(int64(m.running.Each), int64(per)))
	if m.s.Rounding.At == "unit" {
		cost = m.roundTo(cost)
	}
	caps := map[string]int64{"day " + day: m.r.Caps.Day, fmt.Sprint("24h ", day24): m.r.Caps.Hours24, "stay": m.r.Caps.Stay,
		fmt.Sprint("period ", occurrence): m.r.Periods[m.in].Cap}
	for name, limit := range caps {
		if limit == 0 {
			continue
		}
		if m.left[name] == nil {
			m.left[name] = big.NewRat(limit, 1)
		}
		if cost.Cmp(m.left[name]) > 0 {
			cost = new(big.Rat).Set(m.left[name])
		}
	}
	for name, limit := range caps {
		if limit != 0 {
			m.left[name].Sub(m.left[name], cost)
		}
	}
	m.sum.Add(m.sum, cost)
}

func (m *model) roundTo(x *big.Rat) *big.Rat {
	to := big.NewRat(max(m.s.Rounding.To, 1), 1)
	q := new(big.Rat).Quo(x, to)
	whole := new(big.Int).Quo(q.Num(), q.Denom())
	rest := new(big.Rat).Sub(q, new(big.Rat).SetInt(whole))
	switch {
	case m.s.Rounding.Way == "up" && rest.Sign() > 0,
		(m.s.Rounding.Way == "" || m.s.Rounding.Way == "nearest") && rest.Cmp(big.NewRat(1, 2)) >= 0:
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).Mul(new(big.Rat).SetInt(whole), to)
}

func (m *model) rounded(electric bool) int64 {
	if electric {
		m.sum.Mul(m.sum, big.NewRat(100-m.s.Electric.PercentOff, 100))
	}
	if m.s.Rounding.At == "unit" {
		return new(big.Int).Quo(m.sum.Num(), m.sum.Denom()).Int64()
	}
	return m.roundTo(m.sum).Num().Int64()
}

// The zones: without changes of the clock, with changes by an hour at 2, at midnight, by half an hour, and in the south.
var zones = []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Havana", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"}

// around are moments near changes of the clock in all of the zones, and an ordinary one.
var around = []string{"2026-03-07T18:00:00Z", "2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-10-31T18:00:00Z", "2026-04-04T03:00:00Z",
	"2026-09-05T12:00:00Z", "2026-10-03T06:00:00Z", "2026-05-06T00:00:00Z"}

func drawMinutes(t *rapid.T, label string, of ...int) time.Duration {
	return time.Duration(rapid.SampledFrom(of).Draw(t, label)) * time.Minute
}

func drawSteps(t *rapid.T) (steps []tariff.Step, dearest int64) {
	n := rapid.IntRange(0, 3).Draw(t, "steps")
	for i := range n {
		s := tariff.Step{Each: drawMinutes(t, "each", 1, 3, 7, 15, 30, 60, 100, 720), Price: rapid.Int64Range(0, 2000).Draw(t, "price")}
		if rapid.Bool().Draw(t, "is per") {
			s.Per = drawMinutes(t, "per", 7, 30, 60)
		}
		if i < n-1 {
			s.For = s.Each * time.Duration(rapid.IntRange(1, 4).Draw(t, "for"))
		}
		per := max(s.Per, time.Minute)
		if s.Per == 0 {
			per = s.Each
		}
		dearest = max(dearest, s.Price*int64(s.Each)/int64(per)+1)
		steps = append(steps, s)
	}
	return steps, dearest
}

// drawSettings draws settings that New takes, with one kind of vehicle.
func drawSettings(t *rapid.T) tariff.Settings {
	s := tariff.Settings{
		Borders:  rapid.SampledFrom([]string{"", "cut", "finish"}).Draw(t, "borders"),
		Restart:  rapid.SampledFrom([]string{"", "stay", "period", "day", "24h"}).Draw(t, "restart"),
		Electric: tariff.Electric{Free: drawMinutes(t, "electric free", 0, 60), PercentOff: rapid.Int64Range(0, 100).Draw(t, "off")},
		Rounding: tariff.Rounding{To: rapid.SampledFrom([]int64{0, 1, 10, 100}).Draw(t, "to"),
			Way: rapid.SampledFrom([]string{"", "nearest", "up", "down"}).Draw(t, "way"), At: rapid.SampledFrom([]string{"", "end", "unit"}).Draw(t, "at")},
		Calendar: map[string]string{},
	}
	if s.Borders != "finish" {
		s.Units = rapid.SampledFrom([]string{"", "begun", "whole"}).Draw(t, "units")
	}
	for range rapid.IntRange(0, 2).Draw(t, "special days") {
		from, _ := time.Parse(time.RFC3339, rapid.SampledFrom(around).Draw(t, "special"))
		date := from.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "days later")).Format(time.DateOnly)
		s.Calendar[date] = rapid.SampledFrom([]string{"holiday", "fri", "sun"}).Draw(t, "counts as")
	}
	n := rapid.IntRange(1, 3).Draw(t, "periods")
	r := tariff.Rates{Free: tariff.Free{For: drawMinutes(t, "free", 0, 15, 40), Longer: rapid.SampledFrom([]string{"", "kept", "forfeited"}).Draw(t, "longer")}}
	to, dearest := max(s.Rounding.To, 1), int64(0)
	drawCap := func(label string, least int64) int64 {
		if !rapid.Bool().Draw(t, label) {
			return 0
		}
		return (least/to + 1 + rapid.Int64Range(0, 40).Draw(t, label+" size")) * to
	}
	for i := range n {
		p := tariff.Period{Name: gateway.Text{Zh: fmt.Sprint("时段", i), En: fmt.Sprint("period ", i)}}
		var most int64
		p.Steps, most = drawSteps(t)
		p.Cap = drawCap("period cap", most)
		dearest = max(dearest, most)
		r.Periods = append(r.Periods, p)
	}
	for _, days := range [][]string{{"weekdays"}, {"weekend", "holiday"}} {
		from, at := "", 0
		for i := range n {
			to := ""
			if i < n-1 {
				at += rapid.IntRange(1, 23).Draw(t, "hours") * 30
				to = fmt.Sprintf("%02d:%02d", at/60, at%60)
			}
			which := rapid.IntRange(0, n-1).Draw(t, "which")
			if days[0] == "weekdays" {
				which = i // so that each period has its hours
			}
			r.Periods[which].At = append(r.Periods[which].At, tariff.Hours{Days: days, From: from, To: to})
			from = to
		}
	}
	r.Caps = tariff.Caps{Day: drawCap("day cap", dearest), Hours24: drawCap("24h cap", dearest)}
	r.Caps.Stay = drawCap("stay cap", max(dearest, r.Caps.Day, r.Caps.Hours24))
	s.Vehicles = map[string]tariff.Rates{"car": r}
	return s
}

func drawVisit(t *rapid.T) tariff.Visit {
	from, _ := time.Parse(time.RFC3339, rapid.SampledFrom(around).Draw(t, "around"))
	v := tariff.Visit{Entered: from.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "entered")) * time.Minute), Electric: rapid.Bool().Draw(t, "electric")}
	v.Left = v.Entered.Add(time.Duration(rapid.IntRange(0, 3*24*60).Draw(t, "minutes")) * time.Minute)
	for range rapid.IntRange(0, 2).Draw(t, "passes") {
		begin := v.Entered.Add(time.Duration(rapid.IntRange(-600, 3000).Draw(t, "pass from")) * time.Minute)
		v.Passes = append(v.Passes, tariff.Span{From: begin, To: begin.Add(time.Duration(rapid.IntRange(-10, 2000).Draw(t, "pass")) * time.Minute)})
	}
	return v
}

func drawTariff(t *rapid.T) (*tariff.Tariff, tariff.Settings, *time.Location) {
	s := drawSettings(t)
	zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := tariff.New(s, zone, "EUR")
	if err != nil {
		t.Fatalf("drawn settings are refused: %v", err)
	}
	return made, s, zone
}

// TestAgainstTheModel: the price is that of a model that goes minute by minute, on days with changes of the clock too.
func TestAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made, s, zone := drawTariff(t)
		v := drawVisit(t)
		got, err := made.Price(v)
		if err != nil {
			t.Fatal(err)
		}
		m := model{s: s, zone: zone}
		if want := m.price(v); got.Minor != want {
			t.Fatalf("%d, the model says %d\n%s", got.Minor, want, said(got))
		}
		checkPrice(t, got)
	})
}

func said(p tariff.Price) string {
	var all []string
	for _, l := range p.Lines {
		all = append(all, fmt.Sprintf("%8d %s | %s", l.Minor, l.Text.En, l.Text.Zh))
	}
	return strings.Join(all, "\n")
}

// checkPrice: a price is its lines' sum and not negative, and speaks both languages.
func checkPrice(t interface{ Fatalf(string, ...any) }, p tariff.Price) {
	sum := int64(0)
	for _, l := range p.Lines {
		sum += l.Minor
		if l.Text.Zh == "" || l.Text.En == "" || strings.Contains(l.Text.Zh+l.Text.En, "%!") {
			t.Fatalf("a line says nothing: %q", l.Text)
		}
	}
	if sum != p.Minor || p.Minor < 0 || p.Due < 0 || p.Due > p.Minor || len(p.Lines) == 0 {
		t.Fatalf("price %d, due %d, lines sum to %d\n%s", p.Minor, p.Due, sum, said(p))
	}
}
