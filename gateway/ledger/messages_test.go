package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func (b *books) enqueue(t testing.TB, m ledger.Message) {
	t.Helper()
	b.commit(t, func(tx *ledger.Tx) error { return tx.Enqueue(m) })
}

func (b *books) lease(t testing.TB, venue string, limit int) []ledger.Message {
	t.Helper()
	var got []ledger.Message
	b.commit(t, func(tx *ledger.Tx) (err error) {
		got, err = tx.LeaseMessages(venue, tx.Now(), tx.Now().Add(time.Minute), limit)
		return err
	})
	return got
}

func findMessage(t testing.TB, b *books, key string) ledger.Message {
	t.Helper()
	var got ledger.Message
	b.read(t, func(q ledger.Querier) error {
		m, found, err := ledger.FindMessage(q, key)
		if !found {
			t.Errorf("no message %q", key)
		}
		got = m
		return err
	})
	return got
}

func TestMessageIsEnqueuedOnce(t *testing.T) {
	b := openBooks(t)
	m := ledger.Message{Key: "k", Kind: "deliver", Run: "r", Venue: "v", Payload: []byte{1}, DueAt: dawn.Add(time.Hour), NextAt: dawn.Add(time.Minute)}
	b.enqueue(t, m)
	m.State, m.QueuedAt = ledger.MessageWaiting, dawn
	if got := findMessage(t, b, "k"); fmt.Sprint(got) != fmt.Sprint(m) {
		t.Fatalf("read %+v, want %+v", got, m)
	}
	if got := b.lease(t, "v", 9); len(got) != 0 {
		t.Fatalf("leased before its time: %+v", got)
	}
	b.pass(time.Minute)
	got := b.lease(t, "v", 9)
	if len(got) != 1 || got[0].Attempts != 1 || !got[0].NextAt.Equal(dawn.Add(2*time.Minute)) {
		t.Fatalf("leased %+v", got)
	}
	b.commit(t, func(tx *ledger.Tx) error { _, err := tx.FinishMessage(got[0]); return err })
	b.enqueue(t, ledger.Message{Key: "k", Kind: "deliver"})
	if got := findMessage(t, b, "k"); got.State != ledger.MessageDone || got.Run != "r" {
		t.Fatalf("a delivered message was enqueued again: %+v", got)
	}
	for _, bad := range []ledger.Message{{Key: "x"}, {Kind: "x"}} {
		if err := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error { return tx.Enqueue(bad) })); err == nil {
			t.Errorf("%+v was enqueued", bad)
		}
	}
}

func TestLeaseKeepsOthersOutUntilItEnds(t *testing.T) {
	b := openBooks(t)
	for i := range 5 {
		b.enqueue(t, ledger.Message{Key: fmt.Sprint("k", i), Kind: "deliver", Venue: "v"})
		b.pass(time.Second)
	}
	b.enqueue(t, ledger.Message{Key: "other", Kind: "deliver", Venue: "w"})
	first := b.lease(t, "v", 3)
	second := b.lease(t, "v", 3)
	keys := map[string]bool{}
	for _, m := range append(first, second...) {
		keys[m.Key] = true
	}
	if len(first) != 3 || len(second) != 2 || len(keys) != 5 {
		t.Fatalf("leased %+v, then %+v", first, second)
	}
	b.pass(2 * time.Minute) // the process that held the leases is gone
	again := b.lease(t, "v", 9)
	if len(again) != 5 || again[0].Attempts != 2 {
		t.Fatalf("leased again: %+v", again)
	}
	b.commit(t, func(tx *ledger.Tx) error { // what the first holder says comes too late, unless it has delivered
		if changed, err := tx.RetryMessage(first[0], tx.Now(), "late"); changed || err != nil {
			t.Errorf("put back by a lost lease: %v, %v", changed, err)
		}
		if killed, err := tx.KillMessage(first[1], "late"); killed || err != nil {
			t.Errorf("given up by a lost lease: %v, %v", killed, err)
		}
		if done, err := tx.FinishMessage(first[2]); !done || err != nil {
			t.Errorf("delivered under a lost lease: %v, %v", done, err)
		}
		return nil
	})
}

func TestOutboxIsCountedByVenueAndState(t *testing.T) {
	b := openBooks(t)
	for _, m := range []ledger.Message{
		{Key: "1", Venue: "b", NextAt: dawn.Add(3 * time.Second)},
		{Key: "2", Venue: "b", NextAt: dawn.Add(2 * time.Second), DueAt: dawn.Add(time.Minute)},
		{Key: "3", Venue: "", NextAt: dawn.Add(4 * time.Second), DueAt: dawn.Add(time.Second)},
		{Key: "4", Venue: "a", NextAt: dawn}, {Key: "5", Venue: "c", NextAt: dawn},
	} {
		m.Kind = "deliver"
		b.enqueue(t, m)
	}
	dead := b.lease(t, "c", 1)
	long := strings.Repeat("原因", 200)
	b.commit(t, func(tx *ledger.Tx) error {
		killed, err := tx.KillMessage(dead[0], long)
		if !killed {
			t.Error("not given up")
		}
		if done, err := tx.FinishMessage(dead[0]); done || err != nil { // a person has it now
			t.Errorf("delivered after it was given up: %v, %v", done, err)
		}
		return err
	})
	if got := findMessage(t, b, "5").LastError; !utf8.ValidString(got) || len(got) > 300 || len(got) < 290 {
		t.Errorf("the last error is kept as %d bytes", len(got))
	}
	b.pass(time.Second)
	b.read(t, func(q ledger.Querier) error {
		venues, err := ledger.WaitingVenues(q)
		want := fmt.Sprint([]ledger.VenueQueue{{Venue: "", Next: dawn.Add(4 * time.Second)}, {Venue: "a", Next: dawn}, {Venue: "b", Next: dawn.Add(2 * time.Second)}})
		if fmt.Sprint(venues) != want {
			t.Errorf("venues %v, want %v", venues, want)
		}
		if err != nil {
			return err
		}
		c, err := ledger.CountMessages(q, b.Now())
		if c != (ledger.OutboxCounts{Waiting: 4, Overdue: 1, Dead: 1, Due: dawn.Add(time.Second)}) {
			t.Errorf("counts %+v", c)
		}
		return err
	})
}

// TestQueriesUseTheirIndexes holds what the engine asks all the time against SQLite's own plan: no table is scanned, but for
// the first row of one that lies in the order asked for.
func TestQueriesUseTheirIndexes(t *testing.T) {
	b := openBooks(t)
	for query, index := range map[string]string{
		`SELECT id FROM runs WHERE state = 'running' AND lease_until <= 5 ORDER BY lease_until LIMIT 9`:                                            "INDEX runs_running",
		`SELECT op_key FROM operations WHERE run = 'r' ORDER BY ord, op_key`:                                                                       "INDEX operations_run",
		`SELECT scope FROM idempotency WHERE ended AND expires_at <= 5 ORDER BY expires_at LIMIT 9`:                                                "INDEX idempotency_expiring",
		`SELECT msg_key FROM messages WHERE state = 'waiting' AND venue = 'v' AND next_at <= 5 ORDER BY next_at LIMIT 9`:                           "INDEX messages_waiting",
		`SELECT MIN(m.venue) FROM messages m WHERE m.state = 'waiting' AND m.venue > 'v'`:                                                          "INDEX messages_waiting",
		`SELECT COUNT(*) FROM messages WHERE state = 'dead'`:                                                                                       "INDEX messages_dead",
		`SELECT msg_key FROM messages WHERE state = 'done' AND next_at <= 5 ORDER BY next_at LIMIT 9`:                                              "INDEX messages_done",
		`SELECT id FROM assists WHERE tenant = 't' AND seq > 5 AND state <> 'resolved' AND state = 'open' AND venue IN ('v') ORDER BY seq LIMIT 9`: "INDEX assists_unresolved",
		`SELECT id FROM assists WHERE tenant = 't' AND seq > 5 ORDER BY seq LIMIT 9`:                                                               "INDEX assists_seq",
		`SELECT hash FROM audit_links WHERE chain = 3 ORDER BY link DESC LIMIT 1`:                                                                  "PRIMARY KEY",
		`SELECT hash FROM audit_links WHERE (chain, link) > (1, 5) ORDER BY chain, link LIMIT 9`:                                                   "PRIMARY KEY",
		`SELECT actor FROM audit_entries WHERE (chain, link) > (1, 5) AND (chain, link) <= (1, 9) ORDER BY chain, link, ord`:                       "PRIMARY KEY",
		`SELECT hash FROM audit_links ORDER BY chain DESC, link DESC LIMIT 1`:                                                                      "SCAN audit_links",
	} {
		b.read(t, func(q ledger.Querier) error {
			plan, err := ledgertest.PlanOf(q, query)
			if !strings.Contains(plan, index) || strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") {
				t.Errorf("%s\n\tis answered by %s", query, plan)
			}
			return err
		})
	}
}
