// Package assist is the human door: what machines could not settle is listed for staff, claimed by one of them, and
// settled with a reason, under the same exactly-once rules as everything else. It also tells a caller what has become
// of a journey.
package assist

import (
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

const (
	pageMost  = 100
	maxReason = 500 // bytes
)

// door is the assists' part of the program.
type door struct {
	kinds    map[string]flow.Assist
	claims   *journey.Live[Work, Handed]
	releases *journey.Live[Work, Handed]
	resolves *journey.Live[Work, Handed]
}

// Work is something that a member of staff does to an assist.
type Work struct {
	ID         string             `json:"id"`
	By         *gateway.Principal `json:"by"`
	Resolution string             `json:"resolution,omitempty"`
	Reason     string             `json:"reason,omitempty"`
	Details    jsontext.Value     `json:"details,omitempty"`

	rt    *flow.Runtime
	venue *gateway.Venue
	run   func(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, details []byte) (any, error)
}

// Handed is an assist after that.
type Handed struct {
	Assist ledger.Assist
	Facts  []byte // in the clear, for the one who has claimed it
	Result any
}

// New returns the human door of the given flows as a flow of its own.
func New(flows []*flow.Flow) (*flow.Flow, error) {
	d := &door{kinds: map[string]flow.Assist{}}
	for _, f := range flows {
		for _, a := range f.Assists {
			if _, twice := d.kinds[a.Kind]; twice {
				return nil, fmt.Errorf("cannot open the human door: assist kind %s is declared twice", a.Kind)
			}
			d.kinds[a.Kind] = a
		}
	}
	var plans []flow.Plan
	for _, p := range []struct {
		name   string
		decide *ledger.Decision[Work, Handed]
		into   **journey.Live[Work, Handed]
	}{{"assist-claim", claim, &d.claims}, {"assist-release", release, &d.releases}, {"assist-resolution", resolve, &d.resolves}} {
		plan, err := journey.Define(p.name, func(b *journey.Builder, in journey.Ref[Work]) journey.Ref[Handed] {
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

func (d *door) routes(rt *flow.Runtime) []edge.Route {
	post := func(name, path string, plan *journey.Live[Work, Handed], read func(x *edge.Exchange, w *Work, kind string) error) edge.Route {
		return edge.Route{
			Method: http.MethodPost, Name: name, Path: path, Scope: "staff:assist", Journey: plan.Name(), Idempotent: true,
			Priority: limit.High, Budget: plan.Budget, Shortest: plan.Shortest,
			Serve: func(x *edge.Exchange) error { return d.work(x, rt, plan, read) },
		}
	}
	nothing := func(*edge.Exchange, *Work, string) error { return nil }
	return []edge.Route{
		{Method: http.MethodGet, Name: "assists", Path: "/v1/assists", Scope: "staff:assist", Query: []string{"state", "after", "limit"},
			Priority: limit.High, Serve: func(x *edge.Exchange) error { return d.list(x, rt) }},
		post("assist-claim", "/v1/assists/{id}/claim", d.claims, nothing),
		post("assist-release", "/v1/assists/{id}/release", d.releases, nothing),
		post("assist-resolution", "/v1/assists/{id}/resolution", d.resolves, d.readResolution),
		{Method: http.MethodGet, Name: "journey", Path: "/v1/journeys/{id}", Priority: limit.Normal,
			Serve: func(x *edge.Exchange) error { return sayJourney(x, rt) }},
	}
}

// work finds the assist's venue, and what it takes to do what is asked, before the plan begins.
func (d *door) work(
	x *edge.Exchange, rt *flow.Runtime, plan *journey.Live[Work, Handed], read func(x *edge.Exchange, w *Work, kind string) error,
) error {
	w := Work{ID: x.Param("id"), By: x.Principal(), rt: rt}
	a, err := find(x, rt, w.ID)
	if err != nil {
		return err
	}
	if w.venue = rt.Venue(a.Venue); w.venue == nil {
		return gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	if err := read(x, &w, a.Kind); err != nil {
		return err
	}
	return flow.Run(rt, x, w.venue, plan, w, func(o journey.Outcome[Handed], lang string) flow.Said {
		return flow.Said{Status: http.StatusCreated, Body: d.say(o.Value.Assist, o.Value.Facts, o.Value.Result, lang)}
	})
}

// find reads an assist that the principal may see; another's is unknown.
func find(x *edge.Exchange, rt *flow.Runtime, id string) (a ledger.Assist, err error) {
	found := false
	err = view(x, rt, func(q ledger.Querier) (err error) {
		a, found, err = ledger.FindAssist(q, id)
		return err
	})
	if err == nil && (!found || !x.Principal().ActsFor(&gateway.Venue{ID: a.Venue, Tenant: a.Tenant})) {
		err = ledger.ProblemAssistUnknown.Error(gateway.Text{})
	}
	return a, err
}

type resolutionBody struct {
	Resolution string         `json:"resolution"`
	Reason     string         `json:"reason"`
	Details    jsontext.Value `json:"details"`
}

// readResolution reads how the assist is settled. Its kind says what is possible; for a kind that no flow declares, such
// as a journey that was interrupted, "settled" is.
func (d *door) readResolution(x *edge.Exchange, w *Work, kind string) error {
	var body resolutionBody
	if err := x.Decode(&body); err != nil {
		return err
	}
	switch {
	case body.Reason == "":
		return edge.ProblemFieldMissing.Error(gateway.Text{}).WithField("reason")
	case len(body.Reason) > maxReason:
		return edge.ProblemFieldInvalid.Error(gateway.Text{Zh: "最多 500 个字节", En: "It may have at most 500 bytes."}).WithField("reason")
	}
	for _, r := range d.resolutions(kind) {
		if r.Word == body.Resolution {
			w.Resolution, w.Reason, w.Details, w.run = body.Resolution, body.Reason, body.Details, r.Run
			return nil
		}
	}
	return ProblemResolutionUnknown.Error(gateway.Text{}).WithField("resolution")
}

func (d *door) resolutions(kind string) []flow.Resolution {
	if a, ok := d.kinds[kind]; ok {
		return a.Resolutions
	}
	return []flow.Resolution{{Word: "settled", Name: gateway.Text{Zh: "已处理", En: "Settled"}}}
}

// list answers with assists in the order in which they last changed.
func (d *door) list(x *edge.Exchange, rt *flow.Runtime) error {
	state, _ := x.Query("state")
	switch ledger.AssistState(state) {
	case "", ledger.AssistOpen, ledger.AssistClaimed, ledger.AssistResolved:
	default:
		return edge.ProblemQueryInvalid.Error(gateway.Text{Zh: "须为 open、claimed 或 resolved", En: "It must be open, claimed or resolved."}).WithField("query state")
	}
	after, err := number(x, "after", 0, 1<<62)
	if err != nil {
		return err
	}
	limit, err := number(x, "limit", 50, pageMost)
	if err != nil {
		return err
	}
	p := x.Principal()
	var all []ledger.Assist
	err = view(x, rt, func(q ledger.Querier) (err error) {
		all, err = ledger.ListAssists(q, p.Tenant, p.Venues, ledger.AssistState(state), after, int(limit))
		return err
	})
	if err != nil {
		return err
	}
	body := listBody{Assists: []assistBody{}, Next: after}
	for _, a := range all {
		body.Assists = append(body.Assists, d.say(a, nil, nil, x.Lang()))
		body.Next = a.Seq
	}
	return x.JSON(http.StatusOK, body)
}

func number(x *edge.Exchange, name string, absent, most int64) (int64, error) {
	text, there := x.Query(name)
	if !there {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, edge.ProblemQueryInvalid.Error(gateway.Text{
			Zh: fmt.Sprintf("须为 0 至 %d 的整数", most), En: fmt.Sprintf("It must be a whole number from 0 to %d.", most)}).WithField("query " + name)
	}
	return n, nil
}

// view reads the ledger within the exchange's time.
func view(x *edge.Exchange, rt *flow.Runtime, f func(q ledger.Querier) error) error {
	ctx, cancel := untilDeadline(x)
	defer cancel()
	if err := rt.Ledger.View(ctx, f); err != nil {
		return gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(err)
	}
	return nil
}

// The decisions. Their errors are problems, returned before anything is written.
var (
	claim = &ledger.Decision[Work, Handed]{Name: "assist.claim", Run: func(tx *ledger.Tx, w Work) (h Handed, err error) {
		if h.Assist, err = tx.ClaimAssist(w.ID, w.By); err != nil {
			return h, keep(err)
		}
		h.Facts, err = openFacts(tx, w, h.Assist)
		return h, err
	}}
	release = &ledger.Decision[Work, Handed]{Name: "assist.release", Run: func(tx *ledger.Tx, w Work) (h Handed, err error) {
		h.Assist, err = tx.ReleaseAssist(w.ID, w.By)
		return h, keep(err)
	}}
	resolve = &ledger.Decision[Work, Handed]{Name: "assist.resolve", Run: runResolution}
)

// keep marks a problem, so that refusing costs the neighbours in the commit nothing; the ledger's own errors stay as
// they are.
func keep(err error) error {
	if e := (*gateway.Error)(nil); err != nil && asProblem(err, &e) {
		return ledger.Keep(err)
	}
	return err
}

func runResolution(tx *ledger.Tx, w Work) (h Handed, err error) {
	row, found, err := ledger.FindAssist(tx, w.ID)
	if err != nil || !found {
		return h, err
	}
	var reason []byte
	box, sealed, err := boxOf(tx, w, row.Run)
	if err != nil {
		return h, err
	}
	if sealed {
		reason = box.Seal([]byte(w.Reason), "reason")
	}
	if h.Assist, err = tx.ResolveAssist(w.ID, w.By, w.Resolution, reason); err != nil {
		return h, keep(err)
	}
	if w.run == nil {
		return h, nil
	}
	facts, err := openFacts(tx, w, row)
	if err != nil {
		return h, err
	}
	opened := flow.Opened{Assist: h.Assist, Facts: facts, By: ledger.Actor(w.By), Venue: w.venue}
	h.Result, err = w.run(tx, w.rt, opened, w.Details) // not kept if it refuses: the assist stays claimed
	return h, err
}

// sayJourney tells the caller what has become of a journey of theirs.
func sayJourney(x *edge.Exchange, rt *flow.Runtime) error {
	var run ledger.Run
	found := false
	err := view(x, rt, func(q ledger.Querier) (err error) {
		run, found, err = ledger.FindRun(q, x.Param("id"))
		return err
	})
	if err != nil {
		return err
	}
	p := x.Principal()
	if !found || run.Tenant != p.Tenant || run.Principal != ledger.Actor(p) {
		return ProblemJourneyUnknown.Error(gateway.Text{})
	}
	body := journeyBody{ID: run.ID, Plan: run.Plan, Venue: run.Venue, State: string(run.State), StartedAt: run.StartedAt, EndedAt: run.EndedAt, Status: run.Status}
	if len(run.Key) > 0 && len(run.Body) > 0 {
		plain, err := journey.OpenAnswer(rt.Ledger.Keys(), run.Key, run.Body)
		if err != nil {
			return err
		}
		body.Answer = plain
	}
	err = view(x, rt, func(q ledger.Querier) (err error) {
		body.Assists, err = assistsOf(q, run.ID)
		return err
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	x.Raw(http.StatusOK, "application/json", b)
	return nil
}
