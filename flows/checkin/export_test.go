package checkin

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// NewWith returns the journey with a mistake in it, for the tests of whatever is to find it.
func NewWith(mistake string) (*flow.Flow, error) {
	o := newOperations()
	switch mistake {
	case "another writer": // no mistake: what was read may be old, and the unique key is what holds
		o.hold = holdAfter(seesNothing)
	case "no unique key on room and night":
		o.hold = holdAfter(seesNothing)
	case "a plan that is undone after its pivot":
		notHeld := handKey
		notHeld.Hold = false
		o.cutting = []journey.Option{journey.Assist(notHeld), journey.RefusedAssist(map[string]journey.Handover{"": notHeld})}
		o.entering = []journey.Option{journey.Undo(o.unenter), journey.Assist(handUnclear),
			journey.RefusedAssist(map[string]journey.Handover{"": handCheckInRefused})}
	case "undo after the pivot": // done below: of the plan itself the proof refuses it
	case "a repeated registration key":
		o.registrations = keyed(func(all []Registration, _ int) string { return all[0].Key })
	case "a changed registration key":
		o.registrations = keyed(func(all []Registration, i int) string { return all[i].Key + "-" + fmt.Sprint(len(all)) })
	case "a plan that is resumed":
		o.hold = resuming(o.hold)
	case "a release that leaves the stay held":
		o.release = &ledger.Decision[Held, int64]{Name: release.Name, Run: func(*ledger.Tx, Held) (int64, error) { return 1, nil }}
	default:
		return nil, fmt.Errorf("there is no mistake %q", mistake)
	}
	f, err := o.flow()
	if mistake == "undo after the pivot" && err == nil {
		undoing(f.Assists)
	}
	if err == nil && mistake == "no unique key on room and night" {
		f.Migrations[0].FS, err = withoutKey(f.Migrations[0].FS)
	}
	return f, err
}

// undoing takes a check-in back whose key staff have seen to.
func undoing(all []flow.Assist) {
	for _, a := range all {
		for i := range a.Resolutions {
			if a.Kind == handKey.Kind {
				a.Resolutions[i].Run = callOff
			}
		}
	}
}

func seesNothing(_ *ledger.Tx, _ Claim, rooms []Room) ([]Room, error) { return rooms, nil }

// withoutKey is the migrations without the key of rooms and nights.
func withoutKey(files fs.FS) (fs.FS, error) {
	const name, key = "00001_stays.sql", "    stay  TEXT NOT NULL,\n    PRIMARY KEY (venue, room, night)\n) /* in the order of its key */"
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	changed := strings.Replace(string(text), key, "    stay  TEXT NOT NULL\n)", 1)
	if changed == string(text) {
		return nil, errors.New("the migrations have no such key any more")
	}
	return fstest.MapFS{name: &fstest.MapFile{Data: []byte(changed)}}, nil
}

// keyed gives the registrations other keys.
func keyed(key func(all []Registration, i int) string) func(Held, Entered) ([]Registration, error) {
	return func(h Held, e Entered) ([]Registration, error) {
		all, err := registrationsOf(h, e)
		other := make([]Registration, len(all))
		for i := range all {
			other[i] = all[i]
			other[i].Key = key(all, i)
		}
		return other, err
	}
}

// resuming takes a stay over whose run has not ended, with the rooms that are held for it, and goes on with it.
func resuming(d *ledger.Decision[Claim, Held]) *ledger.Decision[Claim, Held] {
	return &ledger.Decision[Claim, Held]{Name: d.Name, Run: func(tx *ledger.Tx, c Claim) (Held, error) {
		s, found, err := stayOf(tx, c.Hotel, c.Booking.ID)
		if err != nil || !found || s.state != stayHeld {
			if err != nil {
				return Held{}, err
			}
			return d.Run(tx, c)
		}
		h := Held{Journey: c.Journey, Hotel: c.Hotel, Kiosk: c.Kiosk, Stay: s.id, At: c.At, Booking: c.Booking, Guests: c.Guests,
			KeysEnd: c.KeysEnd, Encoder: c.Encoder}
		for _, r := range c.Offers {
			var one int
			if tx.QueryRow(`SELECT 1 FROM room_nights WHERE stay = $1 AND room = $2 LIMIT 1`, s.id, r.ID).Scan(&one) == nil {
				h.Offers = append(h.Offers, r)
			}
		}
		_, err = tx.Exec(`UPDATE stays SET run = $1 WHERE id = $2`, c.Journey, s.id)
		return h, err
	}}
}
