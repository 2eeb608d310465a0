package entry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// warmWorld is a ledger into which a venue's tickets are brought.
type warmWorld struct {
	t     *testing.T
	rt    *flow.Runtime
	venue *gateway.Venue
	now   *atomic.Int64
}

func newWarmWorld(t *testing.T) warmWorld {
	var now atomic.Int64
	now.Store(noon.UnixMilli())
	clock := func() time.Time { return time.UnixMilli(now.Load()) }
	return warmWorld{t: t, now: &now, rt: &flow.Runtime{Ledger: openModelLedger(t, clock), Logger: slog.New(slog.DiscardHandler), Now: clock},
		venue: &gateway.Venue{ID: "v", Location: shanghai, Settings: &Settings{Prewarm: Prewarm{Every: time.Minute, MaxAge: time.Hour}, Keep: Keep{Known: 48 * time.Hour}}}}
}

// list brings the numbered tickets in, each under two forms, and ends with err.
func (w warmWorld) list(numbers []int, err error) (int, error) {
	w.now.Add(1000)
	return prewarm(context.Background(), w.rt, w.venue, func(_ context.Context, _ time.Time, keep func(Ticket) error) error {
		for _, i := range numbers {
			t := Ticket{Supplier: "s", Unit: unit(i), Code: fmt.Sprint("code-", i), Status: StatusValid, Product: "p",
				forms: [][]byte{fmt.Appendf(nil, "a%d", i), fmt.Appendf(nil, "b%d", i)}}
			if err := keep(t); err != nil {
				return err
			}
		}
		return err
	})
}

// known reads what is known of a form.
func (w warmWorld) known(form string) (k Known) {
	w.t.Helper()
	err := w.rt.Ledger.View(context.Background(), func(q ledger.Querier) (err error) {
		k, err = knownOf(q, w.rt.Ledger.Keys(), "v", []byte(form))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// TestAListIsKeptAsItComes: what came before a list broke off is known, with its own age; what did not come stays; the
// pre-warming has not ended, and nothing is forgotten until a whole list is there.
func TestAListIsKeptAsItComes(t *testing.T) {
	w := newWarmWorld(t)
	const n = 3*prewarmChunk/2 + 7
	if got, err := w.list(upTo(n), nil); err != nil || got != n {
		t.Fatal(got, err)
	}
	first := w.known("a0")
	if len(first.Tickets) != 1 || first.Tickets[0].Code != "code-0" || !first.AsOf.Equal(first.Tickets[0].AsOf) || len(w.known(fmt.Sprint("b", n-1)).Tickets) != 1 {
		t.Fatalf("%+v", first)
	}

	broken := errors.New("broken off")
	some := append(upTo(prewarmChunk/2+3), n) // a new one among them, after the last whole chunk
	got, err := w.list(some, broken)
	if !errors.Is(err, broken) || got != len(some) {
		t.Fatal(got, err)
	}
	for form, newer := range map[string]bool{"a0": true, fmt.Sprint("b", prewarmChunk/2): true, fmt.Sprint("a", n): true, fmt.Sprint("b", n-1): false} {
		k := w.known(form)
		if len(k.Tickets) != 1 || k.Tickets[0].AsOf.After(first.AsOf) != newer || !k.AsOf.Equal(first.AsOf) {
			t.Errorf("%s after a list that broke off: %+v", form, k)
		}
	}

	if _, err := w.list([]int{1, 2}, nil); err != nil {
		t.Fatal(err)
	}
	if k := w.known("a1"); len(k.Tickets) != 1 || !k.AsOf.After(first.AsOf) {
		t.Errorf("listed: %+v", k)
	}
	for _, form := range []string{"a0", fmt.Sprint("a", n), fmt.Sprint("b", n-1)} {
		if k := w.known(form); len(k.Tickets) != 0 {
			t.Errorf("no longer listed: %+v", k)
		}
	}

	w.now.Add(48 * time.Hour.Milliseconds())
	if _, err := w.list(nil, broken); !errors.Is(err, broken) || len(w.known("a1").Tickets) != 0 {
		t.Errorf("two days of broken lists: %+v, %v", w.known("a1"), err)
	}
}

// TestAListThatCannotBeKeptEnds: the listing is told at once, and reads no further.
func TestAListThatCannotBeKeptEnds(t *testing.T) {
	w := newWarmWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	asked := 0
	got, err := prewarm(ctx, w.rt, w.venue, func(_ context.Context, _ time.Time, keep func(Ticket) error) error {
		for i := range 10 * prewarmChunk {
			if asked++; i == prewarmChunk {
				cancel()
			}
			if err := keep(Ticket{Unit: unit(i), forms: [][]byte{fmt.Append(nil, i)}}); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || asked != 2*prewarmChunk || got != asked {
		t.Errorf("%d asked, %d kept, %v", asked, got, err)
	}
	if k := w.known("0"); !k.AsOf.IsZero() || len(k.Tickets) != 1 {
		t.Errorf("%+v", k)
	}
}

// TestAFailedListIsTriedAgainLater: soon at first, and no later than its turn.
func TestAFailedListIsTriedAgainLater(t *testing.T) {
	w := newWarmWorld(t)
	p := &prewarmer{}
	fail := true
	p.add(w.venue, func(context.Context, time.Time, func(Ticket) error) error {
		if fail {
			return errors.New("no")
		}
		return nil
	})
	spot := p.spots["v"][0]
	var waits []time.Duration
	for i := range 6 {
		fail = i < 4
		p.once(context.Background(), w.rt, spot)
		waits = append(waits, spot.next.Sub(w.rt.Now()))
		if !fail {
			spot.next = w.rt.Now()
		}
	}
	if want := []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, time.Minute}; !slices.Equal(waits[:4], want) || spot.failed != 0 {
		t.Errorf("waits %v, failed %d", waits, spot.failed)
	}
}

// TestASignedTicketIsKnownByItsCode, so that it and the code alone are the same to the ledger and to staff.
func TestASignedTicketIsKnownByItsCode(t *testing.T) {
	keys := newWarmWorld(t).rt.Ledger.Keys()
	signed := Shown{Form: FormSigned, Value: "a.b.c", Signed: &Ticket{Code: "C1"}}
	plain := Shown{Form: FormCode, Value: "C1"}
	signed.hash(keys, "v")
	plain.hash(keys, "v")
	if len(plain.Hash) == 0 || !slices.Equal(signed.Hash, plain.Hash) {
		t.Errorf("%x and %x", signed.Hash, plain.Hash)
	}
}
