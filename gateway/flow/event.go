package flow

import (
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
)

// Event is something that has happened at a venue, as the venue's own system tells of it (CloudEvents 1.0 §2).
type Event struct {
	Source  string    // a URI-reference: who tells
	ID      string    // names it at its source
	Type    string    // one of the flow's
	Subject string    // "": not said
	Time    time.Time // when it happened, by the clock of who tells
	Data    []byte    // one JSON value; empty: none
}

// Decode reads the event's data as Exchange.Decode reads a body; paths begin with "data". Without data the problem is
// field-missing.
func (e Event) Decode(into any) error {
	if len(e.Data) == 0 {
		return edge.ProblemFieldMissing.Error(gateway.Text{Zh: "此类事件须有 data。", En: "An event of this type needs data."}).WithField("data")
	}
	err := edge.Decode(e.Data, into)
	p, ok := errors.AsType[*gateway.Error](err)
	switch {
	case !ok:
		return err
	case p.Field == "":
		return p.WithField("data")
	case p.Field[0] == '[':
		return p.WithField("data" + p.Field)
	}
	return p.WithField("data." + p.Field)
}

// Fate is what became of an event that was not refused.
type Fate string

// The fates. None of them is worth telling again.
const (
	Taken Fate = "taken" // it counts from now on
	Known Fate = "known" // it came before, or says what is known already
	Older Fate = "older" // something that happened later is known
)

// TakeEvent takes an event about venue v. Events come late, twice and in any order, also at once, and from other replicas:
// what comes of them must be the same in the end. Only memory may be touched: it must not block. A *gateway.Error is told
// to the venue's system, with the field below the event ("data.night"), and nothing must have changed then.
type TakeEvent func(rt *Runtime, v *gateway.Venue, e Event) (Fate, error)

// Fleet is how the replicas of a gateway tell one another what one of them alone has heard; see package fleet.
type Fleet interface {
	Tell(topic string, message []byte)
	Hear(topic string, whole func(bool), heard func(message []byte))
}
