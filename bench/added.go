package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/uuid"
)

const (
	addedRate    = 500                   // entries a second
	addedLatency = 10 * time.Millisecond // of every call at the twin
	warmUp       = 500                   // entries before, at the same rate
	stretches    = 9                     // that the run is cut into
)

// provesAdded sends entries at fixed times to the real program. What the gateway adds is its own time, from a request's
// complete head to the answer, less the longest path through the entry's calls as measured at the twin's sockets: the hops
// to the backends and back are the gateway's. The client's view is noted beside it, late starts and all. The targets are
// held by the medians of nine stretches of the run, so that a stall of the machine spoils the one that it falls into.
func provesAdded(r *run) error {
	twin := newSockets(addedLatency, entryStep)
	w, err := newWorld(r.dir, r.seed, twin.serve)
	if err != nil {
		return err
	}
	defer w.close()
	defer twin.close()
	program, err := r.program()
	if err != nil {
		return err
	}
	serve, err := newChild(w, program)
	if err != nil {
		return err
	}
	if _, err := serve.start(); err != nil {
		return err
	}
	m, err := measureEntries(r, w, twin, serve)
	if err != nil {
		_ = serve.stop()
		return fmt.Errorf("%w\n%s", err, serve.lastWords())
	}
	m.say(r.report, r.n, addedWords{many: "entries", one: "entry", ended: "opened the gate", p50: 1, p99: 8})
	err = w.hold(r.report, "scenic-entry", fmt.Sprintf("An entry, at %d a second", addedRate),
		fmt.Sprintf("%d entries a second, %s for each call at ticketing", addedRate, addedLatency), m.loops("until the gate opens")...)
	return errors.Join(err, serve.stop())
}

// addedTimes are histograms in microseconds.
type addedTimes struct {
	mu                             sync.Mutex
	client, path, added, own, late *hdrhistogram.Histogram
	stretch                        [stretches]*hdrhistogram.Histogram // of own
	wrong                          map[string]int
	cpu                            time.Duration // that the gateway's process used
}

func newAddedTimes() *addedTimes {
	h := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 10_000_000, 3) }
	m := &addedTimes{client: h(), path: h(), added: h(), own: h(), late: h(), wrong: map[string]int{}}
	for i := range m.stretch {
		m.stretch[i] = h()
	}
	return m
}

// note keeps the times of one entry in stretch i.
func (m *addedTimes) note(i int, total, path, server, late time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range []struct {
		h *hdrhistogram.Histogram
		d time.Duration
	}{{m.client, total}, {m.path, path}, {m.added, total - path}, {m.own, server - path}, {m.stretch[i], server - path}, {m.late, late}} {
		if err := x.h.RecordValue(max(1, x.d.Microseconds())); err != nil {
			return err
		}
	}
	return nil
}

func (m *addedTimes) fail(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong[what]++
}

// entryStep says which step of an entry makes a call.
func entryStep(_, path string) string {
	switch {
	case strings.HasPrefix(path, "/availability"):
		return "day"
	case strings.HasSuffix(path, "/redeem"):
		return "redeem"
	}
	return "find"
}

// entryPath is the longest path through an entry's calls: ticket and day are asked for at once, then it is redeemed.
func entryPath(c calls) (time.Duration, bool) {
	return max(c["find"], c["day"]) + c["redeem"], c["find"] > 0 && c["redeem"] > 0
}

func measureEntries(r *run, w *world, twin *sockets, serve *child) (*addedTimes, error) {
	tickets, err := w.issue(warmUp+r.n, 1)
	if err != nil {
		return nil, err
	}
	token, err := w.mint("gate", "scenic:gate")
	if err != nil {
		return nil, err
	}
	return measureAdded(r, twin, serve, addedRate, warmUp, entryPath, func(i int) ask {
		return entry(token, "north-1", uuid.NewString(), shown(tickets[i]))
	})
}

// measureAdded sends asks in an open loop, those of the warm-up before the ones that count.
func measureAdded(r *run, twin *sockets, serve *child, rate float64, warm int, longest func(calls) (time.Duration, bool), ask func(i int) ask) (*addedTimes, error) {
	api := newClient(serve.api.Addr().String(), 512)
	m := newAddedTimes()
	var broken atomic.Pointer[error]
	one := func(i int, intended time.Time, counts bool) {
		late := time.Since(intended)
		a := ask(i)
		var trace string
		trace, a.trace = newTrace()
		got, err := api.do(a, 5*time.Second)
		took := time.Since(intended)
		path, complete := longest(twin.of(trace))
		switch {
		case !counts:
		case err != nil || got.status != http.StatusCreated:
			m.fail(got.word(err))
		case !complete:
			m.fail("its calls are not known")
		default:
			if err := m.note((i-warm)*stretches/r.n, took, path, got.total(), late); err != nil {
				broken.Store(&err)
			}
		}
	}
	if err := openLoop(r.ctx, warm, rate, func(i int, at time.Time) { one(i, at, false) }); err != nil {
		return nil, err
	}
	before := serve.cpu()
	if err := openLoop(r.ctx, r.n, rate, func(i int, at time.Time) { one(warm+i, at, true) }); err != nil {
		return nil, err
	}
	if err := broken.Load(); err != nil {
		return nil, *err
	}
	m.cpu = serve.cpu() - before
	return m, nil
}

// loops are what was measured, for the report's picture.
func (m *addedTimes) loops(until string) []loop {
	return []loop{{name: until, times: m.client}, {name: "added, as the client sees it", times: m.added, part: true}, {name: "added, the server's own time", times: m.own, part: true}}
}

// addedWords are what a report says of the journeys measured, and what is promised of them.
type addedWords struct {
	many, one, ended string
	p50, p99         float64 // milliseconds
}

func (m *addedTimes) say(to *report, n int, words addedWords) {
	ms := func(h *hdrhistogram.Histogram, q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	to.note(words.many+" measured", "%d", m.client.TotalCount())
	for _, what := range slices.Sorted(maps.Keys(m.wrong)) {
		to.note(words.many+" answered otherwise: "+what, "%d", m.wrong[what])
	}
	to.atLeast(words.many+" that "+words.ended+", of those begun", "×", float64(m.client.TotalCount())/float64(n), 1, 1.1)
	to.note("processor time of the gateway, for each "+words.one, "%.2f ms", millis(m.cpu)/float64(n))
	to.note("client's time, p50 / p99", "%.2f / %.2f ms", ms(m.client, 50), ms(m.client, 99))
	to.note("longest path of its calls, p50 / p99", "%.2f / %.2f ms", ms(m.path, 50), ms(m.path, 99))
	to.note("started late by the load generator, p50 / p99", "%.2f / %.2f ms", ms(m.late, 50), ms(m.late, 99))
	to.note("added as the client sees it, p50 / p99", "%.2f / %.2f ms", ms(m.added, 50), ms(m.added, 99))
	to.note("added, whole run, p50 / p99 / p99.9 / most", "%.2f / %.2f / %.2f / %.2f ms",
		ms(m.own, 50), ms(m.own, 99), ms(m.own, 99.9), float64(m.own.Max())/1000)
	middle := func(q float64) float64 {
		var all []float64
		for _, h := range m.stretch {
			if h.TotalCount() > 0 {
				all = append(all, ms(h, q))
			}
		}
		return median(all)
	}
	to.atMost("added, p50, median of nine stretches", "ms", middle(50), words.p50, 4)
	to.atMost("added, p99, median of nine stretches", "ms", middle(99), words.p99, 5)
}
