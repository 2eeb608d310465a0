package flow_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/limit"
)

// secret is in every request, and may be in no log line.
const secret = "330106199001011234"

type wish struct {
	Do     string `json:"do"`
	Secret string `json:"secret"`
}

const document = `
paths:
  /v1/places/{place}/wishes:
    post:
      operationId: wish
      parameters:
        - { name: place, in: path, required: true, schema: { type: string } }
        - { $ref: "#/components/parameters/IdempotencyKey" }
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses:
        "201":
          description: Done
          content: { application/json: { schema: { type: object, required: [journey], properties: { sources: { type: array, items: { $ref: "#/components/schemas/Source" } } } } } }
        "200":
          description: Do it all the same
          content: { application/json: { schema: { type: object, required: [kept] } } }
        "202":
          description: A person decides
          headers: { Location: { required: true, schema: { type: string } } }
          content: { application/json: { schema: { $ref: "#/components/schemas/HandedOver" } } }
        default: { $ref: "#/components/responses/Problem" }
`

var (
	problemNo = &gateway.Problem{Type: "wish-refused", Kind: gateway.Conflict, Title: gateway.Text{Zh: "不行", En: "It cannot be"}}
	look      = call.NewRead[wish, string]("test.look", call.ReadSpec[wish, string]{})
)

// wishes is a flow that asks a system, decides and records; what comes of it is in the wish.
func wishes(t *testing.T) *flow.Flow {
	t.Helper()
	judge := func(v wish, _ string) (wish, error) {
		switch v.Do {
		case "no":
			return v, problemNo.Error(gateway.Text{})
		case "help":
			return v, journey.Handover{Kind: "wish-unclear", Next: gateway.Text{Zh: "问清楚", En: "Ask them"}}
		}
		return v, nil
	}
	note := &ledger.Decision[wish, string]{Name: "note", Run: func(_ *ledger.Tx, v wish) (string, error) {
		if v.Do == "no-kept" {
			return "", ledger.Keep(problemNo.Error(gateway.Text{}))
		}
		return v.Do, nil
	}}
	plan, err := journey.Define("wish", func(b *journey.Builder, in journey.Ref[wish]) journey.Ref[string] {
		seen := journey.Ask(b, "look", look, in, journey.Refuse(gateway.ProblemBackendUnavailable))
		return journey.Record(b, "note", note, journey.Join(b, "judge", in, seen, judge))
	})
	if err != nil {
		t.Fatal(err)
	}
	live := journey.NewLive(plan)
	say := func(o journey.Outcome[string], lang string) flow.Said {
		switch o.Value {
		case "no-json":
			return flow.Said{Status: http.StatusCreated, Body: map[string]any{"journey": o.ID, secret: func() {}}}
		case "no-utf8":
			return flow.Said{Status: http.StatusCreated, Body: map[string]any{"journey": secret + "\xff"}}
		case "panic":
			panic("cannot say " + secret)
		}
		return flow.Said{Status: http.StatusCreated, Body: map[string]any{"journey": o.ID, "lang": lang, "kept": o.Kept}}
	}
	anyway := func(w wish, _ string) (flow.Said, bool) {
		return flow.Said{Status: http.StatusOK, Body: map[string]any{"kept": false}}, w.Do == "anyway"
	}
	read := func(x *edge.Exchange) (w wish, err error) { return w, x.Decode(&w) }
	return &flow.Flow{Name: "wish", Plans: []flow.Plan{live}, Steps: map[string]gateway.Text{"note": {Zh: "记下", En: "Note it"}}, Document: []byte(document), Problems: []*gateway.Problem{problemNo},
		Routes: func(rt *flow.Runtime) []edge.Route {
			return []edge.Route{{Method: http.MethodPost, Name: "wish", Path: "/v1/places/{place}/wishes", Venue: "place", VenueKind: "place",
				Journey: "wish", Idempotent: true, Priority: limit.Critical, Budget: live.Budget, Shortest: live.Shortest,
				Serve: flow.ServeUnkept(rt, live, read, say, anyway)}}
		}}
}

type place struct {
	*worldtest.World
	token string
	t     *testing.T
}

func start(t *testing.T) *place {
	t.Helper()
	f := wishes(t)
	door, err := assist.New([]*flow.Flow{f})
	if err != nil {
		t.Fatal(err)
	}
	in, err := call.NewInstance("test/east", "looker", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, World: worldtest.Setup{
		Steps: map[string]map[string]call.Policy{"wish": {"look": {Slice: 200 * time.Millisecond}}},
		Bind: func(b *call.Bindings) {
			call.BindRead(b, look, in, func(_ context.Context, w wish) (string, error) {
				if w.Do == "down" {
					return "", errors.New("it is down")
				}
				return "seen", nil
			})
		},
	}.Start(t, f, door)}
	p.Put(&gateway.Venue{ID: "east", Kind: "place", Tenant: "hangzhou", Location: time.FixedZone("", 8*3600)})
	p.token = p.Token(gateway.Principal{Subject: "citizen", Tenant: "hangzhou", Venues: []string{"*"}})
	return p
}

func (p *place) wish(do, key, lang string) worldtest.Answer {
	return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/places/east/wishes", Token: p.token, Key: key,
		Body: `{"do":"` + do + `","secret":"` + secret + `"}`, Header: map[string]string{"Accept-Language": lang}})
}

// problem is what an answer says, with where it points to.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Instance string `json:"instance"`
	Journey  string `json:"journey"`
}

func (p *place) read(a worldtest.Answer) (said problem) {
	p.t.Helper()
	p.Into(a, &said)
	return said
}

// runs returns the state of every run that was kept.
func (p *place) runs() []string { return p.Column(`SELECT state FROM runs ORDER BY started_at`) }

func TestRefusalsPointToWhatIsKept(t *testing.T) {
	p := start(t)
	for do, c := range map[string]struct {
		status int
		slug   string
		kept   bool
	}{
		"no": {409, "wish-refused", false}, "down": {503, "backend-unavailable", false}, "no-kept": {409, "wish-refused", true},
	} {
		before := len(p.runs())
		a := p.wish(do, "", "en")
		said := p.read(a)
		if slug, _ := a.Problem(); a.Status != c.status || slug != c.slug || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", do, a.Status, a.Body)
		}
		if kept := len(p.runs()) - before; kept == 1 != c.kept {
			t.Errorf("%s: %d runs kept", do, kept)
		}
		if !c.kept {
			id := strings.TrimPrefix(said.Instance, "urn:uuid:")
			if uuid.Validate(id) != nil || id == said.Instance || id != a.Header.Get("Request-Id") {
				t.Errorf("%s: nothing is kept, and it points to %s of request %s", do, said.Instance, a.Header.Get("Request-Id"))
			}
			continue
		}
		j := p.Do(worldtest.Call{Method: http.MethodGet, Path: said.Instance, Token: p.token})
		if j.Status != 200 || !strings.Contains(j.Body, `"state":"refused"`) || !strings.Contains(j.Body, a.Body) {
			t.Errorf("%s: %s has %d %s", do, said.Instance, j.Status, j.Body)
		}
	}
	if said := p.read(p.wish("no", "", "zh-CN")); said.Title != "不行" {
		t.Errorf("in Chinese: %+v", said)
	}
}

func TestGoodOutcomesAreSaidByTheFlow(t *testing.T) {
	p := start(t)
	a := p.wish("yes", "", "zh-CN")
	if a.Status != 201 || !strings.Contains(a.Body, `"lang":"zh-CN"`) || !strings.Contains(a.Body, `"kept":true`) || a.Header.Get("Cache-Status") == "" {
		t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
	}
}

func TestAnAssistIsA202ThatPointsToItsJourney(t *testing.T) {
	p := start(t)
	key := uuid.NewString()
	a := p.wish("help", key, "en")
	var body struct {
		Journey  string `json:"journey"`
		Decision string `json:"decision"`
		Message  string `json:"message"`
		Assist   struct {
			Kind string `json:"kind"`
		} `json:"assist"`
		Sources []struct {
			System string `json:"system"`
			AsOf   string `json:"as_of"`
			State  string `json:"state"`
		} `json:"sources"`
	}
	p.Into(a, &body)
	if a.Status != 202 || a.Header.Get("Location") != "/v1/journeys/"+body.Journey || body.Decision != "wait" || body.Assist.Kind != "wish-unclear" {
		t.Fatalf("%d %s %v", a.Status, a.Body, a.Header)
	}
	if len(body.Sources) != 1 || body.Sources[0].System != "looker" || body.Sources[0].State != "live" || a.Header.Get("Cache-Status") == "" {
		t.Errorf("sources: %s", a.Body)
	}
	if at := body.Sources[0].AsOf; !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?\+08:00$`).MatchString(at) {
		t.Errorf("a source is as of %s", at)
	}
	if j := p.Do(worldtest.Call{Method: http.MethodGet, Path: a.Header.Get("Location"), Token: p.token}); !strings.Contains(j.Body, a.Body) {
		t.Errorf("the journey: %s", j.Body)
	}
	again := p.wish("help", key, "en")
	if again.Status != 202 || again.Body != a.Body || again.Header.Get("Location") != a.Header.Get("Location") {
		t.Errorf("again: %d %s %v", again.Status, again.Body, again.Header)
	}
	if zh := p.wish("help", "", "zh-CN"); !strings.Contains(zh.Body, "请稍候") {
		t.Errorf("in Chinese: %s", zh.Body)
	}
}

func TestWhatCannotBeReadLeavesNothingBehind(t *testing.T) {
	p := start(t)
	a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/places/east/wishes", Token: p.token, Body: `{"do":"yes","other":1}`})
	if slug, field := a.Problem(); slug != "field-unknown" || field != "other" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if runs := p.runs(); len(runs) != 0 {
		t.Errorf("runs: %v", runs)
	}
}

func TestAVenueThatGoesInTheMiddleOfARequest(t *testing.T) {
	p := start(t)
	key := uuid.NewString()
	p.Drop("east", true)
	a := p.wish("yes", key, "en")
	if slug, _ := a.Problem(); a.Status != 404 || slug != "venue-unknown" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if runs := p.runs(); len(runs) != 0 {
		t.Errorf("runs: %v", runs)
	}
	p.Put(&gateway.Venue{ID: "east", Kind: "place", Tenant: "hangzhou"})
	if a := p.wish("yes", key, "en"); a.Status != 201 {
		t.Errorf("once it is back, under the same key: %d %s", a.Status, a.Body)
	}
}

func TestAnOutcomeThatCannotBeSaidIsKept(t *testing.T) {
	p := start(t)
	for _, do := range []string{"no-json", "no-utf8"} {
		key := uuid.NewString()
		a := p.wish(do, key, "zh-CN")
		said := p.read(a)
		if slug, _ := a.Problem(); a.Status != 500 || slug != "internal" || !strings.HasPrefix(said.Instance, "/v1/journeys/") || !strings.HasPrefix(said.Title, "系统") {
			t.Errorf("%s: %d %s", do, a.Status, a.Body)
		}
		j := p.Do(worldtest.Call{Method: http.MethodGet, Path: said.Instance, Token: p.token})
		if !strings.Contains(j.Body, `"state":"done"`) || !strings.Contains(j.Body, `"status":500`) {
			t.Errorf("%s: the journey is %s", do, j.Body)
		}
		if again := p.wish(do, key, "zh-CN"); again.Status != 500 || again.Body != a.Body || again.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s again: %d %s", do, again.Status, again.Body)
		}
	}
	if n := strings.Count(p.Logs(), "cannot encode an answer"); n != 2 {
		t.Errorf("logged %d times: %s", n, p.Logs())
	}
	if strings.Contains(p.Logs(), secret) {
		t.Error("the log quotes a value")
	}
}

func TestASayThatPanicsKeepsNothing(t *testing.T) {
	p := start(t)
	a := p.wish("panic", "", "en")
	if slug, _ := a.Problem(); a.Status != 500 || slug != "internal" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for _, state := range p.runs() {
		if state == "done" {
			t.Error("the run is done, and nobody was told")
		}
	}
	if strings.Contains(p.Logs(), secret) {
		t.Error("the log quotes what it panicked with")
	}
	if a := p.wish("yes", "", "en"); a.Status != 201 {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}

func TestAtIsInTheVenuesZoneToTheMillisecond(t *testing.T) {
	at := time.Date(2026, 11, 24, 22, 30, 1, 123456789, time.UTC)
	east := &gateway.Venue{Location: time.FixedZone("", 8*3600)}
	for want, got := range map[string]time.Time{
		"2026-11-25T06:30:01.123+08:00": flow.At(east, at),
		"2026-11-24T22:30:01.123Z":      flow.At(nil, at.In(east.Location)),
		"2026-11-24T22:30:00Z":          flow.At(&gateway.Venue{}, at.Truncate(time.Minute)),
	} {
		if s := got.Format(time.RFC3339Nano); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	if !flow.At(east, time.Time{}).IsZero() {
		t.Error("the zero time is not zero any more")
	}
}

// TestWhatMayBeDoneWithoutTheLedger: a machine that must not wait for the ledger hears what it may do, whatever becomes of
// the commit; where the flow has no word for it, the ledger's problem.
func TestWhatMayBeDoneWithoutTheLedger(t *testing.T) {
	p := start(t)
	for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtCommit} {
		for _, fault := range []ledgertest.Fault{ledgertest.Hang, ledgertest.Full} {
			p.Fault.Set(at, fault)
			anyway, not := p.wish("anyway", "", "en"), p.wish("yes", "", "en")
			p.Heal()
			if anyway.Status != 200 || !strings.Contains(anyway.Body, `"kept":false`) || anyway.Took > worldtest.Late {
				t.Errorf("%s %s: %d %s after %v", at, fault, anyway.Status, anyway.Body, anyway.Took)
			}
			if slug, _ := not.Problem(); not.Status != 503 || slug != "ledger-unavailable" {
				t.Errorf("%s %s: %d %s", at, fault, not.Status, not.Body)
			}
		}
	}
	if a := p.wish("anyway", "", "en"); a.Status != 201 {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}
