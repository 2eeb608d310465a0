package place_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/rooms/place"
)

// haversine is the distance in metres by another formula than the package's, on the same sphere.
func haversine(lat1, lon1, lat2, lon2 float64) float64 {
	const r, degree = 6_371_008.8, math.Pi / 180
	sinLat, sinLon := math.Sin((lat2-lat1)*degree/2), math.Sin((lon2-lon1)*degree/2)
	h := sinLat*sinLat + math.Cos(lat1*degree)*math.Cos(lat2*degree)*sinLon*sinLon
	return 2 * r * math.Asin(min(1, math.Sqrt(h)))
}

// spots draws places all over the earth, many of them where maps end and along the edge of a circle: near the poles, the
// antimeridian and one another.
func spots(t *rapid.T, lat, lon, radius float64) []place.Spot {
	n := rapid.IntRange(0, 300).Draw(t, "spots")
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	all := make([]place.Spot, n)
	for i := range all {
		s := place.Spot{Ordinal: int32(i), Lat: r.Float64()*180 - 90, Lon: r.Float64()*360 - 180}
		switch r.IntN(6) {
		case 0, 1: // along the edge, in every direction
			s.Lat, s.Lon = away(lat, lon, min(radius, 2e7)*(0.98+0.03*r.Float64()), 2*math.Pi*r.Float64())
		case 2:
			s.Lat = math.Copysign(90-r.Float64()*0.1, s.Lat)
		case 3:
			s.Lon = math.Copysign(180-r.Float64()*0.1, s.Lon)
		case 4:
			s.Lat, s.Lon = float64(r.IntN(5)-2)*45, float64(r.IntN(5)-2)*90
		}
		all[i] = s
	}
	r.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// away returns where one comes to from a point after so many metres in a direction.
func away(lat, lon, metres, direction float64) (float64, float64) {
	const degree = math.Pi / 180
	sin, cos := math.Sincos(metres / 6_371_008.8)
	sinLat, cosLat := math.Sincos(lat * degree)
	to := math.Asin(max(-1, min(1, sinLat*cos+cosLat*sin*math.Cos(direction))))
	by := math.Atan2(math.Sin(direction)*sin*cosLat, cos-sinLat*math.Sin(to))
	return to / degree, wrap(lon + by/degree)
}

func wrap(lon float64) float64 { return math.Remainder(lon, 360) }

// centre draws a point, often a place where maps end.
func centre(t *rapid.T) (lat, lon float64) {
	lat = rapid.OneOf(rapid.Float64Range(-90, 90), rapid.SampledFrom([]float64{-90, -89.9999, 0, 30.25, 75, 89.95, 90})).Draw(t, "latitude")
	lon = rapid.OneOf(rapid.Float64Range(-180, 180), rapid.SampledFrom([]float64{-180, -179.9999, 0, 120.15, 179.95, 180})).Draw(t, "longitude")
	return lat, lon
}

// TestACircleHoldsWhatIsInIt holds the index to looking at every spot by the haversine formula: also at the poles, over the
// antimeridian, for circles of a metre and of half the earth. What lies within a millimetre of the edge may be in or out.
func TestACircleHoldsWhatIsInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lat, lon := centre(t)
		radius := rapid.OneOf(rapid.Float64Range(0, 50_000), rapid.Float64Range(0, 2.1e7), rapid.SampledFrom([]float64{0, 1, 1e6, 1e7, 2.1e7, math.Inf(1)})).Draw(t, "radius")
		all := spots(t, lat, lon, radius)
		index, err := place.Build(all)
		if err != nil {
			t.Fatal(err)
		}
		got := index.Within(nil, lat, lon, radius, math.MaxInt)
		distance := map[int32]float64{}
		for _, s := range all {
			distance[s.Ordinal] = haversine(lat, lon, s.Lat, s.Lon)
		}
		found := map[int32]bool{}
		for _, h := range got {
			d, known := distance[h.Ordinal]
			if !known || found[h.Ordinal] || d > radius+edge(d) || math.Abs(float64(h.Metres)-d) > 0.5+edge(d) {
				t.Fatalf("%+v is %v m away, the circle has %v m", h, d, radius)
			}
			found[h.Ordinal] = true
		}
		for ordinal, d := range distance {
			if d <= radius-edge(d) && !found[ordinal] {
				t.Fatalf("spot %d is %v m away and missing in a circle of %v m", ordinal, d, radius)
			}
		}
		if !slices.IsSortedFunc(got, byDistance) {
			t.Fatalf("not the nearest first: %v", got)
		}
		most := rapid.IntRange(1, 40).Draw(t, "max")
		if some := index.Within(nil, lat, lon, radius, most); !slices.Equal(some, got[:min(most, len(got))]) {
			t.Fatalf("the nearest %d are %v, want the first of %v", most, some, got)
		}
	})
}

// TestACircleIsWholeAllRound: towards a pole the meridians come together, and a circle's easternmost point lies nearer to the pole
// than its centre.
func TestACircleIsWholeAllRound(t *testing.T) {
	const directions, radius = 3600, 400_000
	for _, at := range [][2]float64{{0, 0}, {30, 120}, {-60, -179}, {80, 179}, {86.3, 10}, {-86.5, 90}, {90, 0}} {
		all := make([]place.Spot, directions)
		for i := range all {
			lat, lon := away(at[0], at[1], radius*0.99999, 2*math.Pi*float64(i)/directions)
			all[i] = place.Spot{Ordinal: int32(i), Lat: lat, Lon: lon}
		}
		index, err := place.Build(all)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(index.Within(nil, at[0], at[1], radius, math.MaxInt)); n != directions {
			t.Errorf("around %v there are %d of %d", at, n, directions)
		}
	}
}

// edge is by how much two formulas may differ: the haversine is steep near the other side of the earth.
func edge(d float64) float64 {
	if d > 1.99e7 {
		return 1
	}
	return 1e-3
}

func byDistance(a, b place.Hit) int {
	return cmp.Or(cmp.Compare(a.Metres, b.Metres), cmp.Compare(a.Ordinal, b.Ordinal))
}

// TestWhatDstHasStays: hits come behind what is there, and only they are put in order and bounded.
func TestWhatDstHasStays(t *testing.T) {
	index, err := place.Build([]place.Spot{{Ordinal: 4, Lat: 30.001, Lon: 120}, {Ordinal: 9, Lat: 30, Lon: 120}, {Ordinal: 2, Lat: 30.001, Lon: 120}})
	if err != nil {
		t.Fatal(err)
	}
	before := place.Hit{Ordinal: 77, Metres: 1_000_000}
	want := []place.Hit{before, {Ordinal: 9}, {Ordinal: 2, Metres: 111}}
	if got := index.Within([]place.Hit{before}, 30, 120, 500, 2); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWhatIsNotOnTheEarthIsRefused, as a spot and as a centre.
func TestWhatIsNotOnTheEarthIsRefused(t *testing.T) {
	good, err := place.Build([]place.Spot{{Lat: 90, Lon: 180}})
	if err != nil || good.Len() != 1 {
		t.Fatal(good, err)
	}
	for _, at := range [][2]float64{{90.0001, 0}, {-91, 0}, {0, 180.0001}, {0, -200}, {math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}} {
		if _, err := place.Build([]place.Spot{{Lat: at[0], Lon: at[1]}}); err == nil {
			t.Errorf("a spot may lie at %v", at)
		}
		if got := good.Within(nil, at[0], at[1], math.Inf(1), 10); got != nil {
			t.Errorf("around %v there is %v", at, got)
		}
	}
	if _, err := place.Build([]place.Spot{{Ordinal: -1}}); err == nil {
		t.Error("an ordinal may be negative")
	}
	for _, radius := range []float64{-1, math.NaN(), math.Inf(-1)} {
		if got := good.Within(nil, 90, 180, radius, 10); got != nil {
			t.Errorf("within %v m there is %v", radius, got)
		}
	}
	if got := good.Within(nil, 90, 180, 10, 0); got != nil {
		t.Errorf("of none there is %v", got)
	}
	var none place.Index
	if got := none.Within(nil, 0, 0, math.Inf(1), 10); got != nil {
		t.Errorf("in an empty index there is %v", got)
	}
}

// TestASearchAllocatesNothing but what the caller's own slice lacks.
func TestASearchAllocatesNothing(t *testing.T) {
	index := town(t, 10_000)
	dst := make([]place.Hit, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { dst = index.Within(dst[:0], 30.25, 120.15, 3000, 1000) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(dst) < 50 {
		t.Fatalf("only %d hotels in the circle", len(dst))
	}
}

// town returns n spots, 50 of them within 3 km of 30.25, 120.15, whatever n is, and the others around those.
func town(tb testing.TB, n int) *place.Index {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]place.Spot, 0, n)
	for inside := 0; len(all) < n; {
		s := place.Spot{Ordinal: int32(len(all)), Lat: 30.25 + r.Float64() - 0.5, Lon: 120.15 + r.Float64() - 0.5}
		if inside < 50 {
			s.Lat, s.Lon = 30.25+(r.Float64()-0.5)*0.035, 120.15+(r.Float64()-0.5)*0.035
			inside++
		} else if haversine(30.25, 120.15, s.Lat, s.Lon) < 3000 {
			continue
		}
		all = append(all, s)
	}
	index, err := place.Build(all)
	if err != nil {
		tb.Fatal(err)
	}
	return index
}

// BenchmarkWithin searches the same circle of 50 in towns that grow.
func BenchmarkWithin(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"100", 100}, {"1k", 1000}, {"10k", 10_000}, {"100k", 100_000}} {
		b.Run(size.name, func(b *testing.B) {
			index := town(b, size.n)
			dst := make([]place.Hit, 0, 100)
			b.ReportAllocs()
			for b.Loop() {
				if dst = index.Within(dst[:0], 30.25, 120.15, 3000, 1000); len(dst) != 50 {
					b.Fatal(len(dst))
				}
			}
		})
	}
}
