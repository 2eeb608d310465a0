package rooms_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

// TestBadBookings: each is refused by name, and leaves nothing behind.
func TestBadBookings(t *testing.T) {
	t.Parallel()
	c := startBooking(t, booktest.Placed(lakeside, 0, ""), checkintest.Hotel{ID: "unfound"})
	good := func() m { return c.Find(lakeside, "STD").Wish("王小明") }
	long := strings.Repeat("x", 81)
	days := "of " + booktest.Today() + " to " + time.Now().In(checkintest.Zone()).AddDate(0, 0, 365).Format(time.DateOnly)
	for _, x := range []struct {
		name    string
		change  func(m)
		status  int
		word    string
		field   string
		allowed string // what the refusal says that it may be
	}{
		{"no day", func(b m) { delete(b, "check_in") }, 400, "field-missing", "check_in", ""},
		{"a day that is none", func(b m) { b["check_in"] = "2026-02-30" }, 400, "field-invalid", "check_in", days},
		{"a day in words", func(b m) { b["check_in"] = "tomorrow" }, 400, "field-invalid", "check_in", days},
		{"a day that is a number", func(b m) { b["check_in"] = 20261201 }, 400, "field-invalid", "check_in", ""},
		{"a day that is over", func(b m) { b["check_in"] = "2020-01-01" }, 400, "field-invalid", "check_in", days},
		{"yesterday", func(b m) { b["check_in"] = roomstest.Day(-1) }, 400, "field-invalid", "check_in", days},
		{"the day after the last", func(b m) { b["check_in"] = roomstest.Day(366) }, 400, "field-invalid", "check_in", days},
		{"years ahead", func(b m) { b["check_in"] = "2099-01-01" }, 400, "field-invalid", "check_in", days},
		{"no nights", func(b m) { b["nights"] = 0 }, 400, "field-invalid", "nights", "1 to 90"},
		{"nights backwards", func(b m) { b["nights"] = -1 }, 400, "field-invalid", "nights", "1 to 90"},
		{"10,000 nights", func(b m) { b["nights"] = 10_000 }, 400, "field-invalid", "nights", "1 to 90"},
		{"nights past all numbers", func(b m) { b["nights"] = 1e30 }, 400, "field-invalid", "nights", ""},
		{"half a night", func(b m) { b["nights"] = 0.5 }, 400, "field-invalid", "nights", ""},
		{"nobody", func(b m) { b["guests"] = 0 }, 400, "field-invalid", "guests", "1 to 20"},
		{"fewer than nobody", func(b m) { b["guests"] = -2 }, 400, "field-invalid", "guests", "1 to 20"},
		{"a crowd", func(b m) { b["guests"] = 21 }, 400, "field-invalid", "guests", "1 to 20"},
		{"no kind", func(b m) { delete(b, "kind") }, 400, "field-missing", "kind", ""},
		{"a long kind", func(b m) { b["kind"] = long }, 400, "field-invalid", "kind", "20"},
		{"no plan", func(b m) { b["plan"] = " " }, 400, "field-missing", "plan", ""},
		{"no price", func(b m) { delete(b, "price") }, 400, "field-missing", "price", ""},
		{"a negative price", func(b m) { b["price"] = m{"minor": -1, "currency": "CNY"} }, 400, "field-invalid", "price.minor", "0 to 1000000000000"},
		{"a price past all", func(b m) { b["price"] = m{"minor": 1_000_000_000_001, "currency": "CNY"} }, 400, "field-invalid", "price.minor", "0 to 1000000000000"},
		{"a price that is a number", func(b m) { b["price"] = 100 }, 400, "field-invalid", "price", ""},
		{"an odd currency", func(b m) { b["price"] = m{"minor": 1, "currency": "yuan"} }, 400, "field-invalid", "price.currency", "ISO 4217"},
		{"no name", func(b m) { b["guest"] = m{} }, 400, "field-missing", "guest.name", ""},
		{"a long name", func(b m) { b["guest"] = m{"name": long} }, 400, "field-invalid", "guest.name", "40"},
		{"a long Latin name", func(b m) { b["guest"] = m{"name": "王", "latin_name": long} }, 400, "field-invalid", "guest.latin_name", "80"},
		{"a control", func(b m) { b["guest"] = m{"name": "a\u0007"} }, 400, "field-invalid", "guest.name", ""},
		{"ten alike", func(b m) { b["room"] = 10 }, 400, "field-invalid", "room", "1 to 9"},
		{"an unknown member", func(b m) { b["hotel"] = "x" }, 400, "field-unknown", "hotel", ""},
		{"another kind", func(b m) { b["kind"] = "PALACE" }, 409, "room-gone", "", ""},
		{"another currency", func(b m) { b["price"] = m{"minor": 99999900, "currency": "USD"} }, 409, "room-price-changed", "price", ""},
	} {
		body := good()
		x.change(body)
		a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + lakeside + "/bookings", Token: c.Citizen("li"), Body: body, Invalid: x.status == 400})
		var p struct {
			Field  string `json:"field"`
			Detail string `json:"detail"`
		}
		a.Into(t, &p)
		if a.Status != x.status || a.Problem() != x.word || p.Field != x.field || !strings.Contains(p.Detail, x.allowed) {
			t.Errorf("%s: %d %s", x.name, a.Status, a.Text)
		}
	}
	if a := c.Book("unfound", "li", "", good()); a.Status != 404 {
		t.Errorf("a hotel that is not found: %d %s", a.Status, a.Text)
	}
	if a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + lakeside + "/bookings", Token: c.Token("li", "rooms:read"), Body: good()}); a.Status != 403 {
		t.Errorf("without the scope: %d %s", a.Status, a.Text)
	}
	if a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + lakeside + "/bookings", Token: c.Citizen("li"), Key: "-", Body: good(), Invalid: true}); a.Problem() != "idempotency-key-missing" {
		t.Errorf("without a key: %d %s", a.Status, a.Text)
	}
	if n := c.Number(`SELECT count(*) FROM room_bookings`); n != 0 || c.made(lakeside) != 0 {
		t.Errorf("%d rows, %d reservations", n, c.made(lakeside))
	}
}

// TestAHotelThatCannotBeBooked says so, in the search and when it is tried: its system has no way to do it here. Others nearby
// that can be booked are named.
func TestAHotelThatCannotBeBooked(t *testing.T) {
	t.Parallel()
	canal, river := booktest.Placed("canal", 0, ""), booktest.Placed("river", 1, "")
	canal.PMS, river.PMS = checkintest.Apaleo, checkintest.Apaleo
	c := startBooking(t, canal, river, booktest.Placed(lakeside, 2, ""))
	var found struct {
		Hotels []struct {
			Hotel    string `json:"hotel"`
			Bookable bool   `json:"bookable"`
		} `json:"hotels"`
	}
	if c.Search("").Into(t, &found); len(found.Hotels) != 3 {
		t.Fatalf("%+v", found)
	}
	for _, h := range found.Hotels {
		if h.Bookable != (h.Hotel == lakeside) {
			t.Errorf("%+v", h)
		}
	}
	body := m{"check_in": booktest.Today(), "nights": 1, "guests": 1, "kind": "X", "plan": "Y", "price": m{"minor": 1, "currency": "CNY"}, "guest": m{"name": "王"}}
	a := c.Book("canal", "li", "", body)
	s := c.want(a, 409, "room-not-bookable")
	if len(s.Alternatives) != 1 || s.Alternatives[0]["hotel"] != lakeside || !strings.Contains(a.Text, "Book at the hotel itself") {
		t.Errorf("what to do instead: %s", a.Text)
	}
	body["nights"] = 0
	if a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/canal/bookings", Token: c.Citizen("li"), Body: body, Invalid: true}); a.Problem() != "field-invalid" {
		t.Errorf("a mistake at such a hotel: %d %s", a.Status, a.Text)
	}
}
