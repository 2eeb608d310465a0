package checkin

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// However few are looked at, the rooms found are the free ones in their order, none left out and none twice, and no more are
// looked at than it takes.
func TestVacanciesAreTheFreeRoomsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var offers, want, got []Room
		taken := map[string]bool{}
		for i := range rapid.IntRange(0, 60).Draw(t, "rooms") {
			r := Room{ID: strconv.Itoa(i)}
			offers = append(offers, r)
			if taken[r.ID] = rapid.Bool().Draw(t, "taken"); !taken[r.ID] {
				want = append(want, r)
			}
		}
		seen := 0
		v := vacancies{left: offers, free: func(_ *ledger.Tx, _ Claim, rooms []Room) ([]Room, error) {
			if len(rooms) == 0 || len(rooms) > lookAt {
				t.Fatalf("%d rooms looked at at once", len(rooms))
			}
			seen += len(rooms)
			return slices.DeleteFunc(slices.Clone(rooms), func(r Room) bool { return taken[r.ID] }), nil
		}}
		for {
			n := rapid.IntRange(1, 10).Draw(t, "wanted")
			some, err := v.several(n)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, some...)
			if len(some) < n && seen < len(offers) {
				t.Fatalf("%d of %d found, with rooms left", len(some), n)
			}
			if len(some) >= n+lookAt {
				t.Fatalf("%d found where %d were wanted", len(some), n)
			}
			if len(some) == 0 {
				break
			}
		}
		if !slices.EqualFunc(got, want, func(a, b Room) bool { return a.ID == b.ID }) {
			t.Fatalf("found %v, want %v", got, want)
		}
	})
}
