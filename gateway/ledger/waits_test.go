package ledger_test

import (
	"context"
	"testing"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// about opens an assist about a subject, or joins the one that is there.
func (b *books) about(t testing.TB, run, venue, kind, subject, place string) ledger.Assist {
	t.Helper()
	got, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) {
		return tx.OpenAssist(ledger.Assist{Run: run, Plan: "entry", Kind: kind, Tenant: "hz", Venue: venue, Subject: subject, Place: place})
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b *books) waits(t testing.TB, run string) (waits []ledger.Wait) {
	t.Helper()
	err := b.View(context.Background(), func(q ledger.Querier) (err error) {
		waits, err = ledger.WaitsOf(q, run)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

func (b *books) settle(t testing.TB, venue, kind, subject string) (settled bool) {
	t.Helper()
	b.commit(t, func(tx *ledger.Tx) (err error) {
		settled, err = tx.SettleAssist(venue, kind, subject, "gone")
		return err
	})
	return settled
}

func TestRunsWithOneSubjectWaitForOnePerson(t *testing.T) {
	b := openBooks(t)
	first := b.about(t, "r1", "lake", "unverified", "s1", "north")
	for name, other := range map[string]ledger.Assist{
		"another venue": b.about(t, "r2", "hill", "unverified", "s1", "north"), "another kind": b.about(t, "r3", "lake", "late", "s1", "north"),
		"another subject": b.about(t, "r4", "lake", "unverified", "s2", "north"), "no subject": b.about(t, "r5", "lake", "unverified", "", "north"),
		"no subject either": b.about(t, "r6", "lake", "unverified", "", "north"),
	} {
		if other.ID == first.ID {
			t.Errorf("%s joins", name)
		}
	}
	if same := b.about(t, "r7", "lake", "unverified", "s1", "north"); same.ID != first.ID || same.Seq != first.Seq || same.Run != "r1" {
		t.Errorf("at the same place: %+v", same)
	}
	moved := b.about(t, "r8", "lake", "unverified", "s1", "south")
	if moved.ID != first.ID || moved.Place != "south" || moved.Seq <= first.Seq {
		t.Errorf("at another place: %+v", moved)
	}
	if again := b.about(t, "r1", "lake", "unverified", "s1", "north"); again.ID != first.ID || again.Place != "south" {
		t.Errorf("opened again: %+v", again)
	}
	for run, here := range map[string]bool{"r1": false, "r7": false, "r8": true} {
		if w := b.waits(t, run); len(w) != 1 || w[0].ID != first.ID || w[0].Here != here || w[0].State != ledger.AssistOpen {
			t.Errorf("%s waits for %+v", run, w)
		}
	}
	if w := b.waits(t, "r5"); len(w) != 1 || !w[0].Here {
		t.Errorf("without a subject: %+v", w)
	}

	ann := staff("ann", "*")
	if a, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ClaimAssist(first.ID, ann) }); err != nil || a.Place != "south" {
		t.Fatal(a, err)
	}
	if joined := b.about(t, "r9", "lake", "unverified", "s1", "north"); joined.ID != first.ID || joined.State != ledger.AssistClaimed || joined.ClaimedBy != ledger.Actor(ann) {
		t.Errorf("claimed by somebody: %+v", joined)
	}
	if b.settle(t, "lake", "unverified", "s3") || b.settle(t, "lake", "unverified", "") || !b.settle(t, "lake", "unverified", "s1") || b.settle(t, "lake", "unverified", "s1") {
		t.Error("what is about the subject is settled, once, and nothing else")
	}
	if _, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ResolveAssist(first.ID, ann, "admit", nil) }); !isProblem(err, ledger.ProblemAssistResolved) {
		t.Errorf("settled twice: %v", err)
	}
	if w := b.waits(t, "r9"); len(w) != 1 || w[0].State != ledger.AssistResolved || w[0].Resolution != "gone" || !w[0].Here {
		t.Errorf("%+v", w)
	}
	if again := b.about(t, "r9", "lake", "unverified", "s1", "north"); again.ID != first.ID || again.ResolvedBy != ledger.ActorGateway {
		t.Errorf("a run that has waited for it: %+v", again)
	}
	if next := b.about(t, "r10", "lake", "unverified", "s1", "north"); next.ID == first.ID {
		t.Error("what is settled is joined")
	}
	if !b.settle(t, "lake", "unverified", "s1") {
		t.Error("what nobody has claimed is not settled")
	}
}
