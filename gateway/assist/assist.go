// Package assist is the human door: what machines could not settle is listed for staff, claimed by one of them, and
// settled with a reason, under the same exactly-once rules as everything else. It also tells a caller what has become
// of a journey.
package assist

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

//go:embed openapi.yaml
var document []byte

// The problems of settling an assist and of asking for a journey.
var (
	ProblemResolutionUnknown = &gateway.Problem{Type: "resolution-unknown", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "不能用这种方式处理这条求助", En: "This cannot be settled in that way"}}
	ProblemJourneyUnknown = &gateway.Problem{Type: "journey-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有找到这次办理", En: "There is no such journey"}}
)

// scope is what a token needs at the door.
const scope = "staff:assist"

// door is the assists' part of the program.
type door struct {
	kinds    map[string]flow.Assist
	steps    map[string]map[string]gateway.Text // by plan and step
	claims   *journey.Live[work, handed]
	releases *journey.Live[work, handed]
	resolves *journey.Live[work, handed]
}

// New returns the human door of the given flows as a flow of its own, named "assist", with the plans assist-claim,
// assist-release and assist-resolution. It refuses a kind of assist that is declared twice or that nobody could settle,
// and an effect of a plan that staff would read no words for.
func New(flows []*flow.Flow) (*flow.Flow, error) {
	d := &door{kinds: map[string]flow.Assist{}, steps: map[string]map[string]gateway.Text{}}
	for _, f := range flows {
		if err := d.addSteps(f); err != nil {
			return nil, fmt.Errorf("cannot open the human door of %s: %w", f.Name, err)
		}
		for _, a := range f.Assists {
			if err := d.add(a); err != nil {
				return nil, fmt.Errorf("cannot open the human door of %s: %w", f.Name, err)
			}
		}
	}
	var plans []flow.Plan
	for _, p := range []struct {
		name   string
		decide *ledger.Decision[work, handed]
		into   **journey.Live[work, handed]
	}{{"assist-claim", claim, &d.claims}, {"assist-release", release, &d.releases}, {"assist-resolution", resolve, &d.resolves}} {
		plan, err := journey.Define(p.name, func(b *journey.Builder, in journey.Ref[work]) journey.Ref[handed] {
			return journey.Record(b, "keep", p.decide, in)
		})
		if err != nil {
			return nil, err
		}
		*p.into = journey.NewLive(plan)
		plans = append(plans, *p.into)
	}
	return &flow.Flow{
		Name: "assist", Plans: plans, Document: document, Routes: d.routes,
		Problems: []*gateway.Problem{ProblemResolutionUnknown, ProblemJourneyUnknown, ledger.ProblemAssistUnknown,
			ledger.ProblemAssistClaimed, ledger.ProblemAssistUnclaimed, ledger.ProblemAssistResolved},
	}, nil
}

// add enters a kind of assist.
func (d *door) add(a flow.Assist) error {
	if a.Kind == "" {
		return errors.New("a kind of assist has no name")
	}
	if _, twice := d.kinds[a.Kind]; twice {
		return fmt.Errorf("assist kind %s is declared twice", a.Kind)
	}
	if len(a.Resolutions) == 0 {
		return fmt.Errorf("assist kind %s has no resolution: nobody could settle it", a.Kind)
	}
	words := map[string]bool{}
	for _, r := range a.Resolutions {
		switch {
		case r.Word == "" || r.Name.Zh == "" || r.Name.En == "":
			return fmt.Errorf("resolution %q of assist kind %s needs a word, and a name in zh and en", r.Word, a.Kind)
		case words[r.Word]:
			return fmt.Errorf("resolution %s of assist kind %s is declared twice", r.Word, a.Kind)
		}
		words[r.Word] = true
	}
	d.kinds[a.Kind] = a
	return nil
}

// addSteps enters what the effects of a flow's plans, and its other tasks, are in words.
func (d *door) addSteps(f *flow.Flow) error {
	known, words := map[string]bool{}, maps.Clone(f.Tasks)
	if words == nil {
		words = map[string]gateway.Text{}
	}
	maps.Copy(words, f.Steps)
	for _, p := range f.Plans {
		for _, step := range p.Effects() {
			if say := f.Steps[step]; say.Zh == "" || say.En == "" {
				return fmt.Errorf("step %s of plan %s has no words in zh and en", step, p.Name())
			}
			known[step] = true
		}
		d.steps[p.Name()] = words
	}
	for step := range f.Steps {
		if !known[step] {
			return fmt.Errorf("there are words for step %s, which no plan has", step)
		}
	}
	for task, say := range f.Tasks {
		if known[task] || say.Zh == "" || say.En == "" {
			return fmt.Errorf("task %s is a step of a plan, or has no words in zh and en", task)
		}
	}
	return nil
}

// resolutions are the ways to settle a kind. One that no flow declares, such as a journey that was interrupted, can be
// settled by saying so.
func (d *door) resolutions(kind string) []flow.Resolution {
	if a, ok := d.kinds[kind]; ok {
		return a.Resolutions
	}
	if a, ok := d.kinds[strings.TrimRight(strings.TrimRight(kind, "0123456789"), "-")]; ok { // settled before, and back again
		return a.Resolutions
	}
	return []flow.Resolution{{Word: "settled", Name: gateway.Text{Zh: "已处理", En: "Settled"}}}
}

// listQuery are the parameters of the list.
var listQuery = []string{"state", "after", "limit"}

func (d *door) routes(rt *flow.Runtime) []edge.Route {
	p := &pulse{ledger: rt.Ledger, wakes: map[chan struct{}]struct{}{}}
	list := func(x *edge.Exchange, rt *flow.Runtime) error {
		if x.Accepts("text/event-stream") {
			return d.watch(x, rt, p)
		}
		return d.list(x, rt)
	}
	get := func(name, path, scope string, p limit.Priority, query []string, serve func(*edge.Exchange, *flow.Runtime) error) edge.Route {
		return edge.Route{Method: http.MethodGet, Name: name, Path: path, Scope: scope, Query: query, Priority: p,
			Serve: func(x *edge.Exchange) error { return serve(x, rt) }}
	}
	post := func(path string, plan *journey.Live[work, handed], read func(*edge.Exchange, *work, string) error) edge.Route {
		return edge.Route{
			Method: http.MethodPost, Name: plan.Name(), Path: path, Scope: scope, Journey: plan.Name(), Idempotent: true, Looks: true,
			Priority: limit.High, Budget: plan.Budget, Shortest: plan.Shortest,
			Serve: func(x *edge.Exchange) error { return d.work(x, rt, plan, read) },
		}
	}
	return []edge.Route{
		get("assists", "/v1/assists", scope, limit.High, listQuery, list),
		get("assist", "/v1/assists/{id}", scope, limit.High, nil, d.one),
		post("/v1/assists/{id}/claim", d.claims, readNothing),
		post("/v1/assists/{id}/release", d.releases, readNothing),
		post("/v1/assists/{id}/resolution", d.resolves, d.readResolution),
		get("journey", "/v1/journeys/{id}", "", limit.Normal, nil, d.sayJourney),
	}
}
