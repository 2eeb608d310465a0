package apaleo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// operation is one call of the client as the tests of faults go through them: with what it needs, and for an effect how to
// ask whether it has happened.
type operation struct {
	scenario apaleo.Scenario
	do       func(*apaleo.Client, context.Context, apaleo.Made, string) error
	happened func(*apaleo.Reservation, string) bool // nil: a read
}

func operations() map[string]operation {
	read := func(f func(*apaleo.Client, context.Context, apaleo.Made) error) operation {
		return operation{apaleo.Today, func(c *apaleo.Client, ctx context.Context, m apaleo.Made, _ string) error {
			return f(c, ctx, m)
		}, nil}
	}
	effect := func(s apaleo.Scenario, f func(*apaleo.Client, context.Context, string) error,
		happened func(*apaleo.Reservation) bool) operation {
		return operation{s, func(c *apaleo.Client, ctx context.Context, m apaleo.Made, _ string) error {
			return f(c, ctx, m.Reservation)
		}, func(r *apaleo.Reservation, _ string) bool { return happened(r) }}
	}
	return map[string]operation{
		"Reservation": read(func(c *apaleo.Client, ctx context.Context, m apaleo.Made) error {
			_, err := c.Reservation(ctx, m.Reservation)
			return err
		}),
		"ByNumber": read(func(c *apaleo.Client, ctx context.Context, m apaleo.Made) error {
			_, err := c.ByNumber(ctx, m.Booking)
			return err
		}),
		"Arrivals": read(func(c *apaleo.Client, ctx context.Context, _ apaleo.Made) error {
			_, err := c.Arrivals(ctx, noon.Add(-13*time.Hour), noon.Add(11*time.Hour))
			return err
		}),
		"Units": read(func(c *apaleo.Client, ctx context.Context, _ apaleo.Made) error {
			_, err := c.Units(ctx)
			return err
		}),
		"UnitsFor": read(func(c *apaleo.Client, ctx context.Context, m apaleo.Made) error {
			_, err := c.UnitsFor(ctx, m.Reservation)
			return err
		}),
		"AssignUnit": {apaleo.Today, func(c *apaleo.Client, ctx context.Context, m apaleo.Made, unit string) error {
			return c.AssignUnit(ctx, m.Reservation, unit)
		}, func(r *apaleo.Reservation, unit string) bool { return r.Unit == unit }},
		"UnassignUnits": effect(apaleo.Assigned, (*apaleo.Client).UnassignUnits, func(r *apaleo.Reservation) bool { return r.Unit == "" }),
		"CheckIn": effect(apaleo.Assigned, (*apaleo.Client).CheckIn, func(r *apaleo.Reservation) bool {
			return r.Status == apaleo.StatusInHouse && !r.CheckedIn.IsZero()
		}),
		"RevertCheckIn": effect(apaleo.InHouse, (*apaleo.Client).RevertCheckIn, func(r *apaleo.Reservation) bool {
			return r.Status == apaleo.StatusConfirmed && r.CheckedIn.IsZero()
		}),
		"CheckOut": effect(apaleo.Departing, (*apaleo.Client).CheckOut, func(r *apaleo.Reservation) bool {
			return r.Status == apaleo.StatusCheckedOut && !r.CheckedOut.IsZero()
		}),
	}
}

// prepare makes what an operation needs and a unit that it can be given.
func (w world) prepare(t *testing.T, op operation) (apaleo.Made, string) {
	t.Helper()
	made := w.issue(t, apaleo.Want{Scenario: op.scenario, Nights: 1})
	if op.scenario != apaleo.Today {
		return made, ""
	}
	return made, w.free(t, made.Reservation)[0].ID
}

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	for name, op := range operations() {
		for fault, want := range twintest.Fates() {
			t.Run(name+" "+string(fault), func(t *testing.T) {
				w := newWorld(t, func(c *apaleo.Config) { c.MaxBody = 64 << 10 })
				made, unit := w.prepare(t, op)
				w.read(t, made.Reservation) // the token is there
				if _, err := w.client.Arrivals(soon(t), noon, noon.Add(time.Second)); err != nil {
					t.Fatal(err)
				}
				w.Dial(t, twin.Dial{Fault: fault})
				// What answers nothing cannot be slow in its body, and of a 200 that should not be there only the status counts.
				empty := op.happened != nil && name != "AssignUnit"
				if empty && fault == twin.Slow {
					if err := op.do(w.client, soon(t), made, unit); err != nil {
						t.Error(err)
					}
					return
				}
				if empty && fault == twin.Garbage && name != "RevertCheckIn" {
					want.Reason = wire.ReasonStatus
				}
				twintest.Meet(t, want, 150*time.Millisecond, func(ctx context.Context) error {
					err := op.do(w.client, ctx, made, unit)
					if strings.Contains(err.Error(), made.Booking) || strings.Contains(err.Error(), made.Guests[0].LastName) {
						t.Errorf("the error shows whom it is about: %v", err)
					}
					return err
				})
				w.Dial(t, twin.Dial{})
				if op.happened != nil && op.happened(w.read(t, made.Reservation), unit) != (fault == twin.Slow) {
					t.Errorf("after the fault: %+v", w.read(t, made.Reservation))
				}
			})
		}
	}
}

// TestTheAnswerIsLostAfterTheEffect: the fate is unknown, the effect is there once, and reading the reservation shows it.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	for name, op := range operations() {
		if op.happened == nil {
			continue
		}
		for _, loss := range twintest.Losses() {
			t.Run(name+" "+string(loss.Fault), func(t *testing.T) {
				w := newWorld(t, func(c *apaleo.Config) { c.MaxBody = 64 << 10 })
				made, unit := w.prepare(t, op)
				if op.happened(w.read(t, made.Reservation), unit) {
					t.Fatal("it has happened already: the test cannot fail")
				}
				loss.Path = "/booking/v1/reservation-actions/"
				w.Dial(t, loss)
				twintest.Lose(t, loss, func(ctx context.Context) error { return op.do(w.client, ctx, made, unit) })
				w.Dial(t, twin.Dial{})
				if !op.happened(w.read(t, made.Reservation), unit) {
					t.Error("reading back does not show what has happened")
				}
				if s := w.twin.ReadBooks().Stays; len(s) != 1 || s[0].Attempts != 1 || len(s[0].By) != 1 {
					t.Errorf("the client sent a request twice: %+v", s)
				}
			})
		}
	}
}

// TestAStaleConnectionIsNotUnknown: a system that restarts between two calls must not make the second one's fate unclear.
func TestAStaleConnectionIsNotUnknown(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 5 {
		made := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned, Adults: 2})
		if err := w.client.CheckIn(soon(t), made.Reservation); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		for _, d := range []twin.Dial{{Fault: twin.Refuse}, {}} { // cuts what is open, then opens again
			w.Dial(t, d)
		}
	}
}

// TestWhyIsNotKnown: the question why does not change the fate of the refusal.
func TestWhyIsNotKnown(t *testing.T) {
	w := newWorld(t, nil)
	made := w.twin.Fresh()
	w.read(t, made.Reservation)
	w.Dial(t, twin.Dial{Fault: twin.Hang, Path: "/booking/v1/reservations/"})
	isRefused(t, w.client.CheckIn(twintest.Within(t, 300*time.Millisecond), made.Reservation), apaleo.CodeRejected)
}

// TestTakenIsNotGuessed: a reservation that does not say that it may be given a unit makes no unit a taken one.
func TestTakenIsNotGuessed(t *testing.T) {
	for actions, code := range map[string]string{`[]`: apaleo.CodeRejected, `[{"action":"AssignUnit","isAllowed":true}]`: apaleo.CodeUnitTaken,
		`[{"action":"AssignUnit","isAllowed":false}]`: apaleo.CodeRejected, `[{"action":"AssignUnit","isAllowed":false,"reasons":[{"code":"A b"}]}]`: apaleo.CodeRejected,
		`[{"action":"AssignUnit","isAllowed":false,"reasons":[{"code":"NewReason"},{"code":"Another"}]}]`: "NewReason"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case "POST":
				_, _ = w.Write([]byte(`{"access_token":"T","token_type":"Bearer","expires_in":3600}`))
			case "PUT":
				w.WriteHeader(http.StatusUnprocessableEntity)
				_, _ = w.Write([]byte(`{"messages":["no"]}`))
			default:
				_, _ = w.Write([]byte(strings.Replace(aReservation, `[{"action":"CheckIn","isAllowed":true}]`, actions, 1)))
			}
		}))
		c, err := apaleo.New(apaleo.Config{BaseURL: server.URL, ClientID: "c", ClientSecret: "s", Property: "MUC"})
		if err != nil {
			t.Fatal(err)
		}
		isRefused(t, c.AssignUnit(soon(t), "A-1", "U-1"), code)
		c.Close()
		server.Close()
	}
}

// TestTheIdentityServerFails: nothing of the call is sent.
func TestTheIdentityServerFails(t *testing.T) {
	for _, fault := range twin.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t, nil)
			w.Dial(t, twin.Dial{Fault: fault, Path: "/connect/token"})
			made := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned})
			e := twintest.ErrorOf(t, w.client.CheckIn(twintest.Within(t, 5*time.Second), made.Reservation))
			if e.Fate != wire.NotSent || e.Reason != apaleo.ReasonToken || e.Op != "CheckIn" {
				t.Errorf("got %v", e)
			}
			if strings.Contains(e.Error(), testSecret) {
				t.Errorf("the error shows the secret: %v", e)
			}
			if n := w.twin.ReadBooks().Requests; n != 0 {
				t.Errorf("%d requests arrived", n)
			}
			w.Dial(t, twin.Dial{})
			if err := w.client.CheckIn(soon(t), made.Reservation); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	w := newWorld(t, func(c *apaleo.Config) { c.ClientSecret = "wrong" })
	e := twintest.ErrorOf(t, w.client.CheckIn(soon(t), "A-1"))
	if e.Fate != wire.NotSent || e.Reason != apaleo.ReasonToken || !strings.Contains(e.Error(), "invalid_client") {
		t.Errorf("a wrong secret: %v", e)
	}
}

// answerer is a hotel that gives a token and answers everything else with one prepared answer.
func answerer(t testing.TB, answer twintest.Answer) *apaleo.Client {
	t.Helper()
	base := twintest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/connect/token" {
			_, _ = w.Write([]byte(`{"access_token":"T","token_type":"Bearer","expires_in":3600}`))
			return
		}
		answer.ServeHTTP(w, r)
	}))
	c, err := apaleo.New(apaleo.Config{BaseURL: base, ClientID: "c", ClientSecret: "s", Property: "MUC", MaxBody: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const aReservation = `{"id":"A-1","bookingId":"A","status":"Confirmed","property":{"id":"MUC"},"unitGroup":{"id":"MUC-DBL"},` +
	`"arrival":"2020-06-20T17:00:00.1234567+02:00","departure":"2020-06-22T11:00:00+02:00","adults":1,"primaryGuest":` +
	`{"lastName":"Doe"},"actions":[{"action":"CheckIn","isAllowed":true}],"new":{"member":[1]}}`

func TestAnswersAreJudged(t *testing.T) {
	get := func(c *apaleo.Client, ctx context.Context) error { _, err := c.Reservation(ctx, "A-1"); return err }
	list := func(c *apaleo.Client, ctx context.Context) error { _, err := c.ByNumber(ctx, "A-1x"); return err }
	units := func(c *apaleo.Client, ctx context.Context) error { _, err := c.Units(ctx); return err }
	assign := func(c *apaleo.Client, ctx context.Context) error { return c.AssignUnit(ctx, "A-1", "U-1") }
	checkIn := func(c *apaleo.Client, ctx context.Context) error { return c.CheckIn(ctx, "A-1") }
	revert := func(c *apaleo.Client, ctx context.Context) error { return c.RevertCheckIn(ctx, "A-1") }
	const unit = `{"id":"U-1","name":"101","status":{"isOccupied":false,"condition":"Clean"},"maxPersons":2}`
	for name, c := range map[string]struct {
		do     func(*apaleo.Client, context.Context) error
		status int
		body   string
		fate   wire.Fate // 0: success
		reason wire.Reason
		code   string
	}{
		"a reservation with members that are new": {get, 200, aReservation, 0, "", ""},
		"another's reservation":                   {get, 200, strings.Replace(aReservation, `"A-1"`, `"B-1"`, 1), wire.Unknown, wire.ReasonGarbage, ""},
		"nothing said of actions":                 {get, 200, strings.Replace(aReservation, `"actions"`, `"more"`, 1), 0, "", ""},
		"no status":                               {get, 200, strings.Replace(aReservation, `"status"`, `"state"`, 1), wire.Unknown, wire.ReasonGarbage, ""},
		"a departure before the arrival":          {get, 200, strings.Replace(aReservation, "06-22", "06-19", 1), wire.Unknown, wire.ReasonGarbage, ""},
		"a unit that is a path":                   {get, 200, strings.Replace(aReservation, `{`, `{"unit":{"id":"../x"},`, 1), wire.Unknown, wire.ReasonGarbage, ""},
		"a duplicate member":                      {get, 200, `{"id":"A-1",` + aReservation[1:], wire.Unknown, wire.ReasonGarbage, ""},
		"an empty object":                         {get, 200, `{}`, wire.Unknown, wire.ReasonGarbage, ""},
		"null":                                    {get, 200, ` null`, wire.Unknown, wire.ReasonGarbage, ""},
		"nothing where something must be":         {get, 204, ``, wire.Unknown, wire.ReasonStatus, ""},
		"an empty list":                           {list, 204, ``, 0, "", ""},
		"a list":                                  {list, 200, `{"reservations":[` + aReservation + `],"count":1}`, 0, "", ""},
		"a list without its count":                {list, 200, `{"reservations":[` + aReservation + `]}`, 0, "", ""},
		"part of a list":                          {list, 200, `{"reservations":[` + aReservation + `],"count":2}`, wire.Unknown, wire.ReasonGarbage, ""},
		"no list":                                 {list, 200, `{"count":0}`, wire.Unknown, wire.ReasonGarbage, ""},
		"a bad entry":                             {list, 200, `{"reservations":[` + aReservation + `,{}],"count":2}`, wire.Unknown, wire.ReasonGarbage, ""},
		"a null in a list":                        {list, 200, `{"reservations":[null],"count":1}`, wire.Unknown, wire.ReasonGarbage, ""},
		"units":                                   {units, 200, `{"units":[` + unit + `],"count":1}`, 0, "", ""},
		"part of the units":                       {units, 200, `{"units":[` + unit + `],"count":9}`, wire.Unknown, wire.ReasonGarbage, ""},
		"a unit without its condition":            {units, 200, `{"units":[{"id":"U-1","name":"101","status":{}}],"count":1}`, wire.Unknown, wire.ReasonGarbage, ""},
		"a unit assigned":                         {assign, 200, `{"unit":{"id":"U-1"}}`, 0, "", ""},
		"another unit assigned":                   {assign, 200, `{"unit":{"id":"U-2"}}`, wire.Unknown, wire.ReasonGarbage, ""},
		"nothing said of the unit":                {assign, 204, ``, wire.Unknown, wire.ReasonStatus, ""},
		"a check-in":                              {checkIn, 204, ``, 0, "", ""},
		"a check-in with an answer":               {checkIn, 200, `{}`, wire.Unknown, wire.ReasonStatus, ""},
		"a check-in accepted for later":           {checkIn, 202, ``, wire.Unknown, wire.ReasonStatus, ""},
		"a revert":                                {revert, 204, ``, 0, "", ""},
		"a revert with an answer":                 {revert, 200, `{}`, 0, "", ""},
		"a revert with garbage":                   {revert, 200, `<html>`, wire.Unknown, wire.ReasonGarbage, ""},
		"a redirect":                              {checkIn, 302, ``, wire.Unknown, wire.ReasonStatus, ""},
		"rejected":                                {checkIn, 422, `{"messages":["no, X-secret"]}`, wire.Refused, wire.ReasonRefused, "Rejected"},
		"rejected without a message":              {checkIn, 422, `{"messages":[]}`, wire.Unknown, wire.ReasonGarbage, ""},
		"rejected by somebody else":               {checkIn, 422, `<html>`, wire.Unknown, wire.ReasonGarbage, ""},
		"bad request":                             {checkIn, 400, ``, wire.Refused, wire.ReasonRefused, "BadRequest"},
		"our credential":                          {checkIn, 401, ``, wire.Refused, wire.ReasonRefused, "Unauthorized"},
		"our rights":                              {checkIn, 403, ``, wire.Refused, wire.ReasonRefused, "Forbidden"},
		"not there":                               {checkIn, 404, ``, wire.Refused, wire.ReasonRefused, "NotFound"},
		"not there, in words":                     {checkIn, 404, `{"title":"Not Found"}`, wire.Refused, wire.ReasonRefused, "NotFound"},
		"a proxy's 404":                           {checkIn, 404, `<html>`, wire.Unknown, wire.ReasonGarbage, ""},
		"a proxy's 403":                           {checkIn, 403, `<html>`, wire.Unknown, wire.ReasonGarbage, ""},
		"a conflict that is not documented":       {checkIn, 409, `{}`, wire.Unknown, wire.ReasonStatus, ""},
		"another method":                          {checkIn, 405, ``, wire.Unknown, wire.ReasonStatus, ""},
		"a request timeout":                       {checkIn, 408, ``, wire.Unknown, wire.ReasonStatus, ""},
		"a gateway's 503":                         {checkIn, 503, ``, wire.Unknown, wire.ReasonStatus, ""},
		"a large body":                            {get, 200, `{"x":"` + strings.Repeat(" ", 8192) + `"}`, wire.Unknown, wire.ReasonTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := answerer(t, twintest.Answer{Status: c.status, Header: map[string]string{"Retry-After": "7"}, Body: c.body})
			err := c.do(client, soon(t))
			if c.fate == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e := twintest.ErrorOf(t, err)
			if e.Fate != c.fate || e.Reason != c.reason || e.Code != c.code || strings.Contains(e.Error(), "secret") {
				t.Fatalf("want %s (%s) %s, got %v", c.fate, c.reason, c.code, e)
			}
			if c.status == 503 && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After = %s", e.RetryAfter)
			}
		})
	}
}
