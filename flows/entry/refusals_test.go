package entry_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// onlyEntry is a spot whose gates no boat ticket opens.
var onlyEntry = strings.Replace(onTheDay, "    - { id: boat, entries: 3 }\n", "", 1)

// problem is what a client reads of a refusal.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Field     string `json:"field"`
	Retryable bool   `json:"retryable"`
	UsedAt    string `json:"used_at"`
	Gate      string `json:"gate"`
	ValidFrom string `json:"valid_from"`
	ValidTo   string `json:"valid_to"`
}

func refused(t testing.TB, a flowtest.Answer) (p problem) {
	t.Helper()
	if a.Status < 400 {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	a.Into(t, &p)
	return p
}

// entering is a scan of any ticket as a call.
func entering(c *flowtest.City, gate string, ticket m) flowtest.Call {
	c.T.Helper()
	return flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/entries", Token: c.Token("gate-"+gate, "scenic:gate"),
		Body: m{"gate": gate, "scan_id": uuid.NewString(), "ticket": ticket}}
}

// TestEveryRefusalHasItsSentence holds each refusal of a ticket against its problem type, its status and the sentence
// that the visitor reads, in both languages; none of them lets anybody in or redeems anything.
func TestEveryRefusalHasItsSentence(t *testing.T) {
	t.Parallel()
	c := start(t, onlyEntry)
	used := c.Tickets[spot].Fresh()
	opened(t, enter(c, "north-1", code(used.Units[0].Code)))
	for _, x := range []struct {
		name           string
		show           string
		status         int
		problem        string
		zh, en, detail string // detail: a pattern for the English one
		retryable      bool
	}{
		{"tomorrow's", issue(c, octo.Want{Scenario: octo.Tomorrow}).Code, 422, "ticket-wrong-day", "这张门票不是今天的", "This ticket is for another day",
			`^It is good from \d{4}-\d\d-\d\d \d\d:\d\d to `, false},
		{"yesterday's", issue(c, octo.Want{Scenario: octo.Yesterday}).Code, 422, "ticket-wrong-day", "这张门票不是今天的", "This ticket is for another day", `^It is good from`, false},
		{"another slot's", issue(c, octo.Want{Scenario: octo.SlotOther}).Code, 422, "ticket-wrong-time", "现在不是这张门票的入园时段", "This ticket is for another time of the day", `^It is good from`, false},
		{"another place's", issue(c, octo.Want{Scenario: octo.OtherProduct}).Code, 422, "ticket-wrong-place", "这张门票不适用于本景点", "This ticket is for another place", `^$`, false},
		{"cancelled", issue(c, octo.Want{Scenario: octo.Cancelled}).Code, 409, "ticket-cancelled", "这张门票已取消", "This ticket was cancelled", `^$`, false},
		{"rejected", issue(c, octo.Want{Scenario: octo.Rejected}).Code, 409, "ticket-cancelled", "这张门票已取消", "This ticket was cancelled", `^$`, false},
		{"expired", issue(c, octo.Want{Scenario: octo.Expired}).Code, 422, "ticket-expired", "这张门票已过期", "This ticket has expired", `^$`, false},
		{"on hold", issue(c, octo.Want{Scenario: octo.OnHold}).Code, 409, "ticket-on-hold", "这张门票尚未完成付款或确认", "This ticket is not yet paid or confirmed", `^$`, true},
		{"pending", issue(c, octo.Want{Scenario: octo.Pending}).Code, 409, "ticket-on-hold", "这张门票尚未完成付款或确认", "This ticket is not yet paid or confirmed", `^$`, true},
		{"used elsewhere", issue(c, octo.Want{Scenario: octo.Redeemed}).Code, 409, "ticket-used", "这张门票已经使用过", "This ticket has been used", `^It was used on \d{4}-\d\d-\d\d \d\d:\d\d\.$`, false},
		{"used here", used.Units[0].Code, 409, "ticket-used", "这张门票已经使用过", "This ticket has been used", `^It was used on .* at gate north-1\.$`, false},
		{"unknown", "nobody-sold-this", 404, "ticket-unknown", "没有找到这张门票", "We cannot find this ticket", `^$`, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			call := entering(c, "south-1", code(x.show))
			call.Header = map[string]string{"Accept-Language": "en"}
			a := c.Do(call)
			p := refused(t, a)
			if a.Status != x.status || a.Problem() != x.problem || p.Title != x.en || p.Retryable != x.retryable || a.Header.Get("Content-Language") != "en" ||
				!regexp.MustCompile(x.detail).MatchString(p.Detail) {
				t.Errorf("in English: %d %s", a.Status, a.Text)
			}
			call = entering(c, "south-1", code(x.show))
			call.Header = map[string]string{"Accept-Language": "zh-CN,zh;q=0.9"}
			zh := refused(t, c.Do(call))
			if zh.Title != x.zh || (x.detail == `^$`) != (zh.Detail == "") || strings.Contains(zh.Detail, "It ") {
				t.Errorf("in Chinese: %+v", zh)
			}
			if strings.HasPrefix(x.problem, "ticket-wrong-") && x.detail != `^$` {
				from, err := time.Parse(time.RFC3339, p.ValidFrom)
				if _, offset := from.Zone(); err != nil || offset != 8*3600 || p.ValidTo == "" {
					t.Errorf("valid from %s to %s", p.ValidFrom, p.ValidTo)
				}
			}
			if x.name == "used here" && p.Gate != "north-1" || x.problem == "ticket-used" && p.UsedAt == "" {
				t.Errorf("used at %s, gate %s", p.UsedAt, p.Gate)
			}
		})
	}
	if n := inside(c); n != 1 {
		t.Errorf("%d inside", n)
	}
	if n := len(c.Tickets[spot].ReadBooks().Redemptions); n != 1 {
		t.Errorf("%d tickets redeemed", n)
	}
}

// TestTicketingRefusesBetweenTheLookAndTheRedemption has the ticket used elsewhere, or cancelled, once it was found: the
// claim is released with the refusal, which says why.
func TestTicketingRefusesBetweenTheLookAndTheRedemption(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(ctx context.Context, elsewhere *octo.Client, made octo.Made) error{
		"ticket-used": func(ctx context.Context, elsewhere *octo.Client, made octo.Made) error {
			_, err := elsewhere.Redeem(ctx, made.Units[0].Code)
			return err
		},
		"ticket-cancelled": func(ctx context.Context, elsewhere *octo.Client, made octo.Made) error {
			_, err := elsewhere.Cancel(ctx, made.UUID, "")
			return err
		},
	} {
		sign, settings := signedSpot(t)
		c := start(t, settings)
		made := c.Tickets[spot].Fresh()
		elsewhere, err := octo.New(octo.Config{BaseURL: c.Twins.URL("octo", spot), APIKey: flowtest.APIKey, Supplier: "another"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err = spoil(ctx, elsewhere, made)
		cancel()
		elsewhere.Close()
		if err != nil {
			t.Fatal(err)
		}
		dial(c, twin.Dial{Fault: twin.Status5, Path: "/bookings"}) // the signature alone speaks for it
		a := enter(c, "north-1", sign(made))
		dial(c, twin.Dial{})
		if a.Problem() != want || inside(c) != 0 || c.Number(`SELECT count(*) FROM admissions`) != 0 || c.Number(`SELECT count(*) FROM scans`) != 0 {
			t.Errorf("%s: %d %s, %d inside", want, a.Status, a.Text, inside(c))
		}
	}
}

func TestIdempotencyLifeCycle(t *testing.T) {
	t.Parallel()
	c := start(t, onTheDay)
	ticket := c.Tickets[spot].Fresh()
	call := entering(c, "north-1", code(ticket.Code))
	call.Key = "the-key-of-this-scan"
	first := c.Do(call)
	again := c.Do(call)
	if first.Status != 201 || again.Status != 201 || again.Text != first.Text || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("first %d %s\nagain %d %s", first.Status, first.Text, again.Status, again.Text)
	}
	other := call
	other.Body = m{"gate": "north-1", "scan_id": "another", "ticket": code(ticket.Code)}
	if a := c.Do(other); a.Status != 422 || a.Problem() != "idempotency-key-reused" {
		t.Errorf("the key with another payload: %d %s", a.Status, a.Text)
	}
	theirs := call
	theirs.Token = c.Token("another-gate", "scenic:gate")
	if a := c.Do(theirs); a.Status != 201 || !opened(t, a).Again || a.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("the key of another principal: %d %s", a.Status, a.Text)
	}
	refusal := entering(c, "north-1", code(issue(c, octo.Want{Scenario: octo.Tomorrow}).Code))
	refusal.Key = "a-refusal"
	one, two := c.Do(refusal), c.Do(refusal)
	if one.Status != 422 || two.Status != 422 || one.Problem() != two.Problem() {
		t.Errorf("a refusal: %d %s\nagain: %d %s", one.Status, one.Text, two.Status, two.Text)
	}
	if n := inside(c); n != 1 {
		t.Errorf("%d inside", n)
	}
}

// TestSameKeyWhileTheFirstRuns holds the first request at ticketing's redemption, until the dial lets it go.
func TestSameKeyWhileTheFirstRuns(t *testing.T) {
	c := flowtest.Options{Gateway: patient}.Start(t, flows(t), flowtest.Spot{ID: spot})
	ticket := c.Tickets[spot].Fresh()
	call := entering(c, "north-1", code(ticket.Units[0].Code))
	call.Key = "held"
	dial(c, twin.Dial{Fault: twin.Hang, Path: "/redemption/redeem"})
	first := make(chan flowtest.Answer, 1)
	go func() { first <- c.Do(call) }()
	c.Eventually("the first has been claimed", func() bool { return c.Number(`SELECT count(*) FROM admissions`) == 1 })
	before := tables(c)
	a := c.Do(call)
	if a.Status != 409 || a.Problem() != "request-running" || a.Header.Get("Retry-After") == "" {
		t.Errorf("while it runs: %d %s", a.Status, a.Text)
	}
	left(t, c, before)
	if a := enter(c, "north-1", code(ticket.Units[0].Code)); a.Problem() != "still-running" {
		t.Errorf("the same ticket at the same gate meanwhile: %d %s", a.Status, a.Text)
	}
	if a := enter(c, "south-1", code(ticket.Units[0].Code)); a.Problem() != "still-running" {
		t.Errorf("the same ticket at another gate meanwhile: %d %s", a.Status, a.Text)
	}
	dial(c, twin.Dial{})
	if a := <-first; a.Status != 201 {
		t.Errorf("the first: %d %s", a.Status, a.Text)
	}
	if again := c.Do(call); again.Status != 201 || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("afterwards: %d %s", again.Status, again.Text)
	}
	c.Eventually("the outbox redeems", func() bool { return effects(c, ticket.Units[0].UUID) == 1 })
}

func TestClientThatCannotWait(t *testing.T) {
	t.Parallel()
	c := flowtest.Options{Gateway: func(file string) string {
		return strings.Replace(file, "machine_budget: 800ms\n    flush: 40ms", "machine_budget: 6s\n    flush: 1200ms", 1)
	}}.Start(t, flows(t), flowtest.Spot{ID: spot})
	call := entering(c, "north-1", code(c.Tickets[spot].Fresh().Code))
	call.Header = map[string]string{"Prefer": "wait=1"}
	before := tables(c)
	a := c.Do(call)
	if a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("a wait shorter than the shortest path: %d %s", a.Status, a.Text)
	}
	left(t, c, before)
	call.Header = map[string]string{"Prefer": "wait=60"}
	if a := c.Do(call); a.Status != 201 {
		t.Errorf("a wait that is long enough: %d %s", a.Status, a.Text)
	}
}

func TestAnswerSaysWhereItsTimeWent(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	call := entering(c, "north-1", code(c.Tickets[spot].Fresh().Units[0].Code))
	call.Header = map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Journey-Elapsed": "3.5"}
	a := c.Do(call)
	if a.Status != 201 || !strings.Contains(a.Header.Get("Server-Timing"), "find;dur=") || !strings.Contains(a.Header.Get("Server-Timing"), "redeem;dur=") ||
		!strings.Contains(a.Header.Get("Cache-Status"), "ticketing;fwd=miss") {
		t.Errorf("answer %d %v", a.Status, a.Header)
	}
	if got := a.Header.Get("traceparent"); !strings.HasPrefix(got, "00-0af7651916cd43dd8448eb211c80319c-") {
		t.Errorf("traceparent %q", got)
	}
	var body struct {
		Sources []struct {
			System string    `json:"system"`
			State  string    `json:"state"`
			AsOf   time.Time `json:"as_of"`
		} `json:"sources"`
	}
	a.Into(t, &body)
	if len(body.Sources) < 2 {
		t.Errorf("sources %+v", body.Sources)
	}
	by := fmt.Sprint(c.Tickets[spot].ReadBooks().Redemptions[0].By)
	if !strings.Contains(by, "0af7651916cd43dd8448eb211c80319c") { // the twin knows whom by the trace that came with it
		t.Errorf("redeemed by %s", by)
	}
	second := enter(c, "north-1", code(c.Tickets[spot].Fresh().Code))
	if !strings.Contains(second.Header.Get("Cache-Status"), ";hit") { // the day
		t.Errorf("Cache-Status %q", second.Header.Get("Cache-Status"))
	}
}
