package citizen

import (
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

type accessesBody struct {
	Accesses []accessBody `json:"accesses"`
	Next     string       `json:"next,omitzero"` // the cursor of the next page
}

type accessBody struct {
	Journey   string     `json:"journey"`
	Plan      string     `json:"plan"`
	Venue     string     `json:"venue"`
	StartedAt time.Time  `json:"started_at"`
	Told      []toldBody `json:"told"`
}

type toldBody struct {
	System  string    `json:"system"`
	Fields  []string  `json:"fields"`
	Purpose string    `json:"purpose"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	Times   int       `json:"times"`
}

type feedbackBody struct {
	Journey string    `json:"journey"`
	Rating  int       `json:"rating"`
	At      time.Time `json:"at"`
}

// sayAccess puts an access into words. at is the journey's venue, nil where the configuration has it no more.
func sayAccess(a ledger.Access, at *gateway.Venue, purposes map[string]gateway.Text, lang string) accessBody {
	b := accessBody{Journey: a.ID, Plan: a.Plan, Venue: a.Venue, StartedAt: flow.At(at, a.StartedAt)}
	for _, t := range a.Told {
		if said, known := purposes[t.Purpose]; known {
			t.Purpose = said.In(lang)
		}
		b.Told = append(b.Told, toldBody{System: t.System, Fields: t.Fields, Purpose: t.Purpose,
			FirstAt: flow.At(at, t.First), LastAt: flow.At(at, t.Last), Times: t.Times})
	}
	return b
}
