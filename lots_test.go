package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/sandbox/sandboxtest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

// lot is a lot of a sandbox as its barriers see it, and as its collector's books do.
type lot struct {
	*sandboxtest.Box
	t             *testing.T
	id, plate     string // the plate is of the car that is to be let out
	in, out       string // gates
	kind, charge  string // of the collector's twin, and its path that bills are charged at
	charges, paid func(b collectorBooks) int
	told          func(b collectorBooks) bool // the gateway has taken what the collector tells on its own of cars inside
}

// collectorBooks is what both collectors' books have that is looked at here.
type collectorBooks struct {
	Charges []struct {
		State string
		Total int64
	}
	Bills []struct {
		Due    int64
		Status int
	}
	Pushes []struct{ Confirmed int }
}

// lots are the two of the sandbox, one collected by each of the collectors.
func lots(t *testing.T, b *sandboxtest.Box) []*lot {
	return []*lot{
		{Box: b, t: t, id: "west-garage", plate: "浙A7K215", in: "north", out: "south", kind: "wechatpay", charge: "/v3/vehicle/transactions/parking",
			charges: func(b collectorBooks) int { return len(b.Charges) },
			paid: func(b collectorBooks) int {
				return count(b.Charges, func(i int) bool { return b.Charges[i].State == "SUCCESS" })
			},
			told: func(collectorBooks) bool { return true }}, // the provider says it in its answer
		{Box: b, t: t, id: "station-lot", plate: "浙AD72165", in: "in-1", out: "out-2", kind: "hangzhou", charge: "/api/v2/cp/applyPayment",
			charges: func(b collectorBooks) int { return len(b.Bills) },
			paid:    func(b collectorBooks) int { return count(b.Bills, func(i int) bool { return b.Bills[i].Status == 1 }) },
			told: func(b collectorBooks) bool {
				return len(b.Pushes) > 0 && count(b.Pushes, func(i int) bool { return b.Pushes[i].Confirmed > 0 }) == len(b.Pushes)
			}},
	}
}

// count is how many members of all are so.
func count[M any](all []M, so func(i int) bool) (n int) {
	for i := range all {
		if so(i) {
			n++
		}
	}
	return n
}

// books reads the collector's.
func (l *lot) books() (b collectorBooks) {
	l.t.Helper()
	_, text := l.Do("GET", l.City+"/books/"+l.kind, nil, nil)
	all := map[string]collectorBooks{}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		l.t.Fatalf("%v: %s", err, text)
	}
	return all[l.id]
}

// passage is what a barrier hears.
type passage struct {
	Decision string
	Recorded bool
	Bill     struct {
		ID, State string
		Due       struct{ Minor int64 }
	}
}

// post sends a call, and reads the answer.
func (l *lot) post(role, path string, body, into any) {
	l.t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		l.t.Fatal(err)
	}
	status, text := l.Do("POST", l.API+path, map[string]string{"Authorization": "Bearer " + l.Tokens[role], "Content-Type": "application/json",
		"Idempotency-Key": fmt.Sprintf(`"%d"`, time.Now().UnixNano())}, sent)
	if err := json.Unmarshal([]byte(text), into); err != nil || status/100 != 2 {
		l.t.Fatalf("%s: %d %s", path, status, text)
	}
}

// pass sends one event of a barrier; the same event may be sent again.
func (l *lot) pass(where, gate, event string, at time.Time) (p passage) {
	l.t.Helper()
	l.post("barrier", "/v1/parking-lots/"+l.id+"/"+where, map[string]string{"gate": gate, "event_id": event, "plate": l.plate,
		"occurred_at": at.Format(time.RFC3339Nano)}, &p)
	return p
}

// bind makes a car the driver's.
func (l *lot) bind() {
	l.t.Helper()
	var said struct{ Assist string }
	l.post("driver", "/v1/me/vehicles", map[string]string{"plate": l.plate, "lot": l.id}, &said)
	l.post("staff", "/v1/assists/"+said.Assist+"/claim", nil, new(any))
	l.post("staff", "/v1/assists/"+said.Assist+"/resolution", map[string]any{"resolution": "verified", "reason": "seen",
		"details": map[string]any{"from": time.Now().Add(-24 * time.Hour)}}, new(any))
}

// bill is the car's only one, as the driver sees it.
func (l *lot) bill() (state string, owed int64) {
	l.t.Helper()
	var found struct {
		Bills []struct {
			State string
			Due   struct{ Minor int64 }
		}
	}
	if l.post("driver", "/v1/parking-bills/search", map[string]string{"plate": l.plate}, &found); len(found.Bills) != 1 {
		l.t.Fatalf("the bills of the car: %+v", found)
	}
	return found.Bills[0].State, found.Bills[0].Due.Minor
}

// enter lets the driver's car in an hour ago and waits until its collector has said that it may pay later.
func (l *lot) enter() {
	l.t.Helper()
	l.bind()
	l.pass("entries", l.in, "in", time.Now().Add(-time.Hour))
	sandboxtest.Await(l.t, 10*time.Second, "the collector's word on the car", func() bool {
		_, figures := l.Do("GET", l.Admin+"/metrics", nil, nil)
		return strings.Contains(figures, "\nwarmgate_outbox_waiting 0\n") && l.told(l.books())
	})
}

// collected waits until the car that has left has paid, once.
func (l *lot) collected(due int64) {
	l.t.Helper()
	sandboxtest.Await(l.t, 20*time.Second, "the bill is paid", func() bool { state, owed := l.bill(); return state == "paid" && owed == 0 })
	b := l.books()
	if l.charges(b) != 1 || l.paid(b) != 1 {
		l.t.Errorf("one car has left, and the books are %+v", b)
	}
	var took int64
	for _, c := range b.Charges {
		took += c.Total
	}
	for _, c := range b.Bills {
		took += c.Due
	}
	if took != due {
		l.t.Errorf("the collector has taken %d, owed were %d", took, due)
	}
}

// verified stops the sandbox and holds its books against themselves.
func verified(t *testing.T, b *sandboxtest.Box, data, want string) {
	t.Helper()
	if code := b.Stop(); code != 0 {
		t.Errorf("exit code %d\n%s", code, b.Log)
	}
	out, err := sandboxtest.Command(t, "books", "verify", "--data", filepath.Join(data, "ledger")).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
}

// TestTheLotsOfTheSandboxCollect lets a car out of each lot and has it charged by the lot's collector: it is told of the
// entry, says that the car may pay later, is asked for the money by the outbox, and tells of the payment on its own.
func TestTheLotsOfTheSandboxCollect(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	b := sandboxtest.Start(t, "--data="+data)
	for _, l := range lots(t, b) {
		l.enter()
		p := l.pass("exits", l.out, "out", time.Now())
		if p.Decision != "open" || p.Bill.Due.Minor <= 0 || p.Bill.State != "pay-pending" {
			t.Fatalf("%s: %+v", l.id, p)
		}
		l.collected(p.Bill.Due.Minor)
	}
	verified(t, b, data, "3 bills, 5 movements, 10 postings verified\n") // one of them is yesterday's, of the examples
	unverified(t, data, `UPDATE parking_postings SET minor = minor + 1 WHERE account = 'fees'`, "a movement's postings do not sum to zero")
}

// unverified changes the ledger of a sandbox that has stopped, and expects the books to be found out.
func unverified(t *testing.T, data, change, want string) {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(data, "ledger", "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := store.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(change, nil)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err = errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	out, err := sandboxtest.Command(t, "books", "verify", "--data", filepath.Join(data, "ledger")).CombinedOutput()
	if exit, failed := errors.AsType[*exec.ExitError](err); !failed || exit.ExitCode() != 1 || !strings.Contains(string(out), want) {
		t.Errorf("books that do not hold: %v: %s, want %s", err, out, want)
	}
}

// TestACarIsChargedOnceThroughFaultsAndAKill: the provider takes the charge and its answer is lost, the gateway is killed, and
// is back while the provider still fails. The car pays once.
func TestACarIsChargedOnceThroughFaultsAndAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	t.Parallel()
	data := t.TempDir()
	b := sandboxtest.Start(t, "--data="+data)
	for _, l := range lots(t, b) {
		l.enter()
		dial := func(text string) {
			t.Helper()
			if status, said := b.Do("PUT", b.City+"/dials/"+l.kind+"/"+l.id, nil, []byte(text)); status != 200 {
				t.Fatalf("the dial: %d %s", status, said)
			}
		}
		dial(`{"fault":"reset","after_effect":true,"path":"` + l.charge + `"}`)
		left := time.Now()
		p := l.pass("exits", l.out, "out", left)
		sandboxtest.Await(t, 20*time.Second, "the charge is there", func() bool { return l.charges(l.books()) == 1 })
		if err := syscall.Kill(b.PIDs.Serve, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var again struct{ PID int }
		if err := json.Unmarshal([]byte(b.Line()), &again); err != nil {
			t.Fatal(err)
		}
		b.PIDs.Serve = again.PID
		b.Client.CloseIdleConnections()
		if got := l.pass("exits", l.out, "out", left); got.Bill.ID != p.Bill.ID {
			t.Errorf("%s: the bill was %s and is %s", l.id, p.Bill.ID, got.Bill.ID)
		}
		dial(`{}`)
		l.collected(p.Bill.Due.Minor)
	}
	verified(t, b, data, "3 bills, 5 movements, 10 postings verified\n")
}
