package ledger

import "errors"

// IsKept reports whether err was marked with Keep, and returns what was marked, or err itself. It is for Work that runs a
// Decision as a part of its own Apply.
func IsKept(err error) (marked bool, outcome error) {
	k, ok := errors.AsType[*kept](err)
	if !ok {
		return false, err
	}
	return true, k.err
}
