package checkin_test

import (
	"flag"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// walk is a day at a hotel: parties come, faults come and go, the ledger dies, staff settle what waits, guests leave. The
// model knows what was told to whom; the hotel's, the bureau's and the ledger's books are held against it.
type walk struct {
	c        *checkintest.Town
	pms      string
	bookings []*walked
	night    bool
}

// walked is a booking of a walk.
type walked struct {
	checkintest.Booked
	told      bool // they were told that they are checked in
	toldOut   bool // they were told that they have left
	calledOff int  // times that staff had it taken back
	byHand    bool // staff have registered a guest, or cut a key, by hand
}

// TestWalks takes days at random, the same each time; -rapid.seed takes others.
func TestWalks(t *testing.T) {
	checks := "6"
	if testing.Short() {
		checks = "15" // of which -short takes a fifth
	}
	longer(t, map[string]string{"rapid.seed": "1", "rapid.checks": checks, "rapid.steps": "14", "rapid.shrinktime": "0s", "rapid.nofailfile": "true"})
	rapid.Check(t, func(rt *rapid.T) {
		walkADay(rt, t, checkintest.Flows(t))
	})
}

// walkADay takes one random day at a hotel that is served by these journeys.
func walkADay(rt *rapid.T, t testing.TB, flows []*flow.Flow) {
	w := &walk{pms: rapid.SampledFrom([]string{checkintest.OHIP, checkintest.Apaleo}).Draw(rt, "pms")}
	w.c = checkintest.StartWith(t, flows, nil, checkintest.Hotel{ID: hotel, PMS: w.pms})
	defer w.c.Stop()
	rt.Repeat(map[string]func(*rapid.T){
		"arrive": w.arrives, "arrive too": w.arrives, "race": w.races, "resolve": w.resolves, "resolve too": w.resolves, "leave": w.leaves,
		"night": w.nightFalls, "settle": w.settles, "": w.always,
	})
	w.settles(rt)
}

// longer sets rapid's flags, unless the command has.
func longer(t *testing.T, flags map[string]string) {
	t.Helper()
	for name, value := range flags {
		before := flag.Lookup(name).DefValue
		if flag.Lookup(name).Value.String() != before {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, before) })
	}
}

func (w *walk) booking(t *rapid.T) *walked {
	if len(w.bookings) < 4 && !w.night && (len(w.bookings) == 0 || rapid.Bool().Draw(t, "new")) {
		people := []identity.Made{w.c.Person(hotel, identity.Want{})}
		if rapid.Bool().Draw(t, "two") {
			people = append(people, w.c.Person(hotel, identity.Want{}))
		}
		w.bookings = append(w.bookings, &walked{Booked: w.c.Book(hotel, "", people...)})
		return w.bookings[len(w.bookings)-1]
	}
	return w.any(t)
}

func (w *walk) any(t *rapid.T) *walked {
	return w.bookings[rapid.IntRange(0, len(w.bookings)-1).Draw(t, "booking")]
}

// breaks dials a fault, or lets the ledger die while a call is on its way; mend ends it.
func (w *walk) breaks(t *rapid.T, b *walked, parts []string) (mend func()) {
	what := rapid.SampledFrom([]string{"nothing", "nothing", "system", "part", "part", "ledger"}).Draw(t, "breaks")
	fault := rapid.SampledFrom([]twin.Fault{twin.Reset, twin.Status5, twin.Garbage, twin.Hang}).Draw(t, "fault")
	d := twin.Dial{Fault: fault, AfterEffect: rapid.Bool().Draw(t, "after")}
	system := "pms"
	switch what {
	case "nothing":
		return func() {}
	case "system":
		system = rapid.SampledFrom([]string{"pms", "identity", "police"}).Draw(t, "system")
	case "part":
		d.Path = w.path(b, rapid.SampledFrom(parts).Draw(t, "part"))
	case "ledger":
		d = twin.Dial{LatencyMS: 60, AfterEffect: true, Path: w.path(b, rapid.SampledFrom(parts).Draw(t, "part"))}
		dies := time.AfterFunc(30*time.Millisecond, func() { w.c.Ledger.Set(ledgertest.AtBegin, ledgertest.Full) })
		w.c.Dial(hotel, system, d)
		return func() {
			dies.Stop()
			w.c.Ledger.Set(ledgertest.AtBegin, ledgertest.None)
			w.c.Dial(hotel, system, twin.Dial{})
		}
	}
	w.c.Dial(hotel, system, d)
	return func() { w.c.Dial(hotel, system, twin.Dial{}) }
}

// path is where a hotel's system is asked for something.
func (w *walk) path(b *walked, part string) string {
	if w.pms == checkintest.OHIP {
		module := "fof"
		if part == "checkOuts" {
			module = "csh"
		}
		return "/" + module + "/v1/hotels/" + hotel + "/reservations/" + b.ID + "/" + part
	}
	return "/booking/v1/reservation-actions/" + b.ID + "/" + map[string]string{
		"roomAssignments": "assign-unit", "checkIns": "checkin", "roomKeys": "checkin", "checkOuts": "checkout"}[part]
}

func (w *walk) arrives(t *rapid.T) {
	b := w.booking(t)
	mend := w.breaks(t, b, []string{"roomAssignments", "checkIns", "roomKeys"})
	a := w.c.CheckIn(hotel, b.Arrival("lobby-1"))
	mend()
	got := checkintest.Outcome(w.c.T, a)
	b.told = b.told || strings.HasPrefix(got, "checked-in")
	if a.Took > 2*checkintest.Budget { // to the moment is the matrix's; here the machine has much to do
		t.Fatalf("%s after %v", got, a.Took)
	}
	if b.toldOut && got != "409 stay-over" && !strings.HasPrefix(got, "503") && !strings.HasPrefix(got, "a person") {
		t.Fatalf("after they had left: %s", got)
	}
}

func (w *walk) races(t *rapid.T) {
	b := w.booking(t)
	var wg sync.WaitGroup
	answers := make([]string, 3)
	for i := range answers {
		wg.Go(func() { answers[i] = checkintest.Outcome(w.c.T, w.c.CheckIn(hotel, b.Arrival("lobby-2"))) })
	}
	wg.Wait()
	b.told = b.told || slices.ContainsFunc(answers, func(got string) bool { return strings.HasPrefix(got, "checked-in") })
}

// words are what staff may say of each kind, but for what they do with their own hands at the hotel's system.
func words(kind string) []string {
	switch strings.TrimRight(kind, "-0123456789") {
	case "key":
		return []string{"key-cut", "key-again"}
	case "check-in-unclear":
		return []string{"finish", "call-off"}
	case "check-in-interrupted", "check-out-interrupted", "check-out-unclear":
		return []string{"finish"}
	case "registration-late", "key-off-late", "departure-late":
		return []string{"send-again"}
	case "identity-unreachable":
		return []string{"identity-checked", "gone"}
	case "undelivered", "check-in-undelivered", "assign-undelivered": // a night has passed over what was called off
		return []string{"settled"}
	}
	return []string{"continue"}
}

func (w *walk) resolves(t *rapid.T) {
	open := w.c.Waiting()
	if len(open) == 0 {
		t.Skip("nothing waits")
	}
	a := rapid.SampledFrom(open).Draw(t, "assist")
	all := words(a.Kind)
	if len(all) == 0 {
		t.Fatalf("an assist that nobody expects: %+v", a)
	}
	word := rapid.SampledFrom(all).Draw(t, "word")
	var b *walked
	for _, booking := range w.c.Words(`SELECT s.booking FROM stays s JOIN assists a ON a.run IN (s.run, s.out_run) WHERE a.id = $1`, a.ID) {
		b = w.bookings[slices.IndexFunc(w.bookings, func(b *walked) bool { return b.ID == booking })]
	}
	got := w.c.Settle(a, word, nil)
	if b != nil && got.Status == 201 {
		switch word {
		case "call-off":
			b.calledOff++
		case "key-cut", "finish":
			b.byHand = true // the key, if any, is not of the hotel's system
		}
	}
}

func (w *walk) leaves(t *rapid.T) {
	if len(w.bookings) == 0 {
		t.Skip("nobody is there")
	}
	b := w.any(t)
	mend := w.breaks(t, b, []string{"checkOuts", "roomKeys"})
	got := checkintest.Outcome(w.c.T, w.c.CheckOut(hotel, b.People[0]))
	mend()
	b.toldOut = b.toldOut || strings.HasPrefix(got, "checked-out")
}

func (w *walk) nightFalls(t *rapid.T) {
	if w.night || len(w.bookings) == 0 {
		t.Skip("one is enough, and somebody has to be there")
	}
	w.night = true
	w.c.Tomorrow()
}

// always is what holds at any moment, whatever is on its way.
func (w *walk) always(t *rapid.T) {
	rooms := map[string]string{}
	for _, b := range w.bookings {
		x := w.c.Truth(b.Booked)
		switch {
		case x.Keys > 0 && !x.InHouse && !x.Left: // keys of a stay that is over are being switched off
			t.Fatalf("a live key without a check-in: %+v", x)
		case x.InHouse && x.Room == "":
			t.Fatalf("a check-in without a room: %+v", x)
		case x.InHouse && rooms[x.Room] != "":
			t.Fatalf("two guests in room %s", x.Room)
		case x.CheckIns > 1+b.calledOff:
			t.Fatalf("checked in %d times: %+v", x.CheckIns, x)
		case len(x.Police) > len(b.People):
			t.Fatalf("registered twice: %+v", x)
		}
		if x.InHouse {
			rooms[x.Room] = b.ID
		}
	}
	if n := w.c.Number(`SELECT count(*) FROM (SELECT 1 FROM room_nights GROUP BY venue, room, night HAVING count(*) > 1)`); n > 0 {
		t.Fatalf("%d nights are given twice", n)
	}
}

// settles waits until nothing is on its way: then everything is whole, or a person has it.
func (w *walk) settles(t *rapid.T) {
	w.c.Quiet()
	w.always(t)
	if n := w.c.Number(`SELECT count(*) FROM stays s JOIN runs r ON r.id = s.run WHERE s.state = 'held' AND NOT r.pivot AND
		NOT EXISTS (SELECT 1 FROM assists a WHERE a.run = s.run AND a.state <> 'resolved')`); n > 0 {
		t.Fatalf("%d stays are held by nobody", n)
	}
	for _, b := range w.bookings {
		x := w.c.Truth(b.Booked)
		waits := w.c.Number(`SELECT count(*) FROM assists WHERE state <> 'resolved' AND run IN
			(SELECT run FROM stays WHERE booking = $1 UNION SELECT out_run FROM stays WHERE booking = $1)`, b.ID)
		switch {
		case b.told && !x.InHouse && !x.Left:
			t.Fatalf("told to be checked in, and is not: %+v", x)
		case waits > 0, b.calledOff > 0 && w.night: // the hotel's system takes no check-in back on another day: a person has it
		case b.toldOut && !x.Left:
			t.Fatalf("told to have left, and has not: %+v", x)
		case x.InHouse && len(x.Police) != len(b.People):
			t.Fatalf("a registration is missing: %+v", x)
		case !x.InHouse && !x.Left && len(x.Police) > 0 && b.calledOff == 0:
			t.Fatalf("registered, and not there: %+v", x)
		case x.InHouse && w.pms == checkintest.OHIP && x.Keys == 0 && !b.byHand:
			t.Fatalf("in house without a key, and nobody knows: %+v", x)
		case x.Left && x.Keys > 0:
			t.Fatalf("keys of a stay that is over: %+v", x)
		case !x.InHouse && !x.Left && x.Room != "" && !w.night: // a no-show keeps its room from nobody
			t.Fatalf("a room is left to nobody: %+v", x)
		}
	}
}
