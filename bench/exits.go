package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/warmgate/warmgate/backends/twin"
)

const (
	exitRate   = 300 // exits a second
	exitLots   = 4
	exitDelay  = 10               // ms of every call at the systems, while they are well
	exitLead   = 60               // exits before those that count, under the same dial
	exitPairs  = 9                // healthy and hanging; three at a small scale
	exitBatch  = 100              // entries in one request
	drainAfter = 90 * time.Second // what was left to the outbox is delivered by then, once nothing hangs
)

// provesExits lets cars out at fixed times, of garages that are connected to the payment provider and to the city, in turn
// while these are well and while they hang. Everybody's car has come in before: most may pay later, and their bills are
// ordered to be collected in the commit that lets them out. An exit asks nobody, so that all of the server's time is added.
func provesExits(r *run) error {
	g, err := newGarages(r, r.dir, r.seed, exitLots, quickDeliveries()...)
	if err != nil {
		return err
	}
	defer g.close()
	return g.underServe(func() error {
		giveWay()
		x := &exits{run: r, garages: g, api: newClient(g.serve.api.Addr().String(), 512), chance: rand.New(rand.NewPCG(r.seed, 6))}
		if x.peek, err = openPeek(g.world); err != nil {
			return err
		}
		defer x.peek.close()
		return x.take()
	})
}

// quickDeliveries are how the shipped configuration differs where a proof waits for what is left to the outbox.
func quickDeliveries() []edit {
	return []edit{{"gateway.yaml", `backoff_max: \S+`, "backoff_max: 1s"}, {"gateway.yaml", `\n  poll: \S+`, "\n  poll: 200ms"}}
}

// underServe runs work while the real program stands before the garages.
func (g *garages) underServe(work func() error) error {
	if _, err := g.serve.start(); err != nil {
		return err
	}
	if err := work(); err != nil {
		_ = g.serve.stop()
		return fmt.Errorf("%w\n%s", err, g.serve.lastWords())
	}
	return g.serve.stop()
}

// exits is one taking.
type exits struct {
	run     *run
	garages *garages
	peek    *peek
	api     *client
	chance  *rand.Rand
	cars    int // that have come in

	mu     sync.Mutex
	wrong  map[string]int
	unkept int                     // exits that opened the barrier though the ledger was not there in time
	well   *hdrhistogram.Histogram // microseconds from when each exit was meant to begin, while the systems are well
	ill    *hdrhistogram.Histogram // and while they hang
}

// inside is a car that has come in.
type inside struct {
	lot   *garage
	entry passing
}

// stretch is what some exits in a row came to.
type stretch struct {
	n             int
	p50, p99, cpu float64 // milliseconds; processor time is for each exit
}

func (x *exits) take() error {
	pairs := exitPairs
	if x.run.n < 2*exitPairs*exitRate {
		pairs = 3
	}
	each := x.run.n / (2*pairs + 1)
	x.wrong, x.well, x.ill = map[string]int{}, exitTimes(), exitTimes()
	var healthy, hanging []stretch
	for i := range 2*pairs + 1 { // healthy, hanging, healthy, …, healthy
		s, err := x.stretch(each, i%2 == 1)
		if err != nil {
			return err
		}
		if i%2 == 1 {
			hanging = append(hanging, s)
		} else {
			healthy = append(healthy, s)
		}
		fmt.Fprintf(x.run.progress, "exits: stretch %d of %d: %+v\n", i+1, 2*pairs+1, s)
	}
	return x.say(healthy, hanging, each)
}

// stretch has cars come in, settles what follows from that, and lets them out while the systems are well or hang.
func (x *exits) stretch(n int, hang bool) (s stretch, err error) {
	cars, err := x.enter(exitLead + n)
	if err != nil {
		return s, err
	}
	if hang {
		err = x.garages.dialAll(twin.Dial{Fault: twin.Hang})
	} else {
		err = x.garages.dialAll(twin.Dial{LatencyMS: exitDelay})
	}
	if err != nil {
		return s, err
	}
	if err := openLoop(x.run.ctx, exitLead, exitRate, func(i int, _ time.Time) { x.leave(cars[i], nil) }); err != nil {
		return s, err
	}
	times, seen := exitTimes(), x.well
	if hang {
		seen = x.ill
	}
	before := x.garages.serve.cpu()
	if err := openLoop(x.run.ctx, n, exitRate, func(i int, intended time.Time) { x.leave(cars[exitLead+i], &leaving{intended, times, seen}) }); err != nil {
		return s, err
	}
	used := x.garages.serve.cpu() - before
	at := func(q float64) float64 { return float64(times.ValueAtQuantile(q)) / 1000 }
	s = stretch{n: int(times.TotalCount()), p50: at(50), p99: at(99), cpu: millis(used) / float64(n)}
	if err := x.garages.dialAll(twin.Dial{}); err != nil {
		return s, err
	}
	return s, x.drain()
}

// enter has n cars come in at the garages in turn, and waits until all have heard whether they may pay later.
func (x *exits) enter(n int) ([]inside, error) {
	var all []inside
	var asks []ask
	for len(all) < n {
		lot := x.garages.lots[len(asks)%exitLots]
		var some []passing
		for range min(exitBatch, n-len(all)) {
			plate := plateOf(x.cars)
			x.cars++
			if err := lot.admit(plate, x.payer()); err != nil {
				return nil, err
			}
			p := x.garages.came(lot, plate)
			some, all = append(some, p), append(all, inside{lot, p})
		}
		asks = append(asks, x.garages.passAsk(lot, "entries", some...))
	}
	for _, a := range asks {
		if got, err := x.api.insist(a); err != nil || got.status != http.StatusCreated {
			return nil, fmt.Errorf("cars cannot come in: %s", got.word(err))
		}
	}
	x.chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, x.drain()
}

// payer draws who collects a car's bills: of ten, the provider collects those of six, the city those of two.
func (x *exits) payer() int { return [...]int{0, 0, 0, 0, 0, 0, 1, 1, 2, 2}[x.chance.IntN(10)] }

// leaving is an exit that is measured: microseconds of the server's own time, where its bill is in the first answer, and from
// when it was meant to begin until that answer, whatever it is, unless seen is nil.
type leaving struct {
	intended  time.Time
	own, seen *hdrhistogram.Histogram
}

func exitTimes() *hdrhistogram.Histogram { return hdrhistogram.New(1, 10_000_000, 3) }

// leave lets a car out. measured may be nil.
func (x *exits) leave(c inside, measured *leaving) {
	a := x.garages.passAsk(c.lot, "exits", c.entry.gone())
	got, err := x.api.do(a, 5*time.Second)
	if measured != nil && measured.seen != nil {
		took := time.Since(measured.intended)
		x.mu.Lock()
		_ = measured.seen.RecordValue(min(max(1, took.Microseconds()), measured.seen.HighestTrackableValue()))
		x.mu.Unlock()
	}
	for tries := 0; tries < 20 && err == nil && got.status == http.StatusOK; tries++ { // out, and to be told again
		x.mu.Lock()
		x.unkept++
		x.mu.Unlock()
		measured = nil
		pause(50 * time.Millisecond)
		got, err = x.api.do(a, 5*time.Second)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := passedBy(got); err != nil || got.status != http.StatusCreated || p.State != "left" || p.Bill.Due.Minor == 0 {
		x.wrong[got.word(err)+" "+p.State]++
		return
	}
	if measured != nil {
		_ = measured.own.RecordValue(max(1, got.total().Microseconds())) // a request takes less than the histogram's ten seconds
	}
}

// drain waits until the outbox is empty and all that was inside has its permissions.
func (x *exits) drain() error {
	ctx, cancel := context.WithTimeout(x.run.ctx, drainAfter)
	defer cancel()
	for {
		waiting, err := x.peek.number(ctx, `SELECT COUNT(*) FROM messages WHERE state = 'waiting'`)
		if err != nil {
			return err
		}
		permitted, err := x.peek.number(ctx, `SELECT COUNT(*) FROM parking_permissions`)
		if err != nil {
			return err
		}
		if waiting == 0 && permitted >= int64(2*x.cars) {
			return nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return errors.Join(fmt.Errorf("%d messages wait, and %d of %d permissions came", waiting, permitted, 2*x.cars), err)
		}
	}
}

func (x *exits) say(healthy, hanging []stretch, each int) error {
	to := x.run.report
	middle := func(all []stretch, of func(s stretch) float64) float64 {
		var values []float64
		for _, s := range all {
			values = append(values, of(s))
		}
		return median(values)
	}
	var slower, aa [3][]float64
	right := 0
	for i, of := range []func(s stretch) float64{cpuOf, p50Of, p99Of} {
		for k, h := range hanging {
			slower[i] = append(slower[i], 2*of(h)/(of(healthy[k])+of(healthy[k+1])))
			aa[i] = append(aa[i], of(healthy[k+1])/of(healthy[k]))
		}
	}
	for _, s := range append(append([]stretch{}, healthy...), hanging...) {
		right += s.n
	}
	stretches := len(healthy) + len(hanging)
	to.note("garages, rate, stretches of exits in turn healthy and hanging", "%d, %d/s, %d of %d", exitLots, exitRate, stretches, each)
	for what, n := range x.wrong {
		to.note("exits answered otherwise: "+what, "%d", n)
	}
	to.note("exits that opened the barrier though the ledger was late, and were told again", "%d", x.unkept)
	to.atLeast("exits that had a bill in the first answer, of those begun", "×", float64(right)/float64(stretches*each), 1, 1.1)
	to.note("healthy: processor time of the gateway for each exit, with what it delivers meanwhile", "%.2f ms", middle(healthy, cpuOf))
	to.note("hanging: the same, with what it tries in vain", "%.2f ms", middle(hanging, cpuOf))
	to.note("healthy: p50 / p99, medians of stretches", "%.2f / %.2f ms", middle(healthy, p50Of), middle(healthy, p99Of))
	to.note("hanging: p50 / p99, medians of stretches", "%.2f / %.2f ms", middle(hanging, p50Of), middle(hanging, p99Of))
	to.note("A/A: processor time, p50 and p99, healthy over healthy", "%.2f / %.2f / %.2f×", median(aa[0]), median(aa[1]), median(aa[2]))
	to.atMost("healthy: server's time of an exit, p99, median of stretches", "ms", middle(healthy, p99Of), 15, 12)
	to.atMost("processor time for each exit, hanging over healthy", "×", median(slower[0]), 1.15, 2)
	to.atMost("p50, hanging over healthy", "×", median(slower[1]), 1.15, 2)
	to.atMost("p99, hanging over healthy", "×", median(slower[2]), 1.5, 3)
	return errors.Join(x.count(), x.garages.hold(to, "parking-exit", fmt.Sprintf("A parking exit, at %d a second", exitRate),
		fmt.Sprintf("%d exits a second; each call at the systems takes %d ms, or hangs", exitRate, exitDelay),
		loop{name: "the systems are well", times: x.well}, loop{name: "the systems hang", times: x.ill}))
}

func cpuOf(s stretch) float64 { return s.cpu }
func p50Of(s stretch) float64 { return s.p50 }
func p99Of(s stretch) float64 { return s.p99 }

// count holds what has become of the cars against the systems' books.
func (x *exits) count() error {
	wrong := 0
	for _, n := range x.wrong {
		wrong += n
	}
	var bills [payers]int64
	for i, by := range []string{"payment", "city", "nobody"} {
		var err error
		if bills[i], err = x.peek.number(x.run.ctx, `SELECT COUNT(*) FROM parking_bills WHERE collect = $1`, by); err != nil {
			return err
		}
	}
	var charged, ordered int
	for _, lot := range x.garages.lots {
		charged += len(lot.provider.ReadBooks().Charges)
		ordered += len(lot.brain.ReadBooks().Bills)
	}
	to := x.run.report
	to.note("bills that the provider collects / the city / nobody", "%d / %d / %d", bills[payerProvider], bills[payerCity], bills[payerNobody])
	to.exactly("bills, for each car that was let out", int(bills[0]+bills[1]+bills[2]), x.cars-wrong)
	to.exactly("charges at the provider, for its bills", charged, int(bills[payerProvider]))
	to.exactly("collections at the city, for its bills", ordered, int(bills[payerCity]))
	return nil
}
