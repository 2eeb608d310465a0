package entry_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// lateRead is what no call takes that runs no journey and keeps to its machine budget, a second, however busy the machine is.
const lateRead = 2 * time.Second

// TestReadsAnswerInTime, whatever the ledger does: what cannot be read is said, and how many are inside is read beside a
// writer that hangs.
func TestReadsAnswerInTime(t *testing.T) {
	c := start(t, "")
	dial(c, twin.Dial{Fault: twin.Refuse})
	waits := enter(c, "north-1", code(c.Tickets[spot].Fresh().Code))
	if waits.Status != http.StatusAccepted {
		t.Fatalf("offline: %d %s", waits.Status, waits.Text)
	}
	var body struct {
		Assist struct {
			ID string `json:"id"`
		} `json:"assist"`
	}
	waits.Into(t, &body)
	reads := map[string]flowtest.Call{
		"occupancy": {Path: "/v1/attractions/" + spot + "/occupancy", Token: c.Token("screen", "scenic:read")},
		"journey":   {Path: waits.Header.Get("Location"), Token: c.Token("gate-north-1", "scenic:gate")},
		"assists":   {Path: "/v1/assists", Token: c.Token("li", "staff:assist")},
		"assist":    {Path: "/v1/assists/" + body.Assist.ID, Token: c.Token("li", "staff:assist")},
	}
	all := func(ledgerState string, good func(a flowtest.Answer) bool) {
		var asked sync.WaitGroup
		for what, read := range reads {
			read.Method = http.MethodGet
			asked.Go(func() {
				if a := c.Do(read); !good(a) || a.Took > lateRead {
					t.Errorf("%s, %s: %d %s after %s", what, ledgerState, a.Status, a.Text, a.Took)
				}
			})
		}
		asked.Wait()
	}
	read := func(a flowtest.Answer) bool { return a.Status == http.StatusOK }
	all("a ledger that works", read)
	for _, fault := range []ledgertest.Fault{ledgertest.Hang, ledgertest.Full} {
		c.Ledger.Set(ledgertest.AtView, fault)
		all("a ledger that cannot be read: "+string(fault), func(a flowtest.Answer) bool {
			return a.Problem() == "ledger-unavailable" && a.Header.Get("Retry-After") != ""
		})
		c.Ledger.Set(ledgertest.AtView, ledgertest.None)
	}
	c.Ledger.Set(ledgertest.AtCommit, ledgertest.Hang)
	enter(c, "south-1", code("UNKNOWN")) // has the writer hang
	all("a writer that hangs", read)
	c.Ledger.Set(ledgertest.AtCommit, ledgertest.None)
}
