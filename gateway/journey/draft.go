package journey

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// keepDraft leaves in the ledger what the run will answer if every call that it has begun brings about what is expected of
// it. Recovery, which finds out whether they did, answers with it: so an answer that was given
// before its own flush is the same after a crash.
func (r *run) keepDraft(tx *ledger.Tx) error {
	had := r.draft != nil
	r.draft = r.foresee()
	switch {
	case r.draft != nil:
		return tx.DraftRun(r.req.ID, r.draft.Status, r.seal(r.draft.Body, sealedAnswer))
	case had:
		return tx.DraftRun(r.req.ID, 0, nil)
	}
	return nil
}

// foresee answers as if the calls that are begun had brought what is expected of them. It returns nil where that is not all
// that is left, where nothing can be expected, or where it would not be a good answer.
func (r *run) foresee() *Answer {
	f := r.fork()
	for _, i := range f.effects {
		if s := &f.at[i]; s.progress != waiting && s.progress != flying || len(s.items) == 0 {
			continue
		}
		if f.nodes[i].expect == nil {
			return nil
		}
		items := slices.Clone(f.at[i].items)
		for k := range items {
			it := &items[k]
			if it.err != nil || it.deferred || !it.begun {
				return nil
			}
			if !it.known {
				it.value = f.nodes[i].expect(it.arg)
			}
		}
		f.landAll(f.nodes[i], items)
	}
	f.advance()
	if f.stop != nil || f.open > 0 || len(f.pending) > 0 {
		return nil
	}
	f.begun = true
	a := f.render(f)
	return &a
}

// cameAsExpected reports whether every call has brought the very value that the draft was made with: then the answer, which
// is pure, is the draft.
func (r *run) cameAsExpected() bool {
	if len(r.pending) > 0 {
		return false
	}
	for _, i := range r.effects {
		n := r.nodes[i]
		for _, it := range r.at[i].items {
			if n.expect == nil || it.err != nil || it.deferred || !it.known && !equal(it.value, n.expect(it.arg)) {
				return false
			}
		}
	}
	return true
}

// equal reports whether two values are certainly equal.
func equal(a, b any) bool { return b != nil && reflect.TypeOf(b).Comparable() && a == b }

// drafted reports whether a is what the ledger has as the run's draft.
func (r *run) drafted(a Answer) bool {
	return r.draft != nil && r.draft.Status == a.Status && bytes.Equal(r.draft.Body, a.Body)
}
