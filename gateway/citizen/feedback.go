package citizen

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// The bounds of a feedback.
const (
	worst, best = 1, 5
	maxText     = 500 // characters
)

// sealedFeedback is the place that a feedback belongs to; see seal.Box.
const sealedFeedback = "feedback"

// opinion is a feedback as it is sent, and as it is sealed.
type opinion struct {
	Rating int    `json:"rating"`
	Text   string `json:"text,omitzero"`
}

// given is what a citizen gives: the input of journey-feedback, and its outcome. It holds nothing of the exchange.
type given struct {
	run     string
	by      *gateway.Principal
	opinion opinion
	keys    *seal.Keys
	at      time.Time
}

// keep keeps a feedback once for a journey. It is sealed with the data key of the journey that it is about, so that erasing
// that one erases what was said of it.
var keep = &ledger.Decision[given, given]{Name: "citizen.feedback", Run: func(tx *ledger.Tx, g given) (given, error) {
	run, found, err := ledger.FindOwnRun(tx, ledger.OwnerOf(g.keys, g.by), g.run)
	switch {
	case err != nil:
		return g, err
	case !found:
		return g, ledger.Keep(assist.ProblemJourneyUnknown.Error(gateway.Text{}))
	case run.State == ledger.RunRunning || run.State == ledger.RunRecovering:
		return g, ledger.Keep(ProblemFeedbackEarly.Error(gateway.Text{}).WithRetryAfter(time.Second))
	case len(run.Key) == 0:
		return g, ledger.Keep(ProblemFeedbackErased.Error(gateway.Text{}))
	}
	plain, err := json.Marshal(g.opinion)
	if err != nil {
		return g, err
	}
	box, err := g.keys.OpenBox(run.Key)
	if err != nil {
		return g, err
	}
	kept, err := tx.KeepFeedback(run.ID, box.Seal(plain, sealedFeedback))
	if err != nil {
		return g, err
	}
	if !kept {
		return g, ledger.Keep(ProblemFeedbackGiven.Error(gateway.Text{}))
	}
	g.at = tx.Now()
	return g, nil
}}

// feedback finds the journey, whose venue the plan runs for, and keeps what the caller thinks of it.
func feedback(x *edge.Exchange, rt *flow.Runtime, plan *journey.Live[given, given]) error {
	g := given{run: x.Param("id"), by: x.Principal(), keys: rt.Ledger.Keys()}
	var err error
	if g.opinion, err = readOpinion(x); err != nil {
		return err
	}
	var run ledger.Run
	err = flow.View(rt, x, func(q ledger.Querier) (err error) {
		var found bool
		run, found, err = ledger.FindOwnRun(q, ledger.OwnerOf(g.keys, g.by), g.run)
		if err == nil && !found {
			err = assist.ProblemJourneyUnknown.Error(gateway.Text{})
		}
		return err
	})
	if err != nil {
		return err
	}
	at := rt.Venue(run.Venue)
	if at == nil { // it has gone from the configuration
		return gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	return flow.Run(rt, x, at, plan, g, func(o journey.Outcome[given], _ string) flow.Said {
		return flow.Said{Status: http.StatusCreated, Body: feedbackBody{
			Journey: o.Value.run, Rating: o.Value.opinion.Rating, At: flow.At(at, o.Value.at)}}
	})
}

func readOpinion(x *edge.Exchange) (o opinion, err error) {
	if err := x.Decode(&o); err != nil {
		return o, err
	}
	o.Text = strings.TrimSpace(o.Text)
	switch {
	case o.Rating == 0:
		return o, edge.FieldMissing("rating")
	case o.Rating < worst || o.Rating > best:
		return o, edge.ProblemFieldInvalid.Error(gateway.Text{
			Zh: fmt.Sprintf("须为 %d 至 %d 的整数。", worst, best), En: fmt.Sprintf("It must be a whole number from %d to %d.", worst, best),
		}).WithField("rating")
	case utf8.RuneCountInString(o.Text) > maxText:
		return o, edge.ProblemFieldInvalid.Error(gateway.Text{
			Zh: fmt.Sprintf("最多 %d 个字符。", maxText), En: fmt.Sprintf("It may have at most %d characters.", maxText),
		}).WithField("text")
	}
	return o, nil
}
