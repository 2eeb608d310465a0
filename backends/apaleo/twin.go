package apaleo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TwinConfig says what hotel a twin is and how it is reached.
type TwinConfig struct {
	Property     string           // its id: 3 to 10 letters, digits and underscores; part of the seed
	ClientID     string           // the credential that it gives tokens for
	ClientSecret string           // likewise
	Seed         uint64           // makes every id, name and document
	Clock        func() time.Time // nil: time.Now
	Location     *time.Location   // the hotel's time zone; nil: UTC
	Floors       int              // 1 to 90; 0: 10
	PerFloor     int              // units on each, 1 to 99; 0: 20
	TokenLife    time.Duration    // of an access token, at least a second; 0: an hour
}

// Twin is a hotel whose system speaks Apaleo's interface and refuses what does not fit it. Its rooms are singles, doubles,
// twins and family rooms by turns, all clean. It implements twin.Backend, also gives the tokens (POST /connect/token), and
// is safe for concurrent use; it keeps everything in memory, some 1,000 bytes for a reservation.
type Twin struct {
	cfg TwinConfig

	mu           sync.Mutex
	serial       uint64 // of the next reservation
	requests     uint64
	changes      uint64
	tokens       map[string]time.Time // to when they end
	given        uint64               // tokens
	units        []*twinUnit
	reservations []*twinReservation
	byUnit       map[string]*twinUnit
	byID         map[string]*twinReservation
	inUnit       map[string][]*twinReservation // by unit: those that have or had it
}

// twinUnit is a room; its JSON is what Save keeps.
type twinUnit struct {
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Group       string      `json:"group"` // "DBL"
	Floor       int         `json:"floor"`
	MaxPersons  int         `json:"max_persons"`
	Condition   Condition   `json:"condition"`
	Maintenance Maintenance `json:"maintenance,omitempty"`
}

// twinGroup is a kind of room.
type twinGroup struct {
	code, name string
	persons    int
}

func twinGroups() []twinGroup {
	return []twinGroup{{"SGL", "Single", 1}, {"DBL", "Double", 2}, {"TWN", "Twin", 2}, {"FAM", "Family room", 4}}
}

// NewTwin returns a hotel without reservations. The error names the field at fault.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.TokenLife == 0 {
		cfg.TokenLife = time.Hour
	}
	floors, err := wire.Within("apaleo twin", "floors", cfg.Floors, 10, 1, 90)
	if err != nil {
		return nil, err
	}
	perFloor, err := wire.Within("apaleo twin", "per_floor", cfg.PerFloor, 20, 1, 99)
	if err != nil {
		return nil, err
	}
	switch {
	case !isProperty(cfg.Property):
		return nil, fmt.Errorf("cannot make an apaleo twin: property: want 3 to 10 letters, digits and underscores, got %q", cfg.Property)
	case !isClientID(cfg.ClientID) || !wire.IsVisible(cfg.ClientSecret, 1024):
		return nil, errors.New("cannot make an apaleo twin: client id and secret are needed, in visible ASCII")
	case cfg.TokenLife < time.Second:
		return nil, fmt.Errorf("cannot make an apaleo twin: token_life: want a second or more, got %s", cfg.TokenLife)
	}
	t := &Twin{cfg: cfg, tokens: map[string]time.Time{}}
	t.index(t.build(floors, perFloor), nil)
	return t, nil
}

// PropertyOf returns the property that the twin of a venue has in a city: the venue's id in capitals, dashes as underscores,
// at most 10 characters, filled up to 3.
func PropertyOf(venue string) string {
	s := strings.ToUpper(strings.ReplaceAll(venue, "-", "_"))
	for len(s) < 3 {
		s += "X"
	}
	return s[:min(len(s), 10)]
}

// build makes the rooms.
func (t *Twin) build(floors, perFloor int) []*twinUnit {
	r := rand.New(rand.NewPCG(t.seed(), 1<<63))
	groups, taken := twinGroups(), map[string]bool{}
	var all []*twinUnit
	for floor := 1; floor <= floors; floor++ {
		for n := range perFloor {
			id := letters(r, 3)
			for taken[id] {
				id = letters(r, 3)
			}
			taken[id] = true
			g := groups[n%len(groups)]
			all = append(all, &twinUnit{ID: t.cfg.Property + "-" + id, Name: fmt.Sprintf("%d%02d", floor, n+1), Group: g.code,
				Floor: floor, MaxPersons: g.persons, Condition: Clean})
		}
	}
	return all
}

// index builds the maps anew. The caller holds mu, or is alone.
func (t *Twin) index(units []*twinUnit, reservations []*twinReservation) {
	t.units, t.reservations = units, nil
	t.byUnit, t.byID = map[string]*twinUnit{}, map[string]*twinReservation{}
	t.inUnit = map[string][]*twinReservation{}
	for _, u := range units {
		t.byUnit[u.ID] = u
	}
	for _, r := range reservations {
		t.add(r)
	}
}

func (t *Twin) add(r *twinReservation) {
	t.reservations = append(t.reservations, r)
	t.byID[r.ID] = r
	if r.Unit != "" {
		t.inUnit[r.Unit] = append(t.inUnit[r.Unit], r)
	}
}

// now returns the hotel's time as the interface shows it: with its offset, whole seconds.
func (t *Twin) now() time.Time { return t.cfg.Clock().In(t.cfg.Location).Truncate(time.Second) }

// day returns the hotel's date, to be compared.
func (t *Twin) day(at time.Time) string { return at.In(t.cfg.Location).Format(time.DateOnly) }

// seed mixes the hotel's id into the seed, so that no two hotels of a city have an id in common.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, "apaleo/"+t.cfg.Property) }

// letters returns n capitals.
func letters(r *rand.Rand, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte('A' + r.IntN(26))
	}
	return string(out)
}

// active returns who has a unit now or will have it, besides one reservation.
func (t *Twin) active(unit string, besides *twinReservation) []*twinReservation {
	var out []*twinReservation
	for _, r := range t.inUnit[unit] {
		if r != besides && r.Unit == unit && (r.Status == StatusConfirmed || r.Status == StatusInHouse) {
			out = append(out, r)
		}
	}
	return out
}

// isFree reports whether a unit can be given to a reservation for its whole stay.
func (t *Twin) isFree(u *twinUnit, r *twinReservation, now time.Time) bool {
	if u.Maintenance == OutOfOrder || u.Maintenance == OutOfInventory || u.Group != r.Group {
		return false
	}
	return !slices.ContainsFunc(t.active(u.ID, r), func(other *twinReservation) bool {
		ends := other.Departure
		if other.Status == StatusInHouse && ends.Before(now) { // has not left yet
			ends = now
		}
		return other.Arrival.Before(r.Departure) && r.Arrival.Before(ends)
	})
}

// isOccupied reports whether somebody is in the unit.
func (t *Twin) isOccupied(unit string) bool {
	return slices.ContainsFunc(t.active(unit, nil), func(r *twinReservation) bool { return r.Status == StatusInHouse })
}

// find returns the unit with an id or a name.
func (t *Twin) find(unit string) *twinUnit {
	if u := t.byUnit[unit]; u != nil {
		return u
	}
	i := slices.IndexFunc(t.units, func(u *twinUnit) bool { return u.Name == unit })
	if i < 0 {
		return nil
	}
	return t.units[i]
}

// twinState is what Save writes.
type twinState struct {
	Serial       uint64             `json:"serial"`
	Requests     uint64             `json:"requests"`
	Units        []*twinUnit        `json:"units"`
	Reservations []*twinReservation `json:"reservations"`
}

// Changes grows with every change of a reservation or a unit.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows but the tokens, which a restart ends.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(twinState{t.serial, t.requests, t.units, t.reservations})
}

// Restore replaces everything the twin knows.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore an apaleo twin: %w", err)
	}
	if slices.Contains(s.Reservations, nil) || slices.Contains(s.Units, nil) || len(s.Units) == 0 {
		return errors.New("cannot restore an apaleo twin: it has no units, or a null among them or the reservations")
	}
	for _, u := range s.Units {
		if !strings.HasPrefix(u.ID, t.cfg.Property+"-") {
			return fmt.Errorf("cannot restore an apaleo twin: unit %q is not of %s", u.ID, t.cfg.Property)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serial, t.requests = s.Serial, s.Requests
	t.index(s.Units, s.Reservations)
	return nil
}
