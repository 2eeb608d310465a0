package rooms_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

// free says how many rooms of the kind a search for so many nights and guests finds, after everything that is kept of it was
// answered whole as well.
func (c bookTown) free(hotel, more string) int {
	c.T.Helper()
	n := c.FindFor(hotel, "STD", more).Free
	for range 3 {
		if again := c.FindFor(hotel, "STD", more).Free; again != n {
			c.T.Errorf("once %d rooms are free, then %d", n, again)
		}
	}
	return n
}

// TestWhoeverBooksAndSearchesAgainFindsOneRoomLess, for each stay that has a night of it, and one more after the cancellation:
// what was known before is answered no more.
func TestWhoeverBooksAndSearchesAgainFindsOneRoomLess(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""), booktest.Placed("hill", 1, ""))
	stays := []string{"&nights=1&guests=1", "&nights=2&guests=1", "&nights=1&guests=2"}
	before := map[string]int{}
	for _, stay := range stays {
		before[stay] = c.free(lakeside, stay)
	}
	hill := c.OHIP["hill"].ReadBooks().Requests
	look := func(when string, less int) {
		t.Helper()
		for _, stay := range stays {
			if n := c.free(lakeside, stay); n != before[stay]-less {
				t.Errorf("%s: %d are free for %s, want %d", when, n, stay, before[stay]-less)
			}
		}
	}
	look("before", 0)
	b := c.want(c.Book(lakeside, "li", "", c.Find(lakeside, "STD").Wish("王小明")), 201, "booked")
	look("booked", 1)
	second := c.want(c.Book(lakeside, "wang", "", c.Find(lakeside, "STD").Wish("李小红")), 201, "booked")
	look("two are booked", 2)
	c.want(c.CallOff(lakeside, "li", b.Confirmation), 200, "cancelled")
	look("one is called off", 1)
	c.Dial(lakeside, "pms", twin.Dial{Fault: twin.Status5, Path: "/rsv"})
	c.want(c.CallOff(lakeside, "wang", second.Confirmation), 200, "cancelled")
	c.Dial(lakeside, "pms", twin.Dial{})
	c.Quiet()
	look("the other one reached the hotel later", 0)
	if n := c.OHIP["hill"].ReadBooks().Requests; n != hill {
		t.Errorf("another hotel was asked %d times more", n-hill)
	}
}

// TestWhoeverFindsTheRoomGoneFindsItNoMore: the hotel has sold it elsewhere, which a booking finds out for everybody.
func TestWhoeverFindsTheRoomGoneFindsItNoMore(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""))
	o := c.Find(lakeside, "STD")
	if _, err := c.OHIP[lakeside].Reserve(ohip.Want{Count: o.Free, RoomType: "STD"}); err != nil {
		t.Fatal(err)
	}
	if n := c.Find(lakeside, "STD").Free; n != o.Free {
		t.Fatalf("%d are free: what is known is not answered", n)
	}
	c.want(c.Book(lakeside, "li", "", o.Wish("王小明")), 409, "room-gone")
	if a := c.Search(""); strings.Contains(a.Text, `"kind":"STD"`) {
		t.Errorf("it is found again: %s", a.Text)
	}
}

// TestABookingIsNotOverruledByWhatWasToldBefore: the hotel tells of its nights on its own, and has not told of this one yet.
func TestABookingIsNotOverruledByWhatWasToldBefore(t *testing.T) {
	t.Parallel()
	c := tell(t, nil, "")
	all := []string{night("STD", 1, 2, 10000), night("STD", 2, 2, 10000), night("STE", 1, 1, 20000), night("STE", 2, 1, 20000)}
	c.push(0, all...)
	if got, h, text := c.find(); !strings.Contains(got, "STD 2 20000") || h.State != "cached" {
		t.Fatalf("what was told is not answered: %s", text)
	}
	c.books(t)
	if got, _, text := c.find(); !strings.Contains(got, "STD 1 ") {
		t.Errorf("after the booking: %s", text)
	}
	for i := range all {
		all[i] = strings.Replace(all[i], `"free":2`, `"free":1`, 1)
	}
	c.push(0, all...)
	if got, h, text := c.find(); !strings.Contains(got, "STD 1 20000") || h.State != "cached" {
		t.Errorf("after it was told of: %s", text)
	}
}

// books books the only hotel's first offer of a standard room for the two nights that find looks for.
func (c *teller) books(t *testing.T) {
	t.Helper()
	a := c.Search(roomstest.Query(pushLat, pushLon, "nights", "2", "check_in", roomstest.Day(1), "limit", "49"))
	body := m{"check_in": roomstest.Day(1), "nights": 2, "guests": 1, "kind": "STD", "plan": "FLEX",
		"price": m{"minor": 100_000_000, "currency": "CNY"}, "guest": m{"name": "王小明"}}
	token := c.Mint(auth.Grant{Subject: "li", Tenant: "hangzhou", Scopes: []string{"rooms:book"}, Venues: []string{"*"}, TTL: time.Hour})
	if b := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/zero/bookings", Token: token, Body: body}); b.Status != 201 {
		t.Fatalf("%d %s; found %s", b.Status, b.Text, a.Text)
	}
}

// TestABookingAtOneReplicaIsHeardAtTheOthers: what another replica knows of the nights is answered no more there.
func TestABookingAtOneReplicaIsHeardAtTheOthers(t *testing.T) {
	s := redistest.Start(t)
	a, b := twoReplicas(t, s)
	known := func(c *teller) bool { _, h, _ := c.find(); return h.State == "cached" }
	asked := func(c *teller) uint64 { return c.OHIP["zero"].ReadBooks().Requests }
	for _, c := range []*teller{a, b} {
		c.Eventually("it is known", func() bool { return known(c) })
	}
	before := asked(b)
	if known(b); asked(b) != before {
		t.Fatal("what is known is asked for")
	}
	a.books(t)
	b.Eventually("it is asked for again", func() bool { known(b); return asked(b) > before })
}

// twoReplicas are two gateways of one hotel that hear each other.
func twoReplicas(t *testing.T, s *redistest.Server) (a, b *teller) {
	t.Helper()
	withRedis := func(file string) string {
		return "redis: { addresses: [\"" + s.Address + "\"], breaker: { open_for: 200ms } }\n" + file
	}
	a, b = tell(t, withRedis, ""), tell(t, withRedis, "")
	keys, err := os.ReadFile(filepath.Join(a.Folder, "data", "seal.keys"))
	if err != nil {
		t.Fatal(err)
	}
	b.Stop()
	if err := os.RemoveAll(filepath.Join(b.Folder, "data")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(b.Folder, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.Folder, "data", "seal.keys"), keys, 0o600); err != nil {
		t.Fatal(err)
	}
	b.Run()
	for _, c := range []*teller{a, b} {
		c.Eventually("both hear", func() bool { return strings.Contains(metrics(t, c.Admin), "\nwarmgate_redis_deaf 0\n") })
	}
	return a, b
}
