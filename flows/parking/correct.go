package parking

import (
	"bytes"
	"time"

	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// correction is a person's word about readings, in the commit that takes it.
type correction struct {
	rt    *flow.Runtime
	venue *gateway.Venue
	run   string // of parking-entry or parking-exit: what follows is told outside in its name
	seed  string
	by    string
	why   string
}

// replate gives a reading its right plate: it leaves the visits of the one and takes its place in those of the other.
func (c correction) replate(tx *ledger.Tx, r *reading, to plate.Plate) error {
	keys := c.rt.Ledger.Keys()
	from, hash := r.plate, hashPlate(keys, c.venue.Tenant, to)
	if bytes.Equal(from, hash) {
		return ProblemPlateInvalid.Error(gateway.Text{Zh: "车牌没有变化", En: "It has this plate already."}).WithField("details.plate")
	}
	dataKey, sealed, err := sealPlate(keys, to)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE parking_events SET plate = $1, data_key = $2, sealed = $3, electric = $4, state = $5, stay = '' WHERE venue = $6 AND event = $7`,
		hash, dataKey, sealed, oneIf(to.Electric()), readParked, c.venue.ID, r.id); err != nil {
		return err
	}
	if err := c.forget(tx, from, r); err != nil {
		return err
	}
	return c.place(tx, hash, r.at, nil)
}

// forget brings the visits of a plate in line that has lost the reading r.
func (c correction) forget(tx *ledger.Tx, from []byte, r *reading) error {
	p := c.placing(tx, from)
	p.seed += "/from"
	p.lost = r.stay
	if err := p.place(r.at, nil); err != nil {
		return err
	}
	return c.order(tx, p)
}

func (c correction) placing(tx *ledger.Tx, of []byte) *placing {
	return &placing{tx: tx, venue: c.venue, settings: settingsOf(c.venue), keys: c.rt.Ledger.Keys(), plate: of, run: c.run, seed: c.seed, by: c.by, why: c.why}
}

// place brings the visits of a plate in line around at, and leaves to the outbox what has to be told.
func (c correction) place(tx *ledger.Tx, of []byte, at time.Time, extra *reading) error {
	p := c.placing(tx, of)
	if err := p.place(at, extra); err != nil {
		return err
	}
	return c.order(tx, p)
}

// order leaves to the outbox what has to be told outside.
func (c correction) order(tx *ledger.Tx, p *placing) error {
	begin := func(step string, arg any, within time.Duration) error {
		return c.rt.Engine.Begin(tx, c.run, step, arg, within)
	}
	for _, o := range p.came {
		if err := begin(stepCarIn, o, reportWithin); err != nil {
			return err
		}
		if err := begin(stepAnnounce, o, reportWithin); err != nil {
			return err
		}
	}
	for _, o := range p.left {
		if err := begin(stepCarOut, o, reportWithin); err != nil {
			return err
		}
	}
	for _, o := range p.charges {
		step := stepCharge
		if o.By == collectCity {
			step = stepApply
		}
		if err := begin(step, o, chargeWithin); err != nil {
			return err
		}
	}
	return nil
}

// say says what has become of an exit.
func (c correction) say(tx *ledger.Tx, exit *reading) (corrected, error) {
	now, err := findReading(tx, c.venue.ID, exit.id)
	if err != nil {
		return corrected{}, err
	}
	out := corrected{State: now.state}
	if now.stay == "" {
		return out, nil
	}
	b, err := billBy(tx, `stay = $1`, now.stay)
	if err == nil && b != nil {
		out.State, out.Bill = resultLeft, &Billed{ID: b.id, State: b.state, Due: b.money(max(b.due(), 0))}
	}
	return out, err
}
