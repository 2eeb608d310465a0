package identity

import (
	"fmt"

	"github.com/go-json-experiment/json"
)

// Scenario is a kind of person whom a front desk meets.
type Scenario string

// The scenarios. All of these people are made up, and look it: the names say "example" and count, and the resident's
// numbers are of an area (990000) that has never been issued.
const (
	Resident        Scenario = "resident"         // an adult with a resident's card
	Minor           Scenario = "minor"            // fifteen years old, with a resident's card
	YoungChild      Scenario = "child"            // eight years old, with a resident's card
	OldCard         Scenario = "expired"          // an adult whose resident's card ended yesterday
	MiddleDot       Scenario = "middle-dot"       // an adult with a middle dot in the name
	ForeignPassport Scenario = "passport"         // an adult with a passport of one of several countries, portrait included
	OldPassport     Scenario = "passport-expired" // the same, past its last day
	HongKong        Scenario = "hk-macao"         // an adult with a permit for Hong Kong's residents
	Taiwan          Scenario = "taiwan"           // an adult with a permit for Taiwan's residents
	PermanentCard   Scenario = "foreigners-card"  // a foreigner who lives here
	Stranger        Scenario = "stranger"         // a passport whose issuer cannot be asked, portrait included
)

// Scenarios returns every scenario, for tests that go through them all.
func Scenarios() []Scenario {
	return []Scenario{Resident, Minor, YoungChild, OldCard, MiddleDot, ForeignPassport, OldPassport, HongKong, Taiwan, PermanentCard, Stranger}
}

// Face is whose face is held to the kiosk, and how.
type Face string

// The faces.
const (
	Own      Face = "own"      // the person's: scores above 0.95 and is alive
	Doubtful Face = "doubtful" // the person's, hard to recognise: scores about 0.8
	Other    Face = "other"    // somebody else's: scores below 0.6
	Printed  Face = "printed"  // the person's, from a photograph: fails liveness
	Unclear  Face = "unclear"  // the person's, in bad light: liveness is unsure
	Blank    Face = "blank"    // nobody's: CodeFaceUnreadable
	Two      Face = "two"      // the person's and another: CodeSeveralFaces
)

// Want asks the twin to make people up.
type Want struct {
	Scenario Scenario `json:"scenario"` // "": Resident
	Face     Face     `json:"face"`     // "": Own
	Count    int      `json:"count"`    // 1 to 1,000; 0: 1
}

// Made is somebody who was made up, with what they bring to a kiosk.
type Made struct {
	Document Document `json:"document"`
	Sex      string   `json:"sex"`  // M or F
	Face     []byte   `json:"face"` // the JPEG that the kiosk's camera takes
}

// Make makes the people up that want (a Want as JSON, unknown members refused) says and returns a []Made.
func (t *Twin) Make(want []byte) (any, error) {
	var w Want
	if err := json.Unmarshal(want, &w, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("cannot read what to make: want {\"scenario\", \"face\", \"count\"}: %w", err)
	}
	return t.MakeUp(w)
}

// MakeUp makes people up and takes them into the registry.
func (t *Twin) MakeUp(w Want) ([]Made, error) {
	if w.Count == 0 {
		w.Count = 1
	}
	if w.Count < 1 || w.Count > 1000 {
		return nil, fmt.Errorf("count: want 1 to 1,000, got %d", w.Count)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Made, 0, w.Count)
	for range w.Count {
		p, err := t.invent(w.Scenario)
		if err != nil {
			return nil, err
		}
		face, err := t.face(p, w.Face)
		if err != nil {
			return nil, err
		}
		t.changes++
		t.add(p)
		made := Made{Document: p.Document, Sex: p.Sex, Face: face}
		if p.Type == Passport {
			made.Document.Portrait = draw(255, t.portrait(p))
		}
		out = append(out, made)
	}
	return out, nil
}

// portrait returns what the person looks like in the issuer's books.
func (t *Twin) portrait(p *twinPerson) grid { return drawGrid(t.chance("portrait", p.Serial)) }

func (t *Twin) face(p *twinPerson, f Face) ([]byte, error) {
	own, other := t.portrait(p), drawGrid(t.chance("other", p.Serial))
	switch f {
	case "", Own:
		return draw(255, own), nil
	case Doubtful:
		return draw(255, own.blend(other, 0.575)), nil
	case Other:
		return draw(255, other), nil
	case Printed:
		return draw(0, own), nil
	case Unclear:
		return draw(128, own), nil
	case Blank:
		return draw(255, grid{}), nil
	case Two:
		return draw(255, own, other), nil
	default:
		return nil, fmt.Errorf("face: there is no %q", f)
	}
}
