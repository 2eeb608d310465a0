package parking_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/citizen"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// payLot is a lot whose bills WeChat Pay collects: 10.00 an hour, nothing free.
const payLot = `id: %[1]s
kind: parking-lot
tenant: hangzhou
name: { zh: 停车库, en: A garage }
time_zone: Asia/Shanghai
connectors:
  city: { connector: none }
  payment:
    connector: wechatpay
    url: %[2]s
    secrets: { private_key: { file: private_key }, api_v3_key: { file: api_v3_key } }
    options: { mchid: "%[3]s", appid: wx0000000000000001, serial_no: %[4]s, notify_url: "%[5]s/v1/webhooks/wechatpay/%[1]s" }
settings:
  gates: [north, south]
  currency: CNY
  same_pass: 1m
  leeway: 2m
  oldest: 240h
  parked_for: 24h
  collect: [payment]
  arrears: { over: -1, older: 1h }
  tariff: { vehicles: { car: { periods: [{ name: { zh: 全天, en: All day }, steps: [{ each: 1h, price: 1000 }] }] } } }
`

// town is a lot with the provider's twin behind it, and a whole gateway between them.
type town struct {
	*flowtest.City
	provider *wechatpay.Twin
	post     *post
	n        int
}

// post brings the provider's notifications to the gateway, which listens only once the provider knows its address. It
// remembers them.
type post struct {
	mu    sync.Mutex
	to    string
	shut  bool
	taken []letter
}

// letter is a notification as it was sent.
type letter struct {
	path   string
	header http.Header
	body   []byte
}

// ServeHTTP passes a notification on, as it is.
func (p *post) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l := letter{path: r.URL.Path, header: r.Header.Clone(), body: body}
	p.mu.Lock()
	p.taken = append(p.taken, l)
	to, shut := p.to, p.shut
	p.mu.Unlock()
	if shut || to == "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	status, text := l.send(to)
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// send sends a notification to a gateway.
func (l letter) send(to string) (int, []byte) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to+l.path, bytes.NewReader(l.body))
	if err != nil {
		return 0, nil
	}
	for name := range l.header {
		if strings.HasPrefix(name, "Wechatpay-") || name == "Content-Type" {
			r.Header[name] = l.header[name]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return http.StatusBadGateway, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, text
}

func (p *post) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.taken)
}

// shutter keeps notifications away, or lets them through.
func (p *post) shutter(shut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = shut
}

// merchant are one merchant's credentials, made once: a key takes a while.
var merchant = sync.OnceValues(wechatpay.MakeCredentials)

// fresh is what a provider knows that has a key and nothing else. Its key is made once as well.
var fresh = sync.OnceValues(func() ([]byte, error) {
	p, err := newProvider(nil)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if _, err := p.PlatformCertificates(); err != nil {
		return nil, err
	}
	return p.Save()
})

// newProvider returns the merchant's provider, with what it knows; nil: nothing.
func newProvider(state []byte) (*wechatpay.Twin, error) {
	credentials, err := merchant()
	if err != nil {
		return nil, err
	}
	p, err := wechatpay.NewTwin(wechatpay.TwinConfig{Name: lotID, Seed: 1, Credentials: credentials})
	if err == nil && state != nil {
		err = p.Restore(state)
	}
	return p, err
}

// openTown opens a lot whose bills WeChat Pay collects.
func openTown(t *testing.T) *town {
	t.Helper()
	return openTownWith(t, func(_ *flowtest.City, file string) string { return file })
}

// openTownWith opens such a lot with another file.
func openTownWith(t *testing.T, change func(c *flowtest.City, file string) string) *town {
	t.Helper()
	w := &town{post: &post{}}
	front := httptest.NewServer(w.post)
	t.Cleanup(front.Close)
	credentials, err := merchant()
	if err != nil {
		t.Fatal(err)
	}
	state, err := fresh()
	if err != nil {
		t.Fatal(err)
	}
	if w.provider, err = newProvider(state); err != nil {
		t.Fatal(err)
	}
	w.open(t, func(c *flowtest.City) string {
		if err := c.Twins.Add("wechatpay", lotID, w.provider); err != nil {
			t.Fatal(err)
		}
		c.Write("private_key", credentials.PrivateKey)
		c.Write("api_v3_key", credentials.APIv3Key)
		return change(c, fmt.Sprintf(payLot, lotID, c.Twins.URL("wechatpay", lotID), wechatpay.MchIDOf(lotID), wechatpay.TwinSerialNo, front.URL))
	})
	w.post.mu.Lock()
	w.post.to = w.URL
	w.post.mu.Unlock()
	t.Cleanup(w.verify)
	return w
}

// open starts a whole gateway in front of a lot, whose file before writes.
func (w *town) open(t *testing.T, before func(c *flowtest.City) string) {
	t.Helper()
	f, err := parking.NewQuick()
	if err != nil {
		t.Fatal(err)
	}
	door, err := assist.New([]*flow.Flow{f})
	if err != nil {
		t.Fatal(err)
	}
	own, err := citizen.New()
	if err != nil {
		t.Fatal(err)
	}
	flowtest.Options{Before: func(c *flowtest.City) {
		w.City = c
		c.Write("venues/"+lotID+".yaml", before(c))
	}}.Start(t, []*flow.Flow{f, door, own})
}

// verify holds the books against themselves, and against the provider's: no money was taken that is not booked, and none is
// booked that was not taken.
func (w *town) verify() {
	w.T.Helper()
	if w.Gateway == nil || w.T.Failed() {
		return
	}
	var taken, back int64
	for _, c := range w.provider.ReadBooks().Charges {
		if c.State == wechatpay.Success || c.State == wechatpay.Refunded {
			taken += c.Total
		}
	}
	for _, r := range w.provider.ReadBooks().Refunds {
		if r.State == wechatpay.RefundSuccess {
			back += r.Refund
		}
	}
	w.balance()
	if n := w.Number(`SELECT COALESCE(SUM(minor), 0) FROM parking_postings WHERE account = 'provider'`); n != taken-back {
		w.T.Errorf("booked %d, the provider has taken %d and given back %d", n, taken, back)
	}
}

// balance holds the books against themselves.
func (w *town) balance() {
	w.T.Helper()
	w.View(func(q ledger.Querier) error {
		r, err := books.Verify(context.Background(), q)
		if len(r.Mismatches) > 0 {
			w.T.Errorf("the books: %v", r.Mismatches)
		}
		return err
	})
}

// pass sends a car through a barrier.
func (w *town) pass(direction, plate string, at time.Time) parking.Result {
	w.T.Helper()
	w.n++
	a := w.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/parking-lots/" + lotID + "/" + direction, Token: w.Token("barrier", "parking:gate"),
		Body: m{"gate": "north", "event_id": fmt.Sprintf("e%d", w.n), "plate": plate, "occurred_at": at.Format(time.RFC3339Nano)}})
	var r parking.Result
	if a.Status != 201 {
		w.T.Fatalf("the barrier heard %d %s", a.Status, a.Text)
	}
	a.Into(w.T, &r)
	return r
}

// visit lets a car in, waits until the provider has said whether it may pay later, and lets it out. What the provider says, it
// has said when the car came.
func (w *town) visit(plate string, from, to time.Duration) (bill string) {
	w.T.Helper()
	before := w.Number(`SELECT COUNT(*) FROM parking_permissions`)
	w.pass("entries", plate, ago(from-30*time.Second))
	w.Eventually("the provider's word on the car", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions`) > before })
	w.change(`UPDATE parking_permissions SET said_at = $1 WHERE said_at = (SELECT MAX(said_at) FROM parking_permissions)`, ago(from).UnixMilli())
	return w.pass("exits", plate, ago(to)).Bill.ID
}

// do tells the provider what to do from now on.
func (w *town) do(want wechatpay.Want) {
	w.T.Helper()
	if err := w.provider.Do(want); err != nil {
		w.T.Fatal(err)
	}
}

// becomes waits until a bill is in a state.
func (w *town) becomes(bill, state string) {
	w.T.Helper()
	w.Eventually("bill is "+state, func() bool { return w.state(bill) == state })
}

func (w *town) state(bill string) (state string) {
	w.View(func(q ledger.Querier) error {
		return q.QueryRow(`SELECT state FROM parking_bills WHERE id = $1`, bill).Scan(&state)
	})
	return state
}

// change writes to the ledger beside the gateway: it lets time pass for what waits for it.
func (w *town) change(query string, args ...any) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	tx, err := w.Ledger.Begin(ctx)
	if err != nil {
		w.T.Fatal(err)
	}
	if _, err := tx.Exec(query, args); err != nil {
		w.T.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		w.T.Fatal(err)
	}
}

// person is a token of somebody who pays for parking.
func (w *town) person(name string) string {
	return w.Mint(auth.Grant{Subject: name, Tenant: "hangzhou", Scopes: []string{"parking:pay"}, TTL: time.Hour})
}

func (w *town) send(token, path string, body any) flowtest.Answer {
	w.T.Helper()
	return w.Do(flowtest.Call{Method: http.MethodPost, Path: path, Token: token, Body: body})
}

// settle claims the one unresolved assist of a kind and settles it.
func (w *town) settle(kind, word string, details any) flowtest.Answer {
	w.T.Helper()
	return w.settleWhere("kind", kind, word, details)
}

// settleWhere claims the one unresolved assist whose column has a value, and settles it.
func (w *town) settleWhere(column, value, word string, details any) flowtest.Answer {
	w.T.Helper()
	var id string
	w.Eventually("an assist "+value, func() bool {
		w.View(func(q ledger.Querier) error {
			id = ""
			if err := q.QueryRow(`SELECT id FROM assists WHERE `+column+` = $1 AND state <> 'resolved'`, value).Scan(&id); err != nil && err != ledger.ErrNoRows {
				return err
			}
			return nil
		})
		return id != ""
	})
	staff := w.Token("li", "staff:assist")
	if a := w.send(staff, "/v1/assists/"+id+"/claim", nil); a.Status != 201 {
		w.T.Fatalf("claim: %d %s", a.Status, a.Text)
	}
	body := m{"resolution": word, "reason": "looked at it"}
	if details != nil {
		body["details"] = details
	}
	return w.send(staff, "/v1/assists/"+id+"/resolution", body)
}

// own makes a plate a person's, from a time on.
func (w *town) own(token, plate string, from time.Time) {
	w.T.Helper()
	a := w.send(token, "/v1/me/vehicles", m{"plate": plate, "lot": lotID, "evidence": "licence 330100"})
	if a.Status != 202 {
		w.T.Fatalf("binding: %d %s", a.Status, a.Text)
	}
	if a := w.settle("parking-vehicle-unverified", "verified", m{"from": from.Format(time.RFC3339)}); a.Status != 201 {
		w.T.Fatalf("verifying: %d %s", a.Status, a.Text)
	}
}

// seen is a bill as its owner sees it.
type seenBill struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Price struct {
		Minor int64 `json:"minor"`
	} `json:"price"`
	Due struct {
		Minor int64 `json:"minor"`
	} `json:"due"`
	Lines []struct {
		Text string `json:"text"`
	} `json:"lines"`
	Movements []struct {
		Kind   string `json:"kind"`
		Amount struct {
			Minor int64 `json:"minor"`
		} `json:"amount"`
	} `json:"movements"`
}

func (w *town) look(token, bill string) (b seenBill, a flowtest.Answer) {
	w.T.Helper()
	a = w.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/parking-bills/" + bill, Token: token})
	if a.Status == 200 {
		a.Into(w.T, &b)
	}
	return b, a
}
