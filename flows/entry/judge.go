package entry

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

// recalled is what the ledger knows of a shown ticket, where it was asked.
type recalled = journey.Result[Known]

func byID(s Scan) (bool, error) { return s.Shown.Form == FormIDNumber, nil }

func notRecalled(Scan) (recalled, error) { return recalled{}, nil }

func asNamed(named recalled) (recalled, error) { return named, nil }

// unheard reports whether ticketing does not say what the ledger might, and the ledger was not asked yet.
func unheard(found journey.Result[[]Ticket], named recalled) (bool, error) {
	return found.Err != nil && named.Err == nil && named.Value.AsOf.IsZero(), nil
}

// takeAim decides what to ask ticketing for. An identity number never leaves the house: it is known from the last
// pre-warming, or not at all.
func takeAim(s Scan, known recalled) (Aim, error) {
	switch s.Shown.Form {
	case FormSigned:
		aim := Aim{Units: []string{s.Shown.Signed.Unit}, Reference: s.Shown.Signed.Code}
		if s.Shown.Signed.Booking != "" {
			aim.Bookings = []string{s.Shown.Signed.Booking}
		}
		return aim, nil
	case FormIDNumber:
		return aimByID(s, known)
	default:
		return Aim{Reference: s.Shown.Value}, nil
	}
}

// maxAims bounds the bookings that ticketing is asked for one after another, within one slice.
const maxAims = 4

func aimByID(s Scan, known journey.Result[Known]) (aim Aim, err error) {
	switch {
	case known.Err != nil:
		return aim, gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(known.Err)
	case len(known.Value.Tickets) > 0:
	case s.At.Sub(known.Value.AsOf) > settingsOf(s.venue).Prewarm.MaxAge:
		return aim, unverified(s)
	default:
		return aim, ProblemTicketUnknown.Error(gateway.Text{
			Zh: "刚购买的门票请直接出示二维码。", En: "A ticket that was bought only now has to be shown itself."}).WithField("ticket.id_number")
	}
	for _, t := range known.Value.Tickets {
		if !slices.Contains(aim.Bookings, t.Booking) {
			if len(aim.Bookings) == maxAims {
				continue
			}
			aim.Bookings = append(aim.Bookings, t.Booking)
		}
		aim.Units = append(aim.Units, t.Unit)
	}
	return aim, nil
}

// heard is everything that was said about the ticket.
type heard struct {
	found    []Ticket // by ticketing, now
	answered bool     // ticketing did answer
	known    Known
}

func hear(found journey.Result[[]Ticket], known journey.Result[Known]) (heard, error) {
	return heard{found: found.Value, answered: found.Err == nil, known: known.Value}, nil
}

// scanToday is a scan with what is known of the day.
type scanToday struct {
	Scan
	day *Day // nil: not known
}

func today(s Scan, day journey.Result[Day]) (scanToday, error) {
	t := scanToday{Scan: s}
	if day.Err == nil {
		t.day = &day.Value
	}
	return t, nil
}

// How a ticket came to be believed.
const (
	byTicketing = "ticketing" // asked now
	bySignature = "signature" // its issuer's
	byPrewarm   = "prewarmed" // known since the last pre-warming
	byStaff     = "staff"     // a person's decision
)

// Claim asks the ledger to let people in.
type Claim struct {
	Journey  string
	Spot     string
	Gate     string
	Scan     string
	Shown    []byte
	People   int // 0: everybody who can be let in
	Most     int // with one scan
	At       time.Time
	Day      string // the venue's own
	How      string
	Tickets  []Ticket // in the order of their units, each once
	Capacity int64
	SameScan time.Duration
	Entries  map[string]int64 // by product
}

// judge decides whether the ticket is good for this place and this moment, as far as that can be said without the ledger.
func judge(s scanToday, h heard) (Claim, error) {
	settings := settingsOf(s.venue)
	c := Claim{
		Journey: s.Journey, Spot: s.Spot, Gate: s.Gate, Scan: s.ID, Shown: s.Shown.Hash, People: s.People, At: s.At,
		Day: s.At.In(s.venue.Location).Format(time.DateOnly), Capacity: settings.Capacity, SameScan: settings.SameScan,
		Most: settings.MaxPeople, Entries: settings.entries(),
	}
	tickets, how, err := believe(s.Scan, h)
	if err != nil {
		return c, err
	}
	c.How = how
	var first error
	for _, t := range tickets {
		if err := fit(s, t); err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		c.Tickets = append(c.Tickets, t)
	}
	if len(c.Tickets) == 0 {
		return c, first
	}
	slices.SortFunc(c.Tickets, func(a, b Ticket) int { return strings.Compare(a.Unit, b.Unit) })
	c.Tickets = slices.CompactFunc(c.Tickets, func(a, b Ticket) bool { return a.Supplier == b.Supplier && a.Unit == b.Unit })
	return c, nil
}

// believe picks the best knowledge there is: ticketing's own answer, else a signature, else what was brought in not too
// long ago. With none of them a person has to look.
func believe(s Scan, h heard) (tickets []Ticket, how string, err error) {
	switch {
	case h.answered && len(h.found) > 0:
		return h.found, byTicketing, nil
	case h.answered:
		return nil, "", ProblemTicketUnknown.Error(gateway.Text{})
	case s.Shown.Signed != nil:
		return []Ticket{*s.Shown.Signed}, bySignature, nil
	case len(h.known.Tickets) > 0:
		for _, t := range h.known.Tickets { // each is as old as it is: a list may have broken off after it
			ofToday := !t.From.IsZero() || t.AsOf.In(s.venue.Location).Format(time.DateOnly) == s.At.Format(time.DateOnly)
			if ofToday && s.At.Sub(t.AsOf) <= settingsOf(s.venue).Prewarm.MaxAge {
				tickets = append(tickets, t) // without a slot it was one of that day's tickets, and of no other's
			}
		}
		if len(tickets) > 0 {
			return tickets, byPrewarm, nil
		}
	}
	return nil, "", unverified(s)
}

// unverified hands a scan to a person: one for each shown ticket, who comes to the gate of its last scan.
func unverified(s Scan) journey.Handover {
	h := handUnverified
	h.Subject, h.Place = subjectOf(s.Shown.Hash), s.Gate
	return h
}

// subjectOf is how what was shown is known to assists.
func subjectOf(shown []byte) string { return base64.RawURLEncoding.EncodeToString(shown) }

// fit decides whether ticket t opens this gate now. Whether it was used here the ledger decides, since a ticket may be
// good for several entries.
func fit(s scanToday, t Ticket) error {
	settings := settingsOf(s.venue)
	if settings.product(t.Product) == nil {
		return ProblemTicketWrongPlace.Error(gateway.Text{})
	}
	switch t.Status {
	case StatusValid, StatusUsed:
	case StatusCancelled:
		return ProblemTicketCancelled.Error(gateway.Text{})
	case StatusOnHold:
		return ProblemTicketOnHold.Error(gateway.Text{})
	case StatusExpired:
		return ProblemTicketExpired.Error(gateway.Text{})
	default: // ticketing says something new of it: a person looks
		return unverified(s.Scan)
	}
	if t.From.IsZero() {
		return openNow(s)
	}
	return inSlot(s, t, settings)
}

// openNow holds a ticket without a slot against the day, where the day is known.
func openNow(s scanToday) error {
	if s.day == nil || s.day.Open && len(s.day.Slots) == 0 {
		return nil
	}
	for _, span := range s.day.Slots {
		if !s.At.Before(span.From) && s.At.Before(span.To) {
			return nil
		}
	}
	return ProblemSpotClosed.Error(gateway.Text{})
}

func inSlot(s scanToday, t Ticket, settings *Settings) error {
	at, where := s.At, s.venue.Location
	if !at.Before(t.From.Add(-settings.Early)) && at.Before(t.To.Add(settings.Late)) {
		return nil
	}
	from := t.From.In(where)
	p := ProblemTicketWrongTime
	if day := from.Format(time.DateOnly); day != at.In(where).Format(time.DateOnly) {
		p = ProblemTicketWrongDay
	}
	return p.Error(gateway.Text{
		Zh: "有效时间：" + from.Format("2006-01-02 15:04") + " 至 " + t.To.In(where).Format("2006-01-02 15:04"),
		En: "It is good from " + from.Format("2006-01-02 15:04") + " to " + t.To.In(where).Format("2006-01-02 15:04") + ".",
	}).With("valid_from", from.Format(time.RFC3339)).With("valid_to", t.To.In(where).Format(time.RFC3339))
}
