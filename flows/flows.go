// Package flows is the list of the journeys that the program runs.
package flows

import (
	"fmt"

	"github.com/warmgate/warmgate/flows/checkin"
	"github.com/warmgate/warmgate/flows/entry"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/rooms"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/citizen"
	"github.com/warmgate/warmgate/gateway/event"
	"github.com/warmgate/warmgate/gateway/flow"
)

// All returns every journey, and last the human door, the citizens' own side and the door of events of them all. A new journey is one line here.
func All() ([]*flow.Flow, error) {
	var all []*flow.Flow
	for _, journey := range []func() (*flow.Flow, error){
		entry.New, checkin.New, parking.New, rooms.New,
	} {
		f, err := journey()
		if err != nil {
			return nil, fmt.Errorf("cannot declare the journeys: %w", err)
		}
		all = append(all, f)
	}
	door, err := assist.New(all)
	if err != nil {
		return nil, fmt.Errorf("cannot declare the journeys: %w", err)
	}
	own, err := citizen.New(all...)
	if err != nil {
		return nil, fmt.Errorf("cannot declare the journeys: %w", err)
	}
	events, err := event.New(all...)
	if err != nil {
		return nil, fmt.Errorf("cannot declare the journeys: %w", err)
	}
	return append(all, door, own, events), nil
}
