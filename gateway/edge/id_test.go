package edge

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestIDsAreOrderedUUIDsOfVersion7: each is greater than the one before it, also where the clock stands or goes back, and says the time.
func TestIDsAreOrderedUUIDsOfVersion7(t *testing.T) {
	var s ids
	at := time.Date(2026, 5, 1, 12, 0, 0, 999_999_999, time.UTC)
	last := ""
	for i, now := range []time.Time{at, at, at.Add(-time.Second), at.Add(time.Microsecond), at.Add(time.Hour), at.Add(time.Hour)} {
		id := s.next(now)
		text := string(appendID(nil, id))
		if text != id.String() || id.Version() != 7 || id.Variant() != uuid.RFC4122 || text <= last {
			t.Errorf("id %d is %s, written %s, of version %d, after %s", i, id, text, id.Version(), last)
		}
		sec, nano := id.Time().UnixTime()
		if said := time.Unix(sec, nano); i > 3 && said.Sub(now).Abs() > 2*time.Millisecond {
			t.Errorf("id %d is of %s and says %s", i, now, said)
		}
		last = text
	}
}

// TestAnExchangeKeepsNothing: what a request had is not there for the next one.
func TestAnExchangeKeepsNothing(t *testing.T) {
	w := newWorld(t)
	held := map[*Exchange]bool{}
	w.on(func(x *Exchange) error {
		held[x] = true
		x.Raw(201, jsonMedia, []byte(`{"decision":"open"}`))
		return nil
	})
	for range 20 {
		if a := w.do(entryCall("a").sends(`{"scan_id":"a"}`)); a.status != 201 {
			t.Fatal(a.status, a.body)
		}
	}
	for x := range held {
		if len(x.timings)+len(x.limits) > 0 {
			t.Errorf("headers are left: %q %q", x.timings, x.limits)
		}
		if x.principal != nil || x.venue != nil || x.ctx != nil || x.route != nil || x.idem != nil || x.problem != nil || x.answered || x.journey != "" || x.params[0].value != "" {
			t.Errorf("something is left: %+v", x)
		}
	}
}
