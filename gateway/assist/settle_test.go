package assist_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

func TestAnAssistIsClaimedReleasedAndSettled(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	if s := p.one(p.li, id); s.State != "open" || s.ClaimedBy != "" || s.ClaimedAt != "" || !strings.HasSuffix(s.OpenedAt, "+08:00") {
		t.Errorf("open: %+v", s)
	}
	want(t, "release what is open", p.release(p.li, id), 409, "assist-unclaimed")
	want(t, "settle what is open", p.resolve(p.li, id, "admit"), 409, "assist-unclaimed")

	a := p.claim(p.li, id)
	var claimed seen
	p.Into(a, &claimed)
	if a.Status != 201 || claimed.State != "claimed" || claimed.ClaimedBy != "li@i" || !strings.HasSuffix(claimed.ClaimedAt, "+08:00") {
		t.Errorf("claim: %d %s", a.Status, a.Body)
	}
	again := p.claim(p.li, id) // under another key
	if again.Status != 201 || again.Body != a.Body {
		t.Errorf("one's own claim again: %d %s", again.Status, again.Body)
	}
	want(t, "a colleague claims", p.claim(p.wang, id), 409, "assist-claimed")
	want(t, "a colleague settles", p.resolve(p.wang, id, "admit"), 409, "assist-claimed")

	released := p.release(p.wang, id) // the one who has claimed it may be gone
	var open seen
	p.Into(released, &open)
	if released.Status != 201 || open.State != "open" || open.ClaimedBy != "" || open.ClaimedAt != "" || open.Seq <= claimed.Seq {
		t.Errorf("release: %d %s", released.Status, released.Body)
	}
	want(t, "settle after the release", p.resolve(p.li, id, "admit"), 409, "assist-unclaimed")

	want(t, "claim anew", p.claim(p.wang, id), 201, "")
	a = p.resolve(p.wang, id, "admit")
	var done seen
	p.Into(a, &done)
	if a.Status != 201 || done.State != "resolved" || done.ResolvedBy != "wang@i" || done.Resolution != "admit" || string(done.Result) != `{"inside":1}` {
		t.Errorf("settled: %d %s", a.Status, a.Body)
	}
	if got := p.Column(`SELECT who || ' ' || facts || details FROM admitted`); fmt.Sprint(got) != `[wang@i {"input":{"do":"help","secret":"`+secret+`"}}]` {
		t.Errorf("what the resolution did: %v", got)
	}
	for what, a := range map[string]worldtest.Answer{
		"claim": p.claim(p.wang, id), "release": p.release(p.wang, id), "settle": p.resolve(p.wang, id, "turn-away"),
	} {
		want(t, what+" what is settled", a, 409, "assist-resolved")
	}
}

func TestWhatResolutionsNeed(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	want(t, "claim", p.claim(p.li, id), 201, "")
	long := strings.Repeat("因", 501)
	for _, c := range []struct{ body, problem, field string }{
		{`{"reason":"why"}`, "field-missing", "resolution"},
		{`{"resolution":"","reason":"why"}`, "field-missing", "resolution"},
		{`{"resolution":"admit"}`, "field-missing", "reason"},
		{`{"resolution":"admit","reason":""}`, "field-missing", "reason"},
		{`{"resolution":"admit","reason":" \n\t"}`, "field-missing", "reason"},
		{`{"resolution":"admit","reason":"` + long + `"}`, "field-invalid", "reason"},
		{`{"resolution":"admit","reason":7}`, "field-invalid", "reason"},
		{`{"resolution":"admit","reason":"why","by":"me"}`, "field-unknown", "by"},
		{`{"resolution":"admit","resolution":"admit","reason":"why"}`, "field-duplicate", "resolution"},
		{`{"resolution":"settled","reason":"why"}`, "resolution-unknown", "resolution"},
		{`{"resolution":"Admit","reason":"why"}`, "resolution-unknown", "resolution"},
		{``, "body-malformed", ""},
	} {
		a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/assists/" + id + "/resolution", Token: p.li, Body: c.body, Invalid: true})
		if slug, field := a.Problem(); slug != c.problem || field != c.field {
			t.Errorf("%.60s: %d %s", c.body, a.Status, a.Body)
		}
	}
	for _, what := range []string{"claim", "release"} {
		a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/assists/" + id + "/" + what, Token: p.li, Body: `{"reason":"why"}`, Invalid: true})
		if slug, field := a.Problem(); slug != "field-unknown" || field != "reason" {
			t.Errorf("%s takes no body: %d %s", what, a.Status, a.Body)
		}
	}
	if s := p.one(p.li, id); s.State != "claimed" {
		t.Errorf("after bad bodies: %+v", s)
	}
	want(t, "the longest reason, with details", p.post(p.li, id, "resolution",
		`{"resolution":"quiet","reason":"`+long[:1500]+`","details":{"people":[2, 3]}}`), 201, "")
	if got := p.Column(`SELECT details FROM admitted`); fmt.Sprint(got) != `[{"people":[2, 3]}]` {
		t.Errorf("details: %v", got)
	}
	_, id = p.stuck("help", "east")
	p.claim(p.li, id)
	want(t, "null details", p.post(p.li, id, "resolution", `{"resolution":"quiet","reason":"why","details":null}`), 201, "")
	if got := p.Column(`SELECT details FROM admitted WHERE assist = $1`, id); got[0] != "" {
		t.Errorf("null details: %q", got)
	}
}

func TestAKindThatNoFlowDeclaresIsSettledBySayingSo(t *testing.T) {
	p := start(t)
	_, id := p.stuck("other", "east")
	if s := p.one(p.li, id); fmt.Sprint(s.Resolutions) != "[map[name:Settled resolution:settled]]" {
		t.Errorf("resolutions: %v", s.Resolutions)
	}
	want(t, "claim", p.claim(p.li, id), 201, "")
	want(t, "another word", p.resolve(p.li, id, "admit"), 422, "resolution-unknown")
	want(t, "settled", p.resolve(p.li, id, "settled"), 201, "")
}

func TestAResolutionThatRefusesLeavesNothingBehind(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	want(t, "claim", p.claim(p.li, id), 201, "")
	before := p.one(p.li, id)
	for word, c := range map[string]struct {
		status  int
		problem string
	}{"full": {409, "place-full"}, "full-kept": {409, "place-full"}, "error": {500, "internal"}, "panic": {500, "internal"},
		"hand-over": {500, "internal"}, "no-json": {500, "internal"}} {
		a := p.resolve(p.li, id, word)
		want(t, word, a, c.status, c.problem)
		if !strings.Contains(a.Body, `"instance":"urn:uuid:`) {
			t.Errorf("%s: nothing is kept, and the answer points to %s", word, a.Body)
		}
		if after := p.one(p.li, id); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: the assist was %+v and is %+v", word, before, after)
		}
	}
	if got := p.Column(`SELECT who FROM admitted`); len(got) != 0 {
		t.Errorf("kept: %v", got)
	}
	if n := len(p.Column(`SELECT id FROM assists`)); n != 1 {
		t.Errorf("%d assists", n)
	}
	if got := p.Column(`SELECT action FROM audit_entries ORDER BY link, ord`); fmt.Sprint(got) != "[open claim]" {
		t.Errorf("on the audit trail: %v", got)
	}
	if strings.Contains(p.Logs(), secret) {
		t.Error("something personal is in the log")
	}
	want(t, "settled in another way", p.resolve(p.li, id, "admit"), 201, "")
}

// TestAReplayIsTheSameAnswer: of everything but what may succeed later.
func TestAReplayIsTheSameAnswer(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	send := func(token, what, key, body string) worldtest.Answer {
		return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/assists/" + id + "/" + what, Token: token, Key: key, Body: body})
	}
	const admit = `{"resolution":"admit","reason":"seen"}`
	first := map[string]worldtest.Answer{}
	for _, c := range []struct{ token, what, body string }{
		{p.li, "claim", ""}, {p.wang, "claim", ""}, {p.li, "release", ""}, {p.li, "resolution", admit}, {p.li, "claim", ""}, {p.li, "resolution", admit},
	} {
		key := uuid.NewString()
		first[key] = send(c.token, c.what, key, c.body)
		replay := send(c.token, c.what, key, c.body)
		if strings.Contains(first[key].Body, `"retryable":true`) { // what may succeed later is tried again
			if replay.Status != first[key].Status || replay.Header.Get("Idempotent-Replayed") != "" {
				t.Errorf("%s: %d %s\ntried again: %d %s", c.what, first[key].Status, first[key].Body, replay.Status, replay.Body)
			}
			continue
		}
		if replay.Status != first[key].Status || replay.Body != first[key].Body || replay.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: %d %s\nreplayed: %d %s", c.what, first[key].Status, first[key].Body, replay.Status, replay.Body)
		}
		if c.what == "resolution" {
			other := send(c.token, c.what, key, `{"resolution":"admit","reason":"seen twice"}`)
			want(t, "another reason under the key", other, 422, "idempotency-key-reused")
		}
	}
	var order []string
	for _, a := range first {
		slug, _ := a.Problem()
		order = append(order, fmt.Sprint(a.Status, slug))
	}
	if n := strings.Count(fmt.Sprint(order), "201"); n != 4 { // li's claim, release, claim, resolution
		t.Errorf("answers: %v", order)
	}
	if got := p.Column(`SELECT action FROM audit_entries ORDER BY link, ord`); fmt.Sprint(got) != "[open claim release claim resolve]" {
		t.Errorf("on the audit trail: %v", got)
	}
}

func TestOfPeopleWhoRaceExactlyOneWins(t *testing.T) {
	p := start(t)
	race := func(f func(token string) worldtest.Answer) (won []int) {
		var wg sync.WaitGroup
		answers := make([]worldtest.Answer, 16)
		for i := range answers {
			wg.Go(func() { answers[i] = f([]string{p.li, p.wang, p.east}[i%3]) })
		}
		wg.Wait()
		for i, a := range answers {
			switch slug, _ := a.Problem(); {
			case a.Status == 201:
				won = append(won, i%3)
			case a.Status != 409 || !strings.HasPrefix(slug, "assist-"):
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}
		return won
	}
	for range 3 {
		_, id := p.stuck("help", "east")
		won := race(func(token string) worldtest.Answer { return p.claim(token, id) })
		for _, w := range won {
			if w != won[0] { // one's own claim again is no second one
				t.Fatalf("claimed by %v", won)
			}
		}
		if len(won) == 0 {
			t.Fatal("claimed by nobody")
		}
		if won := race(func(token string) worldtest.Answer { return p.resolve(token, id, "admit") }); len(won) != 1 {
			t.Fatalf("settled by %v", won)
		}
	}
	if n := len(p.Column(`SELECT who FROM admitted`)); n != 3 {
		t.Errorf("admitted %d times", n)
	}
}

func TestEverythingIsOnTheAuditTrail(t *testing.T) {
	p := start(t)
	run, id := p.stuck("help", "east")
	p.claim(p.li, id)
	p.release(p.wang, id)
	p.claim(p.wang, id)
	p.resolve(p.wang, id, "turn-away")
	got := p.Column(`SELECT actor || ' ' || action || ' ' || purpose FROM audit_entries WHERE run = $1 ORDER BY chain, link, ord`, run)
	if fmt.Sprint(got) != "[gateway open visitor-stuck li@i claim  wang@i release  wang@i claim  wang@i resolve turn-away]" {
		t.Errorf("on the audit trail: %q", got)
	}
	var reason []byte
	p.View(func(q ledger.Querier) error {
		a, _, err := ledger.FindAssist(q, id)
		if err != nil {
			return err
		}
		r, _, err := ledger.FindRun(q, run)
		if err != nil {
			return err
		}
		box, err := p.Ledger.Keys().OpenBox(r.Key)
		if err != nil {
			return err
		}
		if reason, err = box.Open(a.Reason, "reason"); err != nil {
			return err
		}
		var payload []byte
		if err := q.QueryRow(`SELECT payload FROM audit_entries WHERE action = 'resolve'`).Scan(&payload); err != nil {
			return err
		}
		if string(payload) != string(a.Reason) {
			t.Error("the reason on the audit trail is not the one of the assist")
		}
		report, err := ledger.VerifyAudit(t.Context(), q, nil)
		if err != nil {
			return err
		}
		if report.Mismatch != "" || report.Entries != 5 {
			t.Errorf("the audit trail: %+v", report)
		}
		return nil
	})
	if string(reason) != "seen "+secret {
		t.Errorf("the reason: %q", reason)
	}
	if strings.Contains(p.Logs(), secret) {
		t.Error("the reason is in the log")
	}
}

func TestFactsAreForTheOneWhoHasClaimedTheAssist(t *testing.T) {
	p := start(t)
	run, id := p.stuck("help", "east")
	where := func(step string, told bool) {
		t.Helper()
		if got := strings.Contains(string(p.one(p.li, id).Facts), secret); got != told {
			t.Errorf("%s: the facts are told to li: %t", step, got)
		}
		for what, a := range map[string]worldtest.Answer{
			"a colleague": p.get(p.wang, "/v1/assists/"+id), "the list": p.get(p.li, "/v1/assists"), "a colleague's list": p.get(p.wang, "/v1/assists"),
		} {
			if a.Status != 200 || strings.Contains(a.Body, secret) || strings.Contains(a.Body, `"facts"`) {
				t.Errorf("%s: %s sees %s", step, what, a.Body)
			}
		}
	}
	where("open", false)
	key := uuid.NewString()
	claim := func() worldtest.Answer {
		return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/assists/" + id + "/claim", Token: p.li, Key: key})
	}
	want(t, "claim", claim(), 201, "")
	where("claimed", true)
	want(t, "release", p.release(p.li, id), 201, "")
	where("released", false)
	if a := claim(); a.Header.Get("Idempotent-Replayed") != "true" || strings.Contains(a.Body, secret) {
		t.Errorf("the claim's replay after the release: %s", a.Body)
	}
	want(t, "claim", p.claim(p.li, id), 201, "")
	p.erase(run)
	where("erased", false)
	want(t, "claim again", p.claim(p.li, id), 201, "")
	a := p.resolve(p.li, id, "admit")
	want(t, "settled", a, 201, "")
	if got := p.Column(`SELECT facts FROM admitted`); fmt.Sprint(got) != "[]" || strings.Contains(a.Body, secret) {
		t.Errorf("what an erased run's resolution was given: %q", got)
	}
	where("resolved", false)
	for _, run := range p.Column(`SELECT id FROM runs WHERE plan LIKE 'assist-%'`) {
		if body := p.answerOf(run); strings.Contains(string(body), secret) {
			t.Errorf("the facts outlive their run in an answer: %s", body)
		}
	}
}

func TestFactsAreToldNoMoreOnceTheAssistIsSettled(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	want(t, "claim", p.claim(p.li, id), 201, "")
	a := p.resolve(p.li, id, "turn-away")
	if s := p.one(p.li, id); s.State != "resolved" || s.Facts != nil || strings.Contains(a.Body, secret) {
		t.Errorf("%+v, after %s", s, a.Body)
	}
}

func (p *place) erase(run string) {
	p.T.Helper()
	p.Write(func(tx *ledger.Tx) error {
		erased, err := tx.EraseRun(run, "citizen@i")
		if err == nil && !erased {
			err = seal.ErrErased
		}
		return err
	})
}

// answerOf opens the answer that a run has kept.
func (p *place) answerOf(run string) (body []byte) {
	p.T.Helper()
	p.View(func(q ledger.Querier) error {
		r, _, err := ledger.FindRun(q, run)
		if err != nil {
			return err
		}
		body, err = journey.OpenAnswer(p.Ledger.Keys(), r.Key, r.Body)
		return err
	})
	return body
}
