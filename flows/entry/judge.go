package entry

import (
	"errors"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

// takeAim decides what to ask ticketing for. An identity number never leaves the house: it is known from the last
// pre-warming, or not at all.
func takeAim(s Scan, known journey.Result[Known]) (Aim, error) {
	switch s.Shown.Form {
	case FormSigned:
		return Aim{Booking: s.Shown.Signed.Booking, Unit: s.Shown.Signed.Unit, Reference: s.Shown.Signed.Code}, nil
	case FormIDNumber:
		if known.Err != nil {
			return Aim{}, gateway.AsError(known.Err)
		}
		if len(known.Value.Tickets) == 0 {
			if s.At.Sub(known.Value.AsOf) > settingsOf(s.venue).Prewarm.MaxAge {
				return Aim{}, handUnverified
			}
			return Aim{}, ProblemTicketUnknown.Error(gateway.Text{}).WithField("ticket.id_number")
		}
		return Aim{Booking: known.Value.Tickets[0].Booking, Unit: known.Value.Tickets[0].Unit}, nil
	default:
		return Aim{Reference: s.Shown.Value}, nil
	}
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
	At       time.Time
	Day      string // the venue's own
	How      string
	Tickets  []Ticket // in the order of their units
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
		Entries: map[string]int64{},
	}
	for _, p := range settings.Products {
		c.Entries[p.ID] = p.Entries
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
	if len(c.Tickets) > settings.MaxPeople && c.People == 0 {
		c.People = settings.MaxPeople
	}
	slices.SortFunc(c.Tickets, func(a, b Ticket) int { return compare(a.Unit, b.Unit) })
	return c, nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
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
	case len(h.known.Tickets) > 0 && s.At.Sub(h.known.AsOf) <= settingsOf(s.venue).Prewarm.MaxAge:
		return h.known.Tickets, byPrewarm, nil
	}
	return nil, "", handUnverified
}

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
	default:
		return gateway.AsError(errors.New("a ticket has a status that the journey does not know"))
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
		En: "It is good from " + from.Format("2006-01-02 15:04") + " to " + t.To.In(where).Format("2006-01-02 15:04"),
	}).With("valid_from", from.Format(time.RFC3339)).With("valid_to", t.To.In(where).Format(time.RFC3339))
}
