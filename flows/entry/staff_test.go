package entry_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// asking is a spot where a person decides while a redemption is late.
const asking = flowtest.DefaultSettings + "  ticketing_late: ask\n"

type stepSeen struct {
	Step string `json:"step"`
	Name string `json:"name"`
}

type assistSeen struct {
	ID      string     `json:"id"`
	Kind    string     `json:"kind"`
	State   string     `json:"state"`
	Place   string     `json:"place"`
	Done    []stepSeen `json:"done"`
	NotDone []stepSeen `json:"not_done"`
	Tried   []string   `json:"tried"`
	Next    string     `json:"next_action"`
}

// staff does something as a member of staff.
func staff(c *flowtest.City, who, path string, body any) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: path, Token: c.Token(who, "staff:assist"), Body: body})
}

// open lists the assists that nobody has settled.
func waiting(c *flowtest.City) (open []assistSeen) {
	c.T.Helper()
	var list struct {
		Assists []assistSeen `json:"assists"`
	}
	c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists", Token: c.Token("li", "staff:assist")}).Into(c.T, &list)
	for _, a := range list.Assists {
		if a.State != "resolved" {
			open = append(open, a)
		}
	}
	return open
}

// resolve claims the only open assist and settles it.
func resolve(c *flowtest.City, word string, details any) flowtest.Answer {
	c.T.Helper()
	open := waiting(c)
	if len(open) != 1 {
		c.T.Fatalf("assists %+v", open)
	}
	path := "/v1/assists/" + open[0].ID
	if a := staff(c, "li", path+"/claim", nil); a.Status != http.StatusCreated {
		c.T.Fatalf("claim %d %s", a.Status, a.Text)
	}
	return settle(c, "li", path, word, details)
}

func settle(c *flowtest.City, who, path, word string, details any) flowtest.Answer {
	c.T.Helper()
	body := m{"resolution": word, "reason": "seen by eye"}
	if details != nil {
		body["details"] = details
	}
	return staff(c, who, path+"/resolution", body)
}

// late shows a ticket whose redemption does not come: a person is asked.
func late(t testing.TB, c *flowtest.City, d twin.Dial) octo.Made {
	t.Helper()
	ticket := c.Tickets[spot].Fresh()
	d.Path = "/redemption/redeem"
	dial(c, d)
	a := enter(c, "north-1", code(ticket.Units[0].Code))
	if a.Status != http.StatusAccepted {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	return ticket
}

// quiet waits until the outbox has nothing more to do.
func quiet(c *flowtest.City) {
	c.T.Helper()
	c.Eventually("the outbox is done", func() bool {
		return c.Number(`SELECT count(*) FROM messages WHERE state = 'waiting'`) == 0 && c.Number(`SELECT count(*) FROM runs WHERE state = 'running'`) == 0
	})
}

func TestRedemptionIsLateAndAPersonDecides(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]twin.Dial{
		"before the effect": {Fault: twin.Hang}, "after the effect": {Fault: twin.Hang, AfterEffect: true}, "nothing was sent": {Fault: twin.Refuse},
	} {
		for _, known := range []bool{false, true} { // whether the gateway has found out what became of the call
			if known {
				name += " and settled"
			}
			t.Run(name+" admit", func(t *testing.T) {
				t.Parallel()
				c := start(t, asking)
				ticket := late(t, c, d)
				open := waiting(c)
				if len(open) != 1 || open[0].Kind != "redeem-late" || fmt.Sprint(open[0].Done) != "[{admit Count the visitor in}]" ||
					open[0].NotDone[0] != (stepSeen{"redeem", "Redeem the ticket at ticketing"}) || len(open[0].Tried) == 0 || open[0].Next == "" || open[0].Place != "north-1" {
					t.Errorf("assists %+v", open)
				}
				if a := enter(c, "north-1", code(ticket.Code)); a.Problem() != "with-staff" {
					t.Errorf("shown again meanwhile: %d %s", a.Status, a.Text)
				}
				if a := enter(c, "south-1", code(ticket.Code)); a.Problem() != "with-staff" {
					t.Errorf("shown at another gate meanwhile: %d %s", a.Status, a.Text)
				}
				dial(c, twin.Dial{})
				if known {
					quiet(c)
				}
				if a := resolve(c, "admit", nil); a.Status != 201 || !strings.Contains(a.Text, `"inside":1`) {
					t.Errorf("admitted: %d %s", a.Status, a.Text)
				}
				quiet(c)
				if n := effects(c, ticket.Units[0].UUID); n != 1 || inside(c) != 1 {
					t.Errorf("redeemed %d times, %d inside", n, inside(c))
				}
				if a := opened(t, enter(c, "north-1", code(ticket.Code))); !a.Again {
					t.Errorf("shown again afterwards: %+v", a)
				}
				if a := enter(c, "south-1", code(ticket.Code)); a.Problem() != "ticket-used" {
					t.Errorf("at another gate afterwards: %d %s", a.Status, a.Text)
				}
			})
			t.Run(name+" turn away", func(t *testing.T) {
				t.Parallel()
				c := start(t, asking)
				ticket := late(t, c, d)
				dial(c, twin.Dial{})
				if known {
					quiet(c)
				}
				if a := resolve(c, "turn-away", nil); a.Status != 201 || inside(c) != 0 {
					t.Errorf("turned away: %d %s, %d inside", a.Status, a.Text, inside(c))
				}
				quiet(c)
				if n := effects(c, ticket.Units[0].UUID); n != 0 {
					t.Errorf("redeemed %d times", n)
				}
				if a := opened(t, enter(c, "south-1", code(ticket.Code))); a.Again || a.Inside != 1 {
					t.Errorf("the ticket is good again: %+v", a)
				}
				if n := effects(c, ticket.Units[0].UUID); n != 1 {
					t.Errorf("then redeemed %d times", n)
				}
			})
		}
	}
}

func TestOfTwoResolutionsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	c := start(t, asking)
	ticket := late(t, c, twin.Dial{Fault: twin.Hang})
	dial(c, twin.Dial{})
	path := "/v1/assists/" + waiting(c)[0].ID
	if a := staff(c, "li", path+"/claim", nil); a.Status != 201 {
		t.Fatalf("claim %d %s", a.Status, a.Text)
	}
	words := []string{"admit", "turn-away", "admit", "turn-away", "admit", "turn-away"}
	answers := make([]flowtest.Answer, len(words))
	var wg sync.WaitGroup
	for i, word := range words {
		wg.Go(func() { answers[i] = settle(c, "li", path, word, nil) })
	}
	wg.Wait()
	won := ""
	for i, a := range answers {
		switch {
		case a.Status == 201 && won == "":
			won = words[i]
		case a.Problem() != "assist-resolved":
			t.Errorf("%s: %d %s", words[i], a.Status, a.Text)
		}
	}
	quiet(c)
	want := map[string]int{"admit": 1, "turn-away": 0}[won]
	if n := effects(c, ticket.Units[0].UUID); won == "" || n != want || inside(c) != int64(want) {
		t.Errorf("%q won: redeemed %d times, %d inside", won, n, inside(c))
	}
}

func TestStaffLetNobodyInPastTheCapacity(t *testing.T) {
	t.Parallel()
	c := start(t, strings.Replace(flowtest.DefaultSettings, "capacity: 1000", "capacity: 1", 1))
	dial(c, twin.Dial{Fault: twin.Refuse})
	waits := enter(c, "north-1", code(c.Tickets[spot].Fresh().Code))
	if waits.Status != 202 {
		t.Fatalf("answer %d %s", waits.Status, waits.Text)
	}
	path := "/v1/assists/" + waiting(c)[0].ID
	dial(c, twin.Dial{})
	fix := func(n int) {
		a := staff(c, "li", "/v1/attractions/"+spot+"/occupancy", m{"inside": n, "reason": "counted"})
		if a.Status != 201 {
			t.Fatalf("correction %d %s", a.Status, a.Text)
		}
	}
	fix(1)
	if a := resolve(c, "admit", nil); a.Status != 409 || a.Problem() != "spot-full" {
		t.Errorf("admitted past the capacity: %d %s", a.Status, a.Text)
	}
	if open := waiting(c); len(open) != 1 || open[0].State != "claimed" || inside(c) != 1 {
		t.Errorf("after the refusal: %+v, %d inside", open, inside(c))
	}
	fix(0)
	if a := settle(c, "li", path, "admit", nil); a.Status != 201 || inside(c) != 1 {
		t.Errorf("once there is room: %d %s, %d inside", a.Status, a.Text, inside(c))
	}
}

// TestWhomStaffLetInIsKnownInEveryForm has staff admit on a QR code, and the same ticket shown again as something else.
func TestWhomStaffLetInIsKnownInEveryForm(t *testing.T) {
	t.Parallel()
	for _, prewarmed := range []bool{false, true} {
		c := start(t, strings.Replace(flowtest.DefaultSettings, "every: 1s, max_age: 1h", "every: 1s, max_age: 1s", 1))
		ticket := c.Tickets[spot].Fresh()
		if prewarmed {
			warm(c)
		}
		dial(c, twin.Dial{Fault: twin.Refuse})
		var waits flowtest.Answer
		c.Eventually("what was brought in is too old", func() bool {
			waits = enter(c, "north-1", code(ticket.Units[0].Code))
			return waits.Status == 202
		})
		if inside(c) > 0 {
			continue // it was let in before it was too old
		}
		if a := resolve(c, "admit", m{"people": 1}); a.Status != 201 {
			t.Fatalf("admit %d %s", a.Status, a.Text)
		}
		dial(c, twin.Dial{})
		quiet(c) // the outbox redeems, and the breaker has closed by that
		if a := enter(c, "south-1", m{"reference": ticket.SupplierReference}); a.Problem() != "ticket-used" {
			t.Errorf("prewarmed %t, as a reference: %d %s", prewarmed, a.Status, a.Text)
		}
		if n := effects(c, ticket.Units[0].UUID); n != 1 || inside(c) != 1 {
			t.Errorf("prewarmed %t: redeemed %d times, %d inside", prewarmed, n, inside(c))
		}
	}
}

// TestPartOfAGroupIsLetInByHand lets two of five in on the group's reference; three tickets stay good.
func TestPartOfAGroupIsLetInByHand(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	group := issue(c, octo.Want{Scenario: octo.Group})
	show := m{"reference": group.SupplierReference}
	dial(c, twin.Dial{Fault: twin.Refuse})
	if a := scan(c, "north-1", "first", 2, show); a.Status != 202 {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	if a := resolve(c, "admit", m{"people": 60}); a.Problem() != "field-invalid" {
		t.Errorf("more than a gate lets through: %d %s", a.Status, a.Text)
	}
	path := "/v1/assists/" + waiting(c)[0].ID
	if a := settle(c, "li", path, "admit", m{"persons": 2}); a.Problem() != "field-invalid" {
		t.Errorf("an unknown detail: %d %s", a.Status, a.Text)
	}
	if a := settle(c, "li", path, "admit", nil); a.Status != 201 || inside(c) != 2 {
		t.Errorf("two by hand: %d %s", a.Status, a.Text)
	}
	dial(c, twin.Dial{})
	if a := scan(c, "south-1", "second", 4, show); a.Problem() != "too-few-tickets" {
		t.Errorf("four more: %d %s", a.Status, a.Text)
	}
	if a := opened(t, scan(c, "south-1", "third", 3, show)); a.People != 3 || a.Inside != 5 {
		t.Errorf("three more: %+v", a)
	}
	if a := scan(c, "north-2", "fourth", 1, show); a.Problem() != "ticket-used" {
		t.Errorf("a sixth: %d %s", a.Status, a.Text)
	}
}

// TestTicketingWillNotRedeemWhomItFindsInside has the ticket used elsewhere before the outbox comes: a person settles it.
func TestTicketingWillNotRedeemWhomItFindsInside(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	ticket := issue(c, octo.Want{Scenario: octo.Redeemed}) // used an hour ago, and the gateway is not told
	signer, settings := signedSpot(t)
	c.WriteSpot(flowtest.Spot{ID: spot, Settings: settings})
	if err := c.Gateway.Reload(); err != nil {
		t.Fatal(err)
	}
	dial(c, twin.Dial{Fault: twin.Refuse})
	if a := opened(t, enter(c, "north-1", signer(ticket))); len(a.Pending) != 1 {
		t.Errorf("admission %+v", a)
	}
	dial(c, twin.Dial{})
	c.Eventually("a person is asked", func() bool { return len(waiting(c)) == 1 })
	if open := waiting(c); open[0].Kind != "redeem-undelivered" || inside(c) != 1 {
		t.Errorf("assists %+v, %d inside", open, inside(c))
	}
	if a := resolve(c, "settled", nil); a.Status != 201 {
		t.Errorf("settled: %d %s", a.Status, a.Text)
	}
	quiet(c)
	if n := effects(c, ticket.Units[0].UUID); n != 0 {
		t.Errorf("redeemed %d times more", n)
	}
	if n := c.Number(`SELECT count(*) FROM operations WHERE step = 'redeem' AND state = 'done' AND reason = 'by hand'`); n != 1 {
		t.Errorf("%d redemptions are settled by hand", n)
	}
}

// TestTheGateHearsWhatAPersonDecides: a journey that a person has finished says so, with the decision.
func TestTheGateHearsWhatAPersonDecides(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"admit": "settled open", "turn-away": "settled closed"} {
		c := start(t, asking)
		dial(c, twin.Dial{Fault: twin.Hang})
		a := enter(c, "north-1", code(c.Tickets[spot].Fresh().Units[0].Code))
		if got := c.Journey(c.Token("gate-north-1", "scenic:gate"), a); got != "assist wait" {
			t.Errorf("before: %s", got)
		}
		if a := resolve(c, word, nil); a.Status != 201 {
			t.Errorf("%s: %d %s", word, a.Status, a.Text)
		}
		if got := c.Journey(c.Token("gate-north-1", "scenic:gate"), a); got != want {
			t.Errorf("%s: %s", word, got)
		}
	}
}
