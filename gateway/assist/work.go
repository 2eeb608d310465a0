package assist

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// maxReason is how long a reason may be, in characters.
const maxReason = 500

// sealedReason is the place that a reason belongs to; see seal.Box.
const sealedReason = "reason"

// work is something that a member of staff does to an assist: the input of the door's plans. It holds nothing of the
// exchange, since a commit may outlive it.
type work struct {
	id         string
	by         *gateway.Principal
	venue      *gateway.Venue
	rt         *flow.Runtime
	resolution flow.Resolution
	reason     string
	details    []byte
}

// handed is the assist after that.
type handed struct {
	assist ledger.Assist
	result jsontext.Value // what the resolution led to; nil: nothing to tell
}

// work finds the assist's venue, and what it takes to do what is asked, before the plan begins.
func (d *door) work(
	x *edge.Exchange, rt *flow.Runtime, plan *journey.Live[work, handed], read func(x *edge.Exchange, w *work, kind string) error,
) error {
	a, _, err := find(x, rt, x.Param("id"))
	if err != nil {
		return err
	}
	w := work{id: a.ID, by: x.Principal(), rt: rt, venue: rt.Venue(a.Venue)}
	if w.venue == nil { // it has gone from the configuration: nobody knows its policy any more
		return gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	if err := read(x, &w, a.Kind); err != nil {
		return err
	}
	return flow.Run(rt, x, w.venue, plan, w, func(o journey.Outcome[handed], lang string) flow.Said {
		body := d.say(o.Value.assist, w.venue, lang)
		body.Result = o.Value.result
		return flow.Said{Status: http.StatusCreated, Body: body}
	})
}

// readNothing is for a call that takes no body.
func readNothing(x *edge.Exchange, _ *work, _ string) error {
	if len(x.Body()) == 0 {
		return nil
	}
	return x.Decode(&struct{}{}) // an empty object is as good as none
}

type resolutionBody struct {
	Resolution string         `json:"resolution"`
	Reason     string         `json:"reason"`
	Details    jsontext.Value `json:"details"`
}

// readResolution reads how the assist is settled. Its kind says what is possible.
func (d *door) readResolution(x *edge.Exchange, w *work, kind string) error {
	var body resolutionBody
	if err := x.Decode(&body); err != nil {
		return err
	}
	body.Reason = strings.TrimSpace(body.Reason)
	switch {
	case body.Resolution == "":
		return edge.FieldMissing("resolution")
	case body.Reason == "":
		return edge.FieldMissing("reason")
	case utf8.RuneCountInString(body.Reason) > maxReason:
		return edge.ProblemFieldInvalid.Error(gateway.Text{
			Zh: fmt.Sprintf("最多 %d 个字符。", maxReason), En: fmt.Sprintf("It may have at most %d characters.", maxReason),
		}).WithField("reason")
	}
	for _, r := range d.resolutions(kind) {
		if r.Word != body.Resolution {
			continue
		}
		w.resolution, w.reason = r, body.Reason
		if string(body.Details) != "null" {
			w.details = body.Details
		}
		return nil
	}
	return ProblemResolutionUnknown.Error(gateway.Text{}).WithField("resolution")
}

// The decisions. Their errors are problems, returned before anything is written.
var (
	claim = &ledger.Decision[work, handed]{Name: "assist.claim", Run: func(tx *ledger.Tx, w work) (h handed, err error) {
		h.assist, err = tx.ClaimAssist(w.id, w.by)
		return h, cheap(err)
	}}
	release = &ledger.Decision[work, handed]{Name: "assist.release", Run: func(tx *ledger.Tx, w work) (h handed, err error) {
		h.assist, err = tx.ReleaseAssist(w.id, w.by)
		return h, cheap(err)
	}}
	resolve = &ledger.Decision[work, handed]{Name: "assist.resolve", Run: settle}
)

// cheap marks a problem, so that refusing costs the neighbours in the commit nothing; the ledger's own errors stay as
// they are.
func cheap(err error) error {
	if _, ok := errors.AsType[*gateway.Error](err); ok {
		return ledger.Keep(err)
	}
	return err
}

// settle resolves the assist and does what the resolution means. Where that refuses nothing is kept: the assist stays
// claimed, and can be settled in another way.
func settle(tx *ledger.Tx, w work) (h handed, err error) {
	before, found, err := ledger.FindAssist(tx, w.id)
	if err != nil {
		return h, err
	}
	var reason, facts []byte
	if found {
		if reason, facts, err = sealed(tx, w, before); err != nil {
			return h, err
		}
	}
	if h.assist, err = tx.ResolveAssist(w.id, w.by, w.resolution.Word, reason); err != nil {
		return h, cheap(err)
	}
	if w.resolution.Run == nil {
		return h, nil
	}
	opened := flow.Opened{Assist: h.assist, Facts: facts, By: ledger.Actor(w.by), Venue: w.venue}
	result, err := w.resolution.Run(tx, w.rt, opened, w.details)
	if err != nil {
		return h, unmarked(before.Kind, err)
	}
	if result == nil {
		return h, nil
	}
	if h.result, err = json.Marshal(result, json.Deterministic(true)); err != nil {
		return h, fmt.Errorf("cannot tell what settling an assist of kind %s led to: a %T is no JSON", before.Kind, result)
	}
	return h, nil
}

// unmarked is a resolution's error as one that undoes the whole decision, also where it is marked to be kept. A person
// cannot be handed over to another person: that is a mistake of the flow.
func unmarked(kind string, err error) error {
	if h, ok := errors.AsType[journey.Handover](err); ok {
		return fmt.Errorf("cannot settle an assist of kind %s: its resolution hands over as %s", kind, h.Kind)
	}
	_, outcome := ledger.IsKept(err)
	return outcome
}

// sealed seals the reason with the data key of the assist's run and opens the facts with it. Where the run was erased
// there is neither: a reason may hold personal data.
func sealed(tx *ledger.Tx, w work, a ledger.Assist) (reason, facts []byte, err error) {
	run, found, err := ledger.FindRun(tx, a.Run)
	if err != nil || !found || len(run.Key) == 0 {
		return nil, nil, err
	}
	box, err := w.rt.Ledger.Keys().OpenBox(run.Key)
	if err != nil {
		return nil, nil, err
	}
	if facts, err = journey.OpenFacts(w.rt.Ledger.Keys(), run.Key, a.Facts); err != nil {
		return nil, nil, err
	}
	return box.Seal([]byte(w.reason), sealedReason), facts, nil
}
