package checkin

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Leaving is a guest who wants to leave: the input.
type Leaving struct {
	Journey string    `json:"journey"`
	Hotel   string    `json:"hotel"`
	Kiosk   string    `json:"kiosk"`
	At      time.Time `json:"at"`
	Guest   []byte    `json:"guest"` // keyed hash of the document
	Room    string    `json:"room,omitempty"`
}

// Leave is the stay that ends.
type Leave struct {
	Journey       string    `json:"journey"`
	Hotel         string    `json:"hotel"`
	Stay          string    `json:"stay"`
	Booking       string    `json:"booking"`
	Room          string    `json:"room"`
	Door          string    `json:"door"`
	At            time.Time `json:"at"`
	Registrations []string  `json:"registrations"`
	Again         bool      `json:"again,omitzero"`
}

// Departure ends a stay at the hotel's system, or switches its keys off.
type Departure struct {
	Hotel   string `json:"hotel"`
	Booking string `json:"booking"`
	Room    string `json:"room"`
}

func (d Departure) leaveKey() string  { return "check-out/" + d.Hotel + "/" + d.Booking }
func (d Departure) keyOffKey() string { return "key-off/" + d.Hotel + "/" + d.Booking }

// Farewell tells the police that a guest has left.
type Farewell struct {
	Key    string    `json:"key"`
	LeftAt time.Time `json:"left_at"`
}

func (f Farewell) key() string { return "depart/" + f.Key }

// Done is an effect that has nothing to tell.
type Done struct{}

// The steps of a check-out that change something.
const (
	planLeave      = "hotel-check-out"
	stepLeave      = "leave"
	stepCheckOut   = "check-out"
	stepGone       = "gone"
	stepKeyOff     = "key-off"
	stepDepartures = "departures"
)

// keyOffWithin is when keys that could not be switched off at once are a person's.
const keyOffWithin = time.Hour

// checkOutPlan declares the check-out.
func (o operations) checkOutPlan() (*journey.Plan[Leaving, Leave], error) {
	return journey.Define(planLeave, func(b *journey.Builder, in journey.Ref[Leaving]) journey.Ref[Leave] {
		journey.Waits(b, in, func(l Leaving) string { return l.Kiosk })
		leaving := journey.Record(b, stepLeave, beginLeave, in, journey.UndoRecord(stayOn))
		return journey.When(b, "answer", journey.Check(b, "again", leftAgain, leaving),
			func(b *journey.Builder) journey.Ref[Leave] {
				return journey.Check(b, "goodbye again", sameLeave, leaving)
			},
			func(b *journey.Builder) journey.Ref[Leave] {
				out := journey.Commit(b, stepCheckOut, o.leave, journey.Check(b, "departure", departureOf, leaving), journey.Pivot(),
					journey.Assist(handLeaveUnclear), journey.Interrupted(handLeaveInterrupted),
					journey.RefusedAssist(map[string]journey.Handover{"": handLeaveRefused}))
				gone := journey.Record(b, stepGone, endStay, journey.Join(b, "out", leaving, out, leftAs))
				off := journey.Commit(b, stepKeyOff, o.keyOff, journey.Join(b, "keys", leaving, out, keysOf), journey.Defer(keyOffWithin, handKeyOffLate))
				told := journey.CommitEach(b, stepDepartures, o.depart, journey.Join(b, "farewells", leaving, out, farewellsOf), maxGuestsLimit,
					journey.DeferBy(registrationDue, handDepartureLate))
				return journey.Join(b, "goodbye", journey.Join(b, "switched off", gone, off, afterKeys), told, afterPolice)
			})
	})
}

func leftAgain(l Leave) (bool, error)                              { return l.Again, nil }
func sameLeave(l Leave) (Leave, error)                             { return l, nil }
func leftAs(l Leave, _ Done) (Leave, error)                        { return l, nil }
func afterKeys(l Leave, _ Done) (Leave, error)                     { return l, nil }
func afterPolice(l Leave, _ []journey.Result[Done]) (Leave, error) { return l, nil }
func departureOf(l Leave) (Departure, error)                       { return Departure{l.Hotel, l.Booking, l.Room}, nil }
func keysOf(l Leave, _ Done) (Departure, error)                    { return departureOf(l) }
func farewellsOf(l Leave, _ Done) (all []Farewell, err error) {
	for _, key := range l.Registrations {
		all = append(all, Farewell{Key: key, LeftAt: l.At.Truncate(time.Second)})
	}
	return all, nil
}

// beginLeave finds the guest's stay and keeps every other journey from it.
var beginLeave = &ledger.Decision[Leaving, Leave]{Name: "checkin.leave", Run: func(tx *ledger.Tx, g Leaving) (Leave, error) {
	l := Leave{Journey: g.Journey, Hotel: g.Hotel, At: g.At}
	stays, err := staysOf(tx, g)
	if err != nil {
		return l, err
	}
	s, err := oneStay(tx, stays, &l)
	if err != nil || l.Again {
		return l, err
	}
	l.Stay, l.Booking, l.Room, l.Door = s.id, s.booking, s.room, s.door
	key, found, err := ledger.FindOperation(tx, keyOrderKey(g.Hotel, s.booking))
	switch {
	case err != nil:
		return l, err
	case found && (key.State == ledger.OpDeferred || key.State == ledger.OpBegun): // a key is on its way: it must not come after the end
		return l, ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second))
	}
	if l.Registrations, err = registered(tx, s.id); err != nil {
		return l, err
	}
	n, err := tx.Exec(`UPDATE stays SET state = $1, out_run = $2 WHERE id = $3 AND state = $4`, stayLeaving, g.Journey, s.id, s.state)
	if err == nil && n == 0 {
		err = journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
	}
	return l, err
}}

// staysOf lists the guest's stays at the hotel, the last one first.
func staysOf(q ledger.Querier, g Leaving) ([]stay, error) {
	rows, err := q.Query(`SELECT `+stayColumns+` FROM stays WHERE venue = $1 AND ($2 = '' OR door = $2 OR room = $2)
		AND id IN (SELECT stay FROM stay_guests WHERE venue = $1 AND guest = $3) ORDER BY held_at DESC, id DESC`, g.Hotel, g.Room, g.Guest)
	return ledger.List(rows, err, func(row ledger.Row) (stay, error) {
		s, _, err := scanStay(row)
		return s, err
	})
}

// oneStay picks the stay that is to end; where none is in house, it says how the last one stands.
func oneStay(tx *ledger.Tx, stays []stay, l *Leave) (in stay, err error) {
	n := 0
	for _, s := range stays {
		inside, err := isInHouse(tx, s)
		if err != nil {
			return in, err
		}
		if inside {
			in = s
			n++
		}
	}
	switch {
	case n == 1:
		return in, nil
	case n > 1:
		return in, ledger.Keep(ProblemStayAmbiguous.Error(gateway.Text{}).WithField("room"))
	case len(stays) == 0:
		return in, ledger.Keep(ProblemStayUnknown.Error(gateway.Text{}).WithField("document"))
	}
	last := stays[0]
	if last.state == stayOut {
		l.Again, l.Stay, l.Booking, l.Room, l.Door, l.At = true, last.id, last.booking, last.room, last.door, last.outAt.In(l.At.Location())
		return last, nil
	}
	if err := standing(tx, last); err != nil {
		return in, err
	}
	return in, ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second))
}

// isInHouse reports whether a stay's guests are in house, also where recovery has brought them there.
func isInHouse(q ledger.Querier, s stay) (bool, error) {
	if s.state != stayHeld {
		return s.state == stayIn, nil
	}
	run, found, err := ledger.FindRun(q, s.run)
	return found && (run.Pivot || run.State == ledger.RunDone), err
}

// registered lists the registrations of a stay that the police have from the gateway, or will have.
func registered(q ledger.Querier, id string) (all []string, err error) {
	_, keys, err := guestsOf(q, id)
	if err != nil {
		return nil, err
	}
	alive := []ledger.OpState{ledger.OpDone, ledger.OpDeferred, ledger.OpBegun}
	for _, key := range keys {
		for _, r := range []Registration{{Key: key}, {Key: key, Again: true}} {
			op, found, err := ledger.FindOperation(q, r.key())
			if err != nil {
				return nil, err
			}
			if found && slices.Contains(alive, op.State) && !journey.IsByHand(op) {
				all = append(all, key)
				break
			}
		}
	}
	return all, nil
}

// stayOn takes the beginning of a check-out back.
var stayOn = &ledger.Decision[Leave, int64]{Name: "checkin.stay-on", Run: func(tx *ledger.Tx, l Leave) (int64, error) {
	return tx.Exec(`UPDATE stays SET state = $1, out_run = '' WHERE id = $2 AND out_run = $3 AND state = $4`, stayIn, l.Stay, l.Journey, stayLeaving)
}}

// endStay keeps that a stay is over, for ever, and frees the nights that were left of it.
var endStay = &ledger.Decision[Leave, Leave]{Name: "checkin.gone", Run: func(tx *ledger.Tx, l Leave) (Leave, error) {
	return l, end(tx, l.Stay, l.At)
}}

func end(tx *ledger.Tx, id string, at time.Time) error {
	_, err := tx.Exec(`UPDATE stays SET state = $1, out_at = $2 WHERE id = $3`, stayOut, at.UnixMilli(), id)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM room_nights WHERE stay = $1`, id)
	}
	return err
}
