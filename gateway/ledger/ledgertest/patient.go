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

// patientTests are about commits that let others go first.
var patientTests = map[string]func(*testing.T, Open){
	"others go first":              testPatientOrder,
	"a few to a group":             testPatientFew,
	"never passed over":            testPatientTurn,
	"share a flush":                testPatientShares,
	"one that fails is left out":   testPatientFails,
	"Close finishes them":          testPatientClose,
	"have a queue of their own":    testPatientFull,
	"withdrawn ones leave room":    testPatientWithdrawn,
	"are not what others wait for": testPatientWaited,
}

// line is what waits for the writer, in the order in which it came, and the order in which it was applied.
type line struct {
	*lab
	mu      sync.Mutex
	applied []string
	waits   sync.WaitGroup
}

// join has an item wait under ctx and returns once it does. The writer is held meanwhile.
func (l *line) join(ctx context.Context, id string, want error) {
	l.t.Helper()
	before := l.Stats().Queue
	l.waits.Go(func() {
		err := l.Commit(ctx, work(func(tx *ledger.Tx) error {
			l.mu.Lock()
			l.applied = append(l.applied, id)
			l.mu.Unlock()
			return errors.Join(insert(id)(tx), want)
		}))
		is(l.t, id, err, want)
	})
	l.until(func() bool { return l.Stats().Queue == before+1 })
}

// let releases the writer and returns what was applied, once all have been answered.
func (l *line) let(release func()) string {
	release()
	l.waits.Wait()
	return strings.Join(l.applied, " ")
}

// both returns a context for what somebody waits for and one for what nobody does.
func both(t *testing.T) (prompt, patient context.Context) {
	return t.Context(), ledger.Patient(t.Context())
}

func testPatientOrder(t *testing.T, open Open) {
	l := &line{lab: fresh(t, open)}
	prompt, patient := both(t)
	release := l.hold()
	l.join(patient, "p1", nil)
	l.join(prompt, "a", nil)
	l.join(patient, "p2", nil)
	l.join(prompt, "b", nil)
	if got := l.let(release); got != "a b p1 p2" {
		t.Errorf("applied: %s", got)
	}
}

func testPatientFew(t *testing.T, open Open) {
	l := &line{lab: fresh(t, open)}
	prompt, patient := both(t)
	release := l.hold()
	before := l.Stats()
	for i := range 20 {
		l.join(patient, fmt.Sprint("p", i), nil)
	}
	for i := range 20 {
		l.join(prompt, fmt.Sprint("a", i), nil)
	}
	l.let(release)
	after := l.Stats()
	if n := after.Batches - before.Batches; n != 4 { // the one that held the writer; 20 and 8; 8; 4
		t.Errorf("%d group commits, want 4", n)
	}
	if n := after.Items - before.Items; n != 41 || len(l.ids()) != 40 {
		t.Errorf("%d items, %d rows", n, len(l.ids()))
	}
}

func testPatientTurn(t *testing.T, open Open) {
	l := &line{lab: newLab(t, open(t, t.TempDir()), ledger.Config{Batch: 1})}
	l.closeLater()
	prompt, patient := both(t)
	release := l.hold()
	for i := range 3 {
		l.join(patient, fmt.Sprint("p", i), nil)
	}
	for i := range 5 {
		l.join(prompt, fmt.Sprint("a", i), nil)
	}
	if got := l.let(release); got != "a0 p0 a1 p1 a2 p2 a3 a4" {
		t.Errorf("applied: %s", got)
	}
}

func testPatientShares(t *testing.T, open Open) {
	l := &line{lab: fresh(t, open)}
	prompt, patient := both(t)
	release := l.hold()
	before := l.Stats().Batches
	for i := range 8 {
		l.join(patient, fmt.Sprint("p", i), nil)
	}
	l.join(prompt, "a", nil)
	l.let(release)
	if n := l.Stats().Batches - before; n != 2 { // with the one that held the writer
		t.Errorf("%d group commits, want 2", n)
	}
}

func testPatientFails(t *testing.T, open Open) {
	l := &line{lab: fresh(t, open)}
	prompt, patient := both(t)
	release := l.hold()
	l.join(patient, "p1", nil)
	l.join(patient, "fails", errNo)
	l.join(patient, "p2", nil)
	l.join(prompt, "a", nil)
	before := l.Stats().Batches
	l.let(release)
	if ids := l.ids(); !slices.Equal(ids, []string{"a", "p1", "p2"}) {
		t.Errorf("kept: %v", ids)
	}
	if s := l.Stats(); s.LeftOut != 1 || s.Batches-before != 2 {
		t.Errorf("%d left out, %d group commits", s.LeftOut, s.Batches-before)
	}
}

func testPatientClose(t *testing.T, open Open) {
	place := t.TempDir()
	l := &line{lab: newLab(t, open(t, place), ledger.Config{})}
	prompt, patient := both(t)
	release := l.hold()
	for i := range 20 {
		l.join(patient, fmt.Sprint("p", i), nil)
	}
	l.join(prompt, "a", nil)
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	l.until(func() bool { // until it refuses
		ctx, cancel := context.WithTimeout(patient, time.Millisecond)
		defer cancel()
		return !errors.Is(l.Commit(ctx, insert("too late")), context.DeadlineExceeded)
	})
	l.let(release)
	is(t, "Close", <-closed, nil)
	again := newLab(t, open(t, place), ledger.Config{})
	again.closeLater()
	if ids := again.ids(); len(ids) != 21 {
		t.Errorf("kept: %v", ids)
	}
}

func testPatientFull(t *testing.T, open Open) {
	l := &line{lab: newLab(t, open(t, t.TempDir()), ledger.Config{Queue: 4})}
	l.closeLater()
	prompt, patient := both(t)
	release := l.hold()
	for i := range 4 {
		l.join(patient, fmt.Sprint("p", i), nil)
	}
	is(t, "a patient item that found no room", l.Commit(patient, insert("one too many")), ledger.ErrUnavailable)
	for i := range 4 { // nobody who is waited for is refused for those
		l.join(prompt, fmt.Sprint("a", i), nil)
	}
	is(t, "an item that found no room", l.Commit(prompt, insert("one too many")), ledger.ErrUnavailable)
	l.let(release)
	if ids := l.ids(); len(ids) != 8 {
		t.Errorf("kept: %v", ids)
	}
}

func testPatientWithdrawn(t *testing.T, open Open) {
	l := &line{lab: newLab(t, open(t, t.TempDir()), ledger.Config{Queue: 4})}
	l.closeLater()
	_, patient := both(t)
	release := l.hold()
	leaving, cancel := context.WithCancel(patient)
	for i := range 4 {
		l.join(leaving, fmt.Sprint("left", i), ledger.ErrUnavailable)
	}
	cancel()
	l.waits.Wait()
	stays := make(chan error)
	go func() { stays <- l.Commit(patient, insert("stays")) }()
	l.until(func() bool { return l.Stats().Queue == 1 })
	release()
	is(t, "a patient item that came after those who left", <-stays, nil)
	if ids := l.ids(); !slices.Equal(ids, []string{"stays"}) {
		t.Errorf("kept: %v", ids)
	}
}

func testPatientWaited(t *testing.T, open Open) {
	l := fresh(t, open)
	prompt, patient := both(t)
	for i := range 20 {
		is(t, "a patient item", l.Commit(patient, insert(fmt.Sprint("p", i))), nil)
		if d := l.Waited(); d != 0 {
			t.Fatalf("somebody has waited for %v", d)
		}
	}
	n := 0
	l.until(func() bool { // a wait is forgotten after a while, which may have gone by here
		n++
		is(t, "an item", l.Commit(prompt, insert(fmt.Sprint("a", n))), nil)
		return l.Waited() > 0
	})
}
