package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// party is a booking whose guests come, stay or leave, and perhaps come back.
type party struct {
	guests

	mu     sync.Mutex
	visits []*visit
}

// lobby lets parties come to a hotel's kiosks, as kiosks speak for them: a request is sent again, the same in every byte,
// until its answer is final.
type lobby struct {
	town   *town
	api    *client
	tokens map[string]string

	mu      sync.Mutex
	chance  *rand.Rand
	open    bool // for new parties
	until   time.Time
	parties []*party // of this block
	failed  error
	workers sync.WaitGroup
}

func newLobby(t *town, serve *child) (*lobby, error) {
	tokens, err := t.tokens()
	return &lobby{town: t, api: newClient(serve.api.Addr().String(), 64), tokens: tokens}, err
}

// begin lets parties come.
func (l *lobby) begin(seed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chance, l.open, l.until, l.parties = rand.New(rand.NewPCG(seed, 4)), true, time.Time{}, nil
	for i := range partiesAtOnce {
		chance := rand.New(rand.NewPCG(seed, uint64(10+i)))
		l.workers.Go(func() {
			for p := l.next(); p != nil; p = l.next() {
				l.come(p, chance)
				pause(betweenParties)
			}
		})
	}
}

// end lets nobody else come, and returns when every request has its final answer, or the time is over.
func (l *lobby) end(until time.Time) error {
	l.mu.Lock()
	l.open, l.until = false, until
	l.mu.Unlock()
	l.workers.Wait()
	return l.failed
}

// next books for the next party; one of four is of two. Nil: that was all.
func (l *lobby) next() *party {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open || l.failed != nil {
		return nil
	}
	people := 1
	if l.chance.IntN(4) == 0 {
		people = 2
	}
	made, err := l.town.hotels[0].book(1, people)
	if err != nil {
		l.failed = errors.Join(l.failed, err)
		return nil
	}
	p := &party{guests: made[0]}
	l.parties = append(l.parties, p)
	return p
}

// come brings a party to one kiosk, or to both at once; whoever is sent to a person with nothing done may try again; whoever
// is in house may leave, and come back.
func (l *lobby) come(p *party, chance *rand.Rand) {
	desks := kiosks()
	chance.Shuffle(len(desks), func(i, j int) { desks[i], desks[j] = desks[j], desks[i] })
	var other sync.WaitGroup
	if chance.IntN(5) == 0 {
		behind := time.Duration(chance.IntN(60)) * time.Millisecond
		other.Go(func() {
			pause(behind)
			l.insist(p, &visit{ask: p.checkIn(l.tokens[desks[1]], desks[1])})
		})
	}
	v := l.insist(p, &visit{ask: p.checkIn(l.tokens[desks[0]], desks[0])})
	for range 2 {
		if v.final.status != http.StatusAccepted || !slices.Contains(handedBefore(), toldBy(v.final).Assist.Kind) || chance.IntN(2) == 0 {
			break
		}
		v = l.insist(p, &visit{ask: p.checkIn(l.tokens[desks[0]], desks[0])})
	}
	other.Wait()
	if v.final.status != http.StatusCreated || chance.IntN(10) < 4 {
		return
	}
	if v = l.insist(p, &visit{leaving: true, ask: p.checkOut(l.tokens[desks[0]], desks[0])}); v.final.status == http.StatusCreated && chance.IntN(2) == 0 {
		l.insist(p, &visit{back: true, ask: p.checkIn(l.tokens[desks[1]], desks[1])})
	}
}

// insist sends a request until its answer is final, or the time is over. "With the front desk" is final: a person settles it.
func (l *lobby) insist(p *party, v *visit) *visit {
	p.mu.Lock()
	p.visits = append(p.visits, v)
	p.mu.Unlock()
	for !l.over() {
		v.attempts++
		got, err := l.api.do(v.ask, 4*time.Second)
		v.last = got.word(err)
		if n := len(v.heard); n == 0 || v.heard[n-1] != v.last {
			v.heard = append(v.heard, v.last)
		}
		if err == nil && (!got.retry || got.problem == "with-front-desk") {
			v.final, v.done = got, true
			return v
		}
		if got.replay { // "try again" will be said under this key for ever
			v.ask.key = uuid.NewString()
		}
		pause(30 * time.Millisecond)
	}
	return v
}

func (l *lobby) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.until.IsZero() && time.Now().After(l.until)
}
