// Package flow says what a journey's folder hands to the program: its plans, its calls, its tables, its words, and how
// each connector that it can use is bound to a venue.
package flow

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// Flow is one journey as the program sees it. Everything but Name is optional.
type Flow struct {
	Name       string // the folder's name
	Plans      []Plan // each has its section in flows of the configuration, by its name
	Problems   []*gateway.Problem
	Document   []byte              // its part of the OpenAPI document
	Migrations []ledger.Migrations // its tables
	Venues     *VenueKind          // the kind of venue that it serves; nil: none
	Routes     func(rt *Runtime) []edge.Route
	Assists    []Assist
	Steps      map[string]gateway.Text // each effect of its plans in words for staff, as something to do: "Cut the key"
	Tasks      map[string]gateway.Text // likewise what else the assists that it opens itself say is done or not
	Purposes   map[string]gateway.Text // what its plans tell systems of a citizen for, by the words of journey.Disclose

	// Work runs beside the requests until ctx ends: pre-warming, sweeping. It is called once, in a goroutine of its own.
	Work func(ctx context.Context, rt *Runtime) error

	Errands []Errand

	// Events are the types of events that it takes about the venues that it serves, by the type's name, which is unique over
	// all flows.
	Events map[string]TakeEvent

	// Whole is told whether all events that other replicas take come here from now on, too. Each call may mean that some
	// have been missed. It is never called where there are no others. It must not block; nil: that makes no difference.
	Whole func(whole bool)
}

// Errand is something that an operator has done now and then: over the second listener, by POST /errands/NAME, or by a command
// of the program.
type Errand struct {
	Name string // unique over all flows

	// Run does it until ctx ends. arg is a JSON object, or empty. result is encoded as JSON; neither it nor the error, which
	// is told as it is, holds anything personal. It may be called at any time, also more than once at once.
	Run func(ctx context.Context, rt *Runtime, arg []byte) (result any, err error)
}

// Plan is a journey.Live without its types.
type Plan interface {
	Name() string
	Draw() string
	Effects() []string
	Prove(t journey.Timing) (proof journey.Proof, adopt func(e *journey.Engine), err error)
}

// VenueKind is how a flow reads and binds its venues. Several flows may serve one kind, each with a section of its own: a
// venue is served by those whose section its file has. A flow that is alone with its kind serves every venue of it.
type VenueKind struct {
	Kind    string // "attraction"; the value of kind in configs/venues/*.yaml
	Section string // of a venue's file, that this flow reads; no other flow of the kind does. "": settings

	// Settings reads the flow's section of a venue's file. decode is strict: it refuses unknown names. The result, never
	// nil, is what gateway.Venue.Section returns; mistakes are *gateway.FieldError with a path below the section, joined.
	Settings func(decode func(into any) error) (any, error)

	// Roles are the connectors that a venue needs: role ("ticketing") to connector ("octo") to its binder. Where several
	// flows have a role, one connector plays it for all of them: each binds its own operations, to one instance.
	Roles map[string]map[string]Connect

	// Taken is told of every venue that the flow serves, in the order of their ids, when a configuration takes over, just
	// before the first request under it. It is not called twice at once. nil: the flow need not know.
	Taken func(all []*gateway.Venue)
}

// SectionName is the name of the section of a venue's file that the flow reads.
func (k *VenueKind) SectionName() string { return cmp.Or(k.Section, gateway.SettingsSection) }

// Connect binds the operations of a flow to a system, for one venue. close is called once the bindings are out of use.
type Connect func(v *gateway.Venue, to Connection, b *call.Bindings) (close func(), err error)

// Connection is a connector's section in a venue's file, its secrets read.
type Connection struct {
	URL      string
	Secrets  map[string]string                // by name, from files or the environment; never logged
	Unread   bool                             // the secrets stand for themselves: nothing will be called, and a key need not be one
	Options  func(decode any) error           // strict; the connector's own settings
	Instance *call.Instance                   // its breaker, bulkhead and counters: the same for every flow
	Common   *Common                          // what the flows make once for all of them: Share
	All      *Common                          // what all connections of the gateway have in common: ShareAs
	Sockets  *sockets.Share                   // the connections of all systems, of which a client's are a part
	Ledger   *ledger.Ledger                   // for what a flow knows itself; not asked before the first request
	Logger   *slog.Logger                     // says which venue and role it is about
	Own      func(word string) *call.Instance // an instance of the gateway's own for such reads; word is its system
}

// Assist is a kind of help that a journey may need, with the ways in which a person can settle it.
type Assist struct {
	Kind        string       // as in journey.Handover; unique over all flows
	Resolutions []Resolution // at least one
}

// Resolution is one way to settle an assist.
type Resolution struct {
	Word string // "admit", "turn-away"
	Name gateway.Text

	// Decision is what the journey's state says from then on, for the machine that waits for it: "open", "closed". "":
	// nothing is decided for a machine. Elsewhere is what a machine hears where the citizen waits at another place by now
	// (journey.Handover.Place); "": the same.
	Decision, Elsewhere string

	// Run does what the resolution means, in the commit that settles the assist; nil: settling the assist is all. It has
	// the rules of a decision, but whatever its error, and whether that is marked with ledger.Keep or not, nothing is kept:
	// the assist stays claimed. details is the member of that name in the request's body, empty where it has none. result
	// is encoded as JSON and told to the one who settles; it outlives the journey's erasure, so it holds nothing personal.
	Run func(tx *ledger.Tx, rt *Runtime, a Opened, details []byte) (result any, err error)
}

// Opened is an assist as a resolution sees it.
type Opened struct {
	ledger.Assist
	Facts []byte // in the clear: {"input": …, step: value, …}; nil once the journey has been erased
	By    string // who settles it
	Venue *gateway.Venue
}

// Runtime is what a flow works with. Safe for concurrent use.
type Runtime struct {
	Engine   *journey.Engine
	Ledger   *ledger.Ledger
	Bindings func(venue string) *call.Bindings // of the current configuration; nil where there is none
	Venue    func(id string) *gateway.Venue    // likewise
	Venues   func(kind string) []*gateway.Venue
	Fleet    Fleet // nil: there are no other replicas
	Logger   *slog.Logger
	Now      func() time.Time
}
