package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// stretchOf is how long one subject is kept busy before the next one's turn.
const stretchOf = 400 * time.Millisecond

// work is something that several subjects do for the same request. The floor is measured twice in each round.
type work struct {
	title  string
	target target
	floor  *subject
	rest   []*subject // the gateway first
}

func (w *work) all() []*subject { return append([]*subject{w.floor}, w.rest...) }

// costs are what saturated stretches came to, by subject, one for each round. again is the floor's second turn.
type costs struct {
	work   *work
	of     map[*subject][]saturation
	again  []saturation
	memory map[*subject]float64 // MiB, the most so far
}

// takeCosts keeps each subject busy in turn, round after round: half of those that are not the floor, the floor, the other half,
// the floor again. So both turns of the floor come after somebody else's, and one over the other is the control.
func takeCosts(r *run, w *work, rounds int) (*costs, error) {
	c := &costs{work: w, of: map[*subject][]saturation{}, memory: map[*subject]float64{}}
	drivers := map[*subject]*driver{}
	for _, s := range w.all() {
		drivers[s] = newDriver(s, w.target)
		defer drivers[s].host.CloseIdleConnections()
	}
	half := (len(w.rest) + 1) / 2
	order := slices.Concat(w.rest[:half], []*subject{w.floor}, w.rest[half:], []*subject{w.floor})
	for round := -1; round < rounds; round++ { // the first one warms up
		if round == 0 {
			for _, s := range w.all() {
				s.forgetPeak()
			}
		}
		for turn, s := range order {
			got, err := drivers[s].saturate(r, s)
			switch {
			case err != nil:
				return nil, err
			case round < 0:
			case turn == len(order)-1:
				c.again = append(c.again, got)
			default:
				c.of[s] = append(c.of[s], got)
			}
		}
		fmt.Fprintf(r.progress, "%s: round %d of %d\n", w.title, round+1, rounds)
	}
	for _, s := range w.all() {
		c.memory[s] = s.peak()
		if n := c.wrong(s); n > 0 {
			r.report.note(s.name+": requests that were answered otherwise", "%d", n)
		}
	}
	return c, nil
}

// wrong is how many requests a subject has not answered as it should.
func (c *costs) wrong(s *subject) (n int64) {
	for _, x := range c.of[s] {
		n += x.wrong
	}
	return n
}

// floorIn is the floor's cost in a round: of both its turns.
func (c *costs) floorIn(round int) float64 {
	return float64(c.of[c.work.floor][round].cpu+c.again[round].cpu) / 2
}

// over returns, for each round, the cost of a subject over another's; nil stands for the floor.
func (c *costs) over(s, other *subject) (ratios []float64) {
	for i, x := range c.of[s] {
		below := c.floorIn(i)
		if other != nil {
			below = float64(c.of[other][i].cpu)
		}
		ratios = append(ratios, float64(x.cpu)/below)
	}
	return ratios
}

// control is the floor over itself.
func (c *costs) control() (ratios []float64) {
	for i, x := range c.again {
		ratios = append(ratios, float64(x.cpu)/float64(c.of[c.work.floor][i].cpu))
	}
	return ratios
}

// table says what each subject costs.
func (c *costs) table() table {
	t := table{title: c.work.title + ": cost of one request",
		note: fmt.Sprintf("Load: %d connections, all of them busy, in turns of %s; %d rounds. Medians, with the quartiles. Requests a second are informative: "+
			"the load generator and the backends share the cores.", connections, stretchOf, len(c.again)),
		columns: []string{"", "CPU for each request, µs", overFloor, "requests/s", "memory, at most, MiB"}}
	for _, s := range c.work.all() {
		var cpu, rate []float64
		for _, x := range c.of[s] {
			cpu, rate = append(cpu, micros(x.cpu)), append(rate, x.rate)
		}
		ratio := spreadOf(c.over(s, nil))
		t.rows = append(t.rows, []string{s.name, spreadOf(cpu).text(1), ratio.text(2), fmt.Sprintf("%.0f", median(rate)), fmt.Sprintf("%.0f", c.memory[s])})
		t.bars = append(t.bars, bar{s.name, spreadOf(cpu)})
	}
	t.rows = append(t.rows, []string{"A/A control: " + c.work.floor.name, "", spreadOf(c.control()).text(2), "", ""})
	return t
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// spread is a median with the quartiles around it.
type spread struct{ low, middle, high float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return spread{}
	}
	at := func(q float64) float64 { return sorted[int(q*float64(len(sorted)-1)+0.5)] }
	return spread{at(0.25), median(sorted), at(0.75)}
}

func (s spread) text(digits int) string {
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.middle, digits, s.low, digits, s.high)
}

// stopAll ends subjects in peace.
func stopAll(all ...*subject) error {
	var errs []error
	for _, s := range all {
		if s != nil {
			errs = append(errs, s.stop())
		}
	}
	return errors.Join(errs...)
}
