package ohip

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// SandboxAppKey and SandboxClientID are what the sandbox's hotels are registered under; the client secret is the city's.
const (
	SandboxAppKey   = "5d1ef2a0-6f2b-4c3e-9a41-7c0f3b9d2e10"
	SandboxClientID = "warmgate"
)

// TwinConfig says what the twin of a hotel is and how it is reached.
type TwinConfig struct {
	HotelID      string           // the hotel's code, 1 to 20 visible ASCII characters; part of the seed
	ClientSecret string           // of OAuth
	AppKey       string           // "": SandboxAppKey
	ClientID     string           // "": SandboxClientID
	Seed         uint64           // makes every reservation, name and number
	Clock        func() time.Time // nil: time.Now
	Location     *time.Location   // the hotel's time zone; nil: UTC
	TokenLife    time.Duration    // of an access token; 0: an hour
	Rooms        []TwinRoom       // nil: DefaultRooms
	Types        []TwinType       // how types of room sell; what is not in it, or empty in it, is made up from the seed
}

// TwinRoom is a room of the twin's hotel. Rooms next to each other in the list with the same Pair have a door between them.
type TwinRoom struct {
	ID    string // 1 to 20 bytes
	Type  string // "STD"
	Floor string
	Pair  string // "": no door to another room
}

// DefaultRooms returns 200 rooms on floors 2 to 9: 25 a floor, most "STD" (one large bed) and "TWN" (two beds), the last
// ones of each floor "DLX" and "STE". Every second pair of neighbours has a door between them.
func DefaultRooms() []TwinRoom {
	var all []TwinRoom
	for floor := 2; floor <= 9; floor++ {
		for n := 1; n <= 25; n++ {
			r := TwinRoom{ID: fmt.Sprintf("%d%02d", floor, n), Type: "STD", Floor: fmt.Sprint(floor)}
			switch {
			case n > 24:
				r.Type = "STE"
			case n > 20:
				r.Type = "DLX"
			case n > 12:
				r.Type = "TWN"
			}
			if (n-1)%4 < 2 && n < 25 {
				r.Pair = fmt.Sprintf("%d-%d", floor, (n-1)/4)
			}
			all = append(all, r)
		}
	}
	return all
}

// Twin is a hotel that speaks OHIP and refuses what does not fit it. It implements twin.Backend and is safe for concurrent
// use; it keeps everything in memory, some 2 KB for a reservation.
type Twin struct {
	cfg  TwinConfig
	gate *Twin                                   // who gives the tokens for it; nil: it does
	sold func(kind, night string, rooms int) int // rooms of a type that other channels have sold; nil: none

	mu       sync.Mutex
	serial   uint64 // of the next reservation
	requests uint64
	changes  uint64
	issued   uint64 // access tokens
	tokens   map[string]time.Time
	rooms    []*twinRoom
	stays    []*twinStay
	effects  []TwinEffect
	asks     map[askKey]*ask
	prices   map[string]int64 // of types whose price was changed: fen

	byRoom         map[string]*twinRoom
	byID           map[string]*twinStay
	byConfirmation map[string]*twinStay
	byName         map[string][]*twinStay
	byReference    map[string][]*twinStay // callers' references
	holders        map[string][]*twinStay // who holds a room, whatever the nights
}

// NewTwin returns a hotel without reservations, all rooms clean. The error names the field at fault.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.Rooms == nil {
		cfg.Rooms = DefaultRooms()
	}
	if cfg.AppKey == "" {
		cfg.AppKey = SandboxAppKey
	}
	if cfg.ClientID == "" {
		cfg.ClientID = SandboxClientID
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = time.Hour
	}
	switch {
	case !wire.IsVisible(cfg.HotelID, maxRoomID):
		return nil, fmt.Errorf("cannot make an ohip twin: hotel id: want 1 to %d visible ASCII characters", maxRoomID)
	case !wire.IsVisible(cfg.ClientSecret, 4096) || !wire.IsVisible(cfg.ClientID, 256) || !appKeyShape.MatchString(cfg.AppKey):
		return nil, errors.New("cannot make an ohip twin: client secret, client id and app key are needed as in Config")
	case cfg.TokenLife < time.Second:
		return nil, fmt.Errorf("cannot make an ohip twin: token life: want a second or more, got %s", cfg.TokenLife)
	case len(cfg.Rooms) == 0:
		return nil, errors.New("cannot make an ohip twin: it has no rooms")
	}
	for _, k := range cfg.Types {
		if !isText(k.Code, maxRoomID) || k.People < 0 || k.Price < 0 {
			return nil, fmt.Errorf("cannot make an ohip twin: type %q: want a code of 1 to %d bytes, people and price not negative", k.Code, maxRoomID)
		}
	}
	t := &Twin{cfg: cfg, tokens: map[string]time.Time{}, asks: map[askKey]*ask{}, prices: map[string]int64{}}
	rooms := make([]*twinRoom, 0, len(cfg.Rooms))
	for _, r := range cfg.Rooms {
		if !isText(r.ID, maxRoomID) || !isText(r.Type, maxRoomID) {
			return nil, fmt.Errorf("cannot make an ohip twin: room %q: want an id and a type of 1 to %d bytes", r.ID, maxRoomID)
		}
		rooms = append(rooms, &twinRoom{ID: r.ID, Type: r.Type, Floor: r.Floor, Pair: r.Pair, Housekeeping: Clean})
	}
	t.index(rooms, nil)
	if len(t.byRoom) != len(rooms) {
		return nil, errors.New("cannot make an ohip twin: two rooms have the same id")
	}
	return t, nil
}

// now returns the twin's time, in whole seconds at the hotel.
func (t *Twin) now() time.Time { return t.cfg.Clock().In(t.cfg.Location).Truncate(time.Second) }

// today returns the hotel's business date, which is the calendar's.
func (t *Twin) today() string { return t.now().Format(time.DateOnly) }

// index builds the maps anew. The caller holds mu, or is alone.
func (t *Twin) index(rooms []*twinRoom, stays []*twinStay) {
	t.rooms, t.stays = rooms, nil
	t.byRoom, t.byID = map[string]*twinRoom{}, map[string]*twinStay{}
	t.byConfirmation, t.byName = map[string]*twinStay{}, map[string][]*twinStay{}
	t.holders, t.byReference = map[string][]*twinStay{}, map[string][]*twinStay{}
	for _, r := range rooms {
		t.byRoom[r.ID] = r
	}
	for _, s := range stays {
		t.add(s)
	}
}

// add takes a reservation into the maps.
func (t *Twin) add(s *twinStay) {
	t.stays = append(t.stays, s)
	t.byID[s.ID] = s
	t.byConfirmation[s.Confirmation] = s
	for _, g := range s.Guests {
		name := strings.ToLower(g.Surname)
		if !slices.Contains(t.byName[name], s) {
			t.byName[name] = append(t.byName[name], s)
		}
	}
	for _, ref := range s.References {
		t.byReference[ref.ID] = append(t.byReference[ref.ID], s)
	}
	if s.RoomID != "" {
		t.holders[s.RoomID] = append(t.holders[s.RoomID], s)
	}
}

// move changes the room that a reservation holds.
func (t *Twin) move(s *twinStay, room string) {
	if s.RoomID != "" {
		t.holders[s.RoomID] = slices.DeleteFunc(t.holders[s.RoomID], func(o *twinStay) bool { return o == s })
	}
	s.RoomID = room
	if room != "" {
		t.holders[room] = append(t.holders[room], s)
	}
}

// seed mixes the hotel's code into the seed, so that no two hotels of a city have a reservation in common.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, t.cfg.HotelID) }

// twinState is what Save writes. Access tokens are not kept: a hotel that restarts has forgotten them.
type twinState struct {
	Serial   uint64           `json:"serial"`
	Requests uint64           `json:"requests"`
	Issued   uint64           `json:"issued"`
	Rooms    []*twinRoom      `json:"rooms"`
	Stays    []*twinStay      `json:"stays"`
	Effects  []TwinEffect     `json:"effects"`
	Asks     []TwinAsk        `json:"asks"`
	Prices   map[string]int64 `json:"prices,omitempty"`
}

// Changes grows with every change of what Save writes.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows but its access tokens.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(twinState{t.serial, t.requests, t.issued, t.rooms, t.stays, t.effects, t.asked(), t.prices})
}

// Restore replaces everything the twin knows.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore an ohip twin: %w", err)
	}
	if slices.Contains(s.Rooms, nil) || slices.Contains(s.Stays, nil) {
		return errors.New("cannot restore an ohip twin: a room or reservation is null")
	}
	for _, stay := range s.Stays {
		if stay.RoomID != "" && !slices.ContainsFunc(s.Rooms, func(r *twinRoom) bool { return r.ID == stay.RoomID }) {
			return errors.New("cannot restore an ohip twin: a reservation holds a room that is not there")
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serial, t.requests, t.issued, t.effects = s.Serial, s.Requests, s.Issued, s.Effects
	t.asks = map[askKey]*ask{}
	for i, a := range s.Asks {
		t.asks[askKey{a.Op, a.ReservationID, a.RoomID}] = &ask{order: i, asked: a.Asked, done: a.Done}
	}
	t.prices = map[string]int64{}
	maps.Copy(t.prices, s.Prices)
	t.index(s.Rooms, s.Stays)
	return nil
}
