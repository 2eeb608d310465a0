package call

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Why a call was not started at all. Each is wrapped by NotSent: nothing reached the backend.
var (
	ErrBreakerOpen  = errors.New("breaker is open")
	ErrBulkheadFull = errors.New("bulkhead is full")
	ErrTooLate      = errors.New("too little time is left")
)

// Outcome is what is known about the effect of a call.
type Outcome uint8

// The outcomes. Unknown is the only one after which a Write has to be asked for with Find.
const (
	Unknown        Outcome = iota // it may have happened, or may yet
	Done                          // it happened
	RefusedOutcome                // the backend said no: it did not happen
	NotSentOutcome                // nothing reached the backend: it did not happen
)

// String returns the outcome as a word for logs and metrics.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case RefusedOutcome:
		return "refused"
	case NotSentOutcome:
		return "not-sent"
	default:
		return "unknown"
	}
}

// OutcomeOf classifies the error of a call. Whatever an adapter did not mark with Refuse or NotSent is Unknown.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	if _, ok := errors.AsType[*Refused](err); ok {
		return RefusedOutcome
	}
	if _, ok := errors.AsType[*notSent](err); ok {
		return NotSentOutcome
	}
	return Unknown
}

// Refused is a backend's definite no. It is an answer: it counts as a success for the breaker and is never retried.
type Refused struct {
	Reason string // the flow's word: "taken", "used", "cancelled", …
	Detail error  // for the log alone, may be nil; no personal data
}

// Refuse makes the error of an adapter whose backend definitely said no.
func Refuse(reason string, detail error) error { return &Refused{Reason: reason, Detail: detail} }

// Error returns the reason and the detail.
func (r *Refused) Error() string {
	if r.Detail == nil {
		return "refused: " + r.Reason
	}
	return "refused: " + r.Reason + ": " + r.Detail.Error()
}

// Unwrap returns the detail.
func (r *Refused) Unwrap() error { return r.Detail }

// notSent marks an error after which it is certain that nothing reached the backend.
type notSent struct{ cause error }

// NotSent makes the error of an adapter that knows that nothing reached its backend, such as a refused dial. It may be
// tried again, a Write too, and counts as a failure for the breaker. NotSent(nil) is nil.
func NotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSent{cause: err}
}

func (n *notSent) Error() string { return "not sent: " + n.cause.Error() }
func (n *notSent) Unwrap() error { return n.cause }

// panicError is a bound function that panicked. The value's text is left out unless the runtime made it:
// it could hold what must not be logged.
type panicError struct {
	value any
	stack []byte
}

func newPanicError(value any) error { return &panicError{value: value, stack: debug.Stack()} }

func (p *panicError) Error() string {
	if e, ok := p.value.(runtime.Error); ok {
		return fmt.Sprintf("panic: %v\n%s", e, p.stack)
	}
	return fmt.Sprintf("panic of type %T\n%s", p.value, p.stack)
}
