package ledger

import (
	"fmt"
	"time"
)

// Idempotency is one Idempotency-Key in use (IETF draft-07). It begins in the first commit of its run and ends in the last.
type Idempotency struct {
	Scope      []byte // keyed hash of tenant, principal, route and key: 32 bytes
	Payload    []byte // keyed hash of the request's payload: another payload under the same key is a mistake
	Run        string
	LeaseUntil time.Time // past it, a record that has not ended waits for recovery
	ExpiresAt  time.Time // an ended record may be taken again from then on
	Ended      bool
	Status     int
	Body       []byte // the answer, sealed
	Key        []byte // wrapped data key of Body; nil: erased
}

const idemColumns = `scope, payload, run, lease_until, expires_at, ended, status, body, data_key`

func scanIdempotency(r Row) (Idempotency, error) {
	var v Idempotency
	var lease, expires int64
	err := r.Scan(&v.Scope, &v.Payload, &v.Run, &lease, &expires, &v.Ended, &v.Status, &v.Body, &v.Key)
	v.LeaseUntil, v.ExpiresAt = instant(lease), instant(expires)
	return v, err
}

// BeginIdempotency takes the scope for i.Run. Where it is taken nothing changes: begun is false and existing is what stands
// there. A record that has ended and expired is replaced; one that has not ended never is.
func (tx *Tx) BeginIdempotency(i Idempotency) (existing Idempotency, begun bool, err error) {
	tx.scopes.add(i.Scope, tx.Now()) // before anybody can read it
	n, err := tx.Exec(`INSERT INTO idempotency (`+idemColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (scope) DO UPDATE SET payload = excluded.payload, run = excluded.run, lease_until = excluded.lease_until,
			expires_at = excluded.expires_at, ended = excluded.ended, status = excluded.status, body = excluded.body,
			data_key = excluded.data_key
		WHERE idempotency.ended AND idempotency.expires_at <= $10`,
		i.Scope, i.Payload, i.Run, millis(i.LeaseUntil), millis(i.ExpiresAt), i.Ended, i.Status, i.Body, i.Key, millis(tx.Now()))
	if err != nil {
		return Idempotency{}, false, fmt.Errorf("cannot begin an idempotency record: %w", err)
	}
	if n > 0 {
		return Idempotency{}, true, nil
	}
	existing, found, err := FindIdempotency(tx, i.Scope)
	if err == nil && !found {
		err = fmt.Errorf("cannot begin an idempotency record for run %s: its scope is taken and cannot be read", i.Run)
	}
	return existing, false, err
}

// EndIdempotency keeps the answer of run for replays until expires. Where the scope has been given to another run, or has
// ended already, nothing changes.
func (tx *Tx) EndIdempotency(scope []byte, run string, status int, body []byte, expires time.Time) error {
	_, err := tx.Exec(`UPDATE idempotency SET ended = TRUE, status = $1, body = $2, expires_at = $3
		WHERE scope = $4 AND run = $5 AND NOT ended`, status, body, millis(expires), scope, run)
	if err != nil {
		return fmt.Errorf("cannot end an idempotency record: %w", err)
	}
	return nil
}

// FindIdempotency reads a record; false when there is none. It may have ended and expired.
func FindIdempotency(q Querier, scope []byte) (Idempotency, bool, error) {
	if err := catchUp(q, string(scope)); err != nil {
		return Idempotency{}, false, err
	}
	return one(q.QueryRow(`SELECT `+idemColumns+` FROM idempotency WHERE scope = $1`, scope), scanIdempotency)
}

// The bounds of one sweep.
const (
	sweepLimit = 500                // rows of each kind, so that no request waits long behind it
	doneKept   = 7 * 24 * time.Hour // how long a delivered message keeps its key from being enqueued again
)

// Sweep deletes what is no longer needed at now: ended idempotency records past their expiry, and messages delivered a week
// ago. It deletes a bounded number of rows and returns how many; call it again while there are any.
func Sweep(tx *Tx, now time.Time) (rows int64, err error) {
	n, err := tx.Exec(`DELETE FROM idempotency WHERE scope IN (SELECT scope FROM idempotency
		WHERE ended AND expires_at <= $1 ORDER BY expires_at LIMIT $2)`, millis(now), sweepLimit)
	if err != nil {
		return 0, fmt.Errorf("cannot sweep idempotency records: %w", err)
	}
	m, err := tx.Exec(`DELETE FROM messages WHERE msg_key IN (SELECT msg_key FROM messages
		WHERE state = 'done' AND next_at <= $1 ORDER BY next_at LIMIT $2)`, millis(now.Add(-doneKept)), sweepLimit)
	if err != nil {
		return 0, fmt.Errorf("cannot sweep delivered messages: %w", err)
	}
	return n + m, nil
}

// sweepDue reports whether Sweep would delete anything.
func sweepDue(q Querier, now time.Time) (bool, error) {
	var n int64
	err := q.QueryRow(`SELECT (SELECT COUNT(*) FROM (SELECT scope FROM idempotency WHERE ended AND expires_at <= $1 LIMIT 1) AS i)
		+ (SELECT COUNT(*) FROM (SELECT msg_key FROM messages WHERE state = 'done' AND next_at <= $2 LIMIT 1) AS m)`,
		millis(now), millis(now.Add(-doneKept))).Scan(&n)
	return n > 0, err
}
