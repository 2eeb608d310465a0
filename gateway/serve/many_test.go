package serve

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var venues = flag.Int("venues", 2000, "how many there are in the test of many; a city may have 10,000")

// Thousands of venues cost little while nobody asks them, and a reload that replaces ten thousand takes at most a second and
// a half of processor time, and no request in flight.
func TestManyVenues(t *testing.T) {
	w, many := newWorld(t), *venues
	for i := range many {
		w.write(fmt.Sprintf("venues/v%d.yaml", i), strings.ReplaceAll(goodVenue, "NAME", fmt.Sprint("v", i)))
	}
	w.edit("gateway.yaml", "rate: 1000, per: 1s, burst: 1000", "rate: 1000000, per: 1s, burst: 1000000")
	heap, goroutines := held()
	w.open()
	after, more := held()
	each := (after - heap) / uint64(many)
	t.Logf("%d bytes a venue", each)
	if each > 8<<10 {
		t.Errorf("%d bytes a venue, at most 8 KiB", each)
	}
	if more-goroutines > 100 {
		t.Errorf("%d goroutines for %d venues", more-goroutines, many)
	}

	asked, stop, done := atomic.Int64{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i = (i + 997) % many {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if got := w.word(fmt.Sprint("v", i)); got != `200 {"word":"hello"}` {
				t.Errorf("during the reload: %s", got)
				return
			}
			asked.Add(1)
		}
	}()
	w.edit("gateway.yaml", "flows:\n", "instances: { max_in_flight: 7 }\nflows:\n") // of every venue
	was := w.g.bindings("v999")
	begun, cpu := time.Now(), spent(t)
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	cpu = spent(t) - cpu
	close(stop)
	<-done
	if w.g.bindings("v999") == was || asked.Load() == 0 {
		t.Errorf("the venues were not replaced, or nobody asked: %d", asked.Load())
	}
	t.Logf("a reload of all took %v, of processor time %v; %d requests meanwhile", took, cpu, asked.Load())
	if most := time.Duration(many) * 1500 * time.Millisecond / 10_000; cpu > most && !raceEnabled { // what else runs on the cores is not counted
		t.Errorf("a reload of %d venues took %v of processor time, at most %v", many, cpu, most)
	}
	w.reloadOne(many)
}

// reloadOne changes one venue of many: the others' files are looked at, and not parsed.
func (w *world) reloadOne(many int) {
	t := w.t
	t.Helper()
	w.edit("venues/v7.yaml", "word: hello", "word: goodbye")
	was, other := w.g.bindings("v7"), w.g.bindings("v999")
	begun, cpu := time.Now(), spent(t)
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	cpu = spent(t) - cpu
	t.Logf("a reload of one took %v, of processor time %v", took, cpu)
	if w.g.bindings("v7") == was || w.g.bindings("v999") != other || w.word("v7") != `200 {"word":"goodbye"}` {
		t.Error("the one that changed was not replaced, or another was")
	}
	if most := time.Duration(many) * 1500 * time.Millisecond / 10_000; cpu > most && !raceEnabled {
		t.Errorf("a reload of one in %d took %v of processor time, at most %v", many, cpu, most)
	}
	if w.g.changed() {
		t.Error("the files are said to differ from what was read of them just now")
	}
}

// spent is the processor time of this process until now.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// held is what is in use now.
func held() (heap uint64, goroutines int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, runtime.NumGoroutine()
}
