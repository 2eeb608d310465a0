package checkin_test

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

func TestMain(t *testing.M) {
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		_ = flag.Set(p.Name, "8") // they wait for clocks more than they compute
	}
	// fasthttp looks after connections, workers and the date until long after it was closed.
	goleak.VerifyTestMain(t, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

const hotel = "lakeside"

type m = map[string]any

type checkedIn struct {
	Decision string `json:"decision"`
	Stay     string `json:"stay"`
	Room     struct {
		Number string `json:"number"`
		Floor  string `json:"floor"`
	} `json:"room"`
	Keys struct {
		Count int `json:"count"`
	} `json:"keys"`
	Guests  int      `json:"guests"`
	Again   bool     `json:"again"`
	Pending []string `json:"pending"`
}

func in(t testing.TB, a flowtest.Answer) (c checkedIn) {
	t.Helper()
	if a.Status != http.StatusCreated {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	a.Into(t, &c)
	return c
}

func start(t testing.TB, pms string) *checkintest.Town {
	t.Helper()
	return checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, PMS: pms})
}

// complete checks that a booking's stay is whole at every system, once.
func complete(t testing.TB, c *checkintest.Town, b checkintest.Booked) checkintest.Truth {
	t.Helper()
	x := c.Truth(b)
	if !x.InHouse || x.Room == "" || x.CheckIns != 1 || len(x.Police) != len(b.People) {
		t.Errorf("the systems have %+v", x)
	}
	if c.Hotels[b.Hotel].PMS == checkintest.OHIP && (x.Keys != len(b.People) || x.KeySets != 1) {
		t.Errorf("keys %d in %d sets for %d people", x.Keys, x.KeySets, len(b.People))
	}
	return x
}

// untouched checks that nothing has happened to a booking, anywhere.
func untouched(t testing.TB, c *checkintest.Town, b checkintest.Booked) {
	t.Helper()
	if x := c.Truth(b); x.InHouse || x.Room != "" || x.Keys > 0 || len(x.Police) > 0 {
		t.Errorf("the systems have %+v", x)
	}
	if n := c.Number(`SELECT count(*) FROM stays WHERE booking = $1`, b.ID) + c.Number(`SELECT count(*) FROM room_nights`); n > 0 {
		t.Errorf("%d stays and nights are left in the ledger", n)
	}
}

func TestCheckInByConfirmation(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "")
	got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	if x := complete(t, c, b); got.Room.Number != x.Room || got.Keys.Count != 1 || got.Guests != 1 || len(got.Pending) > 0 {
		t.Errorf("checked in %+v, the hotel has %+v", got, x)
	}
	if n := c.Number(`SELECT count(*) FROM room_nights`); n != 1 {
		t.Errorf("%d nights are kept for one", n)
	}
}

func TestCheckInByDocument(t *testing.T) {
	t.Parallel()
	for _, pms := range []string{checkintest.OHIP, checkintest.Apaleo} {
		c := start(t, pms)
		b := c.Book(hotel, "")
		body := b.Arrival("lobby-2")
		delete(body, "booking")
		a := c.CheckIn(hotel, body)
		if pms == checkintest.OHIP {
			in(t, a)
		} else if got := checkintest.Outcome(t, a); got != "a person: key" {
			t.Errorf("%s: %s", pms, got)
		}
		complete(t, c, b)
	}
}

// A hotel that has no encoder: everything is done but the key, and a person is told so.
func TestHotelWithoutEncoder(t *testing.T) {
	t.Parallel()
	c := start(t, checkintest.Apaleo)
	b := c.Book(hotel, "")
	a := c.CheckIn(hotel, b.Arrival("lobby-1"))
	if got := checkintest.Outcome(t, a); got != "a person: key" {
		t.Fatalf("%s %s", got, a.Text)
	}
	c.Quiet()
	complete(t, c, b)
	open := c.Waiting()
	if len(open) != 1 || checkintest.Steps(open[0].NotDone) != "key" || !strings.Contains(checkintest.Steps(open[0].Done), "check-in") ||
		strings.Join(open[0].Tried, " ") != "key: refused: no-encoder" {
		t.Errorf("assists %+v", open)
	}
	if a := c.CheckIn(hotel, b.Arrival("lobby-2")); a.Problem() != "with-front-desk" {
		t.Errorf("at another kiosk meanwhile: %d %s", a.Status, a.Text)
	}
	if a := c.Resolve("key", "key-again", nil); a.Problem() != "field-invalid" {
		t.Errorf("an encoder that is not there: %d %s", a.Status, a.Text)
	}
	path := "/v1/assists/" + open[0].ID + "/resolution"
	if a := c.Staff(path, m{"resolution": "key-cut", "reason": "cut by hand"}); a.Status != http.StatusCreated {
		t.Errorf("key cut: %d %s", a.Status, a.Text)
	}
	if got := in(t, c.CheckIn(hotel, b.Arrival("lobby-2"))); !got.Again || got.Room.Number == "" {
		t.Errorf("afterwards %+v", got)
	}
}

func TestCompanionsAreVerifiedAndRegisteredEach(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	two := []identity.Made{c.Person(hotel, identity.Want{}), c.Person(hotel, identity.Want{Scenario: identity.MiddleDot})}
	b := c.Book(hotel, "", two...)
	got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	complete(t, c, b)
	if got.Guests != 2 || got.Keys.Count != 2 {
		t.Errorf("checked in %+v", got)
	}
	other := c.Book(hotel, "", c.Person(hotel, identity.Want{}), c.Person(hotel, identity.Want{Face: identity.Other}))
	if got := checkintest.Outcome(t, c.CheckIn(hotel, other.Arrival("lobby-1"))); got != "a person: identity-mismatch" {
		t.Errorf("a companion with another's document: %s", got)
	}
	if x := c.Truth(other); x.InHouse || x.Room != "" {
		t.Errorf("the hotel has %+v", x)
	}
}

// TestTheSameAgain: whoever comes again with the same booking hears the same, whatever the kiosk and the key.
func TestTheSameAgain(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "")
	first := in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	second := in(t, c.CheckIn(hotel, b.Arrival("lobby-2")))
	if !second.Again || second.Room.Number != first.Room.Number || second.Stay != first.Stay || second.Keys.Count != 1 {
		t.Errorf("first %+v, then %+v", first, second)
	}
	complete(t, c, b)
}

// TestTwoKiosksOneBooking races two kiosks: one room, one set of keys, one registration for each guest.
func TestTwoKiosksOneBooking(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 50
	}
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Rooms: rooms(n + 10)})
	for range n {
		b := c.Book(hotel, "")
		body := b.Arrival("lobby-1")
		var wg sync.WaitGroup
		answers := make([]flowtest.Answer, 2)
		for i := range answers {
			wg.Go(func() { answers[i] = c.CheckIn(hotel, body) })
		}
		wg.Wait()
		good := 0
		for _, a := range answers {
			switch got := checkintest.Outcome(t, a); got {
			case "checked-in", "checked-in, register pending":
				good++
			case "409 still-running", "409 with-front-desk":
			default:
				t.Errorf("%s %s", got, a.Text)
			}
		}
		if good == 0 {
			t.Errorf("nobody was checked in: %s, %s", answers[0].Text, answers[1].Text)
		}
		complete(t, c, b)
	}
	if n := c.Number(`SELECT count(*) FROM (SELECT room, night FROM room_nights GROUP BY room, night HAVING count(*) > 1)`); n > 0 {
		t.Errorf("%d rooms are given twice", n)
	}
}

// rooms are n rooms of one type.
func rooms(n int) (all []ohip.TwinRoom) {
	for i := range n {
		all = append(all, ohip.TwinRoom{ID: fmt.Sprintf("%d%02d", 2+i/50, 1+i%50), Type: "STD", Floor: fmt.Sprint(2 + i/50)})
	}
	return all
}

// TestTakenMeanwhile: the hotel's desk gives a room away after it was seen free; the next one is asked for.
func TestTakenMeanwhile(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Rooms: rooms(6)})
	first := c.Book(hotel, "")
	in(t, c.CheckIn(hotel, first.Arrival("lobby-1"))) // now the rooms are in the cache
	for _, room := range []string{"202", "203"} {
		if _, err := c.OHIP[hotel].Occupy(room); err != nil {
			t.Fatal(err)
		}
	}
	b := c.Book(hotel, "")
	if got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got.Room.Number == "202" || got.Room.Number == "203" {
		t.Errorf("given a room of somebody else: %+v", got)
	}
	complete(t, c, b)
}

// TestWishes: a floor, a neighbour, if free; never in the way.
func TestWishes(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Rooms: rooms(150)})
	for _, x := range []struct {
		wish m
		want string
	}{
		{m{"floor": "4"}, "401"}, {m{"near_room": "325"}, "325"}, {m{"near_room": "325"}, "324"}, {m{"floor": "77"}, "201"},
	} {
		b := c.Book(hotel, "")
		body := b.Arrival("lobby-1")
		body["wishes"] = x.wish
		if got := in(t, c.CheckIn(hotel, body)); got.Room.Number != x.want {
			t.Errorf("wish %v: room %s, want %s", x.wish, got.Room.Number, x.want)
		}
	}
}

// TestThePoliceWantAPersonToLook: room and key are theirs, and a person looks; then the registration is sent once more.
func TestThePoliceWantAPersonToLook(t *testing.T) {
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
	if x := c.Truth(b); !x.InHouse || x.Keys != 1 || len(x.Police) != 0 {
		t.Errorf("before the person looked: %+v", x)
	}
	if a := c.Resolve("registration-refused", "seen", nil); a.Status != http.StatusCreated {
		t.Errorf("seen: %d %s", a.Status, a.Text)
	}
	c.Quiet()
	complete(t, c, b)
	c.Tomorrow()
	if a := c.CheckOut(hotel, b.People[0]); a.Status != http.StatusCreated {
		t.Errorf("check-out: %d %s", a.Status, a.Text)
	}
	c.Quiet()
	if x := c.Truth(b); !x.Left || x.Police[0].State != police.Departed {
		t.Errorf("after the check-out: %+v", x)
	}
}
