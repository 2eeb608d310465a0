package journey

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// A backend's definite no may be a person's: then what had happened is taken back, unless the handover holds it.
func TestRefusedAssist(t *testing.T) {
	paid := Handover{Kind: "pay-first", Next: gateway.Text{Zh: "先付款", En: "Take the payment"}}
	kept := Handover{Kind: "look", Hold: true, Next: gateway.Text{Zh: "查看", En: "Look"}}
	for _, c := range []struct {
		reason, kind string
		held         int
	}{{"unpaid", "pay-first", 0}, {"odd", "look", 1}, {"whatever", "sell-by-hand", 0}} {
		s := newShop(t)
		s.prior = call.Refuse(c.reason, nil)
		a := s.once("A1", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			held := Record(b, "hold", hold, in, UndoRecord(release))
			return Commit(b, "sell", s.sell, held, Pivot(), Undo(s.unsell), someone,
				RefusedAssist(map[string]Handover{"": handover, "unpaid": paid, "odd": kept}))
		})
		if _, held := s.taken("A1"); a.Status != 202 || string(a.Body) != "assist "+c.kind || held != c.held {
			t.Errorf("%s: answer %d %s, held %d", c.reason, a.Status, a.Body, held)
		}
	}
}

// due returns when the only message that waits is due, from now.
func (s *shop) due(kind string) (in time.Duration) {
	s.t.Helper()
	s.view(func(q ledger.Querier) error {
		var at int64
		err := q.QueryRow(`SELECT due_at FROM messages WHERE state = 'waiting' AND kind = $1`, kind).Scan(&at)
		in = time.UnixMilli(at).Sub(s.clock())
		return err
	})
	return in
}

// The venue says when what is left to the outbox is due.
func TestDeferBy(t *testing.T) {
	for _, c := range []struct{ says, want time.Duration }{{3 * time.Minute, 3 * time.Minute}, {0, deliverWithin}} {
		s := newShop(t)
		s.prior = errLost
		a := s.run(t, "A1", DeferBy(func(v *gateway.Venue) time.Duration {
			if v != s.venue {
				t.Error("another venue was asked")
			}
			return c.says
		}, handover))
		if in := s.due(kindDeliver); a.Status != 201 || in > c.want || in < c.want-time.Second {
			t.Errorf("%v: answer %d, due in %v", c.says, a.Status, in)
		}
	}
}

// branchPlan has its pivot in a branch, and two effects behind it.
func (s *shop) branchPlan() (*Plan[string, string], error) {
	return Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
		held := Record(b, "hold", hold, in, UndoRecord(release))
		return When(b, "which", Check(b, "is a", isA, held),
			func(b *Builder) Ref[string] {
				sold := Commit(b, "sell", s.sell, held, Pivot(), Undo(s.unsell), someone,
					Interrupted(Handover{Kind: "half-sold", Next: gateway.Text{Zh: "补办", En: "Finish it"}}),
					RefusedAssist(map[string]Handover{"": handover}))
				other := Check(b, "other", func(string) (string, error) { return "B1", nil }, sold)
				return Commit(b, "sell too", s.sell, other, someone)
			},
			func(b *Builder) Ref[string] { return Check(b, "no", same, held) })
	})
}

// A plan says who takes over where it has passed its pivot and died, also where the pivot is in a branch.
func TestInterruptedPastAPivotInABranch(t *testing.T) {
	s := newShop(t)
	p, err := s.branchPlan()
	proven := prove(t, p, err, timing("sell", "sell too"))
	s.dieAfter(1) // the hold and the beginning of the sale
	if _, err := proven.Run(s.engine, s.request(), "A1", render); err != nil {
		t.Fatal(err)
	}
	s.sold["A1"] = 1
	s.revive(proven)
	if _, err := s.engine.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	all := s.assists()
	if len(all) != 1 || all[0].Kind != "half-sold" || strings.Join(all[0].NotDone, ",") != "sell too" {
		t.Errorf("assists %+v", all)
	}
}

// What a person would have been asked for at once becomes a person's soon after a crash, and not in an hour.
func TestRecoveredAssistIsDueSoon(t *testing.T) {
	s := newShop(t)
	p, err := s.branchPlan()
	proven := prove(t, p, err, timing("sell", "sell too"))
	s.dieAfter(2) // the sale is settled and the second one begun
	if _, err := proven.Run(s.engine, s.request(), "A1", render); err != nil {
		t.Fatal(err)
	}
	s.sold["B1"] = 0
	s.prior = errLost
	s.revive(proven)
	if _, err := s.engine.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = s.outbox(t) // the delivery fails
	if in := s.due(kindDeliver); in > handWithin {
		t.Errorf("due in %v", in)
	}
	s.pass(handWithin)
	if n, _ := s.overdue(); n != 1 {
		t.Errorf("%d overdue then", n)
	}
}

// A person is told what is done and what is not once everything beside the failed step has landed.
func TestAssistPastThePivotWaitsForSiblings(t *testing.T) {
	s := newShop(t)
	s.says = map[string]error{"B1": call.Refuse("no-printer", nil)}
	slow := make(chan struct{})
	wait := call.NewWrite[string, string]("shop.wait", call.WriteSpec[string]{Key: func(v string) string { return "wait/" + v }})
	call.BindWrite(s.bindings, wait, s.instance, call.Effect[string, string]{
		Do:   func(context.Context, string, string) (string, error) { <-slow; return "", nil },
		Find: func(context.Context, string, string) (string, bool, error) { return "", false, nil },
	})
	time.AfterFunc(50*time.Millisecond, func() { close(slow) })
	a := s.once("A1", []string{"sell", "print", "wait"}, func(b *Builder, in Ref[string]) Ref[string] {
		sold := Commit(b, "sell", s.sell, in, Pivot(), Undo(s.unsell), someone, RefusedAssist(map[string]Handover{"": handover}))
		printed := Commit(b, "print", s.sell, Check(b, "other", func(string) (string, error) { return "B1", nil }, sold), someone)
		return Join(b, "both", printed, Commit(b, "wait", wait, sold, later), both)
	})
	all := s.assists()
	if a.Status != 202 || len(all) != 1 || strings.Join(all[0].Done, " ") != "sell wait" || strings.Join(all[0].NotDone, " ") != "print" {
		t.Errorf("answer %d %s, assists %+v", a.Status, a.Body, all)
	}
}

// Whoever takes over is told where the citizen waits: also after a crash, but not of what is late long after.
func TestAssistSaysWhereTheCitizenWaits(t *testing.T) {
	desk := func(seat string) string { return "desk " + seat }
	plan := func(s *shop, opts ...Option) func(b *Builder, in Ref[string]) Ref[string] {
		return func(b *Builder, in Ref[string]) Ref[string] {
			Waits(b, in, desk)
			bought := Commit(b, "sell", s.sell, Record(b, "hold", hold, in, UndoRecord(release)), Pivot(), Undo(s.unsell), someone,
				RefusedAssist(map[string]Handover{"": handover, "here": {Kind: "here", Next: handover.Next, Place: "the counter"}}))
			next := Check(b, "next", func(string) (string, error) { return "B1", nil }, bought)
			return Join(b, "say", bought, Commit(b, "second", s.sell, next, opts...), both)
		}
	}
	for name, c := range map[string]struct {
		first, second error
		meaning       Option
		dies          int
		place         string
	}{
		"in the run":               {second: errLost, meaning: someone, place: "desk A1"},
		"where the handover says":  {first: call.Refuse("here", nil), meaning: someone, place: "the counter"},
		"interrupted":              {meaning: someone, dies: 1, place: "desk A1"},
		"given up after a crash":   {second: errLost, meaning: someone, dies: 2, place: "desk A1"},
		"late, and left long ago":  {second: errLost, meaning: later, place: ""},
		"given up, and long since": {second: errLost, meaning: later, dies: 2, place: ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.says = map[string]error{"A1": c.first, "B1": c.second}
			p := s.prove([]string{"sell", "second"}, plan(s, c.meaning))
			if c.dies > 0 {
				s.dieAfter(c.dies)
			}
			_, _ = p.Run(s.engine, s.request(), "A1", render)
			if c.dies > 0 {
				s.sold["A1"] = 1
				s.revive(p)
				if _, err := s.engine.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				_ = s.outbox(t) // the delivery of the second fails
			}
			if len(s.assists()) == 0 {
				s.kill(s.first())
			}
			if all := s.assists(); len(all) != 1 || all[0].Place != c.place {
				t.Errorf("assists %+v", all)
			}
		})
	}
}
