package identity

import (
	"net/http"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/identity/strict"
	"github.com/warmgate/warmgate/backends/twin"
)

// documentBody is a document as requests hold one.
type documentBody struct {
	Type        *string `json:"type"`
	Number      *string `json:"number"`
	Name        *string `json:"name"`
	LatinName   *string `json:"latin_name"`
	BirthDate   *string `json:"birth_date"`
	ExpiresOn   *string `json:"expires_on"`
	Nationality *string `json:"nationality"`
	Portrait    []byte  `json:"portrait"`
}

func (d *documentBody) check() *strict.Refusal {
	return strict.Check(
		strict.Member{Field: "/document/type", Value: d.Type, Want: "a type of the interface",
			Fits: func(s string) bool { return papers.IsType(DocumentType(s)) }},
		strict.Member{Field: "/document/number", Value: d.Number, Fits: papers.IsNumber, Want: "1 to 32 capitals and digits"},
		strict.Member{Field: "/document/name", Value: d.Name, Fits: papers.IsName, Want: "a name of at most 128 bytes"},
		strict.Member{Field: "/document/latin_name", Value: d.LatinName, Fits: papers.IsName, Want: "a name of at most 128 bytes", Optional: true},
		strict.Member{Field: "/document/birth_date", Value: d.BirthDate, Fits: papers.IsDate, Want: "YYYY-MM-DD"},
		strict.Member{Field: "/document/expires_on", Value: d.ExpiresOn, Fits: papers.IsDate, Want: "YYYY-MM-DD", Optional: true},
		strict.Member{Field: "/document/nationality", Value: d.Nationality, Fits: papers.IsNation, Want: "three capitals"},
	)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// readRequest reads the body of a verification, whole or not at all.
func readRequest(body []byte) (out Request, no *strict.Refusal) {
	var q struct {
		Document *documentBody `json:"document"`
		Face     []byte        `json:"face"`
		Purpose  *string       `json:"purpose"`
	}
	if no := strict.Decode(body, &q); no != nil {
		return Request{}, no
	}
	if q.Document == nil {
		return Request{}, strict.BadRequest("/document", "a member is missing")
	}
	no = q.Document.check()
	if no == nil {
		no = strict.Check(strict.Member{Field: "/purpose", Value: q.Purpose, Fits: isPurpose, Want: "1 to 32 lower-case letters and dashes"})
	}
	if no == nil && len(q.Document.Portrait) > MaxFace {
		no = strict.BadRequest("/document/portrait", "a picture has more than %d bytes", MaxFace)
	}
	if no != nil {
		return Request{}, no
	}
	d := q.Document
	out = Request{Face: q.Face, Purpose: *q.Purpose, Document: Document{Type: DocumentType(*d.Type), Number: *d.Number, Name: *d.Name,
		LatinName: text(d.LatinName), BirthDate: *d.BirthDate, ExpiresOn: text(d.ExpiresOn), Nationality: *d.Nationality, Portrait: d.Portrait}}
	return out, nil
}

// ServeHTTP answers one request.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.EscapedPath() != "/v1/verifications" {
		(&strict.Refusal{Status: http.StatusNotFound, Reason: CodeBadRequest, Message: "this service has no such operation"}).Write(w)
		return
	}
	body, no := strict.Admit(r, t.cfg.APIKey, true)
	if no != nil {
		no.Write(w)
		return
	}
	q, no := readRequest(body)
	var face, portrait seen
	if no == nil {
		no = judge(&q, &face, &portrait) // pictures are looked at before the lock is taken
	}
	out, no := t.verify(&q, &face, &portrait, no)
	if no != nil {
		no.Write(w)
		return
	}
	twin.WriteJSON(w, http.StatusOK, twin.JSON, out)
}

func refuse(status int, reason, message string) *strict.Refusal {
	return &strict.Refusal{Status: status, Reason: reason, Message: message}
}

// judge refuses what cannot be compared, and looks at the pictures.
func judge(q *Request, face, portrait *seen) *strict.Refusal {
	const no = http.StatusUnprocessableEntity
	var ok bool
	switch {
	case !papers.CanBe(q.Document.Type, q.Document.Number, q.Document.BirthDate):
		return refuse(no, CodeNumberInvalid, "the number cannot be one of its type's, or contradicts the birth date")
	case len(q.Face) == 0:
		return refuse(no, CodeFaceMissing, "there is no picture of a face")
	case len(q.Face) > MaxFace:
		return refuse(http.StatusRequestEntityTooLarge, CodeFaceTooLarge, "the picture of the face has more than 262144 bytes")
	}
	if *face, ok = look(q.Face); !ok {
		return refuse(no, CodeFaceUnreadable, "the picture is no JPEG, or nobody is on it")
	}
	if face.several {
		return refuse(no, CodeSeveralFaces, "there is more than one face on the picture")
	}
	if len(q.Document.Portrait) > 0 {
		if *portrait, ok = look(q.Document.Portrait); !ok || portrait.several {
			return refuse(no, CodeDocumentUnreadable, "the document's picture is no JPEG, or not of one person")
		}
	}
	return nil
}

// verify takes the request into the books, and answers what can be answered.
func (t *Twin) verify(q *Request, face, portrait *seen, no *strict.Refusal) (*Verification, *strict.Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.changes++
	if no != nil {
		t.refused[no.Reason]++
		return nil, no
	}
	d := &q.Document
	t.asked[t.person(d.Type, d.Number)]++
	now := t.now()
	known := t.byPaper[paper(d.Type, d.Number)]
	if known != nil && known.Stranger {
		known = nil
	}
	out := &Verification{ID: "V-" + symbols(t.chance("verification", t.requests), 12), Liveness: face.liveness, BirthDate: d.BirthDate, At: now}
	out.Document = d.standing(known, now)
	switch {
	case known != nil:
		books := t.portrait(known)
		out.Score = face.face.alike(&books)
		out.BirthDate = known.BirthDate
		if len(d.Portrait) > 0 { // another picture on the document than in the books is not overlooked
			out.Score = min(out.Score, face.face.alike(&portrait.face))
		}
	case len(d.Portrait) > 0:
		out.Score = face.face.alike(&portrait.face)
	}
	out.AgeBand = band(out.BirthDate, now)
	return out, nil
}

// standing returns what the issuer says to the document, where known is what they have of it.
func (d *Document) standing(known *twinPerson, now time.Time) Standing {
	last := d.ExpiresOn
	if known != nil {
		if d.Name != known.Name || d.LatinName != known.LatinName || d.BirthDate != known.BirthDate || d.ExpiresOn != known.ExpiresOn ||
			d.Nationality != known.Nationality {
			return Unreadable
		}
		last = known.ExpiresOn
	}
	switch {
	case last != "" && last < now.Format(time.DateOnly):
		return Expired
	case known == nil:
		return NotKnown
	}
	return Valid
}

// band returns the age band of somebody born on a day (YYYY-MM-DD). Who is born on 29 February is a year older on 1 March.
func band(born string, now time.Time) AgeBand {
	day, err := time.Parse(time.DateOnly, born)
	if err != nil {
		panic("BUG: birth dates are checked before they are counted")
	}
	age := now.Year() - day.Year()
	if now.Month() < day.Month() || now.Month() == day.Month() && now.Day() < day.Day() {
		age--
	}
	switch {
	case age < 14:
		return Child
	case age < 18:
		return Youth
	}
	return Adult
}
