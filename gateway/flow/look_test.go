package flow_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/limit"
)

const wordsDocument = `paths:
  /v1/words:
    get:
      operationId: words
      summary: What all stalls say
      security:
        - bearer: ["words:read"]
      responses:
        "200":
          description: The words
          content: { application/json: { schema: { type: array, items: { type: string } } } }
        "304": { description: They are what they were }
        default: { $ref: "#/components/responses/Problem" }
`

// words is a flow that asks every venue of what is no venue's call, and refuses where too few answer.
func words(t *testing.T, venues ...string) *flow.Flow {
	t.Helper()
	plan, err := journey.Define("words", func(b *journey.Builder, in journey.Ref[[]wish]) journey.Ref[[]string] {
		all := journey.Gather(b, "ask", look, in, journey.AtMost(8), journey.At(func(w wish) string { return w.Do }),
			journey.AtLeast(1), journey.Refuse(gateway.ProblemBackendUnavailable))
		return journey.Check(b, "words", func(all []journey.Result[string]) (said []string, err error) {
			for _, r := range all {
				said = append(said, r.Value+string(r.Source.State))
			}
			return said, nil
		}, all)
	})
	if err != nil {
		t.Fatal(err)
	}
	live := journey.NewLive(plan)
	return &flow.Flow{Name: "words", Plans: []flow.Plan{live}, Document: []byte(wordsDocument), Routes: func(rt *flow.Runtime) []edge.Route {
		return []edge.Route{{Method: http.MethodGet, Name: "words", Path: "/v1/words", Scope: "words:read", Journey: "words",
			Priority: limit.Normal, Budget: live.Budget, Shortest: live.Shortest, Serve: func(x *edge.Exchange) error {
				var in []wish
				for _, v := range venues {
					in = append(in, wish{Do: v})
				}
				said, err := flow.Look(rt, x, live, in)
				if err != nil {
					return err
				}
				if x.Unchanged(`"` + strings.Join(said, "-") + `"`) {
					return nil
				}
				return x.JSON(http.StatusOK, said)
			}}}
	}}
}

func lookAt(t *testing.T, venues ...string) *place {
	t.Helper()
	in, err := call.NewInstance("test/east", "looker", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, World: worldtest.Setup{
		Steps: map[string]map[string]call.Policy{"words": {"ask": {Slice: 200 * time.Millisecond}}},
		Bind: func(b *call.Bindings) {
			call.BindRead(b, look, in, func(context.Context, wish) (string, error) {
				if b.Venue().ID == "down" {
					return "", errors.New("it is down")
				}
				return b.Venue().ID, nil
			})
		},
	}.Start(t, words(t, venues...))}
	for _, id := range []string{"east", "west", "down", "elsewhere"} {
		v := &gateway.Venue{ID: id, Kind: "place", Tenant: "hangzhou"}
		if id == "elsewhere" {
			v.Tenant = "suzhou"
		}
		p.Put(v)
	}
	p.token = p.Token(gateway.Principal{Subject: "app", Tenant: "hangzhou", Scopes: []string{"words:read"}, Venues: []string{"*"}})
	return p
}

// TestACallOfNoVenueAsksMany: venues of another tenant, and those that are gone, are missing; the ledger has nothing of it.
func TestACallOfNoVenueAsksMany(t *testing.T) {
	p := lookAt(t, "east", "west", "down", "elsewhere", "gone")
	c := worldtest.Call{Method: http.MethodGet, Path: "/v1/words", Token: p.token, Header: map[string]string{}}
	a := p.Do(c)
	if a.Status != 200 || a.Body != `["eastlive","westlive","missing","missing","missing"]` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if s, d := a.Header.Get("Cache-Status"), a.Header.Get("Server-Timing"); !strings.Contains(s, "looker;fwd=miss") || !strings.Contains(d, "ask;dur=") {
		t.Errorf("%s, %s", s, d)
	}
	if tag := a.Header.Get("ETag"); tag == "" || a.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("headers %v", a.Header)
	}
	c.Header["If-None-Match"] = `"another", W/` + a.Header.Get("ETag")
	if a := p.Do(c); a.Status != 304 || a.Body != "" || a.Header.Get("ETag") == "" || !strings.Contains(a.Header.Get("Cache-Status"), "looker") {
		t.Errorf("again: %d %s %v", a.Status, a.Body, a.Header)
	}
	if len(p.runs()) != 0 {
		t.Error("the ledger has a run")
	}
}

func TestACallOfNoVenueThatFindsTooLittleIsRefused(t *testing.T) {
	p := lookAt(t, "down", "gone")
	a := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/words", Token: p.token})
	if slug, _ := a.Problem(); a.Status != 503 || slug != "backend-unavailable" || a.Header.Get("Cache-Status") == "" {
		t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
	}
}

// TestAPlanThatChangesSomethingNeedsAVenue: without one it is an error, and nothing is done.
func TestAPlanThatChangesSomethingNeedsAVenue(t *testing.T) {
	p := start(t)
	plan, err := journey.Define("noted", func(b *journey.Builder, in journey.Ref[wish]) journey.Ref[string] {
		return journey.Ask(b, "look", look, in, journey.Assist(journey.Handover{Kind: "wish-unclear", Next: gateway.Text{Zh: "问", En: "Ask"}}))
	})
	if err != nil {
		t.Fatal(err)
	}
	live := journey.NewLive(plan)
	_, adopt, err := live.Prove(journey.Timing{Journey: time.Second, Machine: 500 * time.Millisecond, Flush: 20 * time.Millisecond,
		Overhead: 60 * time.Millisecond, Lease: time.Second, Steps: map[string]call.Policy{"look": {Slice: 200 * time.Millisecond}}})
	if err != nil {
		t.Fatal(err)
	}
	adopt(p.Runtime.Engine)
	_, err = live.Run(p.Runtime.Engine, journey.Request{ID: "1", Arrived: time.Now(), Deadline: time.Now().Add(time.Second),
		Principal: &gateway.Principal{Tenant: "hangzhou"}}, wish{}, func(journey.Outcome[string]) journey.Answer { return journey.Answer{} })
	if err == nil || !strings.Contains(err.Error(), "cannot run plan noted of no venue") {
		t.Errorf("%v", err)
	}
}
