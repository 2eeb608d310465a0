package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// wish is a room that a traveller wants, and what they were told of it.
type wish struct {
	traveller int
	name      string
	heard     []*said // of the booking, then of the cancellation
	left      bool    // without an answer
}

// said is what was said to one request in the end.
type said struct {
	ask      ask
	off      string // the confirmation that it calls off; "": it books
	attempts int
	final    answer
	done     bool
}

// confirmation is the number of a booking that an answer gives.
func (s *said) confirmation() string {
	var b struct {
		Confirmation string `json:"confirmation"`
	}
	if !s.done || s.final.status != http.StatusCreated && s.final.problem != "room-booked-already" {
		return ""
	}
	_ = json.Unmarshal(s.final.body, &b) // what cannot be read has told nothing
	return b.Confirmation
}

// word is what was asked and answered.
func (s *said) word() string {
	what := "to a booking: "
	if s.off != "" {
		what = "to a cancellation: "
	}
	return what + fmt.Sprintf("%d %s", s.final.status, s.final.problem)
}

// bookers lets travellers book at a hotel and call off again.
type bookers struct {
	town   *town
	api    *client
	tokens []string // of the travellers

	mu      sync.Mutex
	night   string
	price   jsontext.Value
	open    bool
	until   time.Time
	wishes  []*wish // of this block
	workers sync.WaitGroup
}

func newBookers(t *town, serve *child) (*bookers, error) {
	b := &bookers{town: t, api: newClient(serve.api.Addr().String(), 64)}
	for i := range bookersAtOnce {
		token, err := t.mint(fmt.Sprint("traveller-", i), "rooms:read", "rooms:book")
		if err != nil {
			return nil, err
		}
		b.tokens = append(b.tokens, token)
	}
	return b, nil
}

// begin finds a room for the block's own night and lets travellers book.
func (b *bookers) begin(block int, seed uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open, b.until, b.wishes = true, time.Time{}, nil
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return err
	}
	b.night = time.Now().In(zone).AddDate(0, 0, 1+block%300).Format(time.DateOnly)
	if err := b.find(); err != nil {
		return err
	}
	for i := range bookersAtOnce {
		chance := rand.New(rand.NewPCG(seed, uint64(i)))
		b.workers.Go(func() {
			for w := b.next(i); w != nil; w = b.next(i) {
				b.come(w, chance)
				pause(betweenWishes)
			}
		})
	}
	return nil
}

// find searches for the night's price.
func (b *bookers) find() error {
	got, err := b.api.do(ask{method: fasthttp.MethodGet, token: b.tokens[0],
		path: "/v1/rooms?near=30.2431,120.1502&radius=100&guests=1&check_in=" + b.night}, 5*time.Second)
	if err != nil {
		return err
	}
	var found struct {
		Hotels []struct {
			Offers []struct {
				Kind  string         `json:"kind"`
				Plan  string         `json:"plan"`
				Total jsontext.Value `json:"total"`
			} `json:"offers"`
		} `json:"hotels"`
	}
	if err := json.Unmarshal(got.body, &found); err != nil {
		return err
	}
	for _, h := range found.Hotels {
		for _, o := range h.Offers {
			if o.Kind == "STD" && o.Plan == "FLEX" {
				b.price = o.Total
				return nil
			}
		}
	}
	return errors.New("the search finds no room to book: " + string(got.body))
}

// end lets nobody else book, and returns when every request has its final answer, or the time is over.
func (b *bookers) end(until time.Time) {
	b.mu.Lock()
	b.open, b.until = false, until
	b.mu.Unlock()
	b.workers.Wait()
}

// next is another wish of a traveller; nil: that was all.
func (b *bookers) next(traveller int) *wish {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return nil
	}
	w := &wish{traveller: traveller, name: fmt.Sprint("guest ", len(b.wishes))}
	b.wishes = append(b.wishes, w)
	return w
}

// books is the request for a wish, under a key of its own.
func (b *bookers) books(w *wish) ask {
	body, err := json.Marshal(map[string]any{"check_in": b.night, "nights": 1, "guests": 1, "kind": "STD", "plan": "FLEX", "price": b.price,
		"guest": map[string]string{"name": w.name}})
	if err != nil {
		panic("BUG: a wish cannot be encoded: " + err.Error())
	}
	return ask{method: fasthttp.MethodPost, path: "/v1/hotels/" + b.town.hotels[0].id + "/bookings", token: b.tokens[w.traveller], key: uuid.NewString(), body: body}
}

// come books a wish, perhaps by two requests at once; whoever has a room may call it off.
func (b *bookers) come(w *wish, chance *rand.Rand) {
	var other sync.WaitGroup
	if chance.IntN(6) == 0 {
		behind := time.Duration(chance.IntN(40)) * time.Millisecond
		second := &said{ask: b.books(w)}
		w.heard = append(w.heard, second)
		other.Go(func() {
			pause(behind)
			b.insist(second, false)
		})
	}
	first := &said{ask: b.books(w)}
	w.heard = append(w.heard, first)
	w.left = b.insist(first, chance.IntN(10) == 0)
	other.Wait()
	confirmation := first.confirmation()
	if confirmation == "" || chance.IntN(10) < 4 {
		return
	}
	off := &said{off: confirmation, ask: ask{method: fasthttp.MethodDelete, token: b.tokens[w.traveller],
		path: "/v1/hotels/" + b.town.hotels[0].id + "/bookings/" + confirmation}}
	w.heard = append(w.heard, off)
	b.insist(off, false)
}

// insist sends a request until its answer is final, or the time is over. Who is hasty leaves when there is none.
func (b *bookers) insist(s *said, hasty bool) (left bool) {
	for !b.over() {
		s.attempts++
		got, err := b.api.do(s.ask, 5*time.Second)
		if err == nil && !got.retry {
			s.final, s.done = got, true
			return false
		}
		if hasty {
			return true
		}
		if got.replay { // "try again" will be said under this key for ever
			s.ask.key = uuid.NewString()
		}
		pause(30 * time.Millisecond)
	}
	return false
}

func (b *bookers) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.until.IsZero() && time.Now().After(b.until)
}
