// Package event takes what venues' own systems tell on their own: CloudEvents 1.0 over HTTP, structured or batched. It
// holds them against the standard, against the clock, and against what came before, and hands each to the journey that
// takes its type; the other replicas hear of it.
//
// # What becomes of an event
//
//	taken     it counts from now on
//	known     the same source and id came before with the same content, or it says what is known already
//	older     something that happened later is known
//	refused   with a problem; nothing has changed, and the others of its batch are not touched
//
// A batch is taken event by event: one bad event holds up nothing else, and the whole batch may be sent again. Only a body
// that cannot be read as JSON is refused as a whole.
//
// Sources and ids are remembered for an hour at least, of the last 65,536 events at least, and no longer than two hours; they
// are forgotten when events of other replicas may have been missed. What is sent again later is taken by its time: it changes nothing either.
package event

import (
	_ "embed"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/limit"
)

//go:embed openapi.yaml
var document []byte

// How far an event's time may lie from ours.
const (
	MaxAhead = 10 * time.Second // the clock of who tells may be so much ahead
	MaxAge   = 24 * time.Hour   // what happened before that is no news: the system is asked instead
)

// What an event is refused with besides the edge's field problems.
var (
	ProblemTypeUnknown = &gateway.Problem{Type: "event-type-unknown", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "不接收该类型的事件", En: "Events of this type are not taken for this place"}}
	ProblemFuture = &gateway.Problem{Type: "event-in-future", Kind: gateway.Unprocessable, Retryable: true, Title: gateway.Text{
		Zh: "事件时间在未来", En: "The event has not happened yet by our clock"}}
	ProblemAncient = &gateway.Problem{Type: "event-ancient", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "事件过旧", En: "The event happened too long ago"}}
	ProblemChanged = &gateway.Problem{Type: "event-changed", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "同一来源和编号的事件内容不一致", En: "An event of this source and id has come before with another content"}}
)

// New returns the door of events to flows as a flow of its own, named "event".
func New(flows ...*flow.Flow) (*flow.Flow, error) {
	d := &door{types: map[string]taker{}, seen: newSeen()}
	for _, f := range flows {
		for name, take := range f.Events {
			if name == "" || take == nil {
				return nil, fmt.Errorf("cannot declare the events of flow %s: a type without a name, or %q without a function", f.Name, name)
			}
			if f.Venues == nil {
				return nil, fmt.Errorf("cannot declare the events of flow %s: it serves no venues", f.Name)
			}
			if _, twice := d.types[name]; twice {
				return nil, fmt.Errorf("cannot declare the events of flow %s: another flow takes %s", f.Name, name)
			}
			d.types[name] = taker{f.Venues.Kind, take}
		}
		if f.Whole != nil {
			d.whole = append(d.whole, f.Whole)
		}
	}
	return &flow.Flow{
		Name: "event", Document: document,
		Problems: []*gateway.Problem{ProblemTypeUnknown, ProblemFuture, ProblemAncient, ProblemChanged},
		Routes: func(rt *flow.Runtime) []edge.Route {
			return []edge.Route{{
				Method: http.MethodPost, Name: "backend-events", Path: "/v1/backends/{name}/events", Scope: "backend:events",
				Venue: "name", VenueKind: edge.AnyKind, Consumes: edge.AnyMedia, Priority: limit.Low,
				Serve: func(x *edge.Exchange) error { return d.serve(x, rt) },
			}}
		},
		Work: d.listen,
	}, nil
}

// door is where events come in.
type door struct {
	types map[string]taker
	whole []func(bool)
	seen  *seen
}

// taker takes the events of one type about venues of one kind.
type taker struct {
	kind string
	take flow.TakeEvent
}

// serve takes one event or a batch. A single event that is refused is answered with its problem.
func (d *door) serve(x *edge.Exchange, rt *flow.Runtime) error {
	batched, err := mode(x.Header("Content-Type"))
	if err != nil {
		return err
	}
	all := make([]jsontext.Value, 1)
	if err := x.Decode(&all[0]); err != nil {
		return err
	}
	if batched {
		if all, err = split(all[0]); err != nil {
			return err
		}
	}
	fates := d.takeAll(rt, x.Venue(), all)
	if !batched && fates[0].wrong != nil {
		return fates[0].wrong
	}
	body := answer{Events: make([]fateSaid, len(fates))}
	for i, f := range fates {
		body.Events[i].Outcome = string(f.fate)
		if f.wrong != nil {
			body.Events[i].Outcome = "refused"
			_, body.Events[i].Problem = edge.RenderProblem(f.wrong.WithField(inBatch(i, f.wrong.Field)), x.Lang(), "")
		}
	}
	return x.JSON(http.StatusOK, body)
}

// answer says what became of each event, in their order.
type answer struct {
	Events []fateSaid `json:"events"`
}

type fateSaid struct {
	Outcome string         `json:"outcome"`
	Problem jsontext.Value `json:"problem,omitzero"`
}

// The media types of the two modes (HTTP binding of CloudEvents 1.0.2, §3.2 and §3.3).
const (
	structured = "application/cloudevents+json"
	batch      = "application/cloudevents-batch+json"
)

// mode reads from the media type whether the body is a batch. Binary mode, an event whose attributes are headers, has any
// other type, and is refused.
func mode(contentType string) (batched bool, err error) {
	media, parameters, wrong := mime.ParseMediaType(contentType)
	if wrong == nil && isUTF8(parameters) && (media == structured || media == batch) {
		return media == batch, nil
	}
	return false, edge.ProblemMediaTypeUnknown.Error(gateway.Text{
		Zh: "应为 " + structured + " 或 " + batch + "（UTF-8）。不支持 CloudEvents 的二进制模式（属性在 ce- 请求头中）。",
		En: "It must be " + structured + " or " + batch + ", in UTF-8. The binary mode of CloudEvents, with ce- headers, is not taken.",
	}).WithField("header Content-Type")
}

// split returns the events of a batch, unread.
func split(body jsontext.Value) (all []jsontext.Value, err error) {
	if body.Kind() != '[' {
		return nil, edge.ProblemFieldInvalid.Error(gateway.Text{Zh: "批量模式的内容应为数组。", En: "A batch must be an array of events."})
	}
	return all, edge.Decode(body, &all)
}

// inBatch is the path of a field of event i.
func inBatch(i int, field string) string {
	at := "[" + strconv.Itoa(i) + "]"
	if field == "" || field[0] == '[' {
		return at + field
	}
	return at + "." + field
}
