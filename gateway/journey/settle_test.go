package journey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// sale holds a seat in the ledger and sells it, which is the pivot.
func (s *shop) sale(b *Builder, in Ref[string]) Ref[string] {
	held := Record(b, "hold", hold, in, UndoRecord(release))
	return Join(b, "say", held, Commit(b, "sell", s.mark, held, later, sold, Pivot()), marked)
}

// marked answers with what was there before the sale.
func marked(seat string, _ struct{}) (string, error) { return seat, nil }

func (s *shop) prove(steps []string, body func(b *Builder, in Ref[string]) Ref[string]) *Proven[string, string] {
	s.t.Helper()
	p, err := Define("once", body)
	proven := prove(s.t, p, err, fast(steps...))
	s.engine.Install(proven)
	return proven
}

// Where recovery would come to the very outcome that is at hand, nobody waits for its flush; a retry under the same key
// does, and hears the same bytes.
func TestSettledBehindTheAnswer(t *testing.T) {
	s := newShop(t)
	p := s.prove([]string{"sell"}, s.sale)
	req := s.request()
	req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{2}}
	s.when = func() { s.fault.Set(ledgertest.AtBegin, ledgertest.Hang) } // from the sale on
	first, err := p.Run(s.engine, req, "A1", render)
	if err != nil || first.Status != 201 || string(first.Body) != "A1[]" {
		t.Fatalf("answer %+v, %v", first, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.ledger.Settled(short, req.ID); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("it is settled although the ledger hangs: %v", err)
	}
	s.when = nil
	s.fault.Set(ledgertest.AtBegin, ledgertest.None)
	again := s.request()
	again.Idempotency = req.Idempotency
	second, err := p.Run(s.engine, again, "A1", render)
	if err != nil || !second.Replayed || second.ID != first.ID || string(second.Body) != string(first.Body) || len(s.tried) != 1 {
		t.Errorf("again: %+v, %v after %v", second, err, s.tried)
	}
	s.view(func(q ledger.Querier) error {
		r, found, err := ledger.FindRun(q, req.ID)
		if !found || r.State != ledger.RunDone || r.Status != 201 || s.operation("sell/A1").State != ledger.OpDone {
			t.Errorf("the run is %+v", r)
		}
		return err
	})
}

// What was answered is what recovery comes to, should the ledger never hear of it; a retry hears the very same.
func TestAnswerStandsWhoseFlushIsLost(t *testing.T) {
	for _, fault := range []ledgertest.Fault{ledgertest.Full, ledgertest.Lost} {
		s := newShop(t)
		p := s.prove([]string{"sell"}, s.sale)
		s.faultAt(2, fault)
		req := s.request()
		req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{2}}
		first, err := p.Run(s.engine, req, "A1", render)
		if err != nil || first.Status != 201 {
			t.Fatalf("%s: answer %+v, %v", fault, first, err)
		}
		s.revive(p)
		if _, err := s.engine.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.outbox(t); err != nil {
			t.Fatal(err)
		}
		sold, held := s.taken("A1")
		if op := s.operation("sell/A1"); op.State != ledger.OpDone || sold != 1 || held != 1 || len(s.tried) != 1 {
			t.Errorf("%s: the sale is %s, sold %d, held %d after %v", fault, op.State, sold, held, s.tried)
		}
		again := s.request()
		again.Idempotency = req.Idempotency
		second, err := p.Run(s.engine, again, "A1", render)
		if err != nil || !second.Replayed || second.ID != first.ID || second.Status != first.Status || string(second.Body) != string(first.Body) {
			t.Errorf("%s: first %+v, again %+v, %v", fault, first, second, err)
		}
	}
}

// The draft takes for granted what has not come about here: a retry is a new try.
func TestDraftIsNotTheAnswerWhileSomethingIsOutstanding(t *testing.T) {
	s := newShop(t)
	p := s.prove([]string{"sell", "second"}, func(b *Builder, in Ref[string]) Ref[string] { return bothSeats(s, b, in) })
	s.dieAfter(2) // the second is begun, and never made
	req := s.request()
	req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{2}}
	_, _ = p.Run(s.engine, req, "A1", render)
	s.revive(p)
	if n, err := s.engine.Recover(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	again := s.request()
	again.Idempotency = req.Idempotency
	if a, err := p.Run(s.engine, again, "A1", render); err != nil || a.Status != 201 || a.Replayed || a.ID == req.ID {
		t.Errorf("again: %+v, %v", a, err)
	}
}

// Recovery ends a run with its draft only where the backend has what was expected: else the retry is a new try.
func TestDraftIsNotTheAnswerWhereAnotherThingCame(t *testing.T) {
	for _, c := range []struct {
		body     func(s *shop, b *Builder, in Ref[string]) Ref[string]
		replayed bool
	}{{expects, true}, {expectsMore, false}} {
		s := newShop(t)
		p := s.prove([]string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] { return c.body(s, b, in) })
		s.dieAfter(1)
		req := s.request()
		req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{2}}
		_, _ = p.Run(s.engine, req, "A1", render)
		s.sold["A1"] = 1 // it took place although nobody heard of it
		s.revive(p)
		if n, err := s.engine.Recover(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if err := s.outbox(t); err != nil {
			t.Fatal(err)
		}
		again := s.request()
		again.Idempotency = req.Idempotency
		a, err := p.Run(s.engine, again, "A1", render)
		if err != nil || a.Replayed != c.replayed || c.replayed && string(a.Body) != "ticket for A1[]" || s.sold["A1"] != 1 {
			t.Errorf("again: %+v, %v; sold %v", a, err, s.sold)
		}
	}
}

// A run that meets what another is about to settle meets it settled.
func TestRunMeetsWhatIsBeingSettled(t *testing.T) {
	s := newShop(t)
	p := s.prove([]string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
		return Join(b, "say", in, Commit(b, "sell", s.mark, in, later, sold, Pivot()), marked)
	})
	for i := range 2 {
		a, err := p.Run(s.engine, s.request(), "A1", render)
		if err != nil || a.Status != 201 || string(a.Body) != "A1[]" || len(s.tried) != 1 {
			t.Errorf("answer %d: %+v, %v after %v", i, a, err, s.tried)
		}
	}
}

// What only the ledger would know is flushed before it is told.
func TestOnlyWhatIsCertainIsSettledBehind(t *testing.T) {
	for name, c := range map[string]struct {
		flushes uint64
		steps   string // beside the sale
		prior   error  // of the pivot
		second  error  // of what comes behind it
		body    func(s *shop, b *Builder, in Ref[string]) Ref[string]
	}{
		"what came back is told":            {2, "", nil, nil, tells},
		"what is expected came back":        {1, "", nil, nil, expects},
		"another thing came back":           {2, "", nil, nil, expectsMore},
		"whether it came about is told":     {1, "", nil, nil, hears},
		"all of it":                         {2, "second", nil, nil, bothSeats},
		"the pivot left to the outbox":      {2, "", errLost, nil, (*shop).sale},
		"the pivot refused, and gone on":    {2, "", call.Refuse("sold-out", nil), nil, withoutSale},
		"the pivot not sent, and gone on":   {2, "", call.NotSent(errLost), nil, withoutSale},
		"the second left to the outbox":     {3, "second", nil, errLost, bothSeats},
		"the second refused, and gone on":   {3, "second", nil, call.Refuse("sold-out", nil), withoutSecond},
		"the second unknown, and gone on":   {3, "second", nil, errLost, withoutSecond},
		"something disclosed after the end": {2, "find", nil, nil, discloses},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.prior, s.says = c.prior, map[string]error{"B1": c.second}
			p := s.prove(strings.Fields("sell "+c.steps), func(b *Builder, in Ref[string]) Ref[string] { return c.body(s, b, in) })
			before := s.ledger.Stats().Batches
			a, err := p.Run(s.engine, s.request(), "A1", render)
			if n := s.ledger.Stats().Batches - before; err != nil || a.Status != 201 || n != c.flushes {
				t.Errorf("%d flushes before the answer %+v, %v", n, a, err)
			}
		})
	}
}

// tells answers with what the sale has brought.
func tells(s *shop, b *Builder, in Ref[string]) Ref[string] {
	return Commit(b, "sell", s.sell, Record(b, "hold", hold, in, UndoRecord(release)), later, sold, Pivot())
}

// expects answers with what the sale has brought, and knows it before.
func expects(s *shop, b *Builder, in Ref[string]) Ref[string] {
	usual := Expect(func(seat string) string { return "ticket for " + seat })
	return Commit(b, "sell", s.sell, Record(b, "hold", hold, in, UndoRecord(release)), later, sold, Pivot(), usual)
}

// expectsMore is wrong about what the sale brings.
func expectsMore(s *shop, b *Builder, in Ref[string]) Ref[string] {
	usual := Expect(func(string) string { return "two tickets" })
	return Commit(b, "sell", s.sell, Record(b, "hold", hold, in, UndoRecord(release)), later, sold, Pivot(), usual)
}

// hears answers with whether the sale was made, which its draft takes for granted.
func hears(s *shop, b *Builder, in Ref[string]) Ref[string] {
	made := Try(b, Commit(b, "sell", s.mark, in, later, Pivot()))
	return Check(b, "say", func(r Result[struct{}]) (string, error) { return fmt.Sprint(r.Err == nil), nil }, made)
}

func bothSeats(s *shop, b *Builder, in Ref[string]) Ref[string] { return second(s, b, in, later) }

func withoutSecond(s *shop, b *Builder, in Ref[string]) Ref[string] {
	return second(s, b, in, Without())
}

func second(s *shop, b *Builder, in Ref[string], opts ...Option) Ref[string] {
	bought := Commit(b, "sell", s.sell, in, later, sold, Pivot())
	next := Check(b, "next", func(string) (string, error) { return "B1", nil }, bought)
	return Join(b, "say", bought, Commit(b, "second", s.mark, next, opts...), marked)
}

func withoutSale(s *shop, b *Builder, in Ref[string]) Ref[string] {
	return Join(b, "say", in, Commit(b, "sell", s.mark, in, Without(), Pivot()), marked)
}

func discloses(s *shop, b *Builder, in Ref[string]) Ref[string] {
	bought := Join(b, "say", in, Commit(b, "sell", s.mark, in, later, sold, Pivot()), marked)
	return Ask(b, "find", s.find, bought, Without(), Disclose("look at it", "seat"))
}

// An earlier run under the key is looked up before anybody is asked; where that can't be, the commit finds it. A refusal
// may be what the earlier run has done: without the look nobody is refused.
func TestEarlierRunIsLookedUp(t *testing.T) {
	for _, view := range []ledgertest.Fault{ledgertest.None, ledgertest.Hang, ledgertest.ReadOnly} {
		s := newShop(t)
		gone := false
		p := s.prove([]string{"find", "sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			found := Ask(b, "find", s.find, in, down)
			there := Check(b, "there", func(seat string) (string, error) {
				if gone {
					return "", problemSold.Error(gateway.Text{})
				}
				return seat, nil
			}, found)
			return s.sale(b, there)
		})
		try := func(payload byte, want int, wantErr error) Answer {
			t.Helper()
			req := s.request()
			req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{payload}}
			a, err := p.Run(s.engine, req, "A1", render)
			if a.Status != want || !errors.Is(err, wantErr) || len(s.tried) != 1 {
				t.Fatalf("%s: %+v, %v after %v", view, a, err, s.tried)
			}
			return a
		}
		first := try(2, 201, nil)
		s.still()
		s.fault.Set(ledgertest.AtView, view)
		if a := try(2, 201, nil); !a.Replayed || a.ID != first.ID || string(a.Body) != string(first.Body) {
			t.Errorf("%s: %+v", view, a)
		}
		try(3, 0, ErrKeyReused)
		gone = true
		if view == ledgertest.None {
			try(2, 201, nil)
			continue
		}
		if a := try(2, 409, nil); a.Err.Problem != gateway.ProblemLedgerUnavailable {
			t.Errorf("%s: %+v", view, a)
		}
	}
}

// A run that may have answered is recovery's first: a retry waits for it, and takes over only where it does not come.
func TestRetryWaitsForRecovery(t *testing.T) {
	for _, recovers := range []bool{true, false} {
		s := newShop(t)
		p := s.prove([]string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			return Join(b, "say", in, Commit(b, "sell", s.mark, in, later, sold, Pivot()), marked)
		})
		s.faultAt(2, ledgertest.Full) // what is kept behind the answer
		req := s.request()
		req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{2}}
		first, err := p.Run(s.engine, req, "A1", render)
		if err != nil || first.Status != 201 {
			t.Fatalf("%+v, %v", first, err)
		}
		s.still()
		retry := func() (Answer, error) {
			again := s.request()
			again.Idempotency = req.Idempotency
			return p.Run(s.engine, again, "A1", render)
		}
		s.pass(3*time.Second + 100*time.Millisecond) // deadline and lease are over
		if a, err := retry(); !errors.Is(err, ErrKeyRunning) {
			t.Errorf("before recovery: %+v, %v", a, err)
		}
		if recovers {
			if n, err := s.engine.Recover(t.Context()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
		}
		s.pass(time.Second)
		a, err := retry()
		if err != nil || a.Status != 201 || a.Replayed != recovers || len(s.tried) != 1 {
			t.Errorf("recovered %v: %+v, %v after %v", recovers, a, err, s.tried)
		}
	}
}

// A run that has died is recovery's first, whether it can have answered or not: what its retry hears is what recovery comes
// to, wherever the run has died. A retry that went ahead would be refused for what the dead run holds, for ever.
func TestRetryHearsWhatRecoveryComesTo(t *testing.T) {
	for _, c := range []struct {
		dies  int  // after so many commits
		made  bool // the sale took place although nobody heard of it
		sold  int
		hears string
	}{
		{1, false, 1, "ticket for A1[]"}, // undone: the retry buys the seat
		{1, true, 1, "held"},             // sold: what is missing is a person's
		{2, false, 1, "held"},
	} {
		t.Run(fmt.Sprint(c.dies, " ", c.made), func(t *testing.T) {
			s := newShop(t)
			p := s.prove([]string{"sell", "second"}, func(b *Builder, in Ref[string]) Ref[string] {
				held := Record(b, "hold", hold, in, UndoRecord(release))
				bought := Commit(b, "sell", s.sell, held, later, sold, Pivot(), Undo(s.unsell))
				next := Check(b, "next", func(string) (string, error) { return "B1", nil }, bought)
				return Join(b, "say", bought, Commit(b, "second", s.sell, next, later), both)
			})
			req := s.request()
			req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{2}}
			s.dieAfter(c.dies)
			_, _ = p.Run(s.engine, req, "A1", render)
			if c.made {
				s.sold["A1"] = 1
			}
			s.revive(p)
			s.pass(3*time.Second - time.Minute + 100*time.Millisecond) // deadline and lease are just over
			retry := func() (Answer, error) {
				again := s.request()
				again.Idempotency = req.Idempotency
				return p.Run(s.engine, again, "A1", render)
			}
			if a, err := retry(); !errors.Is(err, ErrKeyRunning) {
				t.Errorf("before recovery: %d %s, %v", a.Status, a.Body, err)
			}
			if n, err := s.engine.Recover(t.Context()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if a, err := retry(); !errors.Is(err, ErrKeyRunning) {
				t.Errorf("during recovery: %d %s, %v", a.Status, a.Body, err)
			}
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
			a, err := retry()
			if err != nil || string(a.Body) != c.hears || s.sold["A1"] != c.sold {
				t.Errorf("after it: %d %s, %v; sold %v", a.Status, a.Body, err, s.sold)
			}
		})
	}
}
