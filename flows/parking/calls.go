package parking

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/seal"
)

// calls are the journey's calls of the API.
type calls struct {
	entries *journey.Live[Passage, Decided]
	exits   *journey.Live[Passage, Decided]
}

func (c *calls) routes(rt *flow.Runtime) []edge.Route {
	at := func(r edge.Route, last string) edge.Route {
		r.Path, r.Venue, r.VenueKind = "/v1/parking-lots/{lot}/"+last, "lot", Kind
		r.Method, r.Scope, r.Idempotent, r.Looks = http.MethodPost, "parking:gate", true, true
		return r
	}
	read := func(kind string) func(x *edge.Exchange) (Passage, error) {
		return func(x *edge.Exchange) (Passage, error) { return readPassage(x, rt.Ledger.Keys(), kind) }
	}
	return []edge.Route{
		at(edge.Route{
			Name: planEntry, Journey: planEntry, Priority: limit.Critical, Budget: c.entries.Budget, Shortest: c.entries.Shortest,
			Serve: flow.Serve(rt, c.entries, read(kindEntry), sayEntry),
		}, "entries"),
		at(edge.Route{
			Name: planExit, Journey: planExit, Priority: limit.NeverShed, Budget: c.exits.Budget, Shortest: c.exits.Shortest,
			Serve: flow.ServeUnkept(rt, c.exits, read(kindExit), sayExit, sayUnkept),
		}, "exits"),
	}
}

// eventBody is one event of a barrier: the body of POST …/entries and …/exits.
type eventBody struct {
	Gate       string  `json:"gate"`
	EventID    string  `json:"event_id"`
	OccurredAt *string `json:"occurred_at"`
	Plate      string  `json:"plate"`
	Vehicle    string  `json:"vehicle"`
}

// batchBody is several events that a barrier had kept.
type batchBody struct {
	Events []eventBody `json:"events"`
}

// The vehicles that a barrier tells apart; left out: a car.
const (
	vehicleCar        = "car"
	vehicleLarge      = "large"
	vehicleMotorcycle = "motorcycle"
)

// readPassage reads one event or several. What is wrong with one of several is told with that one: the others count.
func readPassage(x *edge.Exchange, keys *seal.Keys, kind string) (Passage, error) {
	v := x.Venue()
	in := Passage{Journey: x.JourneyID(), Lot: v.ID, Kind: kind, Received: x.Arrived().In(v.Location), By: ledger.Actor(x.Principal()), venue: v, keys: keys}
	if isBatch(x.Body()) {
		var body batchBody
		if err := x.Decode(&body); err != nil {
			return in, err
		}
		switch n := len(body.Events); {
		case n == 0:
			return in, edge.FieldMissing("events")
		case n > maxEvents:
			return in, edge.FieldInvalid("events", fmt.Sprintf("最多 %d 条", maxEvents), fmt.Sprintf("At most %d at once; there are %d.", maxEvents, n))
		}
		in.Batch = true
		for _, b := range body.Events {
			e, err := in.readEvent(b)
			if err != nil {
				e.ID, e.refused = b.EventID, gateway.AsError(err)
			}
			in.Events = append(in.Events, e)
		}
		return in, nil
	}
	var body eventBody
	if err := x.Decode(&body); err != nil {
		return in, err
	}
	e, err := in.readEvent(body)
	in.Events = []Event{e}
	return in, err
}

// isBatch reports whether a body's first member is "events": such a body is read as a batch, every other as one event.
func isBatch(body []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	t, err := d.ReadToken()
	return err == nil && t.Kind() == '"' && t.String() == "events"
}

// readEvent reads one event and refuses what cannot be one.
func (in Passage) readEvent(b eventBody) (Event, error) {
	settings := settingsOf(in.venue)
	e := Event{ID: b.EventID, Gate: b.Gate, At: in.Received, Vehicle: b.Vehicle}
	switch {
	case b.Gate == "":
		return e, edge.FieldMissing("gate")
	case b.EventID == "":
		return e, edge.FieldMissing("event_id")
	case !flow.IsName(b.EventID):
		return e, edge.FieldInvalid("event_id", "须为 1 至 64 个字母、数字或 . - _ :", "It must be 1 to 64 letters, digits, dots, dashes, underscores or colons.")
	case !slices.Contains(settings.Gates, b.Gate):
		return e, ProblemGateUnknown.Error(gateway.Text{}).WithField("gate")
	case b.Vehicle != "" && b.Vehicle != vehicleCar && b.Vehicle != vehicleLarge && b.Vehicle != vehicleMotorcycle:
		return e, edge.FieldInvalid("vehicle", "须为 car、large 或 motorcycle", "It must be car, large or motorcycle, or be left out.")
	case in.Batch && b.OccurredAt == nil:
		return e, edge.FieldMissing("occurred_at")
	}
	var err error
	if e.At, err = in.readTime(b.OccurredAt, settings); err != nil {
		return e, err
	}
	p, err := readPlate("plate", b.Plate)
	if err != nil {
		return e, err
	}
	e.Plate, e.Electric = hashPlate(in.keys, in.venue.Tenant, p), p.Electric()
	e.Digest = in.digest(e, b)
	e.DataKey, e.Sealed, err = sealPlate(in.keys, p)
	return e, err
}

// digest is what an event's content is known by.
func (in Passage) digest(e Event, b eventBody) []byte {
	at := ""
	if b.OccurredAt != nil {
		at = fmt.Sprint(e.At.UnixMilli())
	}
	sum := in.keys.Hash("parking-event", []byte(in.Lot), []byte(in.Kind), []byte(e.Gate), e.Plate, []byte(at), []byte(e.Vehicle))
	return sum[:]
}

// readTime reads when an event took place, to the millisecond; without a word it is now.
func (in Passage) readTime(s *string, settings *Settings) (time.Time, error) {
	if s == nil {
		return in.Received.Truncate(time.Millisecond), nil
	}
	at, err := time.Parse(time.RFC3339, strings.ToUpper(*s))
	switch {
	case err != nil:
		return in.Received, edge.FieldInvalid("occurred_at", "须为带时区的时间，如 2026-11-25T08:30:00+08:00", "It must be a time with its offset, like 2026-11-25T08:30:00+08:00 (RFC 3339).")
	case at.After(in.Received.Add(settings.Leeway)):
		return at, clockWrong(fmt.Sprintf("晚于当前时间超过 %s", settings.Leeway), fmt.Sprintf("It is more than %s ahead of the gateway's clock.", settings.Leeway))
	case at.Before(in.Received.Add(-settings.Oldest)):
		return at, clockWrong(fmt.Sprintf("早于当前时间超过 %s", settings.Oldest), fmt.Sprintf("It is more than %s ago.", settings.Oldest))
	}
	return at.Truncate(time.Millisecond), nil
}

func clockWrong(zh, en string) error {
	return ProblemClockWrong.Error(gateway.Text{Zh: zh, En: en}).WithField("occurred_at")
}
