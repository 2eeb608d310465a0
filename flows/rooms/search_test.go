package rooms_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

// The middle of the tests' town, and hotels at some 0, 1.1, 2.2 and 11 km from it.
const lat, lon = 30.25, 120.15

func four() []roomstest.Hotel {
	return []roomstest.Hotel{
		{ID: "zero", Lat: lat, Lon: lon, Options: ", accessible: [ACCESSIBLE]",
			Types:   []ohip.TwinType{{Code: "STD"}, {Code: "TWN", Features: []string{ohip.SandboxAccessible}}},
			Section: "  kinds: { STD: { name: { zh: 标准间, en: Standard room }, guests: 2 } }\n"},
		{ID: "one", PMS: roomstest.Apaleo, Lat: lat + 0.01, Lon: lon},
		{ID: "two", Lat: lat + 0.02, Lon: lon},
		{ID: "eleven", Lat: lat + 0.1, Lon: lon},
	}
}

// TestASearchFindsTheHotelsOfTheCircle, the nearest first, each with what it offers and since when that is known.
func TestASearchFindsTheHotelsOfTheCircle(t *testing.T) {
	c := roomstest.Start(t, nil, four()...)
	began := time.Now()
	a := c.Search(roomstest.Query(lat, lon, "guests", "2", "nights", "2"))
	if a.Status != 200 || !a.Complete || len(a.Missing) != 0 || a.Cursor != "" || !slices.Equal(a.IDs(), []string{"zero", "one", "two"}) {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	for i, h := range a.Hotels {
		if want := []int{0, 1112, 2224}[i]; h.Distance != want || h.State != "live" || h.AsOf.Before(began.Truncate(time.Millisecond)) || len(h.Offers) == 0 || h.Name != "Hotel "+h.Hotel {
			t.Errorf("%+v", h)
		}
		for k, o := range h.Offers {
			if o.Kind == "" || o.Free < 1 || o.Total.Minor < 1 || o.Total.Currency == "" || k > 0 && o.Total.Minor < h.Offers[k-1].Total.Minor {
				t.Errorf("%s offers %+v", h.Hotel, o)
			}
		}
	}
	if s := a.Header.Get("Cache-Status"); s != "pms;fwd=miss" || !strings.Contains(a.Header.Get("Server-Timing"), "offers;dur=") {
		t.Errorf("headers %v", a.Header)
	}
	std := a.Hotels[0].Offers[slices.IndexFunc(a.Hotels[0].Offers, func(o roomstest.Offer) bool { return o.Kind == "STD" })]
	if std.Name != "Standard room" || std.Guests != 2 {
		t.Errorf("what the hotel's file knows: %+v", std)
	}
	if far := c.Search(roomstest.Query(lat, lon, "guests", "2", "nights", "2", "radius", "12000")); len(far.Hotels) != 4 || far.Hotels[3].State != "live" || far.Hotels[0].State != "cached" {
		t.Errorf("farther: %s", far.Text)
	}
	if none := c.Search(roomstest.Query(lat, 100)); none.Status != 200 || !none.Complete || len(none.Hotels) != 0 {
		t.Errorf("where there is nothing: %s", none.Text)
	}
}

// TestTheSameSearchAgainAsksNobody: what is known is answered as cached, with the same ETag while nothing changes, in the
// language of whoever asks; who has it already is told so.
func TestTheSameSearchAgainAsksNobody(t *testing.T) {
	c := roomstest.Start(t, nil, four()...)
	query := roomstest.Query(lat, lon)
	first := c.Search(query)
	asked := c.OHIP["zero"].ReadBooks().Requests
	var tag string
	for i := range 4 {
		a := c.Search(query)
		if a.Status != 200 || len(a.Hotels) != 3 || a.Hotels[0].State != "cached" || !a.Hotels[0].AsOf.Equal(first.Hotels[0].AsOf) || a.Header.Get("Cache-Status") != "pms;hit" {
			t.Errorf("%d: %s %v", i, a.Text, a.Header)
		}
		if strings.Contains(a.Header.Get("Server-Timing"), "offers") {
			t.Errorf("%d: a plan ran", i)
		}
		if i > 0 && a.Header.Get("ETag") != tag {
			t.Errorf("%d: ETag %s, was %s", i, a.Header.Get("ETag"), tag)
		}
		tag = a.Header.Get("ETag")
	}
	if tag == first.Header.Get("ETag") {
		t.Error("the live answer has the ETag of the cached one")
	}
	if n := c.OHIP["zero"].ReadBooks().Requests; n != asked {
		t.Errorf("the hotel was asked %d times more", n-asked)
	}
	a := c.Ask(query, map[string]string{"If-None-Match": tag})
	if a.Status != 304 || a.Text != "" || a.Header.Get("ETag") != tag || a.Header.Get("Cache-Control") != "private, no-cache" || a.Header.Get("Cache-Status") != "pms;hit" {
		t.Errorf("304: %d %s %v", a.Status, a.Text, a.Header)
	}
	zh := c.Ask(query, map[string]string{"Accept-Language": "zh-CN", "If-None-Match": tag})
	if zh.Status != 200 || !strings.Contains(zh.Text, "酒店zero") || !strings.Contains(zh.Text, "标准间") || zh.Header.Get("Vary") != "Accept-Language" {
		t.Errorf("in Chinese: %d %s", zh.Status, zh.Text)
	}
}

// TestFiltersAndOrder: only what passes is in the answer, and by price the cheapest hotel is first.
func TestFiltersAndOrder(t *testing.T) {
	c := roomstest.Start(t, nil, four()...)
	all := c.Search(roomstest.Query(lat, lon))
	cheapest := map[string]int64{}
	for _, h := range all.Hotels {
		cheapest[h.Hotel] = h.Offers[0].Total.Minor
	}
	by := c.Search(roomstest.Query(lat, lon, "sort", "price"))
	if !slices.IsSortedFunc(by.IDs(), func(a, b string) int { return int(cheapest[a] - cheapest[b]) }) || len(by.Hotels) != 3 {
		t.Errorf("by price: %v of %v", by.IDs(), cheapest)
	}
	most := cheapest[by.Hotels[0].Hotel]
	for _, h := range c.Search(roomstest.Query(lat, lon, "max_price", "1")).Hotels {
		t.Errorf("for nothing: %+v", h)
	}
	priced := c.Search(roomstest.Query(lat, lon, "max_price", strconv.FormatInt(most, 10)))
	if len(priced.Hotels) == 0 || !priced.Complete || priced.Hotels[0].Offers[0].Total.Minor > most {
		t.Errorf("up to %d: %s", most, priced.Text)
	}
	for name, passes := range map[string]func(o roomstest.Offer) bool{
		"accessible": func(o roomstest.Offer) bool { return o.Accessible }, "breakfast": func(o roomstest.Offer) bool { return o.Breakfast },
	} {
		a := c.Search(roomstest.Query(lat, lon, name, "true"))
		if len(a.Hotels) == 0 || len(a.Text) >= len(all.Text) {
			t.Errorf("%s: %s", name, a.Text)
		}
		for _, h := range a.Hotels {
			if slices.ContainsFunc(h.Offers, func(o roomstest.Offer) bool { return !passes(o) }) {
				t.Errorf("%s: %+v", name, h)
			}
		}
	}
}

// TestAHotelOfAnotherTenantIsNotFound, and neither is one at all by who may not search the city.
func TestAHotelOfAnotherTenantIsNotFound(t *testing.T) {
	c := roomstest.Start(t, nil, append(four(), roomstest.Hotel{ID: "suzhou", Tenant: "suzhou", Lat: lat, Lon: lon})...)
	if a := c.Search(roomstest.Query(lat, lon)); slices.Contains(a.IDs(), "suzhou") || len(a.Hotels) != 3 {
		t.Errorf("%v", a.IDs())
	}
	for what, g := range map[string]struct {
		tenant, scope, venue, want string
	}{
		"another tenant": {"suzhou", "rooms:read", "*", "200 suzhou"}, "a tenant without hotels": {"ningbo", "rooms:read", "*", "200 "},
		"another scope": {"hangzhou", "rooms:book", "*", "403 scope-missing"}, "one venue alone": {"hangzhou", "rooms:read", "zero", "403 venue-not-yours"},
	} {
		answer := c.AskAs(c.TokenOf(g.tenant, g.scope, g.venue), roomstest.Query(lat, lon), nil)
		got := fmt.Sprint(answer.Status, " ", answer.Problem())
		if answer.Status == 200 {
			var a roomstest.Answer
			answer.Into(t, &a)
			got = "200 " + strings.Join(a.IDs(), " ")
		}
		if got != g.want {
			t.Errorf("%s: %s", what, got)
		}
	}
}
