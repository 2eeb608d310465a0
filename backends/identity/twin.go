package identity

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TwinConfig says what the twin of a service is and how it is reached.
type TwinConfig struct {
	Name     string           // stable, of the instance: "lakeside"; part of the seed
	APIKey   string           // the bearer credential that it accepts
	Seed     uint64           // makes every person and every portrait
	Clock    func() time.Time // nil: time.Now
	Location *time.Location   // where days begin and end; nil: UTC
}

// Twin is a service that speaks the interface and refuses what does not fit it. It knows people that it has made up, and
// nobody else. It implements twin.Backend and is safe for concurrent use; it keeps everything in memory, some 300 bytes
// for a person.
type Twin struct {
	cfg TwinConfig

	mu       sync.Mutex
	serial   uint64 // of the next person
	requests uint64
	changes  uint64
	people   []*twinPerson
	byPaper  map[string]*twinPerson // by type and number
	asked    map[string]int         // by keyed hash of the document
	refused  map[string]int         // by reason
}

// twinPerson is somebody whom the twin has made up, as the issuer of their document has it.
type twinPerson struct {
	Document
	Sex      string `json:"sex"`
	Stranger bool   `json:"stranger,omitzero"` // the issuer does not know the document
	Serial   uint64 `json:"serial"`            // makes the portrait
}

// NewTwin returns a service that knows nobody yet. The error names the field at fault.
func NewTwin(cfg TwinConfig) (*Twin, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if !wire.IsVisible(cfg.Name, 64) || !wire.IsVisible(cfg.APIKey, 4096) {
		return nil, errors.New("cannot make an identity twin: name and api key are needed, in visible ASCII")
	}
	t := &Twin{cfg: cfg}
	t.index(&twinState{})
	return t, nil
}

func (t *Twin) now() time.Time { return t.cfg.Clock().In(t.cfg.Location).Truncate(time.Second) }

// seed mixes the twin's name into the seed, so that no two services of a city know the same people.
func (t *Twin) seed() uint64 { return twin.Seed(t.cfg.Seed, t.cfg.Name) }

// chance returns the randomness of one thing: what it is for keeps the things apart.
func (t *Twin) chance(what string, n uint64) *rand.Rand {
	return rand.New(rand.NewPCG(twin.Seed(t.seed(), what), n))
}

func paper(kind DocumentType, number string) string { return string(kind) + " " + number }

// person returns a keyed hash of a document for the books.
func (t *Twin) person(kind DocumentType, number string) string {
	return twin.Hash(t.seed(), t.cfg.APIKey, paper(kind, number))
}

// add takes a person into the registry.
func (t *Twin) add(p *twinPerson) {
	t.people = append(t.people, p)
	t.byPaper[paper(p.Type, p.Number)] = p
}

// twinState is what Save writes.
type twinState struct {
	Serial   uint64         `json:"serial"`
	Requests uint64         `json:"requests"`
	People   []*twinPerson  `json:"people"`
	Asked    map[string]int `json:"asked"`
	Refused  map[string]int `json:"refused"`
}

// index takes up a state. The caller holds mu, or is alone.
func (t *Twin) index(s *twinState) {
	t.serial, t.requests, t.asked, t.refused = s.Serial, s.Requests, s.Asked, s.Refused
	t.people, t.byPaper = nil, map[string]*twinPerson{}
	if t.asked == nil {
		t.asked = map[string]int{}
	}
	if t.refused == nil {
		t.refused = map[string]int{}
	}
	for _, p := range s.People {
		t.add(p)
	}
}

// Changes grows with every change of what the twin knows.
func (t *Twin) Changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changes
}

// Save returns everything the twin knows.
func (t *Twin) Save() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(twinState{t.serial, t.requests, t.people, t.asked, t.refused}, json.Deterministic(true))
}

// Restore replaces everything the twin knows.
func (t *Twin) Restore(state []byte) error {
	var s twinState
	if err := json.Unmarshal(state, &s, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("cannot restore an identity twin: %w", err)
	}
	if slices.Contains(s.People, nil) {
		return errors.New("cannot restore an identity twin: a person is null")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index(&s)
	return nil
}

// Books is what the twin believes it was asked. It has no effects to keep, so these are counts.
type Books struct {
	Requests uint64         `json:"requests"` // that were understood and authorized
	Asked    map[string]int `json:"asked"`    // verifications by keyed hash of the document
	Refused  map[string]int `json:"refused"`  // refusals by reason
}

// Books returns a Books.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() Books {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Books{Requests: t.requests, Asked: maps.Clone(t.asked), Refused: maps.Clone(t.refused)}
}
