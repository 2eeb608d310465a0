package checkin

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// settledByHand: staff have seen to what a step could not do.
func settledByHand(step string) func(*ledger.Tx, *flow.Runtime, flow.Opened, []byte) (any, error) {
	return func(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
		return nil, rt.Engine.SettledByHand(tx, a.Run, step)
	}
}

// orderOf returns the key that an assist is about, whether the journey has opened it or the outbox.
func orderOf(a flow.Opened) (KeyOrder, error) {
	f, err := factsOf(a)
	if err != nil {
		return KeyOrder{}, err
	}
	h, ok, err := heldOf(f)
	switch {
	case err != nil:
		return KeyOrder{}, err
	case ok:
		return keyOrderOf(h, Entered{})
	}
	order, ok, err := readFact[KeyOrder](f.Key)
	if err == nil && !ok {
		err = fmt.Errorf("cannot see to a key: what was ordered is not known any more")
	}
	return order, err
}

// keyCut: staff have cut the key. Whatever else the journey has left undone goes on, or becomes an assist of its own.
func keyCut(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	if len(a.Facts) == 0 { // erased: what was begun is settled, and nobody can begin it any more
		return nil, rt.Engine.SettledByHand(tx, a.Run, stepKey)
	}
	order, err := orderOf(a)
	if err == nil {
		err = rt.Engine.DoneByHand(tx, a.Run, stepKey, order)
	}
	if err != nil {
		return nil, err
	}
	return nil, followUp(tx, a)
}

// keyAgainWithin is when a key that staff have asked for once more is theirs again.
const keyAgainWithin = 30 * time.Second

// keyAgain has the key cut by the encoder once more, if the guest is still in house.
func keyAgain(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	order, err := orderOf(a)
	if err != nil {
		return nil, err
	}
	if settingsOf(a.Venue).Keys != keysEncoder {
		return nil, edge.FieldInvalid("resolution", "本酒店没有制卡机", "This hotel has no encoder: cut the key by hand.")
	}
	s, found, err := stayOf(tx, order.Hotel, order.Booking)
	if err != nil {
		return nil, err
	}
	inside := false
	if found {
		if inside, err = isInHouse(tx, s); err != nil {
			return nil, err
		}
	}
	if !inside {
		return nil, ProblemStayOver.Error(gateway.Text{})
	}
	if err := rt.Engine.Begin(tx, a.Run, stepKey, order, keyAgainWithin); err != nil {
		return nil, err
	}
	return nil, followUp(tx, a)
}

// followUp opens the assist of registrations that were refused while another one hid them.
func followUp(tx *ledger.Tx, a flow.Opened) error {
	ops, err := ledger.OperationsOf(tx, a.Run)
	if err != nil {
		return err
	}
	for _, op := range ops {
		switch {
		case op.Step != stepRegister:
		case op.State == ledger.OpBegun:
			return journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
		case op.State == ledger.OpRefused:
			_, err := tx.OpenAssist(ledger.Assist{Run: a.Run, Plan: a.Plan, Kind: handRegistrationRefused.Kind, Tenant: a.Tenant, Venue: a.Assist.Venue,
				Done: []string{stepCheckIn}, NotDone: []string{stepRegister}, Tried: []string{stepRegister + ": refused: " + op.Reason},
				NextAction: handRegistrationRefused.Next, Facts: a.Assist.Facts, Place: a.Place})
			return err
		}
	}
	return nil
}

// registerSeen sends the registrations that were refused once more, as of guests whom a person has seen.
func registerSeen(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	all, err := registrationsIn(a)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		op, found, err := ledger.FindOperation(tx, r.key())
		if err != nil {
			return nil, err
		}
		if found && op.State != ledger.OpRefused && op.State != ledger.OpAssist {
			continue
		}
		r.Seen, r.Again = true, true
		if err := rt.Engine.Begin(tx, a.Run, stepRegister, r, registrationDue(a.Venue)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// registrationsIn returns the registrations that an assist is about: those of the stay, or the one that was overdue.
func registrationsIn(a flow.Opened) ([]Registration, error) {
	f, err := factsOf(a)
	if err != nil {
		return nil, err
	}
	h, ok, err := heldOf(f)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return registrationsOf(h, Entered{})
	}
	r, ok, err := readFact[Registration](f.Register)
	if err == nil && !ok {
		err = fmt.Errorf("cannot register: who the guests are is not known any more")
	}
	return []Registration{r}, err
}

// sendAgain leaves what a step could not deliver to the outbox once more.
func sendAgain(step string) func(*ledger.Tx, *flow.Runtime, flow.Opened, []byte) (any, error) {
	return func(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
		ops, err := ledger.OperationsOf(tx, a.Run)
		for _, op := range ops {
			if err == nil && op.Step == step && (op.State == ledger.OpAssist || op.State == ledger.OpRefused) {
				err = rt.Engine.Deliver(tx, op.Key, registrationDue(a.Venue))
			}
		}
		return nil, err
	}
}

// leaveOf returns the stay that a check-out was about.
func leaveOf(a flow.Opened) (Leave, error) {
	f, err := factsOf(a)
	if err != nil {
		return Leave{}, err
	}
	l, ok, err := readFact[Leave](f.Leave)
	if err == nil && !ok {
		err = fmt.Errorf("cannot settle a check-out: which stay it was is not known any more")
	}
	return l, err
}

// finishCheckOut ends a stay that staff have checked out, and has the rest sent, each once.
func finishCheckOut(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	l, err := leaveOf(a)
	if err != nil {
		return nil, err
	}
	if err := end(tx, l.Stay, l.At); err != nil {
		return nil, err
	}
	d, err := departureOf(l)
	if err == nil {
		err = rt.Engine.Deliver(tx, d.leaveKey(), checkInWithin)
	}
	if err == nil {
		err = rt.Engine.Begin(tx, a.Run, stepKeyOff, d, keyOffWithin)
	}
	all, _ := farewellsOf(l, Done{}) // it never fails
	for _, f := range all {
		if err == nil {
			err = rt.Engine.Begin(tx, a.Run, stepDepartures, f, registrationDue(a.Venue))
		}
	}
	return stayBody{Stay: l.Stay, Room: l.Door}, err
}

// stayAfterAll: staff have seen that the guest is not checked out. What the hotel's system says after all is found out
// when they leave.
func stayAfterAll(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	l, err := leaveOf(a)
	if err != nil {
		return nil, err
	}
	d, err := departureOf(l)
	if err != nil {
		return nil, err
	}
	op, found, err := ledger.FindOperation(tx, d.leaveKey())
	if err != nil {
		return nil, err
	}
	if found && op.State == ledger.OpDone {
		return nil, ProblemStayOver.Error(gateway.Text{})
	}
	_, err = stayOn.Run(tx, l)
	return nil, err
}
