package assist_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// unavailable fails the test where an answer is not the one for a ledger that fails, within the budget: what waits for the
// ledger leaves the overhead for the answer.
func unavailable(t *testing.T, what string, a worldtest.Answer) {
	t.Helper()
	want(t, what, a, 503, "ledger-unavailable")
	if s, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || s < 1 {
		t.Errorf("%s: Retry-After %q", what, a.Header.Get("Retry-After"))
	}
	if a.Took > worldtest.Late {
		t.Errorf("%s: took %v", what, a.Took)
	}
}

func TestALedgerThatFailsIsSaidInTime(t *testing.T) {
	p := start(t)
	run, id := p.stuck("help", "east")
	want(t, "claim", p.claim(p.li, id), 201, "")
	for _, fault := range []ledgertest.Fault{ledgertest.Full, ledgertest.ReadOnly, ledgertest.Hang} {
		p.Fault.Set(ledgertest.AtView, fault)
		var asked sync.WaitGroup
		for what, a := range map[string]func() worldtest.Answer{
			"list":    func() worldtest.Answer { return p.get(p.li, "/v1/assists") },
			"one":     func() worldtest.Answer { return p.get(p.li, "/v1/assists/"+id) },
			"journey": func() worldtest.Answer { return p.get(p.citizen, "/v1/journeys/"+run) },
			"claim":   func() worldtest.Answer { return p.claim(p.li, id) },
		} {
			asked.Go(func() { unavailable(t, what+", views: "+string(fault), a()) })
		}
		asked.Wait()
		p.Heal()
		for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit} {
			if fault == ledgertest.Hang && at != ledgertest.AtBegin {
				continue // such a commit takes place later: see below
			}
			p.Fault.Set(at, fault)
			unavailable(t, "release, "+string(at)+": "+string(fault), p.release(p.li, id))
			unavailable(t, "resolution, "+string(at)+": "+string(fault), p.resolve(p.li, id, "admit"))
			p.Heal()
		}
	}
	if s := p.one(p.li, id); s.State != "claimed" || len(p.Column(`SELECT who FROM admitted`)) != 0 {
		t.Errorf("something was kept: %+v", s)
	}
	want(t, "afterwards", p.resolve(p.li, id, "admit"), 201, "")
}

// TestACommitThatHangsIsFoundUnderItsKey claims while the disk hangs: the caller is told in time, and the same key finds
// out what has become of it.
func TestACommitThatHangsIsFoundUnderItsKey(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	c := worldtest.Call{Method: http.MethodPost, Path: "/v1/assists/" + id + "/claim", Token: p.li, Key: uuid.NewString()}
	p.Fault.Set(ledgertest.AtCommit, ledgertest.Hang)
	unavailable(t, "claim", p.Do(c))
	p.Heal()
	p.stuck("help", "west") // behind it in the queue
	a := p.Do(c)
	if want(t, "claim again", a, 201, ""); a.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the claim was not found: %v", a.Header)
	}
	p.Fault.Set(ledgertest.AtCommit, ledgertest.Lost)
	want(t, "a release whose commit was lost and took place", p.release(p.li, id), 201, "")
}

func TestNewRefusesStepsWithoutWords(t *testing.T) {
	for message, words := range map[string]map[string]gateway.Text{
		"step note of plan visit has no words":              nil,
		"step note of plan visit has no words in zh and en": {"note": {Zh: "记下来访"}},
		"words for step knot, which no plan has":            {"note": {Zh: "记下来访", En: "Note it"}, "knot": {Zh: "结", En: "Knot"}},
	} {
		f := visits()
		f.Steps = words
		if _, err := assist.New([]*flow.Flow{f}); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%v, want %q", err, message)
		}
	}
	for _, task := range []string{"note", "wave"} { // a step, and one without Chinese
		f := visits()
		f.Tasks = map[string]gateway.Text{task: {Zh: map[string]string{"note": "记下来访"}[task], En: "Wave"}}
		if _, err := assist.New([]*flow.Flow{f}); err == nil || !strings.Contains(err.Error(), "task "+task+" is a step of a plan, or has no words") {
			t.Errorf("task %s: %v", task, err)
		}
	}
}

func TestNewRefusesWhatNobodyCouldSettle(t *testing.T) {
	name := gateway.Text{Zh: "行", En: "Yes"}
	yes := []flow.Resolution{{Word: "yes", Name: name}}
	for message, kinds := range map[string][]flow.Assist{
		"kind help is declared twice":                 {{Kind: "help", Resolutions: yes}, {Kind: "help", Resolutions: yes}},
		"has no name":                                 {{Resolutions: yes}},
		"kind help has no resolution":                 {{Kind: "help"}},
		"resolution yes of assist kind help is decla": {{Kind: "help", Resolutions: append(yes, yes...)}},
		`resolution "" of assist kind help needs`:     {{Kind: "help", Resolutions: []flow.Resolution{{Name: name}}}},
		`resolution "no" of assist kind help needs`:   {{Kind: "help", Resolutions: []flow.Resolution{{Word: "no", Name: gateway.Text{En: "No"}}}}},
	} {
		if _, err := assist.New([]*flow.Flow{{Name: "some", Assists: kinds}}); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%v, want %q", err, message)
		}
	}
	f, err := assist.New(nil)
	if err != nil || len(f.Plans) != 3 {
		t.Errorf("without flows: %v, %v", f, err)
	}
}
