package checkin

import (
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/pms"
)

// fateOf says in the engine's words what a failed call may have done; why gives a definite no its word, "" where it is not
// one that anybody here can be told.
func fateOf(err error, why func(e *wire.Error) string) error {
	return pms.Fate(err, why)
}

// unlessGone is the error of a look before something is taken back: where the hotel has no such booking any more, there is
// nothing to take back.
func unlessGone(err error) error {
	if _, refused := refusalOf(err); refused {
		return nil
	}
	return err
}
