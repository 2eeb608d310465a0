package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Point is where a Faulty store can fail.
type Point string

// The points.
const (
	AtBegin  Point = "begin"
	AtExec   Point = "exec" // Exec and Query of a transaction
	AtCommit Point = "commit"
	AtView   Point = "view"
)

// Fault is how it fails.
type Fault string

// The faults. Lost and Broken make sense at AtCommit alone.
const (
	None     Fault = ""          // works
	Hang     Fault = "hang"      // waits until another fault is set, then works; Begin and View leave when their context ends
	Full     Fault = "full"      // no space: nothing is kept
	ReadOnly Fault = "read-only" // nothing is kept
	Lost     Fault = "lost"      // commits, and says that it failed
	Broken   Fault = "broken"    // does not commit, and says that the disk failed
)

// Faulty is a store whose faults can be dialled while it works. Safe for concurrent use.
type Faulty struct {
	ledger.Store

	mu     sync.Mutex
	faults map[Point]Fault
	change chan struct{} // closed at the next Set
}

// Sole reports what the store beneath says of itself.
func (f *Faulty) Sole() bool {
	s, ok := f.Store.(interface{ Sole() bool })
	return ok && s.Sole()
}

// Wrap makes a store faulty. Without Set it works.
func Wrap(store ledger.Store) *Faulty {
	return &Faulty{Store: store, faults: map[Point]Fault{}, change: make(chan struct{})}
}

// Set dials one fault; what hangs at any point looks again.
func (f *Faulty) Set(at Point, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[at] = fault
	close(f.change)
	f.change = make(chan struct{})
}

// ServeHTTP dials a fault from another process: PUT /{point} with the fault as the body, which may be empty.
func (f *Faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64))
	at, fault := Point(strings.TrimPrefix(r.URL.Path, "/")), Fault(body)
	known := slices.Contains([]Point{AtBegin, AtExec, AtCommit, AtView}, at) &&
		slices.Contains([]Fault{None, Hang, Full, ReadOnly, Lost, Broken}, fault)
	if err != nil || r.Method != http.MethodPut || !known {
		http.Error(w, "want PUT /{begin|exec|commit|view} with hang, full, read-only, lost, broken or nothing", http.StatusBadRequest)
		return
	}
	f.Set(at, fault)
	w.WriteHeader(http.StatusNoContent)
}

// at returns the fault of a point, after it hung for as long as it was told to.
func (f *Faulty) at(ctx context.Context, p Point) (Fault, error) {
	for {
		f.mu.Lock()
		fault, change := f.faults[p], f.change
		f.mu.Unlock()
		switch fault {
		case Full:
			return fault, fmt.Errorf("%w: the disk is full (dialled)", ledger.ErrUnavailable)
		case ReadOnly:
			return fault, fmt.Errorf("%w: the disk is read-only (dialled)", ledger.ErrUnavailable)
		case Broken:
			return fault, fmt.Errorf("%w (dialled)", ledger.ErrBroken)
		case Hang:
			select {
			case <-change:
			case <-ctx.Done():
				return fault, fmt.Errorf("%w: %w", ledger.ErrUnavailable, ctx.Err())
			}
		default:
			return fault, nil
		}
	}
}

// Begin opens a transaction, or fails as dialled.
func (f *Faulty) Begin(ctx context.Context) (ledger.StoreTx, error) {
	if _, err := f.at(ctx, AtBegin); err != nil {
		return nil, err
	}
	tx, err := f.Store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyTx{StoreTx: tx, f: f}, nil
}

// View reads, or fails as dialled.
func (f *Faulty) View(ctx context.Context, g func(ledger.Querier) error) error {
	if _, err := f.at(ctx, AtView); err != nil {
		return err
	}
	return f.Store.View(ctx, g)
}

// faultyTx is a transaction of a faulty store.
type faultyTx struct {
	ledger.StoreTx
	f *Faulty
}

// Exec runs a statement, or fails as dialled.
func (tx *faultyTx) Exec(query string, args []any) (int64, error) {
	if _, err := tx.f.at(context.Background(), AtExec); err != nil {
		return 0, err
	}
	return tx.StoreTx.Exec(query, args)
}

// Query runs a statement, or fails as dialled.
func (tx *faultyTx) Query(query string, args []any) (ledger.Rows, error) {
	if _, err := tx.f.at(context.Background(), AtExec); err != nil {
		return nil, err
	}
	return tx.StoreTx.Query(query, args)
}

// Commit commits, or fails as dialled.
func (tx *faultyTx) Commit() error {
	fault, err := tx.f.at(context.Background(), AtCommit)
	if err != nil {
		return errors.Join(err, tx.StoreTx.Rollback())
	}
	if err := tx.StoreTx.Commit(); err != nil {
		return err
	}
	if fault == Lost {
		return errors.New("the connection was lost during COMMIT (dialled)")
	}
	return nil
}
