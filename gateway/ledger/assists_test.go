package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

func staff(name string, venues ...string) *gateway.Principal {
	return &gateway.Principal{Issuer: "https://id.example", Subject: name, Tenant: "hz", Venues: venues}
}

func (b *books) assist(t testing.TB, run, venue string) ledger.Assist {
	t.Helper()
	var got ledger.Assist
	b.commit(t, func(tx *ledger.Tx) (err error) {
		got, err = tx.OpenAssist(ledger.Assist{Run: run, Plan: "entry", Kind: "redeem", Tenant: "hz", Venue: venue,
			Done: []string{"admit"}, NotDone: []string{"redeem"}, Tried: []string{`redeem: no "answer"`}, Facts: []byte{7},
			NextAction: gateway.Text{Zh: "请放行", En: "Let the visitor in"}})
		return err
	})
	return got
}

// try commits one change of an assist.
func (b *books) try(f func(tx *ledger.Tx) (ledger.Assist, error)) (got ledger.Assist, err error) {
	err = b.Commit(context.Background(), doing(func(tx *ledger.Tx) (err error) {
		got, err = f(tx)
		return err
	}))
	return got, err
}

func isProblem(err error, p *gateway.Problem) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && e.Problem == p
}

func TestAssistLife(t *testing.T) {
	b := openBooks(t)
	ann, bob := staff("ann", "west-lake"), staff("bob", "*")
	opened := b.assist(t, "r1", "west-lake")
	if again := b.assist(t, "r1", "west-lake"); fmt.Sprint(again) != fmt.Sprint(opened) {
		t.Fatalf("opened again: %+v, first %+v", again, opened)
	}
	claim := func(p *gateway.Principal) error {
		_, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ClaimAssist(opened.ID, p) })
		return err
	}
	release := func(p *gateway.Principal) error {
		_, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ReleaseAssist(opened.ID, p) })
		return err
	}
	resolve := func(p *gateway.Principal) error {
		_, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ResolveAssist(opened.ID, p, "admit", []byte{3}) })
		return err
	}
	stranger := staff("ann", "west-lake")
	stranger.Issuer = "https://other.example"
	foreign := staff("eve", "*")
	foreign.Tenant = "sh"
	for i, step := range []struct {
		do   func(*gateway.Principal) error
		who  *gateway.Principal
		want *gateway.Problem
	}{
		{resolve, ann, ledger.ProblemAssistUnclaimed}, {release, ann, ledger.ProblemAssistUnclaimed},
		{claim, foreign, ledger.ProblemAssistUnknown}, {claim, staff("joe", "zoo"), ledger.ProblemAssistUnknown}, {claim, staff("joe"), ledger.ProblemAssistUnknown},
		{claim, ann, nil}, {claim, ann, nil}, {claim, bob, ledger.ProblemAssistClaimed}, {claim, stranger, ledger.ProblemAssistClaimed},
		{resolve, bob, ledger.ProblemAssistClaimed}, {resolve, foreign, ledger.ProblemAssistUnknown}, {release, foreign, ledger.ProblemAssistUnknown},
		{release, bob, nil}, {claim, bob, nil}, {resolve, bob, nil},
		{resolve, bob, ledger.ProblemAssistResolved}, {claim, ann, ledger.ProblemAssistResolved}, {release, bob, ledger.ProblemAssistResolved},
	} {
		b.pass(time.Second)
		if err := step.do(step.who); step.want == nil && err != nil || step.want != nil && !isProblem(err, step.want) {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
	b.read(t, func(q ledger.Querier) error {
		got, found, err := ledger.FindAssist(q, opened.ID)
		if !found || got.State != ledger.AssistResolved || got.ResolvedBy != "bob@https://id.example" || got.Resolution != "admit" ||
			got.Tried[0] != `redeem: no "answer"` || got.NextAction.Zh != "请放行" || len(got.Reason) != 1 || got.ClaimedAt.After(got.ResolvedAt) {
			t.Errorf("read %+v", got)
		}
		return err
	})
	if got := b.verify(t, nil); got.Entries != 5 || got.Mismatch != "" { // open, claim, release, claim, resolve
		t.Errorf("the audit trail: %+v", got)
	}
}

func TestOfManyPeopleOneClaimsAndOneResolves(t *testing.T) {
	b := openBooks(t)
	opened := b.assist(t, "r1", "west-lake")
	const n = 60
	var mu sync.Mutex
	var claimed, resolved []int
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			p := staff(fmt.Sprint("p", i%20), "*")
			if a, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ClaimAssist(opened.ID, p) }); err == nil && a.Seq == 2 {
				mu.Lock()
				claimed = append(claimed, i%20)
				mu.Unlock()
			}
			if _, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ResolveAssist(opened.ID, p, "admit", nil) }); err == nil {
				mu.Lock()
				resolved = append(resolved, i%20)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(resolved) != 1 || len(claimed) == 0 || claimed[0] != resolved[0] {
		t.Fatalf("claimed by %v, resolved by %v", claimed, resolved)
	}
	if got := b.verify(t, nil); got.Entries != 3 {
		t.Fatalf("the audit trail: %+v", got)
	}
}

func TestAssistsAreListedByChange(t *testing.T) {
	b := openBooks(t)
	var ids []string
	for i := range 6 {
		ids = append(ids, b.assist(t, fmt.Sprint("r", i), []string{"west-lake", "zoo"}[i%2]).ID)
	}
	ann := staff("ann", "*")
	if _, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ClaimAssist(ids[0], ann) }); err != nil {
		t.Fatal(err)
	}
	list := func(tenant string, venues []string, state ledger.AssistState, after int64, limit int) (got string, last int64) {
		b.read(t, func(q ledger.Querier) error {
			all, err := ledger.ListAssists(q, tenant, venues, state, after, limit)
			for _, a := range all {
				got, last = got+a.Run, a.Seq
			}
			return err
		})
		return got, last
	}
	for _, c := range []struct {
		tenant string
		venues []string
		state  ledger.AssistState
		want   string
	}{
		{"hz", []string{"*"}, "", "r1r2r3r4r5r0"}, {"hz", []string{"zoo"}, "", "r1r3r5"}, {"hz", []string{"west-lake", "zoo"}, ledger.AssistOpen, "r1r2r3r4r5"},
		{"hz", []string{"west-lake"}, ledger.AssistClaimed, "r0"}, {"hz", nil, "", ""}, {"sh", []string{"*"}, "", ""}, {"hz", []string{"*"}, ledger.AssistResolved, ""},
	} {
		if got, _ := list(c.tenant, c.venues, c.state, 0, 99); got != c.want {
			t.Errorf("%s %v %q: %s, want %s", c.tenant, c.venues, c.state, got, c.want)
		}
	}
	page, last := list("hz", []string{"*"}, "", 0, 4)
	rest, end := list("hz", []string{"*"}, "", last, 4)
	if page != "r1r2r3r4" || rest != "r5r0" {
		t.Errorf("pages %s, %s", page, rest)
	}
	if _, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.ResolveAssist(ids[0], ann, "refuse", nil) }); err != nil {
		t.Fatal(err)
	}
	if got, _ := list("hz", []string{"*"}, "", end, 4); got != "r0" {
		t.Errorf("what has changed since: %s", got)
	}
	err := b.View(t.Context(), func(q ledger.Querier) error {
		_, err := ledger.ListAssists(q, "hz", nil, "lost", 0, 1)
		return err
	})
	if err == nil {
		t.Error("a state that is not one was listed")
	}
	for _, bad := range []ledger.Assist{{Kind: "k", Tenant: "t"}, {Run: "r", Tenant: "t"}, {Run: "r", Kind: "k"}} {
		if _, err := b.try(func(tx *ledger.Tx) (ledger.Assist, error) { return tx.OpenAssist(bad) }); err == nil {
			t.Errorf("%+v was opened", bad)
		}
	}
}
