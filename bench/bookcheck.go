package main

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
)

// outcome is what a wish has come to, once nothing is on its way.
type outcome struct {
	settled      bool
	confirmation string // the traveller has it; "": they have no booking
}

// bookFindings are what does not agree.
type bookFindings struct{ lost, unknown, doubled, kept, twice, takenAway, oversold, unsettled int }

// check waits until what every traveller is told agrees with the hotel's books, or the time is over, and counts what does not.
func (k *bookKiller) check() error {
	deadline := k.restart.Add(settledWithin)
	outcomes := make([]outcome, len(k.desk.wishes))
	for {
		for i, w := range k.desk.wishes {
			if !outcomes[i].settled {
				outcomes[i] = k.desk.asksAgain(w)
			}
		}
		all, err := booksOf[ohip.TwinBooks](k.place.world, "ohip")
		if err != nil {
			return err
		}
		f := k.compare(outcomes, all[k.place.hotels[0].id].Reservations)
		if f == (bookFindings{}) || time.Now().After(deadline) {
			k.count(f, outcomes)
			return nil
		}
		if err := wait(k.run.ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// cancelled reports whether the traveller was told that their booking is off.
func (w *wish) cancelled() bool {
	return slices.ContainsFunc(w.heard, func(s *said) bool { return s.off != "" && s.done && s.final.status == http.StatusOK })
}

// asksAgain sends a wish once more under another key: whoever has a booking is told its number. Who has called it off does not.
func (b *bookers) asksAgain(w *wish) outcome {
	if w.cancelled() {
		return outcome{settled: true}
	}
	s := &said{ask: b.books(w)}
	got, err := b.api.do(s.ask, 5*time.Second)
	if err != nil || got.retry || got.status == http.StatusAccepted {
		return outcome{}
	}
	s.final, s.done = got, true
	return outcome{settled: true, confirmation: s.confirmation()}
}

// compare holds what travellers were told against the hotel's books of the block's night.
func (k *bookKiller) compare(outcomes []outcome, books []ohip.TwinReservation) (f bookFindings) {
	standing, off := map[string]bool{}, map[string]bool{}
	for _, r := range books {
		if r.Arrival != k.desk.night {
			continue
		}
		standing[r.Confirmation], off[r.Confirmation] = r.Status != ohip.StatusCancelled, r.Status == ohip.StatusCancelled
		n := 0
		for _, h := range r.History {
			if h.Status == ohip.StatusCancelled {
				n++
			}
		}
		if n > 1 {
			f.twice++
		}
	}
	told := map[string]bool{}
	for i, w := range k.desk.wishes {
		o := outcomes[i]
		switch {
		case !o.settled:
			f.unsettled++
		case o.confirmation != "" && told[o.confirmation]:
			f.doubled++
		case o.confirmation != "" && !standing[o.confirmation]:
			f.lost++
		}
		told[o.confirmation] = true
		for _, s := range w.heard {
			k.heard(w, s, o, standing, off, &f)
		}
	}
	stand := 0
	for confirmation, is := range standing {
		if is {
			if stand++; !told[confirmation] {
				f.unknown++
			}
		}
	}
	f.oversold = max(stand-roomsToBook, 0)
	return f
}

// heard holds one earlier answer against what is so in the end.
func (k *bookKiller) heard(w *wish, s *said, now outcome, standing, off map[string]bool, f *bookFindings) {
	switch number := s.confirmation(); {
	case s.off != "" && s.done && s.final.status == http.StatusOK && standing[s.off]:
		f.kept++
	case number == "" || s.off != "" || w.asksOff():
	case off[number]:
		f.takenAway++
	case now.settled && now.confirmation != number:
		f.lost++
	}
}

// asksOff reports whether the traveller has asked to call it off.
func (w *wish) asksOff() bool {
	return slices.ContainsFunc(w.heard, func(s *said) bool { return s.off != "" })
}

// count adds the block to the totals.
func (k *bookKiller) count(f bookFindings, outcomes []outcome) {
	t := k.totals
	t.slowest = max(t.slowest, time.Since(k.restart))
	t.lost, t.unknown, t.doubled, t.kept = t.lost+f.lost, t.unknown+f.unknown, t.doubled+f.doubled, t.kept+f.kept
	t.twice, t.takenAway, t.oversold = t.twice+f.twice, t.takenAway+f.takenAway, t.oversold+f.oversold
	if f != (bookFindings{}) {
		t.unsettled++
		fmt.Fprintf(k.run.progress, "booking-kill: block %d: %+v\n", t.blocks, f)
	}
	for i, w := range k.desk.wishes {
		t.wishes++
		switch {
		case w.cancelled():
			t.off++
		case outcomes[i].confirmation != "":
			t.stand++
		}
		if w.left {
			t.left++
		}
		for _, s := range w.heard {
			t.attempts += s.attempts
			switch {
			case s.done:
				t.answers[s.word()]++
				if s.final.status == http.StatusAccepted && outcomes[i].confirmation != "" {
					t.late++
				}
			case !w.left:
				t.endless++
			}
		}
	}
}
