package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// told writes what a system was told, or was not after all, in a commit of its own.
func (b *books) told(t *testing.T, run, action, system string) {
	t.Helper()
	b.commit(t, func(tx *ledger.Tx) error {
		return tx.Audit(ledger.AuditEntry{Run: run, Actor: ledger.ActorGateway, Action: action, System: system, Purpose: "why", Fields: []string{"a", "b"}})
	})
}

func (b *books) run(t *testing.T, id string) {
	t.Helper()
	b.commit(t, func(tx *ledger.Tx) error {
		return tx.BeginRun(ledger.Run{ID: id, Plan: "plan", Tenant: "city", Venue: "east", Principal: "li@i", State: ledger.RunRunning, StartedAt: b.now()})
	})
}

func (b *books) accesses(t *testing.T, before string, limit int) (all []ledger.Access, next string) {
	t.Helper()
	owner := ledger.OwnerOf(b.keys, &gateway.Principal{Subject: "li", Issuer: "i", Tenant: "city"})
	b.read(t, func(q ledger.Querier) (err error) {
		all, next, err = ledger.ListAccesses(q, owner, before, limit)
		return err
	})
	return all, next
}

func TestWhatWasWithheldIsNoAccess(t *testing.T) {
	b := openBooks(t)
	b.run(t, "01")
	b.told(t, "01", "disclose", "police")
	b.told(t, "01", "withhold", "police")
	if all, next := b.accesses(t, "", 10); len(all) != 0 || next != "" {
		t.Errorf("nothing was told after all: %+v %q", all, next)
	}
	b.pass(time.Minute)
	b.told(t, "01", "disclose", "police")
	b.pass(time.Minute)
	b.told(t, "01", "disclose", "police")
	b.told(t, "01", "disclose", "pms")
	b.told(t, "01", "erase", "pms")
	all, _ := b.accesses(t, "", 10)
	if len(all) != 1 || len(all[0].Told) != 2 {
		t.Fatalf("%+v", all)
	}
	if p := all[0].Told[0]; p.System != "police" || p.Times != 2 || strings.Join(p.Fields, " ") != "a b" || !p.Last.Equal(dawn.Add(2*time.Minute)) {
		t.Errorf("%+v", p)
	}
}

// TestACallerWhoseJourneysTellNothingCostsLittle holds the bound of a page: it comes back empty, and says where to go on.
func TestACallerWhoseJourneysTellNothingCostsLittle(t *testing.T) {
	b := openBooks(t)
	b.run(t, "0000")
	b.told(t, "0000", "disclose", "police")
	b.commit(t, func(tx *ledger.Tx) error {
		for i := range 600 {
			err := tx.BeginRun(ledger.Run{ID: fmt.Sprintf("1%03d", i), Tenant: "city", Principal: "li@i", State: ledger.RunRunning})
			if err != nil {
				return err
			}
		}
		return nil
	})
	all, next := b.accesses(t, "", 10)
	if len(all) != 0 || next != "1100" {
		t.Fatalf("the first page: %+v, next %q", all, next)
	}
	if all, next = b.accesses(t, next, 10); len(all) != 1 || all[0].ID != "0000" || next != "" {
		t.Errorf("the second page: %+v, next %q", all, next)
	}
}

// TestAccessesNeverScan holds the plans of the statements to their indexes.
func TestAccessesNeverScan(t *testing.T) {
	b := openBooks(t)
	for statement, index := range map[string]string{
		`SELECT id FROM runs WHERE principal = $1 AND id < $2 ORDER BY id DESC LIMIT 1`:                                                        "runs_principal",
		`SELECT run FROM run_subjects WHERE subject = $1 AND run < $2 ORDER BY run DESC LIMIT 1`:                                               "sqlite_autoindex_run_subjects_1",
		`SELECT e.system FROM audit_entries e JOIN audit_links l ON l.chain = e.chain AND l.link = e.link WHERE e.run = $1 AND e.fields <> ''`: "audit_entries_told",
	} {
		b.read(t, func(q ledger.Querier) error {
			plan, err := ledgertest.PlanOf(q, statement, "x", "y")
			if !strings.Contains(plan, index) || strings.Contains(plan, "SCAN") {
				t.Errorf("%s: %s", statement, plan)
			}
			return err
		})
	}
}
