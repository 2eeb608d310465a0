package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/place"
)

const (
	roomsHotels  = 10_000 // of the town; a tenth at a small scale
	roomsCircle  = 200    // hotels in the circle of a search
	roomsAnswers = 64     // of different searches, that bare answers with in turn
	roomsPairs   = 9
	roomsSmall   = 5000 // requests in a stretch: below them the scale is a small one
	roomsMiddle  = 0.09 // degrees around the middle of the town where searches are
	warmWithin   = 2 * time.Minute
)

// provesRooms searches a town of which everything is known: the same search again and again, and searches none of which comes
// twice, in turn with a bare handler that answers the same bytes. The server's log is at warn; the limits count, and let all through.
func provesRooms(r *run) error {
	hotels := roomsHotels
	if r.n < roomsSmall {
		hotels /= 10
	}
	t, err := newRooms(r, hotels)
	if err != nil {
		return err
	}
	defer t.close()
	if _, err := t.serve.start(); err != nil {
		return err
	}
	giveWay()
	err = t.warm()
	if err == nil {
		err = t.compare()
	}
	if err == nil {
		err = t.tails()
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, t.serve.lastWords())
	}
	return errors.Join(err, t.serve.stop())
}

// rooms is a town of hotels before the real program, and who searches it.
type rooms struct {
	*world
	run    *run
	serve  *child
	town   *ohip.Town
	hotels []ohip.TownHotel
	index  *place.Index
	token  string
	teller string // the token of the hotels' systems, which tell of their nights
	stay   offer.Stay
	chance *rand.Rand
}

// newRooms builds the town and writes its hotels' files; nothing runs yet. What was heard of a hotel is fresh for an hour.
func newRooms(r *run, hotels int) (*rooms, error) {
	program, err := r.program()
	if err != nil {
		return nil, err
	}
	edits := []edit{
		{"gateway.yaml", `scope: address, rate: \d+, per: 1s, burst: \d+`, "scope: address, rate: 100000, per: 1s, burst: 100000"},
		{"gateway.yaml", `scope: principal, rate: \d+, per: 1s, burst: \d+`, "scope: principal, rate: 100000, per: 1s, burst: 100000"},
		{"gateway.yaml", `fresh: 30s, stale_while_revalidate: 2m`, "fresh: 1h, stale_while_revalidate: 1h"},
	}
	w, err := newWorld(r.dir, r.seed, nil, edits...)
	if err != nil {
		return nil, err
	}
	t := &rooms{world: w, run: r, chance: rand.New(rand.NewPCG(r.seed, 8))}
	t.stay = offer.Stay{Arrival: offer.DateOf(time.Now()) + 14, Nights: 2, Guests: 2}
	if err = t.build(hotels); err == nil {
		t.serve, err = newChild(w, program)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return t, nil
}

// build makes the town, and serves it beside the city's other systems.
func (t *rooms) build(hotels int) error {
	at := city.Place{Kind: "ohip", Instance: "town"}
	key, err := city.Key(t.path("secrets"), at)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return err
	}
	if t.town, err = ohip.NewTown(ohip.TownConfig{Hotels: hotels, ClientSecret: key, Seed: t.run.seed, Location: zone, Sold: 0.6}); err != nil {
		return err
	}
	if err := t.city.Add(at.Kind, at.Instance, t.town); err != nil {
		return err
	}
	spots := make([]place.Spot, hotels)
	for i := range spots {
		h := t.town.HotelAt(i)
		t.hotels = append(t.hotels, h)
		spots[i] = place.Spot{Ordinal: int32(i), Lat: h.Lat, Lon: h.Lon}
		if err := t.writeHotel(&h, t.city.URL(at.Kind, at.Instance)); err != nil {
			return err
		}
	}
	if t.index, err = place.Build(spots); err != nil {
		return err
	}
	t.token, err = t.mint("app", "rooms:read")
	if err == nil {
		t.teller, err = t.mint("pms", "backend:events")
	}
	return err
}

// writeHotel writes the file of a venue that is found alone.
func (t *rooms) writeHotel(h *ohip.TownHotel, url string) error {
	return t.writeVenue(venueOf(h), h, url)
}

// writeVenue is writeHotel under a name of its own.
func (t *rooms) writeVenue(id string, h *ohip.TownHotel, url string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "id: %s\nkind: hotel\ntenant: hangzhou\nname: { zh: %q, en: %q }\ntime_zone: Asia/Shanghai\n", id, h.NameZh, h.NameEn)
	fmt.Fprintf(&b, "connectors:\n  pms:\n    connector: ohip\n    url: %s\n    secrets: { client_secret: { file: %q } }\n    options: { hotel_id: %s }\n",
		url, t.path("secrets/ohip-town"), h.ID)
	fmt.Fprintf(&b, "rooms:\n  at: { lat: %.6f, lon: %.6f }\n  kinds:\n", h.Lat, h.Lon)
	for i := range h.Types {
		k := &h.Types[i]
		fmt.Fprintf(&b, "    %s: { name: { zh: %q, en: %q }, guests: %d }\n", k.Code, k.Name, k.Name, k.People)
	}
	return os.WriteFile(t.path("configs/venues/"+id+".yaml"), []byte(b.String()), 0o600)
}

// venueOf returns the id of the venue that is the hotel.
func venueOf(h *ohip.TownHotel) string { return "hotel-" + strings.TrimPrefix(h.ID, "H") }

// near returns a search of a circle around a point with so many hotels in it.
func (t *rooms) near(lat, lon float64, hotels int, stay offer.Stay) string {
	hits := t.index.Within(nil, lat, lon, math.Inf(1), hotels)
	radius := min(50_000, hits[len(hits)-1].Metres+1)
	return fmt.Sprintf("/v1/rooms?near=%.6f,%.6f&radius=%d&check_in=%s&nights=%d&guests=%d", lat, lon, radius, stay.Arrival, stay.Nights, stay.Guests)
}

// anywhere returns a search that was not there before.
func (t *rooms) anywhere() string {
	h := &t.hotels[t.chance.IntN(len(t.hotels))]
	scatter := func() float64 { return (t.chance.Float64() - 0.5) * roomsMiddle }
	return t.near(h.Lat+scatter(), h.Lon+scatter(), roomsCircle, t.stay)
}

// found is what a search is answered.
type found struct {
	Complete bool `json:"complete"`
	Missing  []struct {
		Hotel  string `json:"hotel"`
		Reason string `json:"reason"`
	} `json:"missing"`
	Hotels []foundHotel `json:"hotels"`
	Cursor string       `json:"cursor"`
}

// foundHotel is a hotel of an answer.
type foundHotel struct {
	Hotel  string `json:"hotel"`
	State  string `json:"state"`
	Offers []struct {
		Kind string `json:"kind"`
		Free int    `json:"free"`
	} `json:"offers"`
}

func (t *rooms) search(api *client, path string) (f found, took time.Duration, err error) {
	began := time.Now()
	got, err := api.do(ask{method: http.MethodGet, path: path, token: t.token}, 10*time.Second)
	took = time.Since(began)
	if err != nil || got.status != http.StatusOK {
		return f, took, fmt.Errorf("cannot search: %s", got.word(err))
	}
	return f, took, json.Unmarshal(got.body, &f)
}

// warm searches until everything is known of the stay.
func (t *rooms) warm() error {
	api := newClient(t.serve.api.Addr().String(), 4)
	for began := time.Now(); ; {
		known := 0
		for _, middle := range []int{0, 1, 2, 3, 4} {
			h := &t.hotels[middle]
			f, _, err := t.search(api, strings.Replace(t.near(h.Lat, h.Lon, len(t.hotels), t.stay), "&", "&limit=1&", 1))
			if err != nil {
				return err
			}
			if f.Complete {
				known++
			}
		}
		if known == 5 {
			return nil
		}
		if time.Since(began) > warmWithin {
			return fmt.Errorf("not everything is known of the hotels within %s", warmWithin)
		}
		if err := wait(t.run.ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// compare takes what searches cost against the bare handler.
func (t *rooms) compare() error {
	same := t.anywhere()
	alike, err := newBare(t, func() string { return same }, 1)
	if err != nil {
		return err
	}
	defer alike.stop()
	others, err := newBare(t, t.anywhere, roomsAnswers)
	if err != nil {
		return err
	}
	defer others.stop()
	gate, err := dialRaw(t.serve.api.Addr().String(), t.token)
	if err != nil {
		return err
	}
	defer gate.close()
	pid := t.serve.process.Process.Pid
	var sames, differents, controls, kib []float64
	for i := range roomsPairs + 1 {
		var cost [5]cost
		for j, x := range []struct {
			pid  int
			to   *raw
			path func() string
		}{{alike.pid(), alike.raw, func() string { return same }}, {pid, gate, func() string { return same }}, {alike.pid(), alike.raw, func() string { return same }},
			{others.pid(), others.raw, t.anywhere}, {pid, gate, t.anywhere}} {
			if cost[j], err = t.stretch(x.pid, x.to, x.path); err != nil {
				return err
			}
		}
		fmt.Fprintf(t.run.progress, "rooms: pair %d: µs of processor time and bytes a request: bare %s, same %s, bare %s, bare %s, different %s\n", i, cost[0], cost[1], cost[2], cost[3], cost[4])
		if i == 0 {
			continue // everything grows warm in the first
		}
		bare := (cost[0].cpu + cost[2].cpu) / 2
		sames, differents = append(sames, cost[1].cpu/bare), append(differents, cost[4].cpu/cost[3].cpu)
		controls, kib = append(controls, cost[2].cpu/cost[0].cpu), append(kib, cost[4].bytes/1024)
	}
	sameAllocs, err := t.allocations(gate, func() string { return same })
	if err != nil {
		return err
	}
	differentAllocs, err := t.allocations(gate, t.anywhere)
	if err != nil {
		return err
	}
	r := t.run.report
	r.note("hotels of the town, in the circle, in an answer", "%d, %d, 20", len(t.hotels), roomsCircle)
	r.note("rooms of all hotels", "%d", t.allRooms())
	r.note("a different search's answer", "%.1f KiB", median(kib))
	r.control("A/A: bare against itself", median(controls))
	r.atMost("the same search again, processor time against bare", "×", median(sames), 1.5, 1.4)
	r.aim("×", 1.15)
	r.atMost("different searches, processor time against bare", "×", median(differents), 6, 1.4)
	r.aim("×", 3)
	r.atMost("allocations of the same search again, the whole request", "", sameAllocs, 2, 1.25)
	r.atMost("allocations of a different search, the whole request", "", differentAllocs, 10, 1.1)
	return nil
}

// cost is of one request: microseconds of processor time, and bytes of the answer.
type cost struct{ cpu, bytes float64 }

func (c cost) String() string { return fmt.Sprintf("%.1f (%.0f)", c.cpu, c.bytes) }

// stretch sends the run's number of requests one after the other.
func (t *rooms) stretch(pid int, to *raw, path func() string) (cost, error) {
	bytes := 0
	before := threadTimes(pid)
	for range t.run.n {
		n, err := to.get(path())
		if err != nil {
			return cost{}, err
		}
		bytes += n
	}
	used := threadTimes(pid) - before
	n := float64(t.run.n)
	return cost{float64(used.Nanoseconds()) / 1000 / n, float64(bytes) / n}, t.run.ctx.Err()
}

// allocations returns how often the program allocates for a search, by its own count, whatever else it does meanwhile included.
func (t *rooms) allocations(to *raw, path func() string) (float64, error) {
	n := max(5000, t.run.n)
	var counts [3]float64 // the first two are what counting costs
	for i := range counts {
		if i == 2 {
			for range n {
				if _, err := to.get(path()); err != nil {
					return 0, err
				}
			}
		}
		var err error
		if counts[i], err = t.mallocs(); err != nil {
			return 0, err
		}
	}
	return (counts[2] - counts[1] - (counts[1] - counts[0])) / float64(n), nil
}

func (t *rooms) mallocs() (float64, error) { return mallocs(t.serve.admin.Addr().String()) }
