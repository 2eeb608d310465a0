package octo

import (
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// The OCTO error codes that a gate tells apart: Code of a *wire.Error. A supplier may send others.
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

// RedeemedAt is the cause of a refused redemption whose ticket was redeemed before: when that was.
type RedeemedAt time.Time

// Error returns the time.
func (r RedeemedAt) Error() string { return "redeemed at " + time.Time(r).UTC().Format(time.RFC3339) }

// wireError is the body of an OCTO error.
type wireError struct {
	Code       string    `json:"error"`
	Message    string    `json:"errorMessage"`
	RedeemedAt time.Time `json:"utcRedeemedAt"`
}

// refusal reads a 4xx. Only an OCTO error is a refusal; OCTO puts INTERNAL_SERVER_ERROR under 400, and that says nothing.
func refusal(a wire.Answer) *wire.Error {
	var w wireError
	if !a.Decode(&w) || !isCode(w.Code) {
		return a.Unknown(wire.ReasonGarbage)
	}
	e := a.Refused(w.Code, w.Message)
	if w.Code == codeInternal {
		e.Fate, e.Reason = wire.Unknown, wire.ReasonStatus
	}
	if !w.RedeemedAt.IsZero() {
		e.Cause = RedeemedAt(w.RedeemedAt)
	}
	return e
}

// isCode reports whether s is 1 to 64 capitals, digits and underscores, so that it can stand in a log line.
func isCode(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
