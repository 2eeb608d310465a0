package entry_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// leave lets somebody out.
func leave(c *flowtest.City, people int, ticket m) flowtest.Answer {
	c.T.Helper()
	body := m{"gate": "south-1", "scan_id": uuid.NewString(), "people": people}
	if ticket != nil {
		body["ticket"] = ticket
	}
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/exits", Token: c.Token("gate", "scenic:gate"), Body: body})
}

func inside(c *flowtest.City) int64 {
	c.T.Helper()
	var body struct {
		Inside int64 `json:"inside"`
	}
	a := c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/attractions/" + spot + "/occupancy", Token: c.Token("screen", "scenic:read")})
	if a.Status != http.StatusOK {
		c.T.Fatalf("occupancy %d %s", a.Status, a.Text)
	}
	a.Into(c.T, &body)
	return body.Inside
}

// foreign are names that are not written as the interface writes its own, and hashes, which tell a person nothing.
var foreign = regexp.MustCompile(`"[A-Z][A-Za-z]*":|"hash"`)

func TestGroupComesInTogetherOrInParts(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	group := issue(c, octo.Want{Scenario: octo.Group})
	whole := opened(t, enter(c, "north-1", m{"reference": group.SupplierReference}))
	if whole.People != 5 || whole.Inside != 5 {
		t.Errorf("the whole group: %+v", whole)
	}
	for _, u := range group.Units {
		if n := effects(c, u.UUID); n != 1 {
			t.Errorf("unit redeemed %d times", n)
		}
	}
	parts := issue(c, octo.Want{Scenario: octo.Group})
	show := m{"reference": parts.SupplierReference}
	if a := opened(t, scan(c, "north-1", "first", 2, show)); a.People != 2 || a.Inside != 7 {
		t.Errorf("two of five: %+v", a)
	}
	if a := opened(t, scan(c, "south-1", "second", 3, show)); a.People != 3 || a.Inside != 10 {
		t.Errorf("the other three at another gate: %+v", a)
	}
	if a := scan(c, "north-2", "third", 1, show); a.Problem() != "ticket-used" {
		t.Errorf("a sixth: %d %s", a.Status, a.Text)
	}
	if a := scan(c, "north-1", "fourth", 2, code(c.Tickets[spot].Fresh().Code)); a.Problem() != "too-few-tickets" {
		t.Errorf("two on one ticket: %d %s", a.Status, a.Text)
	}
}

func TestTicketForSeveralEntriesNeedsAnExitBetween(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	ticket := issue(c, octo.Want{Scenario: octo.OtherProduct}) // boat: three entries
	for n := 1; n <= 3; n++ {
		if a := opened(t, enter(c, "north-1", code(ticket.Code))); a.Inside != 1 {
			t.Errorf("entry %d: %+v", n, a)
		}
		if a := enter(c, "south-1", code(ticket.Code)); a.Problem() != "ticket-used" {
			t.Errorf("entry %d without an exit: %d %s", n, a.Status, a.Text)
		}
		if a := leave(c, 1, code(ticket.Code)); a.Status != http.StatusCreated {
			t.Errorf("exit %d: %d %s", n, a.Status, a.Text)
		}
	}
	if a := enter(c, "north-1", code(ticket.Code)); a.Problem() != "ticket-used" {
		t.Errorf("a fourth entry: %d %s", a.Status, a.Text)
	}
	if n := effects(c, ticket.Units[0].UUID); n != 1 {
		t.Errorf("redeemed %d times", n)
	}
}

func TestCapacityIsNeverExceeded(t *testing.T) {
	t.Parallel()
	c := start(t, strings.Replace(flowtest.DefaultSettings, "capacity: 1000", "capacity: 3", 1))
	for range 3 {
		opened(t, enter(c, "north-1", code(c.Tickets[spot].Fresh().Code)))
	}
	ticket := c.Tickets[spot].Fresh()
	for lang, title := range map[string]string{"en": "The place is full at the moment; please wait a little", "zh-CN": "景点已满，请稍候"} {
		call := entering(c, "north-1", code(ticket.Code))
		call.Header = map[string]string{"Accept-Language": lang}
		if a := c.Do(call); a.Status != 409 || a.Problem() != "spot-full" || a.Header.Get("Retry-After") == "" || refused(t, a).Title != title {
			t.Errorf("a fourth: %d %s", a.Status, a.Text)
		}
	}
	if n := effects(c, ticket.Units[0].UUID); n != 0 {
		t.Errorf("a ticket that let nobody in was redeemed %d times", n)
	}
	if a := leave(c, 2, nil); a.Status != http.StatusCreated {
		t.Errorf("exit: %d %s", a.Status, a.Text)
	}
	if a := opened(t, enter(c, "north-1", code(ticket.Code))); a.Inside != 2 {
		t.Errorf("after two have left: %+v", a)
	}
	staff := c.Token("li", "staff:assist")
	fix := flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/occupancy", Token: staff, Body: m{"inside": 3, "reason": "counted by hand"}}
	if a := c.Do(fix); a.Status != http.StatusCreated || inside(c) != 3 {
		t.Errorf("correction: %d %s, inside %d", a.Status, a.Text, inside(c))
	}
	fix.Body, fix.Invalid = m{"inside": 4, "reason": "more than fits"}, false
	if a := c.Do(fix); a.Status != http.StatusBadRequest {
		t.Errorf("a correction past the capacity: %d %s", a.Status, a.Text)
	}
}

func TestOneTicketTriedAThousandTimesAtOnce(t *testing.T) {
	c := start(t, "")
	ticket := c.Tickets[spot].Fresh()
	gates := []string{"north-1", "north-2", "south-1"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := map[string]bool{}
	tries := 1000
	if testing.Short() {
		tries = 100
	}
	work := make(chan int)
	for w := range 50 {
		token := c.Token(fmt.Sprintf("gate-%d", w), "scenic:gate")
		wg.Go(func() {
			for i := range work {
				gate := gates[i%3]
				a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/entries", Token: token,
					Body: m{"gate": gate, "scan_id": fmt.Sprint(i), "ticket": code(ticket.Code)}})
				if a.Status == http.StatusCreated {
					var got struct {
						Admissions []struct {
							ID string `json:"id"`
						} `json:"admissions"`
					}
					a.Into(t, &got)
					mu.Lock()
					admitted[gate+" "+got.Admissions[0].ID] = true
					mu.Unlock()
				}
			}
		})
	}
	for i := range tries {
		work <- i
	}
	close(work)
	wg.Wait()
	if len(admitted) != 1 {
		t.Errorf("admissions: %v", admitted)
	}
	quiet(c) // where ticketing was late, the outbox redeems
	if n, in := effects(c, ticket.Units[0].UUID), inside(c); n != 1 || in != 1 {
		t.Errorf("redeemed %d times, %d inside", n, in)
	}
}

// dial breaks the spot's ticketing.
func dial(c *flowtest.City, d twin.Dial) {
	c.T.Helper()
	if err := c.Twins.Dial("octo", spot, d); err != nil {
		c.T.Fatal(err)
	}
}

func TestTicketingIsLateAfterTheTicketWasFound(t *testing.T) {
	for _, after := range []bool{false, true} {
		if after && testing.Short() {
			continue // the matrix has it too
		}
		t.Run(fmt.Sprintf("after the effect %t", after), func(t *testing.T) {
			c, ticket := warmStart(t, "", octo.Want{})
			dial(c, twin.Dial{Fault: twin.Hang, AfterEffect: after})
			got := opened(t, enter(c, "north-1", code(ticket.Units[0].Code)))
			if got.VerifiedBy != "prewarmed" || len(got.Pending) != 1 {
				t.Errorf("admission %+v", got)
			}
			dial(c, twin.Dial{})
			c.Eventually("the outbox redeems", func() bool { return effects(c, ticket.Units[0].UUID) == 1 })
		})
	}
}

// warm waits until the tickets issued so far have been brought into the ledger.
func warm(c *flowtest.City) {
	c.T.Helper()
	entrytest.Warm(c, spot)
}

func TestOfflineOnlyASignatureOrAPrewarmedTicketAdmits(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, flowtest.DefaultSettings+"  signed:\n    - { issuer: city, public_key: "+base64.RawURLEncoding.EncodeToString(public)+" }\n")
	warm(c)
	dial(c, twin.Dial{Fault: twin.Refuse})
	signed := func(key ed25519.PrivateKey, spot, typ string, from, to time.Time) string {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": "city", "sub": uuid.NewString(), "supplier": "west-lake-tickets",
			"booking": uuid.NewString(), "product": "entry", "spot": spot, "code": uuid.NewString(), "nbf": from.Unix(), "exp": to.Unix()})
		token.Header["typ"] = typ
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := time.Now()
	good := signed(private, spot, "ticket+jwt", now.Add(-time.Hour), now.Add(time.Hour))
	if a := opened(t, enter(c, "north-1", m{"signed": good})); a.VerifiedBy != "signature" || len(a.Pending) != 1 {
		t.Errorf("signed: %+v", a)
	}
	if a := enter(c, "south-1", m{"signed": good}); a.Problem() != "ticket-used" {
		t.Errorf("signed again at another gate: %d %s", a.Status, a.Text)
	}
	for name, x := range map[string]struct{ ticket, problem string }{
		"wrong key":   {signed(other, spot, "ticket+jwt", now.Add(-time.Hour), now.Add(time.Hour)), "ticket-signature-invalid"},
		"wrong type":  {signed(private, spot, "at+jwt", now.Add(-time.Hour), now.Add(time.Hour)), "ticket-signature-invalid"},
		"wrong spot":  {signed(private, "lingyin", "ticket+jwt", now.Add(-time.Hour), now.Add(time.Hour)), "ticket-wrong-place"},
		"another day": {signed(private, spot, "ticket+jwt", now.Add(-72*time.Hour), now.Add(-71*time.Hour)), "ticket-wrong-day"},
		"not a token": {"x.y.z", "ticket-signature-invalid"},
	} {
		if a := enter(c, "north-1", m{"signed": x.ticket}); a.Problem() != x.problem {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
	fresh := c.Tickets[spot].Fresh() // issued after the pre-warming: nothing vouches for it
	a := enter(c, "north-1", code(fresh.Code))
	if a.Status != http.StatusAccepted || a.Header.Get("Location") == "" {
		t.Errorf("unknown offline: %d %s", a.Status, a.Text)
	}
}

func TestPersonLetsAVisitorIn(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	dial(c, twin.Dial{Fault: twin.Refuse})
	ticket := c.Tickets[spot].Fresh()
	waits := enter(c, "north-1", code(ticket.Code))
	if waits.Status != http.StatusAccepted {
		t.Fatalf("offline: %d %s", waits.Status, waits.Text)
	}
	staff := func(who, path string, body any) flowtest.Answer {
		return c.Do(flowtest.Call{Method: http.MethodPost, Path: path, Token: c.Token(who, "staff:assist"), Body: body})
	}
	var list struct {
		Assists []struct {
			ID   string `json:"id"`
			Kind string `json:"kind"`
		} `json:"assists"`
	}
	c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists?state=open", Token: c.Token("li", "staff:assist")}).Into(t, &list)
	if len(list.Assists) != 1 || list.Assists[0].Kind != "ticket-unverified" {
		t.Fatalf("assists %+v", list)
	}
	path := "/v1/assists/" + list.Assists[0].ID
	if a := staff("li", path+"/claim", nil); a.Status != http.StatusCreated || strings.Contains(a.Text, ticket.Code) {
		t.Errorf("claim: %d %s", a.Status, a.Text)
	}
	a := c.Do(flowtest.Call{Method: http.MethodGet, Path: path, Token: c.Token("li", "staff:assist")})
	if !strings.Contains(a.Text, ticket.Code) || !strings.Contains(a.Text, `"fallback":{"tickets":`) || foreign.MatchString(a.Text) {
		t.Errorf("the facts for the one who has claimed it: %d %s", a.Status, a.Text)
	}
	if a := staff("wang", path+"/claim", nil); a.Problem() != "assist-claimed" {
		t.Errorf("claimed by another: %d %s", a.Status, a.Text)
	}
	if a := staff("li", path+"/resolution", m{"resolution": "shrug", "reason": "why not"}); a.Problem() != "resolution-unknown" {
		t.Errorf("an unknown resolution: %d %s", a.Status, a.Text)
	}
	if a := staff("li", path+"/resolution", m{"resolution": "admit", "reason": "paper ticket seen"}); a.Status != http.StatusCreated || inside(c) != 1 {
		t.Errorf("admitted by hand: %d %s, %d inside", a.Status, a.Text, inside(c))
	}
	if a := staff("li", path+"/resolution", m{"resolution": "admit", "reason": "again"}); a.Problem() != "assist-resolved" {
		t.Errorf("resolved twice: %d %s", a.Status, a.Text)
	}
	dial(c, twin.Dial{})
	quiet(c) // the outbox redeems, and the breaker has closed by that
	if a := enter(c, "south-1", code(ticket.Code)); a.Problem() != "ticket-used" {
		t.Errorf("the same ticket once ticketing is back: %d %s", a.Status, a.Text)
	}
	journey := c.Do(flowtest.Call{Method: http.MethodGet, Path: waits.Header.Get("Location"), Token: c.Token("gate-north-1", "scenic:gate")})
	if journey.Status != http.StatusOK || !strings.Contains(journey.Text, `"resolution":"admit"`) {
		t.Errorf("the journey: %d %s", journey.Status, journey.Text)
	}
	if a := c.Do(flowtest.Call{Method: http.MethodGet, Path: waits.Header.Get("Location"), Token: c.Token("another", "scenic:gate")}); a.Status != http.StatusNotFound {
		t.Errorf("another's journey: %d %s", a.Status, a.Text)
	}
}
