package outbox_test

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

// TestDeliveriesLetOthersGoFirst has a delivery come to the ledger before somebody who waits.
func TestDeliveriesLetOthersGoFirst(t *testing.T) {
	w := newWorld(t, quick)
	if err := w.box.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	var order []string // by the writer alone
	note := func(who string) doing {
		return func(*ledger.Tx) error { order = append(order, who); return nil }
	}
	called, delivered := make(chan struct{}), make(chan error, 1)
	come := make(chan struct{})
	handlers := map[string]outbox.Handler{"deliver": func(ctx context.Context, _ ledger.Message) error {
		close(called)
		<-come
		err := w.ledger.Commit(ctx, note("delivery"))
		delivered <- err
		return err
	}}
	var err error
	if w.box, err = outbox.New(w.ledger, quick, handlers, openAssist, slog.New(slog.DiscardHandler), 1); err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.box.Start(context.Background())
	w.enqueue("m", "v", 0, "ok")
	w.box.Kick()
	<-called

	held, let, others := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		others <- w.ledger.Commit(context.Background(), doing(func(*ledger.Tx) error { close(held); <-let; return nil }))
	}()
	<-held
	close(come)
	w.waiting(1)
	go func() { others <- w.ledger.Commit(context.Background(), note("somebody")) }()
	w.waiting(2)
	close(let)
	for _, c := range []chan error{others, others, delivered} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(order, []string{"somebody", "delivery"}) {
		t.Errorf("the ledger was told in the order %v", order)
	}
}

// waiting returns once n items wait for the writer.
func (w *world) waiting(n int) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); w.ledger.Stats().Queue != n; runtime.Gosched() {
		if time.Now().After(end) {
			w.t.Fatalf("%d items wait for the writer, not %d", w.ledger.Stats().Queue, n)
		}
	}
}
