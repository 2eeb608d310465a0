package journey

import (
	"errors"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// handed brings a sale of A1 before a person in each way that there is, and returns the run.
var handed = map[string]func(s *shop) (run string){
	"never begun": stopped,
	"its fate unknown": func(s *shop) string {
		s.prior = errLost
		return s.run(s.t, "A1", Assist(Handover{Kind: "held", Next: handover.Next, Hold: true})).ID
	},
	"left to the outbox": func(s *shop) string {
		s.prior = errLost
		return s.run(s.t, "A1", later).ID
	},
	"refused": func(s *shop) string {
		s.prior = call.Refuse("sold-out", nil)
		return s.run(s.t, "A1", later).ID
	},
	"given up": func(s *shop) string {
		s.prior = errLost
		id := s.run(s.t, "A1", later).ID
		s.kill(s.first())
		return id
	},
	"never begun, and refused to another run": func(s *shop) string {
		s.prior = call.Refuse("sold-out", nil)
		s.run(s.t, "A1", later)
		return stopped(s)
	},
}

// stopped is a run that a person takes over before the sale has begun.
func stopped(s *shop) string {
	p, err := Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
		stop := Check(b, "stop", func(string) (string, error) { return "", handover }, in)
		return Commit(b, "sell", s.sell, stop, later, sold, Pivot())
	})
	proven := prove(s.t, p, err, timing("sell"))
	s.engine.Install(proven)
	a, err := proven.Run(s.engine, s.request(), "A1", render)
	if err != nil || a.Status != 202 {
		s.t.Fatal(a, err)
	}
	return a.ID
}

// What a person has done is not done again, by whatever comes later: the outbox, recovery, or another run.
func TestDoneByHandIsNotDoneAgain(t *testing.T) {
	for name, hand := range handed {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			run := hand(s)
			for range 2 {
				s.apply(func(tx *ledger.Tx) error { return s.engine.DoneByHand(tx, run, "sell", "A1") })
			}
			s.prior, s.tried = nil, nil
			s.pass(time.Hour)
			if _, err := s.engine.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
			s.apply(func(tx *ledger.Tx) error { return s.engine.Begin(tx, run, "sell", "A1", time.Hour) })
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
			a := s.once("A1", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] { return Commit(b, "sell", s.sell, in, later, sold) })
			if op := s.operation("sell/A1"); a.Status != 201 || string(a.Body) != "[]" || len(s.tried) > 0 || !IsByHand(op) {
				t.Errorf("answer %d %s, tried %v, the sale is %s by %q", a.Status, a.Body, s.tried, op.State, op.Reason)
			}
		})
	}
}

// While somebody else is at work on an effect nobody says that it was done by hand.
func TestDoneByHandWaitsForWhoIsAtWork(t *testing.T) {
	s := newShop(t)
	p, err := s.plan(later)
	proven := prove(t, p, err, timing("find", "sell"))
	s.dieAfter(1)
	req := s.request()
	_, _ = proven.Run(s.engine, req, "A1", render)
	s.sold["A1"] = 1
	s.revive(proven)
	hand := func() error {
		return s.ledger.Commit(t.Context(), applied(func(tx *ledger.Tx) error { return s.engine.DoneByHand(tx, req.ID, "sell", "A1") }))
	}
	running := func(when string) {
		t.Helper()
		if e, ok := errors.AsType[*gateway.Error](hand()); !ok || e.Problem != ProblemStillRunning || e.RetryAfter <= 0 {
			t.Errorf("%s: %v", when, e)
		}
	}
	running("before recovery")
	if _, err := s.engine.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	running("during recovery")
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	if err := hand(); err != nil || IsByHand(s.operation("sell/A1")) {
		t.Errorf("done already: %v", err)
	}
	s.apply(func(tx *ledger.Tx) error { return s.engine.TakeBack(tx, req.ID) })
	running("while it is taken back")
}

// A person has seen to what a step could not do; what it has done, or will, stays as it is.
func TestSettledByHand(t *testing.T) {
	for name, want := range map[string]bool{"left to the outbox": false, "its fate unknown": false, "refused": true, "given up": true} {
		s := newShop(t)
		run := handed[name](s)
		before := s.operation("sell/A1").State
		s.apply(func(tx *ledger.Tx) error { return s.engine.SettledByHand(tx, run, "sell") })
		if op := s.operation("sell/A1"); IsByHand(op) != want || !want && op.State != before {
			t.Errorf("%s: the sale is %s by %q", name, op.State, op.Reason)
		}
	}
}
