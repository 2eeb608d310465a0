package ohip

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/twin"
)

// maxHotels bounds a town.
const maxHotels = 100_000

// TownConfig says what a town of hotels is and how it is reached.
type TownConfig struct {
	Hotels       int              // 1 to 100,000, of some 35 rooms on average
	ClientSecret string           // of OAuth, for them all
	AppKey       string           // "": SandboxAppKey
	ClientID     string           // "": SandboxClientID
	Seed         uint64           // makes every hotel: name, place, rooms, prices
	Clock        func() time.Time // nil: time.Now
	Location     *time.Location   // the hotels' time zone; nil: UTC
	TokenLife    time.Duration    // of an access token; 0: an hour
	Lat, Lon     float64          // the middle of the town, in degrees; both 0: that of Hangzhou
	Radius       float64          // of the ring that every hotel is inside, in km; 0: 12
	Sold         float64          // share of rooms that other channels have sold on an average night, 0 to 1: rooms without a reservation here
}

// Town is a chain's gateway: many hotels behind one address and one credential, each a Twin. A hotel that nobody has booked
// in is made from the seed for each request and costs no memory; the first request for anything but its availability, or the
// first Make, opens it for good. Town implements twin.Backend and twin.Troubled and is safe for concurrent use.
type Town struct {
	cfg   TownConfig
	front *Twin // has the credential and gives the tokens; no hotel of the town

	mu       sync.Mutex
	opened   map[string]*Twin
	asked    uint64 // requests to hotels that are not opened
	changes  uint64
	troubles []TownTrouble
}

// TownTrouble is what a share of the hotels does with every request. Which ones they are is the seed's: the same always.
type TownTrouble struct {
	Share float64   `json:"share"` // of all hotels, 0 to 1
	Dial  twin.Dial `json:"dial"`
}

// NewTown returns a town in which nothing is booked. The error names the field at fault.
func NewTown(cfg TownConfig) (*Town, error) {
	if cfg.Lat == 0 && cfg.Lon == 0 {
		cfg.Lat, cfg.Lon = 30.2550, 120.1690
	}
	if cfg.Radius == 0 {
		cfg.Radius = 12
	}
	switch {
	case cfg.Hotels < 1 || cfg.Hotels > maxHotels:
		return nil, fmt.Errorf("cannot make an ohip town: hotels: want 1 to %d, got %d", maxHotels, cfg.Hotels)
	case !(cfg.Sold >= 0 && cfg.Sold <= 1):
		return nil, fmt.Errorf("cannot make an ohip town: sold: want 0 to 1, got %v", cfg.Sold)
	case !(cfg.Radius > 0 && cfg.Radius <= 100) || !(cfg.Lat > -80 && cfg.Lat < 80) || !(cfg.Lon >= -180 && cfg.Lon <= 180):
		return nil, errors.New("cannot make an ohip town: place: want a latitude within 80°, a longitude, and a radius of up to 100 km")
	}
	front, err := NewTwin(TwinConfig{HotelID: "TOWN", ClientSecret: cfg.ClientSecret, AppKey: cfg.AppKey, ClientID: cfg.ClientID,
		Seed: cfg.Seed, Clock: cfg.Clock, Location: cfg.Location, TokenLife: cfg.TokenLife, Rooms: []TwinRoom{{ID: "1", Type: "STD"}}})
	if err != nil {
		return nil, err
	}
	return &Town{cfg: cfg, front: front, opened: map[string]*Twin{}}, nil
}

// ServeHTTP answers one request of OHIP for any of the hotels, or of the token endpoint.
func (t *Town) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if path == "/oauth/v1/tokens" && r.Method == http.MethodPost {
		t.front.serveToken(w, r)
		return
	}
	id, module, rest := hotelIn(path)
	hotel, known := t.Hotel(id)
	if !known {
		writeProblem(w, refuse(http.StatusNotFound, "", "this chain has no such hotel"))
		return
	}
	t.mu.Lock()
	open := t.opened[id]
	if open == nil {
		t.asked++
		t.changes++
	}
	t.mu.Unlock()
	if open == nil && module == "par" && rest == "availability" && r.Method == http.MethodGet {
		status, out, problem := t.look(&hotel, r)
		reply(w, status, out, problem)
		return
	}
	open, err := t.open(&hotel)
	if err != nil {
		panic("BUG: a hotel of the seed's cannot be opened: " + err.Error())
	}
	open.ServeHTTP(w, r)
}

// look answers what a hotel has in which nobody has booked.
func (t *Town) look(h *TownHotel, r *http.Request) (int, any, *twinProblem) {
	visitor := &Twin{cfg: t.hotelConfig(h.ID), gate: t.front}
	route := twinRoute{query: availabilityParameters()}
	req, problem := visitor.admit(&route, r)
	if problem != nil {
		return 0, nil, problem
	}
	a, problem := readAsked(req)
	if problem != nil {
		return 0, nil, problem
	}
	nights := nightsOf(a.from, a.to)
	house := &twinHouse{id: h.ID, seed: visitor.seed(), types: h.Types}
	return house.answer(a, visitor.today(), func(kind string) int {
		rooms, free := h.count(kind), h.count(kind)
		for _, night := range nights {
			free = min(free, rooms-t.sold(house.seed, kind, night, rooms))
		}
		return max(free, 0)
	})
}

// open returns the hotel with books of its own, as it is from now on.
func (t *Town) open(h *TownHotel) (*Twin, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if open := t.opened[h.ID]; open != nil {
		return open, nil
	}
	cfg := t.hotelConfig(h.ID)
	cfg.Rooms, cfg.Types = h.rooms(), h.Types
	open, err := NewTwin(cfg)
	if err != nil {
		return nil, err
	}
	open.gate = t.front
	seed := open.seed()
	open.sold = func(kind, night string, rooms int) int { return t.sold(seed, kind, night, rooms) }
	t.opened[h.ID] = open
	t.changes++
	return open, nil
}

func (t *Town) hotelConfig(id string) TwinConfig {
	cfg := t.front.cfg
	cfg.HotelID, cfg.Rooms = id, nil
	return cfg
}

// sold returns how many rooms of a type other channels have sold for a night: more or fewer around the town's share, up to all.
func (t *Town) sold(seed uint64, kind, night string, rooms int) int {
	if t.cfg.Sold == 0 {
		return 0
	}
	demand := t.cfg.Sold + 0.6*(part(mixed(seed, "demand", night))-0.5) + 0.3*(part(mixed(seed, "demand", night, kind))-0.5)
	return int(min(max(demand, 0), 1)*float64(rooms) + 0.5)
}

// part makes a share, 0 to 1, of a number.
func part(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// hotelIn returns the hotel, the module and the rest of a path; "" where it has none.
func hotelIn(path string) (id, module, rest string) {
	parts := strings.SplitN(path, "/", 6)
	if len(parts) != 6 || parts[0] != "" || parts[2] != "v1" || parts[3] != "hotels" {
		return "", "", ""
	}
	return parts[4], parts[1], parts[5]
}

// SetTrouble replaces what is wrong with which share of the hotels. The shares do not overlap: hanging 0.05 and refusing
// 0.05 are a tenth of the town. A request that hangs is not let go when this changes.
func (t *Town) SetTrouble(all []TownTrouble) error {
	sum := 0.0
	for i := range all {
		if !(all[i].Share >= 0) {
			return fmt.Errorf("trouble[%d].share: want 0 to 1, got %v", i, all[i].Share)
		}
		if err := all[i].Dial.Check(); err != nil {
			return fmt.Errorf("trouble[%d].dial: %w", i, err)
		}
		sum += all[i].Share
	}
	if sum > 1 {
		return fmt.Errorf("trouble: the shares are more than all hotels: %v", sum)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.troubles = all
	t.changes++
	return nil
}

// Trouble returns how badly the hotel in the path behaves.
func (t *Town) Trouble(path string) twin.Dial {
	id, _, _ := hotelIn(path)
	if _, known := t.number(id); !known {
		return twin.Dial{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := part(mixed(t.cfg.Seed, "trouble", id))
	for i := range t.troubles {
		if at -= t.troubles[i].Share; at < 0 {
			return t.troubles[i].Dial
		}
	}
	return twin.Dial{}
}

// TownWant is a Want for one of the hotels ("hotel": its id). With "do": "hotels" it answers every TownHotel, and with
// "do": "trouble" it does SetTrouble.
type TownWant struct {
	Hotel    string        `json:"hotel"`
	Troubles []TownTrouble `json:"trouble"`
	Want     `json:",inline"`
}

// Make does what want (a TownWant as JSON, unknown members refused) says.
func (t *Town) Make(want []byte) (any, error) {
	var w TownWant
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"hotel\", \"do\", …}: %w", err)
	}
	switch w.Do {
	case "hotels":
		all := make([]TownHotel, 0, t.cfg.Hotels)
		for n := range t.cfg.Hotels {
			all = append(all, t.hotel(n))
		}
		return all, nil
	case "trouble":
		return []Made{}, t.SetTrouble(w.Troubles)
	}
	open, err := t.Open(w.Hotel)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(w.Want)
	if err != nil {
		return nil, fmt.Errorf("cannot pass on what to make: %w", err)
	}
	return open.Make(raw)
}

// Open returns a hotel with books of its own, which it has from now on.
func (t *Town) Open(id string) (*Twin, error) {
	hotel, known := t.Hotel(id)
	if !known {
		return nil, fmt.Errorf("hotel: this town has no %q", id)
	}
	return t.open(&hotel)
}

// TownBooks is what the town believes has happened.
type TownBooks struct {
	Hotels int                  `json:"hotels"`
	Asked  uint64               `json:"asked"`  // requests to hotels that were not opened then
	Tokens uint64               `json:"tokens"` // access tokens that were issued
	Opened map[string]TwinBooks `json:"opened"`
}

// Books returns a TownBooks.
func (t *Town) Books() any {
	out := TownBooks{Hotels: t.cfg.Hotels, Tokens: t.front.ReadBooks().Tokens, Opened: map[string]TwinBooks{}}
	var all map[string]*Twin
	all, out.Asked, _ = t.copied()
	for id, open := range all {
		out.Opened[id] = open.ReadBooks()
	}
	return out
}

func (t *Town) copied() (map[string]*Twin, uint64, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.opened), t.asked, t.changes
}

// Changes grows with every change of what Save writes.
func (t *Town) Changes() uint64 {
	all, _, sum := t.copied()
	for _, open := range all {
		sum += open.Changes()
	}
	return sum + t.front.Changes()
}

// townState is what Save writes: the hotels that are opened, and the credential's desk.
type townState struct {
	Asked  uint64                    `json:"asked"`
	Front  jsontext.Value            `json:"front"`
	Opened map[string]jsontext.Value `json:"opened"`
}

// Save returns everything the town knows but its access tokens and its troubles, which are dialled anew.
func (t *Town) Save() ([]byte, error) {
	all, asked, _ := t.copied()
	state := townState{Asked: asked, Opened: map[string]jsontext.Value{}}
	var err error
	if state.Front, err = t.front.Save(); err != nil {
		return nil, err
	}
	for id, open := range all {
		if state.Opened[id], err = open.Save(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(state)
}

// Restore replaces everything the town knows.
func (t *Town) Restore(state []byte) error {
	var s townState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore an ohip town: %w", err)
	}
	if err := t.front.Restore(s.Front); err != nil {
		return err
	}
	t.mu.Lock()
	t.asked, t.opened = s.Asked, map[string]*Twin{}
	t.mu.Unlock()
	for id, one := range s.Opened {
		open, err := t.Open(id)
		if err != nil {
			return fmt.Errorf("cannot restore an ohip town: %w", err)
		}
		if err := open.Restore(one); err != nil {
			return err
		}
	}
	return nil
}
