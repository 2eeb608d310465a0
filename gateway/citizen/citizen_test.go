package citizen_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/citizen"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/limit"
)

// secret is what a citizen sends and what a backend is told; nothing here may show it.
const secret = "330106199001011234"

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
        "201": { description: Done, content: { application/json: { schema: { type: object } } } }
        default: { $ref: "#/components/responses/Problem" }
`

type wish struct {
	Do     string `json:"do"`
	Secret string `json:"secret"`
}

var (
	look = call.NewRead[wish, string]("test.look", call.ReadSpec[wish, string]{})
	note = &ledger.Decision[string, string]{Name: "note", Run: func(_ *ledger.Tx, s string) (string, error) { return s, nil }}
)

// wishes are a journey in which a system is told two fields, and one in which nothing is.
func wishes(t *testing.T) *flow.Flow {
	t.Helper()
	plan, err := journey.Define("wish", func(b *journey.Builder, in journey.Ref[wish]) journey.Ref[string] {
		asks := journey.Check(b, "asks", func(w wish) (bool, error) { return w.Do != "quiet", nil }, in)
		seen := journey.When(b, "look-first", asks, func(b *journey.Builder) journey.Ref[string] {
			return journey.Ask(b, "look", look, in, journey.Without(), journey.Disclose("see who it is", "guest.name", "guest.document"))
		}, func(b *journey.Builder) journey.Ref[string] {
			return journey.Check(b, "unseen", func(wish) (string, error) { return "", nil }, in)
		})
		return journey.Record(b, "note", note, seen)
	})
	if err != nil {
		t.Fatal(err)
	}
	live := journey.NewLive(plan)
	say := func(o journey.Outcome[string], _ string) flow.Said {
		return flow.Said{Status: http.StatusCreated, Body: map[string]string{"journey": o.ID}}
	}
	read := func(x *edge.Exchange) (w wish, err error) { return w, x.Decode(&w) }
	return &flow.Flow{Name: "wish", Purposes: map[string]gateway.Text{"see who it is": {Zh: "核对身份", En: "See who it is"}}, Plans: []flow.Plan{live}, Document: []byte(document), Routes: func(rt *flow.Runtime) []edge.Route {
		return []edge.Route{{Method: http.MethodPost, Name: "wish", Path: "/v1/places/{place}/wishes", Venue: "place", VenueKind: "place",
			Journey: "wish", Idempotent: true, Priority: limit.Critical, Budget: live.Budget, Shortest: live.Shortest,
			Serve: flow.Serve(rt, live, read, say)}}
	}}
}

type place struct {
	*worldtest.World
	li, wang string
}

func start(t *testing.T) *place {
	t.Helper()
	f := wishes(t)
	own, err := citizen.New(f)
	if err != nil {
		t.Fatal(err)
	}
	in, err := call.NewInstance("east/looker", "looker", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := &place{World: worldtest.Setup{
		Steps: map[string]map[string]call.Policy{"wish": {"look": {Slice: 200 * time.Millisecond}}},
		Bind: func(b *call.Bindings) {
			call.BindRead(b, look, in, func(_ context.Context, w wish) (string, error) {
				if w.Do == "down" {
					return "", errors.New("it is down")
				}
				return "seen", nil
			})
		},
	}.Start(t, f, own)}
	for id, tenant := range map[string]string{"east": "hangzhou", "far": "suzhou"} {
		p.Put(&gateway.Venue{ID: id, Kind: "place", Tenant: tenant, Location: time.FixedZone("", 8*3600)})
	}
	p.li = p.Token(gateway.Principal{Subject: "li", Tenant: "hangzhou", Venues: []string{"*"}})
	p.wang = p.Token(gateway.Principal{Subject: "wang", Tenant: "hangzhou", Venues: []string{"*"}})
	return p
}

// wish begins a journey and returns its id.
func (p *place) wish(token, do string) string {
	p.T.Helper()
	a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/places/east/wishes", Token: token, Body: `{"do":"` + do + `","secret":"` + secret + `"}`})
	var body struct {
		Journey string `json:"journey"`
	}
	if p.Into(a, &body); a.Status != 201 {
		p.T.Fatalf("%s: %d %s", do, a.Status, a.Body)
	}
	return body.Journey
}

type page struct {
	Accesses []struct {
		Journey   string `json:"journey"`
		Plan      string `json:"plan"`
		Venue     string `json:"venue"`
		StartedAt string `json:"started_at"`
		Told      []struct {
			System  string   `json:"system"`
			Fields  []string `json:"fields"`
			Purpose string   `json:"purpose"`
			FirstAt string   `json:"first_at"`
			Times   int      `json:"times"`
		} `json:"told"`
	} `json:"accesses"`
	Next string `json:"next"`
}

func (g page) ids() (ids []string) {
	for _, a := range g.Accesses {
		ids = append(ids, a.Journey)
	}
	return ids
}

func (p *place) accesses(token, query string) (g page) {
	p.T.Helper()
	a := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/me/accesses" + query, Token: token})
	if a.Status != 200 || strings.Contains(a.Body, secret) {
		p.T.Fatalf("accesses%s: %d %s", query, a.Status, a.Body)
	}
	p.Into(a, &g)
	return g
}

// want fails the test where an answer has another status or another problem.
func want(t testing.TB, what string, a worldtest.Answer, status int, problem string) {
	t.Helper()
	if slug, _ := a.Problem(); a.Status != status || slug != problem {
		t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, status, problem)
	}
}

func TestACitizenSeesWhoWasTold(t *testing.T) {
	p := start(t)
	if g := p.accesses(p.li, ""); len(g.Accesses) != 0 || g.Next != "" {
		t.Errorf("before anything: %+v", g)
	}
	first := p.wish(p.li, "look")
	p.wish(p.li, "quiet")
	down := p.wish(p.li, "down") // it was told, and has said nothing
	p.wish(p.wang, "look")
	g := p.accesses(p.li, "")
	if fmt.Sprint(g.ids()) != fmt.Sprint([]string{down, first}) || g.Next != "" {
		t.Fatalf("the latest first, one's own alone, nothing where nothing was told: %+v", g)
	}
	a := g.Accesses[1]
	if a.Plan != "wish" || a.Venue != "east" || !strings.HasSuffix(a.StartedAt, "+08:00") || len(a.Told) != 1 {
		t.Fatalf("%+v", a)
	}
	if told := a.Told[0]; told.System != "looker" || told.Purpose == "see who it is" || told.Times != 1 ||
		!slices.Equal(told.Fields, []string{"guest.name", "guest.document"}) || !strings.HasSuffix(told.FirstAt, "+08:00") {
		t.Errorf("%+v", told)
	}
	p.Write(func(tx *ledger.Tx) error { _, err := tx.EraseRun(first, "citizen@i"); return err })
	if after := p.accesses(p.li, ""); len(after.Accesses) != 2 {
		t.Errorf("erased: %+v", after)
	}
}

func TestAccessesAreTheCallersAlone(t *testing.T) {
	p := start(t)
	run := p.wish(p.li, "look")
	for who, g := range map[string]gateway.Principal{
		"another":                 {Subject: "chen", Tenant: "hangzhou", Venues: []string{"*"}},
		"the name elsewhere":      {Subject: "li", Issuer: "j", Tenant: "hangzhou", Venues: []string{"*"}},
		"the name of a neighbour": {Subject: "li", Tenant: "suzhou", Venues: []string{"*"}},
		"staff":                   {Subject: "boss", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"*"}},
	} {
		token := p.Token(g)
		if got := p.accesses(token, ""); len(got.Accesses) != 0 || got.Next != "" {
			t.Errorf("%s: %+v", who, got)
		}
		want(t, who, p.feedback(token, run, `{"rating":5}`, ""), 404, "journey-unknown")
	}
	want(t, "nobody", p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/me/accesses"}), 401, "token-missing")

	chen := gateway.Principal{Subject: "chen", Issuer: "i", Tenant: "hangzhou"}
	p.Write(func(tx *ledger.Tx) error {
		return errors.Join(tx.About(run, ledger.Subject(p.Ledger.Keys(), &chen)), tx.About(run, ledger.Subject(p.Ledger.Keys(), &chen)))
	})
	token := p.Token(chen)
	if got := p.accesses(token, ""); fmt.Sprint(got.ids()) != "["+run+"]" {
		t.Errorf("whom the journey is about: %+v", got)
	}
	want(t, "whom the journey is about", p.feedback(token, run, `{"rating":5}`, ""), 201, "")
	if got := p.accesses(p.li, ""); len(got.Accesses) != 1 {
		t.Errorf("who began it, still: %+v", got)
	}
}

func TestAccessesComeInPages(t *testing.T) {
	p := start(t)
	chen := gateway.Principal{Subject: "li", Issuer: "i", Tenant: "hangzhou"} // the same person: no journey comes twice
	var ids []string
	for i := range 7 {
		id := p.wish([]string{p.li, p.wang}[i%2], "look")
		ids = append(ids, id)
		p.Write(func(tx *ledger.Tx) error { return tx.About(id, ledger.Subject(p.Ledger.Keys(), &chen)) })
		p.wish(p.li, "quiet")
	}
	slices.Reverse(ids)
	var got []string
	query := "?limit=3"
	for pages := 1; ; pages++ {
		g := p.accesses(p.li, query)
		if len(g.Accesses) > 3 || pages > 4 {
			t.Fatalf("page %d: %+v", pages, g)
		}
		if got = append(got, g.ids()...); g.Next == "" {
			break
		}
		query = "?limit=3&cursor=" + g.Next
	}
	if !slices.Equal(got, ids) {
		t.Errorf("%v, want %v", got, ids)
	}
	for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?cursor=x", "?cursor=", "?cursor=%7B" + uuid.NewString() + "%7D"} {
		want(t, query, p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/me/accesses" + query, Token: p.li, Invalid: true}), 400, "query-invalid")
	}
}

func (p *place) feedback(token, run, body, key string) worldtest.Answer {
	return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/journeys/" + run + "/feedback", Token: token, Body: body, Key: key,
		Header: map[string]string{"Accept-Language": "en"}})
}

func TestFeedbackIsGivenOnceAndKeptSealed(t *testing.T) {
	p := start(t)
	run := p.wish(p.li, "look")
	key := uuid.NewString()
	a := p.feedback(p.li, run, `{"rating":4,"text":" quick, `+secret+` "}`, key)
	var said struct {
		Journey string `json:"journey"`
		Rating  int    `json:"rating"`
		At      string `json:"at"`
	}
	p.Into(a, &said)
	if a.Status != 201 || said.Journey != run || said.Rating != 4 || !strings.HasSuffix(said.At, "+08:00") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	again := p.feedback(p.li, run, `{"rating":4,"text":" quick, `+secret+` "}`, key)
	if again.Status != 201 || again.Body != a.Body || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same key: %d %s", again.Status, again.Body)
	}
	want(t, "the key for another opinion", p.feedback(p.li, run, `{"rating":1}`, key), 422, "idempotency-key-reused")
	want(t, "another key", p.feedback(p.li, run, `{"rating":1}`, ""), 409, "feedback-given")
	if got := p.sealed(run); got != `{"rating":4,"text":"quick, `+secret+`"}` {
		t.Errorf("kept: %s", got)
	}
	if strings.Contains(p.Logs(), secret) || strings.Contains(p.Logs(), "quick") {
		t.Error("an opinion is in the logs")
	}
}

// sealed opens the feedback on a run with the run's own key.
func (p *place) sealed(run string) string {
	p.T.Helper()
	var plain []byte
	p.View(func(q ledger.Querier) error {
		r, _, err := ledger.FindRun(q, run)
		if err != nil {
			return err
		}
		var body []byte
		if err := q.QueryRow(`SELECT body FROM feedback WHERE run = $1`, run).Scan(&body); err != nil {
			return err
		}
		if bytes.Contains(body, []byte("quick")) {
			p.T.Error("an opinion lies open in the ledger")
		}
		box, err := p.Ledger.Keys().OpenBox(r.Key)
		if err == nil {
			plain, err = box.Open(body, "feedback")
		}
		return err
	})
	return string(plain)
}

func TestFeedbackThatIsRefused(t *testing.T) {
	p := start(t)
	run := p.wish(p.li, "look")
	for body, field := range map[string]string{
		`{}`: "rating", `{"rating":0}`: "rating", `{"rating":6}`: "rating", `{"rating":-1}`: "rating", `{"rating":4.5}`: "rating",
		`{"rating":"5"}`: "rating", `{"rating":3,"text":"` + strings.Repeat("好", 501) + `"}`: "text", `{"rating":3,"name":"x"}`: "name",
	} {
		a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/journeys/" + run + "/feedback", Token: p.li, Body: body, Invalid: true})
		if slug, at := a.Problem(); a.Status != 400 || at != field {
			t.Errorf("%s: %d %s at %s", body, a.Status, slug, at)
		}
	}
	want(t, "no key", p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/journeys/" + run + "/feedback", Token: p.li, Key: "-",
		Body: `{"rating":5}`, Invalid: true}), 400, "idempotency-key-missing")
	want(t, "no such journey", p.feedback(p.li, uuid.NewString(), `{"rating":5}`, ""), 404, "journey-unknown")
	running := uuid.NewString()
	p.Write(func(tx *ledger.Tx) error {
		return tx.BeginRun(ledger.Run{ID: running, Plan: "wish", Tenant: "hangzhou", Venue: "east", Principal: "li@i",
			State: ledger.RunRunning, Key: []byte{1}, StartedAt: time.Now(), LeaseUntil: time.Now().Add(time.Hour)})
	})
	want(t, "before it has ended", p.feedback(p.li, running, `{"rating":5}`, ""), 409, "feedback-early")
	erased := p.wish(p.li, "look")
	p.Write(func(tx *ledger.Tx) error { _, err := tx.EraseRun(erased, "citizen@i"); return err })
	want(t, "erased", p.feedback(p.li, erased, `{"rating":5}`, ""), 409, "feedback-erased")
	p.Drop("east", false)
	want(t, "its venue has gone", p.feedback(p.li, run, `{"rating":5}`, ""), 404, "venue-unknown")
	if n := len(p.Column(`SELECT run FROM feedback`)); n != 0 {
		t.Errorf("%d were kept", n)
	}
}

func TestALedgerThatFailsIsSaidInTime(t *testing.T) {
	p := start(t)
	run := p.wish(p.li, "look")
	for _, fault := range []ledgertest.Fault{ledgertest.Full, ledgertest.Hang} {
		p.Fault.Set(ledgertest.AtView, fault)
		a := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/me/accesses", Token: p.li})
		if want(t, "accesses", a, 503, "ledger-unavailable"); a.Took > worldtest.Late {
			t.Errorf("%s: took %v", fault, a.Took)
		}
		want(t, "feedback", p.feedback(p.li, run, `{"rating":5}`, ""), 503, "ledger-unavailable")
		p.Heal()
	}
	p.Fault.Set(ledgertest.AtCommit, ledgertest.Full)
	want(t, "feedback", p.feedback(p.li, run, `{"rating":5}`, ""), 503, "ledger-unavailable")
	p.Heal()
	want(t, "afterwards", p.feedback(p.li, run, `{"rating":5}`, ""), 201, "")
}

// TestPurposesAreInTheCitizensLanguage, in whichever one the words of the plan are.
func TestPurposesAreInTheCitizensLanguage(t *testing.T) {
	p := start(t)
	p.wish(p.li, "look")
	for lang, says := range map[string]string{"zh-CN": "核对身份", "en": "See who it is"} {
		a := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/me/accesses", Token: p.li, Header: map[string]string{"Accept-Language": lang}})
		if !strings.Contains(a.Body, `"purpose":"`+says+`"`) {
			t.Errorf("in %s: %s", lang, a.Body)
		}
	}
}
