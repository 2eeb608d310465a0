package wechatpay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

func TestMain(m *testing.M) { twintest.Main(m) }

// credentials are made once: a key takes a while.
var credentials = sync.OnceValue(func() wechatpay.Credentials {
	c, err := wechatpay.MakeCredentials()
	if err != nil {
		panic(err)
	}
	return c
})

// fresh is what a provider knows that has a key and nothing else. Its key is made once as well.
var fresh = sync.OnceValue(func() []byte {
	p, err := wechatpay.NewTwin(wechatpay.TwinConfig{Name: "riverside", Credentials: credentials()})
	if err == nil {
		defer p.Close()
		_, err = p.PlatformCertificates()
	}
	if err != nil {
		panic(err)
	}
	state, err := p.Save()
	if err != nil {
		panic(err)
	}
	return state
})

// plateA and plateB are nobody's: the province does not exist.
const (
	plateA = "测A12345"
	plateB = "测AD12345"
)

// world is a city with one provider, a client of it, and a place where the provider's notifications arrive.
type world struct {
	twintest.Site
	twin   *wechatpay.Twin
	client *wechatpay.Client
	inbox  *inbox
	cfg    wechatpay.Config
}

func newWorld(t testing.TB, change func(*wechatpay.Config)) *world {
	t.Helper()
	provider := newTwin(t, 7)
	w := &world{Site: twintest.Open(t, "wechatpay", "riverside", provider), twin: provider, inbox: newInbox(t)}
	w.cfg = wechatpay.Config{BaseURL: w.URL, MchID: wechatpay.MchIDOf("riverside"), AppID: "wx0123456789abcdef",
		SerialNo: wechatpay.TwinSerialNo, PrivateKey: credentials().PrivateKey, APIv3Key: credentials().APIv3Key, NotifyURL: w.inbox.url}
	if change != nil {
		change(&w.cfg)
	}
	w.client = newClient(t, w.cfg)
	w.inbox.client = w.client
	return w
}

func newTwin(t testing.TB, seed uint64) *wechatpay.Twin {
	t.Helper()
	provider, err := wechatpay.NewTwin(wechatpay.TwinConfig{Name: "riverside", Credentials: credentials(), Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	if err := provider.Restore(fresh()); err != nil {
		t.Fatal(err)
	}
	return provider
}

func newClient(t testing.TB, cfg wechatpay.Config) *wechatpay.Client {
	t.Helper()
	c, err := wechatpay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// inbox is where notifications arrive.
type inbox struct {
	url    string
	client *wechatpay.Client
	status func(n int) int // of the nth notification, from 1; nil: 204
	got    chan delivery

	mu sync.Mutex
	n  int
}

// delivery is one notification as it arrived.
type delivery struct {
	header http.Header
	body   []byte
	read   *wechatpay.Notification
	err    error
}

func newInbox(t testing.TB) *inbox {
	in := &inbox{got: make(chan delivery, 4096)}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	in.url = server.URL + "/v1/webhooks/wechatpay/riverside"
	return in
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d := delivery{header: r.Header.Clone(), body: body}
	d.read, d.err = in.client.Notification(ctx, r.Header.Get, body)
	in.mu.Lock()
	in.n++
	status := 204
	if d.err != nil {
		status = 401
	}
	if in.status != nil {
		status = in.status(in.n)
	}
	in.mu.Unlock()
	w.WriteHeader(status)
	in.got <- d
}

// next returns the next notification.
func (in *inbox) next(t testing.TB) delivery {
	t.Helper()
	select {
	case d := <-in.got:
		if d.err != nil {
			t.Fatalf("a notification was not taken: %v", d.err)
		}
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no notification came")
	}
	return delivery{}
}

func refusedWith(t testing.TB, err error, kind wechatpay.Kind, code string) {
	t.Helper()
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || wechatpay.RefusalOf(err) != kind || e.Code != code || e.Connector != "wechatpay" {
		t.Errorf("want a refusal %s %s, got %+v", kind, code, e)
	}
}

// until waits for what happens elsewhere.
func until(t testing.TB, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !happened(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it has not happened")
		}
	}
}

// must returns what has to work.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// came is when every car of the tests came in.
var came = time.Now().Add(-2 * time.Hour).Truncate(time.Second)

func entry(number, plate string) wechatpay.Entry {
	return wechatpay.Entry{OutParkingNo: number, Plate: plate, Color: wechatpay.Blue, EnteredAt: came, ParkingName: "滨江停车场", Free: 15 * time.Minute}
}

func charge(number, plate, parkingID string, total int64) wechatpay.Charge {
	return wechatpay.Charge{OutTradeNo: number, Description: "停车费", Attach: "stay 1", Total: total, ParkingID: parkingID, Plate: plate, Color: wechatpay.Blue,
		EnteredAt: came, LeftAt: came.Add(time.Hour), ParkingName: "滨江停车场", Charged: time.Hour, DeviceID: "gate-1"}
}

// do lets the twin make something.
func (w *world) do(t testing.TB, want wechatpay.Want) {
	t.Helper()
	if err := w.twin.Do(want); err != nil {
		t.Fatal(err)
	}
}

// park lets a car in.
func (w *world) park(t testing.TB, number, plate string) *wechatpay.Parking {
	t.Helper()
	return must[*wechatpay.Parking](t)(w.client.CreateParking(twintest.Within(t, 10*time.Second), entry(number, plate)))
}

// paid brings a charge as far as SUCCESS.
func (w *world) paid(t testing.TB, number, plate string, total int64) *wechatpay.Transaction {
	t.Helper()
	p := w.park(t, "in-"+number, plate)
	must[*wechatpay.Transaction](t)(w.client.CreateTransaction(twintest.Within(t, 10*time.Second), charge(number, plate, p.ID, total)))
	return w.reached(t, number, wechatpay.Success)
}

// reached asks until a charge is in a state.
func (w *world) reached(t testing.TB, number string, state wechatpay.TradeState) *wechatpay.Transaction {
	t.Helper()
	ctx := twintest.Within(t, 10*time.Second)
	var got *wechatpay.Transaction
	until(t, func() bool {
		got = must[*wechatpay.Transaction](t)(w.client.QueryTransaction(ctx, number))
		return got != nil && got.State == state
	})
	return got
}

func TestAStayFromEntryToRefund(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	service, err := w.client.FindPlateService(ctx, wechatpay.PlateQuery{Plate: plateA, Color: wechatpay.Blue, OpenID: "o123"})
	if err != nil || service.State != wechatpay.ServiceNormal || service.OpenedAt.IsZero() {
		t.Fatalf("service = %+v, %v", service, err)
	}
	p := w.park(t, "in-1", plateA)
	if p.ID == "" || p.State != wechatpay.Normal || p.OutParkingNo != "in-1" || p.BlockReason != "" {
		t.Fatalf("parking = %+v", p)
	}
	if again := w.park(t, "in-1", plateA); *again != *p {
		t.Errorf("again = %+v", again)
	}
	if got, err := w.client.QueryTransaction(ctx, "pay-1"); got != nil || err != nil {
		t.Fatalf("before: %+v, %v", got, err)
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 50}})
	c := charge("pay-1", plateA, p.ID, 990)
	first, err := w.client.CreateTransaction(ctx, c)
	if err != nil || first.State != wechatpay.Accepted || first.Total != 990 || first.ID != "" || first.OutTradeNo != "pay-1" {
		t.Fatalf("first = %+v, %v", first, err)
	}
	again, err := w.client.CreateTransaction(ctx, c)
	if err != nil || again.OutTradeNo != "pay-1" {
		t.Fatalf("again = %+v, %v", again, err)
	}
	told := w.inbox.next(t).read
	if told.Event != wechatpay.EventPaid || told.Transaction.State != wechatpay.Success || told.Transaction.Total != 990 ||
		told.Transaction.Attach != "stay 1" || told.Transaction.ParkingID != p.ID || told.ID == "" || told.CreatedAt.IsZero() {
		t.Fatalf("told = %+v %+v", told, told.Transaction)
	}
	got, err := w.client.QueryTransaction(ctx, "pay-1")
	if err != nil || *got != *told.Transaction || got.PayerTotal != 990 || got.SucceededAt.IsZero() {
		t.Fatalf("got = %+v, %v; told %+v", got, err, told.Transaction)
	}
	if r, err := w.client.QueryRefund(ctx, "back-1"); r != nil || err != nil {
		t.Fatalf("before: %+v, %v", r, err)
	}
	order := wechatpay.RefundOrder{OutRefundNo: "back-1", OutTradeNo: "pay-1", Reason: "waived", Refund: 400, Total: 990}
	back, err := w.client.CreateRefund(ctx, order)
	if err != nil || back.State != wechatpay.RefundProcessing || back.Refund != 400 || back.Transaction != got.ID {
		t.Fatalf("back = %+v, %v", back, err)
	}
	if _, err := w.client.CreateRefund(ctx, order); err != nil {
		t.Fatal(err)
	}
	toldBack := w.inbox.next(t).read
	if toldBack.Event != wechatpay.EventRefunded || toldBack.Refund.State != wechatpay.RefundSuccess || toldBack.Refund.Refund != 400 {
		t.Fatalf("told = %+v", toldBack.Refund)
	}
	if r, err := w.client.QueryRefund(ctx, "back-1"); err != nil || r.State != wechatpay.RefundSuccess || r.SucceededAt.IsZero() {
		t.Fatalf("refund = %+v, %v", r, err)
	}
	if got, err := w.client.QueryTransaction(ctx, "pay-1"); err != nil || got.State != wechatpay.Refunded {
		t.Fatalf("after: %+v, %v", got, err)
	}
	b := w.twin.ReadBooks()
	if len(b.Charges) != 1 || b.Charges[0].Asked.Create != 2 || b.Charges[0].Total != 990 || len(b.Refunds) != 1 || b.Refunds[0].Asked.Create != 2 ||
		len(b.Entries) != 1 || b.Entries[0].ChargedBy != "pay-1" {
		t.Errorf("books = %+v", b)
	}
}

func TestBadArgumentsAreNotSent(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	bad := func(change func(*wechatpay.Charge)) error {
		c := charge("pay-1", plateA, "5K1", 100)
		change(&c)
		_, err := w.client.CreateTransaction(ctx, c)
		return err
	}
	badEntry := func(change func(*wechatpay.Entry)) error {
		e := entry("in-1", plateA)
		change(&e)
		_, err := w.client.CreateParking(ctx, e)
		return err
	}
	badRefund := func(o wechatpay.RefundOrder) error { _, err := w.client.CreateRefund(ctx, o); return err }
	find := func(q wechatpay.PlateQuery) error { _, err := w.client.FindPlateService(ctx, q); return err }
	for name, err := range map[string]error{
		"no number":            bad(func(c *wechatpay.Charge) { c.OutTradeNo = "" }),
		"a long number":        bad(func(c *wechatpay.Charge) { c.OutTradeNo = strings.Repeat("1", 33) }),
		"an asterisk":          bad(func(c *wechatpay.Charge) { c.OutTradeNo = "a*b" }),
		"nothing":              bad(func(c *wechatpay.Charge) { c.Total = 0 }),
		"less than nothing":    bad(func(c *wechatpay.Charge) { c.Total = -1 }),
		"too much":             bad(func(c *wechatpay.Charge) { c.Total = wechatpay.MaxTotal }),
		"no description":       bad(func(c *wechatpay.Charge) { c.Description = "" }),
		"a long description":   bad(func(c *wechatpay.Charge) { c.Description = strings.Repeat("费", 129) }),
		"a line in it":         bad(func(c *wechatpay.Charge) { c.Description = "a\nb" }),
		"a long attachment":    bad(func(c *wechatpay.Charge) { c.Attach = strings.Repeat("a", 129) }),
		"no entry":             bad(func(c *wechatpay.Charge) { c.ParkingID = "" }),
		"a plate with a dot":   bad(func(c *wechatpay.Charge) { c.Plate = "测A·12345" }),
		"no colour":            bad(func(c *wechatpay.Charge) { c.Color = "RED" }),
		"an end before":        bad(func(c *wechatpay.Charge) { c.LeftAt = c.EnteredAt }),
		"no lot":               bad(func(c *wechatpay.Charge) { c.ParkingName = "" }),
		"less than no time":    bad(func(c *wechatpay.Charge) { c.Charged = -time.Second }),
		"no device":            bad(func(c *wechatpay.Charge) { c.DeviceID = "" }),
		"an entry of no time":  badEntry(func(e *wechatpay.Entry) { e.EnteredAt = time.Time{} }),
		"an entry of no plate": badEntry(func(e *wechatpay.Entry) { e.Plate = "" }),
		"a long name":          badEntry(func(e *wechatpay.Entry) { e.ParkingName = strings.Repeat("场", 33) }),
		"too free":             badEntry(func(e *wechatpay.Entry) { e.Free = -1 }),
		"an odd entry":         badEntry(func(e *wechatpay.Entry) { e.OutParkingNo = "a b" }),
		"too much back":        badRefund(wechatpay.RefundOrder{OutRefundNo: "b", OutTradeNo: "p", Refund: 2, Total: 1}),
		"nothing back":         badRefund(wechatpay.RefundOrder{OutRefundNo: "b", OutTradeNo: "p", Refund: 0, Total: 1}),
		"back of nothing":      badRefund(wechatpay.RefundOrder{OutRefundNo: "b", Refund: 1, Total: 1}),
		"no payer":             find(wechatpay.PlateQuery{Plate: plateA, Color: wechatpay.Blue}),
		"a query in the query": find(wechatpay.PlateQuery{Plate: "a&b", Color: wechatpay.Blue, OpenID: "o"}),
	} {
		if e := twintest.ErrorOf(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonInput || e.Cause == nil {
			t.Errorf("%s: %+v", name, e)
		}
		if strings.Contains(err.Error(), "12345") {
			t.Errorf("%s: the error shows a plate: %v", name, err)
		}
	}
	for _, day := range []string{"", "2026-02-30", "20260501"} {
		if _, err := w.client.WholeBill(ctx, day); twintest.ErrorOf(t, err).Fate != wire.NotSent {
			t.Errorf("%q: %v", day, err)
		}
	}
	if n := w.twin.ReadBooks().Requests; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestConfigIsChecked(t *testing.T) {
	w := newWorld(t, nil)
	for path, change := range map[string]func(*wechatpay.Config){
		"url":                     func(c *wechatpay.Config) { c.BaseURL = "ftp://x" },
		"options.mchid":           func(c *wechatpay.Config) { c.MchID = "m1" },
		"options.appid":           func(c *wechatpay.Config) { c.AppID = "" },
		"options.sub_mchid":       func(c *wechatpay.Config) { c.SubMchID = "x" },
		"options.sub_appid":       func(c *wechatpay.Config) { c.SubAppID = "a b" },
		"options.serial_no":       func(c *wechatpay.Config) { c.SerialNo = "xyz" },
		"options.platform_key_id": func(c *wechatpay.Config) { c.PlatformKeyID = "KEY" },
		"options.notify_url":      func(c *wechatpay.Config) { c.NotifyURL = "http://pay.example/x" },
		"secrets.private_key":     func(c *wechatpay.Config) { c.PrivateKey = "unread" },
		"secrets.api_v3_key":      func(c *wechatpay.Config) { c.APIv3Key = "short" },
		"secrets.platform_keys":   func(c *wechatpay.Config) { c.PlatformKeys = "unread" },
	} {
		cfg := w.cfg
		change(&cfg)
		_, err := wechatpay.New(cfg)
		if f, ok := errors.AsType[*gateway.FieldError](err); !ok || f.Path != path {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), credentials().APIv3Key) {
			t.Errorf("%s: the error shows a secret", path)
		}
	}
	for _, bad := range []string{"https://pay.example/x?y=1", "https://u@pay.example/", "https://pay.example/#f", "", "https://" + strings.Repeat("a", 300)} {
		cfg := w.cfg
		cfg.NotifyURL = bad
		if _, err := wechatpay.New(cfg); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	for _, change := range []func(*wechatpay.Config){func(c *wechatpay.Config) { c.Leeway = time.Hour }, func(c *wechatpay.Config) { c.RenewEvery = -1 },
		func(c *wechatpay.Config) { c.KeyTimeout = time.Hour }, func(c *wechatpay.Config) { c.MaxBill = 1 }, func(c *wechatpay.Config) { c.MaxConns = -1 }} {
		cfg := w.cfg
		change(&cfg)
		if _, err := wechatpay.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	cfg := w.cfg
	cfg.Unread, cfg.PrivateKey, cfg.APIv3Key, cfg.PlatformKeys = true, "unread", "unread", "unread"
	c := newClient(t, cfg)
	if _, err := c.QueryTransaction(twintest.Within(t, time.Second), "pay-1"); twintest.ErrorOf(t, err).Fate != wire.NotSent {
		t.Errorf("an unread client has sent: %v", err)
	}
	if _, err := c.Notification(twintest.Within(t, time.Second), func(string) string { return "" }, nil); !errors.Is(err, wechatpay.ErrUnverified) {
		t.Errorf("an unread client has read: %v", err)
	}
	if c.MchID() != w.cfg.MchID {
		t.Error(c.MchID())
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	for i, test := range []struct {
		code string
		kind wechatpay.Kind
	}{{"RULE_LIMIT", wechatpay.RefusedLimit}, {"FREQUENCY_LIMITED", wechatpay.RefusedBusy}, {"NOT_FOUND", wechatpay.RefusedNotFound},
		{"INVALID_REQUEST", wechatpay.RefusedState}, {"ACCOUNT_ERROR", wechatpay.RefusedPayer}, {"NO_AUTH", wechatpay.RefusedCredentials},
		{"PARAM_ERROR", wechatpay.RefusedInput}, {"NOT_ENOUGH", wechatpay.RefusedFunds}} {
		number := fmt.Sprintf("pay-%d", i)
		w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Refuse: test.code})
		p := w.park(t, "in-"+number, plateA)
		_, err := w.client.CreateTransaction(ctx, charge(number, plateA, p.ID, 100))
		refusedWith(t, err, test.kind, test.code)
		if got, err := w.client.QueryTransaction(ctx, number); got != nil || err != nil {
			t.Errorf("%s: after the refusal: %+v, %v", test.code, got, err)
		}
		w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue})
		if _, err := w.client.CreateTransaction(ctx, charge(number, plateA, p.ID, 100)); err != nil {
			t.Errorf("%s: sent again: %v", test.code, err)
		}
	}
	for i, code := range []string{"SYSTEM_ERROR", "BANK_ERROR", "A_NEW_CODE"} { // say nothing about the effect
		number := fmt.Sprintf("odd-%d", i)
		w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Refuse: code})
		p := w.park(t, "in-"+number, plateA)
		_, err := w.client.CreateTransaction(ctx, charge(number, plateA, p.ID, 100))
		if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonStatus || wechatpay.RefusalOf(err) != "" {
			t.Errorf("%s: %+v", code, e)
		}
	}
}
