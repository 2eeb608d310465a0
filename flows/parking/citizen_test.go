package parking_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/auth"
)

// wants fails the test where an answer has another status or another problem.
func wants(t testing.TB, what string, a flowtest.Answer, status int, problem string) {
	t.Helper()
	if a.Status != status || a.Problem() != problem {
		t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Text, status, problem)
	}
}

func amount(minor any, currency string) m {
	return m{"amount": m{"minor": minor, "currency": currency}}
}

// found are the ids of the bills that a search finds.
func (w *town) found(token, plate string) (ids []string) {
	w.T.Helper()
	cursor := ""
	for {
		body := m{"plate": plate, "limit": 2}
		if cursor != "" {
			body["cursor"] = cursor
		}
		a := w.send(token, "/v1/parking-bills/search", body)
		var page struct {
			Bills []seenBill `json:"bills"`
			Next  string     `json:"next"`
		}
		if a.Status != 200 {
			w.T.Fatalf("search: %d %s", a.Status, a.Text)
		}
		a.Into(w.T, &page)
		for _, b := range page.Bills {
			ids = append(ids, b.ID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

func TestABillIsItsOwnersAlone(t *testing.T) {
	w := openTown(t)
	zhang, chen := w.person("zhang"), w.person("chen")
	old := w.visit(plateA, 50*time.Hour, 49*time.Hour)
	w.becomes(old, "paid")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, 2*time.Hour)
	w.becomes(bill, "paid")
	b, _ := w.look(zhang, bill)
	if b.State != "paid" || b.Price.Minor != 1000 || b.Due.Minor != 0 || len(b.Lines) == 0 || b.Lines[0].Text == "" ||
		len(b.Movements) != 2 || b.Movements[0].Kind != "bill" || b.Movements[1].Amount.Minor != -1000 {
		t.Errorf("its owner sees %+v", b)
	}
	for who, token := range map[string]string{
		"another": chen, "the name at another tenant": w.Mint(auth.Grant{Subject: "zhang", Tenant: "suzhou", Scopes: []string{"parking:pay"}, TTL: time.Hour}),
	} {
		_, a := w.look(token, bill)
		if a.Status != 404 || a.Problem() != "parking-bill-unknown" {
			t.Errorf("%s: %d %s", who, a.Status, a.Text)
		}
		if _, none := w.look(token, strings.Repeat("0", 32)); anonymous(none.Text) != anonymous(a.Text) {
			t.Errorf("%s can tell %s from a bill that is not there: %s", who, a.Text, none.Text)
		}
		wants(t, who+" pays", w.send(token, "/v1/parking-bills/"+bill+"/payments", amount(1000, "CNY")), 404, "parking-bill-unknown")
		wants(t, who+" disputes", w.send(token, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "no"}), 404, "parking-bill-unknown")
		if ids := w.found(token, plateA); len(ids) != 0 {
			t.Errorf("%s finds %v", who, ids)
		}
	}
	if _, a := w.look(zhang, old); a.Status != 404 { // from before the plate was theirs
		t.Errorf("an older bill: %d", a.Status)
	}
	if _, a := w.look(w.Token("barrier", "parking:gate"), bill); a.Status != 403 {
		t.Errorf("a barrier: %d", a.Status)
	}
	// The plate changes hands.
	w.own(chen, plateA, time.Now().Add(-time.Second))
	later := w.visit(plateA, 30*time.Minute, 0)
	w.becomes(later, "paid")
	if ids := fmt.Sprint(w.found(zhang, plateA), w.found(chen, plateA)); ids != fmt.Sprintf("[%s] [%s]", bill, later) {
		t.Errorf("found %s", ids)
	}
}

// anonymous is a problem without the id of the request that it answers.
func anonymous(text string) string {
	return regexp.MustCompile(`"instance":"[^"]*"`).ReplaceAllString(text, "")
}

func TestASearchComesInPages(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-100*time.Hour))
	var want []string
	for i := range 5 {
		from := time.Duration(20-4*i) * time.Hour
		want = append([]string{w.visit(plateA, from, from-time.Hour)}, want...)
		w.becomes(want[0], "paid")
	}
	if got := w.found(zhang, "浙a·12345"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// TestACitizenSeesTheirCarInside: what it would pay if it left now, and whether that is collected by itself. Another's is nowhere.
func TestACitizenSeesTheirCarInside(t *testing.T) {
	w := openTown(t)
	zhang, chen := w.person("zhang"), w.person("chen")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	type stay struct {
		Lot  string    `json:"lot"`
		Stay string    `json:"stay"`
		By   string    `json:"collected_by"`
		Pay  time.Time `json:"pay_by"`
		Due  struct {
			Minor int64 `json:"minor"`
		} `json:"due"`
		Lines []struct {
			Text string `json:"text"`
		} `json:"lines"`
	}
	see := func(token, lang string) (page struct {
		Stays []stay `json:"stays"`
	}) {
		a := w.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/parking-stays/search", Token: token, Body: m{"plate": "浙A·12345"},
			Header: map[string]string{"Accept-Language": lang}})
		wants(t, "a look", a, 200, "")
		a.Into(t, &page)
		return page
	}
	if all := see(zhang, "en").Stays; len(all) != 0 {
		t.Errorf("before it comes: %+v", all)
	}
	in := w.pass("entries", plateA, ago(110*time.Minute))
	w.Eventually("the provider's word on the car", func() bool { return len(see(zhang, "en").Stays) == 1 && see(zhang, "en").Stays[0].By == "payment" })
	s := see(zhang, "en").Stays[0]
	if s.Lot != lotID || s.Stay != in.Stay || s.Due.Minor != 2000 || time.Until(s.Pay) < 9*time.Minute || len(s.Lines) < 2 || !strings.HasPrefix(s.Lines[0].Text, "Parked 1 h 50 min") {
		t.Errorf("its owner sees %+v", s)
	}
	if text := see(zhang, "zh-CN").Stays[0].Lines[0].Text; !strings.HasPrefix(text, "停车1小时50分钟") {
		t.Errorf("in Chinese: %s", text)
	}
	if all := see(chen, "en").Stays; len(all) != 0 {
		t.Errorf("another sees %+v", all)
	}
	wants(t, "a barrier", w.send(w.Token("barrier", "parking:gate"), "/v1/parking-stays/search", m{"plate": plateA}), 403, "scope-missing")
	wants(t, "no plate", w.send(zhang, "/v1/parking-stays/search", m{"plate": "XYZ"}), 422, "plate-invalid")
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockPaused})
	w.Eventually("the provider has changed its mind", func() bool { return see(zhang, "en").Stays[0].By == "nobody" })
	wants(t, "paying at a station", w.send(w.Token("station", "parking:gate"), "/v1/parking-lots/"+lotID+"/payments", m{"event_id": "p1", "reference": "r1",
		"stay": s.Stay, "amount": m{"minor": 2000, "currency": "CNY"}, "paid_at": ago(0).Format(time.RFC3339)}), 201, "")
	if s = see(zhang, "en").Stays[0]; s.Due.Minor != 0 || s.By != "" {
		t.Errorf("once it is paid: %+v", s)
	}
	w.pass("exits", plateA, time.Now())
	if all := see(zhang, "en").Stays; len(all) != 0 {
		t.Errorf("once it has left: %+v", all)
	}
	if n := w.Number(`SELECT COUNT(*) FROM runs WHERE plan = 'parking-stay-search'`); n != 0 {
		t.Errorf("%d journeys", n)
	}
}

// TestWhoWasToldOfACar: the owner may ask, whoever began the journey, once the plate is known to be theirs.
func TestWhoWasToldOfACar(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	first := w.visit(plateA, 5*time.Hour, 4*time.Hour)
	w.becomes(first, "paid")
	w.visit(plateB, 5*time.Hour, 4*time.Hour)
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	second := w.visit(plateA, 2*time.Hour, time.Hour)
	w.becomes(second, "paid")
	var page struct {
		Accesses []struct {
			Told []struct {
				System  string   `json:"system"`
				Fields  []string `json:"fields"`
				Purpose string   `json:"purpose"`
			} `json:"told"`
		} `json:"accesses"`
	}
	var text string
	w.Eventually("two visits of theirs, each announced and charged", func() bool {
		page.Accesses = nil
		a := w.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/me/accesses", Token: zhang})
		a.Into(t, &page)
		text = a.Text
		charged := 0
		for _, x := range page.Accesses {
			for _, told := range x.Told {
				if told.Purpose == "collect a parking bill" && told.System == "payment" && fmt.Sprint(told.Fields) == "[plate]" {
					charged++
				}
			}
		}
		return len(page.Accesses) == 4 && charged == 2
	})
	if strings.Contains(text, plateA) || strings.Contains(text, `"city"`) { // the lot reports to no city
		t.Errorf("what was told: %s", text)
	}
}

func TestABindingIsAPersonsDecision(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	key := uuid.NewString()
	ask := func() flowtest.Answer {
		return w.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/me/vehicles", Token: zhang, Key: key, Body: m{"plate": plateA, "lot": lotID}})
	}
	first, again := ask(), ask()
	if first.Status != 202 || again.Text != first.Text || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("asked: %d %s, again %s", first.Status, first.Text, again.Text)
	}
	wants(t, "asked under another key", w.send(zhang, "/v1/me/vehicles", m{"plate": plateA, "lot": lotID}), 202, "")
	if n := w.Number(`SELECT COUNT(*) FROM assists`); n != 1 {
		t.Errorf("%d persons look at it", n)
	}
	for what, details := range map[string]any{"no time": nil, "a time to come": m{"from": "2099-01-01T00:00:00Z"},
		"too long": m{"from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}, "another name": m{"since": "2026-01-01T00:00:00Z"}} {
		if a := w.settle("parking-vehicle-unverified", "verified", details); a.Status != 400 {
			t.Errorf("%s: %d %s", what, a.Status, a.Text)
		}
	}
	wants(t, "refused", w.settle("parking-vehicle-unverified", "refused", nil), 201, "")
	if n := w.Number(`SELECT COUNT(*) FROM parking_vehicles`); n != 0 {
		t.Errorf("%d bindings", n)
	}
	w.own(zhang, plateA, time.Now().Add(-time.Hour))
	wants(t, "it is known now", w.send(zhang, "/v1/me/vehicles", m{"plate": "浙A·12345", "lot": lotID}), 201, "")
	wants(t, "no plate", w.send(zhang, "/v1/me/vehicles", m{"plate": "XYZ", "lot": lotID}), 422, "plate-invalid")
	wants(t, "no lot", w.send(zhang, "/v1/me/vehicles", m{"plate": plateB, "lot": "elsewhere"}), 404, "parking-lot-unknown")
}

func TestACitizenPays(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Outcome: wechatpay.PayFail})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "arrears")
	at := "/v1/parking-bills/" + bill + "/payments"
	for what, c := range map[string]struct {
		body    m
		status  int
		problem string
	}{
		"too little":       {amount(1999, "CNY"), 422, "parking-amount-wrong"},
		"too much":         {amount(2001, "CNY"), 422, "parking-amount-wrong"},
		"another currency": {amount(2000, "USD"), 422, "parking-currency-wrong"},
	} {
		wants(t, what, w.send(zhang, at, c.body), c.status, c.problem)
	}
	for what, body := range map[string]any{"negative": amount(-2000, "CNY"), "nothing": amount(0, "CNY"), "a fraction": amount(20.5, "CNY"),
		"past 2^53": `{"amount":{"minor":9007199254740993,"currency":"CNY"}}`, "past 2^64": `{"amount":{"minor":99999999999999999999,"currency":"CNY"}}`,
		"no amount": m{}, "no currency": m{"amount": m{"minor": 2000}}, "more": m{"amount": m{"minor": 2000, "currency": "CNY"}, "tip": 1}} {
		a := w.Do(flowtest.Call{Method: http.MethodPost, Path: at, Token: zhang, Body: body, Invalid: true})
		if a.Status != 400 {
			t.Errorf("%s: %d %s", what, a.Status, a.Text)
		}
	}
	if w.state(bill) != "arrears" || w.Number(`SELECT COUNT(*) FROM parking_collections`) != 1 {
		t.Fatal("something was left behind")
	}
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue})
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 400}})
	key := uuid.NewString()
	pay := flowtest.Call{Method: http.MethodPost, Path: at, Token: zhang, Key: key, Body: amount(2000, "CNY")}
	first, again := w.Do(pay), w.Do(pay)
	if first.Status != 202 || again.Text != first.Text || first.Header.Get("Location") == "" {
		t.Errorf("paying: %d %s, again %s", first.Status, first.Text, again.Text)
	}
	wants(t, "paying twice", w.send(zhang, at, amount(2000, "CNY")), 409, "parking-bill-pending")
	w.becomes(bill, "paid")
	wants(t, "paying what is paid", w.send(zhang, at, amount(2000, "CNY")), 409, "parking-bill-settled")
	if n, total := w.charged(); n != 1 || total != 2000 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestADisputeStopsTheCollection, and a person decides with the evidence.
func TestADisputeStopsTheCollection(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Outcome: wechatpay.PayFail})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "arrears")
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue})
	at := "/v1/parking-bills/" + bill
	wants(t, "without a reason", w.Do(flowtest.Call{Method: http.MethodPost, Path: at + "/disputes", Token: zhang, Body: m{"reason": " "}}), 400, "field-missing")
	a := w.send(zhang, at+"/disputes", m{"reason": "I was not there"})
	wants(t, "a dispute", a, 202, "")
	wants(t, "twice", w.send(zhang, at+"/disputes", m{"reason": "I was not there"}), 409, "parking-bill-disputed")
	wants(t, "paying it", w.send(zhang, at+"/payments", amount(2000, "CNY")), 409, "parking-bill-disputed")
	wants(t, "waiving it", w.send(w.Token("li", "staff:assist"), at+"/waivers", m{"reason": "kind"}), 409, "parking-bill-disputed")
	w.change(`UPDATE parking_collections SET look_at = 1`) // the time has come to try again
	w.Eventually("it was not tried again", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE look_at = 0`) == 1 })
	if n := w.Number(`SELECT COUNT(*) FROM parking_collections`); n != 1 || w.state(bill) != "disputed" {
		t.Errorf("%d collections of a bill that is %s", n, w.state(bill))
	}
	var j struct {
		Assists []struct {
			ID   string `json:"id"`
			Kind string `json:"kind"`
		} `json:"assists"`
	}
	w.Do(flowtest.Call{Method: http.MethodGet, Path: a.Header.Get("Location"), Token: zhang}).Into(t, &j)
	if len(j.Assists) != 1 || j.Assists[0].Kind != "parking-bill-disputed" {
		t.Fatalf("the journey has %+v", j)
	}
	staff := w.Token("li", "staff:assist")
	w.send(staff, "/v1/assists/"+j.Assists[0].ID+"/claim", nil)
	facts := w.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists/" + j.Assists[0].ID, Token: staff}).Text
	for _, want := range []string{plateA, "I was not there", `"kind":"entry"`, `"kind":"exit"`, `"minor":2000`, "north"} {
		if !strings.Contains(facts, want) {
			t.Errorf("the evidence lacks %s: %s", want, facts)
		}
	}
	wants(t, "letting half of it go", w.settle("parking-bill-disputed", "waive", m{"minor": 1500}), 201, "")
	if b, _ := w.look(zhang, bill); b.State != "arrears" || b.Due.Minor != 500 {
		t.Errorf("after that it is %+v", b)
	}
	wants(t, "paying the rest", w.send(zhang, at+"/payments", amount(500, "CNY")), 202, "")
	w.becomes(bill, "paid")
	if n, total := w.charged(); n != 1 || total != 500 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestADisputeOfWhatIsPaidGivesTheMoneyBack once, however often it is told.
func TestADisputeOfWhatIsPaidGivesTheMoneyBack(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Copies: 3}})
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "paid")
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "I have a pass"}), 202, "")
	wants(t, "letting it go", w.settle("parking-bill-disputed", "waive", nil), 201, "")
	w.becomes(bill, "refunded")
	w.Eventually("everything is told", func() bool { return w.provider.ReadBooks().Untold == 0 })
	if r := w.provider.ReadBooks().Refunds; len(r) != 1 || r[0].Refund != 2000 {
		t.Errorf("given back: %+v", r)
	}
	if b, _ := w.look(zhang, bill); b.Due.Minor != 0 || len(b.Movements) != 4 {
		t.Errorf("the receipt: %+v", b)
	}
	wants(t, "disputing it again", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "more"}), 409, "parking-bill-settled")
}

// TestADisputeThatIsNotUpheld goes on with the collection.
func TestADisputeThatIsNotUpheld(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 60_000, Mute: true}})
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "too dear"}), 202, "")
	wants(t, "it stands", w.settle("parking-bill-disputed", "stands", nil), 201, "")
	if n := w.Number(`SELECT tries FROM parking_bills WHERE id = $1`, bill); n != 1 || w.state(bill) != "pay-pending" {
		t.Errorf("the provider had not decided, and there are %d charges of a bill that is %s", n, w.state(bill))
	}
}

func TestStaffLetABillGo(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	at := "/v1/parking-bills/" + bill + "/waivers"
	staff := w.Token("li", "staff:assist")
	wants(t, "a citizen", w.send(w.person("zhang"), at, m{"reason": "please"}), 403, "scope-missing")
	wants(t, "staff of another lot", w.send(w.Mint(auth.Grant{Subject: "wu", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"station-lot"}, TTL: time.Hour}),
		at, m{"reason": "kind"}), 404, "parking-bill-unknown")
	wants(t, "no reason", w.Do(flowtest.Call{Method: http.MethodPost, Path: at, Token: staff, Body: m{}, Invalid: true}), 400, "field-missing")
	body := amount(3000, "CNY")
	body["reason"] = "kind"
	wants(t, "more than is owed", w.send(staff, at, body), 422, "parking-amount-wrong")
	body["amount"] = m{"minor": 500, "currency": "CNY"}
	wants(t, "a part", w.send(staff, at, body), 201, "")
	if s := w.state(bill); s != "billed" {
		t.Errorf("it is %s", s)
	}
	wants(t, "the rest", w.send(staff, at, m{"reason": "a mistake of ours"}), 201, "")
	wants(t, "once more", w.send(staff, at, m{"reason": "again"}), 409, "parking-bill-settled")
	if s := w.state(bill); s != "waived" {
		t.Errorf("it is %s", s)
	}
	if n := w.Number(`SELECT COUNT(*) FROM audit_entries WHERE action = 'waive' AND payload IS NOT NULL`); n != 2 {
		t.Errorf("%d reasons are on the audit trail", n)
	}
}

// TestStaffGiveBackWhatWasPaid of a bill that was right, with a reason: at most what it comes to, the way that it came, once.
func TestStaffGiveBackWhatWasPaid(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "paid")
	at, staff := "/v1/parking-bills/"+bill+"/waivers", w.Token("li", "staff:assist")
	back := func(minor any) m {
		body := m{"reason": "the lift was out of order", "refund": true}
		if minor != nil {
			body["amount"] = m{"minor": minor, "currency": "CNY"}
		}
		return body
	}
	wants(t, "without saying so", w.send(staff, at, m{"reason": "the lift"}), 409, "parking-bill-settled")
	wants(t, "more than it comes to", w.send(staff, at, back(2001)), 422, "parking-amount-wrong")
	wants(t, "a citizen", w.send(zhang, at, back(500)), 403, "scope-missing")
	wants(t, "a part", w.send(staff, at, back(500)), 201, "")
	w.Eventually("it is given back", func() bool { return w.Number(`SELECT refunded FROM parking_bills WHERE id = $1`, bill) == 500 })
	if r := w.remindedOf(zhang, bill).Receipt; r == nil || r.Refunded.Minor != 500 || len(r.Refunds) != 1 || w.state(bill) != "refunded" {
		t.Errorf("the receipt of a bill that is %s: %+v", w.state(bill), r)
	}
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 300}})
	wants(t, "the rest", w.send(staff, at, back(nil)), 201, "")
	if s := w.state(bill); s != "paid" {
		t.Errorf("while it is on its way the bill is %s", s)
	}
	wants(t, "once more", w.send(staff, at, back(nil)), 409, "parking-bill-settled")
	w.Eventually("all is given back", func() bool { return w.Number(`SELECT refunded FROM parking_bills WHERE id = $1`, bill) == 2000 })
	if b, _ := w.look(zhang, bill); b.State != "refunded" || b.Due.Minor != 0 {
		t.Errorf("its owner sees %+v", b)
	}
	if all := w.provider.ReadBooks().Refunds; len(all) != 2 || all[0].Refund+all[1].Refund != 2000 {
		t.Errorf("given back: %+v", all)
	}
	if n := w.Number(`SELECT COUNT(*) FROM audit_entries WHERE action = 'waive' AND payload IS NOT NULL`); n != 2 {
		t.Errorf("%d reasons are on the audit trail", n)
	}
}

// TestStaffGiveBackWhatAStationHasTaken of a bill that was paid in part, by hand: the way that it came nobody can.
func TestStaffGiveBackWhatAStationHasTaken(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	wants(t, "paying at a station", w.send(w.Token("station", "parking:gate"), "/v1/parking-lots/"+lotID+"/payments", m{"event_id": "p1", "reference": "r1",
		"bill": bill, "amount": m{"minor": 500, "currency": "CNY"}, "paid_at": ago(0).Format(time.RFC3339)}), 201, "")
	wants(t, "letting it go", w.send(w.Token("li", "staff:assist"), "/v1/parking-bills/"+bill+"/waivers", m{"reason": "a guest", "refund": true}), 201, "")
	if s := w.state(bill); s != "paid" {
		t.Errorf("before anybody has given it back it is %s", s)
	}
	wants(t, "given back", w.settle("parking-refund-by-hand", "settled", nil), 201, "")
	if s, n := w.state(bill), w.Number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'by-hand'`); s != "refunded" || n != -500 {
		t.Errorf("it is %s, %d given back", s, n)
	}
}
