package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/warmgate/warmgate/backends/ohip"
)

const (
	roomsRate = 500 // searches a second, open loop
	roomsLook = 5   // of so many searches one answer is kept, to be held against what was told
)

// tails searches at a fixed rate: first while no hotel says anything, then, when all have told of all nights of the stay, while
// they go on telling. Each event has one more room of a kind free than the one before it, so that an answer shows which of
// them it knows.
func (t *rooms) tails() error {
	quiet, err := t.tail(t.anywhere, func() {})
	if err != nil {
		return err
	}
	r := t.run.report
	r.note(fmt.Sprintf("%d warm searches at %d/s, none of them twice, p50 / p99 as the client has it", len(quiet.searches), roomsRate),
		"%.2f / %.2f ms", quiet.at(50), quiet.at(99))
	h := newTellers(t)
	if err := h.tellAll(); err != nil {
		return err
	}
	asked := func() int { return int(t.town.Books().(ohip.TownBooks).Asked) }
	before := asked()
	loud, err := h.whileTold()
	if err != nil {
		return err
	}
	r.exactly("not answered with 200, open loop", quiet.wrong+loud.wrong, 0)
	r.note(fmt.Sprintf("%d searches at %d/s, one in four of them again, p50", len(loud.searches), roomsRate), "%.2f ms", loud.at(50))
	r.atMost(fmt.Sprintf("p99, while hotels tell of %d nights/s", tellsPerSecond), "ms", loud.at(99), 8, 6)
	if err := t.hold(r, "rooms-search", fmt.Sprintf("A warm search for rooms, at %d a second", roomsRate), fmt.Sprintf("%d searches a second", roomsRate),
		loop{name: "no hotel says anything", times: quiet.times}, loop{name: fmt.Sprintf("hotels tell of %d nights/s", tellsPerSecond), times: loud.times}); err != nil {
		return err
	}
	r.exactly("questions to hotels meanwhile", asked()-before, 0)
	return h.hold(loud)
}

// searched is what became of the searches of a loop.
type searched struct {
	searches []oneSearch
	wrong    int
	times    *hdrhistogram.Histogram // microseconds from the intended start
}

func (s *searched) at(q float64) float64 { return float64(s.times.ValueAtQuantile(q)) / 1000 }

// oneSearch is one of them; its body is kept of some.
type oneSearch struct {
	sent, heard time.Time
	late        time.Duration // from the intended start to the answer
	ok          bool
	body        []byte
}

// tail searches at a fixed rate; begins is called when it begins.
func (t *rooms) tail(path func() string, begins func()) (*searched, error) {
	api := newClient(t.serve.api.Addr().String(), 256)
	n := max(1000, t.run.n)
	paths := make([]string, n)
	for i := range paths {
		paths[i] = path()
	}
	begins()
	s := &searched{searches: make([]oneSearch, n), times: hdrhistogram.New(1, 10_000_000, 3)}
	if err := openLoop(t.run.ctx, n, roomsRate, func(i int, intended time.Time) {
		one := &s.searches[i]
		one.sent = time.Now()
		got, err := api.do(ask{method: http.MethodGet, path: paths[i], token: t.token}, 5*time.Second)
		one.heard = time.Now()
		one.late, one.ok = one.heard.Sub(intended), err == nil && got.status == http.StatusOK
		if i%roomsLook == 0 {
			one.body = got.body
		}
	}); err != nil {
		return nil, err
	}
	for i := range s.searches {
		if !s.searches[i].ok {
			s.wrong++
		}
		_ = s.times.RecordValue(max(1, s.searches[i].late.Microseconds())) // a request takes less than the histogram's ten seconds
	}
	return s, nil
}
