package police

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/identity/strict"
)

func refuse(status int, reason, message string) *strict.Refusal {
	return &strict.Refusal{Status: status, Reason: reason, Message: message}
}

// seeStaff is the whole answer to whatever wants a person's eyes. It has no part that depends on why.
func seeStaff() *strict.Refusal {
	return refuse(http.StatusUnprocessableEntity, CodeSeeStaff, "a person at the desk must look at guest and document")
}

func notFound() *strict.Refusal {
	return refuse(http.StatusNotFound, CodeNotFound, "nothing is registered under this key")
}

func (t *Twin) putRegistration(r *twinRequest) (int, *twinStay, *strict.Refusal) {
	stay, no := readStay(r.body)
	if no != nil {
		return 0, nil, no
	}
	if holds(r.key, stay.Guest.DocumentNumber) {
		return 0, nil, strict.BadRequest("", "the key holds the number of the guest's document")
	}
	if !slices.Contains(t.cfg.Hotels, stay.Hotel) {
		return 0, nil, refuse(http.StatusUnprocessableEntity, CodeHotelUnknown, "this bureau knows no such hotel")
	}
	g := &stay.Guest
	stay.Content = t.hash("stay", stay.Hotel, stay.Room, stay.ArrivedAt.UTC().Format(time.RFC3339), stay.ExpectedDeparture, g.Name, g.LatinName,
		string(g.DocumentType), g.DocumentNumber, g.Nationality, g.BirthDate, string(g.Sex))
	stay.Person = t.Person(g.DocumentType, g.DocumentNumber)
	if old := t.byKey[r.key]; old != nil {
		old.Asked.Register++
		switch {
		case old.State == Departed:
			return 0, nil, refuse(http.StatusConflict, CodeDeparted, "the stay of this key has ended")
		case old.Content != stay.Content:
			return 0, nil, refuse(http.StatusConflict, CodeConflict, "this key is registered with other content")
		}
		return http.StatusOK, old, nil
	}
	switch {
	case !papers.CanBe(g.DocumentType, g.DocumentNumber, g.BirthDate):
		return 0, nil, refuse(http.StatusUnprocessableEntity, CodeBadDocument, "the document's number cannot be one of its type's, or contradicts the birth date")
	case t.isElsewhere(stay):
		return 0, nil, refuse(http.StatusConflict, CodeElsewhere, "this person is registered at another hotel and has not left it")
	case stay.SeenBy != seenByStaff && t.marks[stay.Person].wantsStaff():
		return 0, nil, seeStaff()
	}
	stay.Key, stay.Number, stay.State, stay.RegisteredAt, stay.By = r.key, t.number(), Registered, r.now, r.by
	stay.Asked.Register = 1
	t.add(stay)
	return http.StatusCreated, stay, nil
}

// isElsewhere reports whether the person stays at another hotel at the same time.
func (t *Twin) isElsewhere(stay *twinStay) bool {
	return t.marks[stay.Person] == Elsewhere || slices.ContainsFunc(t.byPerson[stay.Person], func(s *twinStay) bool {
		return s.State == Registered && s.Hotel != stay.Hotel
	})
}

func (t *Twin) getRegistration(r *twinRequest) (int, *twinStay, *strict.Refusal) {
	stay := t.byKey[r.key]
	if stay == nil {
		return 0, nil, notFound()
	}
	stay.Asked.Find++
	return http.StatusOK, stay, nil
}

func (t *Twin) putRevision(r *twinRequest) (int, *twinStay, *strict.Refusal) {
	n, err := strconv.Atoi(r.rest)
	if err != nil || n < 1 || n > MaxRevision || strconv.Itoa(n) != r.rest {
		return 0, nil, strict.BadRequest("", "the revision is not a number from 1 to %d", MaxRevision)
	}
	var q struct {
		Room      *string `json:"room"`
		Name      *string `json:"name"`
		LatinName *string `json:"latin_name"`
	}
	if no := strict.Decode(r.body, &q); no != nil {
		return 0, nil, no
	}
	no := strict.Check(
		strict.Member{Field: "/room", Value: q.Room, Fits: isRoom, Want: "1 to 16 letters, digits and dashes", Optional: true},
		strict.Member{Field: "/name", Value: q.Name, Fits: papers.IsName, Want: "a name of at most 128 bytes", Optional: true},
		strict.Member{Field: "/latin_name", Value: q.LatinName, Fits: papers.IsName, Want: "a name of at most 128 bytes", Optional: true},
	)
	switch {
	case no != nil:
		return 0, nil, no
	case q.Room == nil && q.Name == nil && q.LatinName == nil:
		return 0, nil, strict.BadRequest("", "a correction needs a room or a name")
	}
	stay := t.byKey[r.key]
	if stay == nil {
		return 0, nil, notFound()
	}
	stay.Asked.Correct++
	next := stay.corrected(q.Room, q.Name, q.LatinName)
	content := t.hash("revision", or(q.Room, ""), or(q.Name, ""), or(q.LatinName, ""))
	switch {
	case n <= stay.Revision && stay.Revisions[n-1].Content == content:
		stay.Revisions[n-1].Asked++
		return http.StatusOK, stay, nil
	case n <= stay.Revision:
		return 0, nil, refuse(http.StatusConflict, CodeConflict, "this revision exists with other content")
	case stay.State == Departed:
		return 0, nil, refuse(http.StatusConflict, CodeDeparted, "the stay of this key has ended")
	case n > stay.Revision+1:
		return 0, nil, refuse(http.StatusConflict, CodeRevisionGap, "the revision before this one is missing")
	}
	stay.Room, stay.Guest, stay.Revision = next.Room, next.Guest, n
	stay.Revisions = append(stay.Revisions, BookedChange{Content: content, At: r.now, By: r.by, Asked: 1})
	return http.StatusCreated, stay, nil
}

// corrected returns the stay with what a correction changes.
func (s *twinStay) corrected(room, name, latin *string) (next twinStay) {
	next.Room, next.Guest = or(room, s.Room), s.Guest
	next.Guest.Name, next.Guest.LatinName = or(name, s.Guest.Name), or(latin, s.Guest.LatinName)
	return next
}

func or(v *string, otherwise string) string {
	if v == nil {
		return otherwise
	}
	return *v
}

func (t *Twin) putDeparture(r *twinRequest) (int, *twinStay, *strict.Refusal) {
	var q struct {
		LeftAt *string `json:"left_at"`
	}
	if no := strict.Decode(r.body, &q); no != nil {
		return 0, nil, no
	}
	var left time.Time
	no := strict.Check(strict.Member{Field: "/left_at", Value: q.LeftAt, Fits: reads(&left), Want: "a time as RFC 3339 has it, with its offset"})
	if no != nil {
		return 0, nil, no
	}
	stay := t.byKey[r.key]
	if stay == nil {
		return 0, nil, notFound()
	}
	stay.Asked.Depart++
	switch {
	case stay.State == Departed && stay.LeftAt.Equal(left):
		return http.StatusOK, stay, nil
	case stay.State == Departed:
		return 0, nil, refuse(http.StatusConflict, CodeConflict, "this stay ended at another time")
	case left.Before(stay.ArrivedAt):
		return 0, nil, refuse(http.StatusUnprocessableEntity, CodeBeforeStay, "nobody leaves before having arrived")
	}
	stay.State, stay.LeftAt, stay.LeftBy = Departed, left, r.by
	return http.StatusCreated, stay, nil
}
