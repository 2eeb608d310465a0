package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
)

const growthCircle = 50

// provesRoomsGrowth searches the same circle of hotels in cities that grow around it. It is the search alone, from the query to
// the answer's bytes, in this process: what a request costs beside it does not know of the city.
func provesRoomsGrowth(r *run) error {
	sizes := []int{100, 1000, 10_000, 100_000}
	cities := make([]*sheet.City, len(sizes))
	for i, n := range sizes {
		var err error
		if cities[i], err = growthCity(n, r.seed); err != nil {
			return err
		}
	}
	runtime.GC() // what making them has left is nobody's cost
	costs := make([][]float64, len(sizes))
	for pair := range roomsPairs + 1 {
		for i, c := range cities {
			took, err := growthStretch(c, r.n)
			if err != nil {
				return err
			}
			if pair > 0 { // everything grows warm in the first
				costs[i] = append(costs[i], took)
			}
		}
	}
	medians := make([]float64, len(sizes))
	for i, n := range sizes {
		medians[i] = median(costs[i])
		r.report.note(fmt.Sprintf("a search of %d hotels in a city of %d", growthCircle, n), "%.2f µs", medians[i])
	}
	r.report.atMost("the dearest against the cheapest", "×", slices.Max(medians)/slices.Min(medians), 1.4, 1.3)
	return nil
}

var growthStay = offer.Stay{Arrival: 20_600, Nights: 2, Guests: 2}

// growthCity makes a city of n hotels, the same 50 of them in the circle, all of which have said what they have.
func growthCity(n int, seed uint64) (*sheet.City, error) {
	r := rand.New(rand.NewPCG(seed, 9))
	hotels := make([]sheet.Hotel, n)
	step := n / growthCircle // those of the circle are anywhere in the order
	for i := range hotels {
		lat, lon := 30+r.Float64()*0.6, 120.2+r.Float64() // east of the circle
		if i%step == 0 && i/step < growthCircle {
			k := float64(i / step)
			lat, lon = 30.25+0.0003*(k-25), 120.15
		}
		hotels[i] = sheet.Hotel{ID: fmt.Sprintf("hotel-%06d", i), Name: gateway.Text{Zh: "酒店", En: "A hotel of the town"}, Lat: lat, Lon: lon}
	}
	c, err := sheet.New(sheet.Config{Currency: "CNY", Stays: 1, MaxBytes: 1 << 30, Retry: time.Second}, hotels)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range hotels {
		offers := make([]offer.Offer, 6)
		for j := range offers {
			offers[j] = offer.Offer{Kind: "STD", Name: "Standard room, one bed", Plan: fmt.Sprintf("PLAN%d", j), Free: 1 + r.IntN(9), Guests: 2, TaxIncluded: true,
				Total: gateway.Money{Minor: 30_000 + r.Int64N(50_000), Currency: "CNY"}}
		}
		c.Put(growthStay, int32(i), sheet.Found{Answer: &offer.Answer{AsOf: now, Offers: offers}, Fresh: now.Add(24 * time.Hour)}, now)
	}
	return c, nil
}

// growthStretch returns the microseconds of processor time that one of n searches takes, none of which comes twice.
func growthStretch(c *sheet.City, n int) (float64, error) {
	now, before := time.Now(), threadTimes(os.Getpid())
	q := sheet.Query{Radius: 3000, Stay: growthStay, Limit: 20, Lang: gateway.LangEn}
	for i := range n {
		q.Lat, q.Lon = 30.25, 120.15+float64(i)*1e-9
		p := c.Look(&q, now)
		p.Write(func(dst []byte, last sheet.Position) []byte { return append(dst, last.Hotel...) })
		if p.Count.Cached != growthCircle {
			return 0, fmt.Errorf("there are %+v hotels in the circle", p.Count)
		}
		p.Release()
	}
	return float64((threadTimes(os.Getpid()) - before).Nanoseconds()) / 1000 / float64(n), nil
}
