package rooms

import (
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
)

// What a city keeps; see sheet.Config.
const (
	keptStays   = 256
	keptBytes   = 48 << 20
	keptAnswers = 256
	askAgain    = 2 * time.Second // a hotel that is stale, or has failed, is asked again after so long
)

// city is the hotels of one tenant in one configuration, with what is known of them. It is immutable but for that.
type city struct {
	*sheet.City
	tenant string
	hotels []*gateway.Venue // by ordinal
	zones  []*time.Location // that the hotels are in
}

// newCity makes the city of hotels, which are valid and in the order of their ids. Prices are compared in the first one's
// currency.
func newCity(tenant string, hotels []*gateway.Venue) *city {
	c := &city{tenant: tenant, hotels: hotels}
	cfg := sheet.Config{Currency: "CNY", Stays: keptStays, MaxBytes: keptBytes, Answers: keptAnswers, Retry: askAgain}
	all := make([]sheet.Hotel, 0, len(hotels))
	for i, v := range hotels {
		s := settingsOf(v)
		if i == 0 {
			cfg.Currency = s.Currency
		}
		if !slices.Contains(c.zones, v.Location) {
			c.zones = append(c.zones, v.Location)
		}
		all = append(all, sheet.Hotel{ID: v.ID, Name: v.Name, Lat: *s.At.Lat, Lon: *s.At.Lon, Location: v.Location, Kinds: s.names(), Bookable: s.canBook()})
	}
	var err error
	if c.City, err = sheet.New(cfg, all); err != nil {
		panic("hotels that have been checked make no city: " + err.Error()) // impossible
	}
	return c
}

// ordinal returns the place of a hotel.
func (c *city) ordinal(hotel string) (int32, bool) {
	i, there := slices.BinarySearchFunc(c.hotels, hotel, func(v *gateway.Venue, id string) int { return strings.Compare(v.ID, id) })
	return int32(i), there
}

// today returns the earliest day that it is at any of the hotels.
func (c *city) today(now time.Time) offer.Date {
	first := offer.DateOf(now.UTC())
	for i, zone := range c.zones {
		if day := offer.DateOf(now.In(zone)); i == 0 || day < first {
			first = day
		}
	}
	return first
}

// take makes the cities of a new configuration. One whose hotels are what they were keeps what it knows.
func (r *rooms) take(all []*gateway.Venue) {
	byTenant := map[string][]*gateway.Venue{}
	for _, v := range all {
		byTenant[v.Tenant] = append(byTenant[v.Tenant], v)
	}
	next := make(map[string]*city, len(byTenant))
	for tenant, hotels := range byTenant {
		old := r.city(tenant)
		if slices.Equal(old.hotels, hotels) {
			next[tenant] = old
			continue
		}
		next[tenant] = newCity(tenant, hotels)
	}
	r.cities.Store(&next)
}

// city returns the hotels of a tenant.
func (r *rooms) city(tenant string) *city {
	if all := r.cities.Load(); all != nil {
		if c := (*all)[tenant]; c != nil {
			return c
		}
	}
	return r.nowhere
}
