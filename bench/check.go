package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/octo"
)

// state is what is seen from outside at one moment.
type state struct {
	books   map[string]octo.TwinRedemption // by unit
	assists map[string][]string            // kinds of the open ones, by journey
	inside  int
}

func (k *killer) look() (s state, err error) {
	if s.books, err = k.city.books(); err != nil {
		return s, err
	}
	if s.assists, err = openAssists(k.city, k.serve); err != nil {
		return s, err
	}
	s.inside, err = insideNow(k.city, k.serve)
	return s, err
}

// findings is what is wrong about a block's visitors.
type findings struct {
	twice, doubled, wrong, lost, endless int
	people                               int // admitted in this block
	left                                 int // redeemed for visitors who left without an answer: each must be inside
	pending, prewarmed                   int // answers that opened a gate before ticketing was told, or without its word
	what                                 []string
}

func (f *findings) add(n *int, format string, args ...any) {
	*n++
	f.what = append(f.what, fmt.Sprintf(format, args...))
}

func (f *findings) settled() bool { return f.wrong == 0 && f.twice == 0 }

// check waits until what the visitors were told agrees with the books, or the time is over, and counts what does not.
func (k *killer) check() error {
	deadline := k.restart.Add(settledWithin)
	var f findings
	var miscounted bool
	for {
		s, err := k.look()
		if err != nil {
			return err
		}
		f = k.compare(s)
		miscounted = s.inside != k.before+f.people+f.left
		if f.settled() && !miscounted || time.Now().After(deadline) {
			break
		}
		if err := wait(k.run.ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	t := k.totals
	t.slowest = max(t.slowest, time.Since(k.restart))
	if !f.settled() || miscounted {
		t.late++
	}
	if miscounted {
		t.miscounted++
		f.what = append(f.what, "people inside: not as many as were let in and redeemed")
	}
	k.before += f.people + f.left
	k.count()
	t.twice, t.doubled, t.wrong, t.lost, t.people = t.twice+f.twice, t.doubled+f.doubled, t.wrong+f.wrong, t.lost+f.lost, t.people+f.people
	t.endless, t.pending, t.prewarmed = t.endless+f.endless, t.pending+f.pending, t.prewarmed+f.prewarmed
	asked, changed, err := k.visits.again()
	t.replays, t.forgotten = t.replays+asked, t.forgotten+changed
	for _, x := range f.what {
		fmt.Fprintf(k.run.progress, "kill: block %d: %s\n", t.blocks, x)
	}
	return err
}

// compare holds every ticket of the block to the books.
func (k *killer) compare(s state) findings {
	var f findings
	for _, t := range k.visits.tickets {
		if t.scans[0].left {
			f.left += f.redeemed(s, t)
			continue
		}
		in := map[string]string{} // admission by unit
		handed, done := false, true
		for _, c := range t.scans {
			switch {
			case !c.done:
				done = false
				f.add(&f.endless, "ticket %s: no final answer after %d attempts, the last: %s", t.units[0], c.attempts, c.last)
			case c.final.status == http.StatusCreated:
				k.admit(&f, in, c)
			case c.final.status == http.StatusAccepted:
				handed = true
			}
		}
		open := k.assistOf(s, t)
		if done && len(in) == 0 && !handed {
			f.add(&f.lost, "ticket %s: refused (%s), and nobody came in", t.units[0], words(t))
		}
		for _, unit := range t.units {
			b := s.books[unit]
			net := b.Effects - b.Undone
			if net > 1 {
				f.add(&f.twice, "ticket %s: redeemed %d times", unit, net)
			}
			if _, admitted := in[unit]; admitted && net != 1 && !open {
				f.add(&f.wrong, "ticket %s: let in, redeemed %d times, no assist", unit, net)
			}
			if _, admitted := in[unit]; !admitted && net != 0 && !open && !handed {
				f.add(&f.wrong, "ticket %s: redeemed though nobody came in", unit)
			}
		}
		f.people += len(in)
	}
	return f
}

// redeemed returns how many of a ticket's people ticketing has redeemed.
func (f *findings) redeemed(s state, t *ticketTried) (all int) {
	for _, unit := range t.units {
		net := s.books[unit].Effects - s.books[unit].Undone
		if all += net; net > 1 {
			f.add(&f.twice, "ticket %s: redeemed %d times", unit, net)
		}
	}
	return all
}

// admit takes an answer that opened a gate into account.
func (k *killer) admit(f *findings, in map[string]string, s *scan) {
	var body admitted
	if err := json.Unmarshal(s.final.body, &body); err != nil {
		f.add(&f.lost, "an answer cannot be read: %v", err)
		return
	}
	f.pending += min(1, len(body.Pending))
	if body.VerifiedBy == "prewarmed" {
		f.prewarmed++
	}
	for _, a := range body.Admissions {
		if other, there := in[a.Unit]; there && other != a.ID {
			f.add(&f.doubled, "ticket %s: two admissions", a.Unit)
		}
		in[a.Unit] = a.ID
	}
}

// assistOf reports whether a person has one of the ticket's journeys open.
func (k *killer) assistOf(s state, t *ticketTried) bool {
	for _, c := range t.scans {
		var body struct {
			Journey string `json:"journey"`
		}
		if c.done && json.Unmarshal(c.final.body, &body) == nil && len(s.assists[body.Journey]) > 0 {
			return true
		}
	}
	return false
}

func words(t *ticketTried) string {
	var all []string
	for _, c := range t.scans {
		all = append(all, c.last)
	}
	return strings.Join(all, ", ")
}

// count adds the block's scans to the totals.
func (k *killer) count() {
	for _, t := range k.visits.tickets {
		for _, c := range t.scans {
			k.totals.scans++
			k.totals.attempts += c.attempts
			k.totals.keys += c.keys
			if c.left {
				k.totals.left++
				continue
			}
			k.totals.answers[c.last]++
		}
	}
}
