package outbox

import (
	"testing"
	"time"
)

// begun returns how many deliveries a pace lets begin in a second of waits, and the most with one turn.
func begun(p *pace, waited time.Duration, at time.Time) (n, most int, after time.Time) {
	for end := at.Add(time.Second); at.Before(end); {
		some, pause := p.turn(waited, at)
		at = at.Add(max(pause, time.Microsecond))
		n, most = n+some, max(most, some)
	}
	return n, most, at
}

func TestPaceYieldsAndIsNeverNothing(t *testing.T) {
	p := &pace{workers: 32}
	at := time.Unix(1_800_000_000, 0)
	if most, pause := p.turn(0, at); most != 32 || pause != 0 {
		t.Errorf("where nobody waits: %d after %v", most, pause)
	}
	_, _, at = begun(p, 2*tolerable, at)
	n, most, at := begun(p, 2*tolerable, at)
	if n < 49 || n > 51 || most != 1 {
		t.Errorf("where waits are long: %d in a second, %d at once, want 50 and 1", n, most)
	}
	n, _, at = begun(p, tolerable/2, at)
	if n < 100 {
		t.Errorf("in the first second of short waits: %d", n)
	}
	_, _, at = begun(p, tolerable/2, at)
	if n, most, at = begun(p, tolerable/2, at); n < 3000 || n > 3300 || most != 32 {
		t.Errorf("where waits have long been short: %d in a second, %d at once", n, most)
	}
	if most, pause := p.turn(0, at); most != 32 || pause != 0 {
		t.Errorf("where nobody waits any more: %d after %v", most, pause)
	}
}

func TestPaceYieldsAtOnce(t *testing.T) {
	p := &pace{workers: 32}
	at := time.Unix(1_800_000_000, 0)
	if most, pause := p.turn(tolerable/2, at); most != 32 || pause != 0 {
		t.Errorf("where nobody has waited long so far: %d after %v", most, pause)
	}
	if n, _, _ := begun(p, 10*tolerable, at); n > 60 {
		t.Errorf("%d deliveries began in the first second of long waits", n)
	}
	few := &pace{workers: 2}
	few.turn(2*tolerable, at)
	if most, _ := few.turn(tolerable/2, at); most > 2 {
		t.Errorf("%d deliveries began at once of 2", most)
	}
}

func TestShareOfATurnGoesRound(t *testing.T) {
	o := &Outbox{cfg: Config{Workers: 8, PerVenue: 4}, inFlight: map[string]int{}}
	for _, want := range []string{"a", "b", "c", "a"} {
		if got := o.divide([]string{"a", "b", "c"}, 1); len(got) != 1 || got[0] != (share{venue: want, limit: 1}) {
			t.Errorf("one delivery may begin: %v, want one of %s", got, want)
		}
	}
	o.total = 7
	if got := o.divide([]string{"a", "b", "c"}, 8); len(got) != 1 || got[0].limit != 1 {
		t.Errorf("one worker is free: %v", got)
	}
}
