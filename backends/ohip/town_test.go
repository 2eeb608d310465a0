package ohip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

func townConfig() ohip.TownConfig {
	return ohip.TownConfig{Hotels: 10_000, ClientSecret: testSecret, Seed: 7, Location: twintest.Shanghai(), Clock: func() time.Time { return three }}
}

func newTown(t testing.TB, change func(*ohip.TownConfig)) (*ohip.Town, *ohip.Client) {
	t.Helper()
	cfg := townConfig()
	if change != nil {
		change(&cfg)
	}
	town, err := ohip.NewTown(cfg)
	fine(t, err)
	client, err := ohip.New(testConfig(twintest.Open(t, "ohip", "town", town).URL))
	fine(t, err)
	t.Cleanup(client.Close)
	return town, client
}

// at asks one of the hotels.
func at(t testing.TB, c *ohip.Client, hotel string, q ohip.StayQuery) (*ohip.Availability, error) {
	t.Helper()
	one, err := c.At(hotel)
	fine(t, err)
	return one.Availability(twintest.Within(t, 10*time.Second), q)
}

// TestATownIsMadeOfItsSeed: ten thousand hotels, each its own, all inside the ring and most of them close to others.
func TestATownIsMadeOfItsSeed(t *testing.T) {
	town, err := ohip.NewTown(townConfig())
	fine(t, err)
	names, rooms, accessible, near := map[string]bool{}, 0, 0, 0
	for n := range town.Hotels() {
		h := town.HotelAt(n)
		names[h.NameZh], names[h.NameEn] = true, true
		rooms += h.Rooms
		x, y := (h.Lon-120.1690)*111.2*math.Cos(30.255*math.Pi/180), (h.Lat-30.2550)*111.2
		if far := math.Hypot(x, y); far > 12 {
			t.Fatalf("%s is %.1f km from the middle", h.ID, far)
		}
		if math.Hypot(x, y) < 6 {
			near++
		}
		for _, k := range h.Types {
			if k.Code == "EASY" {
				accessible++
			}
		}
		if again, ok := town.Hotel(h.ID); !ok || fmt.Sprint(again) != fmt.Sprint(h) {
			t.Fatalf("%v is another one at the second look: %v", h, again)
		}
	}
	if len(names) != 20_000 || rooms < 300_000 || rooms > 400_000 || accessible < 3500 || accessible > 4500 {
		t.Errorf("%d names, %d rooms, %d with a room for a wheelchair", len(names), rooms, accessible)
	}
	t.Logf("%d rooms, %d hotels within 6 km of the middle", rooms, near)
	for _, id := range []string{"", "H10000", "H0001", "h00001", "H-0001", "H00001 ", "H000001"} {
		if _, ok := town.Hotel(id); ok {
			t.Errorf("there is a hotel %q", id)
		}
	}
}

// TestAHotelIsTheSameOnceItIsOpened: what was made for one request and what has books of its own say the same.
func TestAHotelIsTheSameOnceItIsOpened(t *testing.T) {
	town, client := newTown(t, func(c *ohip.TownConfig) { c.Sold = 0.7 })
	full := 0
	for n := range 60 {
		id := town.HotelAt(n * 166).ID
		for _, q := range []ohip.StayQuery{tonight(), {From: "2026-05-12", To: "2026-05-15", Adults: 2, ChildAges: []int{4}}} {
			before, err := at(t, client, id, q)
			fine(t, err)
			_, err = town.Open(id)
			fine(t, err)
			after, err := at(t, client, id, q)
			fine(t, err)
			if fmt.Sprint(before.Offers) != fmt.Sprint(after.Offers) {
				t.Fatalf("%s:\n%v\n%v", id, before.Offers, after.Offers)
			}
			if len(before.Offers) == 0 {
				full++
			}
		}
	}
	if full == 0 || full > 60 {
		t.Errorf("%d of 120 stays found a full hotel", full)
	}
}

// TestATownIsBooked: a booking at one hotel is that hotel's alone, under the credential of all.
func TestATownIsBooked(t *testing.T) {
	town, client := newTown(t, nil)
	const here, there = "H00042", "H09999"
	before, err := at(t, client, here, tonight())
	fine(t, err)
	other, err := at(t, client, there, tonight())
	fine(t, err)
	hotel, err := town.Open(here)
	fine(t, err)
	made := hotel.Fresh()
	after, err := at(t, client, here, tonight())
	if fine(t, err); free(after, "STD") != free(before, "STD")-1 {
		t.Errorf("%d free, %d before", free(after, "STD"), free(before, "STD"))
	}
	if again, err := at(t, client, there, tonight()); err != nil || free(again, "STD") != free(other, "STD") {
		t.Errorf("the other hotel: %v, %v", again, err)
	}
	one, err := client.At(here)
	fine(t, err)
	if r, err := one.Reservation(twintest.Within(t, 5*time.Second), made.ID); err != nil || r.Confirmation != made.Confirmation {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := at(t, client, "H10000", tonight()); twintest.ErrorOf(t, err).Fate != wire.Unknown { // its 404 has no code
		t.Errorf("no such hotel: %v", err)
	}
	if _, err := town.Make([]byte(`{"hotel":"H00007","scenario":"due-today","count":2}`)); err != nil {
		t.Error(err)
	}
	if _, err := town.Make([]byte(`{"hotel":"H10000"}`)); err == nil {
		t.Error("a booking at no hotel")
	}
	b := town.Books().(ohip.TownBooks)
	if b.Hotels != 10_000 || b.Tokens != 1 || len(b.Opened) != 2 || len(b.Opened["H00007"].Reservations) != 2 || b.Asked != 3 {
		t.Errorf("%d hotels, %d tokens, %d opened, %d asked", b.Hotels, b.Tokens, len(b.Opened), b.Asked)
	}
	kept, err := town.Save()
	fine(t, err)
	again, err := ohip.NewTown(townConfig())
	fine(t, err)
	fine(t, again.Restore(kept))
	was, _ := json.Marshal(b)
	if is, _ := json.Marshal(again.Books()); string(is) != string(was) {
		t.Errorf("restored:\n%.300s\n%.300s", is, was)
	}
}

// TestTroubleInAShareOfTheTown: one hotel in twenty hangs and one refuses, always the same ones; the others do not notice.
func TestTroubleInAShareOfTheTown(t *testing.T) {
	town, client := newTown(t, nil)
	_, err := town.Make([]byte(`{"do":"trouble","trouble":[{"share":0.05,"dial":{"fault":"hang"}},{"share":0.05,"dial":{"fault":"refuse"}}]}`))
	fine(t, err)
	const n = 400
	fates := make([]wire.Reason, n)
	var work sync.WaitGroup
	busy := make(chan struct{}, 40) // fewer than there are connections
	for i := range n {
		id := town.HotelAt(i).ID
		busy <- struct{}{}
		work.Go(func() {
			defer func() { <-busy }()
			one, err := client.At(id)
			if err != nil {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			if town.Trouble("/par/v1/hotels/"+id+"/availability").Fault == twin.Hang {
				cancel()
				ctx, cancel = context.WithTimeout(context.Background(), 500*time.Millisecond)
			}
			defer cancel()
			_, err = one.Availability(ctx, tonight())
			if e, ok := errors.AsType[*wire.Error](err); ok {
				fates[i] = e.Reason
			}
		})
	}
	work.Wait()
	count := map[wire.Reason]int{}
	for i, got := range fates {
		count[got]++
		want := wire.Reason("")
		switch town.Trouble("/fof/v1/hotels/" + town.HotelAt(i).ID + "/rooms").Fault {
		case twin.Hang:
			want = wire.ReasonTimeout
		case twin.Refuse:
			want = wire.ReasonReset
		}
		if got != want {
			t.Errorf("%s: %q, want %q", town.HotelAt(i).ID, got, want)
		}
	}
	if count[wire.ReasonTimeout] < 8 || count[wire.ReasonTimeout] > 35 || count[wire.ReasonReset] < 8 || count[wire.ReasonReset] > 35 {
		t.Errorf("of %d: %v", n, count)
	}
	for _, bad := range []string{`{"share":-0.1}`, `{"share":1.1}`, `{"share":0.1,"dial":{"fault":"sulk"}}`} {
		if _, err := town.Make([]byte(`{"do":"trouble","trouble":[` + bad + `]}`)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// TestATownIsCompact measures what a hotel costs: nothing before it is booked, some kilobytes afterwards.
func TestATownIsCompact(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	town, err := ohip.NewTown(townConfig())
	fine(t, err)
	before := heap()
	sum := 0
	for n := range town.Hotels() {
		h := town.HotelAt(n)
		sum += len(h.NameEn)
	}
	looked := heap()
	const opened = 500
	for n := range opened {
		_, err := town.Open(town.HotelAt(n * 20).ID)
		fine(t, err)
	}
	after := heap()
	t.Logf("a hotel that was looked at: %.1f bytes; one that is opened: %d bytes", float64(looked-before)/10_000, (after-looked)/opened)
	if looked-before > 64*10_000 || (after-looked)/opened > 16<<10 {
		t.Errorf("%d bytes for all that were looked at, %d for one that is opened", looked-before, (after-looked)/opened)
	}
	runtime.KeepAlive(town)
}
