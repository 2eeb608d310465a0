// Package place finds what lies in a circle on the earth. An index is built once and never changes, so that any number of
// goroutines may search it; who keeps one puts another in its place when the places change.
//
// The earth is a sphere of its mean radius (IUGG: R1 = 6 371 008.8 m): against the ellipsoid WGS 84 a distance is out by
// at most 0.56 %, within a city by far less than the way round a block.
package place

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tidwall/rtree"
)

const (
	earthRadius = 6_371_008.8           // metres
	halfway     = math.Pi * earthRadius // to the other side of the earth; nothing is farther
	degree      = math.Pi / 180
)

// Spot is one place. Two may lie at the same point.
type Spot struct {
	Ordinal  int32   // what it is called; 0 or more
	Lat, Lon float64 // degrees, WGS 84: north -90 to 90, east -180 to 180
}

// Hit is a spot that lies in a circle.
type Hit struct {
	Ordinal int32
	Metres  int32 // from the circle's centre, to the nearest whole one
}

// compare orders hits by their distance, and those of equal distance by their ordinals.
func compare(a, b Hit) int {
	if a.Metres != b.Metres {
		return cmp.Compare(a.Metres, b.Metres)
	}
	return cmp.Compare(a.Ordinal, b.Ordinal)
}

// Index is a set of spots. It is immutable: safe for concurrent use. The zero value has none.
type Index struct {
	tree  rtree.RTreeGN[float64, entry] // by longitude and latitude
	count int
}

// entry is a spot as the tree keeps it: its unit vector from the earth's centre gives distances without trigonometry.
type entry struct {
	at      vector
	ordinal int32
}

// Build returns the index of spots, which it doesn't keep. It refuses a spot that is nowhere on the earth, and a negative ordinal.
func Build(spots []Spot) (*Index, error) {
	sorted := slices.Clone(spots)
	slices.SortFunc(sorted, func(a, b Spot) int { // the same spots make the same tree, and neighbours come together
		return cmp.Or(cmp.Compare(curve(a), curve(b)), cmp.Compare(a.Ordinal, b.Ordinal))
	})
	x := &Index{count: len(sorted)}
	for _, s := range sorted {
		if !OnEarth(s.Lat, s.Lon) {
			return nil, fmt.Errorf("cannot index spot %d: %v, %v is no latitude of -90 to 90 and longitude of -180 to 180", s.Ordinal, s.Lat, s.Lon)
		}
		if s.Ordinal < 0 {
			return nil, fmt.Errorf("cannot index spot %d: an ordinal is 0 or more", s.Ordinal)
		}
		point := [2]float64{s.Lon, s.Lat}
		x.tree.Insert(point, point, entry{at: vectorOf(s.Lat, s.Lon), ordinal: s.Ordinal})
	}
	return x, nil
}

// OnEarth reports whether there is a point of that latitude and longitude, in degrees.
func OnEarth(lat, lon float64) bool { return math.Abs(lat) <= 90 && math.Abs(lon) <= 180 } // false for NaN

// Len returns how many spots there are.
func (x *Index) Len() int { return x.count }

// Within appends to dst the spots that are at most radius metres from a point, the nearest first, those of equal whole metres by
// their ordinals: the nearest max of them where there are more. A centre off the earth, a radius below 0 and a max below 1 find
// nothing. It allocates nothing but what dst grows by.
func (x *Index) Within(dst []Hit, lat, lon, radius float64, max int) []Hit {
	if !OnEarth(lat, lon) || !(radius >= 0) || max < 1 {
		return dst
	}
	c := circle{centre: vectorOf(lat, lon), chord2: chord2(radius), max: max, dst: dst, from: len(dst)}
	boxes, n := boxesOf(lat, lon, radius)
	for _, b := range boxes[:n] {
		x.tree.Search(b.min, b.max, func(_, _ [2]float64, e entry) bool {
			c.take(e)
			return true
		})
	}
	slices.SortFunc(c.dst[c.from:], compare)
	return c.dst
}

// circle gathers the hits of one search: behind from, a heap with the farthest first as soon as there are max of them.
type circle struct {
	centre vector
	chord2 float64
	max    int
	dst    []Hit
	from   int
}

func (c *circle) take(e entry) {
	d2 := c.centre.chord2(e.at)
	if d2 > c.chord2 {
		return
	}
	h := Hit{Ordinal: e.ordinal, Metres: int32(math.Round(metres(d2)))}
	switch heap := c.dst[c.from:]; {
	case len(heap) < c.max:
		c.dst = append(c.dst, h)
		if len(heap)+1 == c.max {
			heap = c.dst[c.from:]
			for i := len(heap)/2 - 1; i >= 0; i-- {
				sink(heap, i)
			}
		}
	case compare(h, heap[0]) < 0:
		heap[0] = h
		sink(heap, 0)
	}
}

// sink lets heap[i] down until nothing below it is farther.
func sink(heap []Hit, i int) {
	for {
		far := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if compare(heap[child], heap[far]) > 0 {
				far = child
			}
		}
		if far == i {
			return
		}
		heap[i], heap[far] = heap[far], heap[i]
		i = far
	}
}
