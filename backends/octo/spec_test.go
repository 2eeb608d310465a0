package octo_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// published is the specification, beside the repository where that is at hand.
const published = "../../../shared/specs/octo/openapi.yaml"

// judge stands between client and twin and holds every exchange against the specification. The redemption capability is
// not in it: there, the bookings are held against the schema of a booking.
type judge struct {
	t     *testing.T
	doc   *openapi3.T
	base  string
	proxy *httputil.ReverseProxy

	mu   sync.Mutex
	seen map[string]int
}

func (j *judge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	j.proxy.ServeHTTP(rec, r)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.HasPrefix(r.URL.Path, "/redemption/") {
		j.redemption(r, rec)
	} else {
		j.core(r, rec)
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (j *judge) core(r *http.Request, rec *httptest.ResponseRecorder) {
	router, err := legacy.NewRouter(j.doc)
	if err != nil {
		j.t.Error(err)
		return
	}
	at := r.Clone(context.Background())
	at.URL, _ = url.Parse(j.base + r.URL.RequestURI())
	at.Host = at.URL.Host
	route, params, err := router.FindRoute(at)
	if err != nil {
		j.t.Errorf("%s %s is not in the specification: %v", r.Method, r.URL.Path, err)
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: at, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true}}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		j.t.Errorf("request %s %s: %v", r.Method, route.Path, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(),
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true}}
	out.SetBodyBytes(rec.Body.Bytes())
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		j.t.Errorf("answer %d to %s %s: %v\n%s", rec.Code, r.Method, route.Path, err, rec.Body)
	}
	j.count(r.Method + " " + route.Path)
}

func (j *judge) redemption(r *http.Request, rec *httptest.ResponseRecorder) {
	schema := j.doc.Components.Schemas["Booking"].Value
	value := decodeAny(j.t, rec.Body.Bytes())
	if rec.Code != 200 {
		schema = j.doc.Components.Schemas["ErrorUnprocessableEntity"].Value
	}
	list, many := value.([]any)
	if !many {
		list = []any{value}
	}
	for _, v := range list {
		if err := schema.VisitJSON(v, openapi3.MultiErrors()); err != nil {
			j.t.Errorf("answer %d to %s %s: %v", rec.Code, r.Method, r.URL.Path, err)
		}
	}
	j.count(r.Method + " " + r.URL.Path)
}

func (j *judge) count(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[what]++
}

func TestAgainstThePublishedSpecification(t *testing.T) {
	if _, err := os.Stat(published); err != nil {
		t.Skipf("the published specification is not here: %v", err)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(published)
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{t: t, doc: doc, base: "http://spec.example", seen: map[string]int{}}
	doc.Servers = openapi3.Servers{{URL: j.base}}
	var front *httptest.Server
	w := newWorld(t, func(c *octo.Config) {
		twinURL, _ := url.Parse(c.BaseURL)
		j.proxy = httputil.NewSingleHostReverseProxy(twinURL)
		j.proxy.Transport = &http.Transport{DisableKeepAlives: true}
		front = httptest.NewServer(j)
		c.BaseURL = front.URL
	})
	defer front.Close()
	exercise(t, w)
	for _, read := range []string{"/products/", "/products/entry"} {
		if status, body := raw(t, front.URL, "GET", read, "", nil); status != 200 {
			t.Errorf("%s: %d %s", read, status, body)
		}
	}
	for _, want := range []string{"POST /availability/", "GET /bookings/", "GET /bookings/{uuid}", "POST /bookings/{uuid}/confirm",
		"POST /bookings/{uuid}/cancel", "GET /products/", "GET /products/{id}", "GET /redemption/lookup",
		"POST /redemption/redeem", "DELETE /redemption/redeem", "POST /redemption/validate"} {
		if j.seen[want] == 0 {
			t.Errorf("%s was not held against the specification", want)
		}
	}
}

// exercise goes through every operation, with success and with refusal, for every scenario.
func exercise(t *testing.T, w world) {
	ctx := twintest.Within(t, 30*time.Second)
	const nobody = "9f3c2a1e-0000-4000-8000-000000000001"
	must := func(err error) {
		t.Helper()
		if e, ok := err.(*wire.Error); err != nil && (!ok || e.Fate != wire.Refused) {
			t.Error(err)
		}
	}
	for _, s := range []octo.Scenario{octo.Today, octo.Group, octo.Tomorrow, octo.SlotNow, octo.SlotOther, octo.Cancelled, octo.Expired,
		octo.OnHold, octo.Pending, octo.Rejected, octo.Redeemed, octo.OtherProduct} {
		made, err := w.twin.Issue(octo.Want{Scenario: s, Reference: "reseller-1"})
		if err != nil {
			t.Fatal(err)
		}
		m := made[0]
		code := m.Units[0].Code
		calls := []func() error{
			func() error { _, err := w.client.Booking(ctx, m.UUID); return err },
			func() error { _, err := w.client.Lookup(ctx, code); return err },
			func() error { _, err := w.client.Confirm(ctx, m.UUID, "reseller-2"); return err },
			func() error { _, err := w.client.Redeem(ctx, code); return err },
			func() error { _, err := w.client.Validate(ctx, m.Code); return err },
			func() error { _, err := w.client.Unredeem(ctx, m.Code); return err },
			func() error { _, err := w.client.Cancel(ctx, m.UUID, "why not"); return err },
			func() error { _, err := w.client.Redeem(ctx, code); return err },
			func() error { _, err := w.client.BookingsByReference(ctx, m.SupplierReference); return err },
		}
		for _, call := range calls {
			must(call())
		}
	}
	_, err := w.client.Booking(ctx, nobody)
	must(err)
	_, err = w.client.Cancel(ctx, nobody, "")
	must(err)
	err = w.client.BookingsOn(ctx, noon, "entry", func(*octo.Booking) error { return nil })
	must(err)
	for _, option := range []string{"day", "slots", "night"} {
		_, err = w.client.Availability(ctx, octo.AvailabilityQuery{ProductID: "entry", OptionID: option, From: "2026-05-02",
			To: "2026-05-04", Units: []octo.UnitQuantity{{ID: "adult", Quantity: 1}}})
		must(err)
	}
}
