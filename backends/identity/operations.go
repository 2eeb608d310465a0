package identity

import (
	"context"
	"errors"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/wire"
)

// What was wrong with an argument. They are the cause of a wire.Error with ReasonInput and show nothing of the argument.
var (
	errType     = errors.New("document.type: it is none of the interface's")
	errNumber   = errors.New("document.number: want 1 to 32 capitals and digits")
	errName     = errors.New("document.name: want 1 to 128 bytes of UTF-8 without control characters")
	errBirth    = errors.New("document.birth_date: want YYYY-MM-DD")
	errExpires  = errors.New("document.expires_on: want YYYY-MM-DD")
	errNation   = errors.New("document.nationality: want three capitals")
	errPortrait = errors.New("document.portrait: want at most 262144 bytes")
	errPurpose  = errors.New("purpose: want 1 to 32 lower-case letters and dashes")
	errMissing  = errors.New("face: it is missing")
	errTooLarge = errors.New("face: want at most 262144 bytes")
)

// requestBody is a Request on the wire; the codec writes bytes as base64.
type requestBody struct {
	Document Document `json:"document"`
	Face     []byte   `json:"face"`
	Purpose  string   `json:"purpose"`
}

// Verify compares a face with a document. It is a read: after any failure it may be asked again. It is refused with one of
// the first seven Code constants; a face that is missing or too large is refused here, as the service would, and not sent.
func (c *Client) Verify(ctx context.Context, r Request) (*Verification, error) {
	const op = "Verify"
	if err := r.check(); err != nil {
		e := c.wire.NotSent(op, wire.ReasonInput, err)
		switch {
		case errors.Is(err, errMissing):
			e.Fate, e.Reason, e.Code = wire.Refused, wire.ReasonRefused, CodeFaceMissing
		case errors.Is(err, errTooLarge):
			e.Fate, e.Reason, e.Code = wire.Refused, wire.ReasonRefused, CodeFaceTooLarge
		}
		return nil, e
	}
	a, err := c.wire.Do(ctx, &wire.Request{Op: op, Method: "POST", Path: "/v1/verifications",
		JSON: requestBody(r)})
	if err != nil {
		return nil, err
	}
	defer a.Release()
	return read(a)
}

func read(a wire.Answer) (*Verification, error) {
	if e := a.Reasoned(200); e != nil {
		return nil, e
	}
	out := new(Verification)
	if !a.Decode(out) || !out.whole() {
		return nil, a.Unknown(wire.ReasonGarbage)
	}
	return out, nil
}

// whole reports whether the answer holds what callers rely on.
func (v *Verification) whole() bool {
	return v.ID != "" && len(v.ID) <= 64 && v.Score >= 0 && v.Score <= 1 && v.Liveness != "" && v.Document != "" && papers.IsDate(v.BirthDate) &&
		v.AgeBand != "" && !v.At.IsZero()
}

func (r *Request) check() error {
	d := &r.Document
	switch {
	case !papers.IsType(d.Type):
		return errType
	case !papers.IsNumber(d.Number):
		return errNumber
	case !papers.IsName(d.Name), d.LatinName != "" && !papers.IsName(d.LatinName):
		return errName
	case !papers.IsDate(d.BirthDate):
		return errBirth
	case d.ExpiresOn != "" && !papers.IsDate(d.ExpiresOn):
		return errExpires
	case !papers.IsNation(d.Nationality):
		return errNation
	case len(d.Portrait) > MaxFace:
		return errPortrait
	case !isPurpose(r.Purpose):
		return errPurpose
	case len(r.Face) == 0:
		return errMissing
	case len(r.Face) > MaxFace:
		return errTooLarge
	}
	return nil
}

// isPurpose reports whether s is 1 to MaxPurpose lower-case letters and dashes.
func isPurpose(s string) bool {
	if s == "" || len(s) > MaxPurpose {
		return false
	}
	for i := range len(s) {
		if s[i] != '-' && (s[i] < 'a' || s[i] > 'z') {
			return false
		}
	}
	return true
}
