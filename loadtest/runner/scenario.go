package runner

import (
	"context"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// scenario is one validated entry of the script's options.scenarios, and its state in a run.
type scenario struct {
	name, exec   string
	env, tags    map[string]string
	startTime    time.Duration
	gracefulStop time.Duration
	length       time.Duration
	stages       []stage // of an arrival rate; nil otherwise
	iterations   int     // to share; 0: as many as the time allows
	vus, maxVUs  int

	started   time.Time
	next      atomic.Int64 // number of the next iteration
	latencyMu sync.Mutex
	latency   *hdrhistogram.Histogram // µs, from the intended start of an iteration to its end
}

// stage is a part of an arrival rate, from and to so many iterations per second.
type stage struct {
	from, to float64
	length   time.Duration
}

// arrival is the time after the scenario's start at which iteration n of these stages is due. The first is due at
// once; false means that the stages end before.
func arrival(stages []stage, n int) (time.Duration, bool) {
	left, begin := float64(n), time.Duration(0)
	for _, g := range stages {
		seconds := g.length.Seconds()
		if count := (g.from + g.to) / 2 * seconds; left >= count {
			left -= count
			begin += g.length
			continue
		}
		// from·t + (to−from)/(2·seconds)·t² = left, in the form that is exact for a constant rate too.
		slope := (g.to - g.from) / seconds
		t := 0.0
		if left > 0 {
			t = 2 * left / (g.from + math.Sqrt(max(0, g.from*g.from+2*slope*left)))
		}
		return begin + time.Duration(t*float64(time.Second)), true
	}
	return 0, false
}

// run starts the scenario at its time and returns when its last iteration has ended.
func (s *scenario) run(t *test) {
	s.latency = hdrhistogram.New(1, time.Hour.Microseconds(), 3)
	if !wait(t.ctx, s.startTime) {
		return
	}
	users := make([]*vu, s.vus)
	for i := range users {
		users[i] = s.user(t)
	}
	if t.ctx.Err() != nil {
		return
	}
	s.started = time.Now()
	ctx, cancel := context.WithTimeoutCause(t.ctx, s.length+s.gracefulStop, errInterrupted)
	defer cancel()
	if s.stages != nil {
		s.runArrivals(ctx, t, users)
		return
	}
	var all sync.WaitGroup
	for _, v := range users {
		all.Go(func() { s.loop(ctx, v) })
	}
	all.Wait()
}

// user makes a virtual user of this scenario; if the script's init code fails in it, the run is aborted.
func (s *scenario) user(t *test) *vu {
	id := t.vus.Add(1)
	v, err := newVU(t, int(id))
	if err == nil {
		err = v.join(s)
	}
	if err != nil {
		t.abort(err)
		return nil
	}
	t.metrics.add("vus_max", float64(id), nil)
	return v
}

// loop is the closed loop of constant-vus and shared-iterations.
func (s *scenario) loop(ctx context.Context, v *vu) {
	for ctx.Err() == nil && time.Since(s.started) < s.length {
		n := int(s.next.Add(1) - 1)
		if s.iterations > 0 && n >= s.iterations {
			return
		}
		v.iterate(ctx, n, time.Now())
	}
}

// runArrivals is the open loop: an iteration begins when it is due, whatever became of those before. When no virtual
// user is free and none may be made, it is dropped and counted.
func (s *scenario) runArrivals(ctx context.Context, t *test, users []*vu) {
	free := make(chan *vu, s.maxVUs)
	for _, v := range users {
		free <- v
	}
	made := len(users)
	var all sync.WaitGroup
	defer all.Wait()
	for n := 0; ; n++ {
		after, more := arrival(s.stages, n)
		due := s.started.Add(after)
		if !more || !wait(ctx, time.Until(due)) {
			return
		}
		var v *vu
		select {
		case v = <-free:
		default:
			if made == s.maxVUs {
				t.metrics.add("dropped_iterations", 1, s.allTags(t))
				continue
			}
			made++
		}
		number := int(s.next.Add(1) - 1)
		all.Go(func() {
			if v == nil {
				if v = s.user(t); v == nil {
					return
				}
			}
			v.iterate(ctx, number, due)
			free <- v
		})
	}
}

// allTags are the tags of every sample of this scenario.
func (s *scenario) allTags(t *test) map[string]string {
	return merged(t.options.tags, s.tags, map[string]string{"scenario": s.name})
}

func (s *scenario) record(took time.Duration) {
	s.latencyMu.Lock()
	defer s.latencyMu.Unlock()
	// An hour is the histogram's end; what takes longer counts as an hour.
	_ = s.latency.RecordValue(min(took.Microseconds(), time.Hour.Microseconds()))
}

// wait returns after d, or false when ctx is over first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// merged is one map of all; the later win.
func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}
