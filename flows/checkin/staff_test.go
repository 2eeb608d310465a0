package checkin_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// part is the dial of one call about a booking.
func part(b checkintest.Booked, last string, d twin.Dial) twin.Dial {
	d.Path = "/fof/v1/hotels/" + hotel + "/reservations/" + b.ID + "/" + last
	return d
}

// resolved settles the only open assist of a kind.
func resolved(t testing.TB, c *checkintest.Town, kind, word string, details any) {
	t.Helper()
	if a := c.Resolve(kind, word, details); a.Status != http.StatusCreated {
		t.Fatalf("%s %s: %d %s", kind, word, a.Status, a.Text)
	}
}

// TestIdentityCheckedByEye: staff vouch for the guests, who go on at the kiosk; the police hear that a person has looked.
func TestIdentityCheckedByEye(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	for _, x := range []struct {
		want identity.Want
		kind string
	}{
		{identity.Want{Face: identity.Other}, "identity-mismatch"}, {identity.Want{Scenario: identity.Minor}, "minor"},
		{identity.Want{Scenario: identity.OldCard}, "document-expired"}, {identity.Want{Scenario: identity.ForeignPassport}, "foreign-passport"},
	} {
		b := c.Book(hotel, "", c.Person(hotel, x.want))
		a := c.CheckIn(hotel, b.Arrival("lobby-1"))
		if got := checkintest.Outcome(t, a); got != "a person: "+x.kind {
			t.Fatal(got)
		}
		resolved(t, c, x.kind, "identity-checked", nil)
		if got := c.Journey(c.Token("kiosk", "hotel:check-in"), a); got != "settled continue" {
			t.Errorf("%s: the kiosk hears %s", x.kind, got)
		}
		if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "checked-in" {
			t.Errorf("%s, then: %s", x.kind, got)
		}
		if y := complete(t, c, b); y.Police[0].SeenBy != "staff" {
			t.Errorf("the police have %+v", y.Police)
		}
	}
	if n := c.Number(`SELECT count(*) FROM vouches WHERE until > $1`, time.Now().Add(time.Hour).UnixMilli()); n != 0 {
		t.Errorf("%d vouches are good for more than an hour", n)
	}
}

// TestNameCheckedByEye: a slip in the name is a person's; what they have settled is for that booking alone.
func TestNameCheckedByEye(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	p := c.Person(hotel, identity.Want{})
	made, err := c.OHIP[hotel].Reserve(ohip.Want{Count: 2, Guests: []ohip.WantGuest{{Surname: p.Document.LatinName[:6], GivenName: p.Document.LatinName[7:] + "X"}}})
	if err != nil {
		t.Fatal(err)
	}
	first, second := checkintest.Booked{Hotel: hotel, ID: made[0].ID, Confirmation: made[0].Confirmation, People: []identity.Made{p}},
		checkintest.Booked{Hotel: hotel, ID: made[1].ID, Confirmation: made[1].Confirmation, People: []identity.Made{p}}
	if got := checkintest.Outcome(t, c.CheckIn(hotel, first.Arrival("lobby-1"))); got != "a person: name-mismatch" {
		t.Fatal(got)
	}
	resolved(t, c, "name-mismatch", "name-checked", nil)
	if got := checkintest.Outcome(t, c.CheckIn(hotel, first.Arrival("lobby-1"))); got != "checked-in" {
		t.Errorf("then: %s", got)
	}
	if got := checkintest.Outcome(t, c.CheckIn(hotel, second.Arrival("lobby-1"))); got != "a person: name-mismatch" {
		t.Errorf("with another booking: %s", got)
	}
}

// TestNoShowIsRevived: the front desk revives it, and the guest goes on.
func TestNoShowIsRevived(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	p := c.Person(hotel, identity.Want{})
	surname, given, _ := strings.Cut(p.Document.LatinName, " ")
	made, err := c.OHIP[hotel].Reserve(ohip.Want{Scenario: ohip.MarkedGone, Nights: 3, Guests: []ohip.WantGuest{{Surname: surname, GivenName: given, Alternate: p.Document.Name, BirthDate: p.Document.BirthDate}}})
	if err != nil {
		t.Fatal(err)
	}
	b := checkintest.Booked{Hotel: hotel, ID: made[0].ID, Confirmation: made[0].Confirmation, People: []identity.Made{p}}
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "a person: no-show" {
		t.Fatal(got)
	}
	untouched(t, c, b)
	if err := c.OHIP[hotel].ByHand(b.ID, ohip.StatusReserved, ""); err != nil {
		t.Fatal(err)
	}
	resolved(t, c, "no-show", "continue", nil)
	in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	complete(t, c, b)
}

// TestCheckedInByHand: staff have done it at the hotel's system; the ledger and the police hear of it, once.
func TestCheckedInByHand(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "", c.Person(hotel, identity.Want{Face: identity.Other}))
	c.CheckIn(hotel, b.Arrival("lobby-1"))
	if a := c.Resolve("identity-mismatch", "checked-in", nil); a.Problem() != "field-invalid" {
		t.Errorf("without a room: %d %s", a.Status, a.Text)
	}
	if err := c.OHIP[hotel].ByHand(b.ID, ohip.StatusInHouse, "301"); err != nil {
		t.Fatal(err)
	}
	path := "/v1/assists/" + c.Waiting()[0].ID + "/resolution"
	if a := c.Staff(path, m{"resolution": "checked-in", "reason": "by hand", "details": m{"room": "301"}}); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	c.Quiet()
	if x := c.Truth(b); !x.InHouse || len(x.Police) != 1 || x.Police[0].Room != "301" || x.Police[0].SeenBy != "staff" {
		t.Errorf("the systems have %+v", x)
	}
	if got := byHand(c); got != "check-in key" {
		t.Errorf("done by hand: %q", got)
	}
	if a := c.CheckIn(hotel, b.Arrival("lobby-1")); a.Status != http.StatusAccepted && a.Status != http.StatusCreated {
		t.Errorf("at the kiosk afterwards: %d %s", a.Status, a.Text)
	}
	if x := c.Truth(b); x.CheckIns != 0 || x.KeySets != 0 {
		t.Errorf("it was done again: %+v", x)
	}
	c.Tomorrow()
	if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "checked-out" {
		t.Errorf("check-out: %s", got)
	}
}

// TestSomebodyJoins: a companion who comes later is a person's, and then registered like any other.
func TestSomebodyJoins(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "")
	in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	friend := c.Person(hotel, identity.Want{})
	body := b.Arrival("lobby-2")
	body["guests"] = append(body["guests"].([]any), checkintest.Guest(friend))
	if got := checkintest.Outcome(t, c.CheckIn(hotel, body)); got != "a person: companion" {
		t.Fatal(got)
	}
	resolved(t, c, "companion", "guest-added", nil)
	c.Quiet()
	if x := c.Truth(b); len(x.Police) != 2 || x.CheckIns != 1 {
		t.Errorf("the systems have %+v", x)
	}
	c.Tomorrow()
	if got := checkintest.Outcome(t, c.CheckOut(hotel, friend)); got != "checked-out" {
		t.Errorf("the friend leaves: %s", got)
	}
	c.Quiet()
	for _, r := range c.Truth(b).Police {
		if r.State != police.Departed {
			t.Errorf("the police have %+v", r)
		}
	}
}

// TestNoKeyAfterThePivot: everything is done but the key; staff cut it, or have it cut again.
func TestNoKeyAfterThePivot(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"key-cut", "key-again"} {
		for _, after := range []bool{false, true} {
			c := start(t, "")
			b := c.Book(hotel, "")
			c.Dial(hotel, "pms", part(b, "roomKeys", twin.Dial{Fault: twin.Reset, AfterEffect: after}))
			a := c.CheckIn(hotel, b.Arrival("lobby-1"))
			if got := checkintest.Outcome(t, a); got != "a person: key" {
				t.Fatal(got)
			}
			if got := c.Journey(c.Token("kiosk", "hotel:check-in"), a); got != "assist wait" {
				t.Errorf("the kiosk hears %s", got)
			}
			open := c.Waiting()
			if len(open) != 1 || !strings.Contains(checkintest.Steps(open[0].Done), "check-in arrive register") || checkintest.Steps(open[0].NotDone) != "key" ||
				open[0].NotDone[0].Name != "Cut the key" ||
				strings.Join(open[0].Tried, " ") != "key: no answer" || open[0].Place != "lobby-1" {
				t.Errorf("assists %+v", open)
			}
			c.Dial(hotel, "pms", twin.Dial{})
			resolved(t, c, "key", word, nil)
			if got := c.Journey(c.Token("kiosk", "hotel:check-in"), a); got != "settled checked-in" {
				t.Errorf("%s: the kiosk hears %s", word, got)
			}
			c.Quiet()
			x := c.Truth(b)
			if want := after || word == "key-again"; !x.InHouse || (x.Keys == 1) != want || x.KeySets > 1 {
				t.Errorf("%s, after the effect %t: %+v", word, after, x)
			}
			if got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); !got.Again || got.Keys.Count != 1 {
				t.Errorf("%s, afterwards %+v", word, got)
			}
		}
	}
}

// byHand lists the steps that a person has done for the only guest of the hotel, as the ledger has it.
func byHand(c *checkintest.Town) string {
	return strings.Join(c.Words(`SELECT step FROM operations WHERE state = 'done' AND reason = 'by hand' ORDER BY ord`), " ")
}

// TestRegisteredByHand: what staff have told the police themselves is not sent, and nobody is told that those guests leave.
func TestRegisteredByHand(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "")
	d := b.People[0].Document
	if err := c.Police[hotel].Mark(police.Want{Scenario: police.Check, DocumentType: d.Type, DocumentNumber: d.Number}); err != nil {
		t.Fatal(err)
	}
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "a person: registration-refused" {
		t.Fatal(got)
	}
	resolved(t, c, "registration-refused", "registered", nil)
	if got := byHand(c); got != "register" {
		t.Errorf("done by hand: %q", got)
	}
	c.Tomorrow()
	if got := checkintest.Outcome(t, c.CheckOut(hotel, b.People[0])); got != "checked-out" {
		t.Errorf("check-out: %s", got)
	}
	c.Quiet()
	if x := c.Truth(b); len(x.Police) != 0 || len(c.Waiting()) != 0 {
		t.Errorf("the systems have %+v", x)
	}
}

// TestCheckInUnclear: nobody knows whether the guest is in house; staff finish it or call it off, whatever had happened.
func TestCheckInUnclear(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"finish", "call-off"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(word, " after the effect ", after), func(t *testing.T) {
				t.Parallel()
				c := start(t, "")
				b := c.Book(hotel, "")
				c.Dial(hotel, "pms", part(b, "checkIns", twin.Dial{Fault: twin.Reset, AfterEffect: after}))
				if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "a person: check-in-unclear" {
					t.Fatal(got)
				}
				if a := c.CheckIn(hotel, b.Arrival("lobby-2")); a.Problem() != "with-front-desk" {
					t.Errorf("meanwhile: %d %s", a.Status, a.Text)
				}
				c.Dial(hotel, "pms", twin.Dial{})
				resolved(t, c, "check-in-unclear", word, nil)
				c.Quiet()
				if word == "call-off" {
					untouched(t, c, b)
					in(t, c.CheckIn(hotel, b.Arrival("lobby-1"))) // they try again
					c.Quiet()
					if x := c.Truth(b); !x.InHouse || x.Keys != 1 || len(x.Police) != 1 {
						t.Errorf("the systems have %+v", x)
					}
					return
				}
				if x := c.Truth(b); !x.InHouse || x.Room == "" || x.CheckIns != 1 || len(x.Police) != 1 {
					t.Errorf("the systems have %+v", x)
				}
			})
		}
	}
}

// TestTheLedgerDiesAtEachStep: while a call is on its way nothing can be kept any more, as after a kill. What has happened
// is found out, and undone or finished.
func TestTheLedgerDiesAtEachStep(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		at   string
		kind string // of assist, in the end
		in   bool
		done func(y checkintest.Truth) bool // at the hotel's system, whose answer is still on its way
	}{
		{"roomAssignments", "", false, func(y checkintest.Truth) bool { return y.Room != "" }},
		{"checkIns", "check-in-interrupted", true, func(y checkintest.Truth) bool { return y.InHouse }},
		{"roomKeys", "", true, func(y checkintest.Truth) bool { return y.KeySets > 0 }},
	} {
		t.Run(x.at, func(t *testing.T) {
			t.Parallel()
			c := start(t, "")
			warm := c.Book(hotel, "")
			in(t, c.CheckIn(hotel, warm.Arrival("lobby-1")))
			b := c.Book(hotel, "")
			c.Dial(hotel, "pms", part(b, x.at, twin.Dial{LatencyMS: 450, AfterEffect: true}))
			var dies sync.WaitGroup
			dies.Go(func() {
				c.Eventually(x.at+" is done", func() bool { return x.done(c.Truth(b)) })
				c.Ledger.Set(ledgertest.AtBegin, ledgertest.Full)
				c.Dial(hotel, "pms", twin.Dial{}) // lets the answer go
			})
			a := c.CheckIn(hotel, b.Arrival("lobby-1"))
			dies.Wait()
			if got := checkintest.Outcome(t, a); got != "503 ledger-unavailable" && !(x.at == "roomKeys" && got == "checked-in") {
				t.Errorf("answer %s", got)
			}
			c.Ledger.Set(ledgertest.AtBegin, ledgertest.None)
			c.Quiet()
			y := c.Truth(b)
			if y.InHouse != x.in || y.Keys > 0 && !y.InHouse || y.InHouse && y.Room == "" {
				t.Errorf("the systems have %+v", y)
			}
			open := c.Waiting()
			switch {
			case x.kind == "" && len(open) > 0, x.kind != "" && (len(open) != 1 || open[0].Kind != x.kind || open[0].Place != "lobby-1"):
				t.Errorf("assists %+v", open)
			case x.kind != "":
				resolved(t, c, x.kind, "finish", nil)
				c.Quiet()
				if got := byHand(c); got != "key" {
					t.Errorf("done by hand: %q", got)
				}
			}
			if !x.in {
				untouchedBooking(t, c, b)
				in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
			} else if got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); !got.Again {
				t.Errorf("afterwards %+v", got)
			}
			if y := c.Truth(b); !y.InHouse || y.CheckIns != 1 || len(y.Police) != 1 || y.KeySets > 1 {
				t.Errorf("in the end %+v", y)
			}
		})
	}
}

// untouchedBooking is untouched where other guests are in house.
func untouchedBooking(t testing.TB, c *checkintest.Town, b checkintest.Booked) {
	t.Helper()
	if x := c.Truth(b); x.InHouse || x.Room != "" || x.Keys > 0 || len(x.Police) > 0 {
		t.Errorf("the systems have %+v", x)
	}
	if n := c.Number(`SELECT count(*) FROM stays WHERE booking = $1`, b.ID); n > 0 {
		t.Errorf("%d stays are left in the ledger", n)
	}
}
