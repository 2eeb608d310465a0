package police

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/identity/papers"
)

// Books is what the twin believes has happened: the outside record for whoever checks that no registration is missing, and
// none there twice. Guests appear as keyed hashes alone.
type Books struct {
	Requests      uint64          `json:"requests"`      // that were understood and authorized
	Registrations []Booked        `json:"registrations"` // in the order in which they were made
	Refused       []BookedRefusal `json:"refused"`       // what was refused, in the order of the first time
}

// Booked is one registration.
type Booked struct {
	Registration
	Content   string         `json:"content"`          // keyed hash of what was registered: equal for equal content
	Person    string         `json:"person"`           // keyed hash of the document: one guest registered twice has one
	SeenBy    string         `json:"seen_by"`          // "kiosk" or "staff"
	By        string         `json:"by"`               // the request that registered it: traceparent, or a running number
	LeftBy    string         `json:"left_by,omitzero"` // the request that ended it
	Revisions []BookedChange `json:"revisions"`        // the first is revision 1
	Asked     Asked          `json:"asked"`
}

// BookedChange is one correction.
type BookedChange struct {
	Content string    `json:"content"` // keyed hash
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Asked   int       `json:"asked"` // times it was sent with this content
}

// Asked is how often a registration was asked for, by operation, successes and refusals alike.
type Asked struct {
	Register int `json:"register"`
	Find     int `json:"find"`
	Correct  int `json:"correct"`
	Depart   int `json:"depart"`
}

// BookedRefusal is how often a key was refused for one reason.
type BookedRefusal struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
	Times  int    `json:"times"`
}

// refuse takes a refusal into the books.
func (t *Twin) refuse(key, reason string) {
	i, ok := t.refusals[key+" "+reason]
	if !ok {
		i = len(t.refused)
		t.refused, t.refusals[key+" "+reason] = append(t.refused, BookedRefusal{Key: key, Reason: reason}), i
	}
	t.refused[i].Times++
}

// Books returns a Books.
func (t *Twin) Books() any { return t.ReadBooks() }

// ReadBooks returns the books with their type, for tests.
func (t *Twin) ReadBooks() Books {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := Books{Requests: t.requests, Registrations: make([]Booked, 0, len(t.stays)), Refused: append([]BookedRefusal{}, t.refused...)}
	for _, s := range t.stays {
		out.Registrations = append(out.Registrations, Booked{Registration: s.Registration, Content: s.Content, Person: s.Person, SeenBy: s.SeenBy,
			By: s.By, LeftBy: s.LeftBy, Revisions: append([]BookedChange{}, s.Revisions...), Asked: s.Asked})
	}
	return out
}

// Scenario is what the bureau has in store for a person.
type Scenario string

// The scenarios. Check and Notice are answered with the same bytes.
const (
	Clear     Scenario = "clear"     // nothing: the guest is registered
	Check     Scenario = "check"     // a random check: CodeSeeStaff until staff have looked
	Notice    Scenario = "notice"    // there is a notice: CodeSeeStaff until staff have looked
	Elsewhere Scenario = "elsewhere" // registered at another hotel, and not departed
)

func (s Scenario) wantsStaff() bool { return s == Check || s == Notice }

// Want asks the twin to have something in store for the bearer of a document.
type Want struct {
	Scenario       Scenario     `json:"scenario"` // "": Clear
	DocumentType   DocumentType `json:"document_type"`
	DocumentNumber string       `json:"document_number"`
}

// Make takes what want (a Want as JSON, unknown members refused) says and returns it.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"scenario\", \"document_type\", \"document_number\"}: %w", err)
	}
	return w, t.Mark(w)
}

// Mark decides what the bearer of a document will meet. It is not in the books, which hold what callers did.
func (t *Twin) Mark(w Want) error {
	switch w.Scenario {
	case "", Clear, Check, Notice, Elsewhere:
	default:
		return fmt.Errorf("scenario: there is no %q", w.Scenario)
	}
	if !papers.IsType(w.DocumentType) || !papers.IsNumber(w.DocumentNumber) {
		return fmt.Errorf("document_type and document_number: want a type of the interface, and 1 to %d capitals and digits", MaxNumber)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	person := t.Person(w.DocumentType, w.DocumentNumber)
	if w.Scenario == "" || w.Scenario == Clear {
		delete(t.marks, person)
	} else {
		t.marks[person] = w.Scenario
	}
	return nil
}
