package journey

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

func (s *shop) assists() (all []ledger.Assist) {
	s.view(func(q ledger.Querier) (err error) {
		all, err = ledger.ListAssists(q, s.venue.Tenant, []string{s.venue.ID}, ledger.AssistOpen, 0, 100)
		return err
	})
	return all
}

func (s *shop) apply(f func(tx *ledger.Tx) error) {
	s.t.Helper()
	if err := s.ledger.Commit(context.Background(), applied(f)); err != nil {
		s.t.Fatal(err)
	}
}

// first returns the one message of the outbox, leased.
func (s *shop) first() (m ledger.Message) {
	s.t.Helper()
	s.pass(time.Minute)
	s.apply(func(tx *ledger.Tx) error {
		due, err := tx.LeaseMessages(s.venue.ID, s.clock(), s.clock().Add(time.Second), 10)
		if len(due) != 1 {
			s.t.Fatalf("%d messages wait", len(due))
		}
		m = due[0]
		return err
	})
	return m
}

// kill gives a message up, as the outbox does.
func (s *shop) kill(m ledger.Message) {
	s.t.Helper()
	s.apply(func(tx *ledger.Tx) error {
		if _, err := tx.KillMessage(m, "given up"); err != nil {
			return err
		}
		return s.engine.Dead(tx, m, "given up")
	})
}

// A deferred effect that the backend refuses is a person's, even if the process dies between the two commits of it.
func TestRefusedDeliveryBecomesAnAssist(t *testing.T) {
	s := newShop(t)
	s.prior = errLost
	s.run(t, "A1", later)
	s.prior = call.Refuse("sold-out", nil)
	m := s.first()
	for range 2 {
		if err := s.engine.Handlers()[m.Kind](t.Context(), m); !outbox.IsDead(err) {
			t.Fatalf("the delivery came to %v", err)
		}
	}
	s.kill(m)
	if all := s.assists(); len(all) != 1 || all[0].Kind != handover.Kind || all[0].NextAction != handover.Next || len(all[0].Facts) == 0 {
		t.Errorf("assists: %+v", all)
	}
}

// What a person has had sent again and fails once more is a person's once more.
func TestDeadAgainIsAnAssistAgain(t *testing.T) {
	s := newShop(t)
	s.prior = errLost
	s.run(t, "A1", Defer(time.Hour, handover))
	for n := 1; n <= 3; n++ {
		s.kill(s.first())
		all := s.assists()
		if want := []string{"sell-by-hand", "sell-by-hand-2", "sell-by-hand-3"}[n-1]; len(all) != 1 || all[0].Kind != want {
			t.Fatalf("assists %+v", all)
		}
		p := &gateway.Principal{Subject: "li", Issuer: "i", Tenant: "hangzhou", Venues: []string{"*"}}
		s.apply(func(tx *ledger.Tx) error {
			if _, err := tx.ClaimAssist(all[0].ID, p); err != nil {
				return err
			}
			if _, err := tx.ResolveAssist(all[0].ID, p, "send-again", nil); err != nil {
				return err
			}
			return s.engine.Deliver(tx, "sell/A1", time.Hour)
		})
	}
}

// By hand an effect can be delivered or taken back more than once: each time it is tried anew.
func TestByHandWorksAgain(t *testing.T) {
	s := newShop(t)
	s.prior = errLost
	s.run(t, "A1", Assist(Handover{Kind: "held", Next: handover.Next, Hold: true}))
	s.kill(s.first())
	if op := s.operation("sell/A1"); op.State != ledger.OpAssist {
		t.Fatalf("the sale is %s", op.State)
	}
	for range 2 {
		s.apply(func(tx *ledger.Tx) error { return s.engine.Deliver(tx, "sell/A1", time.Hour) })
		s.kill(s.first())
	}
	s.prior = nil
	s.apply(func(tx *ledger.Tx) error { return s.engine.Deliver(tx, "sell/A1", time.Hour) })
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	run := s.operation("sell/A1").Run
	s.apply(func(tx *ledger.Tx) error { return s.engine.TakeBack(tx, run) })
	s.kill(s.first()) // what could not be undone is a person's
	if op := s.operation("sell/A1"); op.State != ledger.OpAssist {
		t.Fatalf("the sale is %s", op.State)
	}
	s.apply(func(tx *ledger.Tx) error { return s.engine.TakeBack(tx, run) })
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	if sold, _ := s.taken("A1"); sold != 0 || s.operation("sell/A1").State != ledger.OpUndone {
		t.Errorf("sold %d, the sale is %s", sold, s.operation("sell/A1").State)
	}
}

// A recovery that is given up leaves nothing begun, and no run that recovers for ever.
func TestRecoveryThatIsGivenUpIsAPersons(t *testing.T) {
	s := newShop(t)
	p, err := s.plan(later)
	proven := prove(t, p, err, timing("find", "sell"))
	s.dieAfter(1)
	req := s.request()
	if _, err := proven.Run(s.engine, req, "A1", render); err != nil {
		t.Fatal(err)
	}
	s.revive(proven)
	if n, err := s.engine.Recover(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.kill(s.first())
	s.view(func(q ledger.Querier) error {
		run, _, err := ledger.FindRun(q, req.ID)
		if run.State != ledger.RunAssist {
			t.Errorf("the run is %s", run.State)
		}
		return err
	})
	if op := s.operation("sell/A1"); op.State != ledger.OpAssist || len(s.assists()) != 1 {
		t.Errorf("the sale is %s; assists: %+v", op.State, s.assists())
	}
}

// A pivot that is a Record leaves nothing at a backend: the ledger must show that it was passed.
func TestRecoveryGoesForwardFromARecord(t *testing.T) {
	s := newShop(t)
	p, err := Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
		held := Record(b, "hold", hold, Record(b, "note", note, in, UndoRecord(release)), Pivot())
		return Commit(b, "sell", s.sell, Ask(b, "find", s.find, held, someone), later)
	})
	proven := prove(t, p, err, timing("find", "sell"))
	s.dieAfter(1)
	if _, err := proven.Run(s.engine, s.request(), "A1", render); err != nil {
		t.Fatal(err)
	}
	s.revive(proven)
	if _, err := s.engine.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	all := s.assists()
	if _, held := s.taken("A1"); held != 1 || len(all) != 1 || all[0].Kind != interruptedKind || all[0].NotDone[0] != "sell" {
		t.Errorf("held %d, assists %+v", held, all)
	}
}

// What a plan tells a backend is on the audit trail, also where it refuses before anything is kept.
func TestDisclosuresAreAudited(t *testing.T) {
	s := newShop(t)
	a := s.once("A1", []string{"find"}, func(b *Builder, in Ref[string]) Ref[string] {
		found := Ask(b, "find", s.find, in, down, Disclose("find the ticket", "ticket.code"))
		return Check(b, "no", func(string) (string, error) { return "", problemHeld.Error(gateway.Text{}) }, found)
	})
	s.engine.Wait()
	n := 0
	s.view(func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM audit_entries WHERE run = $1 AND action = 'disclose' AND system = 'ticketing'`, a.ID).Scan(&n)
	})
	if a.Status != 409 || n != 1 {
		t.Errorf("answer %d, %d entries", a.Status, n)
	}
}

// Two requests with one key, side by side: one effect, one answer; the other one is told to wait or is given the same.
func TestRaceForOneIdempotencyKey(t *testing.T) {
	s := newShop(t)
	p, err := s.plan(later)
	proven := prove(t, p, err, timing("find", "sell"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	said := map[string]int{}
	for range 8 {
		wg.Go(func() {
			req := s.request()
			req.Idempotency = &Idempotency{Scope: [32]byte{9}}
			a, err := proven.Run(s.engine, req, "A1", render)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ErrKeyRunning):
				said["running"]++
			case err != nil:
				t.Error(err)
			default:
				said[string(a.Body)]++
			}
		})
	}
	wg.Wait()
	if said["ticket for A1[]"] == 0 || said["ticket for A1[]"]+said["running"] != 8 || s.sold["A1"] != 1 {
		t.Errorf("said %v, sold %d", said, s.sold["A1"])
	}
}

// A retry that would be refused for what the first request has done gets that request's answer.
func TestReplayComesBeforeARefusal(t *testing.T) {
	s := newShop(t)
	p, err := Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
		free := Check(b, "free", func(seat string) (string, error) {
			if s.soldOf(seat) > 0 {
				return "", problemHeld.Error(gateway.Text{})
			}
			return seat, nil
		}, in)
		return Commit(b, "sell", s.sell, free, later, sold)
	})
	proven := prove(t, p, err, timing("sell"))
	for i := range 2 {
		req := s.request()
		req.Idempotency = &Idempotency{Scope: [32]byte{9}}
		a, err := proven.Run(s.engine, req, "A1", render)
		if err != nil || a.Status != 201 || a.Replayed != (i == 1) {
			t.Errorf("answer %d: %+v, %v", i, a, err)
		}
	}
}

// An operation whose first run may still be calling is left alone; later it is asked for before it is done again.
func TestOperationIsTakenOverOnlyWhenItIsQuiet(t *testing.T) {
	s := newShop(t)
	s.after = errLost
	one := func(b *Builder, in Ref[string]) Ref[string] { return Commit(b, "sell", s.sell, in, Without()) }
	if a := s.once("A1", []string{"sell"}, one); a.Status != 201 {
		t.Fatalf("answer %+v", a)
	}
	s.after = nil
	if a := s.once("A1", []string{"sell"}, one); string(a.Body) != "[]" || len(s.tried) != 1 {
		t.Errorf("at once: %q after %v", a.Body, s.tried)
	}
	s.pass(time.Second)
	if a := s.once("A1", []string{"sell"}, one); string(a.Body) != "ticket for A1[]" || len(s.tried) != 1 {
		t.Errorf("later: %q after %v", a.Body, s.tried)
	}
	m := s.first() // the first run's question about it: no longer its own
	if err := s.engine.Handlers()[m.Kind](t.Context(), m); err != nil || s.operation("sell/A1").State != ledger.OpDone {
		t.Errorf("%v; the sale is %s", err, s.operation("sell/A1").State)
	}
}

// A plan that ends early answers at once; the call in flight lands behind the answer, and its effect is taken back.
func TestEarlyExitSettlesWhatIsInFlight(t *testing.T) {
	s := newShop(t)
	s.gate = make(chan struct{})
	a := s.once("A1", []string{"sell", "find"}, func(b *Builder, in Ref[string]) Ref[string] {
		bought := Commit(b, "sell", s.sell, in, Refuse(problemSold), sold, Undo(s.unsell))
		found := Ask(b, "find", s.find, in, down)
		no := Check(b, "no", func(string) (string, error) { return "", problemHeld.Error(gateway.Text{}) }, found)
		return Join(b, "both", bought, no, both)
	})
	close(s.gate)
	s.engine.Wait()
	if sold, _ := s.taken("A1"); a.Status != 409 || sold != 1 {
		t.Fatalf("answer %d, sold %d", a.Status, sold)
	}
	s.pass(time.Minute)
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	if sold, _ := s.taken("A1"); sold != 0 || s.operation("sell/A1").State != ledger.OpUndone {
		t.Errorf("sold %d, the sale is %s", sold, s.operation("sell/A1").State)
	}
}

// All candidates of a Choose share one slice.
func TestChooseHasOneSlice(t *testing.T) {
	inTime(t, chooseSlowly)
}

func chooseSlowly(t *testing.T) error {
	s := newShop(t)
	s.slow = true
	p, err := Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
		list := Check(b, "list", func(string) ([]string, error) { return []string{"A1", "A2", "A3"}, nil }, in)
		return Choose(b, "sell", s.sell, list, 3, Refuse(problemHeld), sold, Undo(s.unsell))
	})
	tm := timing("sell")
	tm.Steps["sell"] = call.Policy{Slice: 300 * time.Millisecond, Min: 140 * time.Millisecond}
	proven := prove(t, p, err, tm)
	from := time.Now()
	a, err := proven.Run(s.engine, s.request(), "", render)
	if took := time.Since(from); err != nil || string(a.Body) != "held" || len(s.tried) != 1 || took > 300*time.Millisecond {
		return fmt.Errorf("%q after %s and %v: %v", a.Body, took, s.tried, err)
	}
	return nil
}

// A definite no that the plan has words for is no reason to call a person.
func TestRefusalGoesBeforeAnAssist(t *testing.T) {
	for _, meaning := range []Option{Assist(handover), DeferOrAssist(func(*gateway.Venue) bool { return false }, time.Hour, handover, handover)} {
		s := newShop(t)
		s.prior = call.Refuse("sold-out", nil)
		if a := s.run(t, "A1", meaning); a.Status != 409 || string(a.Body) != "sold" {
			t.Errorf("answer %d %q", a.Status, a.Body)
		}
	}
}

// A run keeps the timing that it began with; the next one has the new one.
func TestLivePlanIsProvedAnewBetweenRuns(t *testing.T) {
	s := newShop(t)
	p, err := s.plan(later)
	if err != nil {
		t.Fatal(err)
	}
	live := NewLive(p)
	if _, err := live.Run(s.engine, s.request(), "A1", render); err == nil {
		t.Error("an unproved plan runs")
	}
	var wg sync.WaitGroup
	for i := range 20 {
		tm := timing("find", "sell")
		tm.Machine += time.Duration(i)
		_, adopt, err := live.Prove(tm)
		if err != nil {
			t.Fatal(err)
		}
		adopt(s.engine)
		if live.Budget() != tm.Machine || live.Shortest() <= 0 {
			t.Errorf("budget %s, shortest %s", live.Budget(), live.Shortest())
		}
		wg.Go(func() {
			if a, err := live.Run(s.engine, s.request(), string(rune('A'+i)), render); err != nil || a.Status != 201 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	wg.Wait()
	if _, _, err := live.Prove(timing("find")); err == nil || live.Budget() == 0 {
		t.Error("a bad timing is adopted")
	}
}

// What was begun beside an effect that is being brought about elsewhere is not called, and does not stay begun.
func TestNothingStaysBegunThatIsNotCalled(t *testing.T) {
	s := newShop(t)
	s.prior = errLost
	s.once("A1", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] { return Commit(b, "sell", s.sell, in, Without()) })
	s.prior, s.tried = nil, nil
	a := s.once("A1", []string{"one", "two"}, func(b *Builder, in Ref[string]) Ref[string] {
		other := Check(b, "other", func(string) (string, error) { return "A2", nil }, in)
		one := Commit(b, "one", s.sell, in, Refuse(problemHeld), sold, Undo(s.unsell))
		two := Commit(b, "two", s.sell, other, Refuse(problemHeld), sold, Undo(s.unsell))
		return Record(b, "note", note, Join(b, "both", one, two, both), Pivot())
	})
	if a.Err == nil || a.Err.Problem != ProblemStillRunning || a.Err.RetryAfter <= 0 || s.tried != nil {
		t.Errorf("answer %+v after %v", a, s.tried)
	}
	if op := s.operation("sell/A2"); op.State != ledger.OpRefused {
		t.Errorf("the other sale is %s", op.State)
	}
}

// overdue counts what is past its due time, of the sales and of anything else.
func (s *shop) overdue() (n int, oldest time.Duration) {
	s.t.Helper()
	s.view(func(q ledger.Querier) error {
		all, err := ledger.OverdueOperations(q, s.clock())
		for _, o := range all {
			if o.Name != "shop.sell" {
				s.t.Errorf("overdue: %+v", o)
			}
			n, oldest = o.Count, s.clock().Sub(o.Oldest)
		}
		return err
	})
	return n, oldest
}

// resolve settles the only assist, and does what that means in the same commit.
func (s *shop) resolve(then func(tx *ledger.Tx) error) {
	s.t.Helper()
	p := &gateway.Principal{Subject: "li", Issuer: "i", Tenant: "hangzhou", Venues: []string{"*"}}
	id := s.assists()[0].ID
	s.apply(func(tx *ledger.Tx) error {
		if _, err := tx.ClaimAssist(id, p); err != nil {
			return err
		}
		if _, err := tx.ResolveAssist(id, p, "settled", nil); err != nil {
			return err
		}
		return then(tx)
	})
}

// What is deferred is overdue from its due time on, until it has happened or a person has settled it, whatever became of
// its message.
func TestOverdueUntilItHasHappenedOrIsSettled(t *testing.T) {
	for name, c := range map[string]struct {
		ends func(s *shop)
	}{
		"it is delivered after all": {ends: func(s *shop) {
			s.prior = nil
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
		}},
		"it is to be taken back, and cannot be": {ends: func(s *shop) {
			s.apply(func(tx *ledger.Tx) error {
				_, err := tx.Exec(`UPDATE messages SET state = 'done'`) // what brings it about
				return errors.Join(err, s.engine.TakeBack(tx, s.operation("sell/A1").Run))
			})
			s.kill(s.first())
		}},
		"a person settles it": {ends: func(s *shop) { s.kill(s.first()); s.resolve(func(*ledger.Tx) error { return nil }) }},
		"a person does it": {ends: func(s *shop) {
			s.kill(s.first())
			run := s.assists()[0].Run
			s.resolve(func(tx *ledger.Tx) error { return s.engine.SettledByHand(tx, run, "sell") })
		}},
		"a person has it resent": {ends: func(s *shop) {
			s.kill(s.first())
			s.resolve(func(tx *ledger.Tx) error { return s.engine.Deliver(tx, "sell/A1", time.Hour) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.prior = errLost
			s.run(t, "A1", Defer(time.Hour, handover))
			s.pass(59 * time.Minute)
			if n, _ := s.overdue(); n != 0 {
				t.Errorf("%d overdue before its time", n)
			}
			s.pass(2 * time.Minute)
			if n, age := s.overdue(); n != 1 || age < 59*time.Second || age > 2*time.Minute {
				t.Errorf("%d overdue for %s", n, age)
			}
			c.ends(s)
			if n, _ := s.overdue(); n != 0 {
				t.Errorf("%d overdue in the end", n)
			}
			s.pass(2 * time.Hour)
			if n, _ := s.overdue(); (n == 1) != (name == "a person has it resent") {
				t.Errorf("%d overdue long after", n)
			}
		})
	}
}

// What its backend refused is overdue all the same, while nobody has settled it.
func TestOverdueAlsoWhereItWasRefused(t *testing.T) {
	s := newShop(t)
	s.prior = errLost
	s.run(t, "A1", Defer(time.Hour, handover))
	m := s.first()
	s.pass(time.Hour)
	s.prior = call.Refuse("sold-out", nil)
	if err := s.engine.Handlers()[m.Kind](t.Context(), m); !outbox.IsDead(err) {
		t.Fatal(err)
	}
	s.kill(m)
	if n, age := s.overdue(); n != 1 || age < time.Second {
		t.Errorf("a person's, and nobody has settled it: %d overdue for %s", n, age)
	}
}
