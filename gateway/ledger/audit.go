package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// AuditEntry is one line of the audit trail: who did what, which fields of whose data were told to which system, and why.
// No field of it holds readable personal data: Subject is a keyed hash, Payload is sealed.
type AuditEntry struct {
	Run     string // the journey's run, or ""
	Actor   string // who acted: a person or machine as "subject@issuer", or "gateway"
	Action  string // "disclose", "open", "claim", "release", "resolve", "correct", "erase", …
	System  string // the outside system that was told, or ""
	Purpose string
	Fields  []string // names of the fields that were told; a name holds no comma
	Subject []byte   // keyed hash of whose data they are (seal.Keys.Hash), or nil
	Payload []byte   // sealed details, or nil
}

// ActorGateway is the actor of what no person and no caller decided.
const ActorGateway = "gateway"

// Audit writes e on the audit trail, together with what else the item writes, or not at all.
func (tx *Tx) Audit(e AuditEntry) error {
	if e.Actor == "" || e.Action == "" {
		return errors.New("cannot write on the audit trail: no actor or no action")
	}
	for _, f := range e.Fields {
		if strings.Contains(f, ",") {
			return fmt.Errorf("cannot write on the audit trail: the field name %q holds a comma", f)
		}
	}
	tx.audit = append(tx.audit, e)
	return nil
}

// trail is a writer's chain of the audit trail. Every writer begins a chain of its own with its first link; that link
// seals the newest link of the chain before, so that no chain can be taken out unnoticed.
type trail struct {
	chain  int64      // 0: not begun
	newest *auditLink // of the chain, as certainly kept; nil: it has to be read
	sealed *auditLink // of the group at hand, in place of newest once that is kept
}

// flushed is told whether the group at hand is certainly kept.
func (t *trail) flushed(kept bool) {
	switch {
	case !kept:
		t.newest = nil
	case t.sealed != nil:
		t.newest = t.sealed
	}
	t.sealed = nil
}

// auditLink is a row of audit_links.
type auditLink struct {
	chain, link int64
	onto        int64 // of a chain's first link: the number of the link of chain-1 that prev is the hash of
	prev, hash  []byte
	entries     int64
	at          int64
}

// seal writes the entries of one group commit as one link. The writer calls it after the last item and before COMMIT, once
// for every run of the group; without entries it does nothing. It may run again after a rollback.
func (t *trail) seal(tx *Tx, entries []AuditEntry) error {
	t.sealed = nil
	if len(entries) == 0 {
		return nil
	}
	l := auditLink{entries: int64(len(entries)), at: millis(tx.Now())}
	if err := t.place(tx, &l); err != nil {
		return fmt.Errorf("cannot find the end of the audit trail: %w", err)
	}
	c := newCanon(&l)
	for ord := range entries {
		e := &entries[ord]
		fields := strings.Join(e.Fields, ",")
		c.entry(e.Run, e.Actor, e.Action, e.System, e.Purpose, fields, e.Subject, e.Payload)
		_, err := tx.Exec(`INSERT INTO audit_entries (chain, link, ord, run, actor, action, system, purpose, fields, subject, payload)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			l.chain, l.link, int64(ord), e.Run, e.Actor, e.Action, e.System, e.Purpose, fields, e.Subject, e.Payload)
		if err != nil {
			return fmt.Errorf("cannot write an audit entry: %w", err)
		}
	}
	l.hash = c.sum()
	_, err := tx.Exec(`INSERT INTO audit_links (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		l.chain, l.link, l.onto, l.prev, l.hash, l.entries, l.at)
	if err != nil {
		return fmt.Errorf("cannot write an audit link: %w", err)
	}
	t.sealed = &l
	return nil
}

// place says where the next link goes. Where it is not certain what is kept, that is read: a COMMIT may have failed.
func (t *trail) place(tx *Tx, l *auditLink) error {
	if t.newest != nil {
		l.chain, l.link, l.prev = t.newest.chain, t.newest.link+1, t.newest.hash
		return nil
	}
	own, found, err := one(tx.QueryRow(`SELECT `+linkColumns+` FROM audit_links WHERE chain = $1 ORDER BY link DESC LIMIT 1`, t.chain), scanLink)
	if err != nil {
		return err
	}
	if found {
		l.chain, l.link, l.prev = own.chain, own.link+1, own.hash
		return nil
	}
	last, found, err := newestLink(tx)
	if err != nil {
		return err
	}
	l.chain, l.link, l.prev = 1, 1, make([]byte, sha256.Size)
	if found {
		l.chain, l.onto, l.prev = last.chain+1, last.link, last.hash
	}
	t.chain = l.chain
	return nil
}

const linkColumns = `chain, link, onto, prev, hash, entries, at`

// newestLink reads the last link of the newest chain.
func newestLink(q Querier) (auditLink, bool, error) {
	return one(q.QueryRow(`SELECT `+linkColumns+` FROM audit_links ORDER BY chain DESC, link DESC LIMIT 1`), scanLink)
}

func scanLink(r Row) (l auditLink, err error) {
	err = r.Scan(&l.chain, &l.link, &l.onto, &l.prev, &l.hash, &l.entries, &l.at)
	return l, err
}

// canon is the canonical form of a link: fixed order, every text and byte string after its length.
type canon struct{ b []byte }

func newCanon(l *auditLink) *canon {
	c := &canon{b: make([]byte, 0, 128+160*l.entries)}
	c.bytes("warmgate audit 1")
	for _, n := range []int64{l.chain, l.link, l.onto, l.entries, l.at} {
		c.b = binary.BigEndian.AppendUint64(c.b, uint64(n))
	}
	c.b = append(binary.AppendUvarint(c.b, uint64(len(l.prev))), l.prev...)
	return c
}

func (c *canon) bytes(s string) { c.b = append(binary.AppendUvarint(c.b, uint64(len(s))), s...) }

// entry adds the stored values of one entry.
func (c *canon) entry(run, actor, action, system, purpose, fields string, subject, payload []byte) {
	for _, s := range [...]string{run, actor, action, system, purpose, fields} {
		c.bytes(s)
	}
	for _, b := range [...][]byte{subject, payload} {
		c.b = append(binary.AppendUvarint(c.b, uint64(len(b))), b...)
	}
}

func (c *canon) sum() []byte {
	s := sha256.Sum256(c.b)
	return s[:]
}
