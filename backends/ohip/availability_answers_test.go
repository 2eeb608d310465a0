package ohip_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

func TestAvailabilityComesInPages(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 120 {
		fine(t, w.twin.Build(1, fmt.Sprintf("T%03d", i)))
	}
	before := w.twin.ReadBooks().Requests
	a := w.ask(t, ohip.StayQuery{From: today, To: tomorrow, Adults: 1})
	if requests := w.twin.ReadBooks().Requests - before; requests != 2 || len(a.Offers) != 248 || a.More {
		t.Errorf("%d offers in %d pages, more %v", len(a.Offers), requests, a.More)
	}
	seen := map[string]bool{}
	for _, o := range a.Offers {
		seen[o.RoomType+o.RatePlan] = true
	}
	if len(seen) != 248 {
		t.Errorf("%d different ones", len(seen))
	}
}

// TestPagesThatNeverEnd: a hotel that always has more, or always the same page, is asked a bounded number of times.
func TestPagesThatNeverEnd(t *testing.T) {
	for _, c := range []struct {
		name            string
		next            func(n int) string
		same            bool
		requests, found int
	}{
		{"more and more", func(n int) string { return fmt.Sprintf(`,"pagingKey":"%d"`, n) }, false, 10, 10},
		{"more of the same", func(n int) string { return fmt.Sprintf(`,"pagingKey":"%d"`, n) }, true, 10, 1},
		{"the same key", func(int) string { return `,"pagingKey":"1"` }, false, 2, 2},
		{"no key", func(int) string { return "" }, false, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			client := served(t, func(*http.Request) string {
				n++
				room := n
				if c.same {
					room = 1
				}
				return fmt.Sprintf(`{"hotelAvailability":[{"roomStays":[{"roomRates":[{"roomType":"T%d","ratePlanCode":"R"}]}],"hasMore":true%s}]}`, room, c.next(n))
			})
			a, err := client.Availability(twintest.Within(t, 5*time.Second), tonight())
			fine(t, err)
			if n != c.requests || len(a.Offers) != c.found || !a.More {
				t.Errorf("%d requests, %d offers, more %v", n, len(a.Offers), a.More)
			}
		})
	}
	t.Run("more than is taken", func(t *testing.T) {
		var all []string
		for i := range 2100 {
			all = append(all, fmt.Sprintf(`{"roomType":"T%d","ratePlanCode":"R"}`, i))
		}
		client := served(t, func(*http.Request) string {
			return `{"hotelAvailability":[{"roomStays":[{"roomRates":[` + strings.Join(all, ",") + `]}]}]}`
		})
		a, err := client.Availability(twintest.Within(t, 5*time.Second), tonight())
		if fine(t, err); len(a.Offers) != 2000 || !a.More {
			t.Errorf("%d offers, more %v", len(a.Offers), a.More)
		}
	})
}

// TestAvailabilityUnderEveryFault is the client's half of the budget matrix for a hotel that is asked what it has.
func TestAvailabilityUnderEveryFault(t *testing.T) {
	for fault, want := range twintest.Fates() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *ohip.Config) { c.MaxBody = 256 << 10 })
			w.ask(t, tonight()) // the token is there
			want.Op = "Availability"
			ask := func(ctx context.Context) error {
				_, err := w.client.Availability(ctx, tonight())
				return err
			}
			w.Dial(t, twin.Dial{Fault: fault})
			twintest.Meet(t, want, 150*time.Millisecond, ask)
			w.Dial(t, twin.Dial{})
			if a := w.ask(t, tonight()); free(a, "STD") != 96 {
				t.Errorf("afterwards: %+v", a.Offers)
			}
		})
	}
}

// TestPagesShareOneDeadline: the second page has what the first one left.
func TestPagesShareOneDeadline(t *testing.T) {
	var n atomic.Int32
	client := served(t, func(r *http.Request) string {
		if n.Add(1) > 1 {
			<-r.Context().Done()
		}
		return `{"hotelAvailability":[{"roomStays":[{"roomRates":[{"roomType":"A","ratePlanCode":"R"}]}],"hasMore":true,"pagingKey":"A"}]}`
	})
	twintest.Meet(t, wire.Error{Fate: wire.Unknown, Reason: wire.ReasonTimeout}, 300*time.Millisecond, func(ctx context.Context) error {
		_, err := client.Availability(ctx, tonight())
		return err
	})
	if n := n.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestWhatAStayAsks(t *testing.T) {
	var got *http.Request
	client := served(t, func(r *http.Request) string {
		got = r.Clone(context.Background())
		return `{"hotelAvailability":[{}]}`
	})
	_, err := client.Availability(twintest.Within(t, 5*time.Second), ohip.StayQuery{From: "2026-12-31", To: "2027-03-31", Adults: 2,
		ChildAges: []int{0, 17}, Types: []string{"A B", "C"}})
	fine(t, err)
	const want = "adults=2&childAge=0&childAge=17&children=2&limit=200&roomStayEndDate=2027-03-31&roomStayQuantity=1&roomStayStartDate=2026-12-31&roomType=A+B&roomType=C&roomTypeInfo=true"
	if got.Method != "GET" || got.URL.Path != "/par/v1/hotels/LAKE1/availability" || got.URL.RawQuery != want || got.Header.Get("x-hotelid") != "LAKE1" {
		t.Errorf("%s %s %v", got.Method, got.URL, got.Header)
	}
	got = nil
	for what, q := range map[string]ohip.StayQuery{
		"no days": {Adults: 1}, "no night": {From: today, To: today, Adults: 1}, "backwards": {From: tomorrow, To: today, Adults: 1},
		"a day that is none": {From: "2026-02-30", To: "2026-03-02", Adults: 1}, "91 nights": {From: "2026-12-31", To: "2027-04-01", Adults: 1},
		"nobody": {From: today, To: tomorrow}, "21 adults": {From: today, To: tomorrow, Adults: 21},
		"11 children":         {From: today, To: tomorrow, Adults: 1, ChildAges: make([]int, 11)},
		"a grown child":       {From: today, To: tomorrow, Adults: 1, ChildAges: []int{18}},
		"a type that is none": {From: today, To: tomorrow, Adults: 1, Types: []string{""}},
		"51 types":            {From: today, To: tomorrow, Adults: 1, Types: slices.Repeat([]string{"A"}, 51)},
	} {
		_, err := client.Availability(twintest.Within(t, 5*time.Second), q)
		if e := twintest.ErrorOf(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonInput || got != nil {
			t.Errorf("%s: %v", what, e)
		}
	}
}

// served is a hotel that gives a token and answers everything else with what answer returns.
func served(t *testing.T, answer func(*http.Request) string) *ohip.Client {
	t.Helper()
	cfg := testConfig(twintest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oauth") {
			_, _ = w.Write([]byte(`{"access_token":"t"}`))
			return
		}
		_, _ = w.Write([]byte(answer(r)))
	})))
	cfg.AccessibleFeatures, cfg.BreakfastPackages = []string{"WC"}, []string{"BRK"}
	c, err := ohip.New(cfg)
	fine(t, err)
	t.Cleanup(c.Close)
	return c
}

// TestAnswersAboutRoomsAreJudged: what each answer makes of one room type under one plan.
func TestAnswersAboutRoomsAreJudged(t *testing.T) {
	segment := func(rate, more string) string {
		return `{"hotelAvailability":[{"roomStays":[{"roomRates":[` + rate + `]}]` + more + `}],"new":1}`
	}
	rate := func(more string) string { return segment(`{"roomType":"A","ratePlanCode":"R"`+more+`}`, "") }
	cny := func(minor int64) gateway.Money { return gateway.Money{Minor: minor, Currency: "CNY"} }
	offer := func(change func(*ohip.Offer)) *ohip.Offer {
		o := &ohip.Offer{RoomType: "A", RatePlan: "R", Free: 1, AtLeast: true, Status: ohip.Offered}
		change(o)
		return o
	}
	plain := offer(func(*ohip.Offer) {})
	for _, c := range []struct {
		name, body string
		want       *ohip.Offer // nil: no answer
	}{
		{"nothing said", rate(""), plain},
		{"how many", rate(`,"numberOfUnits":7`), offer(func(o *ohip.Offer) { o.Free, o.AtLeast = 7, false })},
		{"none", rate(`,"numberOfUnits":0,"availability":"Available"`), offer(func(o *ohip.Offer) { o.Free, o.AtLeast = 0, false })},
		{"restricted", rate(`,"numberOfUnits":7,"availability":"RestrictedDueToOccupancy"`), offer(func(o *ohip.Offer) { o.Free, o.AtLeast, o.Status = 0, false, "RestrictedDueToOccupancy" })},
		{"a word that is not known", rate(`,"numberOfUnits":7,"availability":"Perhaps"`), offer(func(o *ohip.Offer) { o.Free, o.AtLeast, o.Status = 0, false, "Perhaps" })},
		{"with taxes", rate(`,"total":{"amountBeforeTax":500,"amountAfterTax":530.5,"currencyCode":"CNY"}`), offer(func(o *ohip.Offer) { o.Price, o.TaxIncluded = cny(53050), true })},
		{"before taxes", rate(`,"total":{"amountBeforeTax":500.005,"amountAfterTax":null,"currencyCode":"CNY"}`), offer(func(o *ohip.Offer) { o.Price = cny(50001) })},
		{"before taxes, which are in it", rate(`,"taxIncluded":true,"total":{"amountBeforeTax":1.2E7,"currencyCode":"CNY"}`), offer(func(o *ohip.Offer) { o.Price, o.TaxIncluded = cny(1200000000), true })},
		{"no currency", rate(`,"total":{"amountAfterTax":530}`), plain},
		{"a price that is kept back", rate(`,"suppressRate":true,"total":{"amountAfterTax":530,"currencyCode":"CNY"}`), plain},
		{"the price of a part", rate(`,"start":"2026-05-03","total":{"amountAfterTax":530,"currencyCode":"CNY"}`), plain},
		{"the price until the last night", rate(`,"start":"2026-05-02","end":"2026-05-02","total":{"amountAfterTax":530,"currencyCode":"CNY"}`), offer(func(o *ohip.Offer) { o.Price, o.TaxIncluded = cny(53000), true })},
		{"the price until before it", rate(`,"end":"2026-05-01","total":{"amountAfterTax":530,"currencyCode":"CNY"}`), plain},
		{"breakfast", rate(`,"mealPlans":[{"included":true,"lunchIncluded":true},{"included":true,"breakfastIncluded":true}]`), offer(func(o *ohip.Offer) { o.Breakfast = true })},
		{"breakfast that is not included", rate(`,"mealPlans":[{"included":false,"breakfastIncluded":true},{"included":true}]`), plain},
		{"a package", rate(`,"packages":[{"packageCode":"BRK","includedInRate":true}]`), offer(func(o *ohip.Offer) { o.Breakfast = true })},
		{"packages that are not", rate(`,"packages":[{"packageCode":"BRK"},{"packageCode":"SPA","includedInRate":true}]`), plain},
		{"its type", segment(`{"roomType":"A","ratePlanCode":"R"}`, `,"masterInfo":{"roomTypes":{"roomType":[{"roomType":"B"},{"roomType":"A","description":"Nice","roomFeatures":[{"code":"X"},{"code":"WC"}]}]}}`), offer(func(o *ohip.Offer) { o.RoomName, o.Accessible, o.Features = "Nice", true, []string{"X", "WC"} })},
		{"another's type", segment(`{"roomType":"A","ratePlanCode":"R"}`, `,"masterInfo":{"roomTypes":{"roomType":[{"roomType":"B","roomFeatures":[{"code":"WC"}]}]}}`), plain},
		{"a closed hotel", segment(`{"roomType":"A","ratePlanCode":"R","numberOfUnits":7}`, `,"closed":true`), offer(func(o *ohip.Offer) { o.Free, o.AtLeast = 0, false })},
		{"this hotel and these days", `{"hotelAvailability":[{"hotelId":"LAKE1","roomStays":[{"arrivalDate":"2026-05-02","departureDate":"2026-05-03","roomRates":[{"roomType":"A","ratePlanCode":"R"}]}]}]}`, plain},
		{"twice", segment(`{"roomType":"A","ratePlanCode":"R"},{"roomType":"A","ratePlanCode":"R","numberOfUnits":9}`, ""), plain},
		{"an account among the rooms", segment(`{"roomType":"PM","ratePlanCode":"R","pseudoRoom":true},{"roomType":"A","ratePlanCode":"R"}`, ""), plain},

		{"another hotel", segment(`{"roomType":"A","ratePlanCode":"R"}`, `,"hotelId":"HILL2"`), nil},
		{"another arrival", `{"hotelAvailability":[{"roomStays":[{"arrivalDate":"2026-05-01","roomRates":[]}]}]}`, nil},
		{"another departure", `{"hotelAvailability":[{"roomStays":[{"departureDate":"2026-05-04","roomRates":[]}]}]}`, nil},
		{"no type", segment(`{"ratePlanCode":"R"}`, ""), nil},
		{"no plan", segment(`{"roomType":"A"}`, ""), nil},
		{"one bad among good", segment(`{"roomType":"A","ratePlanCode":"R"},{}`, ""), nil},
		{"fewer than none", rate(`,"numberOfUnits":-1`), nil},
		{"half a room", rate(`,"numberOfUnits":1.5`), nil},
		{"an amount below nothing", rate(`,"total":{"amountAfterTax":-1,"currencyCode":"CNY"}`), nil},
		{"an amount in words", rate(`,"total":{"amountAfterTax":"530","currencyCode":"CNY"}`), nil},
		{"an amount past all", rate(`,"total":{"amountBeforeTax":1e30,"currencyCode":"CNY"}`), nil},
		{"a currency that is none", rate(`,"total":{"amountAfterTax":530,"currencyCode":"yuan"}`), nil},
		{"no hotel", `{"hotelAvailability":[]}`, nil},
		{"an empty object", `{}`, nil},
		{"an array", `[]`, nil},
		{"nothing", ``, nil},
		{"a member twice", `{"hotelAvailability":[{}],"hotelAvailability":[{}]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := served(t, func(*http.Request) string { return c.body }).Availability(twintest.Within(t, 5*time.Second), tonight())
			if c.want == nil {
				if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
					t.Errorf("%v", e)
				}
				return
			}
			fine(t, err)
			if len(got.Offers) != 1 || !reflect.DeepEqual(&got.Offers[0], c.want) || got.More || got.Closed != (c.name == "a closed hotel") {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	for status, want := range map[int]wire.Reason{204: "", 400: wire.ReasonGarbage, 404: wire.ReasonGarbage, 201: "", 202: wire.ReasonStatus, 500: wire.ReasonStatus, 429: wire.ReasonRateLimited} {
		got, err := answerer(t, status, rate("")).Availability(twintest.Within(t, 5*time.Second), tonight())
		switch {
		case want == "" && (err != nil || status == 204 && (len(got.Offers) != 0 || got.AsOf.IsZero())):
			t.Errorf("%d: %+v, %v", status, got, err)
		case want != "" && twintest.ErrorOf(t, err).Reason != want:
			t.Errorf("%d: %v, want %s", status, err, want)
		}
	}
}

// TestTheTwinRefusesStaysThatDoNotFit holds what is asked of the twin to the published parameters.
func TestTheTwinRefusesStaysThatDoNotFit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	header := map[string]string{"Authorization": "Bearer " + token(t, base), "x-app-key": ohip.SandboxAppKey, "x-hotelid": "LAKE1"}
	const good = "roomStayStartDate=2026-05-02&roomStayEndDate=2026-05-03"
	for _, c := range []struct {
		query  string
		status int
		says   string
	}{
		{good, 200, `"roomType":"STE"`},
		{good + "&adults=2&children=1&childAge=3&childAge=4&roomType=DLX&roomType=STE&ratePlanCode=FLEX&roomTypeInfo=true&roomStayQuantity=1", 200, `"maximumOccupancy":3`},
		{good + "&feature=POOL", 204, ""},
		{good + "&adults=5", 204, ""},
		{"roomStayStartDate=2026-05-01&roomStayEndDate=2026-05-03", 204, ""},
		{good + "&limit=1", 200, `"pagingKey":"STD,FLEX"`},
		{good + "&limit=1&pagePointerKey=STD,FLEX", 200, `"hasMore":true`},
		{good + "&pagePointerKey=XXX,FLEX", 400, "pagePointerKey"},
		{good + "&limit=many", 400, "limit"},
		{"", 400, "roomStayEndDate"},
		{"roomStayStartDate=2026-05-02", 400, "roomStayEndDate"},
		{"roomStayStartDate=2026-05-03&roomStayEndDate=2026-05-03", 400, "roomStayEndDate"},
		{"roomStayStartDate=2026-05-02&roomStayEndDate=2026-08-01", 400, "90 days"},
		{"roomStayStartDate=02.05.2026&roomStayEndDate=2026-05-03", 400, "roomStayStartDate"},
		{good + "&roomStayEndDate=2026-05-04", 400, "more than once"},
		{good + "&adults=two", 400, "adults"},
		{good + "&adults=0", 400, "nobody"},
		{good + "&adults=99999999", 400, "more people"},
		{good + "&roomStayQuantity=2", 400, "roomStayQuantity"},
		{good + "&roomTypeInfo=yes", 400, "roomTypeInfo"},
		{good + "&redeemAwards=true", 400, "redeemAwards"},
	} {
		status, body := raw(t, base, "GET", "/par/v1/hotels/LAKE1/availability?"+c.query, "", header)
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %.300s, want %d %s", c.query, status, body, c.status, c.says)
		}
	}
	if status, _ := raw(t, base, "POST", "/par/v1/hotels/LAKE1/availability?"+good, "{}", header); status != 404 {
		t.Errorf("POST: %d", status)
	}
}

// TestOneCredentialForAChain: a client of another hotel shares the token and the connections, and asks in its own name.
func TestOneCredentialForAChain(t *testing.T) {
	var asked []string
	client := served(t, func(r *http.Request) string {
		asked = append(asked, r.URL.Path+" "+r.Header.Get("x-hotelid"))
		return `{"hotelAvailability":[{}]}`
	})
	other, err := client.At("HILL2")
	fine(t, err)
	other.Close() // nothing of client's ends, not even what has not begun
	for _, c := range []*ohip.Client{other, client, client} {
		_, err := c.Availability(twintest.Within(t, 5*time.Second), tonight())
		fine(t, err)
	}
	const lake, hill = "/par/v1/hotels/LAKE1/availability LAKE1", "/par/v1/hotels/HILL2/availability HILL2"
	if !slices.Equal(asked, []string{hill, lake, lake}) || other.HotelID() != "HILL2" {
		t.Errorf("asked %v", asked)
	}
	if _, err := client.At("two words"); err == nil {
		t.Error("a hotel with a space")
	}
}
