package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
)

const ticketGates = 50

// provesTicket holds one ticket to many gates at once, each time with a credential, a scan and an idempotency key of its
// own, through the real program: one admission, one redemption, one visitor inside, whatever each of them is answered.
func provesTicket(r *run) error {
	gates := make([]string, ticketGates)
	for i := range gates {
		gates[i] = fmt.Sprintf("gate-%d", i)
	}
	w, err := newWorld(r.dir, r.seed, nil,
		edit{"venues/west-lake.yaml", `gates: \[.*\]`, "gates: [" + strings.Join(gates, ", ") + "]"},
		// As many at once as two cores can serve in time; whoever is turned away at the door tries again.
		edit{"gateway.yaml", `\n    in_flight: \d+`, "\n    in_flight: 32"},
		edit{"gateway.yaml", `first_seen_per_address: \{.*\}`, "first_seen_per_address: { rate: 10000, per: 1s, burst: 10000 }"})
	if err != nil {
		return err
	}
	defer w.close()
	program, err := r.program()
	if err != nil {
		return err
	}
	serve, err := newChild(w, program)
	if err != nil {
		return err
	}
	t := &tries{answers: map[string]int{}, admissions: map[string]bool{}}
	if t.tickets, err = w.issue(1, 1); err != nil {
		return err
	}
	if _, err := serve.start(); err != nil {
		return err
	}
	// The day's list is brought in meanwhile: a try whose look-up comes too late is then judged by it, not by a person.
	if err := wait(r.ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	if err := t.all(r, w, serve, gates); err != nil {
		_ = serve.stop()
		return err
	}
	if err := t.say(r.report, w, serve); err != nil {
		_ = serve.stop()
		return err
	}
	return serve.stop()
}

// tries is what the tries were answered.
type tries struct {
	mu         sync.Mutex
	answers    map[string]int
	admissions map[string]bool
	tickets    []octo.Made // one
	sent       int
	most       time.Duration // of one attempt
}

func (t *tries) all(r *run, w *world, serve *child, gates []string) error {
	asks := make([]ask, r.n)
	for i := range asks {
		token, err := w.mint(fmt.Sprintf("turnstile-%d", i), "scenic:gate")
		if err != nil {
			return err
		}
		asks[i] = entry(token, gates[i%len(gates)], uuid.NewString(), shown(t.tickets[0]))
	}
	api := newClient(serve.api.Addr().String(), 1000)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, a := range asks {
		all.Go(func() {
			<-start
			t.insist(r, api, a, time.Second+time.Duration(i)*time.Millisecond)
		})
	}
	close(start)
	all.Wait()
	return nil
}

// insist tries until the answer is final, or half a minute is over, with a pause of its own so that they do not all come
// back together.
func (t *tries) insist(r *run, api *client, a ask, pause time.Duration) {
	end := time.Now().Add(30 * time.Second)
	for {
		began := time.Now()
		got, err := api.do(a, 20*time.Second)
		final := err == nil && !got.retry || time.Now().After(end)
		t.note(got, err, time.Since(began), final)
		if final || wait(r.ctx, pause) != nil {
			return
		}
		if got.replay { // "try again" will be said under this key for ever
			a.key = uuid.NewString()
		}
	}
}

func (t *tries) note(got answer, err error, took time.Duration, final bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent++
	t.most = max(t.most, took)
	if !final {
		return
	}
	word := got.word(err)
	if ids, again := admissionsOf(got); len(ids) > 0 {
		if again {
			word += " (the same admission again)"
		}
		for _, id := range ids {
			t.admissions[id] = true
		}
	}
	t.answers[word]++
}

func (t *tries) say(to *report, w *world, serve *child) error {
	for _, word := range slices.Sorted(maps.Keys(t.answers)) {
		to.note("answered "+word, "%d", t.answers[word])
	}
	to.note("attempts, with those that were turned away at the door", "%d", t.sent)
	to.note("the slowest answer", "%.0f ms", millis(t.most))
	inside, err := insideNow(w, serve)
	if err != nil {
		return err
	}
	redeemed, err := t.redeemed(w)
	if err != nil {
		return err
	}
	to.exactly("admissions", len(t.admissions), 1)
	to.exactly("people inside, as the ledger counts", inside, 1)
	to.exactly("times that ticketing has it redeemed", redeemed, 1)
	return nil
}

// redeemed says how often ticketing has the ticket redeemed, at the latest when the outbox has delivered it.
func (t *tries) redeemed(w *world) (n int, err error) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); pause(50 * time.Millisecond) {
		books, err := w.books()
		if err != nil {
			return 0, err
		}
		unit := books[t.tickets[0].Units[0].UUID]
		if n = unit.Effects - unit.Undone; n > 0 {
			return n, nil
		}
	}
	return n, nil
}
