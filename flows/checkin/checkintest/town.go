// Package checkintest puts hotels with their systems, an identity service and a police bureau behind a whole gateway, for
// the tests of the check-in and for whoever prints its budget matrix.
package checkintest

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/assist"
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
	Settings string // YAML, indented by two spaces, beside kiosks and keys
	Rooms    []ohip.TwinRoom
	Instance string // YAML, of each of its systems; "": the gateway's

	File func(string) string // changes the hotel's file; nil: it stays
}

// Town is a city of hotels with a gateway in front of it.
type Town struct {
	*flowtest.City
	OHIP     map[string]*ohip.Twin
	Apaleo   map[string]*apaleo.Twin
	Identity map[string]*identity.Twin
	Police   map[string]*police.Twin
	Hotels   map[string]Hotel

	days atomic.Int64 // by which the hotels' systems are ahead
}

// Flows returns the journey and the human door.
func Flows(t testing.TB) []*flow.Flow {
	t.Helper()
	c, err := checkin.New()
	if err != nil {
		t.Fatal(err)
	}
	return WithDoor(t, c)
}

// WithDoor returns journeys and the human door before them all.
func WithDoor(t testing.TB, all ...*flow.Flow) []*flow.Flow {
	t.Helper()
	door, err := assist.New(all)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, door)
}

const hotelFile = `id: %[1]s
kind: hotel
tenant: hangzhou
name: { zh: 酒店, en: A hotel }
time_zone: Asia/Shanghai
connectors:
  pms:
    connector: %[2]s
    url: %[3]s
    secrets: { client_secret: { env: OCTO_KEY } }
    options: { %[4]s }
    instance: %[7]s
  identity: { connector: identity, url: %[5]s, secrets: { api_key: { env: OCTO_KEY } }, instance: %[7]s }
  police: { connector: police, url: %[6]s, secrets: { api_key: { env: OCTO_KEY } }, instance: %[7]s }
settings:
  kiosks: [lobby-1, lobby-2]
%[8]s`

// Start starts a town. change may be nil.
func Start(t testing.TB, change func(c *Town), hotels ...Hotel) *Town {
	t.Helper()
	return StartWith(t, Flows(t), change, hotels...)
}

// StartWith starts a town whose gateway has these journeys.
func StartWith(t testing.TB, flows []*flow.Flow, change func(c *Town), hotels ...Hotel) *Town {
	t.Helper()
	town := &Town{OHIP: map[string]*ohip.Twin{}, Apaleo: map[string]*apaleo.Twin{}, Identity: map[string]*identity.Twin{},
		Police: map[string]*police.Twin{}, Hotels: map[string]Hotel{}}
	flowtest.Options{
		// A run whose gateway has died is settled soon, so that nobody waits for it here.
		Gateway: func(file string) string { return strings.ReplaceAll(file, "lease: 2s", "lease: 500ms") },
		Before: func(c *flowtest.City) {
			town.City = c
			for _, h := range hotels {
				town.add(h)
			}
			if change != nil {
				change(town)
			}
		},
	}.Start(t, flows)
	return town
}

func (c *Town) must(err error) {
	c.T.Helper()
	if err != nil {
		c.T.Fatal(err)
	}
}

// Tomorrow lets a night pass at the hotels' systems: who stays for one leaves today.
func (c *Town) Tomorrow() { c.days.Add(1) }

// clock is the hotel systems'. Tokens are theirs too, so it never goes back.
func (c *Town) clock() time.Time { return time.Now().AddDate(0, 0, int(c.days.Load())) }

// Zone is where the hotels are.
func Zone() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// add builds a hotel: its system's twin, its identity service and its bureau.
func (c *Town) add(h Hotel) {
	c.T.Helper()
	var err error
	options, keys := "hotel_id: "+h.ID, "encoder"
	switch h.PMS {
	case "", OHIP:
		h.PMS = OHIP
		c.OHIP[h.ID], err = ohip.NewTwin(ohip.TwinConfig{HotelID: h.ID, ClientSecret: flowtest.APIKey, Seed: 1, Clock: c.clock, Location: Zone(), Rooms: h.Rooms})
		c.must(err)
		c.must(c.Twins.Add(OHIP, h.ID, c.OHIP[h.ID]))
	case Apaleo:
		property := apaleo.PropertyOf(h.ID)
		c.Apaleo[h.ID], err = apaleo.NewTwin(apaleo.TwinConfig{Property: property, ClientID: "warmgate", ClientSecret: flowtest.APIKey, Seed: 1, Clock: c.clock, Location: Zone()})
		c.must(err)
		c.must(c.Twins.Add(Apaleo, h.ID, c.Apaleo[h.ID]))
		options, keys = "property: "+property, "staff"
	}
	c.Identity[h.ID], err = identity.NewTwin(identity.TwinConfig{Name: h.ID, APIKey: flowtest.APIKey, Seed: 1, Clock: time.Now, Location: Zone()})
	c.must(err)
	c.must(c.Twins.Add("identity", h.ID, c.Identity[h.ID]))
	c.Police[h.ID], err = police.NewTwin(police.TwinConfig{Name: h.ID, APIKey: flowtest.APIKey, Seed: 1, Clock: time.Now})
	c.must(err)
	c.must(c.Twins.Add("police", h.ID, c.Police[h.ID]))
	if !strings.Contains(h.Settings, "  keys:") {
		h.Settings += "  keys: " + keys + "\n"
	}
	if !strings.Contains(h.Settings, "  night_ends:") { // the twins' days are the calendar's, at any hour that tests run
		h.Settings += "  night_ends: 0s\n"
	}
	c.Hotels[h.ID] = h
	file := fmt.Sprintf(hotelFile, h.ID, h.PMS, c.Twins.URL(h.PMS, h.ID), options,
		c.Twins.URL("identity", h.ID), c.Twins.URL("police", h.ID), cmp.Or(h.Instance, "{}"), h.Settings)
	if h.File != nil {
		file = h.File(file)
	}
	c.Write("venues/"+h.ID+".yaml", file)
}

// Person makes somebody up whom the identity service knows.
func (c *Town) Person(hotel string, want identity.Want) identity.Made {
	c.T.Helper()
	made, err := c.Identity[hotel].MakeUp(want)
	c.must(err)
	return made[0]
}

// Guest is what a kiosk sends of a person.
func Guest(p identity.Made) map[string]any {
	d := map[string]any{"type": p.Document.Type, "number": p.Document.Number, "name": p.Document.Name, "nationality": p.Document.Nationality,
		"birth_date": p.Document.BirthDate, "sex": p.Sex, "expires_on": p.Document.ExpiresOn}
	if p.Document.LatinName != "" {
		d["latin_name"] = p.Document.LatinName
	}
	if len(p.Document.Portrait) > 0 {
		d["portrait"] = p.Document.Portrait
	}
	return map[string]any{"document": d, "face": p.Face}
}

// Booked is a booking of the town, whichever system has it.
type Booked struct {
	Hotel        string
	ID           string
	Confirmation string
	People       []identity.Made
}

// Book books a room at the hotel for people, the first one's name on it. scenario is the system's own word.
func (c *Town) Book(hotel, scenario string, people ...identity.Made) Booked {
	c.T.Helper()
	if len(people) == 0 {
		people = []identity.Made{c.Person(hotel, identity.Want{})}
	}
	b := Booked{Hotel: hotel, People: people}
	if c.Hotels[hotel].PMS == Apaleo {
		w := apaleo.Want{Scenario: apaleo.Scenario(scenario), Adults: len(people)}
		for _, p := range people {
			w.Guests = append(w.Guests, apaleo.MadeGuest{LastName: p.Document.Name, DocumentType: "IdNumber", DocumentNumber: p.Document.Number, BirthDate: p.Document.BirthDate})
		}
		made, err := c.Apaleo[hotel].Issue(w)
		c.must(err)
		b.ID, b.Confirmation = made[0].Reservation, made[0].Booking
		return b
	}
	w := ohip.Want{Scenario: ohip.Scenario(scenario)}
	for _, p := range people {
		surname, given, _ := strings.Cut(p.Document.LatinName, " ")
		alternate := p.Document.Name
		if p.Document.LatinName == "" {
			surname, given, _ = strings.Cut(p.Document.Name, " ")
			alternate = ""
		}
		w.Guests = append(w.Guests, ohip.WantGuest{Surname: surname, GivenName: given, Alternate: alternate, BirthDate: p.Document.BirthDate})
	}
	made, err := c.OHIP[hotel].Reserve(w)
	c.must(err)
	b.ID, b.Confirmation = made[0].ID, made[0].Confirmation
	return b
}

// Arrival is the body of a check-in of all of a booking's people, by its number.
func (b Booked) Arrival(kiosk string) map[string]any {
	var guests []any
	for _, p := range b.People {
		guests = append(guests, Guest(p))
	}
	return map[string]any{"kiosk": kiosk, "booking": map[string]any{"confirmation": b.Confirmation}, "guests": guests}
}

// CheckIn sends a check-in.
func (c *Town) CheckIn(hotel string, body map[string]any) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + hotel + "/check-ins", Token: c.Token("kiosk", "hotel:check-in"), Body: body})
}

// CheckOut sends a check-out of a person.
func (c *Town) CheckOut(hotel string, p identity.Made) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + hotel + "/check-outs", Token: c.Token("kiosk", "hotel:check-in"),
		Body: map[string]any{"kiosk": "lobby-1", "document": map[string]any{"type": p.Document.Type, "number": p.Document.Number}}})
}

// Dial breaks one of the hotel's systems: "pms", "identity" or "police".
func (c *Town) Dial(hotel, system string, d twin.Dial) {
	c.T.Helper()
	if system == "pms" {
		system = c.Hotels[hotel].PMS
	}
	c.must(c.Twins.Dial(system, hotel, d))
}
