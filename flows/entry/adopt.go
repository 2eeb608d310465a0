package entry

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// keepScan remembers what a scan led to.
func keepScan(tx *ledger.Tx, c Claim, ids []string) error {
	n, err := tx.Exec(`INSERT INTO scans (venue, direction, gate, scan, shown, people, run, admissions, at)
		VALUES ($1, 'entry', $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		c.Spot, c.Gate, c.Scan, c.Shown, c.People, c.Journey, strings.Join(ids, " "), c.At.UnixMilli())
	if err == nil && n == 0 {
		return ProblemScanReused.Error(gateway.Text{}).WithField("scan_id")
	}
	return err
}

// earlierScan finds what the same scan led to before.
func earlierScan(tx *ledger.Tx, c Claim, a *Admitted) (bool, error) {
	var shown []byte
	var ids string
	var at int64
	err := tx.QueryRow(`SELECT shown, admissions, at FROM scans WHERE venue = $1 AND direction = 'entry' AND gate = $2 AND scan = $3`,
		c.Spot, c.Gate, c.Scan).Scan(&shown, &ids, &at)
	switch {
	case errors.Is(err, ledger.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case string(shown) != string(c.Shown):
		return true, ledger.Keep(ProblemScanReused.Error(gateway.Text{}).WithField("scan_id"))
	}
	a.At = time.UnixMilli(at).In(c.At.Location())
	switch err := adoptAdmissions(tx, c, strings.Fields(ids), a); {
	case err != nil:
		return true, err
	case len(a.People) == 0: // all were taken back: it is as if it had not been
		a.At = c.At
		_, err = tx.Exec(`DELETE FROM scans WHERE venue = $1 AND direction = 'entry' AND gate = $2 AND scan = $3`, c.Spot, c.Gate, c.Scan)
		return false, err
	case !slices.ContainsFunc(a.People, Person.own):
		return true, nil
	}
	_, err = tx.Exec(`UPDATE scans SET run = $1 WHERE venue = $2 AND direction = 'entry' AND gate = $3 AND scan = $4`,
		c.Journey, c.Spot, c.Gate, c.Scan)
	return true, err
}

// repeatVisit answers another scan of the same ticket at the same gate with the admission that it already has.
func repeatVisit(tx *ledger.Tx, c Claim, again []visit, a *Admitted) error {
	var ids []string
	for _, v := range again {
		ids = append(ids, v.id)
	}
	if err := adoptAdmissions(tx, c, ids, a); err != nil {
		return err
	}
	return keepScan(tx, c, ids)
}

// adoptAdmissions answers with admissions that are there already. Those of a run that died become this journey's own,
// to be taken back if it fails too; those of a run that has ended well stay as they are. It writes nothing before it
// knows that none of them is still being decided.
func adoptAdmissions(tx *ledger.Tx, c Claim, ids []string, a *Admitted) error {
	codes := map[string]string{}
	for _, t := range c.Tickets {
		codes[t.Supplier+"/"+t.Unit] = t.Code
	}
	for _, id := range ids {
		p := Person{Admission: id}
		var run, how string
		err := tx.QueryRow(`SELECT supplier, unit, entry, run, how FROM admissions WHERE id = $1`, id).
			Scan(&p.Supplier, &p.Unit, &p.Entry, &run, &how)
		if errors.Is(err, ledger.ErrNoRows) { // it was released meanwhile
			continue
		}
		if err != nil {
			return err
		}
		if p.Again, err = standing(tx, run, how); err != nil {
			return err
		}
		code, shown := codes[p.Supplier+"/"+p.Unit]
		if !p.Again && !shown { // recovery knows its code, this journey does not
			return stillRunning(2 * time.Second)
		}
		p.Code, a.Again = code, a.Again || p.Again
		a.People = append(a.People, p)
	}
	for _, p := range a.People {
		if !p.own() {
			continue
		}
		if _, err := tx.Exec(`UPDATE admissions SET run = $1 WHERE id = $2`, c.Journey, p.Admission); err != nil {
			return err
		}
	}
	inside, _, err := occupancyOf(tx, c.Spot, c.Day)
	a.Inside = inside
	return err
}

func stillRunning(retry time.Duration) error {
	return ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(retry))
}

// standing reports whether an admission stands: its run has ended well, or a person has decided. Otherwise whoever finds
// it may take it over, since its run has died or is being taken back. The error is a kept problem while it is still
// being decided.
func standing(tx *ledger.Tx, run, how string) (bool, error) {
	if how == byStaff {
		return true, nil
	}
	earlier, found, err := ledger.FindRun(tx, run)
	switch {
	case err != nil:
		return false, err
	case !found || earlier.State == ledger.RunDone: // a run that is gone has long ended
		return true, nil
	case earlier.State == ledger.RunRunning && tx.Now().Before(earlier.LeaseUntil):
		return false, stillRunning(time.Second)
	case earlier.State != ledger.RunAssist:
		return false, nil
	}
	var open int
	err = tx.QueryRow(`SELECT 1 FROM assists WHERE run = $1 AND kind = $2 AND state <> $3`, run, handRedeemLate.Kind,
		string(ledger.AssistResolved)).Scan(&open)
	if errors.Is(err, ledger.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, ledger.Keep(ProblemWithStaff.Error(gateway.Text{}).WithRetryAfter(10 * time.Second))
}

// release takes an admission back: whom this journey has let in, and no one that another has made its own.
var release = &ledger.Decision[Admitted, int64]{Name: "entry.release", Run: func(tx *ledger.Tx, a Admitted) (int64, error) {
	if err := forgetScan(tx, a); err != nil {
		return 0, err
	}
	var n int64
	for _, p := range a.People {
		gone, err := releasePerson(tx, a, p)
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}}

func forgetScan(tx *ledger.Tx, a Admitted) error {
	_, err := tx.Exec(`DELETE FROM scans WHERE venue = $1 AND direction = 'entry' AND gate = $2 AND scan = $3 AND run = $4`,
		a.Spot, a.Gate, a.Scan, a.Journey)
	return err
}

// releasePerson takes one person's admission back and counts them out of the day on which they were counted inside. It
// returns how many are released: 1, or 0 where the admission is not this journey's.
func releasePerson(tx *ledger.Tx, a Admitted, p Person) (int64, error) {
	var day, state string
	err := tx.QueryRow(`DELETE FROM admissions WHERE id = $1 AND run = $2 RETURNING day, state`, p.Admission, a.Journey).Scan(&day, &state)
	if errors.Is(err, ledger.ErrNoRows) {
		return 0, nil
	}
	if err != nil || state != stateIn { // whoever has left is counted out already
		return 1, err
	}
	return 1, countOut(tx, a.Spot, day, 1, a.At)
}
