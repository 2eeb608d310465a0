package flow

import (
	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Said is a journey's good outcome in words.
type Said struct {
	Status int // 201, 200
	Body   any // encoded as JSON
}

// Serve makes an edge handler of a plan. read turns the request into the plan's input; its errors are answered and leave
// nothing behind. say puts a good outcome into words; it is pure and may run again. Refusals and assists are put into
// words here, the same for every journey.
func Serve[In, Out any](
	rt *Runtime, plan *journey.Live[In, Out], read func(x *edge.Exchange) (In, error),
	say func(o journey.Outcome[Out], lang string) Said,
) func(x *edge.Exchange) error {
	return func(x *edge.Exchange) error {
		in, err := read(x)
		if err != nil {
			return err
		}
		return Run(rt, x, x.Venue(), plan, in, say)
	}
}

// Run is the second half of Serve, for a call whose address does not name its venue.
func Run[In, Out any](
	rt *Runtime, x *edge.Exchange, at *gateway.Venue, plan *journey.Live[In, Out], in In,
	say func(o journey.Outcome[Out], lang string) Said,
) error {
	req := x.Request()
	req.Venue = at
	req.Bindings = rt.Bindings(at.ID)
	answer, err := plan.Run(rt.Engine, req, in, func(o journey.Outcome[Out]) journey.Answer {
		return render(o, req.Lang, say)
	})
	if err != nil {
		return err
	}
	x.Answer(answer)
	return nil
}

func render[Out any](o journey.Outcome[Out], lang string, say func(journey.Outcome[Out], string) Said) journey.Answer {
	switch {
	case o.Err != nil:
		if !o.Kept { // nothing was begun, so there is no journey to point to
			status, body := edge.RenderProblem(o.Err, lang, "urn:uuid:"+o.ID)
			return journey.Answer{Status: status, Body: body, Err: o.Err}
		}
		return edge.Refusal(o.Err, lang, o.ID)
	case o.Assist != nil:
		return encoded(202, handedOver{
			Journey: o.ID, Decision: "wait", Assist: assistSaid{ID: o.Assist.ID, Kind: o.Assist.Kind, State: o.Assist.State},
			Message: waitForStaff.In(lang), Sources: o.Sources,
		})
	}
	s := say(o, lang)
	return encoded(s.Status, s.Body)
}

// handedOver is the body of a 202: a person decides.
type handedOver struct {
	Journey  string           `json:"journey"`
	Decision string           `json:"decision"`
	Message  string           `json:"message"`
	Assist   assistSaid       `json:"assist"`
	Sources  []gateway.Source `json:"sources,omitempty"`
}

type assistSaid struct {
	ID    string             `json:"id"`
	Kind  string             `json:"kind"`
	State ledger.AssistState `json:"state"`
}

var waitForStaff = gateway.Text{Zh: "请稍候，工作人员马上来协助您", En: "Please wait a moment: a member of staff is coming to help you"}

func encoded(status int, body any) journey.Answer {
	b, err := json.Marshal(body)
	if err != nil { // the flows' own types: this is a mistake in the program
		e := gateway.AsError(err)
		status, b = edge.RenderProblem(e, gateway.LangEn, "")
		return journey.Answer{Status: status, Body: b, Err: e}
	}
	return journey.Answer{Status: status, Body: b}
}
