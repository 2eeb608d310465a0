package entry

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

// noon is a day at the spot.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, shanghai)

func judgeVenue() *gateway.Venue {
	return &gateway.Venue{ID: "west-lake", Location: shanghai, Settings: &Settings{Capacity: 10, MaxPeople: 3, SameScan: time.Minute,
		Early: 30 * time.Minute, Late: 10 * time.Minute, Products: []Product{{ID: "p", Entries: 1}}, Prewarm: Prewarm{Every: time.Minute, MaxAge: time.Hour}}}
}

// word is what an error says to whom.
func word(err error) string {
	if h, ok := errors.AsType[journey.Handover](err); ok {
		return "a person: " + h.Kind
	}
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		return e.Problem.Type
	}
	return ""
}

func ticketAt(from, to time.Time) Ticket {
	return Ticket{Supplier: "s", Unit: "u", Product: "p", Code: "c", Status: StatusValid, From: from, To: to, AsOf: noon}
}

func TestJudge(t *testing.T) {
	venue := judgeVenue()
	live := func(tickets ...Ticket) heard { return heard{found: tickets, answered: true} }
	any := ticketAt(time.Time{}, time.Time{})
	closed := &Day{}
	morning := &Day{Open: true, Slots: []Span{{noon.Add(-4 * time.Hour), noon.Add(-time.Hour)}}}
	allDay := &Day{Open: true, Slots: []Span{{noon.Add(-4 * time.Hour), noon.Add(4 * time.Hour)}}}
	changed := func(change func(*Ticket)) Ticket { t := any; change(&t); return t }
	old := changed(func(t *Ticket) { t.AsOf = noon.Add(-time.Hour) })
	older := changed(func(t *Ticket) { t.AsOf = noon.Add(-time.Hour - time.Millisecond) })
	yesterday := changed(func(t *Ticket) { t.AsOf = noon.AddDate(0, 0, -1) })
	for _, x := range []struct {
		name  string
		day   *Day
		heard heard
		want  string
	}{
		{"without a slot, the day unknown", nil, live(any), ""},
		{"without a slot, open", allDay, live(any), ""},
		{"without a slot, closed today", closed, live(any), "spot-closed"},
		{"without a slot, closed by now", morning, live(any), "spot-closed"},
		{"in its slot", nil, live(ticketAt(noon, noon.Add(time.Hour))), ""},
		{"as early as may be", nil, live(ticketAt(noon.Add(30*time.Minute), noon.Add(time.Hour))), ""},
		{"too early", nil, live(ticketAt(noon.Add(30*time.Minute+time.Second), noon.Add(time.Hour))), "ticket-wrong-time"},
		{"as late as may be", nil, live(ticketAt(noon.Add(-time.Hour), noon.Add(-10*time.Minute+time.Second))), ""},
		{"too late", nil, live(ticketAt(noon.Add(-time.Hour), noon.Add(-10*time.Minute))), "ticket-wrong-time"},
		{"after midnight", nil, live(ticketAt(noon.Add(13*time.Hour), noon.Add(14*time.Hour))), "ticket-wrong-day"},
		{"a state that nobody knows", nil, live(changed(func(t *Ticket) { t.Status = "NO_SHOW" })), "a person: ticket-unverified"},
		{"another product", nil, live(changed(func(t *Ticket) { t.Product = "q" })), "ticket-wrong-place"},
		{"one good of two", nil, live(changed(func(t *Ticket) { t.Status, t.Unit = StatusCancelled, "v" }), any), ""},
		{"ticketing knows nothing", nil, live(), "ticket-unknown"},
		{"nobody answers", nil, heard{}, "a person: ticket-unverified"},
		{"known since today", nil, heard{known: Known{Tickets: []Ticket{old}, AsOf: noon.Add(-time.Hour)}}, ""},
		{"known for too long", nil, heard{known: Known{Tickets: []Ticket{older}, AsOf: noon.Add(-time.Hour - time.Millisecond)}}, "a person: ticket-unverified"},
		{"known from a list that broke off after it", nil, heard{known: Known{Tickets: []Ticket{old}, AsOf: noon.Add(-2 * time.Hour)}}, ""},
		{"missing in newer lists for too long", nil, heard{known: Known{Tickets: []Ticket{older}, AsOf: noon}}, "a person: ticket-unverified"},
		{"one of two known for too long", nil, heard{known: Known{Tickets: []Ticket{older, old}, AsOf: noon}}, ""},
		{"one of yesterday's without a slot", nil, heard{known: Known{Tickets: []Ticket{yesterday}, AsOf: noon}}, "a person: ticket-unverified"},
	} {
		c, err := judge(scanToday{Scan: Scan{At: noon, venue: venue}, day: x.day}, x.heard)
		if word(err) != x.want || err == nil && (len(c.Tickets) != 1 || c.Day != "2026-06-01") {
			t.Errorf("%s: %+v, %v", x.name, c, err)
		}
	}
	twice, err := judge(scanToday{Scan: Scan{At: noon, venue: venue}}, live(any, any))
	if err != nil || len(twice.Tickets) != 1 {
		t.Errorf("a ticket that was listed twice: %+v, %v", twice, err)
	}
}

func TestAimByIDNumber(t *testing.T) {
	known := journey.Result[Known]{Value: Known{AsOf: noon, Tickets: []Ticket{
		{Booking: "b1", Unit: "u1"}, {Booking: "b2", Unit: "u2"}, {Booking: "b1", Unit: "u3"},
		{Booking: "b3", Unit: "u4"}, {Booking: "b4", Unit: "u5"}, {Booking: "b5", Unit: "u6"}}}}
	s := Scan{At: noon, Shown: Shown{Form: FormIDNumber, Value: "11010519491231002X"}, venue: judgeVenue()}
	aim, err := takeAim(s, known)
	if err != nil || aim.Reference != "" || !slices.Equal(aim.Bookings, []string{"b1", "b2", "b3", "b4"}) || !slices.Equal(aim.Units, []string{"u1", "u2", "u3", "u4", "u5"}) {
		t.Errorf("%+v, %v", aim, err)
	}
	for want, known := range map[string]journey.Result[Known]{
		"ticket-unknown":              {Value: Known{AsOf: noon.Add(-time.Hour)}},
		"a person: ticket-unverified": {Value: Known{AsOf: noon.Add(-time.Hour - time.Millisecond)}},
		"ledger-unavailable":          {Err: errors.New("the disk is gone")},
	} {
		if aim, err := takeAim(s, known); word(err) != want || aim.Reference != "" {
			t.Errorf("%s: %+v, %v", want, aim, err)
		}
	}
}

// TestPrewarmerFollowsTheConfigurationThatHolds has a new configuration refused after it was bound.
func TestPrewarmerFollowsTheConfigurationThatHolds(t *testing.T) {
	p := &prewarmer{}
	first, second := judgeVenue(), judgeVenue()
	turn := func(now time.Time) *gateway.Venue {
		due := p.due(now)
		if len(due) == 0 {
			return nil
		}
		due[0].busy = false
		return due[0].venue
	}
	stopFirst := p.add(first, nil)
	if turn(noon) != first || turn(noon.Add(59*time.Second)) != nil {
		t.Error("the first has its turn at once, and then not for its time")
	}
	stopSecond := p.add(second, nil)
	if turn(noon.Add(time.Second)) != second {
		t.Error("a new configuration has its turn at once")
	}
	stopSecond()
	if turn(noon.Add(time.Minute)) != first {
		t.Error("the one that holds goes on")
	}
	due := p.due(noon.Add(2 * time.Minute))
	if len(due) != 1 || p.due(noon.Add(3*time.Minute)) != nil {
		t.Error("one that is still at it is left alone")
	}
	stopFirst()
	if turn(noon.Add(time.Hour)) != nil {
		t.Error("nothing is left")
	}
}
