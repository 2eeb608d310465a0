package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/known"
	"github.com/warmgate/warmgate/flows/rooms/offer"
)

const (
	memoryStays   = 10 // of which everything is asked, so that no more fit
	memoryPages   = 50 // hotels in an answer
	memoryWorkers = 64 // that search at once
	memoryAgain   = 3  // that a search is sent before its answer is kept as a whole
	memoryAnswers = 600
	memorySmall   = 5 // seconds of searching: below them the town is a small one
)

// provesRoomsMemory fills all that the search keeps of a town: what hotels have said for many stays, whole answers, and what
// hotels tell on their own, of every kind in every block of nights until nothing more is taken; and searches from all sides meanwhile.
func provesRoomsMemory(r *run) error {
	hotels, stays := roomsHotels, memoryStays
	if r.n < memorySmall {
		hotels, stays = hotels/10, 2
	}
	t, err := newRooms(r, hotels)
	if err != nil {
		return err
	}
	defer t.close()
	if _, err := t.serve.start(); err != nil {
		return err
	}
	if err = t.fill(stays); err != nil {
		err = fmt.Errorf("%w\n%s", err, t.serve.lastWords())
	}
	return errors.Join(err, t.serve.stop())
}

// fill fills the caches one by one and says how much memory the program has then.
func (t *rooms) fill(stays int) error {
	r := t.run.report
	r.note("hotels and their rooms", "%d, %d", len(t.hotels), t.allRooms())
	r.note("memory (RSS) when it is ready", "%.0f MiB", t.serve.memory())
	first := t.stay
	for i := range stays {
		t.stay.Arrival = first.Arrival + offer.Date(3*i)
		if err := t.warm(); err != nil {
			return err
		}
	}
	r.note(fmt.Sprintf("with what hotels have said for %d stays", stays), "%.0f MiB", t.serve.memory())
	if err := t.keepAnswers(); err != nil {
		return err
	}
	r.note(fmt.Sprintf("with whole answers of %d hotels", memoryPages), "%.0f MiB", t.serve.memory())
	h := newTellers(t)
	if err := h.tellBlocks(); err != nil {
		return err
	}
	r.note("nights that hotels have told of, in as many blocks of 32", "%d", h.fates["taken"])
	r.note("nights that were not taken, since no more are kept", "%d", h.fates["refused"])
	r.note("with what hotels have told", "%.0f MiB", t.serve.memory())
	if err := t.searchAll(time.Duration(t.run.n) * time.Second); err != nil {
		return err
	}
	r.note(fmt.Sprintf("while %d search at once", memoryWorkers), "%.0f MiB", t.serve.memory())
	r.atMost("memory (RSS), at most", "MiB", t.serve.status("VmHWM:"), hotelsMemory, 1)
	return nil
}

// allRooms is how many rooms the hotels have.
func (t *rooms) allRooms() (n int) {
	for i := range t.hotels {
		n += t.hotels[i].Rooms
	}
	return n
}

// keepAnswers searches until more long answers have been kept than there is room for.
func (t *rooms) keepAnswers() error {
	api := newClient(t.serve.api.Addr().String(), 4)
	for range memoryAnswers {
		path := fmt.Sprintf("%s&limit=%d", t.anywhere(), memoryPages)
		for range memoryAgain {
			if _, _, err := t.search(api, path); err != nil {
				return err
			}
		}
	}
	return t.run.ctx.Err()
}

// tellBlocks has every hotel tell of one night in each block of each kind: as much memory as if it had told of all of them.
func (h *tellers) tellBlocks() error {
	today := offer.DateOf(time.Now()) + 1
	var all sync.WaitGroup
	for w := range tellersAtOnce {
		all.Go(func() {
			for i := w; i < len(h.hotels) && h.run.ctx.Err() == nil; i += tellersAtOnce {
				of, now := &h.hotels[i], time.Now()
				var events []string
				for night := today; night < today+known.Ahead-1; night += 32 {
					for kind := range of.Types {
						events = append(events, eventOf(of.ID, of.Types[kind].Code, night, 5, now))
					}
				}
				if h.send(venueOf(of), events) == 0 {
					return // it is full
				}
			}
		})
	}
	all.Wait()
	return errors.Join(h.wrong, h.run.ctx.Err())
}

// searchAll keeps many searches under way for so long, every other one again.
func (t *rooms) searchAll(d time.Duration) error {
	api := newClient(t.serve.api.Addr().String(), memoryWorkers)
	paths := make([]string, 4096)
	for i := range paths {
		paths[i] = t.anywhere()
	}
	var mu sync.Mutex
	var wrong error
	closedLoop(t.run.ctx, memoryWorkers, d, func(i int) {
		got, err := api.do(ask{method: http.MethodGet, path: paths[i/2%len(paths)], token: t.token}, 10*time.Second)
		if err != nil || got.status != http.StatusOK {
			mu.Lock()
			defer mu.Unlock()
			wrong = fmt.Errorf("cannot search: %s", got.word(err))
		}
	})
	return wrong
}
