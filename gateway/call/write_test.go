package call

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// desk is one write bound at one venue.
type desk struct {
	*world
	write *Write[string, int]
	keys  []string // as the backend saw them
	find  func(n int) (int, bool, error)
	finds int
}

func newDesk(t *testing.T, cfg InstanceConfig) *desk {
	d := &desk{world: newWorld(t, cfg)}
	d.write = NewWrite[string, int]("tickets.redeem", WriteSpec[string]{Key: func(a string) string { return "redeem/" + a }})
	BindWrite(d.b, d.write, d.in, Effect[string, int]{
		Do: func(ctx context.Context, key, a string) (int, error) {
			d.keys = append(d.keys, key)
			return d.backend(ctx, a)
		},
		Find: func(_ context.Context, key, _ string) (int, bool, error) {
			d.finds++
			return d.find(d.finds)
		},
	})
	if err := d.b.Err(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) do(ctx context.Context, p Policy) (int, error) {
	return d.write.Do(ctx, d.caller, d.b, p, d.write.Key("unit-1"), "unit-1")
}

func TestWriteOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		errs []error // of the attempts
		want Outcome
	}{
		"done":                       {[]error{nil}, Done},
		"refused":                    {[]error{Refuse("used", nil)}, RefusedOutcome},
		"unknown is never repeated":  {[]error{errDown}, Unknown},
		"a time-out is unknown":      {[]error{context.DeadlineExceeded}, Unknown},
		"not sent is tried again":    {[]error{NotSent(errDown), nil}, Done},
		"not sent at all":            {[]error{NotSent(errDown), NotSent(errDown), NotSent(errDown)}, NotSentOutcome},
		"not sent, then unknown":     {[]error{NotSent(errDown), errDown}, Unknown},
		"not sent, then refused":     {[]error{NotSent(errDown), Refuse("used", errDown)}, RefusedOutcome},
		"wrapped outcomes are found": {[]error{fmt.Errorf("octo: %w", Refuse("used", nil))}, RefusedOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, InstanceConfig{})
				d.serve = func(_ context.Context, n int, _ string) (int, error) { return n, c.errs[n-1] }
				out, err := d.do(context.Background(), Policy{Slice: time.Second, Attempts: 3, AttemptTimeout: 300 * ms, Backoff: 20 * ms})
				if got := OutcomeOf(err); got != c.want || len(d.keys) != len(c.errs) || err != nil && out != 0 || err == nil && out != len(c.errs) {
					t.Fatalf("got %d %v (%v) after %d attempts, want %v after %d", out, err, got, len(d.keys), c.want, len(c.errs))
				}
				for _, k := range d.keys {
					if k != "redeem/unit-1" {
						t.Errorf("an attempt had the key %q", k)
					}
				}
				if err != nil && !strings.HasPrefix(err.Error(), "cannot call tickets.redeem at octo/west-lake: ") {
					t.Errorf("the error says %q", err)
				}
			})
		})
	}
}

// Once begun only the deadline ends it, and a late answer is still the truth about the effect.
func TestWriteIsNotCancelledOnceBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, InstanceConfig{})
		ctx, cancel := context.WithCancel(context.Background())
		d.serve = func(own context.Context, n int, _ string) (int, error) {
			cancel()
			if own.Err() != nil {
				t.Error("the plan's early exit reached the effect")
			}
			return hold(own, 300*ms, n, nil)
		}
		if out, err := d.do(ctx, second); out != 1 || err != nil {
			t.Fatalf("got %d %v", out, err)
		}
		_, err := d.do(ctx, second)
		if !errors.Is(err, context.Canceled) || OutcomeOf(err) != NotSentOutcome || len(d.keys) != 1 {
			t.Fatalf("an effect was begun for an ended plan: %v", err)
		}
		d.serve = func(context.Context, int, string) (int, error) { time.Sleep(2 * time.Second); return 5, nil }
		if out, err := d.do(context.Background(), second); out != 5 || err != nil {
			t.Fatalf("got %d %v", out, err)
		}
		if s := d.in.Stats(); s.Timeouts != 1 {
			t.Fatalf("too slow was not counted: %+v", s)
		}
	})
}

func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, InstanceConfig{})
		want := time.Second
		d.serve = func(ctx context.Context, n int, _ string) (int, error) {
			if at, _ := ctx.Deadline(); time.Until(at) != want {
				t.Errorf("it has %v, want %v", time.Until(at), want)
			}
			return n, nil
		}
		d.do(context.Background(), second)
		want = 40 * ms
		ctx, cancel := context.WithTimeout(context.Background(), want)
		defer cancel()
		d.do(ctx, second)
		_, err := d.do(ctx, Policy{Slice: time.Second, Min: 50 * ms})
		if !errors.Is(err, ErrTooLate) || OutcomeOf(err) != NotSentOutcome || len(d.keys) != 2 {
			t.Errorf("got %v after %d attempts", err, len(d.keys))
		}
	})
}

func TestWriteIsNeverHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, InstanceConfig{})
		d.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 300*ms, n, nil) }
		if out, err := d.do(context.Background(), Policy{Slice: time.Second, HedgeAfter: 50 * ms}); out != 1 || err != nil || len(d.keys) != 1 {
			t.Fatalf("got %d %v after %d attempts", out, err, len(d.keys))
		}
	})
}

func TestWriteMeetsOpenBreakerAndFullBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, InstanceConfig{MaxInFlight: 1})
		d.serve = failing
		for range 5 {
			d.do(context.Background(), second)
		}
		p := Policy{Slice: time.Second, Attempts: 3, AttemptTimeout: 200 * ms, Backoff: 50 * ms}
		begun := time.Now()
		if _, err := d.do(context.Background(), p); !errors.Is(err, ErrBreakerOpen) || OutcomeOf(err) != NotSentOutcome || time.Since(begun) != 0 {
			t.Fatalf("got %v after %v", err, time.Since(begun))
		}
		time.Sleep(3 * time.Second)
		d.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 30*ms, n, nil) }
		go d.call(second)
		synctest.Wait()
		if _, err := d.do(context.Background(), p); err != nil { // full at first, well after the pause
			t.Fatal(err)
		}
	})
}

func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, InstanceConfig{})
		p := Policy{Slice: time.Second, Attempts: 2, AttemptTimeout: 300 * ms}
		ask := func() (int, bool, error) {
			return d.write.Find(context.Background(), d.caller, d.b, p, "redeem/unit-1", "unit-1")
		}
		d.find = func(n int) (int, bool, error) { return 9, true, map[int]error{1: errDown}[n] }
		if out, ok, err := ask(); out != 9 || !ok || err != nil || d.finds != 2 {
			t.Fatalf("got %d %v %v after %d", out, ok, err, d.finds)
		}
		d.find = func(int) (int, bool, error) { return 0, false, nil }
		if _, ok, err := ask(); ok || err != nil {
			t.Fatalf("got %v %v", ok, err)
		}
		d.find = func(int) (int, bool, error) { return 9, true, errDown }
		out, ok, err := ask()
		want := "cannot ask tickets.redeem at octo/west-lake what has happened: " + errDown.Error()
		if out != 0 || ok || err == nil || err.Error() != want || OutcomeOf(err) != Unknown {
			t.Fatalf("got %d %v %v", out, ok, err)
		}
	})
}

func TestBindings(t *testing.T) {
	d := newDesk(t, InstanceConfig{})
	other := NewRead("rooms.clean", ReadSpec[string, int]{})
	_, s, err := other.Call(context.Background(), d.caller, d.b, second, "x")
	if want := "not sent: cannot call rooms.clean: venue west-lake has no system bound to it"; err == nil || err.Error() != want ||
		s.State != gateway.Missing || OutcomeOf(err) != NotSentOutcome {
		t.Errorf("got %+v %v, want %s", s, err, want)
	}
	wrong := NewRead("tickets.lookup", ReadSpec[int, int]{})
	if _, _, err := wrong.Call(context.Background(), d.caller, d.b, second, 1); err == nil ||
		err.Error() != "not sent: cannot call tickets.lookup: venue west-lake has it bound with other types" {
		t.Errorf("got %v", err)
	}
	unbound := NewWrite[string, int]("rooms.hold", WriteSpec[string]{})
	if _, err := unbound.Do(context.Background(), d.caller, d.b, second, "k", "x"); OutcomeOf(err) != NotSentOutcome {
		t.Errorf("got %v", err)
	}
	if _, _, err := unbound.Find(context.Background(), d.caller, d.b, second, "k", "x"); err == nil {
		t.Error("an unbound write found something")
	}
	if _, err := d.write.Do(context.Background(), d.caller, d.b, second, "", "x"); err == nil ||
		err.Error() != "not sent: cannot call tickets.redeem at octo/west-lake: its operation key is empty" {
		t.Errorf("got %v", err)
	}
	if !d.read.Bound(d.b) || !d.write.Bound(d.b) || other.Bound(d.b) || wrong.Bound(d.b) || unbound.Bound(d.b) || unbound.Key("x") != "" {
		t.Error("Bound is wrong")
	}
	if d.in.Name() != "octo/west-lake" || d.write.Name() != "tickets.redeem" || d.b.System("tickets.lookup") != "ticketing" ||
		d.b.System("tickets.redeem") != "ticketing" || d.b.System("rooms.clean") != "rooms.clean" {
		t.Error("the names are wrong")
	}
	BindRead(d.b, d.read, d.in, d.backend)
	BindRead(d.b, other, nil, d.backend)
	BindWrite(d.b, unbound, d.in, Effect[string, int]{Do: func(context.Context, string, string) (int, error) { return 0, nil }})
	want := "cannot bind tickets.lookup of venue west-lake: it is bound already\n" +
		"cannot bind rooms.clean of venue west-lake: its instance or a function is missing\n" +
		"cannot bind rooms.hold of venue west-lake: its instance or a function is missing"
	if err := d.b.Err(); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestErrors(t *testing.T) {
	if NotSent(nil) != nil {
		t.Error("NotSent(nil) is an error")
	}
	err := Refuse("taken", errDown)
	if r, ok := errors.AsType[*Refused](err); !ok || r.Reason != "taken" || !errors.Is(err, errDown) || err.Error() != "refused: taken: backend answers 500" {
		t.Errorf("got %v", err)
	}
	for o, want := range map[Outcome]string{Done: "done", RefusedOutcome: "refused", NotSentOutcome: "not-sent", Unknown: "unknown"} {
		if o.String() != want {
			t.Errorf("got %s, want %s", o, want)
		}
	}
	if OutcomeOf(NotSent(Refuse("x", nil))) != RefusedOutcome {
		t.Error("what the backend said was lost")
	}
}
