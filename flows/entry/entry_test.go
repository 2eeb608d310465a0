package entry_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/entry"
	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/flow"
)

const spot = "west-lake"

// onTheDay is a spot that lets nobody in before the time of a ticket or after it: at the usual ones tomorrow's ticket is good
// half an hour before midnight, and yesterday's half an hour after it.
const onTheDay = flowtest.DefaultSettings + "  early: 0s\n  late: 0s\n"

type m = map[string]any

func flows(t testing.TB) []*flow.Flow {
	t.Helper()
	e, err := entry.New()
	if err != nil {
		t.Fatal(err)
	}
	door, err := assist.New([]*flow.Flow{e})
	if err != nil {
		t.Fatal(err)
	}
	return []*flow.Flow{e, door}
}

func start(t testing.TB, settings string) *flowtest.City {
	return flowtest.Start(t, flows(t), flowtest.Spot{ID: spot, Settings: settings})
}

// warmStart starts a city that has brought these tickets in.
func warmStart(t testing.TB, settings string, want octo.Want) (*flowtest.City, octo.Made) {
	t.Helper()
	var made octo.Made
	c := flowtest.Options{Before: func(c *flowtest.City) { made = issue(c, want) }}.
		Start(t, flows(t), flowtest.Spot{ID: spot, Settings: settings})
	entrytest.Warmed(c, spot)
	return c, made
}

// issue makes tickets at the spot's supplier.
func issue(c *flowtest.City, want octo.Want) octo.Made {
	c.T.Helper()
	made, err := c.Tickets[spot].Issue(want)
	if err != nil {
		c.T.Fatal(err)
	}
	return made[0]
}

// scan holds a ticket to a gate.
func scan(c *flowtest.City, gate, id string, people int, ticket m) flowtest.Answer {
	c.T.Helper()
	body := m{"gate": gate, "scan_id": id, "ticket": ticket}
	if people > 0 {
		body["people"] = people
	}
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/entries",
		Token: c.Token("gate-"+gate, "scenic:gate"), Body: body})
}

func enter(c *flowtest.City, gate string, ticket m) flowtest.Answer {
	c.T.Helper()
	return scan(c, gate, uuid.NewString(), 0, ticket)
}

func code(value string) m { return m{"code": value} }

type admission struct {
	Decision   string   `json:"decision"`
	People     int      `json:"people"`
	Again      bool     `json:"again"`
	VerifiedBy string   `json:"verified_by"`
	Inside     int64    `json:"inside"`
	Pending    []string `json:"pending"`
}

func opened(t testing.TB, a flowtest.Answer) (out admission) {
	t.Helper()
	if a.Status != http.StatusCreated {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	a.Into(t, &out)
	return out
}

// effects is how often ticketing believes a ticket to be redeemed.
func effects(c *flowtest.City, unit string) (n int) {
	for _, r := range c.Tickets[spot].ReadBooks().Redemptions {
		if r.UnitUUID == unit {
			n += r.Effects - r.Undone
		}
	}
	return n
}

func TestVisitorComesThroughTheGate(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	ticket := c.Tickets[spot].Fresh()
	got := opened(t, enter(c, "north-1", code(ticket.Code)))
	if got.Decision != "open" || got.People != 1 || got.VerifiedBy != "ticketing" || got.Inside != 1 || got.Pending != nil {
		t.Errorf("admission %+v", got)
	}
	if n := effects(c, ticket.Units[0].UUID); n != 1 {
		t.Errorf("redeemed %d times", n)
	}
}

func TestWhatIsRefusedAtTheGate(t *testing.T) {
	t.Parallel()
	c := start(t, onTheDay)
	for _, x := range []struct {
		want    octo.Want
		status  int
		problem string
	}{
		{octo.Want{Scenario: octo.Tomorrow}, 422, "ticket-wrong-day"},
		{octo.Want{Scenario: octo.Yesterday}, 422, "ticket-wrong-day"},
		{octo.Want{Scenario: octo.Cancelled}, 409, "ticket-cancelled"},
		{octo.Want{Scenario: octo.Expired}, 422, "ticket-expired"},
		{octo.Want{Scenario: octo.OnHold}, 409, "ticket-on-hold"},
		{octo.Want{Scenario: octo.Redeemed}, 409, "ticket-used"},
	} {
		t.Run(string(x.want.Scenario), func(t *testing.T) {
			ticket := issue(c, x.want)
			a := enter(c, "north-1", code(ticket.Code))
			if a.Status != x.status || a.Problem() != x.problem {
				t.Errorf("answer %d %s", a.Status, a.Text)
			}
		})
	}
	if a := enter(c, "north-1", code("nobody-sold-this")); a.Status != 404 || a.Problem() != "ticket-unknown" {
		t.Errorf("unknown: %d %s", a.Status, a.Text)
	}
	if a := enter(c, "west-9", code("x")); a.Status != 404 || a.Problem() != "gate-unknown" {
		t.Errorf("unknown gate: %d %s", a.Status, a.Text)
	}
}

func TestOneTicketOnce(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	ticket := c.Tickets[spot].Fresh()
	opened(t, enter(c, "north-1", code(ticket.Code)))
	again := opened(t, enter(c, "north-1", code(ticket.Code)))
	if !again.Again || again.Inside != 1 {
		t.Errorf("the same ticket at the same gate: %+v", again)
	}
	a := enter(c, "south-1", code(ticket.Code))
	if a.Status != 409 || a.Problem() != "ticket-used" {
		t.Errorf("at another gate: %d %s", a.Status, a.Text)
	}
	if n := effects(c, ticket.Units[0].UUID); n != 1 {
		t.Errorf("redeemed %d times", n)
	}
}

// patient is a gateway that gives a visitor seconds for everything.
func patient(file string) string {
	return strings.NewReplacer("machine_budget: 800ms", "machine_budget: 10s",
		"find: { slice: 220ms, attempts: 2, attempt_timeout: 100ms, backoff: 10ms, min: 10ms }", "find: { slice: 4s }",
		"redeem: { slice: 250ms, min: 10ms }", "redeem: { slice: 4s }").Replace(file)
}

// As many visitors as may be asked about at once find as many connections: none is handed to the outbox, or to a person,
// for want of one. Everything has seconds here: a call without a connection fails at once.
func TestACrowdFindsConnections(t *testing.T) {
	const crowd = 110
	c := flowtest.Options{Gateway: func(file string) string {
		return patient(file) + "instances: { max_in_flight: 128 }\n"
	}}.Start(t, flows(t), flowtest.Spot{ID: spot})
	all, err := c.Tickets[spot].Issue(octo.Want{Count: crowd})
	if err != nil {
		t.Fatal(err)
	}
	dial(c, twin.Dial{LatencyMS: 300})
	var wg sync.WaitGroup
	for _, made := range all {
		wg.Go(func() {
			if a := enter(c, "north-1", code(made.Units[0].Code)); a.Status != 201 || strings.Contains(a.Text, "pending") {
				t.Errorf("%d %s", a.Status, a.Text)
			}
		})
	}
	wg.Wait()
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unmarshal(t testing.TB, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}
