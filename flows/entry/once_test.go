package entry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// handed is a 202: who waits where, and for whom.
func handed(t *testing.T, a flowtest.Answer) (assist, journey string) {
	t.Helper()
	var body struct {
		Assist struct {
			ID string `json:"id"`
		} `json:"assist"`
	}
	if a.Status != http.StatusAccepted {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	a.Into(t, &body)
	return body.Assist.ID, a.Header.Get("Location")
}

// decision is what a gate hears that waits for a journey.
func decision(c *flowtest.City, gate, journey string) string {
	c.T.Helper()
	var body struct {
		Decision string `json:"decision"`
	}
	c.Do(flowtest.Call{Method: http.MethodGet, Path: journey, Token: c.Token("gate-"+gate, "scenic:gate")}).Into(c.T, &body)
	return body.Decision
}

// TestOnePersonForOneTicket: however often and wherever a ticket is shown while ticketing is away, one person has to
// decide about it, and the gate of the last scan opens, alone.
func TestOnePersonForOneTicket(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ resolution, before, last string }{{"admit", "closed", "open"}, {"turn-away", "closed", "closed"}, {"gone", "closed", "closed"}} {
		t.Run(x.resolution, func(t *testing.T) {
			c := start(t, "")
			ticket, other := c.Tickets[spot].Fresh(), c.Tickets[spot].Fresh()
			dial(c, twin.Dial{Fault: twin.Refuse})
			first, elsewhere := handed(t, enter(c, "south-1", code(ticket.Code)))
			second, here := handed(t, enter(c, "north-1", code(ticket.Code)))
			third, again := handed(t, enter(c, "north-1", code(ticket.Code)))
			if stranger, _ := handed(t, enter(c, "north-1", code(other.Code))); first != second || first != third || stranger == first {
				t.Fatalf("assists %s, %s, %s; another ticket's %s", first, second, third, stranger)
			}
			if open := waiting(c); len(open) != 2 {
				t.Errorf("assists %+v", open)
			}
			for gate, journey := range map[string]string{"south-1": elsewhere, "north-1": here} {
				if got := decision(c, gate, journey); got != "wait" {
					t.Errorf("at %s before: %s", gate, got)
				}
			}
			if a := staff(c, "li", "/v1/assists/"+first+"/claim", nil); !strings.Contains(a.Text, `"place":"north-1"`) {
				t.Errorf("claim: %d %s", a.Status, a.Text)
			}
			if a := staff(c, "li", "/v1/assists/"+first+"/resolution", m{"resolution": x.resolution, "reason": "seen"}); a.Status != http.StatusCreated {
				t.Fatalf("%s: %d %s", x.resolution, a.Status, a.Text)
			}
			got := [...]string{decision(c, "south-1", elsewhere), decision(c, "north-1", here), decision(c, "north-1", again)}
			if want := [...]string{x.before, x.last, x.last}; got != want {
				t.Errorf("heard %v, want %v", got, want)
			}
			if x.resolution != "admit" {
				return
			}
			dial(c, twin.Dial{})
			var a flowtest.Answer
			c.Eventually("ticketing is there again", func() bool {
				a = enter(c, "north-1", code(ticket.Code))
				return a.Status == http.StatusCreated
			})
			if a := opened(t, a); !a.Again || a.Inside != 1 {
				t.Errorf("at the gate where it came in: %+v", a)
			}
			if a := enter(c, "south-1", code(ticket.Code)); a.Problem() != "ticket-used" {
				t.Errorf("at the gate that it left: %d %s", a.Status, a.Text)
			}
		})
	}
}

// TestNobodyDecidesAboutATicketThatIsIn: the gateway settles what staff need not look at any more, claimed or not, and
// says so on the audit trail.
func TestNobodyDecidesAboutATicketThatIsIn(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	for _, claimed := range []bool{false, true} {
		ticket := c.Tickets[spot].Fresh()
		dial(c, twin.Dial{Fault: twin.Refuse})
		assist, journey := handed(t, enter(c, "north-1", code(ticket.Code)))
		if claimed {
			staff(c, "li", "/v1/assists/"+assist+"/claim", nil)
		}
		dial(c, twin.Dial{})
		c.Eventually("ticketing is there again", func() bool { return enter(c, "south-1", code(ticket.Code)).Status == http.StatusCreated })
		if open := waiting(c); len(open) != 0 {
			t.Errorf("claimed %t: assists %+v", claimed, open)
		}
		if got := decision(c, "north-1", journey); got != "closed" {
			t.Errorf("claimed %t: the gate that waits hears %q", claimed, got)
		}
		a := c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists/" + assist, Token: c.Token("li", "staff:assist")})
		if !strings.Contains(a.Text, `"resolved_by":"gateway"`) || !strings.Contains(a.Text, `"resolution":"gone"`) {
			t.Errorf("claimed %t: %s", claimed, a.Text)
		}
		if a := staff(c, "li", "/v1/assists/"+assist+"/resolution", m{"resolution": "admit", "reason": "seen"}); a.Problem() != "assist-resolved" {
			t.Errorf("claimed %t: settled again: %d %s", claimed, a.Status, a.Text)
		}
		run := journey[strings.LastIndex(journey, "/")+1:]
		if n := c.Number(`SELECT count(*) FROM audit_entries WHERE run = $1 AND actor = 'gateway' AND action = 'resolve' AND purpose = 'gone'`, run); n != 1 {
			t.Errorf("claimed %t: %d entries on the audit trail", claimed, n)
		}
		// the next outage is another case
		dial(c, twin.Dial{Fault: twin.Refuse})
		if next, _ := handed(t, enter(c, "south-1", code(ticket.Code))); next == assist {
			t.Errorf("claimed %t: an assist that is settled is joined", claimed)
		}
		dial(c, twin.Dial{})
		c.Eventually("settled too", func() bool {
			return enter(c, "south-1", code(ticket.Code)).Status == http.StatusCreated && len(waiting(c)) == 0
		})
	}
}
