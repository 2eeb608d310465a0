package main

import (
	"math"
	"strings"
	"testing"
)

// TestScalesHaveRoomForEverything: each value and limit stands between the lowest and the highest step, and steps stand apart.
func TestScalesHaveRoomForEverything(t *testing.T) {
	for _, values := range [][]float64{{0.34, 6.8}, {0.5}, {1}, {33.9, 35.9, 34.2}, {1711.2, 2034}, {0, 1}, {0, 0}, {0.001, 9000}, {1, 10, 100, 1000}, {5e6, 7e6}, {9.99, 10.01}} {
		for _, even := range []bool{false, true} {
			l := lines{fromZero: even, limits: []limit{{"most", values[0] * 3}}, all: []line{{points: []point{{value: values[len(values)-1], around: spread{0, 0, values[len(values)-1] * 1.5}}}}}}
			for _, v := range values {
				l.all[0].points = append(l.all[0].points, point{value: v})
			}
			s := l.scale()
			for _, v := range append(values, values[0]*3, values[len(values)-1]*1.5) {
				if y := s.y(v); !(y >= plotTop && y <= plotTop+plotHeight) || v > s.high*1.000001 {
					t.Errorf("%v, even %v: %v stands at %v of %v", values, even, v, y, s)
				}
			}
			if n := len(s.steps); n < 2 || n > 24 || even && (n > 8 || s.steps[0] != 0) {
				t.Errorf("%v, even %v: steps %v", values, even, s.steps)
			}
			for i := 1; i < len(s.steps); i++ {
				if apart := s.y(s.steps[i-1]) - s.y(s.steps[i]); !(apart >= 12) || math.IsNaN(apart) {
					t.Errorf("%v, even %v: %v and %v are %v apart", values, even, s.steps[i-1], s.steps[i], apart)
				}
			}
		}
	}
}

// TestAScaleIsNotMuchLargerThanWhatItShows, so that curves can be told apart.
func TestAScaleIsNotMuchLargerThanWhatItShows(t *testing.T) {
	l := lines{all: []line{{points: []point{{value: 0.34}, {value: 6.8}}}}}
	if s := l.scale(); s.low != 0.2 || s.high != 10 {
		t.Errorf("%+v", s)
	}
	l.fromZero = true
	if s := l.scale(); s.low != 0 || s.high != 8 {
		t.Errorf("%+v", s)
	}
}

func TestNamesStandBesideEachOtherWhereTheyFit(t *testing.T) {
	for longest, want := range map[int]int{5: 3, 25: 3, 35: 2, 60: 1, 200: 1} {
		l := lines{all: []line{{name: strings.Repeat("µ", longest)}, {name: "short"}}}
		if got := l.legendColumns(); got != want {
			t.Errorf("%d letters: %d columns, want %d", longest, got, want)
		}
	}
}

// TestGrowthIsDrawnBesideWhatIsAllowed: ten percent more for each doubling, from the first on.
func TestGrowthIsDrawnBesideWhatIsAllowed(t *testing.T) {
	c := curve("Things: cost", "", []int{10, 20, 80}, [][]float64{{100, 100, 101}, {105, 105, 104}, {120, 130, 140}})
	c.allow([]int{10, 20, 80})
	may := c.lines.all[1]
	for i, want := range []float64{100, 110, 133.1} {
		if got := may.points[i].value; math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is allowed, want %v", got, want)
		}
	}
	picture := linesSVG(c.title, c.lines)
	for _, part := range []string{"CPU, µs", ">things<", ">130<", "allowed: +10 %", "stroke-dasharray", ">0<"} {
		if !strings.Contains(picture, part) {
			t.Errorf("%q is not in %s", part, picture)
		}
	}
	if strings.Contains(picture, ">133<") {
		t.Error("what is allowed is written as if it were measured")
	}
}
