package tariff_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
)

// TestLongerNeverCostsLess: the price never falls as the stay goes on, whatever the settings, with and without grace.
// Due does not fall either.
func TestLongerNeverCostsLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSettings(t)
		s.Grace = drawMinutes(t, "grace", 0, 15)
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := tariff.New(s, zone, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		v := drawVisit(t)
		v.Paid = drawPayments(t, made, v)
		v.Left = v.Entered
		before := tariff.Price{}
		for range rapid.IntRange(2, 60).Draw(t, "steps") {
			v.Left = v.Left.Add(time.Duration(rapid.IntRange(1, 7200).Draw(t, "seconds")) * time.Second)
			p, err := made.Price(v)
			if err != nil {
				t.Fatal(err)
			}
			checkPrice(t, p)
			if p.Minor < before.Minor || p.Due < before.Due {
				t.Fatalf("until %s: %d, due %d; before it %d, due %d", v.Left, p.Minor, p.Due, before.Minor, before.Due)
			}
			before = p
		}
	})
}

// drawPayments draws payments of what a stay costs until some moments, or a little less.
func drawPayments(t *rapid.T, made *tariff.Tariff, v tariff.Visit) (paid []tariff.Payment) {
	sum := int64(0)
	for range rapid.IntRange(0, 2).Draw(t, "payments") {
		v.Left = v.Entered.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "paid after")) * time.Minute)
		p, err := made.Price(v)
		if err != nil {
			t.Fatal(err)
		}
		minor := max(p.Minor-sum-rapid.SampledFrom([]int64{0, 0, 1}).Draw(t, "less"), 0)
		sum += minor
		paid = append(paid, tariff.Payment{At: v.Left, Minor: minor})
	}
	return paid
}

// TestCapsHold: no stay costs more than its cap, nor than that of a day for each day that it touches, nor than that of 24
// hours for each of them that it begins.
func TestCapsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made, s, zone := drawTariff(t)
		v := drawVisit(t)
		p, err := made.Price(v)
		if err != nil {
			t.Fatal(err)
		}
		caps := s.Vehicles["car"].Caps
		days, last := int64(0), ""
		for now := v.Entered; now.Before(v.Left); now = now.Add(time.Minute) {
			if today := now.In(zone).Format(time.DateOnly); today != last {
				days, last = days+1, today
			}
		}
		windows := int64((v.Left.Sub(v.Entered) + 24*time.Hour - 1) / (24 * time.Hour))
		if caps.Stay > 0 && p.Minor > caps.Stay || caps.Day > 0 && p.Minor > days*caps.Day || caps.Hours24 > 0 && p.Minor > windows*caps.Hours24 {
			t.Fatalf("%d for %d days and %d times 24 hours, with caps %+v\n%s", p.Minor, days, windows, caps, said(p))
		}
	})
}

// simple draws a tariff of one price at all times, without free time, caps and fractions: in it stays can be split.
func simple(t *rapid.T) (*tariff.Tariff, time.Duration) {
	each := drawMinutes(t, "each", 1, 15, 30, 60)
	s := tariff.Settings{Vehicles: map[string]tariff.Rates{"car": {Periods: []tariff.Period{{
		Name: gateway.Text{Zh: "全天", En: "All day"}, Steps: []tariff.Step{{Each: each, Price: rapid.Int64Range(1, 5000).Draw(t, "price")}},
	}}}}}
	made, err := tariff.New(s, time.UTC, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	return made, each
}

// TestSplit: two stays one after the other cost no less than one, and exactly the same if the first is of whole units.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made, each := simple(t)
		v := drawVisit(t)
		middle := v.Entered.Add(time.Duration(rapid.Int64Range(0, int64(v.Left.Sub(v.Entered)/time.Second)).Draw(t, "split")) * time.Second)
		price := func(from, to time.Time) int64 {
			p, err := made.Price(tariff.Visit{Entered: from, Left: to})
			if err != nil {
				t.Fatal(err)
			}
			return p.Minor
		}
		whole, parts := price(v.Entered, v.Left), price(v.Entered, middle)+price(middle, v.Left)
		if even := middle.Sub(v.Entered)%each == 0; parts < whole || even && parts != whole {
			t.Fatalf("%d in one, %d in two", whole, parts)
		}
	})
}

// TestPassesOnlyHelp: with one price at all times, covered time never makes a stay dearer, and covering all of it is free.
// (With several prices it can: what begins later may begin in a dearer period.)
func TestPassesOnlyHelp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made, _ := simple(t)
		v := drawVisit(t)
		with, err := made.Price(v)
		if err != nil {
			t.Fatal(err)
		}
		v.Passes = nil
		without, err := made.Price(v)
		if err != nil {
			t.Fatal(err)
		}
		v.Passes = []tariff.Span{{From: v.Entered.Add(-time.Hour), To: v.Left.Add(time.Hour)}}
		none, err := made.Price(v)
		if err != nil || with.Minor > without.Minor || none.Minor != 0 {
			t.Fatalf("%d with passes, %d without, %d with a pass for all of it: %v", with.Minor, without.Minor, none.Minor, err)
		}
	})
}

// TestSecondsDecide: a fraction of a second does not count, a second does.
func TestSecondsDecide(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	from := onWallIn(t, shanghai, "2026-05-06 09:00")
	for after, want := range map[time.Duration]int64{
		15*time.Minute + 999*time.Millisecond: 0, 15*time.Minute + time.Second: 1000,
		time.Hour + 999*time.Millisecond: 1000, time.Hour + time.Second: 1400,
	} {
		p, err := made.Price(tariff.Visit{Entered: from, Left: from.Add(after)})
		if err != nil || p.Minor != want {
			t.Errorf("after %s: %d, want %d: %v", after, p.Minor, want, err)
		}
	}
}
