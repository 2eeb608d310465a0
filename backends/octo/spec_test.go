package octo_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin/spectest"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// published is the specification, beside the repository where that is at hand.
const published = "../../../shared/specs/octo/openapi.yaml"

// judge holds every exchange against the specification. The redemption capability is not in it: there, the bookings are held
// against the schema of a booking.
type judge struct {
	*spectest.Judge
	t      *testing.T
	doc    *openapi3.T
	router routers.Router
}

func (j *judge) see(r *http.Request, _ []byte, answer *httptest.ResponseRecorder) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/redemption/"):
		j.redemption(r, answer)
	case !j.Hold(j.router, r, answer):
		j.t.Errorf("%s %s is not in the specification", r.Method, r.URL.Path)
	}
}

func (j *judge) redemption(r *http.Request, answer *httptest.ResponseRecorder) {
	schema := "Booking"
	if answer.Code != 200 {
		schema = "ErrorUnprocessableEntity"
	}
	value := decodeAny(j.t, answer.Body.Bytes())
	list, many := value.([]any)
	if !many {
		list = []any{value}
	}
	for _, v := range list {
		j.HoldJSON(j.doc.Components.Schemas[schema].Value, fmt.Sprintf("answer %d to %s %s", answer.Code, r.Method, r.URL.Path), v)
	}
	j.Count(r.Method + " " + r.URL.Path)
}

func TestAgainstThePublishedSpecification(t *testing.T) {
	if _, err := os.Stat(published); err != nil {
		t.Skipf("the published specification is not here: %v", err)
	}
	doc, err := openapi3.NewLoader().LoadFromFile(published)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: spectest.Base}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{spectest.NewJudge(t), t, doc, router}
	var front string
	w := newWorld(t, func(c *octo.Config) {
		front = twintest.Between(t, c.BaseURL, j.see)
		c.BaseURL = front
	})
	exercise(t, w)
	for _, read := range []string{"/products/", "/products/entry"} {
		if status, body := raw(t, front, "GET", read, "", nil); status != 200 {
			t.Errorf("%s: %d %s", read, status, body)
		}
	}
	j.Want("POST /availability/", "GET /bookings/", "GET /bookings/{uuid}", "POST /bookings/{uuid}/confirm",
		"POST /bookings/{uuid}/cancel", "GET /products/", "GET /products/{id}", "GET /redemption/lookup",
		"POST /redemption/redeem", "DELETE /redemption/redeem", "POST /redemption/validate")
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
