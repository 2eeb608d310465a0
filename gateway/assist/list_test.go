package assist_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

func ids(l page) (all []string) {
	for _, a := range l.Assists {
		all = append(all, a.ID)
	}
	return all
}

func TestAListIsFilteredByStateAndPagedByWhatChangedLast(t *testing.T) {
	p := start(t)
	if l := p.list(p.li, ""); len(l.Assists) != 0 || l.Next != 0 {
		t.Errorf("nobody needs help: %+v", l)
	}
	var all []string
	for range 5 {
		_, id := p.stuck("help", "east")
		all = append(all, id)
	}
	want(t, "claim", p.claim(p.li, all[1]), 201, "")
	want(t, "claim", p.claim(p.li, all[2]), 201, "")
	want(t, "resolution", p.resolve(p.li, all[2], "turn-away"), 201, "")
	for query, expected := range map[string][]string{
		"":                           {all[0], all[3], all[4], all[1], all[2]},
		"?state=open":                {all[0], all[3], all[4]},
		"?state=claimed":             {all[1]},
		"?state=resolved":            {all[2]},
		"?limit=2":                   {all[0], all[3]},
		"?state=open&limit=1":        {all[0]},
		"?state=open&after=1":        {all[3], all[4]},
		"?after=9223372036854775807": nil,
	} {
		l := p.list(p.li, query)
		if got := ids(l); fmt.Sprint(got) != fmt.Sprint(expected) {
			t.Errorf("%s: %v, want %v", query, got, expected)
		}
		if n := len(l.Assists); n > 0 && l.Next != l.Assists[n-1].Seq {
			t.Errorf("%s: next %d after %+v", query, l.Next, l.Assists[n-1])
		}
	}
	if l := p.list(p.li, "?after=77"); l.Next != 77 {
		t.Errorf("an empty page leads to %d", l.Next)
	}
	if l := p.list(p.li, "?state=resolved"); len(l.Assists[0].Resolutions) != 0 {
		t.Errorf("a resolved assist can still be settled: %+v", l.Assists[0].Resolutions)
	}
	if l := p.list(p.li, "?state=open"); l.Assists[0].NextAction != "Let them in" || l.Assists[0].Resolutions[0]["name"] != "To turn-away" {
		t.Errorf("words in English: %+v", l.Assists[0])
	}
	zh := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/assists", Token: p.li, Header: map[string]string{"Accept-Language": "zh-CN"}})
	if !strings.Contains(zh.Body, "请放行") || !strings.Contains(zh.Body, "处理turn-away") {
		t.Errorf("words in Chinese: %s", zh.Body)
	}
}

func TestAListRefusesWhatIsOutOfBounds(t *testing.T) {
	p := start(t)
	for _, query := range []string{"state=", "state=OPEN", "state=done", "after=", "after=-1", "after=x", "after=1.0", "after=%2B1",
		"after=9223372036854775808", "limit=0", "limit=101", "limit=-1", "limit=", "limit=ten", "limit=1&limit=2", "venue=east"} {
		a := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/assists?" + query, Token: p.li, Invalid: true})
		name, _, _ := strings.Cut(query, "=")
		if slug, field := a.Problem(); a.Status != 400 || slug != "query-invalid" || field != "query "+name {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	for range 3 {
		p.stuck("help", "east")
	}
	for query, n := range map[string]int{"?limit=1": 1, "?limit=100": 3} {
		if l := p.list(p.li, query); len(l.Assists) != n {
			t.Errorf("%s: %d assists", query, len(l.Assists))
		}
	}
}

// TestAReaderMissesNothing pages through the list while others claim and release: it sees no change twice, and in the
// end every assist as it is.
func TestAReaderMissesNothing(t *testing.T) {
	p := start(t)
	var all []string
	for range 12 {
		_, id := p.stuck("help", "east")
		all = append(all, id)
	}
	var busy sync.WaitGroup
	for w, token := range []string{p.li, p.wang, p.east} {
		busy.Go(func() {
			for i := range 20 {
				id := all[(i*5+w*3)%len(all)]
				p.claim(token, id)
				if i%3 != 0 {
					p.release(token, id)
				}
			}
		})
	}
	still := make(chan struct{})
	go func() { busy.Wait(); close(still) }()
	latest := map[string]seen{}
	after, quiet := int64(0), false
	for {
		select {
		case <-still:
			quiet = true
		default:
		}
		l := p.list(p.li, fmt.Sprintf("?limit=3&after=%d", after))
		for _, a := range l.Assists {
			if a.Seq <= after {
				t.Fatalf("change %d came after %d", a.Seq, after)
			}
			after, latest[a.ID] = a.Seq, a
		}
		if len(l.Assists) == 0 && quiet {
			break
		}
	}
	for _, a := range p.list(p.li, "").Assists {
		if got := latest[a.ID]; got.Seq != a.Seq || got.State != a.State {
			t.Errorf("the reader saw %s of %d, it is %s of %d", got.State, got.Seq, a.State, a.Seq)
		}
	}
	if len(latest) != len(all) {
		t.Errorf("the reader saw %d of %d", len(latest), len(all))
	}
}

func TestNobodySeesOrTouchesAnothersAssists(t *testing.T) {
	p := start(t)
	_, east := p.stuck("help", "east")
	_, west := p.stuck("help", "west")
	_, far := p.stuck("help", "far")
	nobody := p.Token(gateway.Principal{Subject: "new", Tenant: "hangzhou", Scopes: []string{"staff:assist"}})
	for _, c := range []struct {
		who, token string
		sees       []string
	}{
		{"all of hangzhou", p.li, []string{east, west}}, {"two venues", p.wang, []string{east, west}}, {"one venue", p.east, []string{east}},
		{"suzhou", p.foreign, []string{far}}, {"no venue", nobody, nil},
	} {
		if got := ids(p.list(c.token, "")); fmt.Sprint(got) != fmt.Sprint(c.sees) {
			t.Errorf("%s sees %v, want %v", c.who, got, c.sees)
		}
		for _, id := range []string{east, west, far, "no-such-assist"} {
			if strings.Contains(fmt.Sprint(c.sees), id) {
				continue
			}
			want(t, c.who+" reads another's", p.get(c.token, "/v1/assists/"+id), 404, "assist-unknown")
			want(t, c.who+" claims another's", p.claim(c.token, id), 404, "assist-unknown")
			want(t, c.who+" releases another's", p.release(c.token, id), 404, "assist-unknown")
			want(t, c.who+" settles another's", p.resolve(c.token, id, "admit"), 404, "assist-unknown")
		}
	}
	for _, state := range p.Column(`SELECT state FROM assists`) {
		if state != "open" {
			t.Errorf("somebody changed an assist of others: %s", state)
		}
	}
	for _, path := range []string{"/v1/assists", "/v1/assists/" + east} {
		want(t, "without the scope", p.get(p.citizen, path), 403, "scope-missing")
	}
	want(t, "without the scope", p.claim(p.citizen, east), 403, "scope-missing")
}

func TestAnAssistOfAVenueThatHasGoneIsListedAndCannotBeSettled(t *testing.T) {
	p := start(t)
	_, id := p.stuck("help", "east")
	p.Drop("east", false)
	l := p.list(p.li, "")
	if len(l.Assists) != 1 || !strings.HasSuffix(l.Assists[0].OpenedAt, "Z") {
		t.Errorf("list: %+v", l)
	}
	if s := p.one(p.li, id); s.State != "open" {
		t.Errorf("one: %+v", s)
	}
	want(t, "claim", p.claim(p.li, id), 404, "venue-unknown")
}

// What is done and what is not is told in the caller's language: in the list, of one, and in the stream.
func TestStepsAreInWords(t *testing.T) {
	p := start(t)
	run := idOf(t, p, p.visit("done", "east"))
	p.Write(func(tx *ledger.Tx) error {
		_, err := tx.OpenAssist(ledger.Assist{Run: run, Plan: "visit", Kind: "visitor-lost", Tenant: "hangzhou", Venue: "east",
			Done: []string{"note", "note"}, NotDone: []string{"note" + journey.LeftToOutbox, "gone-from-the-plan", "wave"}})
		return err
	})
	done, left := "[{note Note the visit false}]", "[{note Note the visit true} {gone-from-the-plan gone-from-the-plan false} {wave Wave at them false}]"
	all := p.list(p.li, "").Assists
	for what, a := range map[string]seen{"the list": all[0], "one": p.one(p.li, all[0].ID)} {
		if fmt.Sprint(a.Done) != done || fmt.Sprint(a.NotDone) != left {
			t.Errorf("%s says %v and %v", what, a.Done, a.NotDone)
		}
	}
	s := p.watch(p.li, "")
	defer s.Close()
	if _, a := p.next(s); fmt.Sprint(a.Done) != done || fmt.Sprint(a.NotDone) != left {
		t.Errorf("the stream says %+v", a)
	}
	zh := p.Do(worldtest.Call{Method: http.MethodGet, Path: "/v1/assists", Token: p.li, Header: map[string]string{"Accept-Language": "zh"}})
	if !strings.Contains(zh.Body, `"name":"记下来访"`) {
		t.Errorf("in Chinese: %s", zh.Body)
	}
}
