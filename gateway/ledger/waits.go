package ledger

import (
	"fmt"
	"time"
)

// waitingFor finds the assist that a run opened, or joined.
func (tx *Tx) waitingFor(run, kind string) (Assist, bool, error) {
	return one(tx.QueryRow(`SELECT `+assistColumns+` FROM assists WHERE kind = $2
		AND (run = $1 OR id IN (SELECT assist FROM assist_waits WHERE run = $1))`, run, kind), scanAssist)
}

// unresolvedAbout finds the assist of a kind that is about subject and that nobody has resolved.
func (tx *Tx) unresolvedAbout(venue, kind, subject string) (Assist, bool, error) {
	return one(tx.QueryRow(`SELECT `+assistColumns+` FROM assists WHERE venue = $1 AND kind = $2 AND subject = $3
		AND subject <> '' AND state <> 'resolved'`, venue, kind, subject), scanAssist)
}

// joinAssist lets a run wait for an assist that another has opened. A citizen who waits elsewhere now is a change of it.
func (tx *Tx) joinAssist(there Assist, run, place string) (Assist, error) {
	if err := tx.wait(there.ID, run, place); err != nil {
		return Assist{}, err
	}
	if place != there.Place {
		seq, err := tx.nextSeq()
		if err != nil {
			return Assist{}, err
		}
		if _, err := tx.Exec(`UPDATE assists SET place = $1, seq = $2 WHERE id = $3`, place, seq, there.ID); err != nil {
			return Assist{}, fmt.Errorf("cannot join an assist of kind %s: %w", there.Kind, err)
		}
		there.Place, there.Seq = place, seq
	}
	return there, tx.Audit(AuditEntry{Run: run, Actor: ActorGateway, Action: "join", Purpose: there.Kind})
}

func (tx *Tx) wait(assist, run, place string) error {
	_, err := tx.Exec(`INSERT INTO assist_waits (run, assist, place) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, run, assist, place)
	if err != nil {
		return fmt.Errorf("cannot wait for an assist: %w", err)
	}
	return nil
}

// SettleAssist resolves for the gateway, which is on the audit trail, what is open or claimed of a kind about subject at a
// venue, because events have settled it. False: there is nothing.
func (tx *Tx) SettleAssist(venue, kind, subject, resolution string) (bool, error) {
	var n int // nearly always there is none, and no row to read
	err := tx.QueryRow(`SELECT COUNT(*) FROM assists WHERE venue = $1 AND kind = $2 AND subject = $3 AND subject <> '' AND state <> 'resolved'`,
		venue, kind, subject).Scan(&n)
	if err != nil || n == 0 {
		return false, err
	}
	a, found, err := tx.unresolvedAbout(venue, kind, subject)
	if err != nil || !found {
		return false, err
	}
	from := a.State
	a.State, a.ResolvedBy, a.ResolvedAt, a.Resolution = AssistResolved, ActorGateway, tx.Now(), resolution
	_, err = tx.moveAssist(a, from, "resolve", ActorGateway)
	return err == nil, err
}

// Wait is one assist as a run waits for it.
type Wait struct {
	ID, Kind   string
	State      AssistState
	Resolution string
	ResolvedAt time.Time // zero: it is not
	Here       bool      // nobody has come with the same subject and waits at another place since
}

// WaitsOf lists what help a run has needed, its own assists and those that it joined, the first one first.
func WaitsOf(q Querier, run string) ([]Wait, error) {
	rows, err := q.Query(`SELECT a.id, a.kind, a.state, a.resolution, a.resolved_at, a.place, COALESCE(w.place, a.place)
		FROM assists a LEFT JOIN assist_waits w ON w.assist = a.id AND w.run = $1
		WHERE a.run = $1 OR a.id IN (SELECT assist FROM assist_waits WHERE run = $1) ORDER BY a.opened_at, a.kind`, run)
	return List(rows, err, func(r Row) (w Wait, err error) {
		var last, own string
		var resolved int64
		err = r.Scan(&w.ID, &w.Kind, &w.State, &w.Resolution, &resolved, &last, &own)
		w.ResolvedAt, w.Here = instant(resolved), own == last
		return w, err
	})
}
