package call

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
)

// reply is what the backend does to one attempt.
type reply struct {
	after time.Duration
	kind  kind
}

type kind int

const (
	well kind = iota
	absent
	refused
	broken
	unsent
)

// visit is one call of the test: so long after the one before has begun, with so much time of its own (0: no limit).
type visit struct{ pause, limit time.Duration }

// model is what Call promises, as a calculation over times for calls in the order of their beginning: it starts no
// goroutine, keeps no table and waits for nothing.
type model struct {
	p       Policy
	jitter  *Caller
	replies []reply
	asked   int
	known   *fact
	flying  *fact
}

// fact is an answer, when it was asked for and when it came.
type fact struct {
	value       int
	kind        kind
	asOf, lands time.Duration
}

func (m *model) next() (int, reply) {
	m.asked++
	if m.asked <= len(m.replies) {
		return m.asked, m.replies[m.asked-1]
	}
	return m.asked, reply{}
}

func (m *model) enough(left time.Duration) bool { return left > 0 && left >= m.p.Min }

// one is one try of an attempt that begins at from and has to land by end.
func (m *model) one(from, end time.Duration) fact {
	n, r := m.next()
	if from+r.after > end {
		return fact{kind: broken, lands: end}
	}
	return fact{value: n, kind: r.kind, lands: from + r.after}
}

func (m *model) attempt(from, end time.Duration) fact {
	first := m.one(from, end)
	at := from + m.p.HedgeAfter
	if m.p.HedgeAfter > 0 && first.lands > at && m.enough(end-at) {
		second := m.one(at, end)
		if first.kind < broken && second.kind < broken {
			if second.lands < first.lands {
				first = second
			}
		} else if second.kind < broken {
			first = second
		} else if first.kind >= broken {
			first.lands = max(first.lands, second.lands)
		}
	}
	first.asOf = from
	return first
}

func (m *model) fly(start time.Duration) *fact {
	for from, n := start, 1; ; n++ {
		f := m.attempt(from, min(from+m.p.AttemptTimeout, start+m.p.Slice))
		if f.kind < broken || n == m.p.Attempts {
			return &f
		}
		pause := m.jitter.jitter(m.p.Backoff)
		if !m.enough(start + m.p.Slice - f.lands - pause) {
			return &f
		}
		from = f.lands + pause
	}
}

// land lets the call in the air land, if it has by now.
func (m *model) land(now time.Duration) {
	f := m.flying
	if f == nil || f.lands > now {
		return
	}
	m.flying = nil
	if f.kind >= broken {
		return
	}
	m.known = nil
	if keep := m.p.Cache.keep(f.kind == absent); f.kind != refused && f.asOf+keep > f.lands {
		m.known = f
	}
}

// answer is what Call returns and when.
type answer struct {
	value int
	state gateway.State
	asOf  time.Duration // -1: none
	kind  kind
	at    time.Duration
}

func (m *model) call(now, limit time.Duration) answer {
	m.land(now)
	c, known := m.p.Cache, m.known
	if known != nil {
		age := now - known.asOf
		switch {
		case known.kind == absent && age < c.Negative:
			return answer{0, gateway.Cached, known.asOf, absent, now}
		case known.kind == absent:
			known = nil
		case age < c.Fresh:
			return answer{known.value, gateway.Cached, known.asOf, well, now}
		case age < c.Fresh+c.StaleWhileRevalidate:
			if m.flying == nil {
				m.flying = m.fly(now)
			}
			return answer{known.value, gateway.Stale, known.asOf, well, now}
		}
	}
	got := m.ask(now, limit)
	if got.kind >= broken && known != nil && c.StaleIfError > 0 && got.at-known.asOf < c.Fresh+c.StaleIfError {
		return answer{known.value, gateway.Stale, known.asOf, well, got.at}
	}
	return got
}

func (m *model) ask(now, limit time.Duration) answer {
	until := now + m.p.Slice
	if limit > 0 {
		until = min(until, now+limit)
	}
	if m.flying == nil {
		if !m.enough(until - now) {
			return answer{0, gateway.Missing, -1, unsent, now}
		}
		m.flying = m.fly(now)
	}
	f := m.flying
	if f.lands > until {
		return answer{0, gateway.Missing, -1, broken, until}
	}
	switch f.kind {
	case well:
		return answer{f.value, gateway.Live, f.asOf, well, f.lands}
	case absent, refused:
		return answer{0, gateway.Live, f.asOf, f.kind, f.lands}
	}
	return answer{0, gateway.Missing, -1, broken, f.lands}
}

func drawPolicy(t *rapid.T) Policy {
	between := func(name string, least, most time.Duration) time.Duration {
		return time.Duration(rapid.IntRange(int(least/ms), int(most/ms)).Draw(t, name)) * ms
	}
	maybe := rapid.Bool()
	p := Policy{Attempts: rapid.IntRange(1, 3).Draw(t, "attempts"), AttemptTimeout: between("attempt_timeout", 20*ms, 100*ms)}
	if p.Attempts > 1 {
		p.Backoff = between("backoff", 0, 20*ms)
	}
	p.Slice = time.Duration(p.Attempts)*p.AttemptTimeout + time.Duration(p.Attempts-1)*p.Backoff + between("spare", 0, 30*ms)
	if maybe.Draw(t, "hedged") {
		p.HedgeAfter = between("hedge_after", ms, p.AttemptTimeout-ms)
	}
	p.Min = between("min", 0, p.AttemptTimeout-p.HedgeAfter)
	for _, d := range []*time.Duration{&p.Cache.Fresh, &p.Cache.StaleWhileRevalidate, &p.Cache.StaleIfError, &p.Cache.Negative} {
		if maybe.Draw(t, "cached") {
			*d = between("window", ms, 400*ms)
		}
	}
	return p
}

// Odd nanoseconds keep any two things from happening at the same instant, where either order would be right.
func drawReplies(t *rapid.T) []reply {
	replies := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) reply {
		return reply{time.Duration(rapid.IntRange(0, 120).Draw(t, "after"))*ms + 137, kind(rapid.IntRange(0, int(unsent)).Draw(t, "kind"))}
	}), 0, 60).Draw(t, "replies")
	for i := range replies {
		replies[i].after += time.Duration(i) * 1009
	}
	return replies
}

func drawVisits(t *rapid.T) []visit {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) visit {
		v := visit{pause: time.Duration(rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(0, 500)).Draw(t, "pause"))*ms + 11}
		if rapid.Bool().Draw(t, "limited") {
			v.limit = time.Duration(rapid.IntRange(1, 200).Draw(t, "limit"))*ms + 3
		}
		return v
	}), 1, 25).Draw(t, "visits")
}

func TestCallIsItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, replies, visits := drawPolicy(rt), drawReplies(rt), drawVisits(rt)
		if err := p.Validate(); err != nil {
			rt.Fatal(err)
		}
		var wrong error
		synctest.Test(t, func(t *testing.T) { wrong = follow(t, p, replies, visits) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

// follow makes the visits and returns the first difference from the model.
func follow(t *testing.T, p Policy, replies []reply, visits []visit) error {
	w := newWorld(t, InstanceConfig{MaxInFlight: 1000, Budget: BudgetConfig{Floor: 1000, Share: 1},
		Breaker: BreakerConfig{Consecutive: 1000, MinCalls: 10000}})
	w.serve = func(ctx context.Context, n int, _ string) (int, error) {
		var r reply
		if n <= len(replies) {
			r = replies[n-1]
		}
		err := []error{nil, nil, Refuse("used", nil), errDown, NotSent(errDown)}[r.kind]
		if r.kind == absent {
			n = 0
		}
		return hold(ctx, r.after, n, err)
	}
	m := &model{p: p, jitter: NewCaller(nil, testKeys{}, 1), replies: replies}
	base := time.Now()
	wrong := make(chan error, len(visits))
	for i, v := range visits {
		time.Sleep(v.pause)
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if v.limit > 0 {
			ctx, cancel = context.WithTimeout(ctx, v.limit)
		}
		want := m.call(time.Since(base), v.limit)
		go func() {
			defer cancel()
			o, s, err := w.read.Call(ctx, w.caller, w.b, p, "ticket-1")
			if got := observed(o, s, err, base); got != want {
				wrong <- fmt.Errorf("visit %d: got %+v (%v), want %+v", i, got, err, want)
			}
		}()
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	select {
	case err := <-wrong:
		return err
	default:
	}
	if n := int(w.calls.Load()); n != m.asked {
		return fmt.Errorf("%d backend calls, want %d", n, m.asked)
	}
	if st := w.in.Stats(); st.InFlight != 0 || w.in.extra.Load() != 0 || w.in.calls.Load() != 0 || st.Breaker != "closed" {
		return fmt.Errorf("left behind: %+v", st)
	}
	return nil
}

func observed(o int, s gateway.Source, err error, base time.Time) answer {
	got := answer{value: o, state: s.State, asOf: -1, at: time.Since(base)}
	if !s.AsOf.IsZero() {
		got.asOf = s.AsOf.Sub(base)
	}
	switch {
	case err == nil && o == 0:
		got.kind = absent
	case err == nil:
		got.kind = well
	case OutcomeOf(err) == RefusedOutcome:
		got.kind = refused
	case errors.Is(err, ErrTooLate):
		got.kind = unsent
	default:
		got.kind = broken
	}
	return got
}
