package pms

import (
	"errors"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/call"
)

// Fate says in the engine's words what a failed call may have done; why gives a definite no its word, "" where it is not
// one that anybody here can be told.
func Fate(err error, why func(e *wire.Error) string) error {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return err
	}
	switch e.Fate {
	case wire.NotSent:
		return call.NotSent(err)
	case wire.Refused:
		if reason := why(e); reason != "" {
			return call.Refuse(reason, err)
		}
	case wire.Unknown:
	}
	return err
}
