package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// MessageState is where a message of the outbox stands.
type MessageState string

// The states of a message.
const (
	MessageWaiting MessageState = "waiting" // also while it is in flight: its lease is over at NextAt
	MessageDone    MessageState = "done"
	MessageDead    MessageState = "dead" // given up; a person has an assist for it
)

// Message is something that was promised to an outside system and will be delivered at least once.
type Message struct {
	Key      string // stable and unique: enqueuing it again changes nothing
	Kind     string // names the handler
	Run      string
	Venue    string // messages of one venue never hold up another's
	Payload  []byte // sealed with the run's data key, or free of personal data
	State    MessageState
	QueuedAt time.Time
	DueAt    time.Time // by then it is delivered or a person's; zero: the outbox gives up by age
	NextAt   time.Time // not before; zero when enqueuing: at once
	Attempts int       // begun so far, including the one in flight
	// LastError says why the last attempt failed; no personal data.
	LastError string
}

const (
	messageColumns = `msg_key, kind, run, venue, payload, state, queued_at, due_at, next_at, attempts, last_error`
	errorLimit     = 300 // bytes of LastError
)

func scanMessage(r Row) (Message, error) {
	var v Message
	var queued, due, next int64
	err := r.Scan(&v.Key, &v.Kind, &v.Run, &v.Venue, &v.Payload, &v.State, &queued, &due, &next, &v.Attempts, &v.LastError)
	v.QueuedAt, v.DueAt, v.NextAt = instant(queued), instant(due), instant(next)
	return v, err
}

// Enqueue adds m to the outbox, waiting from m.NextAt on. Where its key is there already, in whatever state, nothing changes.
func (tx *Tx) Enqueue(m Message) error {
	if m.Key == "" || m.Kind == "" {
		return errors.New("cannot enqueue a message: no key or no kind")
	}
	next := m.NextAt
	if next.IsZero() {
		next = tx.Now()
	}
	_, err := tx.Exec(`INSERT INTO messages (`+messageColumns+`) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8, 0, '')
		ON CONFLICT (msg_key) DO NOTHING`,
		m.Key, m.Kind, m.Run, m.Venue, m.Payload, millis(tx.Now()), millis(m.DueAt), millis(next))
	if err != nil {
		return fmt.Errorf("cannot enqueue a message of kind %s: %w", m.Kind, err)
	}
	return nil
}

// LeaseMessages takes up to limit messages of venue that are ready at now, the longest waiting first, and keeps everybody
// else from them until the lease is over. Each counts one attempt more, so that one whose delivery kills the process is
// given up in the end.
func (tx *Tx) LeaseMessages(venue string, now, until time.Time, limit int) ([]Message, error) {
	rows, err := tx.Query(`UPDATE messages SET next_at = $1, attempts = attempts + 1
		WHERE state = 'waiting' AND next_at <= $2 AND msg_key IN (SELECT msg_key FROM messages
			WHERE state = 'waiting' AND venue = $3 AND next_at <= $2 ORDER BY next_at LIMIT $4)
		RETURNING `+messageColumns, millis(until), millis(now), venue, limit)
	return List(rows, err, scanMessage)
}

// FinishMessage notes that m was delivered. done is false when it is not waiting any more.
func (tx *Tx) FinishMessage(m Message) (done bool, err error) {
	n, err := tx.Exec(`UPDATE messages SET state = 'done', next_at = $1, last_error = '' WHERE msg_key = $2 AND state = 'waiting'`,
		millis(tx.Now()), m.Key)
	if err != nil {
		return false, fmt.Errorf("cannot finish a message of kind %s: %w", m.Kind, err)
	}
	return n > 0, nil
}

// RetryMessage puts a leased m back until next. Where its lease was lost to a later attempt nothing changes.
func (tx *Tx) RetryMessage(m Message, next time.Time, lastError string) (changed bool, err error) {
	n, err := tx.Exec(`UPDATE messages SET next_at = $1, last_error = $2 WHERE msg_key = $3 AND state = 'waiting' AND attempts = $4`,
		millis(next), shorten(lastError), m.Key, m.Attempts)
	if err != nil {
		return false, fmt.Errorf("cannot put a message of kind %s back: %w", m.Kind, err)
	}
	return n > 0, nil
}

// KillMessage gives a leased m up: it will not be delivered any more. Where its lease was lost to a later attempt nothing
// changes.
func (tx *Tx) KillMessage(m Message, lastError string) (killed bool, err error) {
	n, err := tx.Exec(`UPDATE messages SET state = 'dead', next_at = $1, last_error = $2
		WHERE msg_key = $3 AND state = 'waiting' AND attempts = $4`, millis(tx.Now()), shorten(lastError), m.Key, m.Attempts)
	if err != nil {
		return false, fmt.Errorf("cannot give a message of kind %s up: %w", m.Kind, err)
	}
	return n > 0, nil
}

// FindMessage reads a message; false when there is none.
func FindMessage(q Querier, key string) (Message, bool, error) {
	return one(q.QueryRow(`SELECT `+messageColumns+` FROM messages WHERE msg_key = $1`, key), scanMessage)
}

// VenueQueue says when the first message of a venue is ready.
type VenueQueue struct {
	Venue string
	Next  time.Time
}

// WaitingVenues returns every venue that has waiting messages, by name. It costs a few index lookups for each venue, however
// many messages wait.
func WaitingVenues(q Querier) ([]VenueQueue, error) {
	rows, err := q.Query(`WITH RECURSIVE venues (venue) AS (
			SELECT (SELECT MIN(venue) FROM messages WHERE state = 'waiting')
			UNION ALL
			SELECT (SELECT MIN(m.venue) FROM messages m WHERE m.state = 'waiting' AND m.venue > venues.venue) FROM venues
			WHERE venues.venue IS NOT NULL)
		SELECT venue, (SELECT MIN(m.next_at) FROM messages m WHERE m.state = 'waiting' AND m.venue = venues.venue)
		FROM venues WHERE venue IS NOT NULL`)
	return List(rows, err, func(r Row) (v VenueQueue, err error) {
		var next int64
		err = r.Scan(&v.Venue, &next)
		v.Next = instant(next)
		return v, err
	})
}

// OutboxCounts is what the outbox holds.
type OutboxCounts struct {
	Waiting int       // including those in flight
	Overdue int       // of these, past their due time
	Dead    int       // given up
	Due     time.Time // the earliest due time of a waiting message; zero: none has one
}

// CountMessages counts the outbox at now, for metrics: it reads every waiting message's index entry.
func CountMessages(q Querier, now time.Time) (c OutboxCounts, err error) {
	var due int64
	err = q.QueryRow(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN due_at > 0 AND due_at <= $1 THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN due_at > 0 THEN due_at END), 0) FROM messages WHERE state = 'waiting'`, millis(now)).
		Scan(&c.Waiting, &c.Overdue, &due)
	if err != nil {
		return c, err
	}
	c.Due = instant(due)
	err = q.QueryRow(`SELECT COUNT(*) FROM messages WHERE state = 'dead'`).Scan(&c.Dead)
	return c, err
}

// shorten cuts an error's text to what the table keeps.
func shorten(s string) string {
	if len(s) <= errorLimit {
		return s
	}
	return strings.ToValidUTF8(s[:errorLimit], "")
}
