package journey

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

var holdsSchema = fstest.MapFS{"00001_holds.sql": {Data: []byte(
	"-- +goose Up\nCREATE TABLE holds (seat TEXT NOT NULL PRIMARY KEY, run TEXT NOT NULL);\n")}}

// shop is a small journey with everything: find a seat, hold it, sell it at a backend, print behind it.
type shop struct {
	*world
	find   *call.Read[string, string]
	sell   *call.Write[string, string]
	unsell *call.Write[string, string]
	mark   *call.Write[string, struct{}] // as sell, but says no more than that it was done

	mu    sync.Mutex
	sold  map[string]int   // effects at the backend
	prior error            // before the effect
	after error            // after it took place
	finds error            // Find fails
	says  map[string]error // by seat: instead of the effect
	slow  bool             // each call uses three fifths of its time, and refuses
	hangs bool             // until the call's deadline
	gate  chan struct{}    // the effect waits for it, where there is one
	when  func()           // the effect is about to take place
	tried []string
	asks  atomic.Int64
}

func newShop(t testing.TB) *shop {
	s := &shop{world: newWorld(t), sold: map[string]int{}}
	s.find = call.NewRead[string, string]("shop.find", call.ReadSpec[string, string]{})
	key := func(seat string) string { return "sell/" + seat }
	s.sell = call.NewWrite[string, string]("shop.sell", call.WriteSpec[string]{Key: key})
	s.unsell = call.NewWrite[string, string]("shop.unsell", call.WriteSpec[string]{Key: key})
	call.BindRead(s.bindings, s.find, s.instance, func(_ context.Context, a string) (string, error) {
		s.asks.Add(1)
		return a, nil
	})
	do := func(ctx context.Context, _, seat string) (string, error) {
		if s.hangs {
			<-ctx.Done()
			return "", ctx.Err()
		}
		if s.slow {
			s.mu.Lock()
			s.tried = append(s.tried, seat)
			s.mu.Unlock()
			deadline, _ := ctx.Deadline()
			timer := time.NewTimer(time.Until(deadline) * 3 / 5)
			defer timer.Stop()
			<-timer.C
			return "", call.Refuse(Taken, nil)
		}
		if s.gate != nil {
			<-s.gate
		}
		if s.when != nil {
			s.when()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tried = append(s.tried, seat)
		if err := s.says[seat]; err != nil {
			return "", err
		}
		if s.prior != nil {
			return "", s.prior
		}
		if s.isDead() {
			return "", errLost
		}
		s.sold[seat]++
		return "ticket for " + seat, s.after
	}
	found := func(_ context.Context, _, seat string) (string, bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return "ticket for " + seat, s.sold[seat] > 0, s.finds
	}
	call.BindWrite(s.bindings, s.sell, s.instance, call.Effect[string, string]{Do: do, Find: found})
	s.mark = call.NewWrite[string, struct{}]("shop.mark", call.WriteSpec[string]{Key: key})
	call.BindWrite(s.bindings, s.mark, s.instance, call.Effect[string, struct{}]{
		Do: func(ctx context.Context, key, seat string) (struct{}, error) {
			_, err := do(ctx, key, seat)
			return struct{}{}, err
		},
		Find: func(ctx context.Context, key, seat string) (struct{}, bool, error) {
			_, happened, err := found(ctx, key, seat)
			return struct{}{}, happened, err
		},
	})
	call.BindWrite(s.bindings, s.unsell, s.instance, call.Effect[string, string]{
		Do: func(_ context.Context, _, seat string) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sold[seat]--
			return "", nil
		},
		Find: func(context.Context, string, string) (string, bool, error) { return "", false, nil },
	})
	return s
}

// taken says whether the backend has sold a seat, and the ledger holds it.
func (s *shop) taken(seat string) (sold, held int) {
	s.view(func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM holds WHERE seat = $1`, seat).Scan(&held)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sold[seat], held
}

var problemHeld = &gateway.Problem{Type: "held", Kind: gateway.Conflict}

var hold = &ledger.Decision[string, string]{Name: "hold", Run: func(tx *ledger.Tx, seat string) (string, error) {
	n, err := tx.Exec(`INSERT INTO holds (seat, run) VALUES ($1, '') ON CONFLICT DO NOTHING`, seat)
	if err == nil && n == 0 {
		err = ledger.Keep(problemHeld.Error(gateway.Text{}))
	}
	return seat, err
}}

var release = &ledger.Decision[string, string]{Name: "release", Run: func(tx *ledger.Tx, seat string) (string, error) {
	_, err := tx.Exec(`DELETE FROM holds WHERE seat = $1`, seat)
	return seat, err
}}

var handover = Handover{Kind: "sell-by-hand", Next: gateway.Text{Zh: "人工出票", En: "Sell the ticket by hand"}}

func (s *shop) plan(late ...Option) (*Plan[string, string], error) {
	return Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
		seat := Ask(b, "find", s.find, in, Refuse(gateway.ProblemBackendUnavailable))
		held := Record(b, "hold", hold, seat, UndoRecord(release))
		opts := append([]Option{Pivot(), Undo(s.unsell), Refusals(map[string]*gateway.Problem{"": problemSold})}, late...)
		return Commit(b, "sell", s.sell, held, opts...)
	})
}

func (s *shop) run(t testing.TB, seat string, late ...Option) Answer {
	t.Helper()
	p, err := s.plan(late...)
	proven := prove(t, p, err, timing("find", "sell"))
	s.engine.Install(proven)
	a, err := proven.Run(s.engine, s.request(), seat, render)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (s *shop) outbox(t testing.TB) error {
	t.Helper()
	var errs []error
	handlers := s.engine.Handlers()
	for i := 0; i < 5 && len(errs) == 0; i++ { // a message may lead to another
		var due []ledger.Message
		err := s.ledger.Commit(t.Context(), applied(func(tx *ledger.Tx) (err error) {
			due, err = tx.LeaseMessages(s.venue.ID, s.clock(), s.clock(), 10)
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range due {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := handlers[m.Kind](ctx, m)
			cancel()
			if err != nil {
				errs = append(errs, err)
				continue
			}
			_ = s.ledger.Commit(t.Context(), applied(func(tx *ledger.Tx) error { _, err := tx.FinishMessage(m); return err }))
		}
	}
	return errors.Join(errs...)
}

func TestRunAnswersWhatThePlanDeclares(t *testing.T) {
	wait := Defer(time.Hour, handover)
	for _, c := range []struct {
		name         string
		prior, after error
		meaning      Option
		status       int
		body         string
		state        ledger.OpState
		sold, held   int // once the outbox has run, its faults over
	}{
		{"done", nil, nil, wait, 201, "ticket for A1[]", ledger.OpDone, 1, 1},
		{"refused", call.Refuse("sold-out", nil), nil, wait, 409, "sold", ledger.OpRefused, 0, 0},
		{"late, deferred", errLost, nil, wait, 201, "[sell]", ledger.OpDone, 1, 1},
		{"lost after the effect, deferred", nil, errLost, wait, 201, "[sell]", ledger.OpDone, 1, 1},
		{"not sent, deferred", call.NotSent(errLost), nil, wait, 201, "[sell]", ledger.OpDone, 1, 1},
		{"late, refused", errLost, nil, Refuse(problemSold), 409, "sold", ledger.OpUndone, 0, 0},
		{"lost after the effect, refused", nil, errLost, Refuse(problemSold), 409, "sold", ledger.OpUndone, 0, 0},
		{"not sent, refused", call.NotSent(errLost), nil, Refuse(problemSold), 409, "sold", ledger.OpRefused, 0, 0},
		{"late, a person", errLost, nil, Assist(handover), 202, "assist sell-by-hand", ledger.OpUndone, 0, 0},
		{"lost, a person who holds it", nil, errLost, Assist(Handover{Kind: "held", Next: handover.Next, Hold: true}), 202,
			"assist held", ledger.OpDone, 1, 1},
		{"late, without", errLost, nil, Without(), 201, "[]", ledger.OpRefused, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			s.prior, s.after = c.prior, c.after
			a := s.run(t, "A1", c.meaning)
			if a.Status != c.status || string(a.Body) != c.body {
				t.Fatalf("answer %d %q, want %d %q (%v)", a.Status, a.Body, c.status, c.body, a.Err)
			}
			s.prior, s.after = nil, nil
			s.pass(time.Minute)
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
			if op := s.operation("sell/A1"); op.State != c.state {
				t.Errorf("operation is %s, want %s", op.State, c.state)
			}
			if sold, held := s.taken("A1"); sold != c.sold || held != c.held {
				t.Errorf("sold %d, held %d; want %d, %d", sold, held, c.sold, c.held)
			}
		})
	}
}

func TestSecondRunForTheSameSeatIsRefusedByTheLedger(t *testing.T) {
	s := newShop(t)
	s.run(t, "A1", Defer(time.Hour, handover))
	if a := s.run(t, "A1", Defer(time.Hour, handover)); a.Status != 409 || string(a.Body) != "held" {
		t.Fatalf("second answer %d %q", a.Status, a.Body)
	}
}

func TestIdempotencyKeyGivesTheSameAnswerAgain(t *testing.T) {
	s := newShop(t)
	p, err := s.plan(Defer(time.Hour, handover))
	proven := prove(t, p, err, timing("find", "sell"))
	ask := func(payload byte) (Answer, error) {
		req := s.request()
		req.Idempotency = &Idempotency{Scope: [32]byte{1}, Payload: [32]byte{payload}}
		return proven.Run(s.engine, req, "A1", render)
	}
	first, err := ask(1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ask(1)
	if err != nil {
		t.Fatal(err)
	}
	if first.Replayed || !again.Replayed || again.Status != first.Status || string(again.Body) != string(first.Body) {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if other, err := ask(2); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another payload: %+v, %v", other, err)
	}
	if s.sold["A1"] != 1 {
		t.Errorf("sold %d times", s.sold["A1"])
	}
}

func TestLedgerFailureIsNeverAPromise(t *testing.T) {
	for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit} {
		for _, fault := range []ledgertest.Fault{ledgertest.Hang, ledgertest.Full, ledgertest.ReadOnly} {
			t.Run(fmt.Sprint(at, fault), func(t *testing.T) {
				t.Parallel()
				s := newShop(t)
				s.fault.Set(at, fault)
				from := time.Now()
				a := s.run(t, "A1", Assist(handover))
				if a.Err == nil || a.Err.Problem != gateway.ProblemLedgerUnavailable {
					t.Errorf("answer %+v", a)
				}
				if took := time.Since(from); took > 3*time.Second { // more than the machine may stand still beside it
					t.Errorf("took %s, the machine budget is 2s", took)
				}
				if s.sold["A1"] != 0 {
					t.Error("sold without a ledger")
				}
			})
		}
	}
}

func TestRecoverySettlesWhatADeadRunHasBegun(t *testing.T) {
	for _, c := range []struct {
		name       string
		happened   bool
		state      ledger.OpState
		run        ledger.RunState
		sold, held int
	}{
		{"the effect took place", true, ledger.OpDone, ledger.RunDone, 1, 1},
		{"the effect never took place", false, ledger.OpRefused, ledger.RunUndone, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			p, err := s.plan(Defer(time.Hour, handover))
			proven := prove(t, p, err, timing("find", "sell"))
			s.engine.Install(proven)
			req := s.request()
			req.Idempotency = &Idempotency{Scope: [32]byte{7}}
			s.dieAfter(1) // the hold and the beginning of the sale are in one commit
			if a, err := proven.Run(s.engine, req, "A1", render); err != nil || a.Err.Problem != gateway.ProblemLedgerUnavailable {
				t.Fatalf("a dying process answered %+v, %v", a, err)
			}
			s.revive(proven)
			if c.happened {
				s.sold["A1"] = 1
			}
			s.finds = errLost // the backend is down at first: recovery must wait, not guess
			if n, err := s.engine.Recover(t.Context()); n != 1 || err != nil {
				t.Fatalf("found %d dead runs, %v", n, err)
			}
			if err := s.outbox(t); err == nil {
				t.Fatal("recovered without asking")
			}
			s.finds = nil
			if err := s.outbox(t); err != nil {
				t.Fatal(err)
			}
			if op := s.operation("sell/A1"); op.State != c.state {
				t.Errorf("operation is %s, want %s", op.State, c.state)
			}
			if sold, held := s.taken("A1"); sold != c.sold || held != c.held {
				t.Errorf("sold %d, held %d; want %d, %d", sold, held, c.sold, c.held)
			}
			s.view(func(q ledger.Querier) error {
				run, _, err := ledger.FindRun(q, req.ID)
				if run.State != c.run {
					t.Errorf("run is %s, want %s", run.State, c.run)
				}
				if _, kept, _ := ledger.FindIdempotency(q, req.Idempotency.Scope[:]); kept {
					t.Error("the idempotency key is still held")
				}
				return err
			})
		})
	}
}

// TestRetryableRefusalFreesItsKey: what may succeed later is tried again under the same key, and not repeated for a day.
func TestRetryableRefusalFreesItsKey(t *testing.T) {
	for _, retryable := range []bool{false, true} {
		s := newShop(t)
		refused := &gateway.Problem{Type: "sold", Kind: gateway.Conflict, Retryable: retryable}
		p, err := Define("shop", func(b *Builder, in Ref[string]) Ref[string] {
			held := Record(b, "hold", hold, in, UndoRecord(release))
			return Commit(b, "sell", s.sell, held, Pivot(), Undo(s.unsell), Defer(time.Hour, handover),
				Refusals(map[string]*gateway.Problem{"": refused}))
		})
		proven := prove(t, p, err, timing("sell"))
		s.engine.Install(proven)
		ask := func() Answer {
			req := s.request()
			req.Idempotency = &Idempotency{Scope: [32]byte{9}}
			a, err := proven.Run(s.engine, req, "A1", render)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		s.prior = call.Refuse("sold-out", nil)
		if a := ask(); a.Status != 409 {
			t.Fatalf("first answer %d %s", a.Status, a.Body)
		}
		s.prior = nil
		if a := ask(); retryable != (a.Status == 201) || retryable == a.Replayed {
			t.Errorf("retryable %t: again %d %s, replayed %t", retryable, a.Status, a.Body, a.Replayed)
		}
	}
}
