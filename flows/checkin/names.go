package checkin

import "strings"

// same is how sure a front desk is that two names are one person's.
type same uint8

const (
	sameNo same = iota
	sameMaybe
	sameYes
)

// sameParty says whether a booking is the party's: one of the presented documents is a guest's whom it names.
func sameParty(a Arrival, b Booking) same {
	best := sameNo
	for _, g := range a.Guests {
		for _, booked := range b.Guests {
			best = max(best, sameGuest(g.Document, booked))
		}
	}
	if best != sameYes && a.vouched(handName.Kind, b.ID) {
		return sameYes
	}
	return best
}

// sameGuest compares a document with a person whom a booking names.
func sameGuest(d Document, b Booked) same {
	if b.Number != "" && strings.EqualFold(b.Number, d.Number) {
		return sameYes
	}
	best := sameNo
	for _, shown := range []string{d.Name, d.LatinName} {
		for _, booked := range []string{b.Name, b.Other} {
			if shown != "" && booked != "" {
				best = max(best, sameName(shown, booked))
			}
		}
	}
	if best == sameYes && b.Birthday != "" && b.Birthday != d.BirthDate {
		return sameMaybe // many people have the same name
	}
	return best
}

// ownOnly leaves out the bookings of other people: what was found by a name or a day is nobody else's business.
func ownOnly(a Arrival, all []Booking) []Booking {
	var own []Booking
	for _, b := range all {
		if sameParty(a, b) != sameNo {
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
