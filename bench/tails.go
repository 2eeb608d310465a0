package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/valyala/fasthttp"
)

const (
	tailRate    = 1000                  // requests a second
	tailLatency = 10 * time.Millisecond // of each call at the systems
	tailWarm    = 200                   // requests before those that count, in the first round
)

// tail is what a subject's requests came to in one open loop: microseconds, from the moment at which each was meant to be sent.
type tail struct {
	total, added *hdrhistogram.Histogram
	cpu          time.Duration // for each request
}

func newTail() tail {
	return tail{total: hdrhistogram.New(1, 10_000_000, 3), added: hdrhistogram.New(1, 10_000_000, 3)}
}

func at(h *hdrhistogram.Histogram, q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }

// tails are stretches in turn, by subject.
type tails struct {
	work    *work
	systems *canned // nil: nobody is asked
	of      map[*subject][]tail
}

// takeTails sends each subject in turn so many requests at a fixed rate, in every round, while each call at the systems takes
// its time. Added is a request's time less the slowest of its calls as measured at the systems' sockets.
func takeTails(r *run, w *work, systems *canned, rounds, each int) (*tails, error) {
	t := &tails{work: w, systems: systems, of: map[*subject][]tail{}}
	if systems != nil {
		systems.latency.Store(int64(tailLatency))
		defer systems.latency.Store(0)
	}
	drivers := map[*subject]*driver{}
	for _, s := range w.all() {
		drivers[s] = newDriver(s, w.target)
		defer drivers[s].host.CloseIdleConnections()
		if _, err := t.open(r, drivers[s], s, min(each, tailWarm)); err != nil {
			return nil, err
		}
	}
	for round := range rounds {
		for _, s := range w.all() {
			got, err := t.open(r, drivers[s], s, each)
			if err != nil {
				return nil, err
			}
			t.of[s] = append(t.of[s], got)
		}
		fmt.Fprintf(r.progress, "%s: open loop, round %d of %d\n", w.title, round+1, rounds)
	}
	return t, nil
}

// open sends one subject n requests.
func (t *tails) open(r *run, d *driver, s *subject, n int) (tail, error) {
	out := newTail()
	var mu sync.Mutex
	wrong, before := int64(0), s.cpu()
	err := openLoop(r.ctx, n, tailRate, func(_ int, intended time.Time) {
		id, parent := newTrace()
		res := fasthttp.AcquireResponse()
		defer fasthttp.ReleaseResponse(res)
		err := d.send(d.path(), parent, res)
		took := time.Since(intended)
		slowest, complete := t.systems.slowest(id)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || res.StatusCode() != http.StatusOK || !complete {
			wrong++
			return
		}
		_ = out.total.RecordValue(took.Microseconds()) // a request has five seconds, the histogram ten
		_ = out.added.RecordValue(max(1, (took - slowest).Microseconds()))
	})
	if err == nil && wrong > tooManyWrong(int64(n)) {
		err = fmt.Errorf("%s has answered %d of %d requests otherwise, or not asked every system", s.name, wrong, n)
	}
	out.cpu = (s.cpu() - before) / time.Duration(n)
	return out, err
}

// slowest returns the longest of the calls of a trace and whether each system was asked, and forgets them.
func (c *canned) slowest(trace string) (longest time.Duration, complete bool) {
	if c == nil {
		return 0, true
	}
	c.times.mu.Lock()
	defer c.times.mu.Unlock()
	calls := c.times.calls[trace]
	for _, took := range calls {
		longest = max(longest, took)
	}
	delete(c.times.calls, trace)
	return longest, len(calls) == len(lookRoles)
}

// addedOver returns, for each round, the added time of a subject at a quantile over another's.
func (t *tails) addedOver(s, other *subject, q float64) (ratios []float64) {
	for i, x := range t.of[s] {
		ratios = append(ratios, at(x.added, q)/at(t.of[other][i].added, q))
	}
	return ratios
}

// whole merges a subject's stretches.
func (t *tails) whole(s *subject) tail {
	all := newTail()
	for _, x := range t.of[s] {
		all.total.Merge(x.total)
		all.added.Merge(x.added)
	}
	return all
}

// table says what each subject takes, and adds.
func (t *tails) table() table {
	out := table{title: t.work.title + ": time that is added, open loop", columns: []string{"", "added p50 / p99 / p99.9, ms", "p99, medians of rounds, ms",
		overFloor, "client's p50 / p99 / p99.9, ms", "CPU for each request, µs"}, lines: lines{unit: "ms added", x: "percentile"}}
	note := fmt.Sprintf(", %s for each call at the systems", tailLatency)
	end := "; added is less the slowest of a request's calls, as measured at the systems' sockets."
	if t.systems == nil {
		out.title, note, end = t.work.title+": time until the answer, open loop", "", "; nobody else is asked, so all of the client's time is added."
	}
	rounds := 0
	for _, s := range t.work.all() {
		all := t.whole(s)
		var cpu, p99 []float64
		for _, x := range t.of[s] {
			cpu, p99 = append(cpu, micros(x.cpu)), append(p99, at(x.added, 99))
		}
		rounds = len(p99)
		out.rows = append(out.rows, []string{s.name, quantiles(all.added), spreadOf(p99).text(2), spreadOf(t.addedOver(s, t.work.floor, 99)).text(2),
			quantiles(all.total), spreadOf(cpu).text(0)})
		out.lines.all = append(out.lines.all, quantileLine(s.name, all.added))
	}
	out.note = fmt.Sprintf("Load: %d requests a second, open loop%s, %d rounds in turn. The ratio is of the p99. Times count from the intended start (HdrHistogram)%s",
		tailRate, note, rounds, end)
	return out
}

func quantiles(h *hdrhistogram.Histogram) string {
	return fmt.Sprintf("%.2f / %.2f / %.2f", at(h, 50), at(h, 99), at(h, 99.9))
}

// quantileLine is a histogram as a curve.
func quantileLine(name string, h *hdrhistogram.Histogram) line {
	one := line{name: name}
	for _, q := range []float64{10, 25, 50, 75, 90, 95, 99, 99.5, 99.9} {
		one.points = append(one.points, point{at: fmt.Sprint(q), value: at(h, q)})
	}
	return one
}
