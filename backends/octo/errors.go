package octo

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
	Refused                 // the backend answered with an OCTO error: it did not do it
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
	ReasonRefused     Reason = "refused"      // Refused: an OCTO error; Code says which
	ReasonTimeout     Reason = "timeout"      // Unknown: no complete answer by the deadline
	ReasonReset       Reason = "reset"        // Unknown: the connection broke
	ReasonStatus      Reason = "status"       // Unknown: 5xx, a redirect, or another status that OCTO does not have
	ReasonRateLimited Reason = "rate-limited" // Unknown: 429; some gateways count after the work is done
	ReasonGarbage     Reason = "garbage"      // Unknown: the answer is not what OCTO promises
	ReasonTooLarge    Reason = "too-large"    // Unknown: the answer is over the bound
)

// The OCTO error codes that a gate tells apart. A backend may send others.
const (
	CodeInvalidBooking = "INVALID_BOOKING_UUID"
	CodeInvalidProduct = "INVALID_PRODUCT_ID"
	CodeInvalidOption  = "INVALID_OPTION_ID"
	CodeBadRequest     = "BAD_REQUEST"
	CodeUnprocessable  = "UNPROCESSABLE_ENTITY"
	CodeUnauthorized   = "UNAUTHORIZED" // our credential: an operator's problem, never the visitor's
	CodeForbidden      = "FORBIDDEN"    // likewise
	codeInternal       = "INTERNAL_SERVER_ERROR"
)

// Error is a failed call. Its text holds no part of request or answer but Status and Code, so it may be logged.
type Error struct {
	Op         string        // the method: "Redeem"
	Fate       Fate          // what may have been done
	Reason     Reason        // how it failed
	Status     int           // the HTTP status; 0: no answer
	Code       string        // the OCTO error, capitals and underscores; "" when there is none
	Message    string        // the backend's sentence, at most 512 bytes; it may echo input: never log it
	RedeemedAt time.Time     // of a refused redemption: when the ticket was redeemed; zero when not said
	RetryAfter time.Duration // of 429 and 503, when said in seconds; at most an hour
	Cause      error         // context.DeadlineExceeded, a dial error, or nil
}

// Error returns operation, fate, reason, status and code.
func (e *Error) Error() string {
	s := fmt.Sprintf("octo %s: %s (%s)", e.Op, e.Fate, e.Reason)
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

func notSent(op string, r Reason, cause error) *Error {
	return &Error{Op: op, Fate: NotSent, Reason: r, Cause: cause}
}

func unknown(op string, r Reason, status int) *Error {
	e := &Error{Op: op, Fate: Unknown, Reason: r, Status: status}
	if r == ReasonTimeout {
		e.Cause = context.DeadlineExceeded
	}
	return e
}
