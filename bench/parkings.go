package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"time"
)

const (
	parkingsFew   = 100                    // times fewer stays in the ledger that is compared with
	parkingsPairs = 9                      // stretches at each ledger; three at a small scale
	parkingsExits = 600                    // in a stretch; a quarter at a small scale
	parkingsSmall = 100_000                // stays: below them the scale is a small one
	parkingsAlone = "riverside-lot"        // connected to nothing: what its exits cost is theirs alone
	idleBefore    = 2 * time.Second        // the first stretch
	parkingsKills = 5                      // starts after a kill
	killAmidst    = 250 * time.Millisecond // exits under way
)

// provesParkings lets cars out in turn before a ledger with a hundredth of the stays and before one with all of them: what
// an exit costs must not grow with what lies there. The stays are copies, under ids, plates and times of their own, of what
// the flow itself has written of some visits: whole ones, with events, permissions, bills, books, collections and journeys.
func provesParkings(r *run) error {
	few, err := newParkings(r, "few", max(1, r.n/parkingsFew))
	if err != nil {
		return err
	}
	defer few.close()
	many, err := newParkings(r, "many", r.n)
	if err != nil {
		return err
	}
	defer many.close()
	return few.underServe(func() error {
		return many.underServe(func() error {
			giveWay()
			return compareParkings(r, few, many)
		})
	})
}

// parkings is a city whose ledger holds many stays.
type parkings struct {
	*garages
	alone *garage
	api   *client
	cars  int
	stays int
}

// newParkings builds a city, lets some cars through it, and copies what came of that.
func newParkings(r *run, name string, stays int) (*parkings, error) {
	g, err := newGarages(r, filepath.Join(r.dir, name), r.seed, 1, quickDeliveries()...)
	if err != nil {
		return nil, err
	}
	p := &parkings{garages: g, stays: stays}
	if p.alone, err = g.openAlone(parkingsAlone); err == nil {
		err = p.sow(r)
	}
	if err != nil {
		g.close()
		return nil, err
	}
	p.serve, err = newChild(g.world, g.serve.program) // sow has stopped the other
	return p, err
}

// sow has one car of each kind come and leave, and multiplies them.
func (p *parkings) sow(r *run) error {
	x := &exits{run: r, garages: p.garages, api: newClient(p.serve.api.Addr().String(), 8), chance: rand.New(rand.NewPCG(r.seed, 7)), wrong: map[string]int{}}
	err := p.underServe(func() (err error) {
		if x.peek, err = openPeek(p.world); err != nil {
			return err
		}
		defer x.peek.close()
		for payer := range payers {
			plate := plateOf(x.cars)
			x.cars++
			if err := p.lots[0].admit(plate, payer); err != nil {
				return err
			}
			in := p.came(p.lots[0], plate)
			if got, err := x.api.insist(p.passAsk(p.lots[0], "entries", in)); err != nil || got.status != http.StatusCreated {
				return fmt.Errorf("a car cannot come in: %s", got.word(err))
			}
			if err := x.drain(); err != nil {
				return err
			}
			x.leave(inside{p.lots[0], in}, nil)
		}
		return errors.Join(x.settled(), x.drain())
	})
	if err != nil {
		return err
	}
	began := time.Now()
	err = sowParkings(r.ctx, p.world, p.stays)
	fmt.Fprintf(r.progress, "parkings: %d stays made in %s\n", p.stays, time.Since(began).Round(time.Second/10))
	return err
}

// settled waits until every collection is paid, and the city was told where it wants to hear of it.
func (x *exits) settled() error {
	ctx, cancel := context.WithTimeout(x.run.ctx, drainAfter)
	defer cancel()
	for {
		open, err := x.peek.number(ctx, `SELECT COUNT(*) FROM parking_collections WHERE state <> 'paid' OR look_at > 0`)
		if err != nil || open == 0 {
			return err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d collections are not paid and told of: %w", open, err)
		}
	}
}

// enter has n cars come in at the garage that is connected to nothing.
func (p *parkings) enter(n int) (all []inside, err error) {
	for len(all) < n {
		var some []passing
		for range min(exitBatch, n-len(all)) {
			in := p.came(p.alone, plateOf(1000+p.cars))
			p.cars++
			some, all = append(some, in), append(all, inside{p.alone, in})
		}
		if got, err := p.api.insist(p.passAsk(p.alone, "entries", some...)); err != nil || got.status != http.StatusCreated {
			return nil, fmt.Errorf("cars cannot come in: %s", got.word(err))
		}
	}
	return all, nil
}

// stretch lets n cars out.
func (p *parkings) stretch(x *exits, n int) (s stretch, err error) {
	cars, err := p.enter(n)
	if err != nil {
		return s, err
	}
	if err := wait(x.run.ctx, 200*time.Millisecond); err != nil { // what is behind the entries is over
		return s, err
	}
	times := exitTimes()
	before := p.serve.cpu()
	err = openLoop(x.run.ctx, n, exitRate, func(i int, intended time.Time) { x.leave(cars[i], &leaving{intended: intended, own: times}) })
	used := p.serve.cpu() - before
	at := func(q float64) float64 { return float64(times.ValueAtQuantile(q)) / 1000 }
	return stretch{n: int(times.TotalCount()), p50: at(50), p99: at(99), cpu: millis(used) / float64(n)}, err
}

func compareParkings(r *run, few, many *parkings) error {
	pairs, n := parkingsPairs, parkingsExits
	if r.n < parkingsSmall {
		pairs, n = 3, parkingsExits/4
	}
	takers := map[*parkings]*exits{}
	for _, p := range []*parkings{few, many} {
		p.api = newClient(p.serve.api.Addr().String(), 512)
		takers[p] = &exits{run: r, garages: p.garages, api: p.api, wrong: map[string]int{}}
		if _, err := p.stretch(takers[p], n/4); err != nil { // both are warm
			return err
		}
	}
	if err := wait(r.ctx, idleBefore); err != nil {
		return err
	}
	all := map[*parkings][]stretch{}
	for i := range 2*pairs + 1 {
		p := few
		if i%2 == 1 {
			p = many
		}
		s, err := p.stretch(takers[p], n)
		if err != nil {
			return err
		}
		all[p] = append(all[p], s)
		fmt.Fprintf(r.progress, "parkings: %d stays: %+v\n", p.stays, s)
	}
	sayParkings(r.report, few, many, all)
	for what, n := range takers[many].wrong {
		r.report.note("exits answered otherwise: "+what, "%d", n)
	}
	return many.memoryAndStarts(r)
}

func sayParkings(to *report, few, many *parkings, all map[*parkings][]stretch) {
	var slower, aa [2][]float64
	costs := make([][]float64, 2) // of few and many, in microseconds, pair by pair
	for k, m := range all[many] {
		costs[0], costs[1] = append(costs[0], 1000*(all[few][k].cpu+all[few][k+1].cpu)/2), append(costs[1], 1000*m.cpu)
	}
	sizes := []int{few.stays, many.stays}
	grown := curve("Stays in the ledger: processor time of an exit",
		fmt.Sprintf("Load: %d exits a second, open loop, in turns. Medians, with the quartiles.", exitRate), sizes, costs)
	grown.allow(sizes)
	to.tables = append(to.tables, grown)
	right := 0
	for i, of := range []func(s stretch) float64{cpuOf, p50Of} {
		for k, m := range all[many] {
			slower[i] = append(slower[i], 2*of(m)/(of(all[few][k])+of(all[few][k+1])))
			aa[i] = append(aa[i], of(all[few][k+1])/of(all[few][k]))
		}
	}
	middle := func(p *parkings, of func(s stretch) float64) float64 {
		var values []float64
		for _, s := range all[p] {
			values = append(values, of(s))
		}
		return median(values)
	}
	for _, p := range []*parkings{few, many} {
		for _, s := range all[p] {
			right += s.n
		}
		to.note(fmt.Sprintf("with %d stays: processor time of an exit, p50, p99", p.stays), "%.2f / %.2f / %.2f ms", middle(p, cpuOf), middle(p, p50Of), middle(p, p99Of))
	}
	to.note("exits measured", "%d", right)
	to.control("A/A control: processor time, few over few, median", median(aa[0]))
	to.note("the same of p50", "%.2f×", median(aa[1]))
	to.atMost("processor time of an exit, many over few, median", "×", median(slower[0]), 1.15, 1.5)
	doublings := math.Log2(float64(many.stays) / float64(few.stays))
	to.atMost("twice the stays in the ledger, processor time of an exit", "×", math.Pow(median(slower[0]), 1/doublings), doublingMay, 1.5)
	to.gate()
	to.atMost("p50 of an exit, many over few, median", "×", median(slower[1]), 1.15, 1.7)
}

// memoryAndStarts reads the memory after the exits, and kills the program in the midst of others.
func (p *parkings) memoryAndStarts(r *run) error {
	r.report.note("memory (RSS) after the exits", "%.0f MiB", p.serve.memory())
	r.report.atMost("memory (RSS), the most so far", "MiB", p.serve.status("VmHWM:"), 300, 1)
	var took []float64
	for range parkingsKills {
		p.api = newClient(p.serve.api.Addr().String(), 512) // the connections of before a kill are gone
		cars, err := p.enter(exitRate)
		if err != nil {
			return err
		}
		loaded := make(chan error, 1)
		ctx, stop := context.WithCancel(r.ctx)
		go func() {
			loaded <- openLoop(ctx, len(cars), exitRate, func(i int, _ time.Time) {
				_, _ = p.api.do(p.passAsk(p.alone, "exits", cars[i].entry.gone()), time.Second)
			})
		}()
		err = errors.Join(wait(r.ctx, killAmidst), p.serve.kill())
		stop()
		if ended := <-loaded; ended != nil && !errors.Is(ended, context.Canceled) {
			err = errors.Join(err, ended)
		}
		if err != nil {
			return err
		}
		d, err := p.serve.start()
		if err != nil {
			return err
		}
		took = append(took, millis(d))
	}
	r.report.atMost(fmt.Sprintf("ready after kill -9 under load, median of %d", len(took)), "ms", median(took), 1000, 3)
	r.report.atMost("the slowest of them", "ms", slices.Max(took), 1000, 3)
	return nil
}
