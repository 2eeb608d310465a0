package checkin_test

import (
	"net/http"
	"testing"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// stay checks a party in and lets a night pass.
func stay(t testing.TB, c *checkintest.Town, people ...identity.Made) checkintest.Booked {
	t.Helper()
	b := c.Book(hotel, "", people...)
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got == "a person: key" {
		if a := c.Resolve("key", "key-cut", nil); a.Status != http.StatusCreated {
			t.Fatalf("key cut: %d %s", a.Status, a.Text)
		}
	} else if got != "checked-in" {
		t.Fatal(got)
	}
	c.Tomorrow()
	return b
}

// gone checks that a stay is over at every system.
func gone(t testing.TB, c *checkintest.Town, b checkintest.Booked) {
	t.Helper()
	c.Quiet()
	x := c.Truth(b)
	if !x.Left || x.Keys > 0 || len(x.Police) != len(b.People) {
		t.Errorf("the systems have %+v", x)
	}
	for _, r := range x.Police {
		if r.State != police.Departed {
			t.Errorf("the police have %+v", r)
		}
	}
	if n := c.Number(`SELECT count(*) FROM room_nights`); n > 0 {
		t.Errorf("%d nights are still kept", n)
	}
}

func TestCheckOut(t *testing.T) {
	t.Parallel()
	for _, pms := range []string{checkintest.OHIP, checkintest.Apaleo} {
		c := start(t, pms)
		b := stay(t, c, c.Person(hotel, identity.Want{}), c.Person(hotel, identity.Want{}))
		a := c.CheckOut(hotel, b.People[1]) // any of its guests
		if got := checkintest.Outcome(t, a); got != "checked-out" {
			t.Fatalf("%s: %s %s", pms, got, a.Text)
		}
		gone(t, c, b)
		var again struct {
			Again bool `json:"again"`
		}
		if c.CheckOut(hotel, b.People[0]).Into(t, &again); !again.Again {
			t.Error("a second check-out is not the same one")
		}
		if a := c.CheckIn(hotel, b.Arrival("lobby-2")); a.Problem() != "stay-over" {
			t.Errorf("%s: checked in again after leaving: %d %s", pms, a.Status, a.Text)
		}
	}
}

func TestCheckOutRefused(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	nobody := c.Person(hotel, identity.Want{})
	if a := c.CheckOut(hotel, nobody); a.Problem() != "stay-unknown" {
		t.Errorf("a stranger: %d %s", a.Status, a.Text)
	}
	b := c.Book(hotel, "")
	in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "a person: check-out-refused" { // it ends tomorrow
		t.Errorf("a day early: %s", got)
	}
	complete(t, c, b)
	if got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); !got.Again {
		t.Errorf("still in house: %+v", got)
	}
	if a := c.Resolve("check-out-refused", "continue", nil); a.Status != http.StatusCreated {
		t.Errorf("settled: %d %s", a.Status, a.Text)
	}
	c.Tomorrow()
	if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "checked-out" {
		t.Errorf("on the day: %s", got)
	}
	gone(t, c, b)
}

// TestCheckOutUnclear: the hotel's system does not answer; a person says what has happened.
func TestCheckOutUnclear(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		after bool
		word  string
	}{{true, "finish"}, {false, "finish"}, {false, "call-off"}} {
		c := start(t, "")
		b := stay(t, c)
		c.Dial(hotel, "pms", twin.Dial{Fault: twin.Reset, AfterEffect: x.after, Path: "/csh/"})
		if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "a person: check-out-unclear" {
			t.Fatal(got)
		}
		if a := c.CheckOut(hotel, b.People[0]); a.Problem() != "with-front-desk" {
			t.Errorf("meanwhile: %d %s", a.Status, a.Text)
		}
		c.Dial(hotel, "pms", twin.Dial{})
		if open := c.Waiting(); len(open) != 1 || open[0].Place == "" {
			t.Errorf("assists %+v", open)
		}
		if a := c.Resolve("check-out-unclear", x.word, nil); a.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", x.word, a.Status, a.Text)
		}
		if x.word == "call-off" {
			c.Quiet()
			if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "checked-out" {
				t.Errorf("called off, then: %s", got)
			}
		}
		gone(t, c, b)
	}
}

// TestThePoliceAreLate: a guest leaves before the registration is there; both arrive, in their order.
func TestThePoliceAreLate(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	c.Dial(hotel, "police", twin.Dial{Fault: twin.Refuse})
	b := c.Book(hotel, "")
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "checked-in, register pending" {
		t.Fatal(got)
	}
	c.Tomorrow()
	if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "checked-out, departures pending" {
		t.Fatal(got)
	}
	c.Dial(hotel, "police", twin.Dial{})
	gone(t, c, b)
}
