package parking_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// TestAVisitAndItsBill: in, out, one bill, and whom it is told.
func TestAVisitAndItsBill(t *testing.T) {
	g := start(t, nil)
	in := g.enter(plateA, ago(3*time.Hour))
	if in.State != "inside" || in.Stay == "" || in.Message != "Welcome" {
		t.Errorf("in: %s", in.Body)
	}
	if slices.Sort(in.Pending); fmt.Sprint(in.Pending) != "[announce car-in]" {
		t.Errorf("pending: %v", in.Pending)
	}
	out := g.leave(plateA, ago(0))
	if out.State != "left" || out.Stay != in.Stay || out.Bill == nil || out.Bill.Due.Minor != 3000 || out.Bill.Due.Currency != "CNY" || out.Bill.State != "billed" {
		t.Fatalf("out: %s", out.Body)
	}
	if !strings.Contains(out.Message, "¥30.00") || fmt.Sprint(out.Pending) != "[car-out]" {
		t.Errorf("out: %s", out.Body)
	}
	if n := g.number(`SELECT COUNT(*) FROM messages WHERE kind = 'deliver' AND state = 'waiting'`); n != 3 {
		t.Errorf("%d messages", n)
	}
	if strings.Contains(g.Logs(), "12345") {
		t.Error("the log holds a plate")
	}
}

// TestFreeVisit: a visit within the free minutes has a bill of nothing, which is paid.
func TestFreeVisit(t *testing.T) {
	g := start(t, nil)
	g.enter(plateE, ago(10*time.Minute))
	if out := g.leave(plateE, ago(0)); out.Bill == nil || out.Bill.Due.Minor != 0 || out.Bill.State != "paid" || out.Message != "Have a safe journey" {
		t.Errorf("out: %s", out.Body)
	}
}

// TestTheSameEventAgain: in whatever request it comes, it is answered as it was; with another content it is refused.
func TestTheSameEventAgain(t *testing.T) {
	g := start(t, nil)
	for _, direction := range []string{"entries", "exits"} {
		e := g.event(plateA, ago(3*time.Hour))
		if direction == "exits" {
			e = g.event(plateA, ago(time.Hour))
		}
		first := g.opens(g.post(direction, e))
		again := g.opens(g.post(direction, e))
		if !again.Again || again.Stay != first.Stay || again.State != first.State {
			t.Errorf("%s again: %s", direction, again.Body)
		}
		batch := g.post(direction, m{"events": []m{e, e}})
		if batch.Status != 201 || len(batch.Events) != 2 || !batch.Events[1].Again || batch.Events[0].Stay != first.Stay {
			t.Errorf("%s in a batch: %d %s", direction, batch.Status, batch.Body)
		}
		for name, value := range map[string]any{"plate": plateB, "gate": "south", "occurred_at": ago(2 * time.Hour).Format(time.RFC3339), "vehicle": "large"} {
			other := m{}
			maps.Copy(other, e)
			other[name] = value
			a := g.post(direction, other)
			if slug, field := a.Answer.Problem(); a.Status != 422 || slug != "event-reused" || field != "event_id" {
				t.Errorf("%s with another %s: %d %s", direction, name, a.Status, a.Body)
			}
		}
		elsewhere := map[string]string{"entries": "exits", "exits": "entries"}[direction]
		if slug, _ := g.post(elsewhere, e).Answer.Problem(); slug != "event-reused" {
			t.Errorf("an event of the %s at the %s: %s", direction, elsewhere, slug)
		}
	}
	if n := g.number(`SELECT COUNT(*) FROM parking_bills`); n != 1 {
		t.Errorf("%d bills", n)
	}
}

// TestBadInput: each is a clear problem, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	g := start(t, nil)
	for _, c := range []struct {
		change      m
		status      int
		slug, field string
		invalid     bool
	}{
		{m{"plate": "AAAA"}, 422, "plate-invalid", "plate", false},
		{m{"plate": "浙I12345"}, 422, "plate-invalid", "plate", false},
		{m{"plate": ""}, 400, "field-missing", "plate", true},
		{m{"gate": "east"}, 404, "parking-gate-unknown", "gate", false},
		{m{"gate": ""}, 400, "field-missing", "gate", true},
		{m{"event_id": ""}, 400, "field-missing", "event_id", true},
		{m{"event_id": "a b"}, 400, "field-invalid", "event_id", true},
		{m{"vehicle": "tank"}, 400, "field-invalid", "vehicle", true},
		{m{"occurred_at": "yesterday"}, 400, "field-invalid", "occurred_at", true},
		{m{"occurred_at": time.Now().Add(3 * time.Minute).Format(time.RFC3339)}, 422, "clock-wrong", "occurred_at", false},
		{m{"occurred_at": ago(241 * time.Hour).Format(time.RFC3339)}, 422, "clock-wrong", "occurred_at", false},
		{m{"colour": "red"}, 400, "field-unknown", "colour", true},
	} {
		for _, direction := range []string{"entries", "exits"} {
			e := g.event(plateA, time.Time{})
			maps.Copy(e, c.change)
			a := g.do(direction, e, c.invalid)
			if slug, field := a.Answer.Problem(); a.Status != c.status || slug != c.slug || field != c.field {
				t.Errorf("%v: %d %s", c.change, a.Status, a.Body)
			}
			if strings.Contains(a.Body, "12345") {
				t.Errorf("%v: the answer holds a plate", c.change)
			}
		}
	}
	if n := g.number(`SELECT (SELECT COUNT(*) FROM parking_events) + (SELECT COUNT(*) FROM runs)`); n != 0 {
		t.Errorf("%d rows are left behind", n)
	}
	if a := g.send(worldtest.Call{Path: "/v1/parking-lots/nowhere/exits", Body: `{}`, Invalid: true}); a.Status != 404 {
		t.Errorf("an unknown lot: %d", a.Status)
	}
}

// TestABatchIsDecidedEventByEvent: what is wrong with one is told with it, the others count, in whatever order they are.
func TestABatchIsDecidedEventByEvent(t *testing.T) {
	g := start(t, nil)
	in, wrong := g.event(plateA, ago(5*time.Hour)), g.event("XX", ago(4*time.Hour))
	later, out := g.event(plateA, ago(time.Hour)), g.event(plateA, ago(3*time.Hour))
	a := g.do("entries", m{"events": []m{later, wrong, in}}, false)
	if a.Status != 201 || len(a.Events) != 3 || a.Events[0].State != "inside" || a.Events[2].State != "passed" {
		t.Fatalf("entries: %d %s", a.Status, a.Body)
	}
	if p := a.Events[1].Problem; p == nil || p.Type != "plate-invalid" || p.Field != "events[1].plate" || a.Events[1].Decision != "" {
		t.Errorf("the one that is wrong: %s", a.Body)
	}
	a = g.do("exits", m{"events": []m{out}}, false)
	if a.Status != 201 || a.Events[0].Bill == nil || a.Events[0].Bill.Due.Minor != 2000 || a.Events[0].Stay == "" {
		t.Errorf("exits: %d %s", a.Status, a.Body)
	}
	for _, c := range []struct {
		body m
		slug string
	}{{m{"events": []m{}}, "field-missing"}, {m{"events": make101(g)}, "field-invalid"}} {
		if slug, field := g.do("exits", c.body, true).Answer.Problem(); slug != c.slug || field != "events" {
			t.Errorf("%s at %s", slug, field)
		}
	}
	if p := g.do("exits", m{"events": []m{{"gate": "north", "event_id": "x", "plate": plateA}}}, false).Events[0].Problem; p == nil || p.Field != "events[0].occurred_at" {
		t.Errorf("a kept event without its time: %+v", p)
	}
}

// TestABatchRefusesWhatIsWrong with each event in it, as it would be alone, and leaves nothing of those behind.
func TestABatchRefusesWhatIsWrong(t *testing.T) {
	g := start(t, nil)
	first := g.event(plateA, ago(5*time.Hour))
	g.opens(g.post("entries", first))
	for _, direction := range []string{"entries", "exits"} {
		with := func(change m) m {
			e := g.event(plateB, ago(3*time.Hour))
			maps.Copy(e, change)
			return e
		}
		kept := g.number(`SELECT COUNT(*) FROM parking_events`)
		good := with(nil)
		all := []m{with(m{"gate": "east"}), with(m{"occurred_at": ago(-time.Hour).Format(time.RFC3339)}), good, with(m{"plate": "浙I12345"}),
			with(m{"event_id": first["event_id"]}), with(m{"event_id": "a b"}), with(m{"vehicle": "tank"}), good}
		want := []string{"parking-gate-unknown events[0].gate", "clock-wrong events[1].occurred_at", "", "plate-invalid events[3].plate", "event-reused events[4].event_id",
			"field-invalid events[5].event_id", "field-invalid events[6].vehicle", ""}
		a := g.do(direction, m{"events": all}, true)
		if a.Status != 201 || len(a.Events) != len(all) {
			t.Fatalf("%s: %d %s", direction, a.Status, a.Body)
		}
		for i, r := range a.Events {
			got := ""
			if r.Problem != nil {
				got = r.Problem.Type + " " + r.Problem.Field
			}
			if got != want[i] || r.Event != all[i]["event_id"] || (r.Decision == "open") != (got == "") {
				t.Errorf("%s: event %d: %q, want %q; %+v", direction, i, got, want[i], r)
			}
		}
		if !a.Events[7].Again || a.Events[7].Stay != a.Events[2].Stay {
			t.Errorf("%s: the same one again in one batch: %s", direction, a.Body)
		}
		if n := g.number(`SELECT COUNT(*) FROM parking_events`); n != kept+1 {
			t.Errorf("%s: %d events are kept, want one", direction, n-kept)
		}
	}
}

func make101(g *garage) (all []m) {
	for range 101 {
		all = append(all, g.event(plateA, ago(time.Hour)))
	}
	return all
}

func (g *garage) do(direction string, body any, invalid bool) said {
	g.t.Helper()
	text := toJSON(g.t, body)
	return g.send(worldtest.Call{Path: "/v1/parking-lots/" + lotID + "/" + direction, Body: text, Invalid: invalid})
}

// TestArrears: what is owed past the policy is asked for at the next entry, of a car that waits; an exit is never blocked.
func TestArrears(t *testing.T) {
	g := start(t, func(s *parking.Settings) { s.Arrears = parking.Arrears{Over: 2000, Older: 0} })
	g.enter(plateA, ago(30*time.Hour))
	g.leave(plateA, ago(28*time.Hour)) // 20.00 is not more than the policy allows
	if in := g.enter(plateA, ago(0)); in.State != "inside" {
		t.Fatalf("in: %s", in.Body)
	}
	g.enter(plateB, ago(30*time.Hour))
	g.leave(plateB, ago(25*time.Hour))
	e := g.event(plateB, ago(0))
	shut := g.post("entries", e)
	if shut.Status != 200 || shut.Decision != "payment-required" || shut.Arrears == nil || shut.Arrears.Due.Minor != 5000 || shut.Arrears.Bills != 1 ||
		shut.Arrears.Oldest.IsZero() || !strings.Contains(shut.Message, "¥50.00") || shut.Stay != "" {
		t.Fatalf("in arrears: %d %s", shut.Status, shut.Body)
	}
	if again := g.post("entries", e); again.Status != 200 || again.Decision != "payment-required" || !again.Again {
		t.Errorf("the same event again: %d %s", again.Status, again.Body)
	}
	g.enter(plateB, ago(time.Hour)) // a fact that the barrier had kept
	g.leave(plateB, ago(0))
	if n := g.number(`SELECT COUNT(*) FROM parking_stays WHERE state = 'exited'`); n != 3 {
		t.Errorf("%d visits have ended", n)
	}
}

// TestTheLedgerIsDown: the barrier opens for who leaves, says that nothing is kept, and the event counts when it comes again.
func TestTheLedgerIsDown(t *testing.T) {
	g := start(t, nil)
	g.enter(plateA, ago(3*time.Hour))
	e := g.event(plateA, ago(time.Minute))
	for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit, ledgertest.AtView} {
		for _, fault := range []ledgertest.Fault{ledgertest.Hang, ledgertest.Full, ledgertest.ReadOnly} {
			if at == ledgertest.AtView && fault != ledgertest.Hang || testing.Short() && at == ledgertest.AtExec {
				continue
			}
			g.Fault.Set(at, fault)
			out := g.post("exits", e)
			in, batch := g.post("entries", g.event(plateB, ago(0))), g.post("exits", m{"events": []m{g.event(plateB, ago(time.Minute))}})
			g.Heal()
			if at == ledgertest.AtView { // what is decided is decided in commits
				g.opens(out)
				continue
			}
			if out.Status != 200 || out.Decision != "open" || out.Recorded || out.Took > worldtest.Late {
				t.Errorf("%s %s: %d %s after %v", at, fault, out.Status, out.Body, out.Took)
			}
			for _, a := range []said{in, batch} {
				if slug, _ := a.Answer.Problem(); a.Status != 503 || slug != "ledger-unavailable" {
					t.Errorf("%s %s: %d %s", at, fault, a.Status, a.Body)
				}
			}
		}
	}
	out := g.opens(g.post("exits", e))
	if out.Bill == nil || out.Bill.Due.Minor != 3000 {
		t.Errorf("again: %s", out.Body)
	}
	if n := g.number(`SELECT COUNT(*) FROM parking_bills WHERE plate = (SELECT plate FROM parking_stays WHERE id = $1)`, out.Stay); n != 1 {
		t.Errorf("%d bills", n)
	}
}

// TestWhoMaySpeak: a barrier's token acts for its lot alone.
func TestWhoMaySpeak(t *testing.T) {
	g := start(t, nil)
	body := toJSON(t, g.event(plateA, time.Time{}))
	if a := g.send(worldtest.Call{Path: "/v1/parking-lots/" + lotID + "/exits", Body: body, Token: "nobody"}); a.Status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", a.Status, a.Body)
	}
}
