package ledger

import (
	"fmt"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/seal"
)

// Subject is how the ledger knows a person whom a journey may be about: a keyed hash of their tenant, issuer and subject.
func Subject(keys *seal.Keys, p *gateway.Principal) []byte {
	sum := keys.Hash("subject", []byte(p.Tenant), []byte(p.Issuer), []byte(p.Subject))
	return sum[:]
}

// About notes that a run is about subject (see Subject), who did not begin it: it is their own from then on. It may be said
// again, and long after the run has ended.
func (tx *Tx) About(run string, subject []byte) error {
	if run == "" || len(subject) == 0 {
		return fmt.Errorf("cannot say whom run %q is about: no run or no subject", run)
	}
	_, err := tx.Exec(`INSERT INTO run_subjects (subject, run) VALUES ($1, $2) ON CONFLICT DO NOTHING`, subject, run)
	if err != nil {
		return fmt.Errorf("cannot say whom run %s is about: %w", run, err)
	}
	return nil
}

// Owner is a caller as the one whose journeys are asked for. A journey is the owner's where they began it, or where it was
// said to be about them (Tx.About). A machine that begins journeys for citizens owns these as well.
type Owner struct {
	Tenant, Actor string
	Subject       []byte
}

// OwnerOf returns the owner that a principal is.
func OwnerOf(keys *seal.Keys, p *gateway.Principal) Owner {
	return Owner{Tenant: p.Tenant, Actor: Actor(p), Subject: Subject(keys, p)}
}

// FindOwnRun reads a run of the owner's; false when there is none, or it is another's.
func FindOwnRun(q Querier, o Owner, id string) (Run, bool, error) {
	run, found, err := FindRun(q, id)
	if err != nil || !found || run.Tenant != o.Tenant {
		return Run{}, false, err
	}
	if run.Principal == o.Actor {
		return run, true, nil
	}
	_, found, err = one(q.QueryRow(`SELECT run FROM run_subjects WHERE subject = $1 AND run = $2`, o.Subject, id), scanText)
	if err != nil || !found {
		return Run{}, false, err
	}
	return run, true, nil
}

// Told is what one system was told in a journey for one purpose. It holds no values.
type Told struct {
	System, Purpose string
	Fields          []string
	First, Last     time.Time
	Times           int // at least 1; what could not be sent after all does not count
}

// Access is a journey in which systems were told of a citizen, in the order in which they were first told.
type Access struct {
	ID, Plan, Venue string
	StartedAt       time.Time
	Told            []Told
}

// accessLooks is how many journeys one page looks at, so that a caller whose journeys tell nothing costs little.
const accessLooks = 500

// ListAccesses returns up to limit of the owner's journeys in which anything was told, the latest first, from before the id
// of the last page ("": from the newest). It looks at a bounded number of journeys and costs a few index lookups for each,
// however long the trail is. next is where the next page begins, also where this one is short; "" says that this is all.
func ListAccesses(q Querier, o Owner, before string, limit int) (all []Access, next string, err error) {
	if before == "" {
		before = beyond
	}
	for range accessLooks {
		id, found, err := ownBefore(q, o, before)
		if err != nil || !found {
			return all, "", err
		}
		before = id
		a, found, err := accessOf(q, o, id)
		if err != nil {
			return nil, "", err
		}
		if !found {
			continue
		}
		if all = append(all, a); len(all) == limit {
			break
		}
	}
	_, more, err := ownBefore(q, o, before)
	if err != nil || !more {
		return all, "", err
	}
	return all, before, nil
}

// beyond comes after every id of a run, in every collation.
const beyond = "g"

// ownBefore returns the newest journey of the owner's before an id.
func ownBefore(q Querier, o Owner, before string) (id string, found bool, err error) {
	if err := runsOf(q); err != nil {
		return "", false, err
	}
	began, isBegan, err := one(q.QueryRow(`SELECT id FROM runs WHERE principal = $1 AND id < $2 ORDER BY id DESC LIMIT 1`, o.Actor, before), scanText)
	if err != nil {
		return "", false, err
	}
	about, isAbout, err := one(q.QueryRow(`SELECT run FROM run_subjects WHERE subject = $1 AND run < $2 ORDER BY run DESC LIMIT 1`, o.Subject, before), scanText)
	return max(began, about), isBegan || isAbout, err
}

// accessOf reads what was told in a journey; false where nothing was, or it is of another tenant.
func accessOf(q Querier, o Owner, id string) (Access, bool, error) {
	rows, err := q.Query(`SELECT e.system, e.purpose, e.fields, MIN(l.at), MAX(l.at),
			SUM(CASE WHEN e.action = 'disclose' THEN 1 ELSE -1 END)
		FROM audit_entries e JOIN audit_links l ON l.chain = e.chain AND l.link = e.link
		WHERE e.run = $1 AND e.fields <> '' AND e.action IN ('disclose', 'withhold')
		GROUP BY e.system, e.purpose, e.fields ORDER BY MIN(l.at), e.purpose, e.system, e.fields`, id)
	told, err := List(rows, err, scanTold)
	if err != nil {
		return Access{}, false, err
	}
	a := Access{ID: id}
	for _, t := range told {
		if t.Times > 0 {
			a.Told = append(a.Told, t)
		}
	}
	if len(a.Told) == 0 {
		return Access{}, false, nil
	}
	run, found, err := FindRun(q, id)
	a.Plan, a.Venue, a.StartedAt = run.Plan, run.Venue, run.StartedAt
	return a, found && run.Tenant == o.Tenant, err
}

func scanTold(r Row) (t Told, err error) {
	var fields string
	var first, last, times int64
	err = r.Scan(&t.System, &t.Purpose, &fields, &first, &last, &times)
	t.Fields, t.First, t.Last, t.Times = strings.Split(fields, ","), instant(first), instant(last), int(times)
	return t, err
}

func scanText(r Row) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// KeepFeedback keeps what a citizen thought of a run, sealed with the run's data key. Where there is some already nothing
// changes: false.
func (tx *Tx) KeepFeedback(run string, body []byte) (kept bool, err error) {
	n, err := tx.Exec(`INSERT INTO feedback (run, at, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, run, millis(tx.Now()), body)
	if err != nil {
		return false, fmt.Errorf("cannot keep the feedback on run %s: %w", run, err)
	}
	return n > 0, nil
}
