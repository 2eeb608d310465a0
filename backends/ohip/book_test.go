package ohip_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

// booking is an order for tonight, under a reference.
func booking(reference string) ohip.BookOrder {
	return ohip.BookOrder{Reference: reference, RoomType: "STD", RatePlan: "FLEX", From: today, To: tomorrow, Adults: 1, Surname: "Wang",
		GivenName: "Xiaoming", Alternate: "王小明"}
}

// priced is an order at the price that the hotel says now.
func (w world) priced(t testing.TB, reference string) ohip.BookOrder {
	t.Helper()
	o := booking(reference)
	offer := find(w.ask(t, ohip.StayQuery{From: o.From, To: o.To, Adults: o.Adults}), o.RoomType, o.RatePlan)
	o.Price, o.TaxIn = offer.Price, offer.TaxIncluded
	return o
}

func TestABookingFromOfferToRoom(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	before := free(w.ask(t, tonight()), "STD")
	o := w.priced(t, "ref-1")
	made, err := w.client.Book(ctx, o)
	fine(t, err)
	if made.State() != ohip.Expected || made.Confirmation == "" || made.Total != o.Price || !made.TaxIncluded || made.RoomType != "STD" ||
		made.RatePlan != "FLEX" || made.Arrival != today || made.Departure != tomorrow || made.Adults != 1 {
		t.Fatalf("Book = %+v", made)
	}
	all, err := w.client.ByReference(ctx, "ref-1")
	if err != nil || len(all) != 1 || all[0].ID != made.ID || all[0].Confirmation != made.Confirmation || all[0].Total != o.Price || all[0].RatePlan != "FLEX" {
		t.Fatalf("ByReference = %+v, %v", all, err)
	}
	if other, err := w.client.ByReference(ctx, "ref-2"); err != nil || len(other) != 0 {
		t.Errorf("a reference that nobody has used: %+v, %v", other, err)
	}
	if n := free(w.ask(t, tonight()), "STD"); n != before-1 {
		t.Errorf("%d free, want %d", n, before-1)
	}
	if all, err = w.client.ByConfirmation(ctx, made.Confirmation); err != nil || len(all) != 1 || all[0].Guests[0].Alternate != "王小明" {
		t.Fatalf("ByConfirmation = %+v, %v", all, err)
	}
	const room = "203"
	fine(t, w.client.AssignRoom(ctx, made.ID, room))
	fine(t, w.client.CheckIn(ctx, made.ID, room))
	wantRefusal(t, "cancel", w.client.CancelBooking(ctx, made.ID), ohip.RefusedAlreadyIn)
	books := w.twin.ReadBooks()
	if one := books.Reservations[0]; one.Reference != "ref-1" || one.Total != o.Price.Minor || one.People != 1 || books.Effects[0].Op != "book" {
		t.Errorf("the books: %+v, %+v", one, books.Effects)
	}
}

func TestACancelledBookingFreesItsRoom(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	before := free(w.ask(t, tonight()), "STD")
	made, err := w.client.Book(ctx, booking("ref-1"))
	fine(t, err)
	fine(t, w.client.CancelBooking(ctx, made.ID))
	if all, err := w.client.ByReference(ctx, "ref-1"); err != nil || len(all) != 1 || all[0].State() != ohip.Cancelled {
		t.Errorf("ByReference = %+v, %v", all, err)
	}
	if n := free(w.ask(t, tonight()), "STD"); n != before {
		t.Errorf("%d free, want %d", n, before)
	}
	wantRefusal(t, "again", w.client.CancelBooking(ctx, made.ID), ohip.RefusedCancelled)
	wantRefusal(t, "another's", w.client.CancelBooking(ctx, "4711"), ohip.RefusedUnknown)
}

// TestWhatCannotBeBooked: what was found may be gone, or cost more, and both are a definite no.
func TestWhatCannotBeBooked(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	refused := func(what string, o ohip.BookOrder, want ohip.Refusal) {
		t.Helper()
		_, err := w.client.Book(ctx, o)
		wantRefusal(t, what, err, want)
		if all, err := w.client.ByReference(ctx, o.Reference); err != nil || len(all) != 0 {
			t.Errorf("%s: refused and made: %+v, %v", what, all, err)
		}
	}
	o := w.priced(t, "ref-1")
	fine(t, w.twin.Reprice("STD", 999_00))
	refused("a higher price", o, ohip.RefusedPrice)
	dear := w.priced(t, "ref-1")
	if dear.Price.Minor <= o.Price.Minor {
		t.Fatalf("the price went from %+v to %+v", o.Price, dear.Price)
	}
	unsaid := o
	unsaid.Reference, unsaid.Price = "ref-0", gateway.Money{}
	if made, err := w.client.Book(ctx, unsaid); err != nil || made.Total != dear.Price {
		t.Errorf("no price said: %+v, %v", made, err)
	}
	_, err := w.client.Book(ctx, dear)
	fine(t, err)

	none, crowd, past, early := dear, dear, dear, dear
	none.Reference, none.RatePlan = "ref-2", "NONE"
	refused("another plan", none, ohip.RefusedGone)
	crowd.Reference, crowd.Adults = "ref-3", 3
	refused("more people than it has beds", crowd, ohip.RefusedGone)
	past.Reference, past.From, past.To = "ref-4", yesterday, today
	refused("yesterday", past, ohip.RefusedGone)
	early.Reference, early.RatePlan = "ref-5", "EARLY"
	refused("a plan that had to be booked earlier", early, ohip.RefusedGone)

	_, err = w.twin.Reserve(ohip.Want{Count: free(w.ask(t, tonight()), "STD")})
	fine(t, err)
	last := dear
	last.Reference = "ref-6"
	refused("the last one is another's", last, ohip.RefusedGone)
}

// TestTwoRequestsAreTwoReservations: the interface has no idempotency, so the twin has none.
func TestTwoRequestsAreTwoReservations(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	for range 2 {
		_, err := w.client.Book(ctx, booking("ref-1"))
		fine(t, err)
	}
	if all, err := w.client.ByReference(ctx, "ref-1"); err != nil || len(all) != 2 || all[0].ID >= all[1].ID {
		t.Errorf("ByReference = %+v, %v", all, err)
	}
}

func TestWhatIsNotSentAsABooking(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	long := strings.Repeat("x", 81)
	for name, change := range map[string]func(*ohip.BookOrder){
		"no reference":       func(o *ohip.BookOrder) { o.Reference = "" },
		"a long reference":   func(o *ohip.BookOrder) { o.Reference = long },
		"words as reference": func(o *ohip.BookOrder) { o.Reference = "two words" },
		"no type":            func(o *ohip.BookOrder) { o.RoomType = "" },
		"no plan":            func(o *ohip.BookOrder) { o.RatePlan = "" },
		"a long plan":        func(o *ohip.BookOrder) { o.RatePlan = long },
		"no name":            func(o *ohip.BookOrder) { o.Surname = "" },
		"a long name":        func(o *ohip.BookOrder) { o.GivenName = long },
		"a control":          func(o *ohip.BookOrder) { o.Alternate = "a\x00b" },
		"no nights":          func(o *ohip.BookOrder) { o.To = o.From },
		"nobody":             func(o *ohip.BookOrder) { o.Adults = 0 },
		"an old child":       func(o *ohip.BookOrder) { o.ChildAges = []int{18} },
		"a negative price":   func(o *ohip.BookOrder) { o.Price = gateway.Money{Minor: -1, Currency: "CNY"} },
		"an odd currency":    func(o *ohip.BookOrder) { o.Price = gateway.Money{Minor: 1, Currency: "yuan"} },
	} {
		o := booking("ref-1")
		change(&o)
		_, err := w.client.Book(ctx, o)
		if e := twintest.ErrorOf(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonInput {
			t.Errorf("%s: %v", name, e)
		}
	}
	if n := w.twin.ReadBooks().Requests; n != 0 {
		t.Errorf("%d requests", n)
	}
	cfg := testConfig("http://127.0.0.1:1")
	cfg.Sales.Market = long
	if _, err := ohip.New(cfg); err == nil || !strings.Contains(err.Error(), "sales") {
		t.Errorf("codes that no hotel has: %v", err)
	}
}

// TestAHotelThatShowsLittleOfABooking: some answer with links alone, or with what contradicts itself; then it is read back.
func TestAHotelThatShowsLittleOfABooking(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"links alone":       func(string) string { return `{"links":[{"href":"/x","rel":"self"}]}` },
		"nothing":           func(string) string { return `{}` },
		"no confirmation":   func(s string) string { return strings.Replace(s, `"Confirmation"`, `"Other"`, 1) },
		"another reference": func(s string) string { return strings.Replace(s, `"ref-1"`, `"ref-9"`, 1) },
		"two of them": func(s string) string {
			return strings.Replace(s, `{"reservation":[`, `{"reservation":[{},`, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, throughProxy(t, change))
			made, err := w.client.Book(twintest.Within(t, 10*time.Second), booking("ref-1"))
			fine(t, err)
			if books := w.twin.ReadBooks(); made.ID != books.Reservations[0].ID || made.Confirmation != books.Reservations[0].Confirmation || made.Total.Minor != books.Reservations[0].Total {
				t.Errorf("Book = %+v", made)
			}
		})
	}
}

// throughProxy puts somebody between client and twin who changes the answers to bookings.
func throughProxy(t *testing.T, change func(string) string) func(*ohip.Config) {
	return func(c *ohip.Config) {
		c.GatewayURL = twintest.Between(t, c.GatewayURL, func(r *http.Request, _ []byte, answer *httptest.ResponseRecorder) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/reservations") {
				answer.Body = bytes.NewBufferString(change(answer.Body.String()))
			}
		})
	}
}

// TestAHotelThatIgnoresTheReference: one that answers a search for a reference with all that it has has not been asked.
func TestAHotelThatIgnoresTheReference(t *testing.T) {
	const other = `{"reservations":{"reservationInfo":[{"reservationIdList":[{"id":"1","type":"Reservation"}],"reservationStatus":"Reserved","roomStay":{"arrivalDate":"2026-05-02","departureDate":"2026-05-03"}}]}}`
	all, err := answerer(t, 200, other).ByReference(twintest.Within(t, 5*time.Second), "ref-1")
	if err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTheTwinRefusesABookingThatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	header := map[string]string{"Authorization": "Bearer " + token(t, base), "x-app-key": ohip.SandboxAppKey, "x-hotelid": "LAKE1"}
	const rsv = "/rsv/v1/hotels/LAKE1/reservations"
	const good = `{"reservations":{"reservation":[{"externalReferences":[{"id":"r","idContext":"WARMGATE"}],"roomStay":{"roomRates":[{"total":{"amountAfterTax":1,"currencyCode":"CNY"},` +
		`"guestCounts":{"adults":1},"roomType":"STD","roomTypeCharged":"STD","ratePlanCode":"FLEX","start":"2026-05-02","end":"2026-05-03","numberOfUnits":1}],"guestCounts":{"adults":1},` +
		`"arrivalDate":"2026-05-02","departureDate":"2026-05-03"},"reservationGuests":[{"profileInfo":{"profile":{"customer":{"personName":[{"surname":"Wang","nameType":"Primary"}]}}},"primary":true}],` +
		`"hotelId":"LAKE1","reservationStatus":"Reserved"}]},"fetchInstructions":["Reservation"]}`
	const ids = `"reservationIdList":[{"id":"ID","type":"Reservation"}]`
	const off = `{"reason":{"description":"x"},"reservations":[{"hotelId":"LAKE1",` + ids + `}]}`
	m := w.make(t, ohip.Want{})
	for _, c := range []struct{ name, in, from, to, says string }{
		{"another hotel", good, `"LAKE1"`, `"HILL2"`, "another hotel"},
		{"another status", good, `"Reserved"`, `"InHouse"`, "Reserved"},
		{"an unknown member", good, `"hotelId"`, `"hotel":1,"hotelId"`, "hotel"},
		{"a member twice", good, `"hotelId"`, `"hotelId":"LAKE1","hotelId"`, "duplicate"},
		{"an amount in words", good, `"amountAfterTax":1`, `"amountAfterTax":"1"`, "number"},
		{"no currency", good, `,"currencyCode":"CNY"`, ``, "currency"},
		{"another price", good, `x`, `x`, "TWIN-PRICE"},
		{"another currency", good, `CNY`, `USD`, "TWIN-PRICE"},
		{"no type", good, `"roomType":"STD",`, ``, "roomType"},
		{"another type charged", good, `"roomTypeCharged":"STD"`, `"roomTypeCharged":"DLX"`, "charges"},
		{"two rooms", good, `"numberOfUnits":1`, `"numberOfUnits":2`, "one room"},
		{"another stay than the rate", good, `"end":"2026-05-03"`, `"end":"2026-05-04"`, "whole stay"},
		{"departed before arrival", good, `"departureDate":"2026-05-03"`, `"departureDate":"2026-05-01"`, "departureDate"},
		{"a day that is none", good, `"arrivalDate":"2026-05-02"`, `"arrivalDate":"soon"`, "arrivalDate"},
		{"nobody", good, `"guestCounts":{"adults":1},"arr`, `"guestCounts":{"adults":0},"arr`, "nobody"},
		{"no counts", good, `"guestCounts":{"adults":1},"arr`, `"arr`, "guestCounts"},
		{"no guest", good, `"primary":true`, `"primary":false`, "primary"},
		{"no surname", good, `"surname":"Wang",`, ``, "surname"},
		{"a long surname", good, `Wang`, strings.Repeat("W", 41), "at most 40"},
		{"another kind of name", good, `"Primary"`, `"Incognito"`, "Alternate"},
		{"a reference without a system", good, `,"idContext":"WARMGATE"`, ``, "idContext"},
		{"something else to fetch", good, `["Reservation"]`, `["Everything"]`, "fetched"},
		{"no reservation", good, `"reservation":[`, `"reservation":[],"x":[`, "x"},

		{"no reason", off, `"description":"x"`, ``, "reason"},
		{"another reservation", off, `ID`, `1`, "another reservation"},
		{"of another hotel", off, `LAKE1`, `HILL2`, "another hotel"},
		{"nothing to cancel", off, ids, `"reservationIdList":[]`, "FOF00065"},
	} {
		path, body := rsv, strings.Replace(c.in, c.from, c.to, 1)
		if c.in == off {
			path, body = rsv+"/"+m.ID+"/cancellations", strings.Replace(body, "ID", m.ID, 1)
			if !strings.Contains(c.from+c.to, "ID") {
				body = strings.Replace(strings.Replace(c.in, c.from, c.to, 1), `"id":"ID"`, `"id":"`+m.ID+`"`, 1)
			}
		}
		if status, got := raw(t, base, "POST", path, body, header); status != 400 || !strings.Contains(got, c.says) {
			t.Errorf("%s: want 400 %q, got %d %s", c.name, c.says, status, got)
		}
	}
	if b := w.twin.ReadBooks(); len(b.Effects) != 0 {
		t.Errorf("a refused request had an effect: %+v", b.Effects)
	}
}

// TestTheTwinRemembersWhatWasBooked: what a caller has made, and what a type costs by now, outlive a restart.
func TestTheTwinRemembersWhatWasBooked(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	_, err := w.twin.Make([]byte(`{"do":"reprice","room_type":"STD","price":77700}`))
	fine(t, err)
	made, err := w.client.Book(ctx, booking("ref-1"))
	fine(t, err)
	saved, err := w.twin.Save()
	fine(t, err)
	fine(t, w.twin.Restore(saved))
	all, err := w.client.ByReference(ctx, "ref-1")
	if err != nil || len(all) != 1 || all[0].Confirmation != made.Confirmation || all[0].Total != made.Total {
		t.Errorf("%+v, %v", all, err)
	}
	if o := w.priced(t, "ref-2"); o.Price != made.Total {
		t.Errorf("it costs %+v, it did %+v", o.Price, made.Total)
	}
	for _, bad := range []string{`{"do":"reprice","room_type":"NONE","price":1}`, `{"do":"reprice","room_type":"STD"}`} {
		if _, err := w.twin.Make([]byte(bad)); err == nil {
			t.Errorf("%s was done", bad)
		}
	}
}

// TestAHotelOfATownIsBooked: the first booking opens it, and it says its own price as before.
func TestAHotelOfATownIsBooked(t *testing.T) {
	town, client := newTown(t, nil)
	hotel := town.HotelAt(42)
	c, err := client.At(hotel.ID)
	fine(t, err)
	ctx := twintest.Within(t, 10*time.Second)
	a, err := c.Availability(ctx, ohip.StayQuery{From: today, To: tomorrow, Adults: 1})
	fine(t, err)
	o := booking("ref-1")
	o.RoomType, o.RatePlan, o.Price, o.TaxIn = a.Offers[0].RoomType, a.Offers[0].RatePlan, a.Offers[0].Price, a.Offers[0].TaxIncluded
	made, err := c.Book(ctx, o)
	fine(t, err)
	after, err := c.Availability(ctx, ohip.StayQuery{From: today, To: tomorrow, Adults: 1, Types: []string{o.RoomType}})
	fine(t, err)
	if made.Total != o.Price || free(after, o.RoomType) != a.Offers[0].Free-1 {
		t.Errorf("%+v; %d free, were %d", made, free(after, o.RoomType), a.Offers[0].Free)
	}
}
