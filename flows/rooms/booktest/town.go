// Package booktest puts hotels that can be found, booked and lived in behind a whole gateway, for the tests of booking and for
// whoever prints its budget matrix.
package booktest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/checkin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Town is a city of hotels with a gateway in front of it.
type Town struct{ *checkintest.Town }

// Placed is a hotel that stands so many hundredths of a degree north of the lake. rule is YAML of its section rooms, indented by
// two spaces.
func Placed(id string, north int, rule string) checkintest.Hotel {
	return checkintest.Hotel{ID: id, File: func(file string) string {
		return file + fmt.Sprintf("rooms:\n  at: { lat: 30.%d, lon: 120.15 }\n%s", 24+north, rule)
	}}
}

// Start starts a town.
func Start(t testing.TB, hotels ...checkintest.Hotel) Town {
	t.Helper()
	var all []*flow.Flow
	for _, one := range []func() (*flow.Flow, error){checkin.New, rooms.New} {
		f, err := one()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return Town{checkintest.StartWith(t, checkintest.WithDoor(t, all...), nil, hotels...)}
}

// Citizen is a token for finding and booking.
func (c Town) Citizen(name string) string { return c.Token(name, "rooms:book", "rooms:read") }

// Today is the hotels' day.
func Today() string { return time.Now().In(checkintest.Zone()).Format(time.DateOnly) }

// Offered is what a hotel offers of a kind under its usual plan.
type Offered struct {
	Kind  string         `json:"kind"`
	Plan  string         `json:"plan"`
	Free  int            `json:"free"`
	Total map[string]any `json:"total"`
}

// Wish is the body of a booking.
func (o Offered) Wish(name string) map[string]any {
	return map[string]any{"check_in": Today(), "nights": 1, "guests": 1, "kind": o.Kind, "plan": o.Plan, "price": o.Total, "guest": map[string]any{"name": name}}
}

// Search searches around the lake from today on. more is the rest of the query.
func (c Town) Search(more string) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/rooms?near=30.24,120.15&radius=5000&check_in=" + Today() + "&limit=50" + more, Token: c.Citizen("li")})
}

// Find searches around the lake, and returns what a hotel offers of a kind.
func (c Town) Find(hotel, kind string) Offered {
	c.T.Helper()
	return c.FindFor(hotel, kind, "&nights=1&guests=1")
}

// FindFor is Find for another stay.
func (c Town) FindFor(hotel, kind, stay string) Offered {
	c.T.Helper()
	a := c.Search(stay)
	var found struct {
		Hotels []struct {
			Hotel  string    `json:"hotel"`
			Offers []Offered `json:"offers"`
		} `json:"hotels"`
	}
	a.Into(c.T, &found)
	for _, h := range found.Hotels {
		for _, o := range h.Offers {
			if h.Hotel == hotel && o.Kind == kind && o.Plan == "FLEX" {
				return o
			}
		}
	}
	c.T.Fatalf("%s offers no %s: %s", hotel, kind, a.Text)
	return Offered{}
}

// Book sends a booking.
func (c Town) Book(hotel, who, key string, body any) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + hotel + "/bookings", Token: c.Citizen(who), Key: key, Body: body})
}

// CallOff sends a cancellation.
func (c Town) CallOff(hotel, who, confirmation string) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodDelete, Path: "/v1/hotels/" + hotel + "/bookings/" + confirmation, Token: c.Citizen(who)})
}

// Standing counts the reservations that stand at a hotel's system and were made by us.
func (c Town) Standing(hotel string) (n int) {
	for _, r := range c.OHIP[hotel].ReadBooks().Reservations {
		if r.Reference != "" && r.Status != ohip.StatusCancelled {
			n++
		}
	}
	return n
}

// Wrong holds what a hotel has, and what the ledger has of it, against what was said: got, as checkintest.Outcome has it. What was
// unclear is the guest's where the hotel turns out to have it, and else is held until a person has settled it. "": nothing is.
func (c Town) Wrong(hotel, got string) string {
	count := func(what string) int64 {
		return c.Number(`SELECT count(*) FROM room_bookings WHERE venue = $1 AND state = $2`, hotel, what)
	}
	stands, kept, held := int64(c.Standing(hotel)), count("booked"), count("held")
	open := c.Number(`SELECT count(*) FROM assists WHERE venue = $1 AND state <> 'resolved'`, hotel)
	right := stands == 0 && kept == 0 && held == 0 && open == 0
	switch {
	case got == booked:
		right = stands == 1 && kept == 1 && held == 0 && open == 0
	case strings.HasPrefix(got, "a person"):
		right = stands == kept && held == 1-kept && open == held
	}
	if !right {
		return fmt.Sprintf("%d stand at the hotel; of the ledger's %d are booked, %d held; %d assists are open", stands, kept, held, open)
	}
	return ""
}
