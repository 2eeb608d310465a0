package tariff_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway/config"
)

// read reads a section tariff as the gateway does.
func read(t testing.TB, text string) tariff.Settings {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(text string) (s tariff.Settings, err error) {
	f, err := config.Read("tariff.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		return s, err
	}
	return s, f.Decode(&s)
}

func makeTariff(t testing.TB, zone, currency, text string) *tariff.Tariff {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	made, err := tariff.New(read(t, text), location, currency)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func onWallIn(t testing.TB, zone, clock string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return onWall(t, location, clock)
}

const shanghai = "Asia/Shanghai"

// lot is a tariff with a little of everything that a lot in town has.
const lot = `
grace: 15m
calendar: { 2026-10-01: holiday, 2026-10-10: fri }
electric: { free: 1h, percent_off: 50 }
vehicles:
  car:
    free: { for: 15m, longer: forfeited }
    caps: { day: 6000, stay: 20000 }
    periods:
      - name: { zh: 白天, en: Day }
        at: [ { from: "08:00", to: "20:00" } ]
        steps:
          - { for: 1h, each: 1h, price: 1000 }
          - { each: 30m, price: 400 }
      - name: { zh: 夜间, en: Night }
        at: [ { to: "08:00" }, { from: "20:00" } ]
        steps: [ { each: 12h, price: 1000 } ]
        cap: 1000
  large:
    periods:
      - name: { zh: 全天, en: All day }
        steps: [ { each: 1h, price: 2000 } ]
`

func TestALot(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	for _, c := range []struct {
		from, to, vehicle string
		electric          bool
		want              int64
	}{
		{"2026-05-06 09:00", "2026-05-06 09:00", "", false, 0},
		{"2026-05-06 09:00", "2026-05-06 09:15", "", false, 0},
		{"2026-05-06 09:00", "2026-05-06 09:16", "", false, 1000},
		{"2026-05-06 09:00", "2026-05-06 10:00", "", false, 1000},
		{"2026-05-06 09:00", "2026-05-06 10:01", "", false, 1400},
		{"2026-05-06 09:00", "2026-05-06 10:31", "car", false, 1800},
		{"2026-05-06 09:00", "2026-05-06 19:00", "", false, 6000},                    // 1000 + 18 × 400, and the cap of the day
		{"2026-05-06 19:30", "2026-05-06 21:00", "", false, 2000},                    // half an hour of the day, then the night
		{"2026-05-06 19:30", "2026-05-07 09:00", "", false, 1000 + 1000 + 400 + 400}, // after the night the first hour is long over
		{"2026-05-06 21:00", "2026-05-07 07:00", "", false, 1000},                    // one night, over midnight
		{"2026-05-01 09:00", "2026-05-09 09:00", "", false, 20000},                   // the cap of the stay
		{"2026-05-06 09:00", "2026-05-06 10:00", "", true, 0},                        // electric
		{"2026-05-06 09:00", "2026-05-06 11:00", "", true, 500},                      // an hour free, an hour at half the price
		{"2026-05-06 09:00", "2026-05-06 21:00", "", true, (6000 + 0) / 2},           // half of what the cap leaves
		{"2026-05-06 09:00", "2026-05-06 09:01", "large", false, 2000},               // no free minutes
	} {
		p, err := made.Price(tariff.Visit{Entered: onWallIn(t, shanghai, c.from), Left: onWallIn(t, shanghai, c.to), Vehicle: c.vehicle, Electric: c.electric})
		if err != nil {
			t.Fatal(err)
		}
		checkPrice(t, p)
		if p.Minor != c.want || p.Due != c.want {
			t.Errorf("%s to %s: %d, due %d; want %d\n%s", c.from, c.to, p.Minor, p.Due, c.want, said(p))
		}
	}
}

func TestGrace(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	entered := onWallIn(t, shanghai, "2026-05-06 09:00")
	pay := func(after time.Duration, minor int64) tariff.Payment {
		return tariff.Payment{At: entered.Add(after), Minor: minor}
	}
	for name, c := range map[string]struct {
		left       time.Duration
		paid       []tariff.Payment
		minor, due int64
	}{
		"within it":                     {70 * time.Minute, []tariff.Payment{pay(time.Hour, 1000)}, 1000, 0},
		"at its end":                    {75 * time.Minute, []tariff.Payment{pay(time.Hour, 1000)}, 1000, 0},
		"after it, the rest is due":     {76 * time.Minute, []tariff.Payment{pay(time.Hour, 1000)}, 1400, 400},
		"too little was paid":           {70 * time.Minute, []tariff.Payment{pay(time.Hour, 999)}, 1400, 401},
		"too much was paid":             {100 * time.Minute, []tariff.Payment{pay(time.Hour, 5000)}, 1800, 0},
		"paid twice, in any order":      {100 * time.Minute, []tariff.Payment{pay(90*time.Minute, 400), pay(time.Hour, 1000)}, 1400, 0},
		"the second begins it anew":     {106 * time.Minute, []tariff.Payment{pay(time.Hour, 1000), pay(91*time.Minute, 800)}, 1800, 0},
		"free, and paid nothing":        {20 * time.Minute, []tariff.Payment{pay(10*time.Minute, 0)}, 0, 0},
		"paid after leaving":            {70 * time.Minute, []tariff.Payment{pay(71*time.Minute, 1000)}, 1400, 400},
		"paid when leaving":             {70 * time.Minute, []tariff.Payment{pay(70*time.Minute, 1400)}, 1400, 0},
		"paid before, by a wrong clock": {70 * time.Minute, []tariff.Payment{pay(-time.Minute, 1000)}, 1400, 400},
	} {
		p, err := made.Price(tariff.Visit{Entered: entered, Left: entered.Add(c.left), Paid: c.paid})
		if err != nil {
			t.Fatal(err)
		}
		checkPrice(t, p)
		if p.Minor != c.minor || p.Due != c.due {
			t.Errorf("%s: %d, due %d; want %d, due %d\n%s", name, p.Minor, p.Due, c.minor, c.due, said(p))
		}
	}
}

func TestPasses(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	span := func(from, to string) tariff.Span {
		return tariff.Span{From: onWallIn(t, shanghai, from), To: onWallIn(t, shanghai, to)}
	}
	for name, c := range map[string]struct {
		from, to string
		passes   []tariff.Span
		want     int64
	}{
		"all of it":                      {"2026-05-06 09:00", "2026-05-06 19:00", []tariff.Span{span("2026-05-01 00:00", "2026-06-01 00:00")}, 0},
		"none of it":                     {"2026-05-06 09:00", "2026-05-06 10:00", []tariff.Span{span("2026-04-01 00:00", "2026-05-01 00:00")}, 1000},
		"a month ends at midnight":       {"2026-05-31 20:00", "2026-06-01 09:00", []tariff.Span{span("2026-05-01 00:00", "2026-06-01 00:00")}, 1000 + 400 + 400},
		"it ends just before leaving":    {"2026-05-31 20:00", "2026-06-01 00:15", []tariff.Span{span("2026-05-01 00:00", "2026-06-01 00:00")}, 0},
		"the unit goes on after it":      {"2026-05-06 09:00", "2026-05-06 11:00", []tariff.Span{span("2026-05-06 09:30", "2026-05-06 10:30")}, 1000},
		"overlapping, and not in order":  {"2026-05-06 09:00", "2026-05-06 13:00", []tariff.Span{span("2026-05-06 11:00", "2026-05-06 13:00"), span("2026-05-06 09:00", "2026-05-06 12:00")}, 0},
		"one that ends before it begins": {"2026-05-06 09:00", "2026-05-06 10:00", []tariff.Span{span("2026-05-06 10:00", "2026-05-06 09:00")}, 1000},
		"two that meet are as one":       {"2026-05-06 09:00", "2026-05-06 13:00", []tariff.Span{span("2026-05-06 09:00", "2026-05-06 11:00"), span("2026-05-06 11:00", "2026-05-06 13:00")}, 0},
	} {
		p, err := made.Price(tariff.Visit{Entered: onWallIn(t, shanghai, c.from), Left: onWallIn(t, shanghai, c.to), Passes: c.passes})
		if err != nil {
			t.Fatal(err)
		}
		checkPrice(t, p)
		if p.Minor != c.want {
			t.Errorf("%s: %d, want %d\n%s", name, p.Minor, c.want, said(p))
		}
	}
}

// TestWholeUnitsAtBorders: a unit that is over just when its period or the stay ends has been whole.
func TestWholeUnitsAtBorders(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", `
units: whole
vehicles:
  car:
    caps: { day: 5000 }
    periods:
      - { name: { zh: 夜间, en: Night }, at: [ { to: "01:00" }, { from: "20:00" } ], steps: [ { each: 2h, price: 700 } ] }
      - { name: { zh: 白天, en: Day }, at: [ { from: "01:00", to: "20:00" } ], steps: [ { each: 1h, price: 300 } ] }
`)
	for _, c := range []struct {
		from, to string
		want     int64
	}{
		{"2026-05-06 23:00", "2026-05-07 01:00", 700}, {"2026-05-06 23:00", "2026-05-07 02:00", 1000}, // over midnight
		{"2026-05-06 23:00", "2026-05-07 00:59", 0}, {"2026-05-06 23:01", "2026-05-07 02:00", 300},
		{"2026-05-06 19:00", "2026-05-06 22:00", 1000}, {"2026-05-06 19:01", "2026-05-06 21:59", 0},
	} {
		p, err := made.Price(tariff.Visit{Entered: onWallIn(t, shanghai, c.from), Left: onWallIn(t, shanghai, c.to)})
		if err != nil || p.Minor != c.want {
			t.Errorf("%s to %s: %d, want %d: %v\n%s", c.from, c.to, p.Minor, c.want, err, said(p))
		}
	}
}

// TestCapThenRounding: a cap is of the exact sum, and rounding comes after it, once. Rounded first, these stays would
// cost 1250 and 2150, as where each unit is rounded.
func TestCapThenRounding(t *testing.T) {
	const text = `
rounding: { to: 100, way: down }
vehicles: { car: { caps: { day: %DAY% }, periods: [ { name: { zh: 全天, en: All day }, steps: [ { each: 1h, price: 950 } ] } ] } }`
	capped := makeTariff(t, shanghai, "CNY", strings.Replace(text, "%DAY%", "1250", 1))
	from := onWallIn(t, shanghai, "2026-05-06 20:00")
	for hours, want := range map[time.Duration]int64{1: 900, 2: 1200, 5: 2200} { // 950, 1250, 1250 + 950
		p, err := capped.Price(tariff.Visit{Entered: from, Left: from.Add(hours * time.Hour)})
		if err != nil || p.Minor != want {
			t.Errorf("%d hours: %d, want %d: %v\n%s", hours, p.Minor, want, err, said(p))
		}
	}
	first := makeTariff(t, shanghai, "CNY", strings.Replace(strings.Replace(text, "way: down", "way: down, at: unit", 1), "%DAY%", "1250", 1))
	for hours, want := range map[time.Duration]int64{1: 900, 2: 1250, 5: 2150} { // 900, 1250, 1250 + 900
		p, err := first.Price(tariff.Visit{Entered: from, Left: from.Add(hours * time.Hour)})
		if err != nil || p.Minor != want {
			t.Errorf("%d hours, each unit rounded: %d, want %d: %v\n%s", hours, p.Minor, want, err, said(p))
		}
	}
}

func TestRounding(t *testing.T) {
	for _, c := range []struct {
		rounding string
		minutes  time.Duration
		want     int64
	}{
		{"{ }", 1, 3}, {"{ way: down }", 1, 2}, {"{ way: up }", 1, 3}, {"{ }", 2, 5}, // 2.5 a minute
		{"{ to: 10 }", 1, 0}, {"{ to: 10 }", 2, 10}, {"{ to: 10 }", 3, 10}, {"{ to: 10, way: up }", 1, 10}, {"{ to: 10, way: up }", 4, 10},
		{"{ to: 10, way: down }", 7, 10}, {"{ at: unit }", 7, 21}, {"{ at: unit, way: down }", 7, 14},
	} {
		made := makeTariff(t, shanghai, "CNY", "rounding: "+c.rounding+`
vehicles: { car: { periods: [ { name: { zh: 全天, en: All day }, steps: [ { each: 1m, price: 150, per: 1h } ] } ] } }`)
		from := onWallIn(t, shanghai, "2026-05-06 10:00")
		p, err := made.Price(tariff.Visit{Entered: from, Left: from.Add(c.minutes * time.Minute)})
		if err != nil || p.Minor != c.want {
			t.Errorf("%s, %d minutes: %d, want %d: %v", c.rounding, c.minutes, p.Minor, c.want, err)
		}
		checkPrice(t, p)
	}
}

func TestVisitsWithoutAPrice(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	now := onWallIn(t, shanghai, "2026-05-06 09:00")
	for name, c := range map[string]struct {
		visit tariff.Visit
		want  error
	}{
		"an exit before the entry": {tariff.Visit{Entered: now, Left: now.Add(-time.Second)}, tariff.ErrTime},
		"no times":                 {tariff.Visit{}, tariff.ErrTime},
		"no exit":                  {tariff.Visit{Entered: now}, tariff.ErrTime},
		"too long":                 {tariff.Visit{Entered: now, Left: now.Add(3661 * 24 * time.Hour)}, tariff.ErrTime},
		"too early":                {tariff.Visit{Entered: time.Unix(0, 0), Left: time.Unix(100, 0)}, tariff.ErrTime},
		"an unknown vehicle":       {tariff.Visit{Entered: now, Left: now, Vehicle: "tank"}, tariff.ErrVehicle},
		"a negative payment":       {tariff.Visit{Entered: now, Left: now, Paid: []tariff.Payment{{Minor: -1}}}, tariff.ErrPaid},
		"a payment past 2^53-1":    {tariff.Visit{Entered: now, Left: now, Paid: []tariff.Payment{{Minor: 1 << 53}}}, tariff.ErrPaid},
		"payments past 2^53-1":     {tariff.Visit{Entered: now, Left: now, Paid: []tariff.Payment{{Minor: 1<<53 - 1}, {Minor: 1}}}, tariff.ErrPaid},
	} {
		p, err := made.Price(c.visit)
		if !errors.Is(err, c.want) || p.Lines != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestAmountsPast: what cannot be counted is refused, never wrapped.
func TestAmountsPast(t *testing.T) {
	text := func(price string) string {
		return `vehicles: { car: { periods: [ { name: { zh: 全天, en: All day }, steps: [ { each: 1h, price: ` + price + ` } ] } ] } }`
	}
	now := onWallIn(t, shanghai, "2026-05-06 09:00")
	most := makeTariff(t, shanghai, "CNY", text("9007199254740991"))
	p, err := most.Price(tariff.Visit{Entered: now, Left: now.Add(time.Hour)})
	if err != nil || p.Minor != 1<<53-1 {
		t.Errorf("%d, want 2^53-1: %v", p.Minor, err)
	}
	for _, hours := range []time.Duration{2, 11, 1024, 3660 * 24} {
		if p, err := most.Price(tariff.Visit{Entered: now, Left: now.Add(hours * time.Hour)}); !errors.Is(err, tariff.ErrAmount) {
			t.Errorf("%d hours: %d, want an error: %v", hours, p.Minor, err)
		}
	}
	if _, err := tariff.New(read(t, text("9007199254740992")), time.UTC, "CNY"); err == nil || !strings.Contains(err.Error(), "steps[0].price") {
		t.Errorf("a price of 2^53: %v", err)
	}
	p, err = most.Price(tariff.Visit{Entered: now, Left: now.Add(time.Hour), Paid: []tariff.Payment{{At: now, Minor: math.MaxInt32}}})
	if err != nil || p.Due != 1<<53-1-math.MaxInt32 {
		t.Errorf("due %d: %v", p.Due, err)
	}
}

// TestManyAtOnce: one tariff serves all goroutines.
func TestManyAtOnce(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	from := onWallIn(t, shanghai, "2026-05-06 09:00")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if p, err := made.Price(tariff.Visit{Entered: from, Left: from.Add(91 * time.Minute)}); err != nil || p.Minor != 1800+0 {
					t.Errorf("%d: %v", p.Minor, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkPrice measures stays of two hours, three days and a year.
func BenchmarkPrice(b *testing.B) {
	made := makeTariff(b, shanghai, "CNY", lot)
	from := onWallIn(b, shanghai, "2026-05-06 09:00")
	for name, long := range map[string]time.Duration{"hours": 2 * time.Hour, "days": 72 * time.Hour, "year": 365 * 24 * time.Hour} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := made.Price(tariff.Visit{Entered: from, Left: from.Add(long)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
