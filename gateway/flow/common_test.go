package flow_test

import (
	"errors"
	"testing"

	"github.com/warmgate/warmgate/gateway/flow"
)

// TestWhatFlowsShareIsMadeOnceAndEndsWithTheLast, and an error leaves it to be made.
func TestWhatFlowsShareIsMadeOnceAndEndsWithTheLast(t *testing.T) {
	made, ended := 0, 0
	no := errors.New("no")
	var wrong error
	share := func(to flow.Connection) (int, func(), error) {
		return flow.Share(to, func() (int, error) { made++; return made, wrong }, func(int) { ended++ })
	}
	to := flow.Connection{Common: &flow.Common{}}
	wrong = no
	if _, _, err := share(to); !errors.Is(err, no) {
		t.Errorf("an error: %v", err)
	}
	wrong, made = nil, 0
	a, closeA, errA := share(to)
	b, closeB, errB := share(to)
	if a != 1 || b != 1 || errA != nil || errB != nil {
		t.Fatalf("made %d, %d, %v, %v", a, b, errA, errB)
	}
	if other, _, err := share(flow.Connection{}); other != 2 || err != nil {
		t.Errorf("alone: %d, %v", other, err)
	}
	if closeA(); ended != 0 {
		t.Error("ended while one still uses it")
	}
	if closeB(); ended != 1 {
		t.Errorf("ended %d times", ended)
	}
	if again, _, err := share(to); again != 3 || err != nil {
		t.Errorf("after the end: %d, %v", again, err)
	}
}
