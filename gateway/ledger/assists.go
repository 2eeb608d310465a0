package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
)

// AssistState is where an assist stands.
type AssistState string

// The states of an assist.
const (
	AssistOpen     AssistState = "open"
	AssistClaimed  AssistState = "claimed"  // one person works on it
	AssistResolved AssistState = "resolved" // settled, for ever
)

// Assist is a journey handed to a person, with what is known.
type Assist struct {
	ID                    string // UUIDv7; OpenAssist makes one where it is empty
	Run, Plan, Kind       string // one assist for each run and kind
	Tenant, Venue         string
	State                 AssistState
	Done, NotDone         []string // what has happened and what has not, as the names of steps; no personal data
	Tried                 []string
	NextAction            gateway.Text
	Facts                 []byte // for the person who claims it: JSON, sealed with the run's data key
	OpenedAt              time.Time
	ClaimedAt, ResolvedAt time.Time // zero: not (any more)
	ReleasedAt            time.Time // of an open one: when it was last handed back; zero: never
	ClaimedBy, ResolvedBy string    // "subject@issuer"; resolved by ActorGateway where events have settled it
	Resolution            string    // the flow's word: "admit", "refuse", …
	Reason                []byte    // what the person wrote, sealed with the run's data key
	Subject               string    // what it is about, at its venue; "": nothing that another run could be about. No personal data
	Place                 string    // where the citizen waits who came for it last; a word of the flow
	Seq                   int64     // rises with every change of any assist: what is after the last Seq seen is new
}

// The problems of assists.
var (
	ProblemAssistUnknown = &gateway.Problem{Type: "assist-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有这条求助", En: "There is no such request for help"}}
	ProblemAssistClaimed = &gateway.Problem{Type: "assist-claimed", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "已有同事在处理这条求助", En: "A colleague is already working on this"}}
	ProblemAssistUnclaimed = &gateway.Problem{Type: "assist-unclaimed", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "请先认领这条求助", En: "Claim this before you settle it"}}
	ProblemAssistResolved = &gateway.Problem{Type: "assist-resolved", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这条求助已经处理完毕", En: "This is already settled"}}
)

// assistColumns are the columns of an assist. claimed_at belongs to its state: of a claimed or resolved one it is when it
// was claimed, of an open one when it was handed back.
const assistColumns = `id, seq, run, plan, kind, tenant, venue, state, done, not_done, tried, next_zh, next_en, facts,
	opened_at, claimed_at, resolved_at, claimed_by, resolved_by, resolution, reason, subject, place`

func scanAssist(r Row) (Assist, error) {
	var v Assist
	var done, notDone, tried string
	var opened, claimed, resolved int64
	err := r.Scan(&v.ID, &v.Seq, &v.Run, &v.Plan, &v.Kind, &v.Tenant, &v.Venue, &v.State, &done, &notDone, &tried,
		&v.NextAction.Zh, &v.NextAction.En, &v.Facts, &opened, &claimed, &resolved, &v.ClaimedBy, &v.ResolvedBy,
		&v.Resolution, &v.Reason, &v.Subject, &v.Place)
	if err != nil {
		return v, err
	}
	v.OpenedAt, v.ClaimedAt, v.ResolvedAt = instant(opened), instant(claimed), instant(resolved)
	if v.State == AssistOpen {
		v.ClaimedAt, v.ReleasedAt = time.Time{}, v.ClaimedAt
	}
	return v, errors.Join(json.Unmarshal([]byte(done), &v.Done), json.Unmarshal([]byte(notDone), &v.NotDone),
		json.Unmarshal([]byte(tried), &v.Tried))
}

// Actor names a principal on assists and the audit trail: "subject@issuer", since a subject means something at its issuer
// alone.
func Actor(p *gateway.Principal) string { return p.Subject + "@" + p.Issuer }

// OpenAssist hands a.Run to a person, and writes that on the audit trail. Where an assist of that run and kind is there
// already, in whatever state, it is returned unchanged. Where one of that kind and a.Subject at a.Venue is not resolved
// yet, a.Run waits for that one, which is returned with a.Place.
func (tx *Tx) OpenAssist(a Assist) (Assist, error) {
	if a.Run == "" || a.Kind == "" || a.Tenant == "" {
		return Assist{}, errors.New("cannot open an assist: no run, kind or tenant")
	}
	there, found, err := tx.waitingFor(a.Run, a.Kind)
	if err != nil || found {
		return there, err
	}
	if a.Subject != "" {
		if there, found, err = tx.unresolvedAbout(a.Venue, a.Kind, a.Subject); err != nil {
			return Assist{}, err
		}
		if found {
			return tx.joinAssist(there, a.Run, a.Place)
		}
	}
	if a.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return Assist{}, fmt.Errorf("cannot make an assist's id: %w", err)
		}
		a.ID = id.String()
	}
	a.State, a.OpenedAt = AssistOpen, tx.Now()
	if a.Seq, err = tx.nextSeq(); err != nil {
		return Assist{}, err
	}
	if err = tx.insertAssist(a); err != nil {
		return Assist{}, fmt.Errorf("cannot open an assist of kind %s: %w", a.Kind, err)
	}
	if a.Subject != "" {
		if err = tx.wait(a.ID, a.Run, a.Place); err != nil {
			return Assist{}, err
		}
	}
	return a, tx.Audit(AuditEntry{Run: a.Run, Actor: ActorGateway, Action: "open", Purpose: a.Kind})
}

func (tx *Tx) insertAssist(a Assist) error {
	var texts [3]string
	for i, words := range [][]string{a.Done, a.NotDone, a.Tried} {
		b, err := json.Marshal(words)
		if err != nil {
			return err
		}
		texts[i] = string(b)
	}
	_, err := tx.Exec(`INSERT INTO assists (`+assistColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9, $10, $11, $12, $13, $14, 0, 0, '', '', '', NULL, $15, $16)`,
		a.ID, a.Seq, a.Run, a.Plan, a.Kind, a.Tenant, a.Venue, texts[0], texts[1], texts[2],
		a.NextAction.Zh, a.NextAction.En, a.Facts, millis(a.OpenedAt), a.Subject, a.Place)
	return err
}

// nextSeq returns the next number of the assists. Its row stays locked until the commit, so numbers become visible in order.
func (tx *Tx) nextSeq() (seq int64, err error) {
	err = tx.QueryRow(`UPDATE counters SET value = value + 1 WHERE name = 'assists' RETURNING value`).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("cannot number an assist: %w", err)
	}
	return seq, nil
}

// ClaimAssist gives an open assist to p, and returns it. Claiming one's own claim again changes nothing. The errors are
// assist-unknown (also for another tenant's or venue's), assist-claimed (by somebody else) and assist-resolved.
func (tx *Tx) ClaimAssist(id string, p *gateway.Principal) (Assist, error) {
	a, err := tx.assistFor(id, p)
	switch {
	case err != nil:
		return Assist{}, err
	case a.State == AssistClaimed && a.ClaimedBy == Actor(p):
		return a, nil
	case a.State == AssistClaimed:
		return Assist{}, ProblemAssistClaimed.Error(gateway.Text{})
	}
	a.State, a.ClaimedBy, a.ClaimedAt, a.ReleasedAt = AssistClaimed, Actor(p), tx.Now(), time.Time{}
	return tx.moveAssist(a, AssistOpen, "claim", Actor(p))
}

// ReleaseAssist makes a claimed assist open again. Anybody who may work on it may release it, since the person who claimed
// it may be gone; who did is on the audit trail. The errors are assist-unknown, assist-unclaimed and assist-resolved.
func (tx *Tx) ReleaseAssist(id string, p *gateway.Principal) (Assist, error) {
	a, err := tx.assistFor(id, p)
	switch {
	case err != nil:
		return Assist{}, err
	case a.State == AssistOpen:
		return Assist{}, ProblemAssistUnclaimed.Error(gateway.Text{})
	}
	a.State, a.ClaimedBy, a.ClaimedAt, a.ReleasedAt = AssistOpen, "", time.Time{}, tx.Now()
	return tx.moveAssist(a, AssistClaimed, "release", Actor(p))
}

// ResolveAssist settles the assist that p has claimed, for ever. reason is sealed. The errors are assist-unknown,
// assist-unclaimed, assist-claimed (by somebody else) and assist-resolved: of any number of people exactly one succeeds, once.
func (tx *Tx) ResolveAssist(id string, p *gateway.Principal, resolution string, reason []byte) (Assist, error) {
	a, err := tx.assistFor(id, p)
	switch {
	case err != nil:
		return Assist{}, err
	case a.State == AssistOpen:
		return Assist{}, ProblemAssistUnclaimed.Error(gateway.Text{})
	case a.ClaimedBy != Actor(p):
		return Assist{}, ProblemAssistClaimed.Error(gateway.Text{})
	}
	a.State, a.ResolvedBy, a.ResolvedAt = AssistResolved, Actor(p), tx.Now()
	a.Resolution, a.Reason = resolution, reason
	return tx.moveAssist(a, AssistClaimed, "resolve", Actor(p))
}

// assistFor reads an assist that is not resolved and that p may work on.
func (tx *Tx) assistFor(id string, p *gateway.Principal) (Assist, error) {
	a, found, err := FindAssist(tx, id)
	switch {
	case err != nil:
		return Assist{}, err
	case !found || !p.ActsFor(&gateway.Venue{ID: a.Venue, Tenant: a.Tenant}):
		return Assist{}, ProblemAssistUnknown.Error(gateway.Text{})
	case a.State == AssistResolved:
		return Assist{}, ProblemAssistResolved.Error(gateway.Text{})
	}
	return a, nil
}

// moveAssist writes a's new state, if it still is in from as it was read.
func (tx *Tx) moveAssist(a Assist, from AssistState, action, actor string) (Assist, error) {
	before, turned := a.Seq, a.ClaimedAt
	if a.State == AssistOpen {
		turned = a.ReleasedAt
	}
	var err error
	if a.Seq, err = tx.nextSeq(); err != nil {
		return Assist{}, err
	}
	n, err := tx.Exec(`UPDATE assists SET seq = $1, state = $2, claimed_by = $3, claimed_at = $4, resolved_by = $5, resolved_at = $6,
		resolution = $7, reason = $8 WHERE id = $9 AND state = $10 AND seq = $11`,
		a.Seq, a.State, a.ClaimedBy, millis(turned), a.ResolvedBy, millis(a.ResolvedAt), a.Resolution, a.Reason,
		a.ID, from, before)
	if err != nil {
		return Assist{}, fmt.Errorf("cannot %s an assist: %w", action, err)
	}
	if n == 0 { // only where several processes write
		return Assist{}, ProblemAssistClaimed.Error(gateway.Text{})
	}
	return a, tx.Audit(AuditEntry{Run: a.Run, Actor: actor, Action: action, Purpose: a.Resolution, Payload: a.Reason})
}

// FindAssist reads an assist; false when there is none. It does not ask who may see it.
func FindAssist(q Querier, id string) (Assist, bool, error) {
	return one(q.QueryRow(`SELECT `+assistColumns+` FROM assists WHERE id = $1`, id), scanAssist)
}

// ListAssists returns up to limit assists of the tenant and its venues ("*" is all of them, none is none) whose Seq is
// greater than after, in the order of Seq: the next page is after the last one's Seq, and so is what changes later.
// state is "" for all.
func ListAssists(q Querier, tenant string, venues []string, state AssistState, after int64, limit int) ([]Assist, error) {
	query := `SELECT ` + assistColumns + ` FROM assists WHERE tenant = $1 AND seq > $2`
	args := []any{tenant, after, limit}
	switch state { // as literals, so that the index of the unresolved serves
	case "":
	case AssistOpen:
		query += ` AND state <> 'resolved' AND state = 'open'`
	case AssistClaimed:
		query += ` AND state <> 'resolved' AND state = 'claimed'`
	case AssistResolved:
		query += ` AND state = 'resolved'`
	default:
		return nil, fmt.Errorf("cannot list assists: no state %q", state)
	}
	if !slices.Contains(venues, "*") {
		query, args = inList(query+` AND venue IN (`, args, venues)
	}
	rows, err := q.Query(query+` ORDER BY seq LIMIT $3`, args...)
	return List(rows, err, scanAssist)
}

// UnresolvedAssists returns up to limit assists of the tenant and its venues (as for ListAssists) that nobody has resolved
// and whose Seq is greater than after and at most through, in the order of Seq.
func UnresolvedAssists(q Querier, tenant string, venues []string, after, through int64, limit int) ([]Assist, error) {
	query := `SELECT ` + assistColumns + ` FROM assists WHERE state <> 'resolved' AND tenant = $1 AND seq > $2 AND seq <= $4`
	args := []any{tenant, after, limit, through}
	if !slices.Contains(venues, "*") {
		query, args = inList(query+` AND venue IN (`, args, venues)
	}
	rows, err := q.Query(query+` ORDER BY seq LIMIT $3`, args...)
	return List(rows, err, scanAssist)
}

// AssistSeq returns the Seq of the last change of any assist, of every tenant; 0 before the first. Whatever changes later
// has a greater one.
func AssistSeq(q Querier) (seq int64, err error) {
	err = q.QueryRow(`SELECT value FROM counters WHERE name = 'assists'`).Scan(&seq)
	return seq, err
}

// WaitingAssists counts the assists that nobody has resolved, of every tenant, and says when the oldest was opened.
func WaitingAssists(q Querier) (waiting int64, oldest time.Time, err error) {
	var at int64
	err = q.QueryRow(`SELECT COUNT(*), COALESCE(MIN(opened_at), 0) FROM assists WHERE state <> 'resolved'`).Scan(&waiting, &at)
	return waiting, instant(at), err
}
