// Package strict is what the twins of backends/police and backends/identity do with every request before they look at what
// it asks for: a twin refuses what does not fit its interface, so that a client that has drifted from it is seen.
package strict

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/warmgate/warmgate/backends/twin"
)

// Refusal is an answer that says why not. Its sentence never repeats what was sent.
type Refusal struct {
	Status  int    `json:"-"`               // the HTTP status, 4xx
	Reason  string `json:"reason"`          // one word of the interface
	Message string `json:"message"`         // a sentence for the people who run the caller
	Field   string `json:"field,omitempty"` // the member at fault as a JSON Pointer (RFC 6901): "/guest/name"
	extra   http.Header
}

// BadRequest is the refusal of what does not fit the interface; field is a JSON Pointer or "".
func BadRequest(field, format string, args ...any) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: "bad-request", Message: fmt.Sprintf(format, args...), Field: field}
}

// Admit checks what every operation demands (credential, no query, the deadline header, media type of a body, or none) and
// returns the body.
func Admit(r *http.Request, key string, hasBody bool) ([]byte, *Refusal) {
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || given != key {
		return nil, &Refusal{Status: http.StatusUnauthorized, Reason: "unauthorized", Message: "a known bearer credential is needed",
			extra: http.Header{"Www-Authenticate": {"Bearer"}}}
	}
	if err := twin.CheckDeadline(r.Header); err != nil {
		return nil, BadRequest("", "%v", err)
	}
	if _, err := twin.ReadQuery(r.URL); err != nil {
		return nil, BadRequest("", "%v", err)
	}
	kind := ""
	if hasBody {
		kind = twin.JSON
	}
	body, err := twin.ReadBody(r, kind)
	if err != nil {
		return nil, BadRequest("", "%v", err)
	}
	return body, nil
}

// Decode fills out from a JSON object without unknown or duplicate members, each of its own type.
func Decode(body []byte, out any) *Refusal {
	if field, err := twin.ReadObject(body, out); err != nil {
		return BadRequest(field, "%v", err)
	}
	return nil
}

// Member is one string of a body and what it must be.
type Member struct {
	Field    string            // its JSON Pointer
	Value    *string           // nil: it is missing, or null
	Fits     func(string) bool // whether it is what Want says
	Want     string            // in words
	Optional bool
}

// Check refuses the first member that is missing or does not fit.
func Check(members ...Member) *Refusal {
	for i := range members {
		m := &members[i]
		switch {
		case m.Value == nil && m.Optional:
		case m.Value == nil:
			return BadRequest(m.Field, "a member is missing: want %s", m.Want)
		case !m.Fits(*m.Value):
			return BadRequest(m.Field, "a member does not fit: want %s", m.Want)
		}
	}
	return nil
}

// Write answers the refusal.
func (r *Refusal) Write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.extra)
	twin.WriteJSON(w, r.Status, twin.JSON, r)
}
