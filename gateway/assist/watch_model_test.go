package assist_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/flow/worldtest"
)

// board is what a client has made of its streams, which it leaves and comes back to as it likes.
type board struct {
	p     *place
	token string

	mu      sync.Mutex
	last    string           // the id to come back with
	seq     int64            // of the last event
	shows   map[string]int64 // what is unresolved: the seq of each
	wrong   []string
	stream  *worldtest.Stream
	reading sync.WaitGroup
}

func newBoard(p *place, token string) *board {
	return &board{p: p, token: token, shows: map[string]int64{}}
}

// come opens a stream where there is none, and reads it until it is left.
func (b *board) come() {
	if b.stream != nil {
		return
	}
	b.stream = b.p.watch(b.token, b.last)
	if b.stream.Status != 200 {
		b.wrong = append(b.wrong, fmt.Sprint(b.stream.Status, b.stream.Body))
	}
	s := b.stream
	b.reading.Go(func() {
		for e, more := s.Next(); more; e, more = s.Next() {
			b.hear(e)
		}
	})
}

func (b *board) leave() {
	if b.stream == nil {
		return
	}
	b.stream.Close()
	b.reading.Wait()
	b.stream = nil
}

func (b *board) hear(e worldtest.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.ID != "" {
		b.last = e.ID
	}
	switch e.Name {
	case "":
		return
	case "reset":
		b.shows, b.seq = map[string]int64{}, 0
		return
	}
	var a seen
	if err := json.Unmarshal([]byte(e.Data), &a); err != nil {
		b.wrong = append(b.wrong, err.Error())
	}
	if a.Seq <= b.seq || strconv.FormatInt(a.Seq, 10) != e.ID {
		b.wrong = append(b.wrong, fmt.Sprintf("change %d came after %d, with the id %s", a.Seq, b.seq, e.ID))
	}
	if b.seq = a.Seq; e.Name == "resolved" {
		delete(b.shows, a.ID)
	} else {
		b.shows[a.ID] = a.Seq
	}
}

// agrees reports whether it shows what the list has.
func (b *board) agrees() (bool, string) {
	listed := map[string]int64{}
	for after := int64(0); ; {
		l := b.p.list(b.token, fmt.Sprintf("?limit=100&after=%d", after))
		for _, a := range l.Assists {
			if a.State != "resolved" {
				listed[a.ID] = a.Seq
			}
		}
		if len(l.Assists) == 0 {
			break
		}
		after = l.Next
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Equal(listed, b.shows) && len(b.wrong) == 0, fmt.Sprintf("shows %v, listed %v; wrong: %q", b.shows, listed, b.wrong)
}

// TestWhatAClientMakesOfItsStreamsIsTheList: whatever is opened, claimed, handed back and settled, several at once, and
// whenever a client leaves and comes back.
func TestWhatAClientMakesOfItsStreamsIsTheList(t *testing.T) {
	leaks(t)
	p := start(t)
	checks := 0
	rapid.Check(t, func(r *rapid.T) {
		if checks++; checks > 50 || checks > 12 && testing.Short() {
			return
		}
		p.walk(r, []*board{newBoard(p, p.li), newBoard(p, p.east)})
	})
}

// walk lets people work and clients come and go; in the end every client's board is the list.
func (p *place) walk(r *rapid.T, boards []*board) {
	defer func() {
		for _, b := range boards {
			b.leave()
		}
	}()
	var mu sync.Mutex
	var all []string
	open := func(at string) func() {
		return func() {
			_, id := p.stuck("help", at)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, id)
		}
	}
	work := func(what, token string, pick int) func() {
		return func() {
			mu.Lock()
			id := all[pick%len(all)]
			mu.Unlock()
			if what == "resolution" {
				p.resolve(token, id, "turn-away")
				return
			}
			p.post(token, id, what, "")
		}
	}
	open("east")()
	tokens := map[string]string{"li": p.li, "wang": p.wang}
	for range rapid.IntRange(3, 12).Draw(r, "steps") {
		for i, b := range boards {
			switch rapid.SampledFrom([]string{"stay", "stay", "come", "leave", "both"}).Draw(r, fmt.Sprint("client ", i)) {
			case "come":
				b.come()
			case "leave":
				b.leave()
			case "both":
				b.leave()
				b.come()
			}
		}
		var busy sync.WaitGroup
		for range rapid.IntRange(1, 3).Draw(r, "at once") {
			do := open(rapid.SampledFrom([]string{"east", "west"}).Draw(r, "venue"))
			if what := rapid.SampledFrom([]string{"open", "claim", "claim", "release", "resolution", "resolution"}).Draw(r, "what"); what != "open" {
				who := rapid.SampledFrom(slices.Sorted(maps.Keys(tokens))).Draw(r, "who")
				do = work(what, tokens[who], rapid.IntRange(0, 9).Draw(r, "which"))
			}
			busy.Go(do)
		}
		busy.Wait()
	}
	for _, b := range boards {
		b.come()
		end := time.Now().Add(5 * time.Second)
		ok, text := b.agrees()
		for !ok && time.Now().Before(end) {
			<-time.After(5 * time.Millisecond)
			ok, text = b.agrees()
		}
		if !ok {
			r.Fatal(text)
		}
	}
}
