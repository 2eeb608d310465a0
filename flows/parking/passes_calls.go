package parking

import (
	"net/http"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// ProblemPassUnknown is what an operator hears of a pass that nothing was ever said of.
var ProblemPassUnknown = &gateway.Problem{Type: "parking-pass-unknown", Kind: gateway.NotFound, Title: gateway.Text{
	Zh: "没有这张月卡", En: "There is no such pass"}}

const (
	planPass    = "parking-monthly-pass"
	scopePasses = "parking:passes" // of the system with which a lot's operator sells passes; it may do nothing else
)

// passes are the calls with which a lot's operator says which monthly passes there are.
type passes struct{ words *journey.Live[PassWord, Pass] }

func newPasses() (*passes, error) {
	words, err := recordPlan(planPass, holdPass)
	return &passes{words}, err
}

func (c *passes) routes(rt *flow.Runtime) []edge.Route {
	at := func(method, name, path string, serve func(*edge.Exchange, *flow.Runtime) error) edge.Route {
		r := edge.Route{Method: method, Name: name, Path: path, Scope: scopePasses, Venue: "lot", VenueKind: Kind, Priority: limit.Normal,
			Serve: func(x *edge.Exchange) error { return serve(x, rt) }}
		if method == http.MethodGet {
			r.Query, r.Priority = []string{"cursor", "limit"}, limit.Low
			return r
		}
		r.Journey, r.Budget, r.Shortest = planPass, c.words.Budget, c.words.Shortest
		return r
	}
	const one = "/v1/parking-lots/{lot}/passes/{id}"
	return []edge.Route{
		at(http.MethodGet, "parking-passes", "/v1/parking-lots/{lot}/passes", c.list),
		at(http.MethodPut, "parking-pass-put", one, c.put),
		at(http.MethodDelete, "parking-pass-end", one, c.end),
	}
}

type passSaid struct {
	ID      string    `json:"id"`
	Plate   string    `json:"plate,omitempty"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Ended   time.Time `json:"ended_at,omitzero"`
	Made    time.Time `json:"made_at"`
	MadeBy  string    `json:"made_by"`
	Changed bool      `json:"changed,omitzero"`
}

func sayPass(p Pass, at *gateway.Venue) passSaid {
	return passSaid{ID: p.ID, Plate: p.Plate, From: flow.At(at, p.From), Until: flow.At(at, p.Until), Ended: flow.At(at, p.Ended), Made: flow.At(at, p.Made),
		MadeBy: p.MadeBy, Changed: p.Changed}
}

// put says what holds of a pass from now on.
func (c *passes) put(x *edge.Exchange, rt *flow.Runtime) error {
	var body struct {
		Plate string     `json:"plate"`
		From  *time.Time `json:"from"`
		Until *time.Time `json:"until"`
	}
	if err := x.Decode(&body); err != nil {
		return err
	}
	w, err := readPassID(x)
	if err != nil {
		return err
	}
	switch {
	case body.From == nil:
		return edge.FieldMissing("from")
	case body.Until == nil:
		return edge.FieldMissing("until")
	}
	w.From, w.Until = body.From.Truncate(time.Millisecond), body.Until.Truncate(time.Millisecond)
	early, late := x.Arrived().AddDate(-passYears, 0, 0), x.Arrived().AddDate(passYears, 0, 0)
	switch {
	case w.From.Before(early) || w.From.After(late):
		return edge.FieldInvalid("from", "须在三十年之内", "It must be within thirty years of now.")
	case !w.Until.After(w.From) || w.Until.Sub(w.From) > maxPassTime:
		return edge.FieldInvalid("until", "须晚于 from，且不超过十年", "It must be after from, and at most 3660 days after it.")
	}
	p, err := readPlate("plate", body.Plate)
	if err != nil {
		return err
	}
	w.plate = hashPlate(rt.Ledger.Keys(), w.venue.Tenant, p)
	if w.dataKey, w.sealed, err = sealPlate(rt.Ledger.Keys(), p); err != nil {
		return err
	}
	return flow.Run(rt, x, w.venue, c.words, w, sayWord(w.venue))
}

// end ends a pass now.
func (c *passes) end(x *edge.Exchange, rt *flow.Runtime) error {
	w, err := readPassID(x)
	if err != nil {
		return err
	}
	w.End = true
	err = flow.View(rt, x, func(q ledger.Querier) error { // what is unknown leaves nothing behind
		last, err := lastWord(q, w.venue.ID, w.ID)
		if err == nil && last == nil {
			err = ProblemPassUnknown.Error(gateway.Text{})
		}
		return err
	})
	if err != nil {
		return err
	}
	return flow.Run(rt, x, w.venue, c.words, w, sayWord(w.venue))
}

func sayWord(at *gateway.Venue) func(o journey.Outcome[Pass], lang string) flow.Said {
	return func(o journey.Outcome[Pass], _ string) flow.Said {
		return flow.Said{Status: http.StatusOK, Body: sayPass(o.Value, at)}
	}
}

func readPassID(x *edge.Exchange) (PassWord, error) {
	w := PassWord{Journey: x.JourneyID(), ID: x.Param("id"), venue: x.Venue(), by: ledger.Actor(x.Principal())}
	if !flow.IsName(w.ID) {
		return w, edge.FieldInvalid("id", "须为 1 至 64 个字母、数字或 . - _ :", "It must be 1 to 64 letters, digits, dots, dashes, underscores or colons.")
	}
	return w, nil
}

// How many passes a page may have, and has where the caller does not say.
const (
	passesMost  = 200
	passesUsual = 50
)

// list lists the passes of a lot by their ids, each as its last word has it: those that have ended too, until they are
// forgotten.
func (c *passes) list(x *edge.Exchange, rt *flow.Runtime) error {
	limit := passesUsual
	if text, there := x.Query("limit"); there {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > passesMost {
			return edge.ProblemQueryInvalid.Error(gateway.Text{Zh: "须为 1 至 200 的整数。", En: "It must be a whole number from 1 to 200."}).WithField("query limit")
		}
		limit = n
	}
	after, _ := x.Query("cursor")
	if after != "" && !flow.IsName(after) {
		return edge.ProblemQueryInvalid.Error(gateway.Text{Zh: "须为上一页的 next。", En: "It must be the next of the page before."}).WithField("query cursor")
	}
	var all []*passWord
	err := flow.View(rt, x, func(q ledger.Querier) (err error) {
		all, err = listOf(q, scanPass, `SELECT `+wordColumns+` FROM parking_passes p WHERE venue = $1 AND id > $2
			AND NOT EXISTS (SELECT 1 FROM parking_passes l WHERE l.venue = p.venue AND l.id = p.id AND l.n > p.n) ORDER BY id LIMIT $3`,
			x.Venue().ID, after, limit+1)
		return err
	})
	if err != nil {
		return err
	}
	body := struct {
		Passes []passSaid `json:"passes"`
		Next   string     `json:"next,omitzero"`
	}{Passes: []passSaid{}}
	for i, w := range all {
		if i == limit {
			body.Next = all[i-1].id
			break
		}
		p := w.say()
		if p.Plate, err = openPlate(rt.Ledger.Keys(), w.dataKey, w.sealed); err != nil {
			return err
		}
		body.Passes = append(body.Passes, sayPass(p, x.Venue()))
	}
	return x.JSON(http.StatusOK, body)
}
