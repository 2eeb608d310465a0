package entry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// TestGateOpensWhereOnlyTheLastCommitFails: the claim is durable and ticketing has redeemed it, so the visitor is in,
// whatever becomes of the note about it. The same request later gets the same admission.
func TestGateOpensWhereOnlyTheLastCommitFails(t *testing.T) {
	c := start(t, "")
	ticket := c.Tickets[spot].Fresh()
	dial(c, twin.Dial{Path: "/redemption/redeem", LatencyMS: 200, AfterEffect: true})
	call := flowtest.Call{
		Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/entries", Token: c.Token("gate-1", "scenic:gate"), Key: uuid.NewString(),
		Body: m{"gate": "north-1", "scan_id": "one", "ticket": code(ticket.Code)},
	}
	answered := make(chan flowtest.Answer, 1)
	go func() { answered <- c.Do(call) }()
	c.Eventually("ticketing redeems", func() bool { return effects(c, ticket.Units[0].UUID) == 1 })
	c.Ledger.Set(ledgertest.AtCommit, ledgertest.Full)
	dial(c, twin.Dial{}) // lets the answer go
	if got := opened(t, <-answered); got.People != 1 {
		t.Errorf("answer %+v", got)
	}
	c.Ledger.Set(ledgertest.AtCommit, ledgertest.None)
	c.Eventually("the same request gets the same admission", func() bool { return c.Do(call).Status == http.StatusCreated })
	if n, in := effects(c, ticket.Units[0].UUID), inside(c); n != 1 || in != 1 {
		t.Errorf("redeemed %d times, %d inside", n, in)
	}
	if a := enter(c, "south-1", code(ticket.Code)); a.Problem() != "ticket-used" {
		t.Errorf("at another gate: %d %s", a.Status, a.Text)
	}
}

// TestJourneySaysWhatStaffDecided: a turnstile that waits at Location hears what to do.
func TestJourneySaysWhatStaffDecided(t *testing.T) {
	c := start(t, "")
	dial(c, twin.Dial{Fault: twin.Refuse})
	for resolution, want := range map[string]string{"admit": "open", "turn-away": "closed", "gone": "closed"} {
		waits := enter(c, "north-1", code(c.Tickets[spot].Fresh().Code))
		if waits.Status != http.StatusAccepted {
			t.Fatalf("offline: %d %s", waits.Status, waits.Text)
		}
		look := flowtest.Call{Method: http.MethodGet, Path: waits.Header.Get("Location"), Token: c.Token("gate-north-1", "scenic:gate")}
		if a := c.Do(look); !strings.Contains(a.Text, `"decision":"wait","assists"`) {
			t.Errorf("before: %d %s", a.Status, a.Text)
		}
		var body struct {
			Assist struct {
				ID string `json:"id"`
			} `json:"assist"`
		}
		waits.Into(t, &body)
		staff(c, "li", "/v1/assists/"+body.Assist.ID+"/claim", nil)
		if a := staff(c, "li", "/v1/assists/"+body.Assist.ID+"/resolution", m{"resolution": resolution, "reason": "seen"}); a.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", resolution, a.Status, a.Text)
		}
		if a := c.Do(look); !strings.Contains(a.Text, `"decision":"`+want+`","assists"`) {
			t.Errorf("after %s: %d %s", resolution, a.Status, a.Text)
		}
	}
}
