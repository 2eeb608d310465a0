package wire

import (
	"context"
	"fmt"
	"time"
)

// Fate says what a failed call may have done.
type Fate uint8

// The fates. A caller may repeat NotSent, must believe Refused, and must look up Unknown before it repeats an effect.
const (
	NotSent Fate = iota + 1 // no byte of the request left this machine
	Refused                 // the system answered, in its own words, that it did not do it
	Unknown                 // it may have been done
)

// String returns the fate in words.
func (f Fate) String() string {
	switch f {
	case NotSent:
		return "not sent"
	case Refused:
		return "refused"
	default:
		return "unknown"
	}
}

// Reason says how a call failed.
type Reason string

// The reasons, with the fate that each of them has.
const (
	ReasonInput       Reason = "input"        // NotSent: an argument that cannot be sent
	ReasonNoTime      Reason = "no-time"      // NotSent: no deadline, or none of it left
	ReasonDial        Reason = "dial"         // NotSent: no connection could be made, or TLS failed
	ReasonNoConn      Reason = "no-conn"      // NotSent: all connections are in use
	ReasonRefused     Reason = "refused"      // Refused: an error of the system's; Code says which
	ReasonTimeout     Reason = "timeout"      // Unknown: no complete answer by the deadline, or before the context was cancelled
	ReasonReset       Reason = "reset"        // Unknown: the connection broke, or the head was too large
	ReasonStatus      Reason = "status"       // Unknown: 5xx, a redirect, or another status that says nothing
	ReasonRateLimited Reason = "rate-limited" // Unknown: 429; some gateways count after the work is done
	ReasonGarbage     Reason = "garbage"      // Unknown: the answer is not what the interface promises
	ReasonTooLarge    Reason = "too-large"    // Unknown: the answer is over the bound
)

// Error is a failed call. Its text holds no part of request or answer but Status and Code (and what a connector puts into
// Cause), so it may be logged.
type Error struct {
	Connector  string        // whose call: "octo"
	Op         string        // the call: "Redeem"
	Fate       Fate          // what may have been done
	Reason     Reason        // how it failed
	Status     int           // the HTTP status; 0: no answer
	Code       string        // the system's own word for the error, at most 64 characters; "" when there is none
	Message    string        // the system's sentence, at most 512 bytes; it may echo input: never log it
	RetryAfter time.Duration // when said in seconds; at most an hour
	Cause      error         // context.DeadlineExceeded or Canceled, a dial error, what a connector reads out of a refusal, or nil
}

// Error returns connector, operation, fate, reason, status, code and cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %s (%s)", e.Connector, e.Op, e.Fate, e.Reason)
	if e.Status != 0 {
		s += fmt.Sprintf(" status %d", e.Status)
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// NotSent makes the error of a call that a connector does not send; cause may be nil.
func (c *Client) NotSent(op string, r Reason, cause error) *Error {
	return &Error{Connector: c.connector, Op: op, Fate: NotSent, Reason: r, Cause: cause}
}

func (c *Client) unknown(op string, r Reason, status int) *Error {
	e := &Error{Connector: c.connector, Op: op, Fate: Unknown, Reason: r, Status: status}
	if r == ReasonTimeout {
		e.Cause = context.DeadlineExceeded
	}
	return e
}
