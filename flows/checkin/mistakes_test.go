package checkin_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/checkin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// TestWalksFindMistakes plants mistakes in the journey: the walks that find nothing in it find each of them.
func TestWalksFindMistakes(t *testing.T) {
	// With this seed each is found within eight days; the others are for days that take another turn on a slow machine.
	longer(t, map[string]string{"rapid.seed": "5", "rapid.checks": "150", "rapid.steps": "14", "rapid.shrinktime": "0s", "rapid.nofailfile": "true"})
	t.Run("of", func(t *testing.T) {
		mistakes := []string{
			"undo after the pivot", "a changed registration key", "a plan that is resumed",
			"no unique key on room and night", "a repeated registration key", "a release that leaves the stay held",
		}
		if testing.Short() {
			mistakes = mistakes[:3]
		}
		for _, mistake := range mistakes {
			t.Run(mistake, func(t *testing.T) {
				t.Parallel()
				days, found := findIn(t, mistake)
				if found == "" {
					t.Errorf("not found in %d days", days)
				}
				t.Logf("day %d: %s", days, found)
			})
		}
	})
}

// TestThePlanCannotBeUndoneAfterItsPivot: of the plan itself that mistake is not to be found by a walk: no gateway starts.
func TestThePlanCannotBeUndoneAfterItsPivot(t *testing.T) {
	if _, err := checkin.NewWith("a plan that is undone after its pivot"); err == nil || !strings.Contains(err.Error(), "pivot") {
		t.Errorf("a plan without a pivot before its key: %v", err)
	}
}

// TestAnotherWriter: where what was read is old, as with another writer at the same ledger, the unique key holds.
func TestAnotherWriter(t *testing.T) {
	t.Parallel()
	f, err := checkin.NewWith("another writer")
	if err != nil {
		t.Fatal(err)
	}
	c := checkintest.StartWith(t, checkintest.WithDoor(t, f), nil, checkintest.Hotel{ID: hotel, Rooms: rooms(12)})
	for range 4 {
		b := c.Book(hotel, "")
		in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
		complete(t, c, b)
	}
	if n := c.Number(`SELECT count(DISTINCT room) FROM room_nights`); n != 4 {
		t.Errorf("%d rooms for four guests", n)
	}
}

// findIn walks until it finds something, and says what and on which day.
func findIn(t *testing.T, mistake string) (days int, found string) {
	t.Helper()
	f, err := checkin.NewWith(mistake)
	if err != nil {
		t.Fatal(err)
	}
	flows, w := checkintest.WithDoor(t, f), &watched{TB: t}
	var beside sync.WaitGroup
	beside.Go(func() {
		rapid.Check(w, func(rt *rapid.T) {
			if w.said() != "" {
				return // found: whatever rapid does to tell more of it is not needed
			}
			days++
			defer func() {
				if failed := recover(); failed != nil {
					w.say(fmt.Sprint(failed))
					panic(failed)
				}
			}()
			walkADay(rt, w, flows)
		})
	})
	beside.Wait()
	return days, w.said()
}

// watched notes the first failure, and fails nothing.
type watched struct {
	testing.TB

	mu    sync.Mutex
	first string
}

func (w *watched) say(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == "" {
		w.first = what
	}
}

func (w *watched) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first
}

func (w *watched) Errorf(format string, args ...any) { w.say(fmt.Sprintf(format, args...)) }
func (w *watched) Error(args ...any)                 { w.say(fmt.Sprint(args...)) }
func (w *watched) Fail()                             { w.say("failed") }
func (w *watched) Failed() bool                      { return w.said() != "" }
func (w *watched) Log(...any)                        {}
func (w *watched) Logf(string, ...any)               {}

func (w *watched) FailNow() {
	w.say("failed")
	runtime.Goexit()
}

func (w *watched) Fatalf(format string, args ...any) {
	w.say(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (w *watched) Fatal(args ...any) {
	w.say(fmt.Sprint(args...))
	runtime.Goexit()
}
