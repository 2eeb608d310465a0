package assist_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// leaks fails the test where it leaves a goroutine behind, but for two of fasthttp: its clock, and the one that sleeps for
// ten seconds before it looks whether its server has ended. Call it first.
func leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	})
}

// watch opens a stream; last is the Last-Event-ID, "" for none.
func (p *place) watch(token, last string) *worldtest.Stream {
	p.T.Helper()
	header := map[string]string{"Accept-Language": "en"}
	if last != "" {
		header["Last-Event-ID"] = last
	}
	return p.Open(worldtest.Call{Path: "/v1/assists", Token: token, Header: header})
}

// next waits for the next event with a name, and returns its assist.
func (p *place) next(s *worldtest.Stream) (worldtest.Event, seen) {
	p.T.Helper()
	for {
		e, more := s.Next()
		if !more {
			p.T.Fatal("the stream has ended")
		}
		if e.Name == "" {
			continue
		}
		var a seen
		if e.Name == "reset" {
			return e, a
		}
		p.Hold("Assist", e.Data)
		if err := json.Unmarshal([]byte(e.Data), &a); err != nil || strconv.FormatInt(a.Seq, 10) != e.ID {
			p.T.Fatalf("%+v: %v", e, err)
		}
		return e, a
	}
}

// expect fails the test where the next events are others; each is its name and the assist's id.
func (p *place) expect(s *worldtest.Stream, events ...string) (last string) {
	p.T.Helper()
	for i := 0; i < len(events); i += 2 {
		e, a := p.next(s)
		if e.Name != events[i] || a.ID != events[i+1] {
			p.T.Fatalf("event %d is %s of %s, want %s of %s", i/2, e.Name, a.ID, events[i], events[i+1])
		}
		last = e.ID
	}
	return last
}

func TestAStreamTellsWhatIsUnresolvedAndThenEveryChange(t *testing.T) {
	leaks(t)
	p := start(t)
	var ids []string
	for range 4 {
		_, id := p.stuck("help", "east")
		ids = append(ids, id)
	}
	p.claim(p.li, ids[1])
	p.claim(p.li, ids[2])
	p.release(p.wang, ids[2])
	p.claim(p.li, ids[3])
	p.resolve(p.li, ids[3], "turn-away")
	s := p.watch(p.li, "")
	if s.Status != http.StatusOK {
		t.Fatalf("%d %s", s.Status, s.Body)
	}
	p.expect(s, "opened", ids[0], "claimed", ids[1], "released", ids[2])
	if e, _ := s.Next(); e.Name != "" || e.ID != "9" {
		t.Errorf("then comes %+v", e)
	}
	_, id := p.stuck("help", "west")
	quickest := time.Hour // of four: the machine may be busy
	told := func(event string) {
		committed := time.Now()
		p.expect(s, event, id)
		quickest = min(quickest, time.Since(committed))
	}
	told("opened")
	p.claim(p.li, id)
	told("claimed")
	p.release(p.li, id)
	told("released")
	p.claim(p.wang, id)
	told("claimed")
	if quickest > time.Second {
		t.Errorf("a change is told after %v", quickest)
	}
	p.resolve(p.wang, id, "admit")
	e, _ := p.next(s)
	var listed struct {
		Assists []jsontext.Value `json:"assists"`
	}
	p.Into(p.get(p.li, "/v1/assists?state=resolved&limit=1&after=10"), &listed)
	if e.Name != "resolved" || len(listed.Assists) != 1 || e.Data != string(listed.Assists[0]) {
		t.Errorf("told %+v, listed %s", e, listed.Assists)
	}
	if strings.Contains(e.Data, secret) {
		t.Error("something personal is in an event")
	}
}

func TestAStreamIsResumedWithoutGapOrRepeat(t *testing.T) {
	leaks(t)
	p := start(t)
	_, first := p.stuck("help", "east")
	_, second := p.stuck("help", "west")
	s := p.watch(p.li, "")
	last := p.expect(s, "opened", first)
	s.Close()
	s = p.watch(p.li, last)
	last = p.expect(s, "opened", second)
	s.Close()
	p.claim(p.li, first)
	p.claim(p.li, second)
	p.resolve(p.li, second, "turn-away")
	_, third := p.stuck("help", "east")
	s = p.watch(p.li, last) // of second, the last change alone is told
	last = p.expect(s, "claimed", first, "resolved", second, "opened", third)
	s.Close()
	s = p.watch(p.li, last)
	if e, _ := s.Next(); e.Name != "" || e.ID != last {
		t.Errorf("nothing has changed, and %+v is told", e)
	}
}

func TestAStreamThatCannotBeResumedBeginsAnew(t *testing.T) {
	leaks(t)
	p := start(t)
	_, old := p.stuck("help", "east")
	p.claim(p.li, old)
	p.resolve(p.li, old, "turn-away")
	_, id := p.stuck("help", "east")
	for what, c := range map[string]struct {
		passed int64 // changes since
		last   string
		reset  bool
	}{
		"of another ledger": {0, "5", true}, "far away": {0, "9223372036854775807", true}, "kept": {1000, "4", false}, "too old": {1000, "3", true}, "from the beginning": {1000, "0", true},
	} {
		p.Write(func(tx *ledger.Tx) error {
			_, err := tx.Exec(`UPDATE counters SET value = $1 WHERE name = 'assists'`, 4+c.passed)
			return err
		})
		s := p.watch(p.li, c.last)
		if c.reset {
			e, _ := p.next(s)
			if e.Name != "reset" || e.ID != "" || e.Data != "{}" {
				t.Errorf("%s: %+v", what, e)
			}
			p.expect(s, "opened", id)
		}
		if c.passed > 0 {
			if e, _ := s.Next(); e.Name != "" || e.ID != fmt.Sprint(4+c.passed) {
				t.Errorf("%s: then comes %+v", what, e)
			}
		}
		s.Close()
	}
}

func TestAStreamRefusesWhatItDoesNotTake(t *testing.T) {
	leaks(t)
	p := start(t)
	for _, query := range []string{"state=open", "after=1", "limit=5"} {
		s := p.Open(worldtest.Call{Path: "/v1/assists?" + query, Token: p.li})
		name, _, _ := strings.Cut(query, "=")
		if slug, field := s.Problem(); s.Status != 400 || slug != "query-invalid" || field != "query "+name {
			t.Errorf("%s: %d %s", query, s.Status, s.Body)
		}
	}
	for _, last := range []string{"x", "-1", "1.0", "9223372036854775808"} {
		a := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/assists", Token: p.li, Invalid: true,
			Header: map[string]string{"Accept": "text/event-stream", "Last-Event-ID": last}})
		if slug, field := a.Problem(); a.Status != 400 || slug != "header-invalid" || field != "header Last-Event-ID" {
			t.Errorf("%s: %d %s", last, a.Status, a.Body)
		}
	}
	if s := p.watch(p.citizen, ""); s.Status != 403 {
		t.Errorf("without the scope: %d", s.Status)
	}
	for range 2 {
		if s := p.watch(p.li, ""); s.Status != 200 {
			t.Errorf("%d %s", s.Status, s.Body)
		}
	}
	s := p.watch(p.li, "")
	if slug, _ := s.Problem(); s.Status != 429 || slug != "streams-open" || s.Header.Get("Retry-After") == "" {
		t.Errorf("the third: %d %s", s.Status, s.Body)
	}
	if s := p.watch(p.wang, ""); s.Status != 200 {
		t.Errorf("a colleague's: %d %s", s.Status, s.Body)
	}
}

func TestAStreamIsForOnesOwnVenues(t *testing.T) {
	leaks(t)
	p := start(t)
	east, far, all := p.watch(p.east, ""), p.watch(p.foreign, ""), p.watch(p.li, "")
	_, first := p.stuck("help", "west")
	_, second := p.stuck("help", "far")
	_, third := p.stuck("help", "east")
	p.expect(all, "opened", first, "opened", third)
	p.expect(east, "opened", third)
	p.expect(far, "opened", second)
}

// TestAStreamBeatsAndEndsWithItsToken, whose venues and times it is asked about before anything is told.
func TestAStreamBeatsAndEndsWithItsToken(t *testing.T) {
	leaks(t)
	p := startWith(t, worldtest.Setup{Edge: func(c *edge.Config) {
		c.Heartbeat, c.Front.WriteTimeout = time.Second, 200*time.Millisecond // it outlives that
	}})
	token := p.Token(gateway.Principal{Subject: "zhao", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"*"}})
	s := p.watch(token, "")
	beats := 0
	for e, more := s.Next(); more; e, more = s.Next() {
		if e.Comment {
			if beats++; beats == 2 {
				p.Revoke(token)
				p.stuck("help", "east")
			}
		}
		if e.Name != "" {
			t.Errorf("told after the token was revoked: %+v", e)
		}
	}
	if beats != 2 {
		t.Errorf("%d heartbeats", beats)
	}
	if s := p.watch(token, ""); s.Status != 401 {
		t.Errorf("coming back: %d", s.Status)
	}
}

func TestALedgerThatFailsHoldsAStreamUp(t *testing.T) {
	leaks(t)
	p := start(t)
	s := p.watch(p.li, "")
	if e, _ := s.Next(); e.ID != "0" {
		t.Errorf("begins with %+v", e)
	}
	for _, fault := range []ledgertest.Fault{ledgertest.Full, ledgertest.Hang} {
		p.Fault.Set(ledgertest.AtView, fault)
		a := p.Open(worldtest.Call{Path: "/v1/assists", Token: p.wang})
		if slug, _ := a.Problem(); a.Status != 503 || slug != "ledger-unavailable" {
			t.Errorf("a new stream: %d %s", a.Status, a.Body)
		}
		p.Heal()
		_, id := p.stuck("help", "east")
		p.expect(s, "opened", id)
	}
}

// TestAStreamOfALongListIsPaged: more than one page is unresolved, and some change while they are told.
func TestAStreamOfALongListIsPaged(t *testing.T) {
	leaks(t)
	p := start(t)
	const n = 250
	var ids []string
	p.Write(func(tx *ledger.Tx) error {
		ids = nil
		for i := range n {
			a, err := tx.OpenAssist(ledger.Assist{Run: fmt.Sprint("r", i), Kind: "visitor-stuck", Tenant: "hangzhou", Venue: "east"})
			if err != nil {
				return err
			}
			ids = append(ids, a.ID)
		}
		return nil
	})
	s := p.watch(p.li, "")
	for i, id := range ids {
		if e, a := p.next(s); e.Name != "opened" || a.ID != id {
			t.Fatalf("event %d is %s of %s", i, e.Name, a.ID)
		}
	}
	s.Close()
	s = p.watch(p.li, "10")
	if _, a := p.next(s); a.ID != ids[10] {
		t.Errorf("resumed with %d", a.Seq)
	}
}
