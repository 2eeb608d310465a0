package octo_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// fasthttp and net/http keep cleaners of their own for a while.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const testKey = "test-key-9f3c"

// noon is a moment in the middle of a day and of a slot at the twins' place.
var noon = time.Date(2026, 5, 2, 13, 0, 0, 0, shanghai())

func shanghai() *time.Location { return time.FixedZone("CST", 8*3600) }

// world is a city with one supplier, and a client of it.
type world struct {
	city   *twin.City
	twin   *octo.Twin
	client *octo.Client
}

func newWorld(t testing.TB, change func(*octo.Config)) world {
	t.Helper()
	city, err := twin.NewCity(twin.Config{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := city.Close(); err != nil {
			t.Error(err)
		}
	})
	supplier, err := octo.NewTwin(octo.TwinConfig{Supplier: "west-lake", APIKey: testKey, Seed: 7,
		Clock: func() time.Time { return noon }, Location: shanghai()})
	if err != nil {
		t.Fatal(err)
	}
	if err := city.Add("octo", "west-lake", supplier); err != nil {
		t.Fatal(err)
	}
	cfg := octo.Config{BaseURL: city.URL("octo", "west-lake"), APIKey: testKey, Supplier: "west-lake"}
	if change != nil {
		change(&cfg)
	}
	client, err := octo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{city, supplier, client}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestATicketIsFoundRedeemedAndUndone(t *testing.T) {
	w := newWorld(t, nil)
	ctx := within(t, 5*time.Second)
	made := w.twin.Fresh()
	unit := made.Units[0]

	for _, shown := range []string{unit.Code, unit.SupplierReference, unit.UUID, made.SupplierReference, made.UUID, made.Code} {
		found, err := w.client.Lookup(ctx, shown)
		if err != nil || len(found) != 1 || found[0].UUID != made.UUID {
			t.Fatalf("Lookup(%q) = %+v, %v", shown, found, err)
		}
		units := found[0].Shown(shown)
		if len(units) != 1 || units[0].UUID != unit.UUID || units[0].Code() != unit.Code {
			t.Fatalf("Shown(%q) = %+v", shown, units)
		}
		if !found[0].Redeemable || found[0].RedemptionCode != made.Code || found[0].ProductID != "entry" {
			t.Fatalf("Lookup(%q) = %+v", shown, found[0])
		}
	}
	b, err := w.client.Redeem(ctx, unit.Code)
	if err != nil || b.Status != octo.StatusRedeemed || !b.UnitItems[0].UTCRedeemedAt.Equal(noon) {
		t.Fatalf("Redeem = %+v, %v", b, err)
	}
	if at, err := w.client.Redeemed(ctx, unit.Code); err != nil || !at.Equal(noon) {
		t.Fatalf("Redeemed = %v, %v", at, err)
	}
	_, err = w.client.Redeem(ctx, unit.Code)
	e := asError(t, err)
	if e.Fate != octo.Refused || e.Code != octo.CodeUnprocessable || !e.RedeemedAt.Equal(noon) {
		t.Fatalf("second Redeem: %+v", e)
	}
	for range 2 { // undoing is idempotent
		if b, err = w.client.Unredeem(ctx, unit.Code); err != nil || b.Status != octo.StatusConfirmed {
			t.Fatalf("Unredeem = %+v, %v", b, err)
		}
	}
	if at, err := w.client.Redeemed(ctx, unit.Code); err != nil || !at.IsZero() {
		t.Fatalf("Redeemed after the undo = %v, %v", at, err)
	}
	books := w.twin.Ledger().Redemptions
	if len(books) != 1 || books[0].Attempts != 2 || books[0].Effects != 1 || books[0].Undone != 1 || len(books[0].By) != 1 {
		t.Fatalf("books = %+v", books)
	}
}

func TestAGroupIsRedeemedByPersonAndAsAWhole(t *testing.T) {
	w := newWorld(t, nil)
	ctx := within(t, 5*time.Second)
	made, err := w.twin.Issue(octo.Want{Scenario: octo.Group, Reference: "tour 7/ä&b"})
	if err != nil {
		t.Fatal(err)
	}
	group := made[0]
	found, err := w.client.Lookup(ctx, "tour 7/ä&b")
	if err != nil || len(found) != 1 || len(found[0].Shown("tour 7/ä&b")) != 5 {
		t.Fatalf("Lookup = %+v, %v", found, err)
	}
	if b, err := w.client.Redeem(ctx, group.Units[2].Code); err != nil || b.Status != octo.StatusConfirmed || !b.Redeemable {
		t.Fatalf("Redeem one of five = %+v, %v", b, err)
	}
	if at, err := w.client.Redeemed(ctx, group.Code); err != nil || !at.IsZero() {
		t.Fatalf("Redeemed of a group with people left = %v, %v", at, err)
	}
	if b, err := w.client.Redeem(ctx, group.Code); err != nil || b.Status != octo.StatusRedeemed || b.Redeemable {
		t.Fatalf("Redeem the rest = %+v, %v", b, err)
	}
	if at, err := w.client.Redeemed(ctx, group.Code); err != nil || !at.Equal(noon) {
		t.Fatalf("Redeemed of the whole group = %v, %v", at, err)
	}
	for _, r := range w.twin.Ledger().Redemptions {
		want := 1
		if r.UnitUUID == group.Units[2].UUID {
			want = 2
		}
		if r.Effects != 1 || r.Attempts != want {
			t.Errorf("unit %s: %+v", r.UnitUUID, r)
		}
	}
}

func TestBookingsAreFoundConfirmedAndCancelled(t *testing.T) {
	w := newWorld(t, nil)
	ctx := within(t, 5*time.Second)
	held, err := w.twin.Issue(octo.Want{Scenario: octo.OnHold})
	if err != nil {
		t.Fatal(err)
	}
	id := held[0].UUID
	if b, err := w.client.Booking(ctx, id); err != nil || b.Status != octo.StatusOnHold || b.UTCExpiresAt.IsZero() {
		t.Fatalf("Booking = %+v, %v", b, err)
	}
	for range 2 { // idempotent by uuid
		if b, err := w.client.Confirm(ctx, id, "R-1"); err != nil || b.Status != octo.StatusConfirmed || b.ResellerReference != "R-1" {
			t.Fatalf("Confirm = %+v, %v", b, err)
		}
	}
	if list, err := w.client.BookingsByReference(ctx, held[0].SupplierReference); err != nil || len(list) != 1 || list[0].UUID != id {
		t.Fatalf("BookingsByReference = %+v, %v", list, err)
	}
	for range 2 {
		if b, err := w.client.Cancel(ctx, id, "closed for wind"); err != nil || b.Status != octo.StatusCancelled {
			t.Fatalf("Cancel = %+v, %v", b, err)
		}
	}
	if books := w.twin.Ledger(); len(books.Confirmed) != 1 || len(books.Cancelled) != 1 {
		t.Fatalf("books = %+v", books)
	}
	if list, err := w.client.BookingsByReference(ctx, "nobody's"); err != nil || list == nil || len(list) != 0 {
		t.Fatalf("an unknown reference = %#v, %v", list, err)
	}
	if _, err = w.twin.Issue(octo.Want{Scenario: octo.Tomorrow, Count: 3}); err != nil {
		t.Fatal(err)
	}
	if list, err := w.client.BookingsOn(ctx, noon.AddDate(0, 0, 1), "entry"); err != nil || len(list) != 3 {
		t.Fatalf("BookingsOn = %d, %v", len(list), err)
	}
}

func TestAvailability(t *testing.T) {
	w := newWorld(t, nil)
	ctx := within(t, 5*time.Second)
	q := octo.AvailabilityQuery{ProductID: "entry", OptionID: "slots", From: "2026-05-02", To: "2026-05-03",
		Units: []octo.UnitQuantity{{ID: "adult", Quantity: 2}}}
	list, err := w.client.Availability(ctx, q)
	if err != nil || len(list) != 12 {
		t.Fatalf("Availability = %d, %v", len(list), err)
	}
	if list[0].Available || list[0].Status != "CLOSED" || !list[3].Available || list[3].Vacancies == nil {
		t.Fatalf("Availability = %+v, %+v", list[0], list[3])
	}
	made, err := w.twin.Issue(octo.Want{Scenario: octo.SlotNow, Units: 40})
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.client.Booking(ctx, made[0].UUID)
	if err != nil || b.Availability == nil || noon.Before(b.Availability.Start) || !noon.Before(b.Availability.End) {
		t.Fatalf("Booking = %+v, %v", b, err)
	}
	again, err := w.client.Availability(ctx, octo.AvailabilityQuery{ProductID: "entry", OptionID: "slots", IDs: []string{b.AvailabilityID}})
	if err != nil || len(again) != 1 || *again[0].Vacancies != *again[0].Capacity-40 {
		t.Fatalf("Availability by id = %+v, %v", again, err)
	}
	_, err = w.client.Availability(ctx, octo.AvailabilityQuery{ProductID: "opera", OptionID: "day", From: "2026-05-02", To: "2026-05-02"})
	if e := asError(t, err); e.Fate != octo.Refused || e.Code != octo.CodeInvalidProduct {
		t.Fatalf("an unknown product: %+v", e)
	}
}

func asError(t testing.TB, err error) *octo.Error {
	t.Helper()
	e, ok := errors.AsType[*octo.Error](err)
	if !ok {
		t.Fatalf("want an *octo.Error, got %v", err)
	}
	return e
}

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	const limit = 300 * time.Millisecond
	want := map[twin.Fault]struct {
		fate   octo.Fate
		reason octo.Reason
		status int
	}{
		twin.Hang:    {octo.Unknown, octo.ReasonTimeout, 0},
		twin.Slow:    {octo.Unknown, octo.ReasonTimeout, 0},
		twin.Refuse:  {octo.NotSent, octo.ReasonDial, 0},
		twin.Reset:   {octo.Unknown, octo.ReasonReset, 0},
		twin.Status5: {octo.Unknown, octo.ReasonStatus, 500},
		twin.Status4: {octo.Unknown, octo.ReasonRateLimited, 429},
		twin.Garbage: {octo.Unknown, octo.ReasonGarbage, 200},
		twin.Endless: {octo.Unknown, octo.ReasonTooLarge, 0},
	}
	w := newWorld(t, nil)
	for _, fault := range twin.Faults() {
		for _, kept := range []bool{false, true} {
			name := string(fault)
			if kept {
				name += " on a kept connection"
			}
			t.Run(name, func(t *testing.T) {
				made := w.twin.Fresh()
				if kept {
					if _, err := w.client.Lookup(within(t, time.Second), made.Units[0].Code); err != nil {
						t.Fatal(err)
					}
				} else {
					w.client.Close()
				}
				if err := w.city.Dial("octo", "west-lake", twin.Dial{Fault: fault}); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				_, err := w.client.Redeem(within(t, limit), made.Units[0].Code)
				took := time.Since(begin)
				e := asError(t, err)
				if expect := want[fault]; e.Fate != expect.fate || e.Reason != expect.reason || e.Status != expect.status {
					t.Errorf("want %+v, got %+v", expect, e)
				}
				if took > limit+100*time.Millisecond {
					t.Errorf("took %s, the deadline was %s", took, limit)
				}
				if e.Reason == octo.ReasonTimeout != errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: context.DeadlineExceeded belongs to a timeout, and to it alone", err)
				}
				if strings.Contains(err.Error(), made.Units[0].Code) {
					t.Errorf("the error shows the ticket: %v", err)
				}
				if err := w.city.Dial("octo", "west-lake", twin.Dial{}); err != nil {
					t.Fatal(err)
				}
				at, err := w.client.Redeemed(within(t, time.Second), made.Units[0].Code)
				if err != nil || at.IsZero() == (fault == twin.Slow) {
					t.Errorf("after the fault: redeemed at %v, %v", at, err)
				}
			})
		}
	}
}

// TestTheAnswerIsLostAfterTheEffect: what exactly-once depends on.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	w := newWorld(t, nil)
	for _, fault := range []twin.Fault{"", twin.Hang, twin.Reset, twin.Status5, twin.Status4, twin.Garbage, twin.Endless} {
		made := w.twin.Fresh()
		d := twin.Dial{Fault: fault, AfterEffect: true}
		if fault == "" {
			d.LatencyMS = 400
		}
		if err := w.city.Dial("octo", "*", d); err != nil {
			t.Fatal(err)
		}
		_, err := w.client.Redeem(within(t, 200*time.Millisecond), made.Units[0].Code)
		if e := asError(t, err); e.Fate != octo.Unknown {
			t.Errorf("%q: %+v", fault, e)
		}
		if err := w.city.Dial("octo", "*", twin.Dial{}); err != nil {
			t.Fatal(err)
		}
		if at, err := w.client.Redeemed(within(t, time.Second), made.Units[0].Code); err != nil || at.IsZero() {
			t.Errorf("%q: Redeemed = %v, %v", fault, at, err)
		}
	}
	for _, r := range w.twin.Ledger().Redemptions {
		if r.Attempts != 1 || r.Effects != 1 {
			t.Errorf("the client sent a request twice: %+v", r)
		}
	}
}

// TestAStaleConnectionIsNotUnknown: a supplier that restarts between two calls must not make the second one's fate unclear.
func TestAStaleConnectionIsNotUnknown(t *testing.T) {
	w := newWorld(t, nil)
	made, err := w.twin.Issue(octo.Want{Count: 9})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range made {
		if _, err := w.client.Redeem(within(t, time.Second), m.Units[0].Code); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		for _, d := range []twin.Dial{{Fault: twin.Refuse}, {}} { // cuts what is open, then opens again
			if err := w.city.Dial("octo", "west-lake", d); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range w.twin.Ledger().Redemptions {
		if r.Attempts != 1 {
			t.Errorf("%+v", r)
		}
	}
}

// answerer is a supplier that answers every request with one prepared answer.
func answerer(t *testing.T, status int, header map[string]string, body string) *octo.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Octo-Capabilities", "octo/content, octo/redemption")
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := octo.New(octo.Config{BaseURL: server.URL + "/octo/", APIKey: testKey, Supplier: "s", MaxBody: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const aBooking = `{"id":"b","uuid":"9f3c2a1e-0000-4000-8000-000000000001","status":"REDEEMED","productId":"entry","optionId":"day",` +
	`"unitItems":[{"uuid":"u","unitId":"adult","status":"REDEEMED","utcRedeemedAt":"2026-05-02T05:00:00Z",` +
	`"ticket":{"deliveryOptions":[{"deliveryFormat":"QRCODE","deliveryValue":"C1"}]}}],"new":{"member":[1]}}`

func TestAnswersAreJudged(t *testing.T) {
	cases := []struct {
		name   string
		status int
		header map[string]string
		body   string
		fate   octo.Fate // 0: success
		reason octo.Reason
	}{
		{"a booking with members that are new", 200, nil, aBooking, 0, ""},
		{"an empty object", 200, nil, `{}`, octo.Unknown, octo.ReasonGarbage},
		{"null", 200, nil, " null", octo.Unknown, octo.ReasonGarbage},
		{"nothing", 200, nil, ``, octo.Unknown, octo.ReasonGarbage},
		{"an array", 200, nil, `[]`, octo.Unknown, octo.ReasonGarbage},
		{"a duplicate member", 200, nil, `{"id":"a",` + aBooking[1:], octo.Unknown, octo.ReasonGarbage},
		{"bytes after the end", 200, nil, aBooking + `x`, octo.Unknown, octo.ReasonGarbage},
		{"a success that is none", 200, nil, strings.Replace(aBooking, `"2026-05-02T05:00:00Z"`, "null", 1), octo.Unknown, octo.ReasonGarbage},
		{"no capability in the answer", 200, map[string]string{"Octo-Capabilities": "octo/content"}, aBooking, octo.Unknown, octo.ReasonGarbage},
		{"another 2xx", 202, nil, aBooking, octo.Unknown, octo.ReasonStatus},
		{"a redirect", 302, map[string]string{"Location": "/octo/elsewhere"}, aBooking, octo.Unknown, octo.ReasonStatus},
		{"an OCTO error", 400, nil, `{"error":"UNPROCESSABLE_ENTITY","errorMessage":"no"}`, octo.Refused, octo.ReasonRefused},
		{"an OCTO error as 404", 404, nil, `{"error":"INVALID_BOOKING_UUID","errorMessage":"no","uuid":"x"}`, octo.Refused, octo.ReasonRefused},
		{"an internal error under 400", 400, nil, `{"error":"INTERNAL_SERVER_ERROR","errorMessage":"no"}`, octo.Unknown, octo.ReasonStatus},
		{"a proxy's 404", 404, nil, `<html>`, octo.Unknown, octo.ReasonGarbage},
		{"a code that is none", 400, nil, `{"error":"no such 10010119","errorMessage":""}`, octo.Unknown, octo.ReasonGarbage},
		{"a request timeout", 408, nil, `{"error":"BAD_REQUEST","errorMessage":"no"}`, octo.Unknown, octo.ReasonStatus},
		{"a gateway's 503", 503, map[string]string{"Retry-After": "7"}, `{}`, octo.Unknown, octo.ReasonStatus},
		{"a large body", 200, nil, `[` + strings.Repeat(" ", 8192) + `]`, octo.Unknown, octo.ReasonTooLarge},
		{"a large head", 200, map[string]string{"X": strings.Repeat("x", 16<<10)}, aBooking, octo.Unknown, octo.ReasonReset},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := answerer(t, c.status, c.header, c.body)
			b, err := client.Redeem(within(t, 2*time.Second), "C1")
			if c.fate == 0 {
				if err != nil || b.UnitItems[0].Code() != "C1" {
					t.Fatalf("got %+v, %v", b, err)
				}
				return
			}
			e := asError(t, err)
			if e.Fate != c.fate || e.Reason != c.reason {
				t.Fatalf("want %s (%s), got %v", c.fate, c.reason, e)
			}
			if c.status == 503 && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After = %s", e.RetryAfter)
			}
		})
	}
}

func TestNothingIsSent(t *testing.T) {
	w := newWorld(t, func(c *octo.Config) { c.MaxConns = 1 })
	ctx := within(t, 5*time.Second)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	cases := []struct {
		name   string
		ctx    context.Context
		call   func(context.Context) error
		reason octo.Reason
	}{
		{"no deadline", context.Background(), func(ctx context.Context) error { _, err := w.client.Redeem(ctx, "C"); return err }, octo.ReasonNoTime},
		{"no time", within(t, time.Nanosecond), func(ctx context.Context) error { _, err := w.client.Redeem(ctx, "C"); return err }, octo.ReasonNoTime},
		{"cancelled", gone, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, "C"); return err }, octo.ReasonNoTime},
		{"no code", ctx, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, ""); return err }, octo.ReasonInput},
		{"a long code", ctx, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, strings.Repeat("c", 257)); return err }, octo.ReasonInput},
		{"control characters", ctx, func(ctx context.Context) error { _, err := w.client.Lookup(ctx, "a\r\nb"); return err }, octo.ReasonInput},
		{"not UTF-8", ctx, func(ctx context.Context) error { _, err := w.client.Lookup(ctx, "a\xff"); return err }, octo.ReasonInput},
		{"a path for a uuid", ctx, func(ctx context.Context) error { _, err := w.client.Booking(ctx, "../redemption"); return err }, octo.ReasonInput},
		{"not UTF-8 in a body", ctx, func(ctx context.Context) error {
			_, err := w.client.Cancel(ctx, "9f3c2a1e-0000-4000-8000-000000000001", "\xff")
			return err
		}, octo.ReasonInput},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if e := asError(t, c.call(c.ctx)); e.Fate != octo.NotSent || e.Reason != c.reason {
				t.Errorf("want %s, got %v", c.reason, e)
			}
		})
	}
	if n := w.twin.Ledger().Requests; n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	t.Run("all connections in use", func(t *testing.T) {
		if err := w.city.Dial("octo", "west-lake", twin.Dial{Fault: twin.Hang}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		for range 2 {
			go func() { _, err := w.client.Redeem(within(t, 300*time.Millisecond), "C"); done <- err }()
		}
		if e := asError(t, <-done); e.Fate != octo.NotSent || e.Reason != octo.ReasonNoConn {
			t.Errorf("first: %v", e)
		}
		if e := asError(t, <-done); e.Fate != octo.Unknown || e.Reason != octo.ReasonTimeout {
			t.Errorf("second: %v", e)
		}
	})
}

func TestWhatIsSent(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Octo-Capabilities", "octo/redemption")
		_, _ = io.WriteString(w, aBooking)
	}))
	defer server.Close()
	c, err := octo.New(octo.Config{BaseURL: server.URL + "/v1", APIKey: testKey, Supplier: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Unredeem(within(t, 900*time.Millisecond), "C1"); err != nil {
		t.Fatal(err)
	}
	left := got.Header.Get("X-Request-Timeout-Ms")
	if got.Method != "DELETE" || got.URL.Path != "/v1/redemption/redeem" || string(body) != `{"redemptionCode":"C1"}` ||
		got.Header.Get("Authorization") != "Bearer "+testKey || got.Header.Get("Octo-Capabilities") != "octo/redemption" ||
		got.Header.Get("Content-Type") != "application/json" || len(left) != 3 || left[0] < '7' {
		t.Errorf("%s %s %v %s", got.Method, got.URL, got.Header, body)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Octo-Capabilities", "octo/redemption")
		_, _ = io.WriteString(w, aBooking)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	pool := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c, err := octo.New(octo.Config{BaseURL: server.URL, APIKey: testKey, Supplier: "s", RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 4 {
		if _, err := c.Redeem(within(t, 2*time.Second), "C1"); err != nil {
			t.Fatal(err)
		}
		if i == 1 { // the server closes what is kept
			server.CloseClientConnections()
		}
	}
	stranger, err := octo.New(octo.Config{BaseURL: server.URL, APIKey: testKey, Supplier: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	_, err = stranger.Redeem(within(t, 2*time.Second), "C1")
	if e := asError(t, err); e.Fate != octo.NotSent || e.Reason != octo.ReasonDial {
		t.Errorf("a certificate that nobody vouches for: %v", e)
	}
}

// TestADialThatHangs: a listener with a full queue neither accepts nor refuses.
func TestADialThatHangs(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	for range 4 { // fill the queue
		if c, err := net.DialTimeout("tcp", addr, 50*time.Millisecond); err == nil {
			defer c.Close()
		}
	}
	c, err := octo.New(octo.Config{BaseURL: "http://" + addr, APIKey: testKey, Supplier: "s"})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = c.Redeem(within(t, 200*time.Millisecond), "C1")
	if e := asError(t, err); e.Fate != octo.NotSent || e.Reason != octo.ReasonDial || time.Since(begin) > 400*time.Millisecond {
		t.Errorf("%v after %s", e, time.Since(begin))
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := octo.Config{BaseURL: "https://octo.example/api", APIKey: "k", Supplier: "s"}
	if _, err := octo.New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*octo.Config){
		"base_url":      func(c *octo.Config) { c.BaseURL = "octo.example" },
		"no user":       func(c *octo.Config) { c.BaseURL = "http://u:p@octo.example" },
		"query":         func(c *octo.Config) { c.BaseURL = "http://octo.example?x=1" },
		"api_key":       func(c *octo.Config) { c.APIKey = "a b" },
		"supplier":      func(c *octo.Config) { c.Supplier = "" },
		"max_conns":     func(c *octo.Config) { c.MaxConns = -1 },
		"max_body":      func(c *octo.Config) { c.MaxBody = 1 },
		"max_list_body": func(c *octo.Config) { c.MaxListBody = 1 << 30 },
		"idle":          func(c *octo.Config) { c.Idle = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := octo.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error shows a secret: %v", want, err)
		}
	}
}
