package ohip_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/gateway"
)

// tonight is a stay of two from a Saturday to a Sunday.
func tonight() ohip.StayQuery { return ohip.StayQuery{From: today, To: tomorrow, Adults: 2} }

// ask returns what the hotel has.
func (w world) ask(t testing.TB, q ohip.StayQuery) *ohip.Availability {
	t.Helper()
	got, err := w.client.Availability(twintest.Within(t, 10*time.Second), q)
	fine(t, err)
	return got
}

// find returns the offer of a type under a plan, nil when there is none.
func find(a *ohip.Availability, kind, plan string) *ohip.Offer {
	for i := range a.Offers {
		if a.Offers[i].RoomType == kind && a.Offers[i].RatePlan == plan {
			return &a.Offers[i]
		}
	}
	return nil
}

// free returns how many rooms of a type are free under the plan that every hotel has.
func free(a *ohip.Availability, kind string) int {
	if o := find(a, kind, "FLEX"); o != nil {
		return o.Free
	}
	return 0
}

func TestAvailabilityFollowsTheBooks(t *testing.T) {
	w := newWorld(t, nil)
	const dayAfter, late = "2026-05-04", "2026-05-10"
	want := func(what string, from, to string, n int) {
		t.Helper()
		if got := free(w.ask(t, ohip.StayQuery{From: from, To: to, Adults: 1}), "STD"); got != n {
			t.Errorf("%s: %d free from %s to %s, want %d", what, got, from, to, n)
		}
	}
	for kind, n := range map[string]int{"STD": 96, "TWN": 64, "DLX": 32, "STE": 8} {
		if got := free(w.ask(t, tonight()), kind); got != n {
			t.Errorf("%d %s free, want %d", got, kind, n)
		}
	}
	booked := w.make(t, ohip.Want{Nights: 2})
	want("a booking", today, tomorrow, 95)
	want("its second night", tomorrow, dayAfter, 95)
	want("after it", dayAfter, late, 96)
	want("over it", today, late, 95)
	w.make(t, ohip.Want{Scenario: ohip.Tomorrow})
	want("two on the second night", tomorrow, dayAfter, 94)
	want("one a night at the worst", today, tomorrow, 95)
	fine(t, w.twin.ByHand(booked.ID, ohip.StatusCancelled, ""))
	want("cancelled", today, tomorrow, 96)
	for state, n := range map[ohip.Housekeeping]int{ohip.Dirty: 96, ohip.OutOfService: 96, ohip.OutOfOrder: 95} {
		fine(t, w.twin.Housekeep("201", state))
		want(string(state), today, tomorrow, n)
	}
	fine(t, w.twin.Housekeep("201", ohip.Clean))

	w.make(t, ohip.Want{Scenario: ohip.Yesterday})
	w.make(t, ohip.Want{Scenario: ohip.HasLeft})
	w.make(t, ohip.Want{Scenario: ohip.LeavesNow})
	want("those who did not come, have left, or leave today", today, tomorrow, 96)
	in := w.make(t, ohip.Want{Scenario: ohip.StaysOn})
	want("somebody lives there", today, tomorrow, 95)
	fine(t, w.twin.Housekeep(in.RoomID, ohip.OutOfOrder))
	want("in a room out of order", today, tomorrow, 95)
	expected := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	want("somebody is expected", today, tomorrow, 94)
	fine(t, w.client.CheckIn(twintest.Within(t, 5*time.Second), expected.ID, expected.RoomID))
	want("and is there", today, tomorrow, 94)
	fine(t, w.client.UndoCheckIn(twintest.Within(t, 5*time.Second), expected.ID, true))
	want("and is expected again", today, tomorrow, 94)
	w.make(t, ohip.Want{Count: 94})
	want("full", today, tomorrow, 0)
	want("full on one of two nights", today, dayAfter, 0)
	if a := w.ask(t, tonight()); find(a, "STD", "FLEX") != nil || free(a, "TWN") != 64 {
		t.Errorf("a full type is offered: %+v", a.Offers)
	}
	w.make(t, ohip.Want{Count: 5})
	want("too many promised", today, tomorrow, 0)
	want("another night", tomorrow, dayAfter, 94) // one room is out of order, one is booked
}

// TestWhoShouldHaveLeft: a guest who stays past the day of departure keeps a room from others tonight, and not longer.
func TestWhoShouldHaveLeft(t *testing.T) {
	now := three
	hotel := newTwin(t, func(c *ohip.TwinConfig) { c.Clock = func() time.Time { return now } })
	w := worldOf(t, hotel, nil)
	w.make(t, ohip.Want{Scenario: ohip.LeavesNow})
	now = now.AddDate(0, 0, 1)
	if n := free(w.ask(t, ohip.StayQuery{From: tomorrow, To: "2026-05-04", Adults: 1}), "STD"); n != 95 {
		t.Errorf("%d free tonight", n)
	}
	if n := free(w.ask(t, ohip.StayQuery{From: "2026-05-04", To: "2026-05-05", Adults: 1}), "STD"); n != 96 {
		t.Errorf("%d free tomorrow", n)
	}
	if a := w.ask(t, ohip.StayQuery{From: today, To: tomorrow, Adults: 1}); len(a.Offers) != 0 {
		t.Errorf("yesterday is for sale: %+v", a.Offers)
	}
}

// TestNoNightIsSoldTwice: whatever happens at the hotel, what is free is what a count by hand of rooms and nights says.
func TestNoNightIsSoldTwice(t *testing.T) {
	city := twintest.City(t)
	serial := 0
	rapid.Check(t, func(r *rapid.T) {
		serial++
		name := fmt.Sprintf("h%d", serial)
		hotel := newTwin(t, func(c *ohip.TwinConfig) {
			for i := range 6 {
				c.Rooms = append(c.Rooms, ohip.TwinRoom{ID: fmt.Sprint(201 + i), Type: []string{"STD", "DLX"}[i%2]})
			}
		})
		fine(t, city.Add("ohip", name, hotel))
		client, err := ohip.New(testConfig(city.URL("ohip", name)))
		fine(t, err)
		defer client.Close()
		scenarios := []ohip.Scenario{ohip.DueToday, ohip.Assigned, ohip.Tomorrow, ohip.Yesterday, ohip.MarkedGone, ohip.CancelledR,
			ohip.StaysOn, ohip.LeavesNow, ohip.HasLeft}
		booked := map[string]string{} // the type of each reservation
		for range rapid.IntRange(0, 8).Draw(r, "steps") {
			kind := rapid.SampledFrom([]string{"STD", "DLX"}).Draw(r, "type")
			made, err := hotel.Reserve(ohip.Want{Scenario: rapid.SampledFrom(scenarios).Draw(r, "scenario"), RoomType: kind,
				Nights: rapid.IntRange(1, 4).Draw(r, "nights")})
			if err == nil {
				booked[made[0].ID] = kind
			}
			if err == nil && rapid.Bool().Draw(r, "by hand") {
				state := rapid.SampledFrom([]ohip.Status{ohip.StatusReserved, ohip.StatusCancelled, ohip.StatusCheckedOut}).Draw(r, "status")
				_ = hotel.ByHand(made[0].ID, state, "")
			}
			room := fmt.Sprint(201 + rapid.IntRange(0, 5).Draw(r, "room"))
			fine(t, hotel.Housekeep(room, rapid.SampledFrom([]ohip.Housekeeping{ohip.Clean, ohip.OutOfOrder}).Draw(r, "state")))
		}
		from := rapid.IntRange(0, 3).Draw(r, "from")
		to := from + rapid.IntRange(1, 4).Draw(r, "length")
		q := ohip.StayQuery{From: day(from), To: day(to), Adults: 1}
		got, err := client.Availability(twintest.Within(t, 10*time.Second), q)
		fine(t, err)
		for _, kind := range []string{"STD", "DLX"} {
			if n, want := free(got, kind), counted(hotel.ReadBooks(), booked, kind, from, to); n != want {
				r.Fatalf("%d %s free from %s to %s, want %d", n, kind, q.From, q.To, want)
			}
		}
	})
}

func day(n int) string { return three.AddDate(0, 0, n).Format(time.DateOnly) }

// counted counts by hand, from the books alone.
func counted(b ohip.TwinBooks, booked map[string]string, kind string, from, to int) int {
	least := len(b.Rooms)
	for n := from; n < to; n++ {
		left := 0
		broken := map[string]bool{}
		for _, room := range b.Rooms {
			if broken[room.ID] = room.Housekeeping == ohip.OutOfOrder; room.Type == kind && !broken[room.ID] {
				left++
			}
		}
		for _, s := range b.Reservations {
			in := s.Status == ohip.StatusInHouse
			waits := s.Status == ohip.StatusReserved && s.Arrival >= today
			if in && broken[s.RoomID] || !in && !waits || booked[s.ID] != kind {
				continue
			}
			if s.Arrival <= day(n) && day(n) < s.Departure {
				left--
			}
		}
		least = min(least, left)
	}
	return max(least, 0)
}

func TestPricesOfAStay(t *testing.T) {
	hotel := newTwin(t, func(c *ohip.TwinConfig) {
		c.Rooms = []ohip.TwinRoom{{ID: "1", Type: "STD"}, {ID: "2", Type: "DLX"}, {ID: "3", Type: "EASY"}}
		c.Types = []ohip.TwinType{{Code: "STD", People: 2, Price: 500_00}, {Code: "DLX", Name: "Lake view", People: 4, Price: 800_00, Features: []string{"LAKE"}},
			{Code: "EASY", Price: 450_00, Features: []string{"GROUND", ohip.SandboxAccessible}}}
	})
	w := worldOf(t, hotel, func(c *ohip.Config) { c.AccessibleFeatures = []string{"WHEELCHAIR", ohip.SandboxAccessible} })
	before := time.Now()
	a := w.ask(t, ohip.StayQuery{From: today, To: "2026-05-05", Adults: 2}) // Saturday, Sunday, Monday
	if a.AsOf.Before(before) || a.AsOf.After(time.Now()) || a.More || a.Closed {
		t.Errorf("%+v", a)
	}
	yuan := func(n int64) gateway.Money { return gateway.Money{Minor: n * 100, Currency: "CNY"} }
	std, dlx, easy := find(a, "STD", "FLEX"), find(a, "DLX", "FLEX"), find(a, "EASY", "FLEX")
	if std == nil || std.Price != yuan(575+500+500) || !std.TaxIncluded || std.Breakfast || std.Accessible || std.Free != 1 || std.AtLeast || std.Status != ohip.Offered {
		t.Errorf("STD: %+v", std)
	}
	if dlx == nil || dlx.Price != yuan(920+800+800) || dlx.RoomName != "Lake view" || !slices.Equal(dlx.Features, []string{"LAKE"}) || dlx.Accessible {
		t.Errorf("DLX: %+v", dlx)
	}
	if easy == nil || !easy.Accessible {
		t.Errorf("EASY: %+v", easy)
	}
	if find(a, "STD", "EARLY") != nil {
		t.Error("the plan for those who book early is for sale today")
	}
	bb := find(a, "STD", "FLEXBB")
	if bb == nil || !bb.Breakfast || (bb.Price.Minor-std.Price.Minor)%(3*2*100) != 0 || bb.Price.Minor <= std.Price.Minor {
		t.Fatalf("with breakfast: %+v", bb)
	}
	plate := (bb.Price.Minor - std.Price.Minor) / 6
	three := w.ask(t, ohip.StayQuery{From: "2026-05-12", To: "2026-05-13", Adults: 3, ChildAges: []int{5}})
	if find(three, "STD", "FLEX") != nil || find(three, "EASY", "FLEX") != nil {
		t.Errorf("four people in a room for two: %+v", three.Offers)
	}
	if o := find(three, "DLX", "FLEX"); o == nil || o.Price != yuan(880) {
		t.Errorf("a third adult: %+v", o)
	}
	if o := find(three, "DLX", "FLEXBB"); o == nil || o.Price.Minor != 880_00+4*plate {
		t.Errorf("breakfast for four: %+v, a plate %d", o, plate)
	}
	if o := find(three, "DLX", "EARLY"); o == nil || o.Price != yuan(784) || o.Breakfast {
		t.Errorf("a week ahead: %+v", o)
	}
	if o := find(w.ask(t, ohip.StayQuery{From: "2026-05-07", To: "2026-05-09", Adults: 1}), "STD", "FLEX"); o == nil || o.Price != yuan(500+575) {
		t.Errorf("Thursday and Friday: %+v", o)
	}
	if only := w.ask(t, ohip.StayQuery{From: today, To: tomorrow, Adults: 1, Types: []string{"DLX", "XXX"}}); len(only.Offers) != 2 || only.Offers[0].RoomType != "DLX" {
		t.Errorf("of one type: %+v", only.Offers)
	}
}
