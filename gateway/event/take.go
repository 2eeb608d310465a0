package event

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

// fate is what became of one event.
type fate struct {
	fate  flow.Fate
	wrong *gateway.Error // it was refused
}

// takeAll takes events about v, each by itself, and has the other replicas hear of what was taken.
func (d *door) takeAll(rt *flow.Runtime, v *gateway.Venue, all []jsontext.Value) []fate {
	fates := make([]fate, len(all))
	var taken []jsontext.Value
	for i, raw := range all {
		f, err := d.take(rt, v, raw)
		if err != nil {
			fates[i].wrong = gateway.AsError(err)
			continue
		}
		if fates[i].fate = f; f == flow.Taken {
			taken = append(taken, raw)
		}
	}
	if rt.Fleet != nil && len(taken) > 0 {
		if message, err := json.Marshal(heard{v.ID, taken}); err == nil { // it always is: all of it was JSON
			rt.Fleet.Tell(topic, message)
		}
	}
	return fates
}

// take takes one event. What a refusal says can be told to the venue's system.
func (d *door) take(rt *flow.Runtime, v *gateway.Venue, raw []byte) (flow.Fate, error) {
	e, wrong := parse(raw)
	if wrong != nil {
		return "", wrong
	}
	t, there := d.types[e.Type]
	if !there || t.kind != v.Kind {
		return "", ProblemTypeUnknown.Error(d.typesOf(v.Kind)).WithField("type")
	}
	now := rt.Now()
	if wrong := inTime(e.Time, now); wrong != nil {
		return "", wrong
	}
	key, content := keyOf(v.ID, e), contentOf(e)
	if before, known := d.seen.find(key); known {
		if before != content {
			return "", ProblemChanged.Error(gateway.Text{
				Zh: "每个事件须有自己的编号。", En: "Each event needs an id of its own."}).WithField("id")
		}
		return flow.Known, nil
	}
	f, err := t.take(rt, v, e)
	if err != nil {
		return "", err
	}
	d.seen.add(key, content, now)
	return f, nil
}

// typesOf says which types are taken about venues of a kind.
func (d *door) typesOf(kind string) gateway.Text {
	zh, en := "此地点不接收事件。", "No events are taken for this place."
	var names []string
	for name, t := range d.types {
		if t.kind == kind {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		if i == 0 {
			zh, en = "可用的类型："+name, "It takes "+name
			continue
		}
		zh, en = zh+"、"+name, en+", "+name
	}
	if len(names) > 0 {
		zh, en = zh+"。", en+"."
	}
	return gateway.Text{Zh: zh, En: en}
}

// inTime refuses what has not happened yet and what happened too long ago.
func inTime(at, now time.Time) *gateway.Error {
	switch ahead := at.Sub(now); {
	case ahead > MaxAhead:
		e := ProblemFuture.Error(gateway.Text{
			Zh: "时间最多可比当前时间早到 10 秒；请校准时钟。", En: "It may be 10 seconds ahead of our clock; set yours."}).WithField("time")
		if ahead-MaxAhead < time.Hour {
			return e.WithRetryAfter(ahead - MaxAhead)
		}
		return e
	case ahead < -MaxAge:
		return ProblemAncient.Error(gateway.Text{
			Zh: "最多可为 24 小时之前；更早的情况会直接向系统查询。", En: "It may be 24 hours old; what is older is asked of the system itself."}).WithField("time")
	}
	return nil
}

const topic = "events" // at the fleet

// heard is what one replica tells the others.
type heard struct {
	Venue  string           `json:"venue"`
	Events []jsontext.Value `json:"events"`
}

// listen hears what other replicas have taken, until the gateway ends. What is refused here had better be taken nowhere,
// or comes from a replica with another configuration: it is left out.
func (d *door) listen(_ context.Context, rt *flow.Runtime) error {
	if rt.Fleet == nil {
		return nil
	}
	rt.Fleet.Hear(topic, func(whole bool) {
		d.seen.clear() // what is told again may now count for more than it did
		for _, tell := range d.whole {
			tell(whole)
		}
	}, func(message []byte) {
		var m heard
		if err := json.Unmarshal(message, &m); err != nil {
			rt.Logger.Warn("another replica told something that is no event", "error", errors.New("no JSON of that kind"))
			return
		}
		v := rt.Venue(m.Venue)
		if v == nil {
			return
		}
		for _, raw := range m.Events {
			if _, err := d.take(rt, v, raw); err != nil {
				rt.Logger.Warn("an event that another replica has taken is refused here", "venue", v.ID, "problem", gateway.AsError(err).Problem.Type)
			}
		}
	})
	return nil
}
