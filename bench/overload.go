package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
)

const (
	overloadTimes   = 5
	overloadRoom    = 24                     // requests in flight: what bounds the capacity here, and not the shared cores
	overloadLatency = 25                     // ms of every call at the twin
	overloadWorkers = overloadRoom           // of the closed loop: the room is full, nobody waits
	overloadWarm    = 500 * time.Millisecond // before the capacity is taken
)

// provesOverload takes the capacity in a closed loop of entries, then asks for five times as much in an open loop: two in
// five are entries, one is a correction of the count by staff, two read the count.
func provesOverload(r *run) error {
	w, err := newWorld(r.dir, r.seed, nil,
		edit{"gateway.yaml", `\n    in_flight: \d+`, fmt.Sprintf("\n    in_flight: %d", overloadRoom)},
		edit{"gateway.yaml", `\n    queue: \d+`, fmt.Sprintf("\n    queue: %d", overloadRoom/4)},
		edit{"gateway.yaml", `scope: address, rate: \d+, per: 1s, burst: \d+`, "scope: address, rate: 100000, per: 1s, burst: 100000"},
		edit{"gateway.yaml", `scope: principal, rate: \d+, per: 1s, burst: \d+`, "scope: principal, rate: 100000, per: 1s, burst: 100000"},
		edit{"gateway.yaml", `scope: venue, rate: \d+, per: 1s, burst: \d+`, "scope: venue, rate: 100000, per: 1s, burst: 100000"})
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.city.Dial("octo", spot, twin.Dial{LatencyMS: overloadLatency}); err != nil {
		return err
	}
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
	o, err := newOverload(r, w, serve)
	if err == nil {
		err = o.take()
	}
	return errors.Join(err, serve.stop())
}

// The kinds of requests, by their priority.
const (
	kindEntry      = iota // critical
	kindCorrection        // high
	kindRead              // normal
	kinds
)

// overload is one taking.
type overload struct {
	run                *run
	world              *world
	api                *client
	gate, staff, reads string // tokens
	tickets            chan octo.Made

	mu     sync.Mutex
	served [kinds]int
	shed   [kinds]int
	other  map[string]int
	sheds  *hdrhistogram.Histogram // µs from sending to the answer of what was shed
	meant  *hdrhistogram.Histogram // the same from the intended start
	good   *hdrhistogram.Histogram // µs of entries that opened the gate, from the intended start
}

func newOverload(r *run, w *world, serve *child) (o *overload, err error) {
	h := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 30_000_000, 3) }
	o = &overload{run: r, world: w, api: newClient(serve.api.Addr().String(), 900), other: map[string]int{}, sheds: h(), meant: h(), good: h()}
	for _, t := range []struct {
		into  *string
		scope string
	}{{&o.gate, "scenic:gate"}, {&o.staff, "staff:assist"}, {&o.reads, "scenic:read"}} {
		if *t.into, err = w.mint("overload", t.scope); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *overload) take() error {
	d := time.Duration(o.run.n) * time.Second
	if err := o.stock(o.run.n * 4000); err != nil {
		return err
	}
	closedLoop(o.run.ctx, overloadWorkers, overloadWarm, func(int) { _, _ = o.enter() })
	capacity := 0.0
	for range 3 { // the best of three: what the machine can do when nobody else is at it
		capacity = max(capacity, o.capacity(d/3))
	}
	if capacity < 1 {
		return errors.New("nobody came through the gate")
	}
	rate := overloadTimes * capacity
	n := int(rate * d.Seconds())
	if err := o.stock(n); err != nil {
		return err
	}
	began := time.Now()
	if err := openLoop(o.run.ctx, n, rate, o.one); err != nil {
		return err
	}
	o.say(capacity, rate, n, time.Since(began))
	return nil
}

// capacity returns how many entries a second open the gate in a closed loop.
func (o *overload) capacity(d time.Duration) float64 {
	var opened atomic.Int64
	began := time.Now()
	closedLoop(o.run.ctx, overloadWorkers, d, func(int) {
		if got, err := o.enter(); err == nil && got.status == http.StatusCreated {
			opened.Add(1)
		}
	})
	return float64(opened.Load()) / time.Since(began).Seconds()
}

// stock issues tickets, enough for n entries.
func (o *overload) stock(n int) error {
	made, err := o.world.issue(n, 1)
	if err != nil {
		return err
	}
	o.tickets = make(chan octo.Made, len(made))
	for _, m := range made {
		o.tickets <- m
	}
	return nil
}

func (o *overload) enter() (answer, error) {
	select {
	case t := <-o.tickets:
		return o.api.do(entry(o.gate, "north-1", uuid.NewString(), shown(t)), 5*time.Second)
	default:
		return answer{}, errors.New("the tickets are sold out")
	}
}

// one is a request of the open loop.
func (o *overload) one(i int, intended time.Time) {
	kind := [5]int{kindEntry, kindRead, kindCorrection, kindEntry, kindRead}[i%5]
	sent := time.Now()
	var got answer
	var err error
	path := "/v1/attractions/" + spot + "/occupancy"
	switch kind {
	case kindEntry:
		got, err = o.enter()
	case kindCorrection:
		body, _ := json.Marshal(map[string]any{"inside": 1, "reason": "counted"}) // these values always encode
		got, err = o.api.do(ask{method: http.MethodPost, path: path, token: o.staff, key: uuid.NewString(), body: body}, 5*time.Second)
	default:
		got, err = o.api.do(ask{method: http.MethodGet, path: path, token: o.reads}, 5*time.Second)
	}
	o.note(kind, got, err, time.Since(sent), time.Since(intended))
}

func (o *overload) note(kind int, got answer, err error, took, meant time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil:
		o.other["no answer"]++
	case got.status < 300:
		o.served[kind]++
		if kind == kindEntry {
			_ = o.good.RecordValue(meant.Microseconds())
		}
	case got.problem == "overloaded":
		o.shed[kind]++
		_ = o.sheds.RecordValue(took.Microseconds())
		_ = o.meant.RecordValue(meant.Microseconds())
	default:
		o.other[fmt.Sprintf("%d %s", got.status, got.problem)]++
	}
}

func (o *overload) say(capacity, rate float64, n int, took time.Duration) {
	to := o.run.report
	share := func(kind int) float64 {
		return 100 * float64(o.served[kind]) / float64(max(1, o.served[kind]+o.shed[kind]))
	}
	goodput := float64(o.served[kindEntry]) / took.Seconds()
	to.note("capacity, closed loop of entries, best of three", "%.0f/s", capacity)
	to.note("asked for, open loop", "%.0f/s, %d requests", rate, n)
	to.note("served: entries / corrections / reads", "%.0f %% / %.0f %% / %.0f %%", share(kindEntry), share(kindCorrection), share(kindRead))
	to.note("answered otherwise", "%v", o.other)
	to.note("entries that opened the gate, p50 / p99", "%.0f / %.0f ms", float64(o.good.ValueAtQuantile(50))/1000, float64(o.good.ValueAtQuantile(99))/1000)
	to.note("shed answers from the intended start, p50 / p99", "%.2f / %.2f ms", float64(o.meant.ValueAtQuantile(50))/1000, float64(o.meant.ValueAtQuantile(99))/1000)
	to.atLeast("goodput: entries that opened the gate, of the capacity", "×", goodput/capacity, 0.9, 1.5)
	to.atMost("shed answers, p50", "ms", float64(o.sheds.ValueAtQuantile(50))/1000, 2, 4)
	to.atLeast("entries served of those asked, over corrections", "×", share(kindEntry)/max(1, share(kindCorrection)), 1, 1)
	to.atLeast("entries served of those asked, over reads", "×", share(kindEntry)/max(1, share(kindRead)), 1, 1)
}
