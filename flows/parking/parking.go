// Package parking lets a car out at once and has its bill paid later: the barrier opens now, and no bill is lost or charged
// twice.
//
// # How an entry ends
//
//	open               201  the car is inside
//	payment-required   200  it owes more than the lot's policy allows; the barrier stays shut, nothing is open
//	refused            4xx  the event cannot be one; nothing is left behind
//	not recorded       503  the ledger is unavailable
//
// # How an exit ends
//
//	open, recorded      201  the visit and its bill are in the ledger, in one commit; or the exit is parked
//	open, not recorded  200  the ledger is unavailable: the barrier opens, keeps the event and sends it again
//	refused             4xx  the event cannot be one
//
// Neither asks anybody. What the city and the payment provider are told, and asked to collect, is left to the outbox in the
// very commit; whether a bill may be collected later they have said while the car was inside.
//
// # What events come to
//
// A barrier's events come late, twice, in any order. An event's natural key is (lot, event_id): the same event again gets
// the same answer, the id with another content is refused. What visits there are follows from the events alone, in the
// order in which they took place, never from the order in which they came:
//
//   - Readings of one car in one direction within same_pass of each other are one passage; the first counts.
//   - An exit belongs to the entry right before it. That pair is a visit, and has exactly one bill.
//   - An exit with no entry right before it is parked, and opens like any other. When its entry comes it is a visit with a
//     bill; where none comes within parked_for, a person looks.
//   - Entry twice: where another entry follows without an exit between, nobody has seen the car leave. The first visit is
//     "unseen": it has no bill, until its exit comes.
//   - Exit twice: the second one, past same_pass, has no entry right before it, and is parked.
//   - Two visits read as one long stay, because an exit and an entry were missed: when the entry comes, the bill of the exit
//     is corrected to the second visit; when the exit comes, the first visit gets a bill of its own.
//   - A plate that was misread: staff give the event its right plate. It leaves the visits of the one plate and takes its
//     place in those of the other; both are brought in line.
//   - A plate that is bound to someone else: whoever says that it is theirs waits for a person, who looks. It is theirs from
//     the time on that the person then says, and nobody else's.
//   - A plate that changes hands: a bill belongs to whoever had the plate when the car left, so older ones stay with the one
//     before. Where staff have corrected a plate, it belongs to whoever has the right one.
//
// A bill that turns out to be another one is corrected through the books, by a movement of the difference, whatever its
// state; what it was stays in parking_corrections. Where more was paid than it now comes to, a person gives it back. A
// bill whose visit turns out to be none is corrected to nothing.
//
// # What a visit costs beside its time
//
// Monthly passes (passes.go) and what was paid inside the lot (passes_paid.go) are looked up by the exit, in the same commit.
// Once nobody needs to know any more whose a visit was, that is forgotten (retention.go).
package parking

import (
	"context"
	"embed"
	"io/fs"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

//go:embed openapi.yaml
var document []byte

// Kind is the kind of venue that this journey serves.
const Kind = "parking-lot"

// New returns the journey for the program.
func New() (*flow.Flow, error) { return declare(lookEvery) }

// declare declares the journey, with a clerk that looks so often for what is due.
func declare(look time.Duration) (*flow.Flow, error) {
	ops := newOperations()
	entries, err := ops.passPlan(planEntry, stepEnter)
	if err != nil {
		return nil, err
	}
	exits, err := ops.passPlan(planExit, stepLeave)
	if err != nil {
		return nil, err
	}
	c := &calls{entries: journey.NewLive(entries), exits: journey.NewLive(exits)}
	reached := &tills{}
	people, err := newCitizens(reached)
	if err != nil {
		return nil, err
	}
	monthly, err := newPasses()
	if err != nil {
		return nil, err
	}
	stations, err := newPrepaid(reached)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	return &flow.Flow{
		Name: "parking", Document: document, Migrations: []ledger.Migrations{{Name: "parking", FS: files}},
		Plans:    append([]flow.Plan{c.entries, c.exits, monthly.words, stations.reports}, people.plans()...),
		Problems: slices.Concat(problems(), citizenProblems(), []*gateway.Problem{ProblemPassUnknown, ProblemReferenceReused, ProblemVisitUnknown}),
		Venues:   &flow.VenueKind{Kind: Kind, Settings: readSettings, Roles: connectors{ops, reached, inTurn(max(1, runtime.GOMAXPROCS(0)/2))}.add(ops.roles())},
		Routes: func(rt *flow.Runtime) []edge.Route {
			return slices.Concat(c.routes(rt), monthly.routes(rt), stations.routes(rt), people.routes(rt))
		},
		Assists: slices.Concat(assists(), citizenAssists(), prepaidAssists()),
		Steps:   stepWords(), Purposes: purposes(), Tasks: taskWords(), Errands: []flow.Errand{reconcileErrand(reached)},
		Work: func(ctx context.Context, rt *flow.Runtime) error {
			clerk := &clerk{tills: reached, every: look}
			var all sync.WaitGroup
			defer all.Wait()
			all.Go(func() { clerk.run(ctx, rt) })
			all.Go(func() { watchPrepaid(ctx, rt) })
			all.Go(func() { forgetter{rt}.run(ctx) })
			return watchParked(ctx, rt)
		},
	}, nil
}

// roles are the systems that a lot is connected to, and how each connector plays its role.
func (o operations) roles() map[string]map[string]flow.Connect {
	return map[string]map[string]flow.Connect{
		"city":    {"none": o.connectNoCity},
		"payment": {"none": o.connectNoPayment},
	}
}

// silent is the effect at a lot that has no such system: there is nobody to tell.
func silent[A any](in *call.Instance, w *call.Write[A, Told], b *call.Bindings) {
	call.BindWrite(b, w, in, call.Effect[A, Told]{
		Do:   func(context.Context, string, A) (Told, error) { return Told{}, nil },
		Find: func(context.Context, string, A) (Told, bool, error) { return Told{}, true, nil }, Silent: true,
	})
}

// connectNoCity is the connector "none": the lot reports to no city.
func (o operations) connectNoCity(_ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	silent(to.Instance, o.carIn, b)
	silent(to.Instance, o.carOut, b)
	silent(to.Instance, o.apply, b)
	silent(to.Instance, o.received, b)
	return func() {}, nil
}

// connectNoPayment is the connector "none": nobody collects for the lot, every citizen pays by hand.
func (o operations) connectNoPayment(_ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	silent(to.Instance, o.announce, b)
	silent(to.Instance, o.charge, b)
	return func() {}, nil
}
