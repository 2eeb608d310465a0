package rooms_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// bookWalk is an evening at a small hotel: guests book, call off and book again, faults come and go, the ledger dies, and staff
// settle what waits. The model knows what was told to whom; the hotel's and the ledger's books are held against it.
type bookWalk struct {
	c      bookTown
	offer  booktest.Offered
	told   map[string]bool // by confirmation: the guest has it, and has not been told that it is off
	asked  map[string]bool // they have asked for that
	off    map[string]bool // they were told that it is
	wishes int
}

const walkRooms = 3

// TestBookingWalks takes evenings at random, the same each time; -rapid.seed takes others.
func TestBookingWalks(t *testing.T) {
	checks := "3"
	if testing.Short() {
		checks = "10" // of which -short takes a fifth
	}
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": checks, "rapid.steps": "14", "rapid.shrinktime": "0s", "rapid.nofailfile": "true"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = flag.Set(name, f.DefValue) })
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		small := booktest.Placed(lakeside, 0, "  cancel: { free_until: 24h }\n")
		for i := range walkRooms {
			small.Rooms = append(small.Rooms, ohip.TwinRoom{ID: fmt.Sprint(i + 1), Type: "STD"})
		}
		w := &bookWalk{c: startBooking(t, small), told: map[string]bool{}, asked: map[string]bool{}, off: map[string]bool{}}
		defer w.c.Stop()
		w.offer = w.c.Find(lakeside, "STD")
		rt.Repeat(map[string]func(*rapid.T){
			"book": w.books, "book too": w.books, "race": w.races, "call off": w.callsOff, "call off too": w.callsOff,
			"resolve": w.resolves, "settle": w.settles, "": w.always,
		})
		w.settles(rt)
	})
}

// wish is what one of few guests wants.
func (w *bookWalk) wish(t *rapid.T) m {
	b := w.offer.Wish(rapid.SampledFrom([]string{"王小明", "李小红", "张三"}).Draw(t, "guest"))
	b["room"] = rapid.IntRange(1, 2).Draw(t, "room")
	return b
}

// breaks dials a fault at the hotel's system, or lets the ledger die while a call is on its way; mend ends it.
func (w *bookWalk) breaks(t *rapid.T) (mend func()) {
	what := rapid.SampledFrom([]string{"nothing", "nothing", "availability", "reservations", "reservations", "ledger"}).Draw(t, "breaks")
	d := twin.Dial{Fault: rapid.SampledFrom(twin.Faults()).Draw(t, "fault"), AfterEffect: rapid.Bool().Draw(t, "after")}
	dies := func() bool { return false }
	switch what {
	case "nothing":
		return func() {}
	case "availability":
		d.Path = "/par"
	case "reservations":
		d.Path = "/rsv"
	case "ledger":
		d = twin.Dial{LatencyMS: 60, AfterEffect: true, Path: "/rsv"}
		after := time.Duration(rapid.IntRange(1, 90).Draw(t, "dies")) * time.Millisecond
		dies = time.AfterFunc(after, func() { w.c.Ledger.Set(ledgertest.AtBegin, ledgertest.Full) }).Stop
	}
	w.c.Dial(lakeside, "pms", d)
	return func() {
		dies()
		w.c.Ledger.Set(ledgertest.AtBegin, ledgertest.None)
		w.c.Dial(lakeside, "pms", twin.Dial{})
	}
}

// booked notes what a guest was told, and returns it in a word.
func (w *bookWalk) booked(status int, s said, problem string) string {
	if status == http.StatusCreated {
		w.told[s.Confirmation] = true
	}
	if problem == "room-booked-already" { // also of what has become clear since
		w.told[s.Confirmation] = true
	}
	return fmt.Sprint(status, " ", problem)
}

func (w *bookWalk) books(t *rapid.T) {
	wish := w.wish(t)
	w.wishes++
	key := fmt.Sprint("key ", rapid.IntRange(0, w.wishes).Draw(t, "key"))
	mend := w.breaks(t)
	a := w.c.Book(lakeside, "li", key, wish)
	mend()
	var s said
	a.Into(w.c.T, &s)
	if a.Header.Get("Idempotent-Replayed") == "true" {
		return
	}
	got := w.booked(a.Status, s, a.Problem())
	if a.Took > 2*checkintest.Budget { // to the moment is the matrix's; here the machine has much to do
		t.Fatalf("%s after %v", got, a.Took)
	}
}

func (w *bookWalk) races(t *rapid.T) {
	wish := w.wish(t)
	var wg sync.WaitGroup
	answers := make([]said, 3)
	status := make([]int, 3)
	for i := range answers {
		wg.Go(func() {
			a := w.c.Book(lakeside, "li", "", wish)
			a.Into(w.c.T, &answers[i])
			status[i] = a.Status
		})
	}
	wg.Wait()
	for i := range answers {
		w.booked(status[i], answers[i], "")
	}
}

func (w *bookWalk) callsOff(t *rapid.T) {
	var all []string
	for confirmation := range w.told {
		all = append(all, confirmation)
	}
	if len(all) == 0 {
		t.Skip("nobody has booked")
	}
	slices.Sort(all)
	confirmation := rapid.SampledFrom(all).Draw(t, "confirmation")
	w.asked[confirmation] = true
	mend := w.breaks(t)
	a := w.c.CallOff(lakeside, "li", confirmation)
	mend()
	var s said
	a.Into(w.c.T, &s)
	switch {
	case a.Status == http.StatusOK:
		w.off[confirmation] = true
	case w.off[confirmation] && a.Status < 500:
		t.Fatalf("it was called off, and then: %d %s", a.Status, a.Text)
	}
}

func (w *bookWalk) resolves(t *rapid.T) {
	open := w.c.Waiting()
	if len(open) == 0 {
		t.Skip("nothing waits")
	}
	a := rapid.SampledFrom(open).Draw(t, "assist")
	word := "settled"
	if strings.HasPrefix(a.Kind, "room-booking-unclear") {
		word = rapid.SampledFrom([]string{"again", "gone"}).Draw(t, "word")
	}
	if got := w.c.Settle(a, word, nil); got.Status >= 300 && got.Status != 409 {
		t.Fatalf("%s of %s: %d %s", word, a.Kind, got.Status, got.Text)
	}
}

// always is what holds at any moment, whatever is on its way.
func (w *bookWalk) always(t *rapid.T) {
	standing := map[string]int{}
	n := 0
	for _, r := range w.c.OHIP[lakeside].ReadBooks().Reservations {
		off := slices.IndexFunc(r.History, func(x ohip.TwinChange) bool { return x.Status == ohip.StatusCancelled })
		switch {
		case r.Status != ohip.StatusCancelled:
			standing[r.Reference]++
			n++
		case w.told[r.Confirmation] && !w.off[r.Confirmation] && w.c.Number(`SELECT count(*) FROM room_bookings WHERE confirmation = $1 AND state = 'booked'`, r.Confirmation) > 0:
			t.Fatalf("%s was told to its guest, and the hotel has cancelled it", r.Confirmation)
		case off != len(r.History)-1:
			t.Fatalf("cancelled more than once, or changed afterwards: %+v", r)
		}
	}
	for reference, times := range standing {
		if times > 1 {
			t.Fatalf("%s stands %d times", reference, times)
		}
	}
	if n > walkRooms {
		t.Fatalf("%d rooms of %d are sold", n, walkRooms)
	}
	if twice := w.c.Number(`SELECT count(*) FROM (SELECT 1 FROM room_bookings WHERE confirmation <> '' GROUP BY venue, confirmation HAVING count(*) > 1)`); twice > 0 {
		t.Fatalf("%d confirmations are in two bookings", twice)
	}
}

// settles waits until nothing is on its way: then hotel, ledger and guests agree, or a person has it.
func (w *bookWalk) settles(t *rapid.T) {
	w.c.Quiet()
	w.always(t)
	waits := func(confirmation string) bool {
		return w.c.Number(`SELECT count(*) FROM assists a JOIN room_bookings b ON a.run IN (b.run, b.off_run) WHERE a.state <> 'resolved' AND b.confirmation = $1`, confirmation) > 0
	}
	if n := w.c.Number(`SELECT count(*) FROM room_bookings b WHERE state IN ('held', 'leaving') AND NOT EXISTS
		(SELECT 1 FROM assists a WHERE a.run IN (b.run, b.off_run) AND a.state <> 'resolved') AND NOT EXISTS
		(SELECT 1 FROM runs r WHERE r.id = b.off_run AND r.pivot)`); n > 0 { // one that recovery has finished ends when it is next looked at
		t.Fatalf("%d bookings are on their way, and nobody is at work on them", n)
	}
	for _, r := range w.c.OHIP[lakeside].ReadBooks().Reservations {
		stands := r.Status != ohip.StatusCancelled
		kept := w.c.Number(`SELECT count(*) FROM room_bookings WHERE confirmation = $1 AND state = 'booked'`, r.Confirmation) > 0
		switch {
		case stands && !kept && !waits(r.Confirmation):
			t.Fatalf("%s stands at the hotel, and nobody knows; guest told %v", r.Confirmation, w.told[r.Confirmation])
		case !stands && kept:
			t.Fatalf("%s is kept, and the hotel has cancelled it", r.Confirmation)
		case !stands && w.told[r.Confirmation] && !w.asked[r.Confirmation]:
			t.Fatalf("%s was told to its guest and is gone", r.Confirmation)
		case stands && w.off[r.Confirmation] && !waits(r.Confirmation):
			t.Fatalf("%s was told to be off and stands", r.Confirmation)
		}
	}
	for confirmation := range w.told {
		if !slices.ContainsFunc(w.c.OHIP[lakeside].ReadBooks().Reservations, func(r ohip.TwinReservation) bool { return r.Confirmation == confirmation }) {
			t.Fatalf("%q was told, and the hotel does not have it", confirmation)
		}
	}
}
