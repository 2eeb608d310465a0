package journey

import (
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Request is what a run needs to know of who asks, where and until when.
type Request struct {
	ID          string         // UUIDv7, the journey's id
	Arrived     time.Time      // when the request's head was complete
	Deadline    time.Time      // when the answer must be out: Arrived plus the machine budget, or less if the client says so
	Venue       *gateway.Venue // nil: of none, which a plan that changes something needs
	Bindings    *call.Bindings // the venue's operations, of one configuration generation; nil: of none
	Principal   *gateway.Principal
	Lang        string
	Trace       string       // W3C traceparent for the backends
	Idempotency *Idempotency // nil where the call has no key
}

// Idempotency is a request's key and payload as keyed hashes: neither is kept in the clear.
type Idempotency struct {
	Scope   [32]byte // tenant, principal, route and key
	Payload [32]byte
}

// Outcome is how a run ended, for the flow to put into words. Exactly one of Value, Err and Assist counts.
type Outcome[Out any] struct {
	ID      string
	Kept    bool // the run is in the ledger: /v1/journeys/ID knows it
	Value   Out
	Err     *gateway.Error // a refusal
	Assist  *ledger.Assist // a person decides
	Pending []string       // steps that the outbox will deliver
	Sources []gateway.Source
}

// Answer is an outcome in words. The same bytes are answered again to a retry under the same idempotency key.
type Answer struct {
	Status   int
	Body     []byte
	Err      *gateway.Error // what Body says, where it is a problem: for logs and metrics
	ID       string         // of the run that made it
	Assisted bool
	Replayed bool // an earlier run's answer
	Sources  []gateway.Source
	Steps    []StepTime
}

// StepTime is how long one step waited, for Server-Timing.
type StepTime struct {
	Step string
	Took time.Duration
}
