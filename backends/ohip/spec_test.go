package ohip_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin/spectest"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

// published is where the documents lie beside the repository, where they are at hand.
const published = "../../../shared/specs/ohip/"

// document reads one of the published documents, which are of the second version of OpenAPI.
func document(t *testing.T, name string) routers.Router {
	t.Helper()
	three := published3(t, name)
	router, err := legacy.NewRouter(three, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation(),
		openapi3.DisableSchemaPatternValidation())
	fine(t, err)
	return router
}

// published3 is the document in the third version.
func published3(t *testing.T, name string) *openapi3.T {
	t.Helper()
	raw, err := os.ReadFile(published + name)
	if err != nil {
		t.Skipf("the published documents are not here: %v", err)
	}
	var tree map[string]any
	fine(t, json.Unmarshal(raw, &tree))
	mend(tree)
	raw, err = json.Marshal(tree)
	fine(t, err)
	var two openapi2.T
	fine(t, two.UnmarshalJSON(raw))
	three, err := openapi2conv.ToV3(&two)
	fine(t, err)
	three.Servers = openapi3.Servers{{URL: spectest.Base + two.BasePath}}
	return three
}

// mend takes out what contradicts itself: days are bounded to eight characters, and have ten. It closes the objects that
// the documents leave open, so that a member that they do not know is found.
func mend(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["format"] == "date" {
			delete(v, "maxLength")
		}
		if _, has := v["properties"].(map[string]any); has && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, each := range v {
			mend(each)
		}
	case []any:
		for _, each := range v {
			mend(each)
		}
	}
}

// judge holds every exchange against the documents.
type judge struct {
	*spectest.Judge
	t       *testing.T
	routers []routers.Router
	made    *openapi3.Schema // of a reservation as it is made, which the documents have although not the call

	mu     sync.Mutex
	beyond map[string]int
}

func (j *judge) see(r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/reservations") {
		j.reservations(body, "request")
		j.reservations(answer.Body.Bytes(), "answer")
	}
	if slices.ContainsFunc(j.routers, func(document routers.Router) bool { return j.Hold(document, r, answer) }) {
		return
	}
	parts := strings.Split(r.URL.Path, "/")
	j.mu.Lock()
	defer j.mu.Unlock()
	j.beyond[r.Method+" "+parts[1]+" "+parts[len(parts)-1]]++
}

// reservations holds what a booking says, and what is said to it, against the published type.
func (j *judge) reservations(body []byte, what string) {
	var said struct {
		Reservations struct {
			Reservation []any `json:"reservation"`
		} `json:"reservations"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		j.t.Errorf("%s: %v", what, err)
	}
	for _, one := range said.Reservations.Reservation {
		j.HoldJSON(j.made, "the reservation of the "+what, one)
		j.Count("reservation of the " + what)
	}
}

func TestAgainstThePublishedDocuments(t *testing.T) {
	j := &judge{Judge: spectest.NewJudge(t), t: t, beyond: map[string]int{}}
	for _, name := range []string{"subset-oauth.json", "subset-rsv.json", "subset-fof.json", "subset-par.json"} {
		j.routers = append(j.routers, document(t, name))
	}
	j.made = published3(t, "subset-fof.json").Components.Schemas["hotelReservationType"].Value
	w := newWorld(t, func(c *ohip.Config) { c.GatewayURL = twintest.Between(t, c.GatewayURL, j.see) })
	exercise(t, w)
	const one = "/hotels/{hotelId}/reservations/{reservationId}"
	j.Want("POST /tokens", "GET /hotels/{hotelId}/reservations", "GET /hotels/{hotelId}/rooms", "GET /hotels/{hotelId}/availability",
		"GET "+one+"/verifyCheckIns", "POST "+one+"/roomAssignments", "POST "+one+"/checkIns",
		"DELETE "+one+"/checkIns", "POST "+one+"/roomKeys", "reservation of the request", "reservation of the answer")
	// These are published, but not in the documents at hand.
	for _, want := range []string{"PUT fof rooms", "GET fof roomKeys", "POST csh checkOuts", "POST rsv reservations", "POST rsv cancellations"} {
		if j.beyond[want] == 0 {
			t.Errorf("%s was not asked for", want)
		}
		delete(j.beyond, want)
	}
	if len(j.beyond) != 0 {
		t.Errorf("not in the documents: %v", j.beyond)
	}
}

// exercise goes through every operation, with success and with refusal, for every scenario.
func exercise(t *testing.T, w world) {
	t.Helper()
	ctx := twintest.Within(t, 60*time.Second)
	must := func(err error) {
		t.Helper()
		if e, ok := err.(*wire.Error); err != nil && (!ok || e.Fate != wire.Refused) {
			t.Error(err)
		}
	}
	for _, s := range []ohip.Scenario{ohip.DueToday, ohip.Assigned, ohip.Tomorrow, ohip.Yesterday, ohip.MarkedGone, ohip.CancelledR,
		ohip.StaysOn, ohip.LeavesNow, ohip.OwesMoney, ohip.HasLeft} {
		m := w.make(t, ohip.Want{Scenario: s, Guests: []ohip.WantGuest{{}, {Surname: "Łukasz"}}, Nights: 2})
		room := m.RoomID
		if room == "" {
			room = "208"
		}
		o := order(m, room)
		o.Encoder = "E1"
		for _, call := range []func() error{
			func() error { return w.client.AssignRoom(ctx, m.ID, room) },
			func() error { _, err := w.client.Reservation(ctx, m.ID); return err },
			func() error { _, err := w.client.VerifyCheckIn(ctx, m.ID); return err },
			func() error { return w.client.CheckIn(ctx, m.ID, room) },
			func() error { _, err := w.client.IssueKeys(ctx, o); return err },
			func() error { _, err := w.client.Keys(ctx, m.ID); return err },
			func() error { _, err := w.client.ByConfirmation(ctx, m.Confirmation); return err },
			func() error { _, err := w.client.Room(ctx, room); return err },
			func() error { return w.client.RemoveKeys(ctx, m.ID, room) },
			func() error { return w.client.UndoCheckIn(ctx, m.ID, s == ohip.DueToday) },
			func() error { return w.client.CheckOut(ctx, m.ID) },
			func() error { return w.client.UnassignRoom(ctx, m.ID) },
		} {
			must(call())
		}
	}
	_, err := w.client.VerifyCheckIn(ctx, "4711")
	must(err)
	must(w.client.UndoCheckIn(ctx, "4711", true))
	_, err = w.client.ByName(ctx, ohip.NameQuery{Surname: "łukasz", GivenName: "x", From: yesterday, To: tomorrow})
	must(err)
	_, err = w.client.AllRooms(ctx, ohip.RoomQuery{Types: []string{"STD", "TWN"}, Floor: "2", Housekeeping: []ohip.Housekeeping{ohip.Clean, ohip.Dirty},
		FrontOffice: ohip.Vacant, From: today, To: tomorrow})
	must(err)
	exerciseBooking(t, w, must)
	for _, q := range []ohip.StayQuery{tonight(), {From: "2026-06-01", To: "2026-08-30", Adults: 2, ChildAges: []int{3}}, {From: today, To: tomorrow, Adults: 9},
		{From: today, To: tomorrow, Adults: 1, Types: []string{"STE", "DLX"}}} {
		_, err = w.client.Availability(ctx, q)
		must(err)
	}
}

// exerciseBooking books, with success and with refusal, asks for it, and cancels it twice.
func exerciseBooking(t *testing.T, w world, must func(error)) {
	t.Helper()
	ctx := twintest.Within(t, 20*time.Second)
	family, gone := booking("spec-1"), booking("spec-2")
	family.Adults, family.ChildAges, family.RoomType, family.Price = 2, []int{3}, "STE", gateway.Money{}
	gone.RatePlan = "NONE"
	r, err := w.client.Book(ctx, family)
	fine(t, err)
	_, err = w.client.Book(ctx, gone)
	must(err)
	_, err = w.client.ByReference(ctx, "spec-1")
	must(err)
	must(w.client.CancelBooking(ctx, r.ID))
	must(w.client.CancelBooking(ctx, r.ID))
}
