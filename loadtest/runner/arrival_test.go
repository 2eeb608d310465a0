package runner

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestArrivalTimes(t *testing.T) {
	steady := []stage{{from: 4, to: 4, length: time.Second}}
	ramp := []stage{{from: 0, to: 10, length: 10 * time.Second}, {from: 10, to: 0, length: 10 * time.Second}}
	for _, c := range []struct {
		stages []stage
		n      int
		want   time.Duration
		due    bool
	}{
		{steady, 0, 0, true},
		{steady, 1, 250 * time.Millisecond, true},
		{steady, 3, 750 * time.Millisecond, true},
		{steady, 4, 0, false},
		{ramp, 0, 0, true},
		{ramp, 8, 4 * time.Second, true},   // t²/2 = 8
		{ramp, 50, 10 * time.Second, true}, // the top
		{ramp, 92, 16 * time.Second, true}, // t²/2 = 8 from the end
		{ramp, 100, 0, false},
		{nil, 0, 0, false},
		{[]stage{{length: time.Second}, {from: 1, to: 1, length: time.Second}}, 0, time.Second, true}, // a silent stage first
	} {
		got, due := arrival(c.stages, c.n)
		if due != c.due || (got-c.want).Abs() > time.Microsecond {
			t.Errorf("iteration %d of %v: got %s %t, want %s %t", c.n, c.stages, got, due, c.want, c.due)
		}
	}
}

func TestArrivalsNeverGoBackAndStayInTheirStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stages []stage
		var length time.Duration
		from := rapid.Float64Range(0, 1000).Draw(t, "from")
		for range rapid.IntRange(1, 5).Draw(t, "stages") {
			to := rapid.Float64Range(0, 1000).Draw(t, "to")
			seconds := rapid.IntRange(1, 20).Draw(t, "seconds")
			stages = append(stages, stage{from: from, to: to, length: time.Duration(seconds) * time.Second})
			length += stages[len(stages)-1].length
			from = to
		}
		last := time.Duration(0)
		for n := 0; ; n++ {
			at, due := arrival(stages, n)
			if !due {
				return
			}
			if at < last || at > length {
				t.Fatalf("iteration %d of %v is due at %s, after one at %s, in %s", n, stages, at, last, length)
			}
			last = at
		}
	})
}
