package ledger

import (
	"fmt"
	"time"
)

// RunState is where a journey's run stands.
type RunState string

// The states of a run. It begins as running, may be recovering then, and ends once.
const (
	RunRunning    RunState = "running"
	RunRecovering RunState = "recovering" // it was abandoned, and the outbox settles what it had begun
	RunDone       RunState = "done"       // the citizen has what was promised
	RunRefused    RunState = "refused"    // a problem was answered, nothing has happened
	RunAssist     RunState = "assist"     // a person decides
	RunUndone     RunState = "undone"     // it failed before its pivot, and what had happened is undone
)

// Run is one run of a plan for one citizen's request.
type Run struct {
	ID, Plan, Tenant, Venue, Principal string
	Lang                               string
	State                              RunState
	Pivot                              bool   // the pivot has settled: only forward from here
	Key                                []byte // wrapped data key of everything sealed for this run; nil: erased
	IdemScope                          []byte // scope of the idempotency record that it holds, or nil
	StartedAt, EndedAt                 time.Time
	LeaseUntil                         time.Time // past it a run that is still running was abandoned
	Status                             int       // HTTP status of its answer
	Body                               []byte    // its answer, sealed
	DraftStatus                        int       // of a running run: the answer it comes to if all that it has begun comes about,
	Draft                              []byte    // sealed; nil: that cannot be said
	Place                              string    // where the citizen waits; a word of the flow
}

const runColumns = `id, plan, tenant, venue, principal, lang, state, pivot, data_key, idem_scope, started_at, ended_at, lease_until, status, body, draft_status, draft, place`

func scanRun(r Row) (Run, error) {
	var v Run
	var started, ended, lease int64
	err := r.Scan(&v.ID, &v.Plan, &v.Tenant, &v.Venue, &v.Principal, &v.Lang, &v.State, &v.Pivot, &v.Key, &v.IdemScope,
		&started, &ended, &lease, &v.Status, &v.Body, &v.DraftStatus, &v.Draft, &v.Place)
	v.StartedAt, v.EndedAt, v.LeaseUntil = instant(started), instant(ended), instant(lease)
	return v, err
}

// BeginRun enters a run. An id that is there already is an error, by the end of the item at the latest: ids are made once.
// The row is written with the first thing that reads or changes it through this package, or behind the rest of the item, so
// that what the item says of the run meanwhile (DraftRun, EndRun) is written with it.
func (tx *Tx) BeginRun(r Run) error {
	if err := tx.writeRun(); err != nil {
		return err
	}
	tx.run = &r
	return nil
}

// writeRun writes the run that the item has begun, if that is still to be done.
func (tx *Tx) writeRun() error {
	r := tx.run
	if r == nil {
		return nil
	}
	tx.run = nil
	n, err := tx.Exec(`INSERT INTO runs (`+runColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Plan, r.Tenant, r.Venue, r.Principal, r.Lang, r.State, r.Pivot, r.Key, r.IdemScope,
		millis(r.StartedAt), millis(r.EndedAt), millis(r.LeaseUntil), r.Status, r.Body, r.DraftStatus, r.Draft, r.Place)
	if err != nil {
		return fmt.Errorf("cannot begin run %s: %w", r.ID, err)
	}
	if n == 0 {
		return tx.note(fmt.Errorf("cannot begin run %s: it is there already", r.ID))
	}
	return nil
}

// runsOf makes the table of runs ready to be read.
func runsOf(q Querier) error {
	if tx, ok := q.(*Tx); ok {
		return tx.writeRun()
	}
	return nil
}

// begun returns the run of that id where the item has begun it and it is not written yet. Any other one is written.
func (tx *Tx) begun(id string) (*Run, error) {
	if tx.run != nil && tx.run.ID == id {
		return tx.run, nil
	}
	return nil, tx.writeRun()
}

// EndRun notes how a run has ended, with its answer; or that it is recovering. A run ends once: where it has ended nothing
// changes.
func (tx *Tx) EndRun(id string, state RunState, pivot bool, status int, body []byte) error {
	r, err := tx.begun(id)
	if r != nil && (r.State == RunRunning || r.State == RunRecovering) {
		r.State, r.Pivot, r.Status, r.Body, r.EndedAt, r.DraftStatus, r.Draft = state, pivot, status, body, tx.Now(), 0, nil
		return nil
	}
	if err == nil && r == nil {
		_, err = tx.Exec(`UPDATE runs SET state = $1, pivot = $2, status = $3, body = $4, ended_at = $5, draft_status = 0, draft = NULL
			WHERE id = $6 AND state IN ('running', 'recovering')`, state, pivot, status, body, millis(tx.Now()), id)
	}
	if err != nil {
		return fmt.Errorf("cannot end run %s: %w", id, err)
	}
	return nil
}

// DraftRun keeps the answer that a running run comes to if everything that it has begun comes about, in place of an earlier
// one; a nil body: none.
func (tx *Tx) DraftRun(id string, status int, body []byte) error {
	r, err := tx.begun(id)
	if r != nil && r.State == RunRunning {
		r.DraftStatus, r.Draft = status, body
		return nil
	}
	if err == nil && r == nil {
		_, err = tx.Exec(`UPDATE runs SET draft_status = $1, draft = $2 WHERE id = $3 AND state = 'running'`, status, body, id)
	}
	if err != nil {
		return fmt.Errorf("cannot draft the answer of run %s: %w", id, err)
	}
	return nil
}

// FulfilRun ends a run as done, with its draft as its answer. Where it has ended nothing changes.
func (tx *Tx) FulfilRun(id string, pivot bool) error {
	err := tx.writeRun()
	if err == nil {
		_, err = tx.Exec(`UPDATE runs SET state = 'done', pivot = $1, status = draft_status, body = draft, ended_at = $2, draft_status = 0, draft = NULL
			WHERE id = $3 AND state IN ('running', 'recovering') AND draft IS NOT NULL`, pivot, millis(tx.Now()), id)
	}
	if err != nil {
		return fmt.Errorf("cannot end run %s as it was drafted: %w", id, err)
	}
	return nil
}

// EraseRun destroys the run's data key, and that of the idempotency record that it holds: what they sealed (answers,
// arguments, results, facts of its assists) can never be read again, while the books stay. It is written on the audit
// trail under actor. A run that has not ended is an error; false says that there is no such run, or it was erased before.
func (tx *Tx) EraseRun(id, actor string) (erased bool, err error) {
	r, found, err := FindRun(tx, id)
	switch {
	case err != nil:
		return false, err
	case !found || r.Key == nil:
		return false, nil
	case r.State == RunRunning || r.State == RunRecovering:
		return false, fmt.Errorf("cannot erase run %s: it is still %s", id, r.State)
	}
	_, err = tx.Exec(`UPDATE runs SET data_key = NULL WHERE id = $1`, id)
	if err == nil && r.IdemScope != nil {
		_, err = tx.Exec(`UPDATE idempotency SET data_key = NULL WHERE scope = $1 AND run = $2`, r.IdemScope, id)
	}
	if err != nil {
		return false, fmt.Errorf("cannot erase run %s: %w", id, err)
	}
	return true, tx.Audit(AuditEntry{Run: id, Actor: actor, Action: "erase"})
}

// FindRun reads a run; false when there is none.
func FindRun(q Querier, id string) (Run, bool, error) {
	err := catchUp(q, id)
	if err == nil {
		err = runsOf(q)
	}
	if err != nil {
		return Run{}, false, err
	}
	return one(q.QueryRow(`SELECT `+runColumns+` FROM runs WHERE id = $1`, id), scanRun)
}

// AbandonedRuns returns up to limit running runs whose lease is over at now, the longest abandoned first.
func AbandonedRuns(q Querier, now time.Time, limit int) ([]Run, error) {
	if err := runsOf(q); err != nil {
		return nil, err
	}
	rows, err := q.Query(`SELECT `+runColumns+` FROM runs WHERE state = 'running' AND lease_until <= $1
		ORDER BY lease_until LIMIT $2`, millis(now), limit)
	return List(rows, err, scanRun)
}
