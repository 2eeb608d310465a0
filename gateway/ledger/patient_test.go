package ledger

import (
	"testing"
	"time"
)

func TestDelaysAreAMeanThatIsForgotten(t *testing.T) {
	var d delays
	at := time.Unix(1_800_000_000, 0)
	if got := d.lately(at); got != 0 {
		t.Errorf("before anybody has waited: %v", got)
	}
	for range 100 {
		at = at.Add(time.Millisecond)
		d.add(8*time.Millisecond, at)
	}
	if got := d.lately(at); got < 7*time.Millisecond || got > 8*time.Millisecond {
		t.Errorf("everybody has waited for 8 ms: %v", got)
	}
	d.add(0, at)
	if got := d.lately(at); got < 6*time.Millisecond || got > 7*time.Millisecond {
		t.Errorf("and one has not waited: %v", got)
	}
	if got := d.lately(at.Add(delaysAge)); got == 0 {
		t.Error("forgotten too soon")
	}
	if got := d.lately(at.Add(delaysAge + 1)); got != 0 {
		t.Errorf("not forgotten: %v", got)
	}
	d.add(-time.Millisecond, at.Add(time.Second)) // the flush took longer than the wait, by another clock reading
	if got := d.lately(at.Add(time.Second)); got <= 0 || got > time.Microsecond {
		t.Errorf("somebody has hardly waited: %v", got)
	}
}
