package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/flows/sandbox"
)

// What a city of hotels is held to.
const (
	hotelsMemory  = 400  // MiB, resident
	hotelsReady   = 2000 // ms
	hotelsReload  = 2000 // ms
	hotelsStarts  = 5
	hotelsRate    = 100 // requests a second while the configuration is read again
	searchEach    = 10  // of so many one is a search for a room, the others ask how many are inside
	hotelsScrape  = 512 // KiB of /metrics
	reloadPatient = 20 * time.Second
)

// provesHotels starts the real program on the venues' files of a town of hotels, and has it read them again, changed one by
// one and all at once, while it is asked.
func provesHotels(r *run) error {
	program, err := r.program()
	if err != nil {
		return err
	}
	w, err := newWorld(r.dir, r.seed, nil)
	if err != nil {
		return err
	}
	defer w.close()
	if err := city.AddTown(w.city, r.n, r.seed, w.path("secrets")); err != nil {
		return err
	}
	if err := sandbox.WriteHotels(w.path("configs/venues"), r.n, r.seed); err != nil {
		return err
	}
	serve, err := newChild(w, program)
	if err != nil {
		return err
	}
	h := &hotels{run: r, world: w, serve: serve}
	err = h.start()
	if err == nil {
		err = h.reload()
	}
	return errors.Join(err, serve.stop())
}

// hotels is one taking.
type hotels struct {
	run   *run
	world *world
	serve *child
}

// start starts the program a few times, the last one for good.
func (h *hotels) start() error {
	var ready, spent []float64
	for i := range hotelsStarts {
		took, err := h.serve.start()
		if err != nil {
			return err
		}
		ready, spent = append(ready, millis(took)), append(spent, millis(h.serve.cpu()))
		if i < hotelsStarts-1 {
			if err := h.serve.kill(); err != nil {
				return err
			}
		}
	}
	r := h.run.report
	r.note("hotels, each a venue with a file and a system of its own", "%d", h.run.n)
	r.atMost(fmt.Sprintf("ready, median of %d", len(ready)), "ms", median(ready), hotelsReady, 3)
	r.atMost("the slowest of them", "ms", slices.Max(ready), hotelsReady, 4)
	r.note("processor time until then, median", "%.0f ms", median(spent))
	if err := wait(h.run.ctx, idleAfter); err != nil {
		return err
	}
	r.atMost("idle memory (RSS)", "MiB", h.serve.memory(), hotelsMemory, 1)
	text, err := h.metrics()
	r.atMost("a scrape of /metrics", "KiB", float64(len(text))/1024, hotelsScrape, 1)
	return err
}

// reload changes the configuration under load: one hotel's file, what holds for all of them, and every file.
func (h *hotels) reload() error {
	stop, err := h.ask()
	if err != nil {
		return err
	}
	for _, x := range []struct {
		what   string
		change func() error
	}{
		{"nothing: all files are looked at", func() error { return nil }},
		{"one hotel's file", func() error { return h.rename(0, 1) }},
		{"what holds for every instance", func() error {
			return h.world.edit(edit{"gateway.yaml", `max_in_flight: 128`, `max_in_flight: 127`})
		}},
		{"every hotel's file", func() error { return h.rename(0, h.run.n) }},
	} {
		took, err := h.taken(x.change)
		if err != nil {
			stop()
			return err
		}
		h.run.report.atMost("read again, changed: "+x.what, "ms", millis(took), hotelsReload, 3)
	}
	asked := stop()
	r := h.run.report
	r.note("requests meanwhile", "%d", len(asked.took))
	r.exactly("not answered with 200", asked.wrong, 0)
	r.exactly("later than their budget", asked.late, 0)
	slices.Sort(asked.took)
	r.note("p99, and the slowest", "%.1f ms, %.0f ms", asked.took[len(asked.took)*99/100], asked.took[len(asked.took)-1])
	if asked.why != "" {
		r.note("one that went wrong", "%s", asked.why)
	}
	r.atMost("memory (RSS), at most", "MiB", h.serve.status("VmHWM:"), hotelsMemory, 1)
	return nil
}

// asked is what became of the requests.
type asked struct {
	took        []float64 // ms, from the intended start
	wrong, late int
	why         string
}

func (a *asked) add(took, budget time.Duration, got answer, err error) {
	a.took = append(a.took, millis(took))
	if took > budget {
		a.late++
	}
	if err != nil || got.status != http.StatusOK {
		a.wrong++
		a.why = got.word(err)
	}
}

// ask asks at a steady pace until stop is called.
func (h *hotels) ask() (stop func() asked, err error) {
	token, err := h.world.mint("hotels", "scenic:read", "rooms:read")
	if err != nil {
		return nil, err
	}
	read, err := h.world.configuration()
	if err != nil {
		return nil, err
	}
	searching, err := budgetIn(read, "rooms-search")
	if err != nil {
		return nil, err
	}
	api := newClient(h.serve.api.Addr().String(), 256)
	var mu sync.Mutex
	var all asked
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var work sync.WaitGroup
		defer work.Wait()
		for i, first := 0, time.Now(); ; i++ {
			intended := first.Add(time.Duration(i) * time.Second / hotelsRate)
			select {
			case <-end:
				return
			case <-time.After(time.Until(intended)):
			}
			work.Go(func() {
				path, budget := "/v1/attractions/"+spot+"/occupancy", read.Config.Edge.Budget
				if i%searchEach == 0 {
					path, budget = searchNear(i), searching
				}
				a, err := api.do(ask{method: "GET", path: path, token: token}, 5*time.Second)
				took := time.Since(intended)
				mu.Lock()
				defer mu.Unlock()
				all.add(took, budget, a, err)
			})
		}
	}()
	return func() asked { close(end); <-done; return all }, nil
}

// searchNear is a search around one of a few places of the town: most hotels in it are known after a while.
func searchNear(i int) string {
	day := time.Now().AddDate(0, 0, 7).Format(time.DateOnly)
	return fmt.Sprintf("/v1/rooms?near=%.4f,%.4f&radius=800&check_in=%s&nights=2&guests=2", 30.21+float64(i%10)*0.01, 120.12+float64(i/10%10)*0.01, day)
}

// rename changes the names in the files of hotels from to to.
func (h *hotels) rename(from, to int) error {
	for n := from; n < to; n++ {
		name := filepath.Join(h.world.path("configs/venues"), fmt.Sprintf("%s.yaml", city.VenueOf(fmt.Sprintf("H%05d", n))))
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text = bytes.Replace(text, []byte(`en: "`), []byte(`en: "The `), 1)
		if err := os.WriteFile(name, text, 0o600); err != nil { //nolint:gosec // below the folder of this run
			return err
		}
	}
	return nil
}

// taken changes the configuration, says so with a signal, and returns how long it takes from there until it holds.
func (h *hotels) taken(change func() error) (time.Duration, error) {
	if err := change(); err != nil {
		return 0, err
	}
	before, err := h.reloads()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := h.serve.process.Process.Signal(syscall.SIGHUP); err != nil {
		return 0, err
	}
	for {
		now, err := h.reloads()
		switch {
		case err != nil:
			return 0, err
		case now > before:
			took := time.Since(began)
			return took, wait(h.run.ctx, time.Second) // what the files' watcher has noticed besides is over by then
		case time.Since(began) > reloadPatient:
			return 0, fmt.Errorf("the configuration is not taken within %s\n%s", reloadPatient, h.serve.lastWords())
		}
		if err := wait(h.run.ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// reloads reads how often the configuration was taken.
func (h *hotels) reloads() (int, error) {
	text, err := h.metrics()
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, `warmgate_reloads_total{outcome="taken"} `)
	word, _, _ := strings.Cut(rest, "\n")
	return strconv.Atoi(word)
}

func (h *hotels) metrics() (string, error) {
	res, err := http.Get("http://" + h.serve.admin.Addr().String() + "/metrics")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
