package checkin

import (
	"strings"

	"github.com/warmgate/warmgate/flows/person"
)

// sameParty says whether a booking is the party's: one of the presented documents is a guest's whom it names.
func sameParty(a Arrival, b Booking) person.Likeness {
	best := person.Different
	for _, g := range a.Guests {
		for _, booked := range b.Guests {
			best = max(best, sameGuest(g.Document, booked))
		}
	}
	if best != person.Same && a.vouched(handName.Kind, b.ID) {
		return person.Same
	}
	return best
}

// sameGuest compares a document with a person whom a booking names.
func sameGuest(d Document, b Booked) person.Likeness {
	if b.Number != "" && strings.EqualFold(b.Number, d.Number) {
		return person.Same
	}
	likeness := person.Alike([]string{b.Name, b.Other}, []string{d.Name, d.LatinName})
	if likeness == person.Same && b.Birthday != "" && b.Birthday != d.BirthDate {
		return person.Perhaps // many people have the same name
	}
	return likeness
}

// ownOnly leaves out the bookings of other people: what was found by a name or a day is nobody else's business.
func ownOnly(a Arrival, all []Booking) []Booking {
	var own []Booking
	for _, b := range all {
		if sameParty(a, b) != person.Different {
			own = append(own, b)
		}
	}
	return own
}

func join(surname, given string) string { return strings.TrimSpace(surname + " " + given) }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
