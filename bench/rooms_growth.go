package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	growthCircle = 50
	growthLat    = 30.25 // the circle's middle; all other hotels are kilometres to the east
	growthLon    = 120.15
	growthRadius = 3000 // metres
	growthSmall  = 1000 // searches in a stretch: below them the two largest cities are left out
)

// provesRoomsGrowth searches the same circle of hotels in cities that grow around it, each before a program of its own, in turn.
func provesRoomsGrowth(r *run) error {
	sizes := []int{100, 1000, 10_000, 100_000}
	if r.n < growthSmall {
		sizes = sizes[:2]
	}
	cities := make([]*grown, len(sizes))
	var err error
	for i, n := range sizes {
		if err == nil {
			cities[i], err = growCity(r, n)
		}
	}
	if err == nil {
		err = compareGrown(r, cities)
	}
	for _, c := range cities {
		if c != nil {
			err = errors.Join(err, c.stop())
		}
	}
	return err
}

// grown is a city in which a circle of hotels is searched.
type grown struct {
	*rooms
	hotels int
	gate   *raw
	asked  int // searches so far
}

// growCity builds a city of n hotels, the same 50 of them in the circle, and starts a program before it.
func growCity(r *run, n int) (*grown, error) {
	part := *r
	part.dir = filepath.Join(r.dir, fmt.Sprintf("city-%d", n))
	t, err := newRooms(&part, growthCircle)
	if err != nil {
		return nil, err
	}
	c := &grown{rooms: t, hotels: n}
	if err = c.spread(); err == nil {
		t.serve.patience = 2 * time.Minute
		_, err = t.serve.start()
	}
	if err == nil {
		err = c.know()
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// spread writes the hotels' files: those of the circle are anywhere in the order, and the others are never asked.
func (c *grown) spread() error {
	left, err := filepath.Glob(c.path("configs/venues/hotel-*.yaml"))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	chance := rand.New(rand.NewPCG(c.run.seed, 9))
	step := c.hotels / growthCircle
	for i := range c.hotels {
		k := i / step
		h := c.town.HotelAt(k % growthCircle)
		if i%step != 0 || k >= growthCircle {
			h.Lat, h.Lon = 30+chance.Float64()*0.6, 120.3+chance.Float64()
		} else {
			h.Lat, h.Lon = growthLat+0.0003*float64(k-growthCircle/2), growthLon
		}
		if err := c.writeVenue(fmt.Sprintf("hotel-%06d", i), &h, c.city.URL("ohip", "town")); err != nil {
			return err
		}
	}
	return nil
}

// next is a search of the circle that was not there before.
func (c *grown) next() string {
	c.asked++
	return fmt.Sprintf("/v1/rooms?near=%.2f,%.8f&radius=%d&check_in=%s&nights=2&guests=2", growthLat, growthLon+float64(c.asked)*1e-8, growthRadius, c.stay.Arrival)
}

// know searches until every hotel of the circle has said what it has, and holds that they are as many as they should be.
func (c *grown) know() error {
	api := newClient(c.serve.api.Addr().String(), 4)
	for began := time.Now(); time.Since(began) < warmWithin; {
		f, _, err := c.search(api, c.next()+"&limit=50")
		if err != nil {
			return err
		}
		if n := len(f.Hotels); f.Complete && f.Cursor == "" && n > growthCircle/2 && n <= growthCircle {
			return nil
		}
	}
	return errors.New("not all hotels of the circle are known")
}

func (c *grown) stop() error {
	if c.gate != nil {
		c.gate.close()
	}
	err := c.serve.stop()
	c.close()
	return err
}

// compareGrown takes what a search costs in each city, in turn.
func compareGrown(r *run, cities []*grown) error {
	costs, sizes := make([][]float64, len(cities)), make([]int, len(cities))
	for i, c := range cities { // only now: one that says nothing while larger cities start is closed
		var err error
		if c.gate, err = dialRaw(c.serve.api.Addr().String(), c.token); err != nil {
			return err
		}
		sizes[i] = c.hotels
	}
	for pair := range roomsPairs + 1 {
		var line []string
		for i, c := range cities {
			took, err := c.stretch(c.serve.process.Process.Pid, c.gate, c.next)
			if err != nil {
				return err
			}
			line = append(line, took.String())
			if pair > 0 { // everything grows warm in the first
				costs[i] = append(costs[i], took.cpu)
			}
		}
		fmt.Fprintf(r.progress, "rooms-growth: pair %d: µs of processor time and bytes a request: %s\n", pair, strings.Join(line, ", "))
	}
	r.report.tables = append(r.report.tables, curve(fmt.Sprintf("Hotels of a city: a search of %d of them", growthCircle),
		"Load: one connection, one search after the other. Medians, with the quartiles.", sizes, costs))
	medians := make([]float64, len(cities))
	for i, c := range cities {
		medians[i] = median(costs[i])
		r.report.note(fmt.Sprintf("a search of %d hotels in a city of %d, the whole request", growthCircle, c.hotels), "%.1f µs, %.0f MiB",
			medians[i], c.serve.memory())
	}
	r.report.atMost("the dearest against the cheapest", "×", slices.Max(medians)/slices.Min(medians), 1.4, 1.5)
	return nil
}
