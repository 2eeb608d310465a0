package assist_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// secret is what nobody but the one who has claimed an assist may see.
const secret = "330106199001011234"

// visit is the input of the tests' own journey: what becomes of it, and something personal.
type visit struct {
	Do     string `json:"do"`
	Secret string `json:"secret"`
}

const visitDocument = `
paths:
  /v1/places/{place}/visits:
    post:
      operationId: visit
      parameters:
        - { name: place, in: path, required: true, schema: { type: string } }
        - { $ref: "#/components/parameters/IdempotencyKey" }
      requestBody:
        required: true
        content: { application/json: { schema: { type: object } } }
      responses:
        "201": { description: Done, content: { application/json: { schema: { type: object, required: [journey] } } } }
        "202":
          description: A person decides
          headers: { Location: { required: true, schema: { type: string } } }
          content: { application/json: { schema: { $ref: "#/components/schemas/HandedOver" } } }
        default: { $ref: "#/components/responses/Problem" }
`

var (
	problemFull = &gateway.Problem{Type: "place-full", Kind: gateway.Conflict, Title: gateway.Text{Zh: "已满", En: "It is full"}}
	next        = gateway.Text{Zh: "请放行", En: "Let them in"}
)

func visits() *flow.Flow {
	note := &ledger.Decision[visit, string]{Name: "note", Run: func(_ *ledger.Tx, v visit) (string, error) {
		if v.Do == "refuse" {
			return "", ledger.Keep(problemFull.Error(gateway.Text{}))
		}
		return v.Do, nil
	}}
	judge := func(v visit) (visit, error) {
		switch v.Do {
		case "help":
			return v, journey.Handover{Kind: "visitor-stuck", Next: next}
		case "other":
			return v, journey.Handover{Kind: "nobody-declared-this", Next: next}
		}
		return v, nil
	}
	plan, err := journey.Define("visit", func(b *journey.Builder, in journey.Ref[visit]) journey.Ref[string] {
		return journey.Record(b, "note", note, journey.Check(b, "judge", judge, in))
	})
	if err != nil {
		panic(err)
	}
	live := journey.NewLive(plan)
	return &flow.Flow{
		Name: "visit", Plans: []flow.Plan{live}, Steps: map[string]gateway.Text{"note": {Zh: "记下来访", En: "Note the visit"}},
		Tasks: map[string]gateway.Text{"wave": {Zh: "挥手", En: "Wave at them"}}, Problems: []*gateway.Problem{problemFull}, Document: []byte(visitDocument),
		Assists: []flow.Assist{{Kind: "visitor-stuck", Resolutions: resolutions()}},
		Migrations: []ledger.Migrations{{Name: "visits", FS: fstest.MapFS{"00001_visits.sql": {Data: []byte(
			"-- +goose Up\nCREATE TABLE admitted (assist TEXT NOT NULL PRIMARY KEY, who TEXT NOT NULL, facts TEXT NOT NULL, details TEXT NOT NULL);\n")}}}},
		Routes: func(rt *flow.Runtime) []edge.Route {
			read := func(x *edge.Exchange) (v visit, err error) { return v, x.Decode(&v) }
			say := func(o journey.Outcome[string], _ string) flow.Said {
				return flow.Said{Status: http.StatusCreated, Body: map[string]string{"journey": o.ID}}
			}
			return []edge.Route{{Method: http.MethodPost, Name: "visit", Path: "/v1/places/{place}/visits", Scope: "", Venue: "place",
				VenueKind: "place", Journey: "visit", Idempotent: true, Priority: limit.Critical, Budget: live.Budget,
				Shortest: live.Shortest, Serve: flow.Serve(rt, live, read, say)}}
		},
	}
}

// admit lets in, and then does what the word of the resolution says.
func admit(then func() (any, error)) func(*ledger.Tx, *flow.Runtime, flow.Opened, []byte) (any, error) {
	return func(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, details []byte) (any, error) {
		n, err := tx.Exec(`INSERT INTO admitted (assist, who, facts, details) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			a.ID, a.By, string(a.Facts), string(details))
		if err != nil || n != 1 {
			return nil, errors.Join(err, errors.New("it was settled before"))
		}
		return then()
	}
}

func resolutions() []flow.Resolution {
	word := func(w string, run func(*ledger.Tx, *flow.Runtime, flow.Opened, []byte) (any, error)) flow.Resolution {
		return flow.Resolution{Word: w, Name: gateway.Text{Zh: "处理" + w, En: "To " + w}, Run: run}
	}
	away, in := word("turn-away", nil), word("admit", admit(func() (any, error) { return map[string]int{"inside": 1}, nil }))
	away.Decision, in.Decision = "closed", "open"
	return []flow.Resolution{
		away, in,
		word("quiet", admit(func() (any, error) { return nil, nil })),
		word("full", admit(func() (any, error) { return nil, problemFull.Error(gateway.Text{}) })),
		word("full-kept", admit(func() (any, error) { return nil, ledger.Keep(problemFull.Error(gateway.Text{})) })),
		word("error", admit(func() (any, error) { return nil, errors.New("a mistake") })),
		word("panic", admit(func() (any, error) { panic("a mistake with " + secret) })),
		word("hand-over", admit(func() (any, error) { return nil, journey.Handover{Kind: "again", Next: next} })),
		word("no-json", admit(func() (any, error) { return func() {}, nil })),
	}
}

// place is a world with the human door and two venues of one tenant, and one of another.
type place struct {
	*worldtest.World
	citizen, far, li, wang, east, foreign string // tokens
}

func shanghai(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func start(t *testing.T) *place {
	t.Helper()
	return startWith(t, worldtest.Setup{})
}

func startWith(t *testing.T, setup worldtest.Setup) *place {
	t.Helper()
	f := visits()
	door, err := assist.New([]*flow.Flow{f})
	if err != nil {
		t.Fatal(err)
	}
	p := &place{World: setup.Start(t, f, door)}
	for id, tenant := range map[string]string{"east": "hangzhou", "west": "hangzhou", "far": "suzhou"} {
		p.Put(&gateway.Venue{ID: id, Kind: "place", Tenant: tenant, Location: shanghai(t)})
	}
	token := func(subject, tenant, scope string, venues ...string) string {
		return p.Token(gateway.Principal{Subject: subject, Tenant: tenant, Scopes: []string{scope}, Venues: venues})
	}
	p.citizen, p.far = token("citizen", "hangzhou", "visit", "*"), token("citizen", "suzhou", "visit", "*")
	p.li, p.wang = token("li", "hangzhou", "staff:assist", "*"), token("wang", "hangzhou", "staff:assist", "east", "west")
	p.east, p.foreign = token("chen", "hangzhou", "staff:assist", "east"), token("li", "suzhou", "staff:assist", "*")
	return p
}

// visit begins a journey and returns what it was answered.
func (p *place) visit(do, at string) worldtest.Answer {
	p.T.Helper()
	token := p.citizen
	if at == "far" {
		token = p.far
	}
	return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/places/" + at + "/visits", Token: token,
		Body: `{"do":"` + do + `","secret":"` + secret + `"}`})
}

// stuck begins a journey that needs help, and returns the ids of the journey and of the assist.
func (p *place) stuck(do, at string) (run, id string) {
	p.T.Helper()
	a := p.visit(do, at)
	var body struct {
		Journey string `json:"journey"`
		Assist  struct {
			ID string `json:"id"`
		} `json:"assist"`
	}
	p.Into(a, &body)
	if a.Status != http.StatusAccepted || a.Header.Get("Location") != "/v1/journeys/"+body.Journey || body.Assist.ID == "" {
		p.T.Fatalf("%s: %d %s", do, a.Status, a.Body)
	}
	return body.Journey, body.Assist.ID
}

// seen is an assist as staff see it.
type seen struct {
	ID          string           `json:"id"`
	Seq         int64            `json:"seq"`
	Venue       string           `json:"venue"`
	Kind        string           `json:"kind"`
	State       string           `json:"state"`
	Done        []step           `json:"done"`
	NotDone     []step           `json:"not_done"`
	NextAction  string           `json:"next_action"`
	Resolutions []map[string]any `json:"resolutions"`
	OpenedAt    string           `json:"opened_at"`
	ClaimedBy   string           `json:"claimed_by"`
	ClaimedAt   string           `json:"claimed_at"`
	ResolvedBy  string           `json:"resolved_by"`
	Resolution  string           `json:"resolution"`
	Facts       jsontext.Value   `json:"facts"`
	Result      jsontext.Value   `json:"result"`
}

// step is something that a journey changes, in words.
type step struct {
	Step  string `json:"step"`
	Name  string `json:"name"`
	Later bool   `json:"later"`
}

type page struct {
	Assists []seen `json:"assists"`
	Next    int64  `json:"next"`
}

func (p *place) get(token, path string) worldtest.Answer {
	return p.Do(worldtest.Call{Method: http.MethodGet, Path: path, Token: token, Header: map[string]string{"Accept-Language": "en"}})
}

func (p *place) list(token, query string) page {
	p.T.Helper()
	a := p.get(token, "/v1/assists"+query)
	if a.Status != http.StatusOK {
		p.T.Fatalf("list %s: %d %s", query, a.Status, a.Body)
	}
	var l page
	p.Into(a, &l)
	return l
}

func (p *place) claim(token, id string) worldtest.Answer { return p.post(token, id, "claim", "") }

func (p *place) release(token, id string) worldtest.Answer { return p.post(token, id, "release", "") }

func (p *place) post(token, id, what, body string) worldtest.Answer {
	return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/assists/" + id + "/" + what, Token: token, Body: body,
		Header: map[string]string{"Accept-Language": "en"}})
}

// resolve settles with a reason.
func (p *place) resolve(token, id, word string) worldtest.Answer {
	return p.post(token, id, "resolution", `{"resolution":"`+word+`","reason":"seen `+secret+`"}`)
}

// one reads an assist as the holder of token.
func (p *place) one(token, id string) seen {
	p.T.Helper()
	a := p.get(token, "/v1/assists/"+id)
	if a.Status != http.StatusOK {
		p.T.Fatalf("assist: %d %s", a.Status, a.Body)
	}
	var s seen
	p.Into(a, &s)
	return s
}

// want fails the test where an answer has another status or another problem.
func want(t testing.TB, what string, a worldtest.Answer, status int, problem string) {
	t.Helper()
	if slug, _ := a.Problem(); a.Status != status || slug != problem {
		t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, status, problem)
	}
}
