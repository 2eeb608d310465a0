package police

import (
	"context"
	"errors"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/wire"
)

// What was wrong with an argument. They are the cause of a wire.Error with ReasonInput and show nothing of the argument.
var (
	errKey        = errors.New("key: want an opaque identifier, 16 to 64 letters, digits, dashes, dots and underscores")
	errKeyHolds   = errors.New("key: it holds the number of the guest's document")
	errRoom       = errors.New("room: want 1 to 16 letters, digits and dashes")
	errName       = errors.New("name: want 1 to 128 bytes of UTF-8 without control characters")
	errType       = errors.New("document_type: it is none of the interface's")
	errNumber     = errors.New("document_number: want 1 to 32 capitals and digits")
	errNation     = errors.New("nationality: want three capitals")
	errBirth      = errors.New("birth_date: want YYYY-MM-DD")
	errSex        = errors.New("sex: want M, F or X")
	errArrived    = errors.New("arrived_at: it is missing")
	errExpected   = errors.New("expected_departure: want YYYY-MM-DD, not before the day of arrival")
	errLeft       = errors.New("left_at: it is missing")
	errRevision   = errors.New("revision: want 1 to 1000")
	errCorrection = errors.New("correction: it corrects nothing")
)

// stayBody is a Stay on the wire.
type stayBody struct {
	Hotel             string `json:"hotel"`
	Room              string `json:"room"`
	Guest             Guest  `json:"guest"`
	ArrivedAt         string `json:"arrived_at"`
	ExpectedDeparture string `json:"expected_departure"`
	SeenBy            string `json:"seen_by"`
}

type departureBody struct {
	LeftAt string `json:"left_at"`
}

// The words of seen_by.
const (
	seenByKiosk = "kiosk"
	seenByStaff = "staff"
)

// Register registers a guest under key (see IsKey). It is idempotent by the key: what was registered before is returned as
// it stands. It is refused with CodeSeeStaff, CodeBadDocument, CodeElsewhere, CodeHotelUnknown, CodeConflict or
// CodeDeparted. After an Unknown fate ask Find, or send the same again.
func (c *Client) Register(ctx context.Context, key string, s Stay) (*Registration, error) {
	const op = "Register"
	if err := s.check(key); err != nil {
		return nil, c.wire.NotSent(op, wire.ReasonInput, err)
	}
	body := stayBody{Hotel: c.hotel, Room: s.Room, Guest: s.Guest, ArrivedAt: s.ArrivedAt.Format(time.RFC3339),
		ExpectedDeparture: s.ExpectedDeparture, SeenBy: seenByKiosk}
	if s.SeenByStaff {
		body.SeenBy = seenByStaff
	}
	return c.do(ctx, key, &wire.Request{Op: op, Method: "PUT", Path: pathOf(key), JSON: body})
}

// Find returns what is registered under key, nil when nothing is. This is how a registration, a correction or a departure
// of unknown outcome is settled. A read; it must not be answered from a cache.
func (c *Client) Find(ctx context.Context, key string) (*Registration, error) {
	const op = "Find"
	if !IsKey(key) {
		return nil, c.wire.NotSent(op, wire.ReasonInput, errKey)
	}
	r, err := c.do(ctx, key, &wire.Request{Op: op, Method: "GET", Path: pathOf(key)})
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Fate == wire.Refused && e.Code == CodeNotFound {
		return nil, nil
	}
	return r, err
}

// Correct changes the room or the name of a registration, as its revision of that number (1 to MaxRevision; each one more than
// the last). It is idempotent by key and revision. It is refused with CodeNotFound, CodeConflict, CodeRevisionGap or
// CodeDeparted. After an Unknown fate ask Find for its Revision, or send the same again.
func (c *Client) Correct(ctx context.Context, key string, revision int, change Correction) (*Registration, error) {
	const op = "Correct"
	if err := change.check(key, revision); err != nil {
		return nil, c.wire.NotSent(op, wire.ReasonInput, err)
	}
	return c.do(ctx, key, &wire.Request{Op: op, Method: "PUT", Path: revisionPath(key, revision), JSON: change})
}

// Depart says that the guest left at the time given (sent to the second). It is idempotent by key and time. It is refused
// with CodeNotFound, CodeBeforeStay, or CodeConflict when another time is known. After an Unknown fate ask Find for its
// State, or send the same again.
func (c *Client) Depart(ctx context.Context, key string, leftAt time.Time) (*Registration, error) {
	const op = "Depart"
	switch {
	case !IsKey(key):
		return nil, c.wire.NotSent(op, wire.ReasonInput, errKey)
	case leftAt.IsZero():
		return nil, c.wire.NotSent(op, wire.ReasonInput, errLeft)
	}
	return c.do(ctx, key, &wire.Request{Op: op, Method: "PUT", Path: pathOf(key) + "/departure",
		JSON: departureBody{leftAt.Format(time.RFC3339)}})
}

// do sends a request about key and reads the registration that every success answers.
func (c *Client) do(ctx context.Context, key string, r *wire.Request) (*Registration, error) {
	a, err := c.wire.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return read(a, key)
}

func read(a wire.Answer, key string) (*Registration, error) {
	if e := a.Reasoned(200, 201); e != nil {
		return nil, e
	}
	out := new(Registration)
	if !a.Decode(out) || !out.whole(key) {
		return nil, a.Unknown(wire.ReasonGarbage)
	}
	return out, nil
}

func (s *Stay) check(key string) error {
	switch {
	case !IsKey(key):
		return errKey
	case holds(key, s.Guest.DocumentNumber):
		return errKeyHolds
	case !isRoom(s.Room):
		return errRoom
	case s.ArrivedAt.IsZero():
		return errArrived
	case !papers.IsDate(s.ExpectedDeparture) || s.ExpectedDeparture < s.ArrivedAt.Format(time.DateOnly):
		return errExpected
	}
	return s.Guest.check()
}

func (g *Guest) check() error {
	switch {
	case !papers.IsName(g.Name) || g.LatinName != "" && !papers.IsName(g.LatinName):
		return errName
	case !papers.IsType(g.DocumentType):
		return errType
	case !papers.IsNumber(g.DocumentNumber):
		return errNumber
	case !papers.IsNation(g.Nationality):
		return errNation
	case !papers.IsDate(g.BirthDate):
		return errBirth
	case g.Sex != Male && g.Sex != Female && g.Sex != Unspecified:
		return errSex
	}
	return nil
}

func (c *Correction) check(key string, revision int) error {
	switch {
	case !IsKey(key):
		return errKey
	case revision < 1 || revision > MaxRevision:
		return errRevision
	case *c == (Correction{}):
		return errCorrection
	case c.Room != "" && !isRoom(c.Room):
		return errRoom
	case c.Name != "" && !papers.IsName(c.Name), c.LatinName != "" && !papers.IsName(c.LatinName):
		return errName
	}
	return nil
}

// isRoom reports whether s is 1 to MaxRoom letters, digits and dashes.
func isRoom(s string) bool {
	if s == "" || len(s) > MaxRoom {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
