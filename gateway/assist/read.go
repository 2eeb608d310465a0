package assist

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// How many assists a page may have, and has where the caller does not say.
const (
	pageMost  = 100
	pageUsual = 50
)

// find reads an assist that the principal may see, with the wrapped data key of its run, which is nil once that is
// erased. Another's assist is unknown.
func find(x *edge.Exchange, rt *flow.Runtime, id string) (a ledger.Assist, key []byte, err error) {
	err = flow.View(rt, x, func(q ledger.Querier) error {
		var found bool
		if a, found, err = ledger.FindAssist(q, id); err != nil {
			return err
		}
		if !found || !x.Principal().ActsFor(&gateway.Venue{ID: a.Venue, Tenant: a.Tenant}) {
			return ledger.ProblemAssistUnknown.Error(gateway.Text{})
		}
		run, _, err := ledger.FindRun(q, a.Run)
		key = run.Key
		return err
	})
	return a, key, err
}

// one answers with an assist, and with its facts where the caller has claimed it. They are told here and nowhere else:
// what a claim answers is kept for replays, longer than the caller may know them.
func (d *door) one(x *edge.Exchange, rt *flow.Runtime) error {
	a, key, err := find(x, rt, x.Param("id"))
	if err != nil {
		return err
	}
	body := d.say(a, rt.Venue(a.Venue), x.Lang())
	if a.State == ledger.AssistClaimed && a.ClaimedBy == ledger.Actor(x.Principal()) && len(key) > 0 {
		if body.Facts, err = journey.OpenFacts(rt.Ledger.Keys(), key, a.Facts); err != nil {
			return fmt.Errorf("cannot open the facts of assist %s: %w", a.ID, err)
		}
	}
	return x.JSON(http.StatusOK, body)
}

// list answers with the assists of the caller's venues in the order in which they last changed.
func (d *door) list(x *edge.Exchange, rt *flow.Runtime) error {
	state, err := readState(x)
	if err != nil {
		return err
	}
	after, err := number(x, "after", 0, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	limit, err := number(x, "limit", pageUsual, 1, pageMost)
	if err != nil {
		return err
	}
	p := x.Principal()
	var all []ledger.Assist
	err = flow.View(rt, x, func(q ledger.Querier) (err error) {
		all, err = ledger.ListAssists(q, p.Tenant, p.Venues, state, after, int(limit))
		return err
	})
	if err != nil {
		return err
	}
	body := listBody{Assists: make([]assistBody, 0, len(all)), Next: after}
	for _, a := range all {
		body.Assists = append(body.Assists, d.say(a, rt.Venue(a.Venue), x.Lang()))
		body.Next = a.Seq
	}
	return x.JSON(http.StatusOK, body)
}

func readState(x *edge.Exchange) (ledger.AssistState, error) {
	text, there := x.Query("state")
	if !there {
		return "", nil
	}
	switch state := ledger.AssistState(text); state {
	case ledger.AssistOpen, ledger.AssistClaimed, ledger.AssistResolved:
		return state, nil
	}
	return "", edge.ProblemQueryInvalid.Error(gateway.Text{
		Zh: "须为 open、claimed 或 resolved。", En: "It must be open, claimed or resolved."}).WithField("query state")
}

// number reads a query parameter in decimal digits.
func number(x *edge.Exchange, name string, absent, least, most uint64) (int64, error) {
	text, there := x.Query(name)
	if !there {
		return int64(absent), nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, edge.ProblemQueryInvalid.Error(gateway.Text{
			Zh: fmt.Sprintf("须为 %d 至 %d 的整数。", least, most),
			En: fmt.Sprintf("It must be a whole number from %d to %d.", least, most)}).WithField("query " + name)
	}
	return int64(n), nil
}

// decided is what people have decided about a journey that was left to them, "wait" until they have, and when they had seen to
// all of it.
func (d *door) decided(help []journeyHelp) (decision string, at time.Time) {
	for _, h := range help {
		if h.State != ledger.AssistResolved {
			return "wait", time.Time{}
		}
		if h.at.After(at) {
			at = h.at
		}
		for _, r := range d.resolutions(h.Kind) {
			if r.Word != h.Resolution || r.Decision == "" {
				continue
			}
			if decision = r.Decision; !h.here && r.Elsewhere != "" {
				decision = r.Elsewhere
			}
		}
	}
	return decision, at
}

// sayJourney tells the caller what has become of a journey of theirs (ledger.Owner). Another's is unknown.
func (d *door) sayJourney(x *edge.Exchange, rt *flow.Runtime) error {
	var run ledger.Run
	var help []journeyHelp
	ctx, cancel := context.WithTimeout(context.Background(), x.Deadline().Sub(rt.Now()))
	defer cancel()
	if err := rt.Ledger.Settled(ctx, x.Param("id")); err != nil {
		return gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(err)
	}
	err := flow.View(rt, x, func(q ledger.Querier) (err error) {
		var found bool
		if run, found, err = ledger.FindOwnRun(q, ledger.OwnerOf(rt.Ledger.Keys(), x.Principal()), x.Param("id")); err != nil {
			return err
		}
		if !found {
			return ProblemJourneyUnknown.Error(gateway.Text{})
		}
		help, err = assistsOf(q, run.ID)
		return err
	})
	if err != nil {
		return err
	}
	at := rt.Venue(run.Venue)
	body := journeyBody{
		ID: run.ID, Plan: run.Plan, Venue: run.Venue, State: run.State, StartedAt: flow.At(at, run.StartedAt),
		EndedAt: flow.At(at, run.EndedAt), Status: run.Status, Assists: help,
	}
	if run.State == ledger.RunAssist {
		var settled time.Time
		if body.Decision, settled = d.decided(help); !settled.IsZero() {
			body.State, body.SettledAt = stateSettled, flow.At(at, settled)
		}
	}
	if len(run.Key) > 0 {
		if body.Answer, err = journey.OpenAnswer(rt.Ledger.Keys(), run.Key, run.Body); err != nil {
			return fmt.Errorf("cannot open the answer of journey %s: %w", run.ID, err)
		}
	}
	return x.JSON(http.StatusOK, body)
}
