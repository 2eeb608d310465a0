package journey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// once declares a plan from string to string, proves it and runs it once.
func (s *shop) once(in string, steps []string, body func(b *Builder, in Ref[string]) Ref[string]) Answer {
	s.t.Helper()
	p, err := Define("verbs", body)
	proven := prove(s.t, p, err, timing(steps...))
	s.engine.Install(proven)
	a, err := proven.Run(s.engine, s.request(), in, render)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// errPlain is a failure that no plan declares.
var errPlain = errors.New("a plain failure")

// failing is a record that fails, kept or not, after it has written.
func failing(err error) *ledger.Decision[string, string] {
	return &ledger.Decision[string, string]{Name: "failing", Run: func(tx *ledger.Tx, seat string) (string, error) {
		if _, e := tx.Exec(`INSERT INTO holds (seat, run) VALUES ($1, 'failing')`, seat+"-failing"); e != nil {
			return "", e
		}
		return "", err
	}}
}

func isA(v string) (bool, error) { return strings.HasPrefix(v, "A"), nil }

func TestWhenTakesOneBranch(t *testing.T) {
	for in, want := range map[string]string{"A1": "then A1", "B1": "else B1"} {
		s := newShop(t)
		a := s.once(in, []string{"yes", "no"}, func(b *Builder, in Ref[string]) Ref[string] {
			return When(b, "when", Check(b, "is", isA, in),
				func(b *Builder) Ref[string] {
					return Check(b, "then", func(v string) (string, error) { return "then " + v, nil }, Ask(b, "yes", s.find, in, down))
				},
				func(b *Builder) Ref[string] {
					return When(b, "nested", Check(b, "is too", isA, in), func(*Builder) Ref[string] { return in },
						func(b *Builder) Ref[string] {
							return Check(b, "else", func(v string) (string, error) { return "else " + v, nil }, Ask(b, "no", s.find, in, down))
						})
				})
		})
		if string(a.Body) != want+"[]" || s.asks.Load() != 1 {
			t.Errorf("%s: %q after %d calls", in, a.Body, s.asks.Load())
		}
	}
}

func TestTryMakesAFailureData(t *testing.T) {
	s := newShop(t)
	s.prior = call.Refuse("sold-out", nil)
	a := s.once("A1", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
		return Check(b, "look at it", func(r Result[string]) (string, error) {
			return fmt.Sprint(call.OutcomeOf(r.Err), r.Deferred), nil
		}, Try(b, Commit(b, "sell", s.sell, in, later)))
	})
	if string(a.Body) != "refused false[]" {
		t.Errorf("answer %q", a.Body)
	}
}

// A commit costs what the proof allows for: one flush for a record, two for a commit behind it.
func TestPlanPaysTheFlushesOfItsProof(t *testing.T) {
	s := newShop(t)
	held := func(b *Builder, in Ref[string]) Ref[string] { return Record(b, "hold", hold, in, UndoRecord(release)) }
	for i, c := range []struct {
		want  int
		steps []string
		body  func(b *Builder, in Ref[string]) Ref[string]
	}{
		{1, nil, held},
		{1, nil, func(b *Builder, in Ref[string]) Ref[string] { // two records, one commit
			return Record(b, "note", note, Check(b, "same", same, held(b, in)), Pivot())
		}},
		{2, []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			return Commit(b, "sell", s.sell, held(b, in), later, sold, Pivot())
		}},
		{2, []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			return Record(b, "note", note, Commit(b, "sell", s.sell, held(b, in), later, sold, Pivot()))
		}},
	} {
		var a Answer
		if n := s.flushes(func() { a = s.once(fmt.Sprint("A", i), c.steps, c.body) }); n != c.want || a.Status != 201 {
			t.Errorf("plan %d: %d flushes, want %d; answer %+v", i, n, c.want, a)
		}
	}
}

// A record that fails without Keep costs the commit, but neither what was noted for it nor what the plan says of it.
func TestRecordThatFailsIsLeftOutAlone(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		opts   []Option
		status int
	}{
		{"declared", problemHeld.Error(gateway.Text{}), nil, 409},
		{"declared and kept", ledger.Keep(problemHeld.Error(gateway.Text{})), nil, 409},
		{"a person", Handover{Kind: "help", Next: handover.Next}, nil, 202},
		{"without", errPlain, []Option{Without()}, 201},
		{"after the pivot, undeclared", errPlain, nil, 202},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			a := s.once("A1", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
				done := Commit(b, "sell", s.sell, Record(b, "hold", hold, in, UndoRecord(release)), later, sold, Pivot())
				return Record(b, "more", note, Record(b, "fails", failing(c.err), Record(b, "before", note, done), c.opts...))
			})
			if a.Status != c.status {
				t.Errorf("answer %d %q", a.Status, a.Body)
			}
			s.engine.Wait()
			if op := s.operation("sell/A1"); op.State != ledger.OpDone {
				t.Errorf("the sale is %s: its settlement is lost", op.State)
			}
		})
	}
}

// The outbox takes back what a plan has done, the last effect first.
func TestUndoGoesBackwards(t *testing.T) {
	s := newShop(t)
	var order []string
	take := func(name string) *ledger.Decision[string, string] {
		return &ledger.Decision[string, string]{Name: name, Run: func(tx *ledger.Tx, v string) (string, error) {
			order = append(order, fmt.Sprintf("%s with %d sold", name, s.soldOf(v)))
			return v, nil
		}}
	}
	a := s.once("A1", []string{"first", "second"}, func(b *Builder, in Ref[string]) Ref[string] {
		r1 := Record(b, "r1", note, in, UndoRecord(take("r1")))
		c1 := Commit(b, "first", s.sell, r1, Refuse(problemSold), sold, Undo(s.unsell))
		r2 := Record(b, "r2", note, Check(b, "again", func(string) (string, error) { return "A1", nil }, c1), UndoRecord(take("r2")))
		b2 := Check(b, "no", func(string) (string, error) { return "", problemHeld.Error(gateway.Text{}) }, r2)
		return Commit(b, "second", s.sell, b2, Refuse(problemSold), sold, Undo(s.unsell), Pivot())
	})
	if a.Status != 409 || string(a.Body) != "held" {
		t.Fatalf("answer %+v", a)
	}
	s.pass(time.Minute)
	if err := s.outbox(t); err != nil {
		t.Fatal(err)
	}
	want := []string{"r2 with 1 sold", "r1 with 0 sold"}
	if !slices.Equal(slices.Compact(order), want) {
		t.Errorf("taken back in the order %v, want %v", order, want)
	}
	if op := s.operation("sell/A1"); op.State != ledger.OpUndone {
		t.Errorf("the first sale is %s", op.State)
	}
}

func (s *shop) soldOf(seat string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sold[seat]
}

func TestChooseGoesOnOnlyAfterTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		says   map[string]error
		list   []string
		status int
		body   string
		tried  []string
	}{
		{"the first", nil, []string{"A1", "A2"}, 201, "ticket for A1[]", []string{"A1"}},
		{"taken, the next", map[string]error{"A1": call.Refuse(Taken, nil)}, []string{"A1", "A2"}, 201, "ticket for A2[]", []string{"A1", "A2"}},
		{"another no", map[string]error{"A1": call.Refuse("closed", nil)}, []string{"A1", "A2"}, 409, "sold", []string{"A1"}},
		{"unknown stops", map[string]error{"A1": errLost}, []string{"A1", "A2"}, 409, "held", []string{"A1"}},
		{"no candidate", nil, nil, 409, "sold", nil},
		{"more than max", map[string]error{"A1": call.Refuse(Taken, nil), "A2": call.Refuse(Taken, nil)}, []string{"A1", "A2", "A3"}, 409, "sold", []string{"A1", "A2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			s.says = c.says
			a := s.once("", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
				list := Check(b, "list", func(string) ([]string, error) { return c.list, nil }, in)
				return Choose(b, "sell", s.sell, list, 2, Refuse(problemHeld), sold, Undo(s.unsell))
			})
			if a.Status != c.status || string(a.Body) != c.body || !slices.Equal(s.tried, c.tried) {
				t.Errorf("answer %d %q after %v", a.Status, a.Body, s.tried)
			}
		})
	}
}

func TestCommitEachHasAResultForEach(t *testing.T) {
	s := newShop(t)
	s.says = map[string]error{"A2": call.Refuse("sold-out", nil), "A3": errLost}
	plan := func(list ...string) Answer {
		return s.once("", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			each := CommitEach(b, "sell", s.sell, Check(b, "list", func(string) ([]string, error) { return list, nil }, in), 4, later)
			return Check(b, "sum", func(rs []Result[string]) (string, error) {
				var words []string
				for _, r := range rs {
					words = append(words, fmt.Sprint(r.Value != "", call.OutcomeOf(r.Err), r.Deferred))
				}
				return strings.Join(words, ", "), nil
			}, each)
		})
	}
	if a := plan("A1", "A2", "A3"); string(a.Body) != "true done false, false refused false, false done true[sell]" {
		t.Errorf("answer %q", a.Body)
	}
	// What an earlier run has brought about or has left to the outbox is known.
	s.tried = nil
	if a := plan("A1", "A3"); string(a.Body) != "true done false, false done true[sell]" || s.tried != nil {
		t.Errorf("answer %q after calling %v", a.Body, s.tried)
	}
	if a := plan(); string(a.Body) != "[]" {
		t.Errorf("nothing to do: %q", a.Body)
	}
}

func TestHandoverOfACheck(t *testing.T) {
	for hold2, want := range map[bool]int{true: 1, false: 0} {
		s := newShop(t)
		a := s.once("A1", []string{"sell"}, func(b *Builder, in Ref[string]) Ref[string] {
			held := Record(b, "hold", hold, in, UndoRecord(release))
			ask := Check(b, "ask", func(string) (string, error) { return "", Handover{Kind: "help", Next: handover.Next, Hold: hold2} }, held)
			return Commit(b, "sell", s.sell, ask, later, sold, Pivot())
		})
		if a.Status != 202 || !a.Assisted {
			t.Errorf("answer %+v", a)
		}
		if _, held := s.taken("A1"); held != want {
			t.Errorf("hold %v: %d held", hold2, held)
		}
	}
}

// A commit whose fate is unknown is told as it is, wherever it happens.
func TestUnknownCommitsAreAnsweredTruthfully(t *testing.T) {
	for _, fault := range []ledgertest.Fault{ledgertest.Lost, ledgertest.Full} {
		for at := 1; at <= 2; at++ {
			t.Run(fmt.Sprint(fault, " at commit ", at), func(t *testing.T) {
				s := newShop(t)
				s.faultAt(at, fault)
				a := s.run(t, "A1", Defer(time.Hour, handover))
				s.heal()
				kept := fault == ledgertest.Lost || at == 2 // the sale itself has happened by the second commit
				if kept != (a.Status == 201) {
					t.Errorf("answer %d %q", a.Status, a.Body)
				}
				if s.sold["A1"] > 0 != kept {
					t.Errorf("sold %d", s.sold["A1"])
				}
			})
		}
	}
}

func TestPanicsAreFailuresOfTheirStep(t *testing.T) {
	s := newShop(t)
	secret := "330106199001011234"
	for name, body := range map[string]func(b *Builder, in Ref[string]) Ref[string]{
		"check": func(b *Builder, in Ref[string]) Ref[string] {
			return Check(b, "panics", func(string) (string, error) { panic(secret) }, in)
		},
		"record": func(b *Builder, in Ref[string]) Ref[string] {
			return Record(b, "panics", &ledger.Decision[string, string]{Name: "panics", Run: func(*ledger.Tx, string) (string, error) { panic(secret) }}, in)
		},
	} {
		log := s.logged()
		a := s.once("A1", nil, body)
		if a.Err == nil || a.Err.Problem.Kind != gateway.Internal {
			t.Errorf("%s: %+v", name, a)
		}
		if out := log.String() + a.Err.Error(); strings.Contains(out, secret) || !strings.Contains(out, "panicked") {
			t.Errorf("%s: logged %s", name, out)
		}
	}
}

func TestShorterDeadlineIsKept(t *testing.T) {
	inTime(t, shortDeadline)
}

func shortDeadline(t *testing.T) error {
	s := newShop(t)
	s.hangs = true
	p, err := s.plan(Defer(time.Hour, handover))
	proven := prove(t, p, err, timing("find", "sell"))
	req := s.request()
	req.Deadline = s.clock().Add(250 * time.Millisecond)
	from := time.Now()
	a, err := proven.Run(s.engine, req, "A1", render)
	if took := time.Since(from); err != nil || took > 250*time.Millisecond {
		return fmt.Errorf("after %s: %v", took, err)
	}
	if a.Status != 201 || string(a.Body) != "[sell]" { // what the plan declares, kept in the time that is left
		return fmt.Errorf("answer %d %q %v", a.Status, a.Body, a.Err)
	}
	return nil
}

// The engine's clock may be another than the process's; only spans of it count.
func TestClockMayDiffer(t *testing.T) {
	for _, shift := range []time.Duration{-1000 * time.Hour, 1000 * time.Hour} {
		s := newShop(t)
		s.pass(shift)
		if a := s.run(t, "A1", Defer(time.Hour, handover)); a.Status != 201 {
			t.Errorf("%s: %+v", shift, a)
		}
	}
}

// A branch that is not taken waits for nothing, and nothing waits for it.
func TestBranchNotTakenWaitsForNothing(t *testing.T) {
	for _, taken := range []bool{true, false} {
		s := newShop(t)
		held, let := make(chan struct{}), make(chan struct{})
		slow := call.NewRead[string, string]("shop.slow", call.ReadSpec[string, string]{})
		call.BindRead(s.bindings, slow, s.instance, func(context.Context, string) (string, error) {
			<-let
			return "slow", nil
		})
		quick := call.NewRead[string, string]("shop.quick", call.ReadSpec[string, string]{})
		call.BindRead(s.bindings, quick, s.instance, func(_ context.Context, in string) (string, error) {
			close(held)
			return in, nil
		})
		go func() {
			if !taken {
				<-held // the quick one is asked while the slow one is in flight
			}
			close(let)
		}()
		a := s.once("A1", []string{"slow", "quick"}, func(b *Builder, in Ref[string]) Ref[string] {
			known := Ask(b, "slow", slow, in, down)
			cond := Check(b, "cond", func(string) (bool, error) { return taken, nil }, in)
			which := When(b, "which", cond,
				func(b *Builder) Ref[string] {
					return When(b, "inner", Check(b, "inner cond", func(string) (bool, error) { return true, nil }, known),
						func(b *Builder) Ref[string] { return Check(b, "first", same, known) },
						func(b *Builder) Ref[string] { return Check(b, "second", same, known) })
				},
				func(b *Builder) Ref[string] { return Check(b, "third", same, in) })
			return Join(b, "both", Ask(b, "quick", quick, which, down), known, func(a, b string) (string, error) { return a + b, nil })
		})
		if want := map[bool]string{true: "slowslow[]", false: "A1slow[]"}[taken]; string(a.Body) != want {
			t.Errorf("taken %v: %+v, want %s", taken, a, want)
		}
	}
}
