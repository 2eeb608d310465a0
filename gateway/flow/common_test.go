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

// TestWhatConnectionsShareIsMadeOnceForEachKey, for all venues and generations, and ends with the last of them.
func TestWhatConnectionsShareIsMadeOnceForEachKey(t *testing.T) {
	made, ended := 0, 0
	all := &flow.Common{}
	share := func(key ...any) (int, func()) {
		t.Helper()
		v, end, err := flow.ShareAs(flow.Connection{Common: &flow.Common{}, All: all}, key, func() (int, error) { made++; return made, nil }, func(int) { ended++ })
		if err != nil {
			t.Fatal(err)
		}
		return v, end
	}
	secret := map[string]string{"client_secret": "one"}
	a, endA := share("http://chain", secret)
	if b, endB := share("http://chain", map[string]string{"client_secret": "one"}); a != b {
		t.Error("two of one chain have a client each")
	} else {
		endB()
	}
	if other, _ := share("http://chain", map[string]string{"client_secret": "other"}); other == a {
		t.Error("two with different credentials have one client")
	}
	if ended != 0 {
		t.Error("it ended while one still uses it")
	}
	if endA(); ended != 1 {
		t.Errorf("%d ended", ended)
	}
}
