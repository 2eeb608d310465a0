package parking_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
)

// withGrace is a lot without free minutes, whose citizens have a quarter of an hour to leave once they have paid.
func withGrace(s *parking.Settings) {
	car := s.Tariff.Vehicles["car"]
	car.Free.For = 0
	s.Tariff.Vehicles["car"], s.Tariff.Grace = car, 15*time.Minute
}

// reported is what a pay station hears.
type reported struct {
	worldtest.Answer
	State string          `json:"state"`
	Bill  *parking.Billed `json:"bill"`
	Again bool            `json:"again"`
}

// paid reports a payment; change says what differs from the usual one.
func (g *garage) paid(plate string, at time.Time, minor int64, change m) (r reported) {
	g.t.Helper()
	g.n++
	body := m{"event_id": fmt.Sprintf("p%d", g.n), "reference": fmt.Sprintf("r%d", g.n), "plate": plate, "amount": m{"minor": minor, "currency": "CNY"},
		"paid_at": at.Format(time.RFC3339)}
	for k, v := range change {
		if body[k] = v; v == nil { // it is left out
			delete(body, k)
		}
	}
	r.Answer = g.send(worldtest.Call{Path: "/v1/parking-lots/" + lotID + "/payments", Body: toJSON(g.t, body)}).Answer
	if r.Status < 300 {
		g.Into(r.Answer, &r)
	}
	return r
}

// bill is a bill's state, price, what is owed of it, and how often it was corrected.
func (g *garage) bill(id string) (said string) {
	g.t.Helper()
	for _, s := range g.Column(`SELECT state || ' ' || price || ' ' || (price - paid - waived + refunded) || ' ' || corrected FROM parking_bills WHERE id = $1`, id) {
		said = s
	}
	return said
}

// TestPaidBeforeLeaving: what was paid inside is on the bill, and whoever leaves within the grace pays nothing more.
func TestPaidBeforeLeaving(t *testing.T) {
	for _, c := range []struct {
		what   string
		ago    time.Duration // the car has been inside for 182 minutes
		minor  int64
		want   string
		grace  bool
		assist int64
	}{
		{"within the grace", 5 * time.Minute, 3000, "paid 3000 0 0", true, 0},
		{"the grace is over", 30 * time.Minute, 3000, "billed 4000 1000 0", false, 0},
		{"too little", 5 * time.Minute, 2000, "billed 4000 2000 0", false, 0},
		{"too much", 5 * time.Minute, 5000, "paid 3000 -2000 0", true, 1},
	} {
		for _, late := range []bool{false, true} { // told after the exit, the bill is corrected
			t.Run(fmt.Sprintf("%s, told late %v", c.what, late), func(t *testing.T) {
				g := start(t, withGrace)
				g.enter(plateA, ago(182*time.Minute))
				pay := func() reported { return g.paid(plateA, ago(c.ago), c.minor, nil) }
				var r reported
				if !late {
					if r = pay(); r.State != "waiting" || r.Bill != nil {
						t.Errorf("the station hears %d %s", r.Status, r.Body)
					}
				}
				out := g.leave(plateA, ago(0))
				want := c.want
				if late {
					if r = pay(); r.State != "billed" || r.Bill == nil || r.Bill.ID != out.Bill.ID {
						t.Errorf("the station hears %d %s", r.Status, r.Body)
					}
					if c.grace {
						want = strings.TrimSuffix(want, "0") + "1"
					}
				}
				if got := g.bill(out.Bill.ID); got != want {
					t.Errorf("the bill is %s, want %s", got, want)
				}
				if text := g.lines(out.Bill.ID); strings.Contains(text, "Charged until paid") != c.grace {
					t.Errorf("the bill says %s", text)
				}
				if n := g.number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-overpaid'`); n != c.assist {
					t.Errorf("%d persons are asked", n)
				}
				g.enter(plateA, ago(-time.Minute)) // a look at the visit before it
				if got := g.bill(out.Bill.ID); got != want {
					t.Errorf("later the bill is %s, want %s", got, want)
				}
			})
		}
	}
}

// TestTheAmountThatWasAskedForIsEnough, though an hour began while the citizen looked for coins.
func TestTheAmountThatWasAskedForIsEnough(t *testing.T) {
	for asked, want := range map[bool]string{true: "paid 3000 0 0", false: "billed 4000 1000 0"} {
		g := start(t, withGrace)
		g.enter(plateA, ago(182*time.Minute))
		change := m{}
		if asked {
			change["asked_at"] = ago(4 * time.Minute).Format(time.RFC3339)
		}
		g.paid(plateA, ago(time.Minute), 3000, change)
		if got := g.bill(g.leave(plateA, ago(0)).Bill.ID); got != want {
			t.Errorf("asked for before %v: the bill is %s, want %s", asked, got, want)
		}
	}
}

// TestAPaymentIsReportedOnce, however often it is sent; its money is never counted under two events.
func TestAPaymentIsReportedOnce(t *testing.T) {
	g := start(t, withGrace)
	in := g.enter(plateA, ago(50*time.Minute))
	first := m{"event_id": "p", "reference": "r"}
	g.paid(plateA, ago(5*time.Minute), 1000, first)
	for range 2 {
		if r := g.paid(plateA, ago(5*time.Minute), 1000, first); r.Status != 201 || !r.Again || r.State != "waiting" {
			t.Errorf("again: %d %s", r.Status, r.Body)
		}
	}
	for what, c := range map[string]struct {
		change      m
		status      int
		slug, field string
	}{
		"another amount":   {m{"event_id": "p", "reference": "r", "amount": m{"minor": 2000, "currency": "CNY"}}, 422, "event-reused", "event_id"},
		"another plate":    {m{"event_id": "p", "reference": "r", "plate": plateB}, 422, "event-reused", "event_id"},
		"other means":      {m{"event_id": "p", "reference": "r", "means": "cash"}, 422, "event-reused", "event_id"},
		"another event id": {m{"event_id": "p2", "reference": "r"}, 409, "parking-reference-reused", "reference"},
	} {
		r := g.paid(plateA, ago(5*time.Minute), 1000, c.change)
		if slug, field := r.Problem(); r.Status != c.status || slug != c.slug || field != c.field {
			t.Errorf("%s: %d %s", what, r.Status, r.Body)
		}
	}
	out := g.leave(plateA, ago(0))
	if r := g.paid(plateA, ago(5*time.Minute), 1000, first); r.State != "billed" || r.Bill.ID != out.Bill.ID || out.Stay != in.Stay {
		t.Errorf("once the car is out: %s", r.Body)
	}
	if n := g.number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'till'`); n != 1000 {
		t.Errorf("the till has %d", n)
	}
	if n := g.number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'advance'`); n != 0 {
		t.Errorf("%d are still paid in advance", n)
	}
}

// TestAPaymentFindsItsVisit, in whatever order the events come.
func TestAPaymentFindsItsVisit(t *testing.T) {
	g := start(t, withGrace)
	zero := ago(48 * time.Hour)
	at := func(hours float64) time.Time { return zero.Add(time.Duration(hours * float64(time.Hour))) }
	if r := g.paid(plateA, at(2), 2000, nil); r.State != "waiting" {
		t.Errorf("before its entry is known: %s", r.Body)
	}
	g.leave(plateA, at(2.1)) // its entry is not known
	g.enter(plateA, at(10))
	g.leave(plateA, at(11))
	if n := g.number(`SELECT COUNT(*) FROM parking_prepayments WHERE state = 'waiting'`); n != 1 {
		t.Error("another visit has taken it")
	}
	g.enter(plateA, at(0))
	if got := g.Column(`SELECT state || ' ' || price || ' ' || paid FROM parking_bills ORDER BY entered_at`); fmt.Sprint(got) != "[paid 2000 2000 billed 1000 0]" {
		t.Errorf("the bills are %v", got)
	}
	if r := g.paid(plateA, at(11.02), 1000, nil); r.State != "billed" || r.Bill.State != "paid" { // a station whose clock is a minute late
		t.Errorf("by a clock that is late: %s", r.Body)
	}
	if r := g.paid(plateA, at(11.5), 1000, nil); r.State != "waiting" {
		t.Errorf("long after the exit: %s", r.Body)
	}
}

// TestAPaymentThatNobodyMade is a person's: it goes on a bill, or back.
func TestAPaymentThatNobodyMade(t *testing.T) {
	g := start(t, withGrace)
	g.enter(plateB, ago(3*time.Hour))
	bill := g.leave(plateB, ago(61*time.Minute)).Bill
	for range 2 {
		g.paid(plateA, ago(2*time.Hour), 2000, nil) // its plate was misread
	}
	g.enter(plateE, ago(3*time.Hour))
	g.paid(plateE, ago(2*time.Hour), 1000, nil) // this car is inside
	if n, err := parking.AskPrepaid(g.Runtime, g.Runtime.Venue(lotID), time.Now().Add(time.Minute)); n != 2 || err != nil {
		t.Fatalf("%d are handed over, %v", n, err)
	}
	staff := g.Token(gateway.Principal{Subject: "li", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{lotID}})
	post := func(path string, body m) worldtest.Answer {
		c := worldtest.Call{Method: http.MethodPost, Path: path, Token: staff}
		if body != nil {
			c.Body = toJSON(t, body)
		}
		return g.Do(c)
	}
	var seen string
	for i, details := range []m{{"resolution": "bill", "reason": "misread", "details": m{"bill": bill.ID}}, {"resolution": "returned", "reason": "paid twice"}} {
		id := g.Column(`SELECT id FROM assists WHERE kind = 'parking-prepayment-unmatched' ORDER BY id`)[i]
		post("/v1/assists/"+id+"/claim", nil)
		seen += g.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/assists/" + id, Token: staff}).Body
		if a := post("/v1/assists/"+id+"/resolution", m{"resolution": "bill", "reason": "x", "details": m{"bill": "nothing"}}); a.Status != 404 {
			t.Errorf("an unknown bill: %d %s", a.Status, a.Body)
		}
		if a := post("/v1/assists/"+id+"/resolution", details); a.Status != 201 {
			t.Fatalf("settling it: %d %s", a.Status, a.Body)
		}
	}
	if !strings.Contains(seen, plateA) || !strings.Contains(seen, `"reference":"r`) {
		t.Errorf("staff see %s", seen)
	}
	if got := g.bill(bill.ID); got != "paid 2000 0 0" {
		t.Errorf("the bill is %s", got)
	}
	if n := g.number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'till'`); n != 3000 {
		t.Errorf("the till has %d", n)
	}
}

// TestABillIsPaidAtTheLot: by its id, and by whoever comes back with money.
func TestABillIsPaidAtTheLot(t *testing.T) {
	g := start(t, nil)
	g.enter(plateA, ago(30*time.Hour))
	bill := g.leave(plateA, ago(28*time.Hour)).Bill
	byBill := m{"plate": nil, "bill": bill.ID}
	if r := g.paid("", ago(0), 500, byBill); r.Status != 201 || r.State != "billed" || r.Bill.Due.Minor != 1500 {
		t.Errorf("a part: %d %s", r.Status, r.Body)
	}
	if r := g.paid("", ago(0), 1500, byBill); r.Bill == nil || r.Bill.State != "paid" {
		t.Errorf("the rest: %d %s", r.Status, r.Body)
	}
	if r := g.paid("", ago(0), 1500, byBill); r.Status != 201 || g.bill(bill.ID) != "paid 2000 -1500 0" || g.number(`SELECT COUNT(*) FROM assists`) != 1 {
		t.Errorf("once more: %d %s, and the bill is %s", r.Status, r.Body, g.bill(bill.ID))
	}
}

// TestAQuote is what the exit would come to, and says by when to leave.
func TestAQuote(t *testing.T) {
	g := start(t, withGrace)
	in := g.enter(plateA, ago(150*time.Minute))
	type money struct {
		Minor int64 `json:"minor"`
	}
	type quote struct {
		Stay  string    `json:"stay"`
		Asked string    `json:"asked_at"`
		Price money     `json:"price"`
		Paid  money     `json:"paid"`
		Due   money     `json:"due"`
		Leave time.Time `json:"leave_by"`
		Lines []struct {
			Text string `json:"text"`
		} `json:"lines"`
	}
	ask := func(body m, status int) (q quote) {
		t.Helper()
		a := g.send(worldtest.Call{Path: "/v1/parking-lots/" + lotID + "/quotes", Body: toJSON(t, body)}).Answer
		if a.Status != status {
			t.Fatalf("a quote for %v: %d %s", body, a.Status, a.Body)
		}
		if status == 200 {
			g.Into(a, &q)
		}
		return q
	}
	before := g.number(`SELECT (SELECT COUNT(*) FROM runs) + (SELECT COUNT(*) FROM idempotency)`)
	q := ask(m{"plate": "浙A·12345"}, 200)
	if q.Stay != in.Stay || q.Due.Minor != 3000 || q.Paid.Minor != 0 || len(q.Lines) < 2 || !q.Leave.IsZero() {
		t.Errorf("a quote: %+v", q)
	}
	ask(m{"plate": plateB}, 404)
	ask(m{"stay": "nothing"}, 404)
	if n := g.number(`SELECT (SELECT COUNT(*) FROM runs) + (SELECT COUNT(*) FROM idempotency)`); n != before {
		t.Errorf("quotes have left %d rows behind", n-before)
	}
	if r := g.paid("", time.Now().Add(time.Second), 3000, m{"plate": nil, "stay": q.Stay, "asked_at": q.Asked}); r.State != "waiting" {
		t.Errorf("paying it: %d %s", r.Status, r.Body)
	}
	q = ask(m{"stay": in.Stay}, 200)
	if q.Due.Minor != 0 || q.Paid.Minor != 3000 || q.Leave.Before(time.Now().Add(14*time.Minute)) {
		t.Errorf("after it: %+v", q)
	}
	g.hold("M-1", plateB, ago(month), ago(-month))
	g.enter(plateB, ago(5*time.Hour))
	if q := ask(m{"plate": plateB}, 200); q.Price.Minor != 0 {
		t.Errorf("with a pass: %+v", q)
	}
	g.leave(plateA, time.Now().Add(5*time.Second))
	ask(m{"plate": plateA}, 404)
}

// TestTheProviderCollectsTheRest of what was not paid inside, once.
func TestTheProviderCollectsTheRest(t *testing.T) {
	w := openTown(t)
	before := w.Number(`SELECT COUNT(*) FROM parking_permissions`)
	w.pass("entries", plateA, ago(3*time.Hour-30*time.Second))
	w.Eventually("the provider's word on the car", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions`) > before })
	w.change(`UPDATE parking_permissions SET said_at = $1`, ago(3*time.Hour).UnixMilli())
	a := w.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/parking-lots/" + lotID + "/payments", Token: w.Token("station", "parking:gate"), Body: m{
		"event_id": "p1", "reference": "r1", "plate": plateA, "amount": m{"minor": 500, "currency": "CNY"}, "paid_at": ago(2 * time.Hour).Format(time.RFC3339)}})
	if a.Status != 201 {
		t.Fatalf("paying: %d %s", a.Status, a.Text)
	}
	bill := w.pass("exits", plateA, ago(time.Hour)).Bill.ID
	w.becomes(bill, "paid")
	if n, total := w.charged(); n != 1 || total != 1500 {
		t.Errorf("charged %d times, %d", n, total)
	}
}
