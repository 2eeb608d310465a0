package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// callerTests are about who waits, for how long, and what they are told.
var callerTests = map[string]func(*testing.T, Open){
	"withdrawn while queued":     testWithdrawn,
	"unknown while in flight":    testInFlight,
	"ended before it came":       testEnded,
	"a full queue":               testFullQueue,
	"withdrawn items leave room": testWithdrawnRoom,
	"Close finishes what waits":  testCloseDrains,
}

func testWithdrawn(t *testing.T, open Open) {
	l := fresh(t, open)
	release := l.hold()
	ctx, cancel := context.WithCancel(t.Context())
	applied := false
	left := make(chan error)
	go func() {
		left <- l.Commit(ctx, work(func(tx *ledger.Tx) error { applied = true; return insert("left")(tx) }))
	}()
	l.until(func() bool { return l.Stats().Queue == 1 })
	cancel()
	err := <-left
	is(t, "a withdrawn item", err, ledger.ErrUnavailable)
	is(t, "a withdrawn item", err, context.Canceled)
	release()
	l.must(insert("after"))
	if ids := l.ids(); applied || !slices.Equal(ids, []string{"after"}) {
		t.Errorf("kept: %v, applied: %v", ids, applied)
	}
	if n := l.Stats().Withdrawn; n != 1 {
		t.Errorf("%d withdrawn, want 1", n)
	}
}

func testInFlight(t *testing.T, open Open) {
	l := fresh(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	entered, let := make(chan struct{}), make(chan struct{})
	left := make(chan error)
	go func() {
		left <- l.Commit(ctx, work(func(tx *ledger.Tx) error { close(entered); <-let; return insert("kept")(tx) }))
	}()
	<-entered
	cancel()
	err := <-left // while Apply still runs
	is(t, "an item in flight", err, ledger.ErrUnknown)
	is(t, "an item in flight", err, context.Canceled)
	close(let)
	l.must(insert("next"))
	if ids := l.ids(); !slices.Equal(ids, []string{"kept", "next"}) {
		t.Errorf("kept: %v", ids)
	}
}

func testEnded(t *testing.T, open Open) {
	l := fresh(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, "a context that has ended", l.Commit(ctx, insert("a")), ledger.ErrUnavailable)
	if ids := l.ids(); len(ids) != 0 {
		t.Errorf("kept: %v", ids)
	}
}

func testFullQueue(t *testing.T, open Open) {
	l := newLab(t, open(t, t.TempDir()), ledger.Config{Queue: 4})
	l.closeLater()
	release := l.hold()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { is(t, "an item that found room", l.commit(insert(fmt.Sprint(i))), nil) })
	}
	l.until(func() bool { return l.Stats().Queue == 4 })
	err := l.commit(insert("one too many"))
	is(t, "an item that found no room", err, ledger.ErrUnavailable)
	if !strings.Contains(err.Error(), "4") {
		t.Errorf("the error does not say the limit: %v", err)
	}
	release()
	wg.Wait()
	if ids := l.ids(); len(ids) != 4 {
		t.Errorf("kept: %v", ids)
	}
	if s := l.Stats(); s.Refused != 1 {
		t.Errorf("refused: %d", s.Refused)
	}
}

func testWithdrawnRoom(t *testing.T, open Open) {
	l := newLab(t, open(t, t.TempDir()), ledger.Config{Queue: 4})
	l.closeLater()
	release := l.hold()
	ctx, cancel := context.WithCancel(t.Context())
	var left sync.WaitGroup
	for range 4 {
		left.Go(func() { is(t, "a withdrawn item", l.Commit(ctx, insert("left")), ledger.ErrUnavailable) })
	}
	l.until(func() bool { return l.Stats().Queue == 4 })
	cancel()
	left.Wait()
	stays := make(chan error)
	go func() { stays <- l.commit(insert("stays")) }()
	l.until(func() bool { return l.Stats().Queue == 1 })
	release()
	is(t, "an item that came after those who left", <-stays, nil)
}

func testCloseDrains(t *testing.T, open Open) {
	place := t.TempDir()
	l := newLab(t, open(t, place), ledger.Config{Batch: 1})
	release := l.hold()
	const items = 16
	var waits sync.WaitGroup
	for i := range items {
		waits.Go(func() { is(t, "an item that waited at Close", l.commit(insert(fmt.Sprint(i))), nil) })
	}
	l.until(func() bool { return l.Stats().Queue == items })
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	l.until(func() bool { // until it refuses
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		return !errors.Is(l.Commit(ctx, insert("too late")), context.DeadlineExceeded)
	})
	release()
	waits.Wait()
	is(t, "Close", <-closed, nil)
	l = newLab(t, open(t, place), ledger.Config{})
	l.closeLater()
	if ids := l.ids(); len(ids) != items {
		t.Errorf("kept: %v", ids)
	}
}
