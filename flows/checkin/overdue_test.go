package checkin_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// TestRegistrationOverdue: what the police never heard becomes a person's at its due time, which the hotel says; the metrics
// and the alarm's rule say so too.
func TestRegistrationOverdue(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Settings: "  registration_due: 1s\n"})
	b := c.Book(hotel, "")
	c.Dial(hotel, "police", twin.Dial{Fault: twin.Hang}) // an attempt is still under way when it is due
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "checked-in, register pending" {
		t.Fatal(got)
	}
	if fires(t, "WarmgateDeliveryGivenUp", metrics(t, c)) {
		t.Error("the alarm fires before it is due")
	}
	if n := series(metrics(t, c), "warmgate_outbox_waiting"); n != "1" {
		t.Errorf("%q registrations wait", n)
	}
	c.Eventually("the alarm that it is overdue", func() bool { return fires(t, "WarmgateDeliveryOverdue", metrics(t, c)) })
	c.Eventually("it is a person's", func() bool {
		open := c.Waiting()
		return len(open) == 1 && open[0].Kind == "registration-late"
	})
	seen := metrics(t, c)
	if !fires(t, "WarmgateDeliveryGivenUp", seen) || series(seen, "warmgate_assists_waiting") != "1" {
		t.Errorf("no alarm of\n%s", grep(seen, "warmgate_outbox"))
	}
	c.Dial(hotel, "police", twin.Dial{})
	c.Eventually("it is sent again", func() bool {
		if open := c.Waiting(); len(open) == 1 { // the breaker may still be open: then it is a person's once more
			resolved(t, c, open[0].Kind, "send-again", nil)
		}
		return len(c.Truth(b).Police) == 1
	})
	complete(t, c, b)
}

// fires says whether an alarm of docs/operating.md fires: its expression is one figure and a bound. A change over a time is
// that since the start, when it was none.
func fires(t *testing.T, alarm, metrics string) bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`alert: ` + alarm + `\b[^\n]*\n\s+expr: (?:delta\()?(\w+)(?:\[\w+\]\))? > (\d+)\n`).FindSubmatch(text)
	if rule == nil {
		t.Fatalf("docs/operating.md has no rule %s", alarm)
	}
	value, err := strconv.ParseFloat(series(metrics, string(rule[1])), 64)
	if err != nil {
		t.Fatalf("%s is no figure of the gateway: %v", rule[1], err)
	}
	bound, err := strconv.ParseFloat(string(rule[2]), 64)
	return err == nil && value > bound
}
