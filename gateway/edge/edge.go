// Package edge is the HTTP side of the gateway: it lets a request in through the strict front, finds out which call it
// is, who asks and for which venue, refuses what cannot or may not be done, hands the rest to the call's Serve, and
// says the outcome in one form: JSON, or a problem document in the citizen's language.
//
// A request passes these stations in this order and meets the first that refuses it: front, route, the address's rate,
// query, clock, token, scope, venue, the caller's rate, media type, gate, idempotency key, Serve.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge/front"
	"github.com/warmgate/warmgate/gateway/limit"
)

// Route is one call of the API. Its operation in the OpenAPI document has Name as operationId.
type Route struct {
	Method string // GET, POST, PUT or DELETE; HEAD is answered where GET is
	Path   string // "/v1/attractions/{spot}/entries"
	Name   string // operationId and metric label: "scenic-entry"; unique

	Public bool   // nobody has to say who they are: no token is read, Principal is nil
	Scope  string // that the token must hold; "": any good token

	Venue        string // path parameter that names the venue; "": the call belongs to none
	VenueKind    string // kind that the venue must have, or AnyKind; with Venue only
	VenueSection string // that the venue must have as well: gateway.Venue.Section; "": any venue of the kind will do

	Query    []string // the query parameters that it takes; any other is refused by name
	Consumes string   // media type of its body, or AnyMedia; "": application/json

	Journey    string         // the flow whose plan it runs: its time is measured as the citizen's; "": none
	Idempotent bool           // an Idempotency-Key is needed; POST with a token only
	Looks      bool           // its plan looks for an earlier request under the key by itself: the edge does not before it
	Priority   limit.Priority // under pressure; NeverShed, with Journey only, is also never told that it asks too often

	// Budget is the machine budget and Shortest the shortest way to a declared outcome. They are asked for each request,
	// since a reload may change them. Nil: Config.Budget, and zero.
	Budget   func() time.Duration
	Shortest func() time.Duration

	// Serve answers with one of Exchange's methods, or returns an error that becomes a problem; anything but a
	// *gateway.Error is internal. The Exchange and every slice of bytes that it gave are not to be used after Serve.
	Serve func(x *Exchange) error
}

// What a route may say in place of one kind of venue or one media type.
const (
	AnyKind  = "*" // a venue of whatever kind
	AnyMedia = "*" // the call looks at Content-Type itself, and refuses with ProblemMediaTypeUnknown
)

// Config is the section "edge" of the gateway's file. The zero value is not valid: begin with Defaults.
type Config struct {
	Front      front.Config  `yaml:"front"`
	Language   string        `yaml:"language"`    // where the client asks for none that we speak: zh-CN or en
	Budget     time.Duration `yaml:"budget"`      // for calls that run no plan; at most 30 s
	Overhead   time.Duration `yaml:"overhead"`    // of any budget, left for the answer where the edge or a call itself waits for the ledger
	Streams    int           `yaml:"streams"`     // open streams at once
	Heartbeat  time.Duration `yaml:"heartbeat"`   // of a quiet stream
	LogSuccess int           `yaml:"log_success"` // of answers below 500, and of those shed, one in so many is logged; 1: all
}

// Defaults returns the front's defaults, Chinese, 1 s for calls that run no plan with an overhead of 60 ms, 64 streams with
// a heartbeat each 15 s, and a log line for every answer.
func Defaults() Config {
	return Config{Front: front.Defaults(), Language: gateway.LangZh, Budget: time.Second, Overhead: 60 * time.Millisecond,
		Streams: 64, Heartbeat: 15 * time.Second, LogSuccess: 1}
}

// Validate reports every mistake as a *gateway.FieldError, joined; nil if there is none.
func (c Config) Validate() error {
	var wrong []error
	refuse := func(bad bool, path, format string, args ...any) {
		if bad {
			wrong = append(wrong, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
		}
	}
	refuse(c.Language != gateway.LangZh && c.Language != gateway.LangEn, "language",
		"must be %s or %s, not %q", gateway.LangZh, gateway.LangEn, c.Language)
	refuse(c.Budget <= 0 || c.Budget > maxBudget, "budget", "must be above 0 and at most %s, not %s", maxBudget, c.Budget)
	refuse(c.Overhead < 0 || c.Overhead >= c.Budget, "overhead", "must be at least 0 and below budget (%s), not %s", c.Budget, c.Overhead)
	refuse(c.Streams < 1, "streams", "must be at least 1, not %d", c.Streams)
	refuse(c.Heartbeat < time.Second, "heartbeat", "must be at least 1s, not %s", c.Heartbeat)
	refuse(c.LogSuccess < 1, "log_success", "must be at least 1, not %d", c.LogSuccess)
	return errors.Join(append(wrong, below("front", c.Front.Validate()))...)
}

const maxBudget = 30 * time.Second

// below puts the mistakes of a part under the path of the part.
func below(path string, err error) error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var all []error
	for _, e := range joined.Unwrap() {
		if f, ok := errors.AsType[*gateway.FieldError](e); ok {
			e = &gateway.FieldError{Path: path + "." + f.Path, Message: f.Message}
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// Verifier says who holds a token. It does not keep the token.
type Verifier interface {
	Verify(token []byte, addr netip.Addr, now time.Time) (*gateway.Principal, error)
}

// Limiter counts requests against the rate policies.
type Limiter interface {
	Take(who limit.Who, now time.Time) limit.Decision
	PolicyHeader() string
}

// Gate bounds the work in flight.
type Gate interface {
	Acquire(p limit.Priority, now, deadline time.Time, shortest time.Duration) (limit.Slot, error)
}

// Earlier is what is kept of a request that came before under the same idempotency key.
type Earlier struct {
	Payload    [32]byte  // its keyed hash, as journey.Idempotency has it
	Ended      bool      // its answer is Status and Body
	LeaseUntil time.Time // until then a request that has not ended counts as running
	Run        string    // its journey; "" where it was none
	Status     int
	Body       []byte // in the clear
}

// Deps is what the edge stands on. All but Problems are needed.
type Deps struct {
	Verifier Verifier
	Limiter  Limiter
	Gate     Gate
	Venues   func(id string) *gateway.Venue                                   // nil where there is none; may change between calls
	Hash     func(domain string, parts ...[]byte) [32]byte                    // keyed, domain-separated (seal.Keys.Hash)
	Earlier  func(ctx context.Context, scope [32]byte) (Earlier, bool, error) // false where there is none
	Problems []*gateway.Problem                                               // of the flows and the rooms that the edge does not know
	Document []byte                                                           // the OpenAPI document as Merge made it
	Metrics  prometheus.Registerer
	Logger   *slog.Logger
	Now      func() time.Time
}

func (d Deps) validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Verifier", d.Verifier == nil}, {"Limiter", d.Limiter == nil}, {"Gate", d.Gate == nil},
		{"Venues", d.Venues == nil}, {"Hash", d.Hash == nil}, {"Earlier", d.Earlier == nil},
		{"Document", len(d.Document) == 0}, {"Metrics", d.Metrics == nil}, {"Logger", d.Logger == nil},
		{"Now", d.Now == nil},
	} {
		if f.missing {
			return fmt.Errorf("cannot build the edge: Deps.%s is missing", f.name)
		}
	}
	return nil
}
