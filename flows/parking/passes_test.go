package parking_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
)

// office is a token of the system with which the lot sells its passes.
func (g *garage) office() string {
	return g.Token(gateway.Principal{Subject: "office", Tenant: "hangzhou", Scopes: []string{"parking:passes"}, Venues: []string{lotID}})
}

func (g *garage) onPass(method, id string, body any) worldtest.Answer {
	g.t.Helper()
	c := worldtest.Call{Method: method, Path: "/v1/parking-lots/" + lotID + "/passes/" + id, Token: g.office(), Header: map[string]string{"Accept-Language": "en"}}
	if body != nil {
		c.Body = toJSON(g.t, body)
	}
	return g.Do(c)
}

// hold puts a pass and expects it to be taken.
func (g *garage) hold(id, plate string, from, until time.Time) (said struct {
	Changed bool `json:"changed"`
}) {
	g.t.Helper()
	a := g.onPass(http.MethodPut, id, m{"plate": plate, "from": from.Format(time.RFC3339), "until": until.Format(time.RFC3339)})
	if a.Status != 200 {
		g.t.Fatalf("pass %s: %d %s", id, a.Status, a.Body)
	}
	g.Into(a, &said)
	return said
}

// costs is what the exit of a car comes to that came in before.
func (g *garage) costs(plate string, from, to time.Duration) int64 {
	g.t.Helper()
	g.enter(plate, ago(from))
	return g.leave(plate, ago(to)).Bill.Due.Minor
}

// lines are a bill's words.
func (g *garage) lines(bill string) (text string) {
	g.t.Helper()
	for _, l := range g.Column(`SELECT lines FROM parking_bills WHERE id = $1`, bill) {
		text += l
	}
	return text
}

const month = 30 * 24 * time.Hour

// TestAPassCoversAVisit: its bill is of nothing, and says why; what the pass does not cover costs what it costs.
func TestAPassCoversAVisit(t *testing.T) {
	g := start(t, nil)
	if said := g.hold("M-1", plateA, ago(month), ago(-month)); !said.Changed {
		t.Error("a new pass has changed nothing")
	}
	g.enter("浙A·12345", ago(5*time.Hour))
	out := g.leave(plateA, ago(2*time.Hour))
	if out.Bill.Due.Minor != 0 || out.Bill.State != "paid" || out.Message != "Have a safe journey" {
		t.Errorf("out: %s", out.Body)
	}
	if text := g.lines(out.Bill.ID); !strings.Contains(text, "3 h of it covered by a pass: free") || !strings.Contains(text, "包月") {
		t.Errorf("the bill says %s", text)
	}
	if due := g.costs(plateB, 5*time.Hour, 2*time.Hour); due != 3000 {
		t.Errorf("another car pays %d", due)
	}
	// It begins an hour after the entry, and ends an hour before the exit: two hours cost, in whole units that went on.
	g.hold("M-2", plateE, ago(4*time.Hour), ago(2*time.Hour))
	if due := g.costs(plateE, 5*time.Hour, time.Hour); due != 2000 {
		t.Errorf("a pass of two hours in four leaves %d", due)
	}
	if strings.Contains(g.Logs(), "12345") {
		t.Error("the log holds a plate")
	}
	if n := g.number(`SELECT COUNT(*) FROM audit_entries WHERE action = 'hold-pass' AND actor = 'office@i'`); n != 2 {
		t.Errorf("%d entries on the audit trail", n)
	}
}

// TestAPassIsOneByItsID: the same said again changes nothing, and passes that overlap cover a moment once.
func TestAPassIsOneByItsID(t *testing.T) {
	g := start(t, nil)
	from, until := ago(3*time.Hour), ago(time.Hour)
	for i := range 3 {
		if said := g.hold("M-1", plateA, from, until); said.Changed != (i == 0) {
			t.Errorf("said %d times: changed %v", i+1, said.Changed)
		}
	}
	g.hold("M-2", plateA, ago(2*time.Hour), ago(-month))
	if n := g.number(`SELECT COUNT(*) FROM parking_passes`); n != 2 {
		t.Errorf("%d rows", n)
	}
	if due := g.costs(plateA, 4*time.Hour, 0); due != 1000 { // the first hour alone, its free minutes left out of the count
		t.Errorf("it pays %d", due)
	}
}

// TestAPassThatIsSaidLater leaves bills that are made out as they are, whatever comes after; the next ones it covers.
func TestAPassThatIsSaidLater(t *testing.T) {
	g := start(t, nil)
	zero := ago(48 * time.Hour)
	at := func(hours int) time.Time { return zero.Add(time.Duration(hours) * time.Hour) }
	g.enter(plateA, at(0))
	first := g.leave(plateA, at(2)).Bill
	g.hold("M-1", plateA, ago(month), ago(-month))
	g.enter(plateA, at(10)) // a look at the visit before it
	if now := g.becomes(zero); now != "0 exited 2: 2000; 10 open" {
		t.Errorf("after the pass: %s", now)
	}
	g.leave(plateA, at(12))
	g.leave(plateA, at(1)) // an event that comes late: the first visit was shorter
	if now := g.becomes(zero); now != "0 exited 1: 1000; 10 exited 12: 0; parked 2" {
		t.Errorf("after a correction: %s", now)
	}
	if n := g.number(`SELECT COUNT(*) FROM parking_corrections WHERE bill = $1`, first.ID); n != 1 {
		t.Errorf("the first bill was corrected %d times", n)
	}
	// It is ended: what it covered stays covered, also where the bill is corrected after that.
	if a := g.onPass(http.MethodDelete, "M-1", nil); a.Status != 200 || !strings.Contains(a.Body, `"ended_at"`) || !strings.Contains(a.Body, `"changed":true`) {
		t.Fatalf("ending it: %d %s", a.Status, a.Body)
	}
	if a := g.onPass(http.MethodDelete, "M-1", nil); a.Status != 200 || strings.Contains(a.Body, `"changed"`) {
		t.Errorf("ending it again: %d %s", a.Status, a.Body)
	}
	g.leave(plateA, at(11))
	if now := g.becomes(zero); now != "0 exited 1: 1000; 10 exited 11: 0; parked 2; parked 12" {
		t.Errorf("after its end: %s", now)
	}
	if due := g.costs(plateA, 20*time.Hour, 19*time.Hour); due != 0 { // it was inside while the pass held
		t.Errorf("a visit of the time that it covered, told after its end: %d", due)
	}
	g.hold("M-1", plateA, ago(10*time.Hour), ago(9*time.Hour)) // it holds again, for another time
	if due := g.costs(plateA, 11*time.Hour, 8*time.Hour); due != 0 {
		t.Errorf("both words together leave %d", due)
	}
}

// TestAPassThatMovesToAnotherPlate covers the one until it moves, and the other one from then on.
func TestAPassThatMovesToAnotherPlate(t *testing.T) {
	g := start(t, nil)
	g.hold("M-1", plateA, ago(month), ago(-month))
	g.enter(plateA, ago(5*time.Hour))
	g.enter(plateB, ago(5*time.Hour))
	g.hold("M-1", plateB, ago(2*time.Hour), ago(-month))
	// Until now the pass was the one's, who leaves within the leeway: nobody pays for what was covered by then.
	if due := g.leave(plateA, ago(time.Second)).Bill.Due.Minor; due != 0 {
		t.Errorf("the one pays %d", due)
	}
	if due := g.leave(plateB, ago(0)).Bill.Due.Minor; due != 3000 {
		t.Errorf("the other one pays %d, of five hours in which the last two are covered", due)
	}
	if due := g.number(`SELECT COUNT(*) FROM parking_passes WHERE replaced_at > 0 AND replaced_by = 'office@i'`); due != 1 {
		t.Errorf("%d words are replaced", due)
	}
}

// TestPassesComeInPages, in the order of their ids, each as its last word has it.
func TestPassesComeInPages(t *testing.T) {
	g := start(t, nil)
	for i := range 5 {
		g.hold(fmt.Sprintf("M-%d", i), plateA, ago(month), ago(-month))
	}
	g.hold("M-3", plateB, ago(month), ago(-month))
	g.onPass(http.MethodDelete, "M-4", nil)
	var got []string
	for cursor := ""; ; {
		var page struct {
			Passes []struct {
				ID    string    `json:"id"`
				Plate string    `json:"plate"`
				Ended time.Time `json:"ended_at"`
			} `json:"passes"`
			Next string `json:"next"`
		}
		path := "/v1/parking-lots/" + lotID + "/passes?limit=2"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		a := g.Do(worldtest.Call{Method: http.MethodGet, Path: path, Token: g.office()})
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		g.Into(a, &page)
		for _, p := range page.Passes {
			got = append(got, fmt.Sprint(p.ID, " ", p.Plate, " ", !p.Ended.IsZero()))
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	want := fmt.Sprint([]string{"M-0 " + plateA + " false", "M-1 " + plateA + " false", "M-2 " + plateA + " false", "M-3 " + plateB + " false", "M-4 " + plateA + " true"})
	if fmt.Sprint(got) != want {
		t.Errorf("passes: %v, want %s", got, want)
	}
}

// TestWhatIsNoPass: each is a clear problem, and leaves nothing behind.
func TestWhatIsNoPass(t *testing.T) {
	g := start(t, nil)
	good := func() m {
		return m{"plate": plateA, "from": "2026-11-01T00:00:00+08:00", "until": "2026-12-01T00:00:00+08:00"}
	}
	for _, c := range []struct {
		what, id    string
		change      m
		status      int
		slug, field string
	}{
		{"no plate", "M-1", m{"plate": ""}, 400, "field-missing", "plate"},
		{"an impossible plate", "M-1", m{"plate": "浙I12345"}, 422, "plate-invalid", "plate"},
		{"no begin", "M-1", m{"from": nil}, 400, "field-missing", "from"},
		{"no end", "M-1", m{"until": nil}, 400, "field-missing", "until"},
		{"it ends as it begins", "M-1", m{"until": "2026-11-01T00:00:00+08:00"}, 400, "field-invalid", "until"},
		{"eleven years", "M-1", m{"until": "2037-11-01T00:00:00+08:00"}, 400, "field-invalid", "until"},
		{"of another age", "M-1", m{"from": "1926-11-01T00:00:00+08:00"}, 400, "field-invalid", "from"},
		{"no time", "M-1", m{"from": "soon"}, 400, "field-invalid", "from"},
		{"another field", "M-1", m{"colour": "red"}, 400, "field-unknown", "colour"},
		{"no id", "M%201", m{}, 400, "field-invalid", "id"},
	} {
		body := good()
		maps.Copy(body, c.change)
		a := g.Do(worldtest.Call{Method: http.MethodPut, Path: "/v1/parking-lots/" + lotID + "/passes/" + c.id, Token: g.office(), Body: toJSON(t, body), Invalid: true})
		if slug, field := a.Problem(); a.Status != c.status || slug != c.slug || field != c.field {
			t.Errorf("%s: %d %s", c.what, a.Status, a.Body)
		}
	}
	if a := g.onPass(http.MethodDelete, "M-9", nil); a.Status != 404 || !strings.Contains(a.Body, "parking-pass-unknown") {
		t.Errorf("ending an unknown one: %d %s", a.Status, a.Body)
	}
	if a := g.Do(worldtest.Call{Method: http.MethodPut, Path: "/v1/parking-lots/" + lotID + "/passes/M-1", Token: g.token, Body: toJSON(t, good())}); a.Status != 403 {
		t.Errorf("a barrier: %d %s", a.Status, a.Body)
	}
	for path, token := range map[string]string{"/v1/parking-lots/nowhere/passes": g.office(), "/v1/parking-lots/" + lotID + "/passes?limit=0": g.office(),
		"/v1/parking-lots/" + lotID + "/passes?cursor=a%20b": g.office()} {
		if a := g.Do(worldtest.Call{Method: http.MethodGet, Path: path, Token: token, Invalid: true}); a.Status < 400 {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	if n := g.number(`SELECT (SELECT COUNT(*) FROM parking_passes) + (SELECT COUNT(*) FROM runs) + (SELECT COUNT(*) FROM audit_entries)`); n != 0 {
		t.Errorf("%d rows are left behind", n)
	}
}

// TestAPassIsOfOneLotAndOneCity: the same plate pays at another lot, and another tenant's operator sees nothing.
func TestAPassIsOfOneLotAndOneCity(t *testing.T) {
	w := openTown(t)
	office := w.Token("office", "parking:passes")
	body := m{"plate": plateA, "from": ago(month).Format(time.RFC3339), "until": ago(-month).Format(time.RFC3339)}
	at := "/v1/parking-lots/" + lotID + "/passes/M-1"
	if a := w.Do(flowtest.Call{Method: http.MethodPut, Path: at, Token: office, Body: body}); a.Status != 200 || strings.Contains(a.Text, plateA) {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	if s := w.state(bill); s != "paid" {
		t.Errorf("it is %s", s)
	}
	if n, _ := w.charged(); n != 0 {
		t.Errorf("what a pass has covered was charged %d times", n)
	}
}

// TestAPassEndsWhenItIsEnded: what comes after it costs, unless the bill was there before.
func TestAPassEndsWhenItIsEnded(t *testing.T) {
	for name, billedFirst := range map[string]bool{"before the exit": false, "after the bill": true} {
		t.Run(name, func(t *testing.T) {
			g := start(t, func(s *parking.Settings) {
				car := s.Tariff.Vehicles["car"]
				car.Free.For = 0
				s.Tariff.Vehicles["car"] = car
			})
			soon := time.Now().Add(90 * time.Second) // within the leeway of the barrier's clock
			g.hold("M-1", plateA, ago(month), ago(-month))
			g.enter(plateA, ago(3*time.Hour))
			want := int64(1000) // the minute after its end
			if billedFirst {
				g.leave(plateA, soon)
				want = 0
			}
			g.onPass(http.MethodDelete, "M-1", nil)
			if billedFirst {
				g.enter(plateA, soon.Add(time.Second)) // a look at the visit before it
			} else {
				g.leave(plateA, soon)
			}
			if price := g.number(`SELECT price FROM parking_bills`); price != want {
				t.Errorf("the bill is of %d, want %d", price, want)
			}
		})
	}
}
