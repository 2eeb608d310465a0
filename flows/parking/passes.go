package parking

import (
	"bytes"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// A monthly pass pays for the visits of one plate at one lot, for a time. The lot's operator says which there are.
//
//   - What an operator says of a pass counts for bills that are made out from then on. A bill that is there already stays as
//     it is, also where it is corrected later: staff may let it go. So a bill does not depend on which event comes after it.
//   - A pass covers what it says until it is said otherwise or ended: what it covered before that moment stays covered. A pass
//     that is moved to another plate covers the one until then, and the other one from the time that it says.
//   - It belongs to the plate, whoever owns the car. Passes that overlap cover a moment once.
//   - Whoever leaves before or after its time pays for that part; the free minutes are those that the pass does not cover.
const (
	maxPassTime = 3660 * 24 * time.Hour // from its begin to its end
	passYears   = 30                    // how far from now its begin and end may be
)

// PassWord is what an operator says of a monthly pass.
type PassWord struct {
	Journey     string
	ID          string // the operator's own
	From, Until time.Time
	End         bool // it ends now; nothing else is said then

	venue           *gateway.Venue
	plate           []byte // keyed hash
	dataKey, sealed []byte
	by              string
}

// Pass is a monthly pass as its last word has it.
type Pass struct {
	ID          string
	From, Until time.Time
	Ended       time.Time // zero: it was not ended
	MadeBy      string
	Made        time.Time
	Plate       string // "" where it is not told, or has been forgotten
	Changed     bool   // by the word at hand
}

// passWord is a row of parking_passes.
type passWord struct {
	id                 string
	n                  int64
	plate              []byte
	dataKey, sealed    []byte
	from, until, made  time.Time
	madeBy, replacedBy string
	replaced           time.Time // zero: it is the last word
}

const wordColumns = `id, n, plate, data_key, sealed, from_at, until_at, made_by, made_at, replaced_by, replaced_at`

func scanPass(row ledger.Row) (*passWord, error) {
	p := &passWord{}
	var from, until, made, replaced int64
	err := row.Scan(&p.id, &p.n, &p.plate, &p.dataKey, &p.sealed, &from, &until, &p.madeBy, &made, &p.replacedBy, &replaced)
	p.from, p.until, p.made = time.UnixMilli(from), time.UnixMilli(until), time.UnixMilli(made)
	if replaced > 0 {
		p.replaced = time.UnixMilli(replaced)
	}
	return p, err
}

// covers is the time that a word covers, as far as that was known at a moment.
func (p *passWord) covers(known time.Time) (tariff.Span, bool) {
	if p.made.After(known) {
		return tariff.Span{}, false
	}
	until := p.until
	if !p.replaced.IsZero() && !p.replaced.After(known) && p.replaced.Before(until) {
		until = p.replaced
	}
	return tariff.Span{From: p.from, To: until}, p.from.Before(until)
}

// passesOf reads what was said of passes for a plate that may cover a part of a time.
func passesOf(q ledger.Querier, venue string, plate []byte, from, to time.Time) ([]*passWord, error) {
	return listOf(q, scanPass, `SELECT `+wordColumns+` FROM parking_passes WHERE venue = $1 AND plate = $2 AND from_at < $3 AND until_at > $4`,
		venue, plate, to.UnixMilli(), from.UnixMilli())
}

// lastWord reads the last word on a pass; nil where nothing was ever said of it.
func lastWord(q ledger.Querier, venue, id string) (*passWord, error) {
	all, err := listOf(q, scanPass, `SELECT `+wordColumns+` FROM parking_passes WHERE venue = $1 AND id = $2 ORDER BY n DESC LIMIT 1`, venue, id)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// say is the pass that the word makes, without its plate.
func (p *passWord) say() Pass {
	return Pass{ID: p.id, From: p.from, Until: p.until, Ended: p.replaced, MadeBy: p.madeBy, Made: p.made}
}

// holdPass keeps a word on a pass, on the audit trail too. The same one again changes nothing.
var holdPass = &ledger.Decision[PassWord, Pass]{Name: "parking.hold-pass", Run: func(tx *ledger.Tx, w PassWord) (Pass, error) {
	last, err := lastWord(tx, w.venue.ID, w.ID)
	if err != nil {
		return Pass{}, err
	}
	if w.End {
		return w.end(tx, last)
	}
	n := int64(1)
	if last != nil {
		if last.replaced.IsZero() {
			if bytes.Equal(last.plate, w.plate) && last.from.Equal(w.From) && last.until.Equal(w.Until) {
				return last.say(), nil
			}
			if err := w.replace(tx, last); err != nil {
				return Pass{}, err
			}
		}
		n = last.n + 1
	}
	_, err = tx.Exec(`INSERT INTO parking_passes (venue, tenant, run, `+wordColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 0)`, w.venue.ID, w.venue.Tenant, w.Journey, w.ID, n, w.plate, w.dataKey, w.sealed,
		w.From.UnixMilli(), w.Until.UnixMilli(), w.by, tx.Now().UnixMilli())
	if err != nil {
		return Pass{}, err
	}
	return Pass{ID: w.ID, From: w.From, Until: w.Until, MadeBy: w.by, Made: tx.Now(), Changed: true}, w.audit(tx, "hold-pass", w.plate)
}}

// end ends a pass now. One that has ended stays as it is.
func (w PassWord) end(tx *ledger.Tx, last *passWord) (Pass, error) {
	switch {
	case last == nil:
		return Pass{}, ledger.Keep(ProblemPassUnknown.Error(gateway.Text{}))
	case !last.replaced.IsZero():
		return last.say(), nil
	}
	if err := w.replace(tx, last); err != nil {
		return Pass{}, err
	}
	ended := last.say()
	ended.Changed = true
	return ended, w.audit(tx, "end-pass", last.plate)
}

// replace notes that a word holds no longer.
func (w PassWord) replace(tx *ledger.Tx, last *passWord) error {
	last.replaced = tx.Now()
	_, err := tx.Exec(`UPDATE parking_passes SET replaced_by = $1, replaced_at = $2 WHERE venue = $3 AND id = $4 AND n = $5`,
		w.by, tx.Now().UnixMilli(), w.venue.ID, last.id, last.n)
	return err
}

func (w PassWord) audit(tx *ledger.Tx, action string, plate []byte) error {
	return tx.Audit(ledger.AuditEntry{Run: w.Journey, Actor: w.by, Action: action, Purpose: "pass " + w.ID + " of " + w.venue.ID, Subject: plate})
}
