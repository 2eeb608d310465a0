package parking_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/auth"
)

// plates are one of each form that vehicles carry in China now.
var plates = []string{
	"浙A12345", "浙A·1B2C3", "浙AD12345", "浙AF12345", "沪A12345D", "浙A1234挂", "浙A1234学", "浙A1234警", "224578使", "沪A0023领", "粤ZA123港", "粤ZA123澳",
	"浙X1234应急", "浙A12345临", "VA12345", "WJ浙1234J", "民航A1234", "浙0112345", " 浙ａ－５４３２１ ",
}

// TestEveryPlateComesInAndOut: whatever form it has, and however a camera writes it.
func TestEveryPlateComesInAndOut(t *testing.T) {
	g := start(t, nil)
	for _, plate := range plates {
		g.enter(plate, ago(3*time.Hour))
		if out := g.leave(plate, ago(time.Hour)); out.State != "left" || out.Bill == nil || out.Bill.Due.Minor != 2000 {
			t.Errorf("%s: %s", plate, out.Body)
		}
	}
}

// rowCounts are how many rows each table has that a request could leave something in. A refusal that the ledger itself has made is
// kept for replays: runs and keys are counted for those alone that are refused before.
func (w *town) rowCounts(refusedBefore bool) (said string) {
	tables := []string{"parking_stays", "parking_events", "parking_permissions", "parking_bills", "parking_corrections", "parking_notices", "parking_movements",
		"parking_postings", "parking_vehicles", "parking_collections", "parking_refunds", "parking_disputes", "parking_passes", "parking_prepayments",
		"assists", "messages", "operations"}
	if refusedBefore {
		tables = append(tables, "runs", "idempotency", "audit_entries")
	}
	for _, table := range tables {
		said += fmt.Sprint(table, " ", w.Number(`SELECT COUNT(*) FROM `+table), " ")
	}
	return said
}

// wrong is a request that is refused.
type wrong struct {
	what, path, token string
	body              m
	status            int
	slug, field       string
	kept              bool // the refusal was the ledger's own
}

// badTown is a town in which something has happened that requests can be wrong about.
type badTown struct {
	*town
	zhang, chen, barrier, owed, paid, disputed, pending string
	entry                                               m
}

func openBadTown(t *testing.T) *badTown {
	b := &badTown{town: openTown(t)}
	b.zhang, b.chen, b.barrier = b.person("zhang"), b.person("chen"), b.Token("barrier", "parking:gate")
	for _, plate := range []string{plateA, plateB, plateE, "浙A77777"} {
		b.own(b.zhang, plate, time.Now().Add(-48*time.Hour))
	}
	b.paid = b.visit(plateA, 3*time.Hour, 2*time.Hour)
	b.becomes(b.paid, "paid")
	b.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 600_000, Mute: true}})
	b.pending = b.visit(plateE, 3*time.Hour, 2*time.Hour)
	b.Eventually("it is accepted", func() bool { return b.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	for plate, bill := range map[string]*string{plateB: &b.owed, "浙A77777": &b.disputed} {
		b.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
		*bill = b.visit(plate, 3*time.Hour, 2*time.Hour)
	}
	wants(t, "a dispute", b.send(b.zhang, "/v1/parking-bills/"+b.disputed+"/disputes", m{"reason": "no"}), 202, "")
	b.entry = m{"gate": "north", "event_id": "e-1", "plate": plateA, "occurred_at": ago(time.Hour).Format(time.RFC3339)}
	wants(t, "an entry", b.send(b.barrier, "/v1/parking-lots/"+lotID+"/entries", b.entry), 201, "")
	b.Eventually("all is told", func() bool { return b.Number(`SELECT COUNT(*) FROM messages WHERE state = 'waiting'`) == 0 })
	return b
}

// TestBadRequests: each is refused with a problem of its own that names the field, and leaves nothing behind.
func TestBadRequests(t *testing.T) {
	b := openBadTown(t)
	lot := "/v1/parking-lots/" + lotID
	var all []wrong
	add := func(w wrong) { all = append(all, w) }
	event := func(what string, change m, status int, slug, field string, kept bool) {
		for _, direction := range []string{"/entries", "/exits"} {
			body := m{"gate": "north", "event_id": "e-9", "plate": plateA}
			maps.Copy(body, change)
			add(wrong{what + direction, lot + direction, b.barrier, body, status, slug, field, kept})
		}
	}
	for _, plate := range []string{"浙I12345", "浙A1234", "浙A123456", "浙AABCDE", "台A12345", "浙AD1234A", "浙A12345Z", "ABC"} {
		event("an impossible plate "+plate, m{"plate": plate}, 422, "plate-invalid", "plate", false)
	}
	event("in the future", m{"occurred_at": time.Now().Add(3 * time.Minute).Format(time.RFC3339)}, 422, "clock-wrong", "occurred_at", false)
	event("long ago", m{"occurred_at": ago(241 * time.Hour).Format(time.RFC3339)}, 422, "clock-wrong", "occurred_at", false)
	event("an unknown gate", m{"gate": "east"}, 404, "parking-gate-unknown", "gate", false)
	event("an id of another event", m{"event_id": "e-1", "plate": plateB}, 422, "event-reused", "event_id", true)
	add(wrong{"an unknown lot", "/v1/parking-lots/nowhere/exits", b.barrier, m{"gate": "north", "event_id": "e-9", "plate": plateA}, 404, "venue-unknown", "", false})
	add(wrong{"another city's barrier", lot + "/exits", b.Mint(auth.Grant{Subject: "x", Tenant: "suzhou", Scopes: []string{"parking:gate"}, Venues: []string{"*"}, TTL: time.Hour}),
		m{"gate": "north", "event_id": "e-9", "plate": plateA}, 404, "venue-unknown", "", false})
	payments := func(bill string) string { return "/v1/parking-bills/" + bill + "/payments" }
	waivers, staff := func(bill string) string { return "/v1/parking-bills/" + bill + "/waivers" }, b.Token("li", "staff:assist")
	amounts := []struct {
		what        string
		minor       any
		currency    string
		status      int
		slug, field string
	}{
		{"a negative amount", -1, "CNY", 400, "field-invalid", "amount.minor"},
		{"an amount of nothing", 0, "CNY", 400, "field-invalid", "amount.minor"},
		{"a fraction", 10.5, "CNY", 400, "field-invalid", "amount.minor"},
		{"past 2^53", int64(1<<53 + 1), "CNY", 400, "field-invalid", "amount.minor"},
		{"past 2^63", 1e30, "CNY", 400, "field-invalid", "amount.minor"},
		{"an amount in words", "ten", "CNY", 400, "field-invalid", "amount.minor"},
	}
	for _, a := range amounts {
		add(wrong{"paying a bill with " + a.what, payments(b.owed), b.zhang, amount(a.minor, a.currency), a.status, a.slug, a.field, false})
		report := m{"event_id": "p-9", "reference": "r-9", "plate": plateA, "paid_at": ago(time.Minute).Format(time.RFC3339), "amount": m{"minor": a.minor, "currency": a.currency}}
		add(wrong{"reporting " + a.what, lot + "/payments", b.barrier, report, a.status, a.slug, a.field, false})
		waiver := amount(a.minor, a.currency)
		waiver["reason"] = "kind"
		add(wrong{"letting go " + a.what, waivers(b.owed), staff, waiver, a.status, a.slug, a.field, false})
	}
	report := func(what string, change m, status int, slug, field string) {
		body := m{"event_id": "p-9", "reference": "r-9", "plate": plateA, "paid_at": ago(time.Minute).Format(time.RFC3339), "amount": m{"minor": 500, "currency": "CNY"}}
		maps.Copy(body, change)
		add(wrong{"reporting " + what, lot + "/payments", b.barrier, body, status, slug, field, false})
	}
	report("in another currency", m{"amount": m{"minor": 500, "currency": "EUR"}}, 422, "parking-currency-wrong", "amount.currency")
	report("in the future", m{"paid_at": time.Now().Add(time.Hour).Format(time.RFC3339)}, 422, "clock-wrong", "paid_at")
	report("without a time", m{"paid_at": ""}, 400, "field-missing", "paid_at")
	report("what was asked for later", m{"asked_at": ago(0).Format(time.RFC3339)}, 400, "field-invalid", "asked_at")
	report("what was asked for long ago", m{"asked_at": ago(12 * time.Minute).Format(time.RFC3339)}, 400, "field-invalid", "asked_at")
	report("made with shells", m{"means": "shells"}, 400, "field-invalid", "means")
	report("without its reference", m{"reference": ""}, 400, "field-missing", "reference")
	report("without its event", m{"event_id": ""}, 400, "field-missing", "event_id")
	report("for an impossible plate", m{"plate": "浙I12345"}, 422, "plate-invalid", "plate")
	report("for a plate and a bill", m{"bill": b.owed}, 400, "field-invalid", "bill")
	report("for an unknown bill", m{"bill": "none", "plate": ""}, 404, "parking-bill-unknown", "bill")
	report("for an unknown visit", m{"stay": "none", "plate": ""}, 404, "parking-visit-unknown", "stay")
	add(wrong{"paying in another currency", payments(b.owed), b.zhang, amount(1000, "EUR"), 422, "parking-currency-wrong", "amount.currency", true})
	add(wrong{"letting go in another currency", waivers(b.owed), staff, m{"reason": "kind", "amount": m{"minor": 1000, "currency": "EUR"}}, 422, "parking-currency-wrong", "amount.currency", false})
	add(wrong{"letting go while it is paid", waivers(b.pending), staff, m{"reason": "kind", "refund": true}, 409, "parking-bill-pending", "", true})
	add(wrong{"letting a disputed bill go", waivers(b.disputed), staff, m{"reason": "kind", "refund": true}, 409, "parking-bill-disputed", "", true})
	add(wrong{"letting go what nobody was charged", waivers("none"), staff, m{"reason": "kind"}, 404, "parking-bill-unknown", "", false})
	add(wrong{"paying too little", payments(b.owed), b.zhang, amount(999, "CNY"), 422, "parking-amount-wrong", "amount.minor", true})
	add(wrong{"another's bill", payments(b.owed), b.chen, amount(1000, "CNY"), 404, "parking-bill-unknown", "", false})
	add(wrong{"no bill at all", payments("none"), b.zhang, amount(1000, "CNY"), 404, "parking-bill-unknown", "", false})
	add(wrong{"paying twice", payments(b.paid), b.zhang, amount(1000, "CNY"), 409, "parking-bill-settled", "", true})
	add(wrong{"paying while it is paid", payments(b.pending), b.zhang, amount(1000, "CNY"), 409, "parking-bill-pending", "", true})
	add(wrong{"paying a disputed bill", payments(b.disputed), b.zhang, amount(1000, "CNY"), 409, "parking-bill-disputed", "", true})
	add(wrong{"disputing it twice", "/v1/parking-bills/" + b.disputed + "/disputes", b.zhang, m{"reason": "no"}, 409, "parking-bill-disputed", "", true})
	add(wrong{"an impossible plate of one's own", "/v1/me/vehicles", b.zhang, m{"plate": "浙I12345", "lot": lotID}, 422, "plate-invalid", "plate", false})
	for _, w := range all {
		before := b.rowCounts(!w.kept)
		a := b.Do(flowtest.Call{Method: http.MethodPost, Path: w.path, Token: w.token, Body: w.body, Invalid: true})
		var said struct {
			Field string `json:"field"`
		}
		a.Into(t, &said)
		if a.Status != w.status || a.Problem() != w.slug || said.Field != w.field {
			t.Errorf("%s: %d %s", w.what, a.Status, a.Text)
		}
		if after := b.rowCounts(!w.kept); after != before {
			t.Errorf("%s has left something behind:\n%s\n%s", w.what, before, after)
		}
		if strings.Contains(a.Text, "12345") {
			t.Errorf("%s: the answer holds a plate", w.what)
		}
	}
	if s := b.state(b.owed) + b.state(b.paid) + b.state(b.disputed) + b.state(b.pending); s != "billedpaiddisputedpay-pending" {
		t.Errorf("the bills are %s", s)
	}
	b.forged()
}

// forged sends a notification of the provider's with another signature.
func (b *badTown) forged() {
	letters := b.post.letters()
	i := slices.IndexFunc(letters, func(l letter) bool { return bytes.Contains(l.body, []byte(wechatpay.EventPaid)) })
	if i < 0 {
		b.T.Fatal("nothing was notified")
	}
	l := letter{path: letters[i].path, header: letters[i].header.Clone(), body: bytes.Replace(letters[i].body, []byte("EV-"), []byte("EV_"), 1)}
	before := b.rowCounts(true)
	if status, text := l.send(b.URL); status != 401 || !strings.Contains(string(text), "notice-forged") {
		b.T.Errorf("a forged notification: %d %s", status, text)
	}
	if after := b.rowCounts(true); after != before {
		b.T.Errorf("a forged notification has left something behind:\n%s\n%s", before, after)
	}
}

// TestAnExitBeforeItsEntry is no mistake of anybody's: it opens and waits. A person who makes up an entry after it is refused.
func TestAnExitBeforeItsEntry(t *testing.T) {
	w := openTown(t)
	r := w.pass("exits", plateA, ago(time.Hour))
	if r.Decision != "open" || r.State != "parked" {
		t.Errorf("an exit without an entry: %+v", r)
	}
	w.pass("entries", plateA, ago(30*time.Minute)) // of the next visit
	if got := w.pass("exits", plateA, ago(40*time.Minute)); got.State != "parked" {
		t.Errorf("an exit before the entry: %+v", got)
	}
	if n := w.Number(`SELECT COUNT(*) FROM parking_bills`); n != 0 {
		t.Errorf("%d bills", n)
	}
	w.change(`UPDATE parking_events SET received_at = 1 WHERE event = 'e1'`)
	w.Stop()
	w.Run() // it looks for what has waited too long at once
	if a := w.settle("parking-exit-unmatched", "entered", m{"entered_at": ago(time.Minute).Format(time.RFC3339)}); a.Status != 400 || !strings.Contains(a.Text, "details.entered_at") {
		t.Errorf("an entry after its exit: %d %s", a.Status, a.Text)
	}
}
