package journey

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// laterPlan keeps something and has a system told of it behind the answer.
func (s *shop) laterPlan(t *testing.T) *Proven[string, string] {
	t.Helper()
	return s.prove(nil, func(b *Builder, in Ref[string]) Ref[string] {
		held := Record(b, "hold", hold, in, Pivot())
		Commit(b, "sell", s.sell, held, Later(time.Hour, handover))
		return held
	})
}

// What is left to the outbox from the beginning costs the answer nothing: one commit, no call, no slice.
func TestLaterIsBegunWithTheAnswer(t *testing.T) {
	s := newShop(t)
	p := s.laterPlan(t)
	var a Answer
	if n := s.flushes(func() { a, _ = p.Run(s.engine, s.request(), "A1", render) }); n != 1 {
		t.Errorf("%d flushes", n)
	}
	if sold, held := s.taken("A1"); a.Status != 201 || string(a.Body) != "A1[sell]" || sold != 0 || held != 1 {
		t.Errorf("answer %d %s; sold %d, held %d", a.Status, a.Body, sold, held)
	}
	if p.Proof().Total != p.Proof().Timing.Flush+p.Proof().Timing.Overhead {
		t.Errorf("proof %s is %s", p.Proof().Line(), p.Proof().Total)
	}
	if in := s.due(kindDeliver); in > time.Hour || in < time.Hour-time.Second {
		t.Errorf("due in %v", in)
	}
	s.promisedWithin(time.Hour)
	for range 2 {
		if err := s.outbox(t); err != nil {
			t.Fatal(err)
		}
	}
	if sold, _ := s.taken("A1"); sold != 1 || s.operation("sell/A1").State != ledger.OpDone {
		t.Errorf("sold %d times", sold)
	}
}

// promisedWithin checks that the sale of A1 is overdue after due, and not before.
func (s *shop) promisedWithin(due time.Duration) {
	s.t.Helper()
	s.view(func(q ledger.Querier) error {
		for in, want := range map[time.Duration]int{due - time.Minute: 0, due + time.Minute: 1} {
			late, err := ledger.OverdueOperations(q, s.clock().Add(in))
			if err != nil || len(late) != want {
				s.t.Errorf("in %v these are overdue: %+v, %v", in, late, err)
			}
		}
		return nil
	})
}

// What the system refuses then is a person's, in the words of the step.
func TestLaterThatIsRefusedIsAPersons(t *testing.T) {
	s := newShop(t)
	p := s.laterPlan(t)
	if _, err := p.Run(s.engine, s.request(), "A1", render); err != nil {
		t.Fatal(err)
	}
	s.prior = call.Refuse("sold-out", nil)
	m := s.first()
	if err := s.engine.Handlers()[kindDeliver](t.Context(), m); err == nil {
		t.Fatal("a refusal was delivered")
	}
	s.kill(m)
	if all := s.assists(); len(all) != 1 || all[0].Kind != handover.Kind {
		t.Errorf("assists %+v", all)
	}
}

// Where an earlier run's effect came to nothing, a later one takes it over for the outbox.
func TestLaterTakesOverWhatCameToNothing(t *testing.T) {
	s := newShop(t)
	s.prior = call.Refuse("sold-out", nil)
	if a := s.run(t, "A1", Defer(time.Hour, handover)); a.Status != 409 {
		t.Fatalf("answer %d %s", a.Status, a.Body)
	}
	s.prior = nil
	if a, err := s.laterPlan(t).Run(s.engine, s.request(), "A1", render); err != nil || a.Status != 201 {
		t.Fatalf("answer %d %s, %v", a.Status, a.Body, err)
	}
	if state := s.operation("sell/A1").State; state != ledger.OpDeferred {
		t.Errorf("it is %s", state)
	}
	s.promisedWithin(time.Hour)
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	if sold, _ := s.taken("A1"); sold != 1 {
		t.Errorf("sold %d times", sold)
	}
}
