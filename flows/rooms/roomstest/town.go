// Package roomstest puts hotels with their systems behind a whole gateway, for the tests of the room search and for whoever
// prints its budget matrix.
package roomstest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/flow"
)

// The hotel systems.
const (
	OHIP   = "ohip"
	Apaleo = "apaleo"
)

// Hotel is a hotel of the town.
type Hotel struct {
	ID       string
	PMS      string // OHIP, Apaleo; "": OHIP
	Lat, Lon float64
	Tenant   string // "": hangzhou
	Section  string // YAML of the section rooms beside its place, indented by two spaces
	Options  string // YAML of the connector, beside the hotel's code: ", accessible: [X]"
	Instance string // YAML of its instance; "": its breaker never opens
	Rooms    []ohip.TwinRoom
	Types    []ohip.TwinType
	Beside   string // YAML of other sections and connectors: "  police: …\nsettings: …"
}

// Town is a city of hotels with a gateway in front of it.
type Town struct {
	*flowtest.City
	OHIP   map[string]*ohip.Twin
	Apaleo map[string]*apaleo.Twin
	token  string
}

// Flows returns the journey and the human door.
func Flows(t testing.TB) []*flow.Flow {
	t.Helper()
	f, err := rooms.New()
	if err != nil {
		t.Fatal(err)
	}
	door, err := assist.New([]*flow.Flow{f})
	if err != nil {
		t.Fatal(err)
	}
	return []*flow.Flow{f, door}
}

const hotelFile = `id: %[1]s
kind: hotel
tenant: %[2]s
name: { zh: 酒店%[1]s, en: Hotel %[1]s }
time_zone: Asia/Shanghai
rooms:
  at: { lat: %[3]v, lon: %[4]v }
%[5]sconnectors:
  pms:
    connector: %[6]s
    url: %[7]s
    secrets: { client_secret: { env: OCTO_KEY } }
    options: { %[8]s }
    instance: %[9]s
%[10]s`

const patient = "{ breaker: { consecutive: 1000, min_calls: 10000, failure_share: 1 } }"

// Start starts a town. change changes the text of the gateway's file; it may be nil.
func Start(t testing.TB, change func(file string) string, hotels ...Hotel) *Town {
	t.Helper()
	return StartWith(t, Flows(t), change, hotels...)
}

// StartWith starts a town whose gateway has these journeys.
func StartWith(t testing.TB, flows []*flow.Flow, change func(file string) string, hotels ...Hotel) *Town {
	t.Helper()
	town := &Town{OHIP: map[string]*ohip.Twin{}, Apaleo: map[string]*apaleo.Twin{}}
	flowtest.Options{Gateway: change, Before: func(c *flowtest.City) {
		town.City = c
		for _, h := range hotels {
			town.Add(h)
		}
	}}.Start(t, flows)
	town.token = town.TokenOf("hangzhou", "rooms:read", "*")
	return town
}

// Zone is where the hotels are.
func Zone() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// Add builds a hotel and writes its file.
func (c *Town) Add(h Hotel) {
	c.T.Helper()
	var err error
	must := func() {
		c.T.Helper()
		if err != nil {
			c.T.Fatal(err)
		}
	}
	h.PMS, h.Tenant, h.Instance = cmp.Or(h.PMS, OHIP), cmp.Or(h.Tenant, "hangzhou"), cmp.Or(h.Instance, patient)
	options := "hotel_id: " + h.ID
	if h.PMS == Apaleo {
		property := apaleo.PropertyOf(h.ID)
		c.Apaleo[h.ID], err = apaleo.NewTwin(apaleo.TwinConfig{Property: property, ClientID: "warmgate", ClientSecret: flowtest.APIKey, Seed: 1,
			Clock: time.Now, Location: Zone()})
		must()
		err = c.Twins.Add(Apaleo, h.ID, c.Apaleo[h.ID])
		options = "property: " + property
	} else {
		c.OHIP[h.ID], err = ohip.NewTwin(ohip.TwinConfig{HotelID: h.ID, ClientSecret: flowtest.APIKey, Seed: 1, Clock: time.Now, Location: Zone(),
			Rooms: h.Rooms, Types: h.Types})
		must()
		err = c.Twins.Add(OHIP, h.ID, c.OHIP[h.ID])
	}
	must()
	c.Write("venues/"+h.ID+".yaml", fmt.Sprintf(hotelFile, h.ID, h.Tenant, h.Lat, h.Lon, h.Section, h.PMS, c.Twins.URL(h.PMS, h.ID),
		options+h.Options, h.Instance, h.Beside))
}

// Answer is what a search found.
type Answer struct {
	flowtest.Answer `json:"-"`
	Complete        bool      `json:"complete"`
	Missing         []Missing `json:"missing"`
	Hotels          []Found   `json:"hotels"`
	Cursor          string    `json:"cursor"`
}

// Missing is a hotel that an answer lacks.
type Missing struct {
	Hotel  string `json:"hotel"`
	Reason string `json:"reason"`
}

// Found is a hotel of an answer.
type Found struct {
	Hotel    string    `json:"hotel"`
	Name     string    `json:"name"`
	Bookable bool      `json:"bookable"`
	Distance int       `json:"distance_m"`
	AsOf     time.Time `json:"as_of"`
	State    string    `json:"state"`
	More     bool      `json:"more"`
	Offers   []Offer   `json:"offers"`
}

// Offer is an offer of a hotel.
type Offer struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Plan  string `json:"plan"`
	Free  int    `json:"free"`
	Least bool   `json:"at_least"`
	Total struct {
		Minor    int64  `json:"minor"`
		Currency string `json:"currency"`
	} `json:"total"`
	Guests      int  `json:"guests"`
	Accessible  bool `json:"accessible"`
	Breakfast   bool `json:"breakfast"`
	TaxIncluded bool `json:"tax_included"`
}

// Day returns the day that it is at the hotels in n days.
func Day(n int) string { return time.Now().In(Zone()).AddDate(0, 0, n).Format(time.DateOnly) }

// TokenOf mints a token of a tenant with one scope for one venue.
func (c *Town) TokenOf(tenant, scope, venue string) string {
	c.T.Helper()
	return c.Mint(auth.Grant{Subject: "an app", Tenant: tenant, Scopes: []string{scope}, Venues: []string{venue}, TTL: time.Hour})
}

// Ask sends a search as it is.
func (c *Town) Ask(query string, header map[string]string) flowtest.Answer {
	c.T.Helper()
	return c.AskAs(c.token, query, header)
}

// AskAs sends a search with another token.
func (c *Town) AskAs(token, query string, header map[string]string) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/rooms?" + query, Token: token, Header: header})
}

// AskBadly sends a search that is not as the description says.
func (c *Town) AskBadly(query string) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/rooms?" + query, Token: c.token, Invalid: true})
}

// Query returns the search for a room for tomorrow's night around a point, with the parameters of more: name, value, …
func Query(lat, lon float64, more ...string) string {
	v := url.Values{"near": {fmt.Sprintf("%v,%v", lat, lon)}, "check_in": {Day(1)}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v.Encode()
}

// Search searches, and reads what is found.
func (c *Town) Search(query string) (a Answer) {
	c.T.Helper()
	answer := c.Ask(query, nil)
	if answer.Status == http.StatusOK {
		answer.Into(c.T, &a)
	}
	a.Answer = answer
	return a
}

// IDs are the hotels of an answer, in its order.
func (a Answer) IDs() (all []string) {
	for _, h := range a.Hotels {
		all = append(all, h.Hotel)
	}
	return all
}
