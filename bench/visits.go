package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
)

// scan is one ticket held to one gate, and how that ended.
type scan struct {
	ask      ask
	ticket   *ticketTried
	attempts int
	keys     int    // that it had to take anew
	leaves   bool   // the visitor goes away when there is no answer
	left     bool   // and has
	last     string // the last answer, or why there was none
	final    answer
	done     bool
}

// ticketTried is a ticket with its scans; two gates may try the same one.
type ticketTried struct {
	units []string
	scans []*scan
}

// visits are people at the gates, as turnstiles speak for them: a scan is sent again, the same in every byte, until the
// answer is final.
type visits struct {
	city  *world
	serve *child
	api   *client
	token []string
	gates []string

	mu      sync.Mutex
	chance  *rand.Rand
	open    bool // for new visitors
	until   time.Time
	tickets []*ticketTried // of this block
	second  []*scan        // contests that nobody has begun
	stock   []octo.Made    // tickets that were sold before the block began, so that a restart finds them in the day's list
	workers sync.WaitGroup
}

func newVisits(w *world, serve *child) (*visits, error) {
	v := &visits{city: w, serve: serve, gates: []string{"north-1", "north-2", "south-1", "staff"}, api: newClient(serve.api.Addr().String(), 64)}
	for _, g := range v.gates {
		token, err := w.mint("gate-"+g, "scenic:gate")
		if err != nil {
			return nil, err
		}
		v.token = append(v.token, token)
	}
	return v, nil
}

// begin lets visitors come.
func (v *visits) begin(seed uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.chance, v.open, v.tickets, v.second = rand.New(rand.NewPCG(seed, 2)), true, nil, nil
	v.until = time.Time{}
	var err error
	if v.stock, err = v.city.issue(killStock, 1); err != nil {
		panic("BUG: today's tickets cannot be refused: " + err.Error())
	}
	for range killWorkers {
		v.workers.Go(func() {
			for s := v.next(); s != nil; s = v.next() {
				v.insist(s)
				pause(killBetween)
			}
		})
	}
}

// end lets nobody else come, and returns when every scan has its final answer, or the time is over.
func (v *visits) end(until time.Time) {
	v.mu.Lock()
	v.open, v.until = false, until
	v.mu.Unlock()
	v.workers.Wait()
}

// next returns the next scan: a second try of a ticket that another gate has, or a new ticket. Nil: that was all.
func (v *visits) next() *scan {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := len(v.second); n > 0 {
		s := v.second[n-1]
		v.second = v.second[:n-1]
		return s
	}
	if !v.open {
		return nil
	}
	made := v.ticket()
	t := &ticketTried{}
	for _, u := range made.Units {
		t.units = append(t.units, u.UUID)
	}
	v.tickets = append(v.tickets, t)
	gate := v.chance.IntN(len(v.gates))
	if v.chance.IntN(5) == 0 {
		v.second = append(v.second, v.scan(t, (gate+1)%len(v.gates), shown(made)))
	}
	s := v.scan(t, gate, shown(made))
	s.leaves = len(t.scans) == 1 && v.chance.IntN(2) == 0
	return s
}

// ticket takes one out of the stock, or sells a new one; one of eight is for three people.
func (v *visits) ticket() octo.Made {
	if n := len(v.stock); n > 0 && v.chance.IntN(2) == 0 {
		made := v.stock[n-1]
		v.stock = v.stock[:n-1]
		return made
	}
	people := 1
	if v.chance.IntN(8) == 0 {
		people = 3
	}
	made, err := v.city.issue(1, people)
	if err != nil {
		panic("BUG: today's ticket cannot be refused: " + err.Error())
	}
	return made[0]
}

func (v *visits) scan(t *ticketTried, gate int, code string) *scan {
	s := &scan{ticket: t, ask: entry(v.token[gate], v.gates[gate], uuid.NewString(), code)}
	t.scans = append(t.scans, s)
	return s
}

// insist sends a scan until its answer is final, or the visitor has left. "With staff" is final: a person settles it.
func (v *visits) insist(s *scan) {
	for !v.over() {
		s.attempts++
		got, err := v.api.do(s.ask, 2*time.Second)
		s.last = got.word(err)
		if s.leaves && err != nil {
			s.left = true
			return
		}
		if err == nil && (!got.retry || got.problem == "with-staff") {
			s.final, s.done = got, true
			return
		}
		if got.replay { // "try again" will be said under this key for ever
			s.ask.key = uuid.NewString()
			s.keys++
		}
		pause(20 * time.Millisecond)
	}
}

func (v *visits) over() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.until.IsZero() && time.Now().After(v.until)
}

// again sends every scan that opened a gate once more, as its turnstile would, and says of how many the answer is not the
// same in every byte. Where the ledger had not heard of an answer before its process died, the retry is told to wait until
// recovery has.
func (v *visits) again() (asked, changed int, err error) {
	until := time.Now().Add(settledWithin)
	for _, t := range v.tickets {
		for _, s := range t.scans {
			if s.final.status != http.StatusCreated {
				continue
			}
			asked++
			got, failed := v.api.do(s.ask, 5*time.Second)
			for failed == nil && got.retry && time.Now().Before(until) {
				pause(100 * time.Millisecond)
				got, failed = v.api.do(s.ask, 5*time.Second)
			}
			if failed != nil {
				err = errors.Join(err, failed)
				continue
			}
			if got.status != s.final.status || string(got.body) != string(s.final.body) {
				changed++
			}
		}
	}
	return asked, changed, err
}
