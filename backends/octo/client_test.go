package octo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

func TestMain(m *testing.M) { twintest.Main(m) }

const testKey = "test-key-9f3c"

// noon is a moment in the middle of a day and of a slot at the twins' place.
var noon = time.Date(2026, 5, 2, 13, 0, 0, 0, twintest.Shanghai())

// world is a city with one supplier, and a client of it.
type world struct {
	twintest.Site
	twin   *octo.Twin
	client *octo.Client
}

func newWorld(t testing.TB, change func(*octo.Config)) world {
	t.Helper()
	supplier, err := octo.NewTwin(octo.TwinConfig{Supplier: "west-lake", APIKey: testKey, Seed: 7,
		Clock: func() time.Time { return noon }, Location: twintest.Shanghai()})
	if err != nil {
		t.Fatal(err)
	}
	site := twintest.Open(t, "octo", "west-lake", supplier)
	cfg := octo.Config{BaseURL: site.URL, APIKey: testKey, Supplier: "west-lake"}
	if change != nil {
		change(&cfg)
	}
	client, err := octo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{site, supplier, client}
}

func TestATicketIsFoundRedeemedAndUndone(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
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
	e := twintest.ErrorOf(t, err)
	if e.Fate != wire.Refused || e.Code != octo.CodeUnprocessable || !redeemedAt(err).Equal(noon) {
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
	books := w.twin.ReadBooks().Redemptions
	if len(books) != 1 || books[0].Attempts != 2 || books[0].Effects != 1 || books[0].Undone != 1 || len(books[0].By) != 1 {
		t.Fatalf("books = %+v", books)
	}
}

func TestAGroupIsRedeemedByPersonAndAsAWhole(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
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
	for _, r := range w.twin.ReadBooks().Redemptions {
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
	ctx := twintest.Within(t, 5*time.Second)
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
	if books := w.twin.ReadBooks(); len(books.Confirmed) != 1 || len(books.Cancelled) != 1 {
		t.Fatalf("books = %+v", books)
	}
	if list, err := w.client.BookingsByReference(ctx, "nobody's"); err != nil || list == nil || len(list) != 0 {
		t.Fatalf("an unknown reference = %#v, %v", list, err)
	}
	if _, err = w.twin.Issue(octo.Want{Scenario: octo.Tomorrow, Count: 1000}); err != nil {
		t.Fatal(err)
	}
	// a day's list is longer than any other answer may be
	n := 0
	if err := w.client.BookingsOn(ctx, noon.AddDate(0, 0, 1), "entry", func(*octo.Booking) error { n++; return nil }); err != nil || n != 1000 {
		t.Fatalf("BookingsOn = %d, %v", n, err)
	}
}

func TestAvailability(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
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
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || e.Code != octo.CodeInvalidProduct {
		t.Fatalf("an unknown product: %+v", e)
	}
}

// redeemedAt is when a refused ticket was redeemed, as the refusal says; zero where it doesn't.
func redeemedAt(err error) time.Time {
	at, _ := errors.AsType[octo.RedeemedAt](err)
	return time.Time(at)
}

func TestNothingIsSent(t *testing.T) {
	w := newWorld(t, func(c *octo.Config) { c.MaxConns = 1 })
	ctx := twintest.Within(t, 5*time.Second)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	cases := []struct {
		name   string
		ctx    context.Context
		call   func(context.Context) error
		reason wire.Reason
	}{
		{"no deadline", context.Background(), func(ctx context.Context) error { _, err := w.client.Redeem(ctx, "C"); return err }, wire.ReasonNoTime},
		{"no time", twintest.Within(t, time.Nanosecond), func(ctx context.Context) error { _, err := w.client.Redeem(ctx, "C"); return err }, wire.ReasonNoTime},
		{"cancelled", gone, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, "C"); return err }, wire.ReasonNoTime},
		{"no code", ctx, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, ""); return err }, wire.ReasonInput},
		{"a long code", ctx, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, strings.Repeat("c", 257)); return err }, wire.ReasonInput},
		{"control characters", ctx, func(ctx context.Context) error { _, err := w.client.Lookup(ctx, "a\r\nb"); return err }, wire.ReasonInput},
		{"not UTF-8", ctx, func(ctx context.Context) error { _, err := w.client.Lookup(ctx, "a\xff"); return err }, wire.ReasonInput},
		{"a path for a uuid", ctx, func(ctx context.Context) error { _, err := w.client.Booking(ctx, "../redemption"); return err }, wire.ReasonInput},
		{"not UTF-8 in a body", ctx, func(ctx context.Context) error {
			_, err := w.client.Cancel(ctx, "9f3c2a1e-0000-4000-8000-000000000001", "\xff")
			return err
		}, wire.ReasonInput},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if e := twintest.ErrorOf(t, c.call(c.ctx)); e.Fate != wire.NotSent || e.Reason != c.reason {
				t.Errorf("want %s, got %v", c.reason, e)
			}
		})
	}
	if n := w.twin.ReadBooks().Requests; n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	t.Run("all connections in use", func(t *testing.T) {
		w.Dial(t, twin.Dial{Fault: twin.Hang, AfterEffect: true})
		first, leave := context.WithCancel(twintest.Within(t, 20*time.Second))
		defer leave()
		done := make(chan error, 1)
		go func() { _, err := w.client.Redeem(first, "C"); done <- err }()
		for w.twin.ReadBooks().Requests == 0 {
			<-time.After(time.Millisecond)
		}
		_, err := w.client.Redeem(ctx, "C")
		if e := twintest.ErrorOf(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonNoConn {
			t.Errorf("second: %v", e)
		}
		leave()
		if e := twintest.ErrorOf(t, <-done); e.Fate != wire.Unknown || e.Reason != wire.ReasonTimeout {
			t.Errorf("first: %v", e)
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
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if _, err := c.Unredeem(call.WithTrace(twintest.Within(t, 900*time.Millisecond), parent, "a=b"), "C1"); err != nil {
		t.Fatal(err)
	}
	left := got.Header.Get("X-Request-Timeout-Ms")
	if got.Method != "DELETE" || got.URL.Path != "/v1/redemption/redeem" || string(body) != `{"redemptionCode":"C1"}` ||
		got.Header.Get("Authorization") != "Bearer "+testKey || got.Header.Get("Octo-Capabilities") != "octo/redemption" ||
		got.Header.Get("Content-Type") != "application/json" || len(left) != 3 || left[0] < '7' ||
		got.Header.Get("Traceparent") != parent || got.Header.Get("Tracestate") != "a=b" {
		t.Errorf("%s %s %v %s", got.Method, got.URL, got.Header, body)
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
		_, err := octo.New(cfg)
		f, placed := errors.AsType[*gateway.FieldError](err)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		} else if path, inFile := map[string]string{"base_url": "url", "query": "url", "api_key": "secrets.api_key", "supplier": "options.supplier"}[want]; inFile && (!placed || f.Path != path) {
			t.Errorf("%s: no place in a venue's file: %v", want, err)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error shows a secret: %v", want, err)
		}
	}
}
