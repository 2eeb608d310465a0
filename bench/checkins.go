package main

import (
	"fmt"
	"strings"
	"time"
)

const (
	checkInRate     = 200                   // check-ins a second
	checkInLatency  = 10 * time.Millisecond // of every call at the twins
	checkInWarmUp   = 400                   // check-ins before, at the same rate
	checkInsAtHotel = 200                   // of one run
	roomsAtHotel    = 420                   // half of what is left is held for a moment by those who are being checked in
)

// provesCheckIns sends check-ins at fixed times to the real program, turn by turn at hotels of an ordinary size. What the
// gateway adds is its own time, from a request's complete head to the answer with room and key, every flush included, less
// the longest path through the check-in's calls as measured at the twins' sockets, as for an entry. A look at the rooms is
// remembered and refreshed behind the answers, so that it is not on the path: where one is waited for, it counts as added.
func provesCheckIns(r *run) error {
	twins := newSockets(checkInLatency, checkInStep)
	defer twins.close()
	hotels := (checkInWarmUp + r.n + checkInsAtHotel - 1) / checkInsAtHotel
	t, err := newTown(r.dir, r.seed, hotels, roomsAtHotel, twins.serve)
	if err != nil {
		return err
	}
	defer t.close()
	asks, err := t.arrivals(checkInWarmUp + r.n)
	if err != nil {
		return err
	}
	return t.underServe(r, func(serve *child) error {
		m, err := measureAdded(r, twins, serve, checkInRate, checkInWarmUp, checkInPath, func(i int) ask { return asks[i] })
		if err != nil {
			return err
		}
		r.report.note("counted as path", "max(booking, identity) + assign + check-in + max(register, key), each the sum of its calls")
		r.report.note("hotels, rooms in each, latency of each call", "%d, %d, %s", hotels, roomsAtHotel, checkInLatency)
		m.say(r.report, r.n, addedWords{many: "check-ins", one: "check-in", ended: "gave room and key", p50: 4, p99: 15})
		return t.hold(r.report, "hotel-check-in", fmt.Sprintf("A check-in, at %d a second", checkInRate),
			fmt.Sprintf("%d check-ins a second, %s for each call at the systems", checkInRate, checkInLatency), m.loops("until room and key are there")...)
	})
}

// underServe runs work while the real program stands before the town.
func (t *town) underServe(r *run, work func(serve *child) error) error {
	program, err := r.program()
	if err != nil {
		return err
	}
	serve, err := newChild(t.world, program)
	if err != nil {
		return err
	}
	if _, err := serve.start(); err != nil {
		return err
	}
	if err := work(serve); err != nil {
		_ = serve.stop()
		return fmt.Errorf("%w\n%s", err, serve.lastWords())
	}
	return serve.stop()
}

// arrivals are n parties of one at the town's hotels and kiosks in turn.
func (t *town) arrivals(n int) ([]ask, error) {
	tokens, err := t.tokens()
	if err != nil {
		return nil, err
	}
	asks := make([]ask, n)
	for at, h := range t.hotels {
		all, err := h.book((n-at+len(t.hotels)-1)/len(t.hotels), 1)
		if err != nil {
			return nil, err
		}
		for i := range all {
			kiosk := kiosks()[i%len(kiosks())]
			asks[at+i*len(t.hotels)] = all[i].checkIn(tokens[kiosk], kiosk)
		}
	}
	return asks, nil
}

// checkInStep says which step of a check-in makes a call.
func checkInStep(method, path string) string {
	switch {
	case strings.HasSuffix(path, "/rooms") && method == "GET":
		return "rooms"
	case strings.HasSuffix(path, "/roomAssignments"):
		return "assign"
	case strings.HasSuffix(path, "/checkIns"):
		return "check-in"
	case strings.HasSuffix(path, "/roomKeys"):
		return "key"
	case strings.HasPrefix(path, "/rsv/"):
		return "booking"
	case method == "PUT":
		return "register"
	case method == "POST" && !strings.Contains(path, "oauth"):
		return "identity"
	}
	return "other"
}

// checkInPath is the longest path through a check-in's calls: booking and identity at once, then room and check-in one after
// the other, then police and key at once.
func checkInPath(c calls) (time.Duration, bool) {
	for _, step := range []string{"booking", "identity", "assign", "check-in", "register", "key"} {
		if c[step] == 0 {
			return 0, false
		}
	}
	return max(c["booking"], c["identity"]) + c["assign"] + c["check-in"] + max(c["register"], c["key"]), c["other"] == 0
}
