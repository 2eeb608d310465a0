package assist

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// assistBody is an assist as staff see it. The facts are told to the one who has claimed it alone.
type assistBody struct {
	ID          string             `json:"id"`
	Seq         int64              `json:"seq"`
	Journey     string             `json:"journey"`
	Plan        string             `json:"plan"`
	Kind        string             `json:"kind"`
	Venue       string             `json:"venue"`
	State       ledger.AssistState `json:"state"`
	Done        []string           `json:"done"`
	NotDone     []string           `json:"not_done"`
	Tried       []string           `json:"tried"`
	NextAction  string             `json:"next_action"`
	Resolutions []resolutionName   `json:"resolutions"`
	OpenedAt    time.Time          `json:"opened_at"`
	ClaimedBy   string             `json:"claimed_by,omitempty"`
	ClaimedAt   time.Time          `json:"claimed_at,omitzero"`
	ResolvedBy  string             `json:"resolved_by,omitempty"`
	ResolvedAt  time.Time          `json:"resolved_at,omitzero"`
	Resolution  string             `json:"resolution,omitempty"`
	Facts       jsontext.Value     `json:"facts,omitempty"`
	Result      any                `json:"result,omitempty"`
}

type resolutionName struct {
	Resolution string `json:"resolution"`
	Name       string `json:"name"`
}

type listBody struct {
	Assists []assistBody `json:"assists"`
	Next    int64        `json:"next"` // the after of the next page
}

type journeyBody struct {
	ID        string         `json:"id"`
	Plan      string         `json:"plan"`
	Venue     string         `json:"venue"`
	State     string         `json:"state"`
	StartedAt time.Time      `json:"started_at"`
	EndedAt   time.Time      `json:"ended_at,omitzero"`
	Status    int            `json:"status,omitempty"` // of the answer
	Answer    jsontext.Value `json:"answer,omitempty"`
	Assists   []journeyHelp  `json:"assists"`
}

type journeyHelp struct {
	ID         string             `json:"id"`
	Kind       string             `json:"kind"`
	State      ledger.AssistState `json:"state"`
	Resolution string             `json:"resolution,omitempty"`
}

func (d *door) say(a ledger.Assist, facts []byte, result any, lang string) assistBody {
	b := assistBody{
		ID: a.ID, Seq: a.Seq, Journey: a.Run, Plan: a.Plan, Kind: a.Kind, Venue: a.Venue, State: a.State, Done: words(a.Done),
		NotDone: words(a.NotDone), Tried: words(a.Tried), NextAction: a.NextAction.In(lang), Resolutions: []resolutionName{},
		OpenedAt: a.OpenedAt, ClaimedBy: a.ClaimedBy, ClaimedAt: a.ClaimedAt, ResolvedBy: a.ResolvedBy, ResolvedAt: a.ResolvedAt,
		Resolution: a.Resolution, Facts: facts, Result: result,
	}
	if a.State != ledger.AssistResolved {
		for _, r := range d.resolutions(a.Kind) {
			b.Resolutions = append(b.Resolutions, resolutionName{Resolution: r.Word, Name: r.Name.In(lang)})
		}
	}
	return b
}

func words(w []string) []string {
	if w == nil {
		return []string{}
	}
	return w
}

// assistsOf lists what help a run has needed.
func assistsOf(q ledger.Querier, run string) ([]journeyHelp, error) {
	help := []journeyHelp{}
	rows, err := q.Query(`SELECT id, kind, state, resolution FROM assists WHERE run = $1 ORDER BY opened_at, kind`, run)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h journeyHelp
		if err := rows.Scan(&h.ID, &h.Kind, &h.State, &h.Resolution); err != nil {
			return nil, err
		}
		help = append(help, h)
	}
	return help, rows.Err()
}

// boxOf opens the data key of the run that an assist belongs to; false where it was erased.
func boxOf(q ledger.Querier, w Work, run string) (seal.Box, bool, error) {
	row, found, err := ledger.FindRun(q, run)
	if err != nil || !found || len(row.Key) == 0 {
		return seal.Box{}, false, err
	}
	box, err := w.rt.Ledger.Keys().OpenBox(row.Key)
	return box, err == nil, err
}

func openFacts(q ledger.Querier, w Work, a ledger.Assist) ([]byte, error) {
	row, found, err := ledger.FindRun(q, a.Run)
	if err != nil || !found || len(row.Key) == 0 || len(a.Facts) == 0 {
		return nil, err
	}
	return journey.OpenFacts(w.rt.Ledger.Keys(), row.Key, a.Facts)
}

func asProblem(err error, into **gateway.Error) bool { return errors.As(err, into) }

func untilDeadline(x *edge.Exchange) (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.Background(), x.Deadline())
}
