package ledger

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

func scopeOf(n int) []byte {
	h := sha256.Sum256([]byte(fmt.Sprint(n)))
	return h[:]
}

// What is there is never called fresh, for a whole turn at least; what is not there seldom is called anything else.
func TestScopesForgetNothingTooSoon(t *testing.T) {
	var s scopes
	now := time.Unix(0, 0)
	if s.fresh(scopeOf(1)) {
		t.Error("it is not in use")
	}
	s.add(scopeOf(1), now)
	s.begin(now, time.Hour)
	if s.fresh(scopeOf(1)) {
		t.Error("what was there before is not read yet")
	}
	s.loaded = true
	const each = 10_000
	for turn := range 4 {
		for i := range each {
			s.add(scopeOf(turn*each+i), now)
		}
		for i := range each {
			for back := range min(turn, 1) + 1 {
				if s.fresh(scopeOf((turn-back)*each + i)) {
					t.Fatalf("turn %d has forgotten one of turn %d", turn, turn-back)
				}
			}
		}
		now = now.Add(time.Hour)
	}
	wrong := 0
	for i := range each {
		if !s.fresh(scopeOf(-1 - i)) {
			wrong++
		}
	}
	if wrong > each/1000 {
		t.Errorf("%d of %d new ones are not called fresh", wrong, each)
	}
	for i := range each {
		if !s.fresh(scopeOf(i)) {
			wrong++
		}
	}
	if wrong > each/500 {
		t.Errorf("%d of the first turn are kept for ever", wrong)
	}
	s.add([]byte("short"), now)
	if s.fresh([]byte("short")) || s.fresh([]byte("other")) {
		t.Error("a scope that is no hash is never fresh once there is one")
	}
}
