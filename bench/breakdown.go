package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"
	"github.com/google/uuid"
)

// provesBreakdown says where a request's time and memory go, room by room: three uncached Asks, searches for rooms that are all
// known and none of which comes twice, and entries, which the ledger keeps. Nothing is promised of it: it is what to look at first.
func provesBreakdown(r *run) error {
	for _, one := range []func(r *run) error{breakDownAsks, breakDownSearch, breakDownEntries} {
		if err := one(r); err != nil {
			return err
		}
	}
	return benchRooms(r)
}

func breakDownAsks(r *run) (err error) {
	w, err := newLookWorld(filepath.Join(r.dir, "look"), r.seed)
	if err != nil {
		return err
	}
	defer w.close()
	gateway, err := w.gateway(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	token, err := w.reader()
	if err != nil {
		return err
	}
	d := newDriver(gateway, target{w.look(false), token, true})
	defer d.host.CloseIdleConnections()
	return breakDown(r, "three uncached Asks", gateway, allBusy(), func(int) error { return d.fine(d.path()) })
}

func breakDownSearch(r *run) (err error) {
	t, err := newRooms(&run{ctx: r.ctx, seed: r.seed, dir: filepath.Join(r.dir, "rooms"), binary: r.binary, progress: r.progress}, roomsHotels/10)
	if err != nil {
		return err
	}
	defer t.close()
	if _, err := t.serve.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.serve.stop()) }()
	if err := t.warm(); err != nil {
		return err
	}
	d := newDriver(subjectOf(t.serve), target{token: t.token})
	defer d.host.CloseIdleConnections()
	paths := make([]string, 20_000) // by then the first is no longer kept
	for i := range paths {
		paths[i] = t.anywhere()
	}
	return breakDown(r, "different warm searches for rooms", subjectOf(t.serve), allBusy(), func(i int) error { return d.fine(paths[i%len(paths)]) })
}

func breakDownEntries(r *run) (err error) {
	w, err := newWorld(filepath.Join(r.dir, "entries"), r.seed, nil, unlimited()...)
	if err != nil {
		return err
	}
	defer w.close()
	serve, err := r.started(w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serve.stop()) }()
	tickets, err := w.issue(addedRate*(r.n+breakdownWarm), 1)
	if err != nil {
		return err
	}
	token, err := w.mint("gate", "scenic:gate")
	if err != nil {
		return err
	}
	api := newClient(serve.api.Addr().String(), 512)
	var next atomic.Int64
	return breakDown(r, "entries", subjectOf(serve), atRate(addedRate), func(int) error {
		got, err := api.do(entry(token, "north-1", uuid.NewString(), shown(tickets[next.Add(1)-1])), 5*time.Second)
		if err == nil && got.status != http.StatusCreated {
			err = errors.New(got.word(nil))
		}
		return err
	})
}

const breakdownWarm = 1 // seconds of load before what counts

// load is how requests come: for so many seconds.
type load struct {
	name string
	run  func(ctx context.Context, seconds int, one func(i int)) error
}

// allBusy keeps all connections busy.
func allBusy() load {
	return load{fmt.Sprintf("%d connections, all of them busy", connections), func(ctx context.Context, seconds int, one func(i int)) error {
		closedLoop(ctx, connections, time.Duration(seconds)*time.Second, one)
		return ctx.Err()
	}}
}

// atRate sends so many requests a second, open loop.
func atRate(rate int) load {
	return load{fmt.Sprintf("%d requests a second, open loop", rate), func(ctx context.Context, seconds int, one func(i int)) error {
		return openLoop(ctx, rate*seconds, float64(rate), func(i int, _ time.Time) { one(i) })
	}}
}

// breakDown lets a gateway work for n seconds and shares out what a request has cost it by the samples taken meanwhile: its
// processor time as Linux counts it, and the allocations that the runtime counts.
func breakDown(r *run, title string, s *subject, by load, one func(i int) error) error {
	work := func(seconds int) (n int64, err error) {
		var done, wrong atomic.Int64
		var failed atomic.Pointer[error] // the last of those
		err = by.run(r.ctx, seconds, func(i int) {
			if err := one(i); err != nil {
				wrong.Add(1)
				failed.Store(&err)
				return
			}
			done.Add(1)
		})
		if n := wrong.Load(); n > tooManyWrong(n+done.Load()) {
			return 0, fmt.Errorf("%s: %d of %d failed, last: %w", title, n, n+done.Load(), *failed.Load())
		}
		return done.Load(), err
	}
	if _, err := work(breakdownWarm); err != nil {
		return err
	}
	fetched := make([]fetchedProfile, 2)
	done := make(chan int, len(fetched))
	allocated, err := mallocs(s.admin)
	if err != nil {
		return err
	}
	before := s.cpu()
	for i, what := range []string{"profile", "allocs"} {
		go func() {
			fetched[i] = fetchProfile(fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", s.admin, what, r.n))
			done <- i
		}()
	}
	n, err := work(r.n)
	used := s.cpu() - before
	for range fetched {
		<-done
	}
	if err != nil {
		return err
	}
	after, err := mallocs(s.admin)
	if err != nil {
		return err
	}
	if err := errors.Join(fetched[0].err, fetched[1].err); err != nil {
		return err
	}
	fmt.Fprintf(r.progress, "breakdown: %d %s\n", n, title)
	t := breakdownTable(title, fetched[0].p, fetched[1].p, micros(used)/float64(n), (after-allocated)/float64(n))
	t.note = fmt.Sprintf("Load: %s, for %d s. %s", by.name, r.n, t.note)
	r.report.tables = append(r.report.tables, t)
	r.report.note(title+": processor time and allocations of a request", "%.1f µs, %.1f", micros(used)/float64(n), (after-allocated)/float64(n))
	return nil
}

// breakdownTable shares out a request's time and allocations.
func breakdownTable(title string, cpu, allocs *profile.Profile, micros, count float64) table {
	time, memory := byRoom(cpu, 1), byRoom(allocs, 0) // the values of a profile: samples, nanoseconds; objects, bytes
	t := table{title: "Where it goes: " + title, columns: []string{"", "CPU for each request, µs", "share", "allocations, about"},
		note: fmt.Sprintf("%.1f µs and %.1f allocations a request, shared out by samples: a sample belongs to the first frame, from the innermost "+
			"out, that is a room's. What the runtime does for a room is the room's, but for collecting garbage and finding what to run next.", micros, count)}
	for _, room := range allRooms() {
		if time[room] == 0 && memory[room] == 0 {
			continue
		}
		t.rows = append(t.rows, []string{room, fmt.Sprintf("%.1f", micros*time[room]), fmt.Sprintf("%.0f %%", 100*time[room]), fmt.Sprintf("%.1f", count*memory[room])})
		v := micros * time[room]
		t.bars = append(t.bars, bar{room, spread{v, v, v}})
	}
	return t
}
