package apaleo_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

// night is a stay of two, tonight: a Saturday.
func night() apaleo.StayQuery {
	return apaleo.StayQuery{Arrival: "2026-05-02", Departure: "2026-05-03", Adults: 2}
}

func (w world) offers(t testing.TB, q apaleo.StayQuery) *apaleo.Offers {
	t.Helper()
	got, err := w.client.Offers(soon(t), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// offered returns the offer of a group under a plan, an empty one when there is none.
func offered(o *apaleo.Offers, group, plan string) apaleo.Offer {
	for _, one := range o.All {
		if one.Group == "LAKE-"+group && one.RatePlan == "LAKE-"+plan {
			return one
		}
	}
	return apaleo.Offer{}
}

func TestOffersFollowTheBooks(t *testing.T) {
	w := newWorld(t, nil)
	want := func(what, arrival, departure string, n int) {
		t.Helper()
		q := apaleo.StayQuery{Arrival: arrival, Departure: departure, Adults: 2}
		if got := offered(w.offers(t, q), "DBL", "FLEX").Free; got != n {
			t.Errorf("%s: %d free from %s to %s, want %d", what, got, arrival, departure, n)
		}
	}
	const today, tomorrow, after = "2026-05-02", "2026-05-03", "2026-05-04"
	want("nothing booked", today, tomorrow, 6)
	made := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned, Group: "DBL", Nights: 1, Adults: 2})
	want("a booking", today, tomorrow, 5)
	want("the night after", tomorrow, after, 6)
	want("over both", today, after, 5)
	if err := w.client.CheckIn(soon(t), made.Reservation); err != nil {
		t.Fatal(err)
	}
	want("in house", today, tomorrow, 5)
	if err := w.client.CheckOut(soon(t), made.Reservation); err != nil {
		t.Fatal(err)
	}
	want("gone", today, tomorrow, 6)
	for _, s := range []apaleo.Scenario{apaleo.Canceled, apaleo.NoShow, apaleo.Past, apaleo.OtherHotel, apaleo.CheckedOut, apaleo.Departing} {
		w.issue(t, apaleo.Want{Scenario: s, Group: "DBL"})
		want(string(s), today, tomorrow, 6)
	}
	repair := func(unit string, what apaleo.Maintenance) {
		t.Helper()
		if _, err := w.twin.Keep(apaleo.Want{Scenario: apaleo.ChangeUnit, Unit: unit, Maintenance: what}); err != nil {
			t.Fatal(err)
		}
	}
	for what, n := range map[apaleo.Maintenance]int{apaleo.OutOfOrder: 5, apaleo.OutOfInventory: 5, apaleo.OutOfService: 6} {
		repair("302", what)
		want("maintenance "+string(what), today, tomorrow, n)
	}
	repair("302", "")
	want("mended", today, tomorrow, 6)
	in := w.issue(t, apaleo.Want{Scenario: apaleo.InHouse, Group: "DBL"})
	repair(w.read(t, in.Reservation).Unit, apaleo.OutOfOrder)
	want("somebody lives in a unit out of order", today, tomorrow, 5)
	w.issue(t, apaleo.Want{Group: "DBL", Nights: 1, Count: 5})
	want("full", today, tomorrow, 0)
	if o := w.offers(t, night()); offered(o, "TWN", "FLEX").Free != 6 || offered(o, "DBL", "FLEXBB").Free != 0 {
		t.Errorf("another group: %+v", o)
	}
}

// TestWhoShouldHaveLeft: a guest who stays past the day of departure keeps a unit from others tonight, and not longer.
func TestWhoShouldHaveLeft(t *testing.T) {
	now := noon
	hotel, err := apaleo.NewTwin(apaleo.TwinConfig{Property: "LAKE", ClientID: "WARM-GATE", ClientSecret: testSecret, Seed: 7,
		Clock: func() time.Time { return now }, Location: twintest.Shanghai(), Floors: 3, PerFloor: 8})
	if err != nil {
		t.Fatal(err)
	}
	client, err := apaleo.New(apaleo.Config{BaseURL: twintest.Serve(t, hotel), ClientID: "WARM-GATE", ClientSecret: testSecret, Property: "LAKE"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := hotel.Issue(apaleo.Want{Scenario: apaleo.Departing, Group: "DBL"}); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 0, 1)
	for free, q := range map[int]apaleo.StayQuery{5: {Arrival: "2026-05-03", Departure: "2026-05-04", Adults: 2},
		6: {Arrival: "2026-05-04", Departure: "2026-05-05", Adults: 2}} {
		got, err := client.Offers(soon(t), q)
		if err != nil || offered(got, "DBL", "FLEX").Free != free {
			t.Errorf("from %s: %+v, %v, want %d", q.Arrival, got, err, free)
		}
	}
}

func TestPricesOfOffers(t *testing.T) {
	w := newWorld(t, func(c *apaleo.Config) {
		c.BreakfastRatePlans, c.AccessibleGroups = []string{"FLEXBB"}, []string{"FAM"}
	})
	before := time.Now()
	saturday := w.offers(t, night())
	if saturday.AsOf.Before(before) || saturday.AsOf.After(time.Now()) || saturday.More || len(saturday.All) != 6 { // three groups sleep two
		t.Errorf("%+v", saturday)
	}
	plain, full := offered(saturday, "DBL", "FLEX"), offered(saturday, "DBL", "FLEXBB")
	if plain.Price.Currency != "CNY" || full.Price.Minor != plain.Price.Minor+2*48_00 || plain.Breakfast || !full.Breakfast || plain.GroupName != "Double" ||
		plain.Accessible || !offered(saturday, "FAM", "FLEX").Accessible {
		t.Errorf("%+v %+v", plain, full)
	}
	sunday := offered(w.offers(t, apaleo.StayQuery{Arrival: "2026-05-03", Departure: "2026-05-04", Adults: 2}), "DBL", "FLEX").Price.Minor
	if plain.Price.Minor != sunday*115/100 {
		t.Errorf("Saturday costs %d, Sunday %d", plain.Price.Minor, sunday)
	}
	both := w.offers(t, apaleo.StayQuery{Arrival: "2026-05-02", Departure: "2026-05-04", Adults: 2, ChildAges: []int{3}})
	if len(both.All) != 2 {
		t.Errorf("three people: %+v", both.All)
	}
	two := w.offers(t, apaleo.StayQuery{Arrival: "2026-05-02", Departure: "2026-05-04", Adults: 2, Groups: []string{"LAKE-DBL", "LAKE-XXX"}})
	if got := offered(two, "DBL", "FLEX").Price.Minor; len(two.All) != 2 || got != sunday+plain.Price.Minor {
		t.Errorf("two nights: %+v", two.All)
	}
	if o := w.offers(t, apaleo.StayQuery{Arrival: "2026-05-01", Departure: "2026-05-03", Adults: 2}); len(o.All) != 0 {
		t.Errorf("yesterday: %+v", o.All)
	}
}

// TestOffersUnderEveryFault is the client's half of the budget matrix for a hotel that is asked what it has.
func TestOffersUnderEveryFault(t *testing.T) {
	for fault, want := range twintest.Fates() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *apaleo.Config) { c.MaxBody = 256 << 10 })
			w.offers(t, night()) // the token is there
			want.Op = "Offers"
			w.Dial(t, twin.Dial{Fault: fault})
			twintest.Meet(t, want, 150*time.Millisecond, func(ctx context.Context) error {
				_, err := w.client.Offers(ctx, night())
				return err
			})
			w.Dial(t, twin.Dial{})
			if o := w.offers(t, night()); offered(o, "DBL", "FLEX").Free != 6 {
				t.Errorf("afterwards: %+v", o)
			}
		})
	}
}

func TestAnswersAboutOffersAreJudged(t *testing.T) {
	const good = `{"arrival":"2026-05-02T15:00:00+08:00","departure":"2026-05-03T11:00:00+08:00","unitGroup":{"id":"MUC-DBL","code":"DBL"},"ratePlan":{"id":"MUC-F"},` +
		`"availableUnits":3,"totalGrossAmount":{"amount":151.5,"currency":"EUR"},"new":1}`
	list := func(s string) string { return `{"property":{"id":"MUC"},"offers":[` + s + `]}` }
	for name, c := range map[string]struct {
		status int
		body   string
		n      int // offers; -1: no answer
	}{
		"one":                 {200, list(good), 1},
		"none":                {200, list(""), 0},
		"nothing":             {204, "", 0},
		"no days":             {200, list(good[:1] + good[strings.Index(good, `"unitGroup"`):]), 1},
		"another hotel":       {200, strings.Replace(list(good), `"MUC"`, `"LND"`, 1), -1},
		"another arrival":     {200, strings.Replace(list(good), "05-02T", "05-01T", 1), -1},
		"another departure":   {200, strings.Replace(list(good), "05-03T", "05-04T", 1), -1},
		"no group":            {200, strings.Replace(list(good), "MUC-DBL", "", 1), -1},
		"no plan":             {200, strings.Replace(list(good), "MUC-F", "", 1), -1},
		"no number":           {200, strings.Replace(list(good), `"availableUnits":3,`, "", 1), -1},
		"fewer than none":     {200, strings.Replace(list(good), ":3", ":-3", 1), -1},
		"no amount":           {200, strings.Replace(list(good), `"amount":151.5,`, "", 1), -1},
		"an amount in words":  {200, strings.Replace(list(good), "151.5", `"151.5"`, 1), -1},
		"no currency":         {200, strings.Replace(list(good), "EUR", "", 1), -1},
		"one bad among good":  {200, list(good + ",{}"), -1},
		"no list":             {200, `{"property":{"id":"MUC"}}`, -1},
		"an array":            {200, `[]`, -1},
		"nothing, with a 200": {200, ``, -1},
		"a list that is null": {200, `{"offers":null}`, -1},
	} {
		got, err := answerer(t, twintest.Answer{Status: c.status, Body: c.body}).Offers(soon(t), night())
		switch {
		case c.n < 0:
			if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
				t.Errorf("%s: %v", name, e)
			}
		case err != nil || len(got.All) != c.n:
			t.Errorf("%s: %+v, %v", name, got, err)
		case name == "one" && got.All[0] != apaleo.Offer{Group: "MUC-DBL", RatePlan: "MUC-F", Free: 3, Price: gateway.Money{Minor: 15150, Currency: "EUR"}}:
			t.Errorf("%+v", got.All[0])
		}
	}
	_, err := answerer(t, twintest.Answer{Status: 422, Body: `{"messages":["no"]}`}).Offers(soon(t), night())
	isRefused(t, err, apaleo.CodeRejected)
}

func TestWhatAStayAsks(t *testing.T) {
	var got []string
	c, err := apaleo.New(apaleo.Config{ClientID: "c", ClientSecret: "s", Property: "MUC", BaseURL: twintest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/connect/token" {
			_, _ = w.Write([]byte(`{"access_token":"T","token_type":"Bearer","expires_in":3600}`))
			return
		}
		got = append(got, r.Method+" "+r.URL.RequestURI())
		w.WriteHeader(http.StatusNoContent)
	}))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for what, q := range map[string]apaleo.StayQuery{
		"no days": {Adults: 1}, "no night": {Arrival: "2026-05-02", Departure: "2026-05-02", Adults: 1}, "91 nights": {Arrival: "2026-12-31", Departure: "2027-04-01", Adults: 1},
		"nobody": {Arrival: "2026-05-02", Departure: "2026-05-03"}, "21 adults": {Arrival: "2026-05-02", Departure: "2026-05-03", Adults: 21},
		"a grown child": {Arrival: "2026-05-02", Departure: "2026-05-03", Adults: 1, ChildAges: []int{18}},
		"11 children":   {Arrival: "2026-05-02", Departure: "2026-05-03", Adults: 1, ChildAges: make([]int, 11)},
		"a wrong group": {Arrival: "2026-05-02", Departure: "2026-05-03", Adults: 1, Groups: []string{"A,B"}},
		"51 groups":     {Arrival: "2026-05-02", Departure: "2026-05-03", Adults: 1, Groups: slices.Repeat([]string{"A"}, 51)},
		"no day at all": {Arrival: "2026-02-30", Departure: "2026-03-01", Adults: 1},
	} {
		_, err := c.Offers(soon(t), q)
		if e := twintest.ErrorOf(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonInput {
			t.Errorf("%s: %v", what, e)
		}
	}
	if _, err := c.Offers(soon(t), apaleo.StayQuery{Arrival: "2026-12-31", Departure: "2027-03-31", Adults: 2, ChildAges: []int{0, 17}, Groups: []string{"MUC-A", "MUC-B"}}); err != nil {
		t.Fatal(err)
	}
	const want = "GET /booking/v1/offers?adults=2&arrival=2026-12-31&channelCode=Direct&childrenAges=0%2C17&departure=2027-03-31&propertyId=MUC&unitGroupIds=MUC-A%2CMUC-B"
	if !slices.Equal(got, []string{want}) {
		t.Errorf("%v", got)
	}
}

func TestTheTwinRefusesStaysThatDoNotFit(t *testing.T) {
	w := newWorld(t, nil)
	header := map[string]string{"Authorization": "Bearer " + token(t, w.URL)}
	const good = "propertyId=LAKE&arrival=2026-05-02&departure=2026-05-03&adults=1&channelCode=Direct"
	for query, want := range map[string]struct {
		status int
		says   string
	}{
		good:                                    {200, `"availableUnits":6`},
		strings.Replace(good, "LAKE", "SEA", 1): {404, ""},
		strings.Replace(good, "propertyId=LAKE&", "", 1):     {422, "propertyId"},
		strings.Replace(good, "&channelCode=Direct", "", 1):  {422, "channelCode"},
		strings.Replace(good, "Direct", "Telex", 1):          {422, "Telex"},
		strings.Replace(good, "adults=1", "adults=0", 1):     {422, "adults"},
		strings.Replace(good, "05-03", "05-02", 1):           {422, "two days"},
		strings.Replace(good, "05-03", "02-30", 1):           {422, "two days"},
		strings.Replace(good, "2026-05-03", "2027-05-03", 1): {422, "a year"},
		good + "&childrenAges=3,x":                           {422, "childrenAges"},
		good + "&childrenAges=3,18":                          {422, "childrenAges"},
		good + "&rooms=1":                                    {422, "rooms"},
	} {
		if status, body := raw(t, w.URL, "GET", "/booking/v1/offers?"+query, "", header); status != want.status || !strings.Contains(body, want.says) {
			t.Errorf("%s: %d %.200s", query, status, body)
		}
	}
}
