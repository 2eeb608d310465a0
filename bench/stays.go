package main

import (
	"net/http"
	"slices"
	"strings"
)

// tale is what a party was told, and what of it waits for a person.
type tale struct {
	in      bool     // checked in: 201
	handed  bool     // a person takes over: 202
	refused bool     // neither, at last
	out     bool     // left: 201
	back    bool     // checked in once more after that
	endless bool     // no final answer
	open    []string // kinds of the assists of its journeys
}

// The states that must not be, once everything has settled.
const (
	badKey = iota
	badRoomless
	badShared
	badUnregistered
	badRegistered
	badAgain
	badTwice
	badAcknowledged
	badRefused
	badKept
	badLeft
	badEndless
	badKinds
)

// stayFaults are their names.
func stayFaults() [badKinds]string {
	return [badKinds]string{
		badKey:          "live keys without a check-in",
		badRoomless:     "check-ins without a room",
		badShared:       "guests in a room with others",
		badUnregistered: "registrations missing, and with nobody",
		badRegistered:   "guests registered twice, or though they never came",
		badAgain:        "guests checked in again after leaving",
		badTwice:        "bookings with two rooms, two check-ins or two sets of keys",
		badAcknowledged: "acknowledged check-ins that are neither complete nor with a person",
		badRefused:      "guests refused though they are in house",
		badKept:         "rooms kept for a booking that nobody is at work on",
		badLeft:         "acknowledged check-outs that are neither complete nor with a person",
		badEndless:      "parties without a final answer 30 s after the restart",
	}
}

// handedBefore are the kinds of assist that hold nothing at the hotel: what was begun is taken back.
func handedBefore() []string {
	return []string{"hotel-unreachable", "identity-unreachable", "identity-mismatch", "no-booking", "no-room", "room-not-ready", "room-refused",
		"check-in-refused", "booking-unclear", "check-out-refused"}
}

// always lists what of a booking must not be at any moment, whatever is on its way.
func (x record) always(people int) (bad []int) {
	add := func(is bool, what int) {
		if is {
			bad = append(bad, what)
		}
	}
	add(x.keysAlone, badKey)
	add(x.in && x.room == "", badRoomless)
	add(x.shared, badShared)
	add(slices.ContainsFunc(x.registered, func(n int) bool { return n > 1 || n > 0 && len(x.rooms) == 0 }), badRegistered)
	add(x.cameBack, badAgain)
	add(len(x.rooms) > 1 || x.checkIns > 1 || x.keySets > 1 || x.keys > people, badTwice)
	return bad
}

// settled lists what of a booking must not be once nothing is on its way any more.
func (x record) settled(p tale, people int) []int {
	bad := x.always(people)
	add := func(is bool, what int) {
		if is && !slices.Contains(bad, what) {
			bad = append(bad, what)
		}
	}
	came, alone := x.in || x.left, len(p.open) == 0
	missing := slices.Contains(x.registered, 0) || len(x.registered) != people
	complete := x.left || x.in && x.room != "" && x.keys == people && !missing
	holds := slices.ContainsFunc(p.open, func(kind string) bool { return !slices.Contains(handedBefore(), kind) })
	add(x.keys > 0 && !x.in && (!x.left || alone), badKey)
	add(came && missing && alone, badUnregistered)
	add(!came && slices.ContainsFunc(x.registered, func(n int) bool { return n > 0 }), badRegistered)
	add(p.back, badAgain)
	add((p.in && !complete || p.handed && !p.in) && alone, badAcknowledged)
	add(p.refused && x.in && alone, badRefused)
	add(!came && x.room != "" && !holds && !p.endless, badKept)
	add(p.out && (!x.left || x.notDeparted > 0) && alone, badLeft)
	add(p.endless, badEndless)
	return bad
}

// visit is one request of a party, sent until its answer is final.
type visit struct {
	ask      ask
	leaving  bool
	back     bool // after they have left
	attempts int
	final    answer
	last     string
	heard    []string // each answer that was not the one before
	done     bool
}

// tale sums up what was said at a party's visits, and what of it waits for a person: the assists of the journeys that they
// were told of, and those that tell staff of their booking.
func (s *sight) tale(of *party) (p tale) {
	visits, journeys := of.visits, map[string]bool{}
	for _, v := range visits {
		p.endless = p.endless || !v.done
		if !v.done {
			continue
		}
		t := toldBy(v.final)
		journeys[t.Journey] = t.Journey != ""
		switch {
		case v.final.status == http.StatusCreated && v.leaving:
			p.out = true
		case v.final.status == http.StatusCreated && v.back:
			p.back = true
		case v.final.status == http.StatusCreated:
			p.in = true
		case v.final.status == http.StatusAccepted:
			p.handed = true
		}
	}
	for _, a := range s.assists {
		if journeys[a.Journey] || strings.Contains(s.facts[a.ID], `"`+of.ID+`"`) {
			p.open = append(p.open, a.Kind)
		}
	}
	p.refused = !p.in && !p.handed && !p.endless && len(visits) > 0
	return p
}
