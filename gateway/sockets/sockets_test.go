package sockets_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/sockets"
)

// fill begins calls until one is refused and returns how many there are.
func fill(s *sockets.Share) (n int) {
	for n < 10_000 && s.Enter() {
		n++
	}
	return n
}

// One that never gives back takes half, the next a third of what it would have had, and whoever comes always finds a place.
func TestNobodyTakesAll(t *testing.T) {
	all := sockets.New(1200)
	hogs, left := []int{600, 300, 150}, 1200
	for i, want := range hogs {
		got := fill(all.Part(1200, nil))
		if left -= got; got != want {
			t.Errorf("hog %d took %d, want %d", i, got, want)
		}
	}
	calm := all.Part(1200, nil)
	for range 1000 {
		if !calm.Enter() {
			t.Fatal("no place for one call at a time")
		}
		calm.Leave()
	}
	if st := all.Stats(); st.Busy != 1200-left || st.Refused != uint64(len(hogs)) {
		t.Errorf("%+v", st)
	}
}

// Many that hang at once, growing side by side, leave one place in so many and one.
func TestManyThatHangLeaveTheirPart(t *testing.T) {
	all := sockets.New(1000)
	var hogs []*sockets.Share
	for range 9 {
		hogs = append(hogs, all.Part(1000, nil))
	}
	for more := true; more; {
		more = false
		for _, h := range hogs {
			more = h.Enter() || more
		}
	}
	if st := all.Stats(); st.Busy != 900 {
		t.Errorf("nine hold %d of 1000", st.Busy)
	}
	if got := fill(all.Part(1000, nil)); got != 50 {
		t.Errorf("the next one gets %d", got)
	}
}

// The lanes of one system share its part fairly, and its part is all that they have.
func TestLanesShareTheirSystemsPart(t *testing.T) {
	for name, system := range map[string]*sockets.Share{"a part": sockets.New(1000).Part(64, nil), "alone": (*sockets.Share)(nil).Part(64, nil)} {
		if got := fill(system.Part(64, nil)); got != 32 {
			t.Errorf("%s: a lane takes %d of 64", name, got)
		}
		if next := system.Part(64, nil); !next.Enter() {
			t.Errorf("%s: nothing is left for the next lane", name)
		}
	}
	if nothing := (*sockets.Share)(nil); !nothing.Enter() || !nothing.Open() {
		t.Error("a share that bounds nothing refuses")
	}
}

// holder is a client of the model: calls under way, each over a connection once it has one, and connections that are idle.
type holder struct {
	share         *sockets.Share
	calls, opened int
}

func (h *holder) idle() int { return h.opened - h.calls }

// Whatever is begun, ended and closed, there are never more connections than the bound, and a call that may begin finds a
// place for its connection: those that are idle make room.
func TestWhoMayBeginFindsAPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		all := sockets.New(limit)
		holders := make([]*holder, rapid.IntRange(1, 5).Draw(t, "holders"))
		for i := range holders {
			h := &holder{}
			h.share = all.Part(limit, func() {
				for h.idle() > 0 {
					h.opened--
					h.share.Closed()
				}
			})
			holders[i] = h
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			h := rapid.SampledFrom(holders).Draw(t, "holder")
			switch rapid.SampledFrom([]string{"call", "call", "end", "close"}).Draw(t, "what") {
			case "call":
				if !h.share.Enter() {
					continue
				}
				if h.idle() == 0 {
					if !h.share.Open() {
						t.Fatalf("no place for a call that was let in: %+v", all.Stats())
					}
					h.opened++
				}
				h.calls++
			case "end":
				if h.calls > 0 {
					h.calls--
					h.share.Leave()
				}
			case "close":
				if h.idle() > 0 {
					h.opened--
					h.share.Closed()
				}
			}
			open, busy := 0, 0
			for _, h := range holders {
				open, busy = open+h.opened, busy+h.calls
			}
			if st := all.Stats(); st.Open != open || st.Busy != busy || open > limit {
				t.Fatalf("%+v; open are %d and busy %d", st, open, busy)
			}
		}
	})
}
