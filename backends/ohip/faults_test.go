package ohip_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// effect is one effect, ready to be asked for, and how its having happened is asked.
type effect struct {
	name    string
	do      func(context.Context) error
	settled func(context.Context) (bool, error)
}

// effects prepares each effect on a reservation of its own.
func effects(t *testing.T, w world) []effect {
	t.Helper()
	ctx := twintest.Within(t, 10*time.Second)
	state := func(id string, want func(*ohip.Reservation) bool) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			r, err := w.client.Reservation(ctx, id)
			return err == nil && want(r), err
		}
	}
	keyed := func(id string, want bool) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			keys, err := w.client.Keys(ctx, id)
			return err == nil && (len(keys) > 0) == want, err
		}
	}
	assigned := func() ohip.Made { return w.make(t, ohip.Want{Scenario: ohip.Assigned}) }
	inHouse := func() ohip.Made {
		m := assigned()
		fine(t, w.client.CheckIn(ctx, m.ID, m.RoomID))
		return m
	}
	free, held, expected, undone, leaving := w.twin.Fresh(), assigned(), assigned(), inHouse(), w.make(t, ohip.Want{Scenario: ohip.LeavesNow})
	keyless, withKeys := inHouse(), inHouse()
	_, err := w.client.IssueKeys(ctx, order(withKeys, withKeys.RoomID))
	fine(t, err)
	unwanted := w.make(t, ohip.Want{Scenario: ohip.Tomorrow})
	spare, err := w.client.AllRooms(ctx, ohip.RoomQuery{Types: []string{"STD"}, From: today, To: tomorrow, Housekeeping: []ohip.Housekeeping{ohip.Clean}})
	fine(t, err)
	room := spare[0].ID
	return []effect{
		{"AssignRoom", func(ctx context.Context) error { return w.client.AssignRoom(ctx, free.ID, room) },
			state(free.ID, func(r *ohip.Reservation) bool { return r.RoomID == room })},
		{"UnassignRoom", func(ctx context.Context) error { return w.client.UnassignRoom(ctx, held.ID) },
			state(held.ID, func(r *ohip.Reservation) bool { return r.RoomID == "" })},
		{"CheckIn", func(ctx context.Context) error { return w.client.CheckIn(ctx, expected.ID, expected.RoomID) },
			state(expected.ID, func(r *ohip.Reservation) bool { return r.State() == ohip.InHouse && r.RoomID == expected.RoomID })},
		{"UndoCheckIn", func(ctx context.Context) error { return w.client.UndoCheckIn(ctx, undone.ID, true) },
			state(undone.ID, func(r *ohip.Reservation) bool { return r.State() == ohip.Expected })},
		{"CheckOut", func(ctx context.Context) error { return w.client.CheckOut(ctx, leaving.ID) },
			state(leaving.ID, func(r *ohip.Reservation) bool { return r.State() == ohip.Left })},
		{"IssueKeys", func(ctx context.Context) error {
			_, err := w.client.IssueKeys(ctx, order(keyless, keyless.RoomID))
			return err
		},
			keyed(keyless.ID, true)},
		{"RemoveKeys", func(ctx context.Context) error { return w.client.RemoveKeys(ctx, withKeys.ID, withKeys.RoomID) },
			keyed(withKeys.ID, false)},
		{"Book", func(ctx context.Context) error { _, err := w.client.Book(ctx, booking("ref-1")); return err },
			func(ctx context.Context) (bool, error) {
				all, err := w.client.ByReference(ctx, "ref-1")
				return err == nil && len(all) == 1 && all[0].State() == ohip.Expected, err
			}},
		{"CancelBooking", func(ctx context.Context) error { return w.client.CancelBooking(ctx, unwanted.ID) },
			state(unwanted.ID, func(r *ohip.Reservation) bool { return r.State() == ohip.Cancelled })},
	}
}

// TestEveryFaultHasItsFate is the client's half of the budget matrix: every effect × every fault, then what is read back.
func TestEveryFaultHasItsFate(t *testing.T) {
	for fault, want := range twintest.Fates() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *ohip.Config) { c.MaxBody = 256 << 10 })
			for _, e := range effects(t, w) {
				want.Op = e.name
				w.Dial(t, twin.Dial{Fault: fault})
				twintest.Meet(t, want, 150*time.Millisecond, e.do)
				w.Dial(t, twin.Dial{})
				if happened, err := e.settled(twintest.Within(t, 5*time.Second)); err != nil || happened != (fault == twin.Slow) {
					t.Errorf("%s after the fault: %v, %v", e.name, happened, err)
				}
			}
		})
	}
}

// TestTheAnswerIsLostAfterTheEffect: what exactly-once depends on, since OHIP has no idempotency key.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	for _, loss := range twintest.Losses() {
		t.Run("after the effect "+string(loss.Fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *ohip.Config) { c.MaxBody = 256 << 10 })
			all := effects(t, w)
			before := len(w.twin.ReadBooks().Effects)
			for _, e := range all {
				w.Dial(t, loss)
				twintest.Lose(t, loss, e.do)
				w.Dial(t, twin.Dial{})
				if happened, err := e.settled(twintest.Within(t, 5*time.Second)); err != nil || !happened {
					t.Errorf("%s: settled = %v, %v", e.name, happened, err)
				}
			}
			books := w.twin.ReadBooks()
			if n := len(books.Effects) - before; n != len(all) {
				t.Errorf("%d effects, want %d", n, len(all))
			}
			for _, a := range books.Asked {
				if a.Asked != a.Done {
					t.Errorf("the client sent a request twice: %+v", a)
				}
			}
		})
	}
}

// answerer is a hotel that gives a token and answers everything else with one prepared answer.
func answerer(t *testing.T, status int, body string) *ohip.Client {
	t.Helper()
	answer := twintest.Answer{Status: status, Header: map[string]string{"Retry-After": "7"}, Body: body}
	cfg := testConfig(twintest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oauth") {
			_, _ = io.WriteString(w, `{"access_token":"t","expires_in":3600,"token_type":"bearer","new":1}`)
			return
		}
		answer.ServeHTTP(w, r)
	})))
	cfg.Codes = map[string]ohip.Refusal{"FOF09999": ohip.RefusedTaken}
	cfg.MaxBody = 4096
	c, err := ohip.New(cfg)
	fine(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestAnswersToEffectsAreJudged(t *testing.T) {
	const head = `{"type":"about:blank","title":"Bad Request","detail":"guest 小明"`
	inHouse := `{"reservation":[{"reservationIdList":[{"id":"1","type":"Reservation"}],"reservationStatus":"InHouse","roomStay":{"currentRoomInfo":{"roomId":"203"}}}],"new":{}}`
	for _, c := range []struct {
		name    string
		status  int
		body    string
		fate    wire.Fate // 0: success
		reason  wire.Reason
		refusal ohip.Refusal
		code    string
	}{
		{"in house", 201, inHouse, 0, "", "", ""},
		{"nothing said", 201, `{}`, 0, "", "", ""},
		{"nothing said, with 200", 200, `{"reservation":[]}`, 0, "", "", ""},
		{"not in house after all", 201, strings.Replace(inHouse, "InHouse", "DueIn", 1), wire.Unknown, wire.ReasonGarbage, "", ""},
		{"in another room", 201, strings.Replace(inHouse, "203", "204", 1), wire.Unknown, wire.ReasonGarbage, "", ""},
		{"nothing", 201, ``, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"null", 201, `null`, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"an array", 201, `[]`, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"a duplicate member", 201, `{"reservation":[],"reservation":[]}`, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"another type", 201, `{"reservation":"in house"}`, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"accepted, not done", 202, inHouse, wire.Unknown, wire.ReasonStatus, "", ""},
		{"no content", 204, ``, wire.Unknown, wire.ReasonStatus, "", ""},
		{"a redirect", 302, inHouse, wire.Unknown, wire.ReasonStatus, "", ""},
		{"too large", 201, `{"a":"` + strings.Repeat("x", 5000) + `"}`, wire.Unknown, wire.ReasonTooLarge, "", ""},

		{"a code that is published", 400, head + `,"o:errorCode":"FOF00107"}`, wire.Refused, wire.ReasonRefused, ohip.RefusedWrongDate, "FOF00107"},
		{"with 404", 404, head + `,"o:errorCode":"FOF00066"}`, wire.Refused, wire.ReasonRefused, ohip.RefusedUnknown, "FOF00066"},
		{"in the details", 400, head + `,"o:errorCode":"OPERA","o:errorDetails":[{"type":"t","title":"t","o:errorCode":"FOF00108"}]}`, wire.Refused, wire.ReasonRefused, ohip.RefusedBalance, "FOF00108"},
		{"a code of this hotel", 400, head + `,"o:errorCode":"FOF09999"}`, wire.Refused, wire.ReasonRefused, ohip.RefusedTaken, "FOF09999"},
		{"codes that agree", 400, head + `,"o:errorDetails":[{"o:errorCode":"FOF00066"},{"o:errorCode":"FOF00066"}]}`, wire.Refused, wire.ReasonRefused, ohip.RefusedUnknown, "FOF00066"},
		{"codes that do not agree", 400, head + `,"o:errorDetails":[{"o:errorCode":"FOF00066"},{"o:errorCode":"FOF00107"}]}`, wire.Unknown, wire.ReasonStatus, "", "FOF00066"},
		{"a code that nobody knows", 400, head + `,"o:errorCode":"FOF01234"}`, wire.Unknown, wire.ReasonStatus, "", "FOF01234"},
		{"a code in another case", 400, head + `,"o:errorcode":"FOF00066"}`, wire.Unknown, wire.ReasonStatus, "", ""},
		{"no code", 400, head + `}`, wire.Unknown, wire.ReasonStatus, "", ""},
		{"a code that is a sentence", 400, head + `,"o:errorCode":"guest 小明"}`, wire.Unknown, wire.ReasonStatus, "", ""},
		{"no title", 400, `{"type":"about:blank","o:errorCode":"FOF00066"}`, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"a proxy's 404", 404, `<html>`, wire.Unknown, wire.ReasonGarbage, "", ""},
		{"a known code under 500", 500, head + `,"o:errorCode":"FOF00066"}`, wire.Unknown, wire.ReasonStatus, "", ""},
		{"a known code under 409", 409, head + `,"o:errorCode":"FOF00066"}`, wire.Unknown, wire.ReasonStatus, "", ""},
		{"a media type that it does not like", 415, ``, wire.Unknown, wire.ReasonStatus, "", ""},
		{"a time-out of its own", 408, head + `}`, wire.Unknown, wire.ReasonStatus, "", ""},
		{"too many", 429, head + `}`, wire.Unknown, wire.ReasonRateLimited, "", ""},
		{"unavailable", 503, ``, wire.Unknown, wire.ReasonStatus, "", ""},
		{"not authorized", 401, ``, wire.Refused, wire.ReasonRefused, ohip.RefusedCredentials, ""},
		{"forbidden", 403, ``, wire.Refused, wire.ReasonRefused, ohip.RefusedCredentials, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := answerer(t, c.status, c.body).CheckIn(twintest.Within(t, 5*time.Second), "1", "203")
			if c.fate == 0 {
				fine(t, err)
				return
			}
			e := twintest.ErrorOf(t, err)
			refusal, _ := ohip.RefusalOf(err)
			if e.Fate != c.fate || e.Reason != c.reason || refusal != c.refusal || e.Code != c.code {
				t.Errorf("want %s (%s) %q %q, got %v", c.fate, c.reason, c.refusal, c.code, e)
			}
			if c.status == 503 && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After = %s", e.RetryAfter)
			}
			if strings.Contains(err.Error(), "guest") {
				t.Errorf("the error shows the answer: %v", err)
			}
		})
	}
}

// TestAnswersToReadsAreJudged: one bad entry spoils the list, and nothing found is not an error.
func TestAnswersToReadsAreJudged(t *testing.T) {
	const info = `{"reservationIdList":[{"id":"1","type":"Reservation"}],"reservationStatus":"Reserved","roomStay":{"arrivalDate":"2026-05-02","departureDate":"2026-05-03"}}`
	list := func(all string) string { return `{"reservations":{"reservationInfo":[` + all + `]}}` }
	const room = `{"roomId":"1","roomType":{"roomType":"STD"},"housekeeping":{"roomStatus":{"roomStatus":"Clean","frontOfficeStatus":"Vacant"}}}`
	rooms := func(all string) string { return `{"hotelRoomsDetails":{"room":[` + all + `]}}` }
	for _, c := range []struct {
		body                string
		status              int
		search, room, verif bool // whether it is taken for an answer
	}{
		{list(info), 200, true, true, false},
		{list(info + "," + strings.Replace(info, "Reserved", "", 1)), 200, false, true, false},
		{list(strings.Replace(info, `"1"`, `""`, 1)), 200, false, true, false},
		{list(strings.Replace(info, "2026-05-02", "02.05.2026", 1)), 200, false, true, false},
		{list(`null`), 200, false, true, false},
		{rooms(room), 200, true, true, false},
		{rooms(room + "," + strings.Replace(room, "Clean", "", 1)), 200, true, false, false},
		{rooms(`{}`), 200, true, false, false},
		{`{"reservation":[]}`, 200, true, true, false},
		{`[]`, 200, false, false, false},
		{``, 200, false, false, false},
		{``, 204, true, true, true},
	} {
		client := answerer(t, c.status, c.body)
		ctx := twintest.Within(t, 5*time.Second)
		_, err := client.ByConfirmation(ctx, "7")
		judged(t, "ByConfirmation", c.body, err, c.search)
		_, err = client.AllRooms(ctx, ohip.RoomQuery{})
		judged(t, "Rooms", c.body, err, c.room)
		_, err = client.VerifyCheckIn(ctx, "1")
		if c.verif {
			wantRefusal(t, "VerifyCheckIn", err, ohip.RefusedUnknown)
		} else {
			judged(t, "VerifyCheckIn", c.body, err, false)
		}
	}
}

func judged(t *testing.T, op, body string, err error, good bool) {
	t.Helper()
	if good {
		if err != nil {
			t.Errorf("%s %s: %v", op, body, err)
		}
		return
	}
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
		t.Errorf("%s %s: %v", op, body, e)
	}
}

// TestAHotelThatForgotItsTokens: a restart of the hotel costs no guest anything.
func TestAHotelThatForgotItsTokens(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	m := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	_, err := w.client.Reservation(ctx, m.ID)
	fine(t, err)
	w.twin.ForgetTokens()
	fine(t, w.client.CheckIn(ctx, m.ID, m.RoomID))
	books := w.twin.ReadBooks()
	if a := books.Asked[0]; books.Tokens != 2 || a.Asked != 1 || a.Done != 1 {
		t.Errorf("%d tokens, %+v", books.Tokens, books.Asked)
	}
}
