package hangzhou_test

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

// TestAStayFromArrivalToPayment: the whole conversation, over real sockets, every call twice.
func TestAStayFromArrivalToPayment(t *testing.T) {
	w := newWorld(t)
	ear := w.listen(t, w.settings(), nil)
	ctx := twintest.Within(t, 20*time.Second)
	for range 2 {
		if err := w.client.Arrive(ctx, arrival()); err != nil {
			t.Fatal(err)
		}
	}
	p := ear.next()
	if p.Departure == nil || *p.Departure != (hangzhou.DeparturePay{Plate: plate, NoSense: true, LeaveFirst: true, Limit: hangzhou.DefaultLimit}) ||
		p.Result != nil || p.Fee != nil || p.RequestID == "" {
		t.Fatalf("push = %+v", p)
	}
	if d := p.Departure; !d.Allows(10_000) || d.Allows(10_001) || d.Allows(-1) {
		t.Errorf("%+v allows the wrong amounts", d)
	}
	for range 2 {
		if err := w.client.Depart(ctx, departure()); err != nil {
			t.Fatal(err)
		}
		if err := w.client.ApplyPayment(ctx, charge()); err != nil {
			t.Fatal(err)
		}
		if err := w.client.Pay(ctx, payment()); err != nil {
			t.Fatal(err)
		}
		if err := w.client.Heartbeat(ctx); err != nil {
			t.Fatal(err)
		}
		if err := w.client.State(ctx, berths()); err != nil {
			t.Fatal(err)
		}
	}
	p = ear.next()
	if p.Result == nil || p.Result.BillID != "bill-1" || p.Result.Status != hangzhou.Paid || p.Result.Paid != 3000 || p.Result.Order == "" {
		t.Fatalf("push = %+v", p)
	}
	for _, who := range []string{"", plate} {
		bills, err := w.client.DailyBills(ctx, "2026-05-02", who)
		if err != nil || len(bills) != 1 || bills[0] != (hangzhou.DailyBill{BillID: "bill-1", Due: 3000, Paid: 3000, Status: hangzhou.Paid, Order: p.Result.Order}) {
			t.Errorf("DailyBills(%q) = %+v, %v", who, bills, err)
		}
	}
	if bills, err := w.client.DailyBills(ctx, "2026-05-03", ""); err != nil || len(bills) != 0 {
		t.Errorf("another day's bills = %+v, %v", bills, err)
	}
	w.await(t, "both pushes acknowledged", allConfirmed(2))
	b := w.twin.ReadBooks()
	uid := "riverside" + "1" + "20260502120000"
	if w.client.UID("1", noon.UTC()) != uid || len(b.Stays) != 1 || b.Stays[0].UID != uid || b.Stays[0].InAsked != 2 || b.Stays[0].OutAsked != 2 ||
		b.Stays[0].Plate != w.twin.Plate(plate) || b.Stays[0].Left != "2026-05-02 19:30:05" {
		t.Errorf("stays = %+v", b.Stays)
	}
	if len(b.Bills) != 1 || b.Bills[0].Asked != 2 || b.Bills[0].Status != hangzhou.Paid || len(b.Payments) != 1 || b.Payments[0].Asked != 2 ||
		b.Heartbeats != 2 || b.States != 2 || len(b.Refused) != 0 {
		t.Errorf("books = %+v", b)
	}
}
