package octo_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"pgregory.net/rapid"
)

// raw sends one request to the twin as it stands and returns the status and the body.
func raw(t testing.TB, base, method, path, body string, header map[string]string) (int, string) {
	t.Helper()
	all := map[string]string{"Authorization": "Bearer " + testKey, "Octo-Capabilities": "octo/redemption"}
	maps.Copy(all, header)
	resp, out := twintest.Ask(t, method, base+path, body, all)
	return resp.StatusCode, out
}

func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	made := w.twin.Fresh()
	id, code := made.UUID, made.Units[0].Code
	redeem := `{"redemptionCode":"` + code + `"}`
	day := `{"productId":"entry","optionId":"day","localDateStart":"2026-05-02","localDateEnd":"2026-05-02"}`
	const nobody = "9f3c2a1e-0000-4000-8000-000000000001"
	for _, test := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		code, says               string
	}{
		{"no credential", "GET", "/bookings/" + id, "", map[string]string{"Authorization": ""}, 401, "UNAUTHORIZED", "bearer"},
		{"another scheme", "GET", "/bookings/" + id, "", map[string]string{"Authorization": "Basic x"}, 401, "UNAUTHORIZED", "bearer"},
		{"another's credential", "GET", "/bookings/" + id, "", map[string]string{"Authorization": "Bearer x"}, 403, "FORBIDDEN", "not known"},
		{"no capabilities", "GET", "/bookings/" + id, "", map[string]string{"Octo-Capabilities": ""}, 400, "BAD_REQUEST", "Octo-Capabilities"},
		{"redemption without its capability", "POST", "/redemption/redeem", redeem, map[string]string{"Octo-Capabilities": "octo/pricing"}, 400, "BAD_REQUEST", "octo/redemption"},
		{"no media type", "POST", "/redemption/redeem", redeem, map[string]string{"Content-Type": ""}, 400, "BAD_REQUEST", "application/json"},
		{"another media type", "POST", "/redemption/redeem", redeem, map[string]string{"Content-Type": "text/json"}, 400, "BAD_REQUEST", "application/json"},
		{"no time left", "POST", "/redemption/redeem", redeem, map[string]string{"X-Request-Timeout-Ms": "0"}, 400, "BAD_REQUEST", "X-Request-Timeout-Ms"},
		{"no such operation", "GET", "/orders/", "", nil, 404, "BAD_REQUEST", "no such operation"},
		{"no slash at the end", "GET", "/bookings?supplierReference=x", "", nil, 404, "BAD_REQUEST", "no such operation"},
		{"another method", "PUT", "/redemption/redeem", redeem, nil, 404, "BAD_REQUEST", "no such operation"},
		{"a body for a read", "GET", "/bookings/" + id, "{}", nil, 400, "BAD_REQUEST", "no body"},
		{"an unknown parameter", "GET", "/bookings/?reference=x", "", nil, 400, "BAD_REQUEST", "reference"},
		{"a parameter twice", "GET", "/redemption/lookup?reference=x&reference=y", "", nil, 400, "BAD_REQUEST", "reference"},
		{"a broken query", "GET", "/redemption/lookup?reference=%zz", "", nil, 400, "BAD_REQUEST", "query"},
		{"no parameter", "GET", "/bookings/", "", nil, 400, "BAD_REQUEST", "parameter"},
		{"no reference", "GET", "/redemption/lookup", "", nil, 400, "BAD_REQUEST", "reference"},
		{"no date", "GET", "/bookings/?localDate=2026-5-2", "", nil, 400, "BAD_REQUEST", "YYYY-MM-DD"},

		{"no body", "POST", "/redemption/redeem", "", map[string]string{"Content-Type": "application/json"}, 400, "BAD_REQUEST", "one JSON object"},
		{"not JSON", "POST", "/redemption/redeem", "{", nil, 400, "BAD_REQUEST", "one JSON object"},
		{"null", "POST", "/redemption/redeem", "null", nil, 400, "BAD_REQUEST", "one JSON object"},
		{"an unknown member", "POST", "/redemption/redeem", `{"redemptionCode":"a","force":true}`, nil, 400, "BAD_REQUEST", "force"},
		{"another case", "POST", "/redemption/redeem", `{"RedemptionCode":"a"}`, nil, 400, "BAD_REQUEST", "RedemptionCode"},
		{"a member twice", "POST", "/redemption/redeem", `{"redemptionCode":"a","redemptionCode":"b"}`, nil, 400, "BAD_REQUEST", "one JSON object"},
		{"a wrong type", "POST", "/redemption/redeem", `{"redemptionCode":7}`, nil, 400, "BAD_REQUEST", "redemptionCode"},
		{"a missing member", "POST", "/redemption/redeem", `{}`, nil, 400, "BAD_REQUEST", "redemptionCode is required"},
		{"an unknown code", "POST", "/redemption/redeem", `{"redemptionCode":"a"}`, nil, 400, "UNPROCESSABLE_ENTITY", "not known"},
		{"an unknown code to undo", "DELETE", "/redemption/redeem", `{"redemptionCode":"a"}`, nil, 400, "UNPROCESSABLE_ENTITY", "not known"},

		{"an unknown booking", "GET", "/bookings/" + nobody, "", nil, 400, "INVALID_BOOKING_UUID", nobody},
		{"an unknown booking to confirm", "POST", "/bookings/" + nobody + "/confirm", `{"contact":{}}`, nil, 400, "INVALID_BOOKING_UUID", nobody},
		{"an unknown booking to cancel", "POST", "/bookings/" + nobody + "/cancel", `{}`, nil, 400, "INVALID_BOOKING_UUID", nobody},
		{"a confirmation without contact", "POST", "/bookings/" + id + "/confirm", `{}`, nil, 400, "BAD_REQUEST", "contact is required"},
		{"a unit without its id", "POST", "/bookings/" + id + "/confirm", `{"contact":{},"unitItems":[{}]}`, nil, 400, "BAD_REQUEST", "unitId"},
		{"a contact's unknown member", "POST", "/bookings/" + id + "/confirm", `{"contact":{"id":"x"}}`, nil, 400, "BAD_REQUEST", "contact/id"},

		{"no option", "POST", "/availability/", `{"productId":"entry","localDateStart":"2026-05-02","localDateEnd":"2026-05-02"}`, nil, 400, "BAD_REQUEST", "required"},
		{"no dates", "POST", "/availability/", `{"productId":"entry","optionId":"day"}`, nil, 400, "BAD_REQUEST", "required"},
		{"half a range", "POST", "/availability/", `{"productId":"entry","optionId":"day","localDateStart":"2026-05-02"}`, nil, 400, "BAD_REQUEST", "required"},
		{"a range backwards", "POST", "/availability/", strings.Replace(day, "05-02", "05-03", 1), nil, 400, "BAD_REQUEST", "ordered"},
		{"a long range", "POST", "/availability/", strings.Replace(day, `End":"2026-05`, `End":"2026-09`, 1), nil, 400, "BAD_REQUEST", "62 days"},
		{"an unknown product", "POST", "/availability/", strings.Replace(day, "entry", "opera", 1), nil, 400, "INVALID_PRODUCT_ID", `"productId":"opera"`},
		{"an unknown option", "POST", "/availability/", strings.Replace(day, `"day"`, `"night"`, 1), nil, 400, "INVALID_OPTION_ID", `"optionId":"night"`},
		{"a quantity of none", "POST", "/availability/", strings.Replace(day, `{`, `{"units":[{"id":"adult","quantity":0}],`, 1), nil, 400, "BAD_REQUEST", "quantity"},
		{"an unknown product by id", "GET", "/products/opera", "", nil, 400, "INVALID_PRODUCT_ID", "opera"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := raw(t, w.URL, test.method, test.path, test.body, test.header)
			var e struct {
				Error        string `json:"error"`
				ErrorMessage string `json:"errorMessage"`
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("%d %s", status, body)
			}
			if status != test.status || e.Error != test.code || e.ErrorMessage == "" || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), test.says) {
				t.Errorf("want %d %s %q, got %d %s", test.status, test.code, test.says, status, body)
			}
		})
	}
	for _, r := range w.twin.ReadBooks().Redemptions {
		t.Errorf("a refused request left something behind: %+v", r)
	}
}

func TestScenariosAndWhatRedeemingThemSays(t *testing.T) {
	w := newWorld(t, nil)
	today := noon.Format(time.DateOnly)
	for _, test := range []struct {
		scenario octo.Scenario
		status   octo.Status
		product  string
		day      string
		now      bool // noon lies in the booked time
		refused  string
	}{
		{octo.Today, octo.StatusConfirmed, "entry", today, true, ""},
		{octo.Group, octo.StatusConfirmed, "entry", today, true, ""},
		{octo.Tomorrow, octo.StatusConfirmed, "entry", "2026-05-03", false, ""},
		{octo.Yesterday, octo.StatusConfirmed, "entry", "2026-05-01", false, ""},
		{octo.SlotNow, octo.StatusConfirmed, "entry", today, true, ""},
		{octo.SlotOther, octo.StatusConfirmed, "entry", today, false, ""},
		{octo.OtherProduct, octo.StatusConfirmed, "boat", today, true, ""},
		{octo.Cancelled, octo.StatusCancelled, "entry", today, true, "CANCELLED"},
		{octo.Expired, octo.StatusExpired, "entry", today, true, "EXPIRED"},
		{octo.OnHold, octo.StatusOnHold, "entry", today, true, "ON_HOLD"},
		{octo.Pending, octo.StatusPending, "entry", today, true, "PENDING"},
		{octo.Rejected, octo.StatusRejected, "entry", today, true, "REJECTED"},
		{octo.Redeemed, octo.StatusRedeemed, "entry", today, true, "already redeemed"},
	} {
		t.Run(string(test.scenario), func(t *testing.T) {
			made, err := w.twin.Issue(octo.Want{Scenario: test.scenario})
			if err != nil {
				t.Fatal(err)
			}
			code := made[0].Units[0].Code
			ctx := twintest.Within(t, 5*time.Second)
			found, err := w.client.Lookup(ctx, code)
			if err != nil || len(found) != 1 {
				t.Fatalf("Lookup = %+v, %v", found, err)
			}
			b := found[0]
			inside := !noon.Before(b.Availability.Start) && noon.Before(b.Availability.End)
			if b.Status != test.status || b.ProductID != test.product || inside != test.now ||
				b.Availability.Start.Format(time.DateOnly) != test.day || b.Redeemable != (test.refused == "") {
				t.Errorf("got %+v %+v", b, b.Availability)
			}
			_, err = w.client.Redeem(ctx, code)
			if test.refused == "" {
				if err != nil {
					t.Errorf("Redeem: %v", err)
				}
				return
			}
			e := twintest.ErrorOf(t, err)
			if e.Fate != wire.Refused || e.Code != octo.CodeUnprocessable || !strings.Contains(e.Message, test.refused) ||
				redeemedAt(err).IsZero() != (test.scenario != octo.Redeemed) {
				t.Errorf("Redeem: %+v", e)
			}
		})
	}
	for _, r := range w.twin.ReadBooks().Redemptions {
		if r.Attempts != 1 || r.Effects > 1 {
			t.Errorf("%+v", r)
		}
	}
	for _, bad := range []octo.Want{{Scenario: "free"}, {Units: 101}, {Units: -1}, {Count: 10_001}, {Count: -1}, {Reference: "a\nb"}} {
		if _, err := w.twin.Issue(bad); err == nil {
			t.Errorf("%+v was issued", bad)
		}
	}
}

func TestValidateIsAnEffectOnce(t *testing.T) {
	w := newWorld(t, nil)
	code := w.twin.Fresh().Units[0].Code
	for range 2 {
		if b, err := w.client.Validate(twintest.Within(t, 5*time.Second), code); err != nil || b.Status != octo.StatusRedeemed {
			t.Fatalf("Validate = %+v, %v", b, err)
		}
	}
	if r := w.twin.ReadBooks().Redemptions[0]; r.Attempts != 2 || r.Effects != 1 {
		t.Errorf("%+v", r)
	}
}

// TestOneTicketManyGates: the twin itself must count right, or its books prove nothing.
func TestOneTicketManyGates(t *testing.T) {
	w := newWorld(t, nil)
	code := w.twin.Fresh().Units[0].Code
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for range 50 {
		wg.Go(func() {
			_, err := w.client.Redeem(twintest.Within(t, 10*time.Second), code)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				admitted++
			} else if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || !redeemedAt(err).Equal(noon) {
				t.Errorf("%+v", e)
			}
		})
	}
	wg.Wait()
	if r := w.twin.ReadBooks().Redemptions[0]; admitted != 1 || r.Attempts != 50 || r.Effects != 1 {
		t.Errorf("%d admitted, books %+v", admitted, r)
	}
}

// TestTheTwinAgainstItsModel: whatever is redeemed and undone in whatever order, books and bookings agree with a set.
func TestTheTwinAgainstItsModel(t *testing.T) {
	w := newWorld(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		made, err := w.twin.Issue(octo.Want{Units: rapid.IntRange(1, 4).Draw(rt, "people")})
		if err != nil {
			rt.Fatal(err)
		}
		m := made[0]
		redeemed := map[string]bool{}
		ctx := twintest.Within(t, 10*time.Second)
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			units := m.Units
			code := m.Code
			if n := rapid.IntRange(-1, len(m.Units)-1).Draw(rt, "unit"); n >= 0 {
				units, code = m.Units[n:n+1], m.Units[n].Code
			}
			left := 0
			for _, u := range units {
				if !redeemed[u.UUID] {
					left++
				}
			}
			undo := rapid.Bool().Draw(rt, "undo")
			if undo {
				_, err = w.client.Unredeem(ctx, code)
			} else {
				_, err = w.client.Redeem(ctx, code)
			}
			if want := undo || left > 0; (err == nil) != want {
				rt.Fatalf("undo %v with %d left: %v", undo, left, err)
			}
			for _, u := range units {
				redeemed[u.UUID] = !undo
			}
			b, err := w.client.Booking(ctx, m.UUID)
			if err != nil {
				rt.Fatal(err)
			}
			all := true
			for _, u := range b.UnitItems {
				all = all && redeemed[u.UUID]
				if u.UTCRedeemedAt.IsZero() == redeemed[u.UUID] {
					rt.Fatalf("unit %+v, model %v", u, redeemed)
				}
			}
			if (b.Status == octo.StatusRedeemed) != all {
				rt.Fatalf("booking is %s, all redeemed: %v", b.Status, all)
			}
		}
	})
	for _, r := range w.twin.ReadBooks().Redemptions {
		if now := r.Effects - r.Undone; now != 0 && now != 1 || (now == 1) == r.At.IsZero() || len(r.By) != r.Effects {
			t.Errorf("%+v", r)
		}
	}
}

func TestAHoldRunsOut(t *testing.T) {
	now := noon
	s, err := octo.NewTwin(octo.TwinConfig{Supplier: "s", APIKey: "k", Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Make([]byte(`{"scenario":"on-hold"}`))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *octo.Config) { c.APIKey = "k" })
	if err := w.City.Add("octo", "s", s); err != nil {
		t.Fatal(err)
	}
	get := func() string {
		_, body := raw(t, w.City.URL("octo", "s"), "GET", "/bookings/"+made.([]octo.Made)[0].UUID, "", map[string]string{"Authorization": "Bearer k"})
		return body
	}
	if body := get(); !strings.Contains(body, `"ON_HOLD"`) {
		t.Error(body)
	}
	now = now.Add(31 * time.Minute)
	if body := get(); !strings.Contains(body, `"EXPIRED"`) || strings.Contains(body, `"ON_HOLD"`) {
		t.Error(body)
	}
}

func TestTheTwinIsMadeFromItsSeedAndRemembers(t *testing.T) {
	supplier := func(seed uint64, name string) *octo.Twin {
		s, err := octo.NewTwin(octo.TwinConfig{Supplier: name, APIKey: "k", Seed: seed, Clock: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, other := supplier(1, "a"), supplier(1, "a")
	first := one.Fresh()
	if got := other.Fresh(); fmt.Sprint(got) != fmt.Sprint(first) {
		t.Errorf("the same seed: %v, %v", got, first)
	}
	if supplier(2, "a").Fresh().UUID == first.UUID || supplier(1, "b").Fresh().UUID == first.UUID {
		t.Error("another seed or supplier must make other tickets")
	}
	changes := one.Changes()
	state, err := one.Save()
	if err != nil {
		t.Fatal(err)
	}
	back := supplier(1, "a")
	if err := back.Restore(state); err != nil {
		t.Fatal(err)
	}
	if got, want := back.Fresh(), one.Fresh(); got.UUID != want.UUID || got.UUID == first.UUID {
		t.Error("a restored twin must go on where it stopped, with tickets that are new")
	}
	if one.Changes() == changes {
		t.Error("a new ticket is a change")
	}
	again, err := back.Save()
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := one.Save(); string(again) != string(now) {
		t.Errorf("saved and restored differ:\n%s\n%s", again, now)
	}
	for _, bad := range []string{``, `{"bookings":[null]}`, `{"book":1}`} {
		if err := supplier(1, "a").Restore([]byte(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	for _, bad := range []octo.TwinConfig{{APIKey: "k"}, {Supplier: "s"}, {Supplier: "s", APIKey: "k", Products: []octo.TwinProduct{}},
		{Supplier: "s", APIKey: "k", Products: []octo.TwinProduct{{ID: "p"}}},
		{Supplier: "s", APIKey: "k", Products: []octo.TwinProduct{{ID: "p", Options: []octo.TwinOption{{ID: "o"}}}}},
		{Supplier: "s", APIKey: "k", Products: []octo.TwinProduct{{ID: "p", Options: []octo.TwinOption{{ID: "o", Capacity: 1, Slots: []octo.TwinSlot{{"10:00", "09:00"}}}}}}}} {
		if _, err := octo.NewTwin(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
}
