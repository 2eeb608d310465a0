package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/rooms/offer"
)

const (
	morningRate    = 400  // journeys begun in a second while all are under way; each alone at twice its share
	morningSmall   = 5    // seconds of each: below them a quarter as many begin in a second
	morningRooms   = 1000 // hotels of the search
	morningCircle  = 50   // hotels in the circle of a search
	morningLots    = 2
	morningDelay   = 10 // ms of every call at the systems
	morningLead    = 20 // of each journey before those that count: connections, tokens and credentials are there then
	morningPatient = 10 * time.Second
)

// provesMorning begins each journey at a steady rate, by itself and then all at once as in a city's morning, and holds them to
// the budgets of the shipped configuration, read as the program reads them: what comes back counts from when it was meant to
// begin. -n is for how many seconds each is under way alone; all together are twice as long.
func provesMorning(r *run) error {
	m, err := newMorning(r)
	if err != nil {
		return err
	}
	defer m.close()
	if _, err := m.serve.start(); err != nil {
		return err
	}
	giveWay()
	if err = m.take(); err != nil {
		err = fmt.Errorf("%w\n%s", err, m.serve.lastWords())
	}
	return errors.Join(err, m.serve.stop())
}

// morning is a city with an attraction, hotels with kiosks and without, and parking lots.
type morning struct {
	*world
	run      *run
	serve    *child
	api      *client
	town     *town
	garages  *garages
	rooms    *rooms
	journeys []*citizens
}

// citizens are those who begin one journey.
type citizens struct {
	plan    string // by which the configuration knows it
	percent int    // of all that begin in a morning
	status  int    // that says that they have what they came for
	budget  time.Duration
	next    func(i int) ask
	begun   int
	all     float64 // begun in a second in a morning, all journeys together
}

// newMorning builds the city; the gateway is not started yet.
func newMorning(r *run) (*morning, error) {
	m := &morning{world: &world{dir: r.dir}, run: r}
	program, err := r.program()
	if err == nil {
		err = m.found(r.seed, nil, spot, beside, shippedHotel, shippedLot)
	}
	if err == nil {
		m.serve, err = newChild(m.world, program)
	}
	m.journeys = []*citizens{
		{plan: "rooms-search", percent: 50, status: http.StatusOK}, {plan: "scenic-entry", percent: 25, status: http.StatusCreated},
		{plan: "parking-entry", percent: 10, status: http.StatusCreated}, {plan: "parking-exit", percent: 10, status: http.StatusCreated},
		{plan: "hotel-check-in", percent: 5, status: http.StatusCreated},
	}
	for _, c := range m.journeys {
		if c.all = morningRate; r.n < morningSmall {
			c.all /= 4
		}
	}
	for _, build := range []func() error{m.buildSpots, m.buildHotels, m.buildLots, m.buildRooms, m.readBudgets} {
		if err == nil {
			err = build()
		}
	}
	for _, kind := range []string{"octo", "ohip", "identity", "police", "wechatpay", "hangzhou", "hangzhou-mqtt"} {
		if err == nil {
			err = m.city.Dial(kind, "*", twin.Dial{LatencyMS: morningDelay})
		}
	}
	if err != nil {
		m.close()
		return nil, err
	}
	m.api = newClient(m.serve.api.Addr().String(), 512)
	return m, nil
}

// rate is at what rate a journey's citizens begin by themselves; in the morning it is half of that.
func (c *citizens) rate() float64 { return 2 * c.all * float64(c.percent) / 100 }

func (c *citizens) alone() string { return fmt.Sprintf("%s alone, %.0f/s", c.plan, c.rate()) }

func (c *citizens) together() string {
	return fmt.Sprintf("%s in the morning, %.0f of %.0f/s", c.plan, c.rate()/2, c.all)
}

// number is how many of them there are in a run of so many seconds.
func (c *citizens) number(seconds int) int { return morningLead + 2*int(c.rate())*seconds }

// of returns those who begin a journey.
func (m *morning) of(plan string) *citizens {
	for _, c := range m.journeys {
		if c.plan == plan {
			return c
		}
	}
	panic("BUG: nobody begins " + plan)
}

func (m *morning) buildSpots() (err error) {
	if m.desk, err = m.addDesk(spot, m.run.seed); err != nil {
		return err
	}
	if _, err = m.addDesk(beside, m.run.seed); err != nil {
		return err
	}
	m.url = m.city.URL("octo", spot)
	c := m.of("scenic-entry")
	tickets, err := m.issue(c.number(m.run.n), 1)
	if err != nil {
		return err
	}
	token, err := m.mint("gate", "scenic:gate")
	c.next = func(i int) ask { return entry(token, "north-1", uuid.NewString(), shown(tickets[i])) }
	return err
}

func (m *morning) buildHotels() error {
	m.town = &town{world: m.world}
	text, err := os.ReadFile(m.path("configs/venues/" + shippedHotel + ".yaml"))
	if err != nil {
		return err
	}
	c := m.of("hotel-check-in")
	for i := range (c.number(m.run.n) + checkInsAtHotel - 1) / checkInsAtHotel {
		if err := m.town.open(string(text), i, roomsAtHotel, m.run.seed, nil); err != nil {
			return err
		}
	}
	asks, err := m.town.arrivals(c.number(m.run.n))
	c.next = func(i int) ask { return asks[i] }
	return err
}

func (m *morning) buildLots() error {
	m.garages = &garages{world: m.world, serve: m.serve, base: time.Now().Truncate(time.Second)}
	text, err := os.ReadFile(m.path("configs/venues/" + shippedLot + ".yaml"))
	if err != nil {
		return err
	}
	merchant, err := wechatpay.MakeCredentials()
	if err != nil {
		return err
	}
	for i := range morningLots {
		if err := m.garages.open(string(text), i, m.run.seed, merchant); err != nil {
			return err
		}
	}
	m.garages.token, err = m.mint("barrier", "parking:gate")
	return err
}

func (m *morning) buildRooms() error {
	m.rooms = &rooms{world: m.world, run: m.run, serve: m.serve, chance: rand.New(rand.NewPCG(m.run.seed, 10)),
		stay: offer.Stay{Arrival: offer.DateOf(time.Now()) + 14, Nights: 2, Guests: 2}}
	if err := m.rooms.build(morningRooms); err != nil {
		return err
	}
	c := m.of("rooms-search")
	paths := make([]string, c.number(m.run.n))
	for i := range paths {
		h := &m.rooms.hotels[m.rooms.chance.IntN(morningRooms)]
		paths[i] = m.rooms.near(h.Lat, h.Lon, morningCircle, m.rooms.stay)
	}
	c.next = func(i int) ask { return ask{method: http.MethodGet, path: paths[i], token: m.rooms.token} }
	return nil
}

// park has the cars come in that will leave.
func (m *morning) park() error {
	in, out := m.of("parking-entry"), m.of("parking-exit")
	lot := func(i int) *garage { return m.garages.lots[i%morningLots] }
	entering := make([]passing, in.number(m.run.n))
	for i := range entering {
		entering[i] = m.garages.came(lot(i), plateOf(i))
		entering[i].OccurredAt = "" // now
	}
	in.next = func(i int) ask { return m.garages.passAsk(lot(i), "entries", entering[i]) }
	leaving := make([]passing, out.number(m.run.n))
	batch := make([][]passing, morningLots)
	for i := range leaving {
		at := i % morningLots
		leaving[i] = m.garages.came(lot(i), plateOf(len(entering)+i))
		if batch[at] = append(batch[at], leaving[i]); len(batch[at]) < exitBatch && i < len(leaving)-morningLots {
			continue
		}
		if got, err := m.api.insist(m.garages.passAsk(lot(i), "entries", batch[at]...)); err != nil || got.status != http.StatusCreated {
			return fmt.Errorf("cars cannot come in: %s", got.word(err))
		}
		batch[at] = nil
	}
	out.next = func(i int) ask { return m.garages.passAsk(lot(i), "exits", leaving[i].gone()) }
	return nil
}

// readBudgets reads the budgets, by which answers are counted as late.
func (m *morning) readBudgets() (err error) {
	for _, c := range m.journeys {
		if c.budget, err = m.budget(c.plan); err != nil {
			return err
		}
	}
	return nil
}

// take has the journeys begin, one after the other and then all at once.
func (m *morning) take() error {
	if err := m.park(); err != nil {
		return err
	}
	for _, c := range m.journeys {
		if _, err := m.load(c, c.rate()/2, morningLead); err != nil {
			return err
		}
	}
	alone := make([]*outcomes, len(m.journeys))
	for i, c := range m.journeys {
		var err error
		if alone[i], err = m.load(c, c.rate(), int(c.rate())*m.run.n); err != nil {
			return err
		}
		m.say(c.alone(), alone[i])
	}
	results, errs := make([]*outcomes, len(m.journeys)), make([]error, len(m.journeys))
	var together sync.WaitGroup
	for i, c := range m.journeys {
		together.Go(func() { results[i], errs[i] = m.load(c, c.rate()/2, int(c.rate())*m.run.n) })
	}
	together.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, c := range m.journeys {
		m.say(c.together(), results[i])
		if err := m.hold(m.run.report, c.plan, c.plan+", alone and in a city's morning", fmt.Sprintf("%.0f a second alone, %.0f while %.0f of all journeys begin; %d ms for each call at the systems", c.rate(), c.rate()/2, c.all, morningDelay),
			loop{name: c.alone(), times: alone[i].times}, loop{name: c.together(), times: results[i].times}); err != nil {
			return err
		}
	}
	return nil
}

// outcomes are what became of those who began a journey.
type outcomes struct {
	mu    sync.Mutex
	times *hdrhistogram.Histogram // microseconds, from when each was meant to begin
	away  int                     // not answered in time at all, or told to come again: where the machine stands still, that is what a gateway does
	wrong int
	why   string
	late  int
}

func (o *outcomes) add(c *citizens, took time.Duration, got answer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.times.RecordValue(min(max(1, took.Microseconds()), o.times.HighestTrackableValue()))
	if took > c.budget {
		o.late++
	}
	if err == nil && got.status == c.status {
		return
	}
	o.why = got.word(err)
	if err != nil || got.retry || got.status < http.StatusMultipleChoices { // of these, one that a person has, or a barrier that opens unrecorded
		o.away++
		return
	}
	o.wrong++
}

// load lets n citizens begin at a rate, whatever becomes of those before.
func (m *morning) load(c *citizens, rate float64, n int) (*outcomes, error) {
	o := &outcomes{times: hdrhistogram.New(1, 60_000_000, 3)}
	from := c.begun
	c.begun += n
	return o, openLoop(m.run.ctx, n, rate, func(i int, intended time.Time) {
		got, err := m.api.do(c.next(from+i), morningPatient)
		o.add(c, time.Since(intended), got, err)
	})
}

// say says what became of a loop.
func (m *morning) say(what string, o *outcomes) {
	r := m.run.report
	at := func(q float64) float64 { return float64(o.times.ValueAtQuantile(q)) / 1000 }
	r.note(what+": begun, p50 / p99.9 / most", "%d, %.1f / %.1f / %.1f ms", o.times.TotalCount(), at(50), at(99.9), float64(o.times.Max())/1000)
	r.note(what+": later than the budget", "%d", o.late)
	r.none(what+": told to come again, with a person, or let out unrecorded", o.away, int(o.times.TotalCount())/2)
	r.exactly(what+": answered otherwise", o.wrong, 0)
	if o.why != "" {
		r.note(what+": one of these", "%s", o.why)
	}
}
