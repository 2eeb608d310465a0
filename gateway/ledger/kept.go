package ledger

import "errors"

// IsKept reports whether err was marked with Keep, and returns what was marked. It is for Work that runs a Decision as
// a part of its own Apply.
func IsKept(err error) (error, bool) {
	k, ok := errors.AsType[*kept](err)
	if !ok {
		return err, false
	}
	return k.err, true
}
