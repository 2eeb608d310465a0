package police

import (
	"net/http"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/identity/strict"
	"github.com/warmgate/warmgate/backends/twin"
)

// twinRequest is a request that has passed the checks that all have in common.
type twinRequest struct {
	body []byte
	key  string
	rest string // the path's last segment, of a revision
	by   string // who asks, for the books
	now  time.Time
}

// twinRoute is one operation: its path with {} for the key, and for a revision's number.
type twinRoute struct {
	method, path string
	serve        func(*Twin, *twinRequest) (status int, out *twinStay, no *strict.Refusal)
}

func twinRoutes() []twinRoute {
	return []twinRoute{
		{"PUT", "/v1/registrations/{}", (*Twin).putRegistration},
		{"GET", "/v1/registrations/{}", (*Twin).getRegistration},
		{"PUT", "/v1/registrations/{}/revisions/{}", (*Twin).putRevision},
		{"PUT", "/v1/registrations/{}/departure", (*Twin).putDeparture},
	}
}

// route finds the operation of a request and takes its path apart.
func route(r *http.Request) (op *twinRoute, key, rest string) {
	routes := twinRoutes()
	for i := range routes {
		args, ok := twin.Match(routes[i].path, r.URL.EscapedPath())
		if ok && r.Method == routes[i].method {
			return &routes[i], args[0], strings.Join(args[1:], "")
		}
	}
	return nil, "", ""
}

// ServeHTTP answers one request.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, key, rest := route(r)
	if op == nil {
		(&strict.Refusal{Status: http.StatusNotFound, Reason: CodeBadRequest, Message: "this bureau has no such operation"}).Write(w)
		return
	}
	body, no := strict.Admit(r, t.cfg.APIKey, r.Method == http.MethodPut)
	if no == nil && !IsKey(key) {
		no = strict.BadRequest("", "the key is not an opaque identifier of %d to %d letters, digits, dashes, dots and underscores", MinKey, MaxKey)
	}
	if no != nil {
		no.Write(w)
		return
	}
	status, out, no := t.handle(op, &twinRequest{body: body, key: key, rest: rest, by: r.Header.Get("Traceparent"), now: t.now()})
	if no != nil {
		no.Write(w)
		return
	}
	twin.WriteJSON(w, status, twin.JSON, out)
}

// handle serves one request and returns what the registration is then.
func (t *Twin) handle(op *twinRoute, r *twinRequest) (int, *Registration, *strict.Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.changes++
	r.by = twin.By(r.by, t.requests)
	status, stay, no := op.serve(t, r)
	if no != nil {
		t.refuse(r.key, no.Reason)
		return 0, nil, no
	}
	out := stay.Registration
	return status, &out, nil
}

// guestBody is a guest as requests hold one.
type guestBody struct {
	Name           *string `json:"name"`
	LatinName      *string `json:"latin_name"`
	DocumentType   *string `json:"document_type"`
	DocumentNumber *string `json:"document_number"`
	Nationality    *string `json:"nationality"`
	BirthDate      *string `json:"birth_date"`
	Sex            *string `json:"sex"`
}

func (g *guestBody) check() *strict.Refusal {
	return strict.Check(
		strict.Member{Field: "/guest/name", Value: g.Name, Fits: papers.IsName, Want: "a name of at most 128 bytes"},
		strict.Member{Field: "/guest/latin_name", Value: g.LatinName, Fits: papers.IsName, Want: "a name of at most 128 bytes", Optional: true},
		strict.Member{Field: "/guest/document_type", Value: g.DocumentType, Want: "a type of the interface",
			Fits: func(s string) bool { return papers.IsType(DocumentType(s)) }},
		strict.Member{Field: "/guest/document_number", Value: g.DocumentNumber, Fits: papers.IsNumber, Want: "1 to 32 capitals and digits"},
		strict.Member{Field: "/guest/nationality", Value: g.Nationality, Fits: papers.IsNation, Want: "three capitals"},
		strict.Member{Field: "/guest/birth_date", Value: g.BirthDate, Fits: papers.IsDate, Want: "YYYY-MM-DD"},
		strict.Member{Field: "/guest/sex", Value: g.Sex, Want: "M, F or X",
			Fits: func(s string) bool { return s == "M" || s == "F" || s == "X" }},
	)
}

// readStay reads the body of a registration, whole or not at all.
func readStay(body []byte) (out *twinStay, no *strict.Refusal) {
	var q struct {
		Hotel             *string    `json:"hotel"`
		Room              *string    `json:"room"`
		Guest             *guestBody `json:"guest"`
		ArrivedAt         *string    `json:"arrived_at"`
		ExpectedDeparture *string    `json:"expected_departure"`
		SeenBy            *string    `json:"seen_by"`
	}
	if no := strict.Decode(body, &q); no != nil {
		return nil, no
	}
	if q.Guest == nil {
		return nil, strict.BadRequest("/guest", "a member is missing")
	}
	var arrived time.Time
	no = strict.Check(
		strict.Member{Field: "/hotel", Value: q.Hotel, Want: "1 to 64 characters",
			Fits: func(s string) bool { return s != "" && len(s) <= MaxHotel }},
		strict.Member{Field: "/room", Value: q.Room, Fits: isRoom, Want: "1 to 16 letters, digits and dashes"},
		strict.Member{Field: "/arrived_at", Value: q.ArrivedAt, Fits: reads(&arrived), Want: "a time as RFC 3339 has it, with its offset"},
		strict.Member{Field: "/expected_departure", Value: q.ExpectedDeparture, Want: "YYYY-MM-DD, not before the day of arrival",
			Fits: func(s string) bool { return papers.IsDate(s) && s >= arrived.Format(time.DateOnly) }},
		strict.Member{Field: "/seen_by", Value: q.SeenBy, Want: "kiosk or staff",
			Fits: func(s string) bool { return s == seenByKiosk || s == seenByStaff }},
	)
	if no == nil {
		no = q.Guest.check()
	}
	if no != nil {
		return nil, no
	}
	out = &twinStay{SeenBy: *q.SeenBy}
	out.Hotel, out.Room, out.ArrivedAt, out.ExpectedDeparture = *q.Hotel, *q.Room, arrived, *q.ExpectedDeparture
	out.Guest = Guest{Name: *q.Guest.Name, DocumentType: DocumentType(*q.Guest.DocumentType), DocumentNumber: *q.Guest.DocumentNumber,
		Nationality: *q.Guest.Nationality, BirthDate: *q.Guest.BirthDate, Sex: Sex(*q.Guest.Sex)}
	if q.Guest.LatinName != nil {
		out.Guest.LatinName = *q.Guest.LatinName
	}
	return out, nil
}

// reads makes a check that keeps the time that it has read.
func reads(out *time.Time) func(string) bool {
	return func(s string) (ok bool) {
		var err error
		*out, err = time.Parse(time.RFC3339, s)
		return err == nil
	}
}
