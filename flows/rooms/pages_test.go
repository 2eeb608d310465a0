package rooms_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

// row are hotels in a row, 111 m from each other, each of a few rooms.
func row(n int) (all []roomstest.Hotel) {
	for i := range n {
		all = append(all, roomstest.Hotel{ID: fmt.Sprintf("h%02d", i), Lat: lat + float64(i)/1000, Lon: lon,
			Rooms: []ohip.TwinRoom{{ID: "1", Type: "STD"}, {ID: "2", Type: "STD"}}})
	}
	return all
}

// zh is a search by a token, in Chinese, that is not as the description says.
func zh(token, query string) flowtest.Call {
	return flowtest.Call{Method: http.MethodGet, Path: "/v1/rooms?" + query, Token: token, Header: map[string]string{"Accept-Language": "zh-CN"}, Invalid: true}
}

// TestPagesHoldEveryHotelOnce, in either order and whatever the size of the pages.
func TestPagesHoldEveryHotelOnce(t *testing.T) {
	c := roomstest.Start(t, nil, row(9)...)
	for _, sort := range []string{"distance", "price"} {
		whole := c.Search(roomstest.Query(lat, lon, "sort", sort)).IDs()
		if len(whole) != 9 {
			t.Fatalf("%s: %v", sort, whole)
		}
		for _, limit := range []string{"1", "2", "4", "8", "9"} {
			var got []string
			for cursor, more := []string(nil), true; more && len(got) < 20; {
				a := c.Search(roomstest.Query(lat, lon, append(cursor, "sort", sort, "limit", limit)...))
				got = append(got, a.IDs()...)
				more, cursor = a.Cursor != "", []string{"cursor", a.Cursor}
			}
			if !slices.Equal(got, whole) {
				t.Errorf("%s, %s at a time: %v, want %v", sort, limit, got, whole)
			}
		}
	}
}

// TestPagesStayStableWhileDataChange: hotels before and behind the page sell out between the pages, and one that was full has
// a room again. Whoever hasn't changed comes exactly once.
func TestPagesStayStableWhileDataChange(t *testing.T) {
	c := roomstest.Start(t, func(file string) string {
		return strings.ReplaceAll(file, "fresh: 30s, stale_while_revalidate: 2m, stale_if_error: 10m", "stale_if_error: 10m") // every search asks
	}, row(9)...)
	for _, sort := range []string{"distance", "price"} {
		query := func(more ...string) string {
			return roomstest.Query(lat, lon, append(more, "sort", sort, "limit", "3")...)
		}
		whole := c.Search(roomstest.Query(lat, lon, "sort", sort)).IDs()
		if len(whole) != 9 {
			t.Fatalf("%s: %v", sort, whole)
		}
		first := c.Search(query())
		gone := []string{whole[0], whole[2], whole[4]} // the last of the page too: the cursor stands on it
		var again []func()
		for _, id := range gone {
			again = append(again, sellOut(c, id))
		}
		second := c.Search(query("cursor", first.Cursor))
		third := c.Search(query("cursor", second.Cursor))
		got := slices.Concat(first.IDs(), second.IDs(), third.IDs())
		want := slices.DeleteFunc(slices.Clone(whole), func(id string) bool { return id == whole[4] })
		if !slices.Equal(got, want) || third.Cursor != "" {
			t.Errorf("%s: %v, want %v", sort, got, want)
		}
		if left := c.Search(roomstest.Query(lat, lon, "sort", sort)).IDs(); len(left) != 6 {
			t.Errorf("%s: sold out: %v", sort, left)
		}
		for _, open := range again {
			open()
		}
	}
}

// TestACursorIsOfItsQuery: changed in any bit, of another search or of another tenant, it is refused; with another limit or
// language it goes on.
func TestACursorIsOfItsQuery(t *testing.T) {
	c := roomstest.Start(t, nil, append(row(4), roomstest.Hotel{ID: "suzhou", Tenant: "suzhou", Lat: lat, Lon: lon})...)
	cursor := c.Search(roomstest.Query(lat, lon, "limit", "2", "max_price", "90000000")).Cursor
	with := func(more ...string) string {
		return roomstest.Query(lat, lon, append([]string{"limit", "2", "max_price", "90000000", "cursor", cursor}, more...)...)
	}
	for _, more := range [][]string{nil, {"limit", "1"}, {"limit", "50"}, {"radius", "3000"}, {"nights", "1"}, {"check_out", roomstest.Day(2)}, {"accessible", "false"}, {"sort", "distance"}, {"guests", "1"}} {
		if a := c.Search(with(more...)); a.Status != 200 || a.Hotels[0].Hotel != "h02" {
			t.Errorf("%v: %d %s", more, a.Status, a.Text)
		}
	}
	if a := c.Ask(with(), map[string]string{"Accept-Language": "zh-CN"}); a.Status != 200 || !strings.Contains(a.Text, "酒店h02") {
		t.Errorf("in Chinese: %s", a.Text)
	}
	for _, more := range [][]string{{"near", "30.2500001,120.15"}, {"near", "30.25,120.1500001"}, {"radius", "3001"}, {"check_in", roomstest.Day(2)}, {"nights", "2"},
		{"guests", "2"}, {"max_price", "90000001"}, {"accessible", "true"}, {"breakfast", "true"}, {"sort", "price"}} {
		if a := c.Ask(with(more...), nil); a.Status != 400 || !strings.Contains(a.Text, `"field":"query cursor"`) {
			t.Errorf("of another query, %v: %d %s", more, a.Status, a.Text)
		}
	}
	if a := c.AskAs(c.TokenOf("suzhou", "rooms:read", "*"), with(), nil); a.Status != 400 {
		t.Errorf("of another tenant: %d %s", a.Status, a.Text)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range cursor {
		other := alphabet[(strings.IndexByte(alphabet, cursor[i])+1)%len(alphabet)]
		if a := c.Ask(with("cursor", cursor[:i]+string(other)+cursor[i+1:]), nil); a.Status != 400 {
			t.Errorf("changed at %d: %d", i, a.Status)
		}
	}
	for _, text := range []string{cursor + "A", cursor[1:], cursor[:len(cursor)-1], cursor + "="} {
		if a := c.AskBadly(with("cursor", text)); a.Status != 400 {
			t.Errorf("%q: %d", text, a.Status)
		}
	}
}

// sellOut books every room of a hotel for tomorrow; again cancels the bookings.
func sellOut(c *roomstest.Town, hotel string) (again func()) {
	c.T.Helper()
	made, err := c.OHIP[hotel].Reserve(ohip.Want{Scenario: ohip.Tomorrow, Count: 2})
	if err != nil {
		c.T.Fatal(err)
	}
	return func() {
		for _, m := range made {
			if err := c.OHIP[hotel].ByHand(m.ID, ohip.StatusCancelled, ""); err != nil {
				c.T.Error(err)
			}
		}
	}
}
