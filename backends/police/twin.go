package police

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TwinConfig says what the twin of a bureau is and how it is reached.
type TwinConfig struct {
	Name   string           // stable, of the instance: "lakeside"; part of the seed
	Hotels []string         // the hotels that it knows by their numbers; nil: one, called Name
	APIKey string           // the bearer credential that it accepts
	Seed   uint64           // makes the numbers of registrations
	Clock  func() time.Time // nil: time.Now
}

// Twin is a bureau that speaks the interface and refuses what does not fit it. It implements twin.Backend and is safe for
// concurrent use; it keeps everything in memory, some 700 bytes for a stay.
type Twin struct {
	cfg TwinConfig

	mu       sync.Mutex
	serial   uint64 // of the next registration
	requests uint64
	changes  uint64
	stays    []*twinStay
	byKey    map[string]*twinStay
	byPerson map[string][]*twinStay
	marks    map[string]Scenario // by person
	refused  []BookedRefusal
	refusals map[string]int // where in refused, by key and reason
}

// twinStay is what the twin knows of a registration; its JSON is what Save keeps.
type twinStay struct {
	Registration
	Guest     Guest          `json:"guest"`   // after the last correction
	Content   string         `json:"content"` // a keyed hash of what was registered
	Person    string         `json:"person"`  // a keyed hash of the document
	SeenBy    string         `json:"seen_by"`
	By        string         `json:"by"` // the request that registered it
	LeftBy    string         `json:"left_by,omitzero"`
	Revisions []BookedChange `json:"revisions,omitzero"`
	Asked     Asked          `json:"asked"`
}

// NewTwin returns a bureau without registrations. The error names the field at fault.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Hotels == nil {
		cfg.Hotels = []string{cfg.Name}
	}
	if !wire.IsVisible(cfg.Name, 64) || !wire.IsVisible(cfg.APIKey, 4096) {
		return nil, errors.New("cannot make a police twin: name and api key are needed, in visible ASCII")
	}
	for _, h := range cfg.Hotels {
		if !wire.IsVisible(h, MaxHotel) {
			return nil, fmt.Errorf("cannot make a police twin: hotel: want 1 to %d visible ASCII characters", MaxHotel)
		}
	}
	t := &Twin{cfg: cfg}
	t.index(&twinState{})
	return t, nil
}

// now returns the twin's time in whole seconds.
func (t *Twin) now() time.Time { return t.cfg.Clock().Truncate(time.Second) }

// seed mixes the twin's name into the seed, so that no two bureaus of a city give the same numbers.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, t.cfg.Name) }

// hash returns a keyed hash, so that books can be compared and do not show what they are of.
func (t *Twin) hash(parts ...string) string { return twin.Hash(t.seed(), t.cfg.APIKey, parts...) }

// Person returns what the books call the bearer of a document: for whoever knows the document and reads the books from
// outside.
func (t *Twin) Person(kind DocumentType, number string) string {
	return t.hash("person", string(kind), number)
}

// number returns the bureau's number of the next registration.
func (t *Twin) number() string {
	const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	r := rand.New(rand.NewPCG(t.seed(), t.serial))
	t.serial++
	out := []byte("PR-xxxxxxxxxx")
	for i := 3; i < len(out); i++ {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

// add takes a stay into the books.
func (t *Twin) add(s *twinStay) {
	t.stays = append(t.stays, s)
	t.byKey[s.Key] = s
	t.byPerson[s.Person] = append(t.byPerson[s.Person], s)
}

// index takes up a state. The caller holds mu, or is alone.
func (t *Twin) index(s *twinState) {
	t.serial, t.requests, t.marks, t.refused = s.Serial, s.Requests, s.Marks, s.Refused
	t.stays, t.byKey, t.byPerson, t.refusals = nil, map[string]*twinStay{}, map[string][]*twinStay{}, map[string]int{}
	if t.marks == nil {
		t.marks = map[string]Scenario{}
	}
	for i := range t.refused {
		t.refusals[t.refused[i].Key+" "+t.refused[i].Reason] = i
	}
	for _, stay := range s.Stays {
		t.add(stay)
	}
}

// twinState is what Save writes.
type twinState struct {
	Serial   uint64              `json:"serial"`
	Requests uint64              `json:"requests"`
	Stays    []*twinStay         `json:"stays"`
	Marks    map[string]Scenario `json:"marks"`
	Refused  []BookedRefusal     `json:"refused"`
}

// Changes grows with every change of the books.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(twinState{t.serial, t.requests, t.stays, t.marks, t.refused}, json.Deterministic(true))
}

// Restore replaces everything the twin knows.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore a police twin: %w", err)
	}
	if slices.Contains(s.Stays, nil) {
		return errors.New("cannot restore a police twin: a registration is null")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index(&s)
	return nil
}
