package ledger

import (
	"context"
	"encoding/binary"
	"sync"
	"time"
)

// scopes knows of an idempotency scope that it is certainly new, without asking the database: a Bloom filter of the scopes
// that are there, in two generations, so that it forgets what expires. Scopes are keyed hashes, whose bits need no further
// hashing. Until it has read what was there before, and where other processes write too, it knows nothing.
type scopes struct {
	mu      sync.RWMutex
	loaded  bool
	now     []uint64 // nil: it is not in use
	before  []uint64
	turns   time.Time
	turning time.Duration
}

const (
	scopeBits   = 1 << 23 // of one generation, 1 MiB: at a million keys one look in fifty is needless
	scopeProbes = 4
	scopesKept  = 24 * time.Hour // at least; as long as answers are kept
	scopePage   = 5000           // rows in one look, so that no reader holds an old snapshot for long
)

// sole is a store that no other process writes to while it is open.
type sole interface{ Sole() bool }

// begin puts the filter into use. What has ended longer than keep ago need not be known.
func (s *scopes) begin(now time.Time, keep time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.before = make([]uint64, scopeBits/64), make([]uint64, scopeBits/64)
	s.turning, s.turns = keep, now.Add(keep)
}

// add notes that a scope may be in the database from now on.
func (s *scopes) add(scope []byte, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return
	}
	if !now.Before(s.turns) {
		s.now, s.before = s.before, s.now
		clear(s.now)
		s.turns = now.Add(s.turning)
	}
	for i := range scopeProbes {
		bit := probe(scope, i)
		s.now[bit/64] |= 1 << (bit % 64)
	}
}

// fresh reports whether a scope is certainly not in the database.
func (s *scopes) fresh(scope []byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.loaded && !has(s.now, scope) && !has(s.before, scope)
}

func has(bits []uint64, scope []byte) bool {
	for i := range scopeProbes {
		bit := probe(scope, i)
		if bits[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

// probe returns the i-th bit of a scope. One that is not a hash of 32 bytes has the same bits as all such.
func probe(scope []byte, i int) uint32 {
	if len(scope) != 32 {
		return 0
	}
	return binary.LittleEndian.Uint32(scope[4*i:]) % scopeBits
}

// loadScopes reads what was there before, beside everything else.
func (l *Ledger) loadScopes(ctx context.Context) {
	last := []byte{}
	for {
		n := 0
		err := l.store.View(ctx, func(q Querier) error {
			rows, err := q.Query(`SELECT scope FROM idempotency WHERE scope > $1 ORDER BY scope LIMIT $2`, last, scopePage)
			if err != nil {
				return err
			}
			defer rows.Close()
			for n = 0; rows.Next(); n++ {
				if err := rows.Scan(&last); err != nil {
					return err
				}
				l.scopes.add(last, l.Now())
			}
			return rows.Err()
		})
		if err != nil {
			return // the database is asked, as if there were no filter
		}
		if n < scopePage {
			l.scopes.mu.Lock()
			l.scopes.loaded = true
			l.scopes.mu.Unlock()
			return
		}
	}
}

// Fresh reports whether an idempotency scope is certainly not in the ledger. False says nothing.
func (l *Ledger) Fresh(scope []byte) bool { return l.scopes.fresh(scope) }
