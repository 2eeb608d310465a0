package flow

import (
	"errors"
	"fmt"
	"net/http"
	"time"

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
// nothing behind. say puts a good outcome into words; it is pure and may run again, and after the exchange has ended, so
// it holds on to nothing of the exchange. Refusals and assists are put into words here, the same for every journey. The
// route has to name its venue.
func Serve[In, Out any](
	rt *Runtime, plan *journey.Live[In, Out], read func(x *edge.Exchange) (In, error),
	say func(o journey.Outcome[Out], lang string) Said,
) func(x *edge.Exchange) error {
	return ServeUnkept(rt, plan, read, say, nil)
}

// ServeUnkept is Serve for a call whose answer must not depend on the ledger. Where nothing of the request could be kept,
// or nobody knows whether it was, unkept says what the machine may do all the same; false: the ledger's problem is answered,
// as without unkept. Such an answer holds no promise: the machine keeps the request and sends it again.
func ServeUnkept[In, Out any](
	rt *Runtime, plan *journey.Live[In, Out], read func(x *edge.Exchange) (In, error),
	say func(o journey.Outcome[Out], lang string) Said, unkept func(in In, lang string) (said Said, ok bool),
) func(x *edge.Exchange) error {
	return func(x *edge.Exchange) error {
		in, err := read(x)
		if err != nil {
			return err
		}
		return run(rt, x, x.Venue(), plan, in, say, unkept)
	}
}

// Run is the second half of Serve, for a call whose address does not name its venue. Where a reload has taken the venue
// away since it was found, the error is venue-unknown; the others are those of journey.Live.Run.
func Run[In, Out any](
	rt *Runtime, x *edge.Exchange, at *gateway.Venue, plan *journey.Live[In, Out], in In,
	say func(o journey.Outcome[Out], lang string) Said,
) error {
	return run(rt, x, at, plan, in, say, nil)
}

// Look takes a call that is of no venue, such as a search of the city, through a plan that keeps nothing, and returns what
// came of it, for the caller to answer. Its gathers say with journey.At whom they ask. Where the answer comes from and
// what each step took is told to the exchange. The error is the plan's refusal.
func Look[In, Out any](rt *Runtime, x *edge.Exchange, plan *journey.Live[In, Out], in In) (found Out, err error) {
	var refusal *gateway.Error
	answer, err := plan.Run(rt.Engine, x.Request(), in, func(o journey.Outcome[Out]) journey.Answer {
		found, refusal = o.Value, o.Err
		return journey.Answer{}
	})
	if err != nil {
		return found, err
	}
	x.Tell(answer)
	if refusal != nil {
		return found, refusal
	}
	return found, nil
}

func run[In, Out any](
	rt *Runtime, x *edge.Exchange, at *gateway.Venue, plan *journey.Live[In, Out], in In,
	say func(o journey.Outcome[Out], lang string) Said, unkept func(in In, lang string) (Said, bool),
) error {
	bindings := rt.Bindings(at.ID)
	if bindings == nil {
		return gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	req := x.Request()
	req.Venue, req.Bindings = at, bindings
	answer, err := plan.Run(rt.Engine, req, in, func(o journey.Outcome[Out]) journey.Answer {
		if unkept != nil && o.Err != nil && o.Err.Problem == gateway.ProblemLedgerUnavailable {
			if said, ok := unkept(in, req.Lang); ok {
				return encode(said, o.ID, req.Lang, false)
			}
		}
		return render(o, at, req.Lang, say)
	})
	if err != nil {
		return err
	}
	x.Answer(answer)
	return nil
}

// At returns t as the people of venue v read it: in the venue's zone, to the millisecond. Where v or its zone is nil it
// is UTC. The zero time stays zero.
func At(v *gateway.Venue, t time.Time) time.Time {
	t = t.Truncate(time.Millisecond)
	if v == nil || v.Location == nil {
		return t.UTC()
	}
	return t.In(v.Location)
}

func render[Out any](o journey.Outcome[Out], at *gateway.Venue, lang string, say func(journey.Outcome[Out], string) Said) journey.Answer {
	said := Said{Status: http.StatusAccepted}
	o.Sources = sourcesAt(at, o.Sources)
	switch {
	case o.Err != nil:
		return refused(o.Err, lang, o.ID, o.Kept)
	case o.Assist != nil:
		said.Body = handedOver{
			Journey: o.ID, Decision: "wait", Assist: assistSaid{ID: o.Assist.ID, Kind: o.Assist.Kind, State: o.Assist.State},
			Message: waitForStaff.In(lang), Sources: o.Sources,
		}
	default:
		said = say(o, lang)
	}
	return encode(said, o.ID, lang, o.Kept)
}

func encode(said Said, id, lang string, kept bool) journey.Answer {
	body, err := json.Marshal(said.Body)
	if err != nil { // a mistake in the program: what has happened stays, and cannot be told
		return refused(gateway.AsError(unspeakable(err)), lang, id, kept)
	}
	return journey.Answer{Status: said.Status, Body: body}
}

// refused puts a problem into words. It points to the journey where the ledger knows it, and else to the request.
func refused(e *gateway.Error, lang, id string, kept bool) journey.Answer {
	if kept {
		return edge.Refusal(e, lang, id)
	}
	status, body := edge.RenderProblem(e, lang, "urn:uuid:"+id)
	return journey.Answer{Status: status, Body: body, Err: e}
}

// unspeakable says which type could not be encoded. The encoder's own words are dropped: they may quote a value.
func unspeakable(err error) error {
	if s, ok := errors.AsType[*json.SemanticError](err); ok && s.GoType != nil {
		return fmt.Errorf("cannot encode an answer: a value of type %v is no JSON", s.GoType)
	}
	return fmt.Errorf("cannot encode an answer: %T", err)
}

// handedOver is the body of a 202: a person decides.
type handedOver struct {
	Journey  string           `json:"journey"`
	Decision string           `json:"decision"`
	Message  string           `json:"message"`
	Assist   assistSaid       `json:"assist"`
	Sources  []gateway.Source `json:"sources,omitzero"`
}

type assistSaid struct {
	ID    string             `json:"id"`
	Kind  string             `json:"kind"`
	State ledger.AssistState `json:"state"`
}

var waitForStaff = gateway.Text{Zh: "请稍候，工作人员马上来协助您", En: "Please wait a moment: a member of staff is coming to help you"}

// sourcesAt returns the sources with their times as the venue's people read them; nil where there are none.
func sourcesAt(v *gateway.Venue, of []gateway.Source) []gateway.Source {
	if len(of) == 0 {
		return nil
	}
	said := make([]gateway.Source, len(of))
	for i, s := range of {
		said[i] = s
		said[i].AsOf = At(v, s.AsOf)
	}
	return said
}
