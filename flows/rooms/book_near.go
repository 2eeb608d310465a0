package rooms

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
)

// nearRadius is how far away another hotel may be, in metres, and nearMost how many are looked at.
const (
	nearRadius = 5000
	nearMost   = 200
)

// foundNear is what is read of an answer to a search.
type foundNear struct {
	Hotels []struct {
		Hotel    string      `json:"hotel"`
		Bookable bool        `json:"bookable"`
		Distance int         `json:"distance_m"`
		AsOf     time.Time   `json:"as_of"`
		Offers   []offerNear `json:"offers"`
	} `json:"hotels"`
}

type offerNear struct {
	Kind  string        `json:"kind"`
	Name  string        `json:"name"`
	Plan  string        `json:"plan"`
	Free  int           `json:"free"`
	Total gateway.Money `json:"total"`
}

// nearby is a Near: the cheapest room of each of the nearest other hotels that are known to have one and can be booked. Nobody
// is asked.
func (r *rooms) nearby(hotel *gateway.Venue, stay offer.Stay, most int, now time.Time) []Alternative {
	c, at := r.city(hotel.Tenant), settingsOf(hotel).At
	page := c.Look(&sheet.Query{Lat: *at.Lat, Lon: *at.Lon, Radius: nearRadius, Most: nearMost, Stay: stay, Limit: most + 1}, now)
	defer page.Release()
	var found foundNear
	body := page.Write(func(dst []byte, _ sheet.Position) []byte { return dst })
	if json.Unmarshal(body, &found) != nil {
		return nil // impossible: it is our own answer
	}
	var all []Alternative
	for _, h := range found.Hotels {
		offers := slices.DeleteFunc(h.Offers, func(o offerNear) bool { return o.Free < 1 || o.Total.Currency == "" })
		if h.Hotel == hotel.ID || !h.Bookable || len(offers) == 0 || len(all) == most {
			continue
		}
		o := slices.MinFunc(offers, func(a, b offerNear) int { return int(a.Total.Minor - b.Total.Minor) })
		all = append(all, Alternative{Hotel: h.Hotel, Kind: o.Kind, Plan: o.Plan, Name: o.Name, Price: o.Total, Distance: h.Distance, AsOf: h.AsOf})
	}
	return all
}
