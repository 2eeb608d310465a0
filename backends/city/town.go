package city

import (
	"fmt"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
)

// The town is a chain of many hotels behind one address and one credential: the twin ohip/town.
const (
	townName = "town"
	townZone = "Asia/Shanghai"
	townSold = 0.6 // of the rooms, on an average night
)

// TownPlace is where the town's twin is, for Key.
func TownPlace() Place { return Place{Kind: "ohip", Instance: townName} }

// Hotels returns the hotels of a town, 1 to 100,000 of them, some 35 rooms each on average: the same always for a seed.
func Hotels(count int, seed uint64) ([]ohip.TownHotel, error) {
	town, err := newTown(count, seed, "unused")
	if err != nil {
		return nil, err
	}
	all := make([]ohip.TownHotel, 0, count)
	for n := range count {
		all = append(all, town.HotelAt(n))
	}
	return all, nil
}

func newTown(count int, seed uint64, secret string) (*ohip.Town, error) {
	zone, err := time.LoadLocation(townZone)
	if err != nil {
		return nil, fmt.Errorf("cannot make a town of hotels: %w", err)
	}
	return ohip.NewTown(ohip.TownConfig{Hotels: count, ClientSecret: secret, Seed: seed, Location: zone, Sold: townSold})
}

// AddTown adds a town to a city; its credential is in the folder secrets, see Key.
func AddTown(c *twin.City, count int, seed uint64, secrets string) error {
	key, err := Key(secrets, TownPlace())
	if err != nil {
		return err
	}
	town, err := newTown(count, seed, key)
	if err != nil {
		return err
	}
	return c.Add(TownPlace().Kind, townName, town)
}

// townPrefix begins the id of the venue that is a hotel of the town; its code's digits follow.
const townPrefix = "hotel-"

// VenueOf returns the id of the venue that is a hotel of the town, by the hotel's code: "H00042" is "hotel-00042".
func VenueOf(code string) string { return townPrefix + strings.TrimPrefix(code, "H") }

// IsTownVenue reports whether id is one that VenueOf returns: it has no twin of its own.
func IsTownVenue(id string) bool {
	digits, is := strings.CutPrefix(id, townPrefix)
	return is && len(digits) == 5 && strings.Trim(digits, "0123456789") == ""
}
