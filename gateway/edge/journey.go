package edge

import (
	"context"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Request is what a plan needs to know of the exchange. The bindings of the venue's operations are the flow's to add.
func (x *Exchange) Request() journey.Request {
	return journey.Request{ID: x.JourneyID(), Arrived: x.arrived, Deadline: x.deadline, Venue: x.venue,
		Principal: x.principal, Lang: x.lang, Trace: x.trace.String(), Idempotency: x.idem}
}

// Tell says in the answer's headers what a plan met: where its parts come from, and where its time went.
func (x *Exchange) Tell(a journey.Answer) {
	for _, s := range a.Steps {
		x.serverTiming(s.Step, s.Took)
	}
	x.Sources(a.Sources)
}

// Answer answers with what a plan came to: its bytes, where its parts come from, where its time went, and where its
// state is while a person decides.
func (x *Exchange) Answer(a journey.Answer) {
	x.journey = a.ID
	x.Tell(a)
	if a.Err != nil {
		x.problem = a.Err
		if a.Err.RetryAfter > 0 {
			x.SetHeader("Retry-After", retryAfter(a.Err.RetryAfter))
		}
	}
	x.settled(a.Status, a.Body, a.ID, a.Replayed)
}

// repeat answers with what an earlier request under the same key was answered.
func (x *Exchange) repeat(e Earlier) {
	x.journey = e.Run
	x.settled(e.Status, e.Body, e.Run, true)
}

// settled writes an answer that the ledger keeps, or could keep.
func (x *Exchange) settled(status int, body []byte, run string, replayed bool) {
	if x.replayed = replayed; replayed {
		x.SetHeader("Idempotent-Replayed", "true")
	}
	if status == fasthttp.StatusAccepted && run != "" {
		x.SetHeader("Location", "/v1/journeys/"+run)
	}
	media := jsonMedia
	if status >= fasthttp.StatusBadRequest {
		media = problemMedia
		if !replayed { // an earlier answer was in the language of its own request
			x.SetHeader("Content-Language", x.lang)
		}
	}
	x.Raw(status, media, body)
}

// Refusal puts a plan's refusal into words: the answer for journey.Outcome.Err. ID is the run's.
func Refusal(e *gateway.Error, lang, id string) journey.Answer {
	status, body := RenderProblem(e, lang, "/v1/journeys/"+id)
	return journey.Answer{Status: status, Body: body, Err: e}
}

// EarlierIn looks for earlier requests in a ledger: Deps.Earlier. A record whose time is over, or whose answer has been
// erased, is as good as none.
func EarlierIn(l *ledger.Ledger) func(ctx context.Context, scope [32]byte) (Earlier, bool, error) {
	return func(ctx context.Context, scope [32]byte) (e Earlier, found bool, err error) {
		if err := l.Settled(ctx, string(scope[:])); err != nil {
			return Earlier{}, false, err
		}
		var row ledger.Idempotency
		if err := l.View(ctx, func(q ledger.Querier) (err error) {
			row, found, err = ledger.FindIdempotency(q, scope[:])
			return err
		}); err != nil || !found {
			return Earlier{}, false, err
		}
		if row.Ended && (row.Key == nil || !l.Now().Before(row.ExpiresAt)) {
			return Earlier{}, false, nil
		}
		e = Earlier{Ended: row.Ended, LeaseUntil: row.LeaseUntil, Run: row.Run, Status: row.Status}
		copy(e.Payload[:], row.Payload)
		if row.Ended {
			if e.Body, err = journey.OpenAnswer(l.Keys(), row.Key, row.Body); err != nil {
				return Earlier{}, false, fmt.Errorf("cannot open the answer of journey %s: %w", row.Run, err)
			}
		}
		return e, true, nil
	}
}
