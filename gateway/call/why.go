package call

import "errors"

// Why says in one word why a read brought no value, for answers and metrics.
type Why string

// Why a read brought no value. Only a Refused is an answer of the backend.
const (
	Here         Why = ""              // it did
	SaidNo       Why = "refused"       // the backend's definite no
	TimedOut     Why = "timed-out"     // asked, and nothing came in time
	NotAsked     Why = "not-asked"     // too little time was left, or there were more than may be asked
	BreakerOpen  Why = "breaker-open"  // the instance has failed lately and is left alone
	BulkheadFull Why = "bulkhead-full" // the instance had too many calls under way
	NotBound     Why = "not-bound"     // no such venue, or nothing of it that could be asked
	Failed       Why = "failed"        // anything else
)

// ErrNotBound is the error, wrapped by NotSent, of a read for which there is nobody to ask.
var ErrNotBound = errors.New("there is nobody to ask")

// ErrNotTaken is the error, wrapped by NotSent, of a read that is more than may be asked at once.
var ErrNotTaken = errors.New("not asked")

// notBound is an ErrNotBound in words of its own.
type notBound string

func (n notBound) Error() string        { return string(n) }
func (n notBound) Is(target error) bool { return target == ErrNotBound }

// WhyOf returns the word for the error of a read; Here where it is nil.
func WhyOf(err error) Why {
	switch {
	case err == nil:
		return Here
	case OutcomeOf(err) == RefusedOutcome:
		return SaidNo
	case errors.Is(err, ErrTooLate), errors.Is(err, ErrNotTaken):
		return NotAsked
	case errors.Is(err, ErrBreakerOpen):
		return BreakerOpen
	case errors.Is(err, ErrBulkheadFull):
		return BulkheadFull
	case errors.Is(err, ErrNotBound):
		return NotBound
	case isTimeout(err):
		return TimedOut
	}
	return Failed
}
