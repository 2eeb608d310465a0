package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// Report is what VerifyAudit found.
type Report struct {
	Chains, Links, Entries, Anchors int    // verified, up to the first mismatch
	Mismatch                        string // the first thing that is not as it was sealed, in words; "": all is
}

// verifyPage is how many links are read at once.
const verifyPage = 256

// VerifyAudit reads the whole audit trail and holds it against its own chain and the anchors. It finds changed, removed,
// added and reordered entries, removed links and chains, and a tail that was cut off behind an anchor. It does not need the
// keys. The error says that it could not read, not that something is wrong with what it read.
func VerifyAudit(ctx context.Context, q Querier, anchors []Anchor) (Report, error) {
	v := &verifier{q: q, anchors: map[[2]int64]Anchor{}}
	for _, a := range anchors {
		at := [2]int64{a.Chain, a.Link}
		if was, ok := v.anchors[at]; ok && !bytes.Equal(was.Hash, a.Hash) {
			v.report.Mismatch = fmt.Sprintf("two anchors of %s saw different contents, at %s and at %s: the ledger was replaced by an older copy in between",
				linkName(a.Chain, a.Link), stamp(was.At), stamp(a.At))
			return v.report, nil
		}
		v.anchors[at] = a
	}
	for more := true; more && v.report.Mismatch == ""; {
		if err := ctx.Err(); err != nil {
			return v.report, err
		}
		var err error
		if more, err = v.page(); err != nil {
			return v.report, fmt.Errorf("cannot read the audit trail: %w", err)
		}
	}
	if v.report.Mismatch == "" {
		v.missing()
	}
	return v.report, nil
}

// verifier walks along the trail.
type verifier struct {
	q       Querier
	anchors map[[2]int64]Anchor // not met yet
	last    auditLink           // the link before; chain 0: none
	bases   map[int64]auditLink // by chain: the link that it was begun on, as far as it is there
	report  Report
}

func linkName(chain, link int64) string { return fmt.Sprintf("link %d of chain %d", link, chain) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// page verifies the next links. more is false at the end of the trail.
func (v *verifier) page() (more bool, err error) {
	rows, err := v.q.Query(`SELECT `+linkColumns+` FROM audit_links WHERE (chain, link) > ($1, $2) ORDER BY chain, link LIMIT $3`,
		v.last.chain, v.last.link, verifyPage)
	links, err := List(rows, err, scanLink)
	if err != nil {
		return false, err
	}
	if len(links) == 0 {
		return false, v.orphans()
	}
	if err = v.findBases(links); err != nil {
		return false, err
	}
	end := links[len(links)-1]
	entries, err := v.q.Query(`SELECT chain, link, ord, run, actor, action, system, purpose, fields, subject, payload FROM audit_entries
		WHERE (chain, link) > ($1, $2) AND (chain, link) <= ($3, $4) ORDER BY chain, link, ord`,
		v.last.chain, v.last.link, end.chain, end.link)
	if err != nil {
		return false, err
	}
	defer entries.Close()
	s := &sealedRows{rows: entries}
	if err = s.next(); err != nil {
		return false, err
	}
	for i := range links {
		if err = v.link(&links[i], s); err != nil || v.report.Mismatch != "" {
			return false, err
		}
	}
	return true, nil
}

// orphans finds entries behind the last link.
func (v *verifier) orphans() error {
	entry, found, err := one(v.q.QueryRow(`SELECT chain, link FROM audit_entries WHERE (chain, link) > ($1, $2) ORDER BY chain, link LIMIT 1`,
		v.last.chain, v.last.link), func(r Row) (at [2]int64, err error) { err = r.Scan(&at[0], &at[1]); return at, err })
	if found {
		v.report.Mismatch = linkName(entry[0], entry[1]) + " was removed: entries of it are there"
	}
	return err
}

// link verifies one link, its place and its entries.
func (v *verifier) link(l *auditLink, s *sealedRows) error {
	if s.open && (s.chain < l.chain || s.chain == l.chain && s.link < l.link) {
		v.report.Mismatch = linkName(s.chain, s.link) + " was removed: entries of it are there"
		return nil
	}
	if v.report.Mismatch = v.place(l); v.report.Mismatch != "" {
		return nil
	}
	c, n := newCanon(l), int64(0)
	for s.open && s.chain == l.chain && s.link == l.link {
		if s.ord != n {
			v.report.Mismatch = fmt.Sprintf("entry %d of %s stands in place %d: an entry was removed, added or moved", n, linkName(l.chain, l.link), s.ord)
			return nil
		}
		c.entry(s.run, s.actor, s.action, s.system, s.purpose, s.fields, s.subject, s.payload)
		n++
		if err := s.next(); err != nil {
			return err
		}
	}
	switch hash := c.sum(); {
	case n != l.entries:
		v.report.Mismatch = fmt.Sprintf("%s sealed %d entries, %d are there", linkName(l.chain, l.link), l.entries, n)
	case !bytes.Equal(hash, l.hash):
		v.report.Mismatch = linkName(l.chain, l.link) + " does not match what it sealed: an entry or the link itself was changed, or entries were reordered"
	default:
		v.report.Mismatch = v.anchored(l)
	}
	if v.report.Mismatch != "" {
		return nil
	}
	if l.link == 1 {
		v.report.Chains++
	}
	v.report.Links++
	v.report.Entries += int(n)
	v.last = *l
	return nil
}

// place says what is wrong with where a link stands; "" when nothing is.
func (v *verifier) place(l *auditLink) string {
	switch {
	case l.chain == v.last.chain && l.link == v.last.link+1:
		if !bytes.Equal(l.prev, v.last.hash) || l.onto != 0 {
			return linkName(l.chain, l.link) + " does not follow the link before it"
		}
	case l.chain == v.last.chain:
		return fmt.Sprintf("links %d to %d of chain %d were removed", v.last.link+1, l.link-1, l.chain)
	case l.chain != v.last.chain+1:
		return fmt.Sprintf("chains %d to %d were removed", v.last.chain+1, l.chain-1)
	case l.link != 1:
		return fmt.Sprintf("links 1 to %d of chain %d were removed", l.link-1, l.chain)
	case l.chain == 1:
		if !bytes.Equal(l.prev, make([]byte, sha256.Size)) || l.onto != 0 {
			return "the first link follows something that is not there"
		}
	default:
		return v.joint(l)
	}
	return ""
}

// findBases reads the links that the chains beginning in this page were begun on, before the entries are read: a database
// connection serves one query at a time.
func (v *verifier) findBases(links []auditLink) error {
	v.bases = map[int64]auditLink{}
	for i := range links {
		if links[i].link != 1 {
			continue
		}
		base, found, err := one(v.q.QueryRow(`SELECT `+linkColumns+` FROM audit_links WHERE chain = $1 AND link = $2`,
			links[i].chain-1, links[i].onto), scanLink)
		if err != nil {
			return err
		}
		if found {
			v.bases[links[i].chain] = base
		}
	}
	return nil
}

// joint says what is wrong with where a chain was begun: on a link of the chain before.
func (v *verifier) joint(l *auditLink) string {
	base, found := v.bases[l.chain]
	switch {
	case !found:
		return fmt.Sprintf("%s was removed: chain %d was begun on it", linkName(l.chain-1, l.onto), l.chain)
	case !bytes.Equal(l.prev, base.hash):
		return fmt.Sprintf("chain %d does not follow %s, on which it was begun", l.chain, linkName(l.chain-1, l.onto))
	}
	return ""
}

// anchored holds a link against its anchor.
func (v *verifier) anchored(l *auditLink) string {
	at := [2]int64{l.chain, l.link}
	a, ok := v.anchors[at]
	if !ok {
		return ""
	}
	if !bytes.Equal(a.Hash, l.hash) {
		return fmt.Sprintf("%s is not the one that was anchored at %s", linkName(l.chain, l.link), stamp(a.At))
	}
	delete(v.anchors, at)
	v.report.Anchors++
	return ""
}

// missing names the first anchor that no link has met.
func (v *verifier) missing() {
	var first Anchor
	for _, a := range v.anchors {
		if first.Chain == 0 || a.Chain < first.Chain || a.Chain == first.Chain && a.Link < first.Link {
			first = a
		}
	}
	if len(v.anchors) > 0 {
		v.report.Mismatch = fmt.Sprintf("%s was anchored at %s and is gone: the end of the trail was cut off", linkName(first.Chain, first.Link), stamp(first.At))
	}
}

// sealedRows walks along the entries.
type sealedRows struct {
	rows                                        Rows
	open                                        bool // a row is at hand
	chain, link, ord                            int64
	run, actor, action, system, purpose, fields string
	subject, payload                            []byte
}

func (s *sealedRows) next() error {
	if s.open = s.rows.Next(); !s.open {
		return s.rows.Err()
	}
	return s.rows.Scan(&s.chain, &s.link, &s.ord, &s.run, &s.actor, &s.action, &s.system, &s.purpose, &s.fields, &s.subject, &s.payload)
}
