// Package entry lets visitors into an attraction, within 20 seconds of holding their ticket to the gate.
//
// # How an entry ends
//
//	open           201  let in; ticketing has it redeemed, or the outbox will
//	refused        4xx  one problem for each reason; nothing is left behind
//	a person       202  ticketing does not answer and nothing else vouches for the ticket; or the venue wants a person
//	                    to decide while a redemption is late
//	not recorded   503  the ledger is unavailable: nobody was let in
//
// A ticket is (supplier, unit), whatever was shown for it. It is claimed in the ledger, exactly once for each of its
// visits, and counted inside, before ticketing is asked to redeem it. Ticketing says no: the claim is released in the
// same commit that says so. Without ticketing only a valid issuer's signature admits, or a ticket that was brought into
// the ledger no longer than the venue's max_age ago.
package entry

import (
	"context"
	"embed"
	"io/fs"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

//go:embed openapi.yaml
var document []byte

// Kind is the kind of venue that this journey serves.
const Kind = "attraction"

// Scan is one ticket held to one gate.
type Scan struct {
	Journey string    `json:"journey"`
	Spot    string    `json:"spot"`
	Gate    string    `json:"gate"`
	ID      string    `json:"scan_id"`
	People  int       `json:"people"` // 0: everybody that the ticket is for
	At      time.Time `json:"at"`
	Shown   Shown     `json:"shown"`

	venue *gateway.Venue
}

// Aim is what to ask ticketing for: bookings that are known already, or whatever a reference stands for.
type Aim struct {
	Bookings  []string // by their uuid
	Reference string   // where there are none
	Units     []string // of what is found, these; none: all
}

// Known is what the ledger knows of a shown ticket from the last pre-warming.
type Known struct {
	Tickets []Ticket  `json:"tickets"`
	AsOf    time.Time `json:"as_of,omitzero"` // of the pre-warming; zero: there has been none
}

// Day is what ticketing says of today at this attraction.
type Day struct {
	Open  bool   `json:"open"`
	Slots []Span `json:"slots"`
}

// Span is a stretch of time.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Redemption asks ticketing to take a ticket as used.
type Redemption struct {
	Supplier string    `json:"supplier"`
	Unit     string    `json:"unit"`
	Code     string    `json:"code"`
	At       time.Time `json:"at"`

	// People is for a visitor whom staff have let in: the ticket is not known, but the code must stand for so many.
	People int `json:"people,omitempty"`
}

// Redeemed says that ticketing took it as used, and nothing more: what the journey answers is known before.
type Redeemed struct{}

// operations are what the journey needs of other systems, in its own words.
type operations struct {
	recall   *call.Read[Scan, Known]
	find     *call.Read[Aim, []Ticket]
	day      *call.Read[Scan, Day]
	redeem   *call.Write[Redemption, Redeemed]
	unredeem *call.Write[Redemption, Redeemed]
}

func newOperations() operations {
	return operations{
		recall: call.NewRead("entry.recall", call.ReadSpec[Scan, Known]{}),
		find:   call.NewRead("ticketing.find", call.ReadSpec[Aim, []Ticket]{}),
		day: call.NewRead("ticketing.day", call.ReadSpec[Scan, Day]{
			Key:  func(k *call.Key, s Scan) { k.Text(s.At.In(s.venue.Location).Format(time.DateOnly)) },
			Size: func(d Day) int { return 64 + 48*len(d.Slots) },
			// The same for every visitor and every replica; a cold one need not ask again.
			Share: call.JSON[Day](),
		}),
		redeem:   call.NewWrite[Redemption, Redeemed]("ticketing.redeem", call.WriteSpec[Redemption]{Key: redeemKey}),
		unredeem: call.NewWrite[Redemption, Redeemed]("ticketing.unredeem", call.WriteSpec[Redemption]{Key: redeemKey}),
	}
}

func redeemKey(r Redemption) string { return "redeem/" + r.Supplier + "/" + r.Unit }

// The steps that change something.
const (
	stepAdmit   = "admit"
	stepRedeem  = "redeem"
	stepSettle  = "settle"
	stepLeave   = "leave"
	stepCorrect = "correct"
)

// Who takes over, and how.
var (
	handUnverified = journey.Handover{Kind: "ticket-unverified", Next: gateway.Text{
		Zh: "售票系统暂无回应，请查验票证原件后决定是否放行", En: "Ticketing does not answer: look at the ticket itself and decide whether to let the visitor in"}}
	handRedeemLate = journey.Handover{Kind: "redeem-late", Hold: true, Next: gateway.Text{
		Zh: "门票已核对但核销未完成，请决定是否放行", En: "The ticket is good but its redemption is late: decide whether to let the visitor in"}}
	handRedeemUndelivered = journey.Handover{Kind: "redeem-undelivered", Next: gateway.Text{
		Zh: "游客已入园，但售票系统未能核销，请与售票方核对", En: "The visitor is inside, but ticketing would not redeem the ticket: settle it with the ticket seller"}}
)

// redeemWithin is when a redemption that was left to the outbox is overdue and becomes a person's.
const redeemWithin = time.Hour

// plan declares the journey.
func (o operations) plan() (*journey.Plan[Scan, Admission], error) {
	return journey.Define("scenic-entry", func(b *journey.Builder, in journey.Ref[Scan]) journey.Ref[Admission] {
		journey.Waits(b, in, func(s Scan) string { return s.Gate })
		named := journey.When(b, "named", journey.Check(b, "by id", byID, in), // only then the ledger says whom to ask for
			func(b *journey.Builder) journey.Ref[recalled] {
				return journey.Try(b, journey.Ask(b, "recall", o.recall, in))
			},
			func(b *journey.Builder) journey.Ref[recalled] { return journey.Check(b, "by code", notRecalled, in) })
		aim := journey.Join(b, "aim", in, named, takeAim)
		found := journey.Try(b, journey.Ask(b, "find", o.find, aim,
			journey.Disclose("find the ticket", "ticket.code")))
		day := journey.Try(b, journey.Ask(b, "day", o.day, in))

		known := journey.When(b, "known", journey.Join(b, "unheard", found, named, unheard),
			func(b *journey.Builder) journey.Ref[recalled] {
				return journey.Try(b, journey.Ask(b, "fallback", o.recall, in))
			},
			func(b *journey.Builder) journey.Ref[recalled] { return journey.Check(b, "heard", asNamed, named) })
		heard := journey.Join(b, "hear", found, known, hear)
		today := journey.Join(b, "today", in, day, today)
		claim := journey.Join(b, "judge", today, heard, judge)
		admitted := journey.Record(b, stepAdmit, admit, claim, journey.UndoRecord(release))

		redeem := journey.Check(b, "redemptions", redemptions, admitted)
		redeemed := journey.CommitEach(b, stepRedeem, o.redeem, redeem, maxPeopleLimit, journey.Pivot(), journey.Undo(o.unredeem),
			journey.DeferOrAssist(opensLate, redeemWithin, handRedeemUndelivered, handRedeemLate),
			journey.Disclose("redeem the ticket", "ticket.code"))
		said := journey.Join(b, "outcome", admitted, redeemed, outcome)
		return journey.When(b, "answer", journey.Check(b, "refused", anyRefused, said),
			func(b *journey.Builder) journey.Ref[Admission] { return journey.Record(b, stepSettle, settle, said) },
			func(b *journey.Builder) journey.Ref[Admission] { return journey.Check(b, "welcome", letAllIn, said) })
	})
}

func opensLate(v *gateway.Venue) bool { return settingsOf(v).TicketingLate == lateOpen }

// New returns the journey for the program.
func New() (*flow.Flow, error) {
	ops := newOperations()
	entries, err := ops.plan()
	if err != nil {
		return nil, err
	}
	exits, err := exitPlan()
	if err != nil {
		return nil, err
	}
	corrections, err := correctionPlan()
	if err != nil {
		return nil, err
	}
	f := &calls{entries: journey.NewLive(entries), exits: journey.NewLive(exits), corrections: journey.NewLive(corrections)}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	warm := &prewarmer{}
	return &flow.Flow{
		Name: "entry", Plans: []flow.Plan{f.entries, f.exits, f.corrections}, Problems: problems(), Document: document,
		Migrations: []ledger.Migrations{{Name: "entry", FS: files}},
		Venues: &flow.VenueKind{Kind: Kind, Settings: readSettings, Roles: map[string]map[string]flow.Connect{
			"ticketing": {"octo": func(v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
				return connectOCTO(ops, warm, v, to, b)
			}},
		}},
		Routes: f.routes, Assists: assists(), Steps: stepWords(), Purposes: purposes(),
		Work: func(ctx context.Context, rt *flow.Runtime) error {
			var sweeping sync.WaitGroup
			defer sweeping.Wait()
			sweeping.Go(func() { sweeper{Kind}.run(ctx, rt) })
			return warm.run(ctx, rt)
		},
	}, nil
}
