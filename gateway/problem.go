package gateway

import (
	"errors"
	"maps"
	"time"
)

// Kind is the class of a problem. gateway/edge maps each kind to exactly one HTTP status, in one function.
type Kind uint8

// The kinds, each with the status that the edge gives it.
const (
	Internal        Kind = iota // 500: nothing is known; details go to the log alone
	BadRequest                  // 400
	Unauthenticated             // 401
	Forbidden                   // 403
	NotFound                    // 404: unknown, or another's
	MethodUnknown               // 405
	Timeout                     // 408: the client was too slow
	Conflict                    // 409: used, full, cancelled, on hold, taken, still running
	LengthRequired              // 411
	TooLarge                    // 413
	Unsupported                 // 415
	Unprocessable               // 422: understood, and wrong: day, slot, place, expired
	TooMany                     // 429
	HeadTooLarge                // 431
	NotImplemented              // 501
	Unavailable                 // 503: nothing kept, try again or see staff
	VersionUnknown              // 505
)

// Problem is one entry of the problem catalogue (RFC 9457): a stable type with a title that people understand.
// Engine problems are declared beside the code that raises them, a journey's own in its folder.
type Problem struct {
	Type      string // slug, stable for ever: "ticket-used"; the edge publishes it as "/problems/ticket-used"
	Kind      Kind
	Title     Text
	Retryable bool // the same request may succeed later without a change
}

// Error is a problem that happened: what could not be done, for a citizen, an operator and a machine.
// Build it with Problem.Error and the With methods, each of which returns a changed copy.
type Error struct {
	Problem    *Problem
	Detail     Text           // for this occurrence; no personal data
	Field      string         // the input field at fault, as a path: "ticket.code", "header Idempotency-Key"
	RetryAfter time.Duration  // 0: not said
	Extra      map[string]any // extension members of the problem document; no personal data
	Cause      error          // for the log alone
}

// Error returns a new occurrence of the problem with a sentence in English and Chinese.
func (p *Problem) Error(detail Text) *Error { return &Error{Problem: p, Detail: detail} }

// WithField returns a copy that names the input field at fault.
func (e *Error) WithField(path string) *Error { c := *e; c.Field = path; return &c }

// WithCause returns a copy that carries the reason for the log. The cause never reaches a client.
func (e *Error) WithCause(err error) *Error { c := *e; c.Cause = err; return &c }

// WithRetryAfter returns a copy that tells the client when to try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// With returns a copy with the extension member name set to value.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Extra = make(map[string]any, len(e.Extra)+1)
	maps.Copy(c.Extra, e.Extra)
	c.Extra[name] = value
	return &c
}

// Error makes Error an error: the type, the detail and the cause, for the log.
func (e *Error) Error() string {
	s := e.Problem.Type
	if e.Detail.En != "" {
		s += ": " + e.Detail.En
	}
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError returns err as an *Error; anything else is an internal problem whose cause is err.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return (&Error{Problem: ProblemInternal}).WithCause(err)
}

// FieldError is a mistake in a configuration: Path is a YAML path below the section's root ("steps.redeem.slice").
type FieldError struct {
	Path    string
	Message string
}

// Error returns the path and the message.
func (e *FieldError) Error() string { return e.Path + ": " + e.Message }
