package assist

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// assistBody is an assist as staff see it.
type assistBody struct {
	ID          string             `json:"id"`
	Seq         int64              `json:"seq"`
	Journey     string             `json:"journey"`
	Plan        string             `json:"plan"`
	Kind        string             `json:"kind"`
	Venue       string             `json:"venue"`
	Place       string             `json:"place,omitzero"` // where the citizen waits
	State       ledger.AssistState `json:"state"`
	Done        []stepName         `json:"done"`
	NotDone     []stepName         `json:"not_done"`
	Tried       []string           `json:"tried"`
	NextAction  string             `json:"next_action"`
	Resolutions []resolutionName   `json:"resolutions"` // none once it is resolved
	OpenedAt    time.Time          `json:"opened_at"`
	ReleasedAt  time.Time          `json:"released_at,omitzero"`
	ClaimedBy   string             `json:"claimed_by,omitzero"`
	ClaimedAt   time.Time          `json:"claimed_at,omitzero"`
	ResolvedBy  string             `json:"resolved_by,omitzero"`
	ResolvedAt  time.Time          `json:"resolved_at,omitzero"`
	Resolution  string             `json:"resolution,omitzero"`
	Facts       jsontext.Value     `json:"facts,omitzero"`  // in the clear, for the one who has claimed it
	Result      jsontext.Value     `json:"result,omitzero"` // for the one who has just settled it
}

type resolutionName struct {
	Resolution string `json:"resolution"`
	Name       string `json:"name"`
}

// stepName is an effect of the journey, in words too.
type stepName struct {
	Step  string `json:"step"`
	Name  string `json:"name"`
	Later bool   `json:"later,omitzero"` // the gateway is still bringing it about
}

type listBody struct {
	Assists []assistBody `json:"assists"`
	Next    int64        `json:"next"` // the after of the next page
}

type journeyBody struct {
	ID        string          `json:"id"`
	Plan      string          `json:"plan"`
	Venue     string          `json:"venue"`
	State     ledger.RunState `json:"state"` // or stateSettled
	StartedAt time.Time       `json:"started_at"`
	EndedAt   time.Time       `json:"ended_at,omitzero"`
	SettledAt time.Time       `json:"settled_at,omitzero"`
	Status    int             `json:"status,omitzero"`   // of the answer
	Answer    jsontext.Value  `json:"answer,omitzero"`   // gone once the run is erased
	Decision  string          `json:"decision,omitzero"` // a person's: what a machine that waits is to do now
	Assists   []journeyHelp   `json:"assists"`
}

// stateSettled is the state of a journey that ended in an assist, once people have seen to all that it left to them.
const stateSettled ledger.RunState = "settled"

type journeyHelp struct {
	ID         string             `json:"id"`
	Kind       string             `json:"kind"`
	State      ledger.AssistState `json:"state"`
	Resolution string             `json:"resolution,omitzero"`

	at   time.Time // it was resolved; zero: not yet
	here bool      // the citizen waits where this journey does, as far as is known
}

// say puts an assist into words, without facts and result. at is its venue, nil where the configuration has it no more.
func (d *door) say(a ledger.Assist, at *gateway.Venue, lang string) assistBody {
	b := assistBody{
		ID: a.ID, Seq: a.Seq, Journey: a.Run, Plan: a.Plan, Kind: a.Kind, Venue: a.Venue, Place: a.Place, State: a.State, Done: d.named(a.Plan, a.Done, lang),
		NotDone: d.named(a.Plan, a.NotDone, lang), Tried: words(a.Tried), NextAction: a.NextAction.In(lang), Resolutions: []resolutionName{},
		OpenedAt: flow.At(at, a.OpenedAt), ReleasedAt: flow.At(at, a.ReleasedAt), ClaimedBy: a.ClaimedBy, ClaimedAt: flow.At(at, a.ClaimedAt),
		ResolvedBy: a.ResolvedBy, ResolvedAt: flow.At(at, a.ResolvedAt), Resolution: a.Resolution,
	}
	if a.State == ledger.AssistResolved {
		return b
	}
	for _, r := range d.resolutions(a.Kind) {
		b.Resolutions = append(b.Resolutions, resolutionName{Resolution: r.Word, Name: r.Name.In(lang)})
	}
	return b
}

// named puts steps of a plan into words: each once, and by its name alone where the program has the plan no more.
func (d *door) named(plan string, steps []string, lang string) []stepName {
	names := []stepName{}
	for _, step := range steps {
		step, later := strings.CutSuffix(step, journey.LeftToOutbox)
		n := stepName{Step: step, Name: step, Later: later}
		if say, ok := d.steps[plan][step]; ok {
			n.Name = say.In(lang)
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// words is a list that is there also where it is empty.
func words(w []string) []string {
	if w == nil {
		return []string{}
	}
	return w
}

// assistsOf lists what help a run has needed, the first one first.
func assistsOf(q ledger.Querier, run string) ([]journeyHelp, error) {
	waits, err := ledger.WaitsOf(q, run)
	if err != nil {
		return nil, err
	}
	help := []journeyHelp{}
	for _, w := range waits {
		help = append(help, journeyHelp{ID: w.ID, Kind: w.Kind, State: w.State, Resolution: w.Resolution, at: w.ResolvedAt, here: w.Here})
	}
	return help, nil
}
