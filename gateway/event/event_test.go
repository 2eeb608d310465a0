package event_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/event"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
)

const (
	structured = "application/cloudevents+json"
	batch      = "application/cloudevents-batch+json"
)

// weather is a flow that takes how warm it is; the latest counts.
type weather struct {
	mu    sync.Mutex
	at    map[string]time.Time // by place
	warm  map[string]int
	calls int
	whole []bool
}

func (w *weather) take(_ *flow.Runtime, v *gateway.Venue, e flow.Event) (flow.Fate, error) {
	var in struct {
		Degrees int `json:"degrees"`
	}
	if err := e.Decode(&in); err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	switch before := w.at[v.ID]; {
	case before.After(e.Time):
		return flow.Older, nil
	case before.Equal(e.Time):
		return flow.Known, nil
	}
	w.at[v.ID], w.warm[v.ID] = e.Time, in.Degrees
	return flow.Taken, nil
}

func (w *weather) degrees(place string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.warm[place]
}

func (w *weather) flow() *flow.Flow {
	return &flow.Flow{Name: "weather", Venues: &flow.VenueKind{Kind: "place"}, Events: map[string]flow.TakeEvent{"warmth": w.take},
		Whole: func(whole bool) { w.mu.Lock(); w.whole = append(w.whole, whole); w.mu.Unlock() }}
}

// place is a gateway that takes the weather of two places, and knows a shop.
type place struct {
	*worldtest.World
	*weather
	door  *flow.Flow
	token string
}

func start(t *testing.T) *place {
	t.Helper()
	w := &weather{at: map[string]time.Time{}, warm: map[string]int{}}
	f := w.flow()
	door, err := event.New(f)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{World: worldtest.Start(t, door), weather: w, door: door}
	for id, kind := range map[string]string{"east": "place", "west": "place", "shop": "shop"} {
		p.Put(&gateway.Venue{ID: id, Kind: kind, Tenant: "hangzhou", Location: time.UTC})
	}
	p.Put(&gateway.Venue{ID: "far", Kind: "place", Tenant: "suzhou", Location: time.UTC})
	p.token = p.Token(gateway.Principal{Subject: "station", Tenant: "hangzhou", Scopes: []string{"backend:events"}, Venues: []string{"east", "shop", "far"}})
	return p
}

// send sends a body that is right by the document.
func (p *place) send(media, body string) worldtest.Answer {
	return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/backends/east/events", Token: p.token, Key: "-", Body: body,
		Header: map[string]string{"Content-Type": media, "Accept-Language": "en"}})
}

// bad sends a body that need not be.
func (p *place) bad(media, body string) worldtest.Answer {
	return p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/backends/east/events", Token: p.token, Key: "-", Body: body, Invalid: true,
		Header: map[string]string{"Content-Type": media, "Accept-Language": "en"}})
}

// warmth is an event.
func warmth(id string, at time.Time, degrees int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/station/1","type":"warmth","time":%q,"data":{"degrees":%d}}`,
		id, at.Format(time.RFC3339Nano), degrees)
}

type told struct {
	Events []struct {
		Outcome string `json:"outcome"`
		Problem *struct {
			Type      string `json:"type"`
			Field     string `json:"field"`
			Status    int    `json:"status"`
			Retryable bool   `json:"retryable"`
		} `json:"problem"`
	} `json:"events"`
}

// outcomes are those of an answer, with what was wrong.
func (p *place) outcomes(a worldtest.Answer) (all []string) {
	p.T.Helper()
	if a.Status != 200 {
		p.T.Fatalf("%d %s", a.Status, a.Body)
	}
	var g told
	p.Into(a, &g)
	for _, e := range g.Events {
		s := e.Outcome
		if e.Problem != nil {
			s += " " + strings.TrimPrefix(e.Problem.Type, "/problems/") + " " + e.Problem.Field
		}
		all = append(all, s)
	}
	return all
}

func (p *place) expect(what string, a worldtest.Answer, want ...string) {
	p.T.Helper()
	if got := p.outcomes(a); !slices.Equal(got, want) {
		p.T.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestAnEventCountsOnceAndInItsTime: twice, late and in any order, one by one and together.
func TestAnEventCountsOnceAndInItsTime(t *testing.T) {
	p := start(t)
	now := time.Now()
	p.expect("the first", p.send(structured, warmth("1", now.Add(-time.Minute), 20)), "taken")
	p.expect("again", p.send(structured, warmth("1", now.Add(-time.Minute), 20)), "known")
	spaced := strings.ReplaceAll(warmth("1", now.Add(-time.Minute), 20), `"data":{"degrees":20}`, ` "data" : { "degrees" : 2e1 }, "traceparent":"00-1", "hops": 3, "last": true, "subject": null`)
	if p.calls != 1 {
		t.Errorf("what came before was taken %d times", p.calls)
	}
	p.expect("again, written in another way", p.send(structured+"; charset=UTF-8", spaced), "known")
	p.expect("an earlier one that comes late", p.send(structured, warmth("0", now.Add(-time.Hour), 5)), "older")
	p.expect("a batch in any order", p.send(batch, "["+warmth("3", now, 23)+","+warmth("2", now.Add(-time.Second), 22)+","+warmth("3", now, 23)+"]"),
		"taken", "older", "known")
	p.expect("the same under another id", p.send(structured, warmth("3b", now, 23)), "known")
	p.expect("nothing", p.send(batch, "[]"))
	if got := p.degrees("east"); got != 23 {
		t.Errorf("it is %d degrees", got)
	}
}

// TestABatchIsTakenEventByEvent: what is wrong with one is said of it, by its index, and touches no other.
func TestABatchIsTakenEventByEvent(t *testing.T) {
	p := start(t)
	now := time.Now()
	good := warmth("1", now.Add(-time.Minute), 20)
	p.expect("a batch", p.bad(batch, "["+strings.Join([]string{
		good,
		warmth("2", now, 21)[:len(warmth("2", now, 21))-len(`{"degrees":21}}`)] + `{"degrees":"x"}}`,
		strings.Replace(good, `"20"`, "", 1),
		strings.Replace(warmth("4", now, 24), `"type":"warmth"`, `"type":"wetness"`, 1),
		strings.Replace(good, `"degrees":20`, `"degrees":30`, 1),
		`7`,
		warmth("6", now.Add(-25*time.Hour), 1),
		warmth("7", now.Add(time.Minute), 99),
		warmth("8", now.Add(5*time.Second), 25),
	}, ",")+"]"),
		"taken", "refused field-invalid [1].data.degrees", "known", "refused event-type-unknown [3].type", "refused event-changed [4].id",
		"refused field-invalid [5]", "refused event-ancient [6].time", "refused event-in-future [7].time", "taken")
	if got := p.degrees("east"); got != 25 {
		t.Errorf("it is %d degrees", got)
	}
	p.expect("what was refused is not remembered", p.send(structured, warmth("2", now.Add(6*time.Second), 26)), "taken")
}

// TestASingleEventThatIsRefused is answered with its problem.
func TestASingleEventThatIsRefused(t *testing.T) {
	p := start(t)
	now := time.Now()
	good := warmth("1", now, 20)
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return strings.Replace(good, old, new, 1)
	}
	at := fmt.Sprintf("%q", now.Format(time.RFC3339Nano))
	for name, c := range map[string]struct {
		body    string
		status  int
		problem string
		field   string
	}{
		"nothing":                {"", 400, "body-malformed", ""},
		"no JSON":                {`{"specversion":`, 400, "body-malformed", ""},
		"two values":             {good + good, 400, "body-malformed", ""},
		"no object":              {"[" + good + "]", 400, "field-invalid", ""},
		"too deep":               {change(`{"degrees":20}`, strings.Repeat("[", 40)+strings.Repeat("]", 40)), 400, "body-too-deep", ""},
		"an attribute twice":     {change(`"id":"1"`, `"id":"1","id":"2"`), 400, "field-duplicate", "id"},
		"a member twice in data": {change(`"degrees":20`, `"degrees":20,"degrees":21`), 400, "field-duplicate", "data.degrees"},
		"no specversion":         {change(`"specversion":"1.0",`, ""), 400, "field-missing", "specversion"},
		"another specversion":    {change(`"1.0"`, `"0.3"`), 400, "field-invalid", "specversion"},
		"no id":                  {change(`"id":"1",`, ""), 400, "field-missing", "id"},
		"id is null":             {change(`"id":"1"`, `"id":null`), 400, "field-missing", "id"},
		"an empty id":            {change(`"id":"1"`, `"id":""`), 400, "field-invalid", "id"},
		"id is a number":         {change(`"id":"1"`, `"id":1`), 400, "field-invalid", "id"},
		"a control character":    {change(`"id":"1"`, `"id":"a\u0007"`), 400, "field-invalid", "id"},
		"a noncharacter":         {change(`"id":"1"`, `"id":"\uffff"`), 400, "field-invalid", "id"},
		"a long id":              {change(`"id":"1"`, `"id":"`+strings.Repeat("x", 257)+`"`), 400, "field-invalid", "id"},
		"no source":              {change(`"source":"/station/1",`, ""), 400, "field-missing", "source"},
		"source is no reference": {change(`"/station/1"`, `"a b"`), 400, "field-invalid", "source"},
		"no type":                {change(`"type":"warmth",`, ""), 400, "field-missing", "type"},
		"another type":           {change(`"warmth"`, `"wetness"`), 422, "event-type-unknown", "type"},
		"no time":                {change(`"time":`+at+`,`, ""), 400, "field-missing", "time"},
		"time without an offset": {change(at, `"2026-11-30T10:00:00"`), 400, "field-invalid", "time"},
		"time with a comma":      {change(at, `"`+now.UTC().Format("2006-01-02T15:04:05")+`,5Z"`), 400, "field-invalid", "time"},
		"an hour of one digit":   {change(at, `"`+now.UTC().Format("2006-01-02")+`T1:04:05Z"`), 400, "field-invalid", "time"},
		"an offset of a day":     {change(at, `"`+now.UTC().Format("2006-01-02T15:04:05")+`+24:00"`), 400, "field-invalid", "time"},
		"a day that is none":     {change(at, `"2026-02-30T10:00:00Z"`), 400, "field-invalid", "time"},
		"a future":               {warmth("1", now.Add(time.Minute), 1), 422, "event-in-future", "time"},
		"a far future":           {warmth("1", now.Add(9*365*24*time.Hour), 1), 422, "event-in-future", "time"},
		"ancient":                {warmth("1", now.Add(-25*time.Hour), 1), 422, "event-ancient", "time"},
		"an empty subject":       {change(`"data"`, `"subject":"","data"`), 400, "field-invalid", "subject"},
		"data is XML":            {change(`"data"`, `"datacontenttype":"application/xml","data"`), 400, "field-invalid", "datacontenttype"},
		"data in another coding": {change(`"data"`, `"datacontenttype":"application/json; charset=gbk","data"`), 400, "field-invalid", "datacontenttype"},
		"a relative schema":      {change(`"data"`, `"dataschema":"a/b","data"`), 400, "field-invalid", "dataschema"},
		"data in base64":         {change(`"data"`, `"data_base64":"e30=","data"`), 400, "field-invalid", "data_base64"},
		"no data":                {change(`"1",`+`"source":"/station/1","type":"warmth","time":`+at+`,"data":{"degrees":20}`, `"n","source":"/station/1","type":"warmth","time":`+at), 400, "field-missing", "data"},
		"data is null":           {strings.Replace(change(`{"degrees":20}`, "null"), `"1"`, `"m"`, 1), 400, "field-missing", "data"},
		"data of another type":   {strings.Replace(change(`{"degrees":20}`, "[1]"), `"1"`, `"l"`, 1), 400, "field-invalid", "data"},
		"an unknown member":      {change(`"degrees":20`, `"degrees":20,"wind":3`), 400, "field-unknown", "data.wind"},
		"a capital in a name":    {change(`"data"`, `"Hops":1,"data"`), 400, "field-invalid", "Hops"},
		"a name in Chinese":      {change(`"data"`, `"次":1,"data"`), 400, "field-invalid", "?"},
		"an ID number as a name": {change(`"data"`, `"11010519491231002X":1,"data"`), 400, "field-invalid", "?"},
		"a long name":            {change(`"data"`, `"`+strings.Repeat("x", 65)+`":1,"data"`), 400, "field-invalid", "?"},
		"a fraction":             {change(`"data"`, `"hops":1.5,"data"`), 400, "field-invalid", "hops"},
		"a big number":           {change(`"data"`, `"hops":2147483648,"data"`), 400, "field-invalid", "hops"},
		"an object":              {change(`"data"`, `"hops":{},"data"`), 400, "field-invalid", "hops"},
		"a long extension":       {change(`"data"`, `"hops":"`+strings.Repeat("x", 1025)+`","data"`), 400, "field-invalid", "hops"},
		"many attributes":        {change(`"data"`, many(60)+`"data"`), 400, "field-invalid", ""},
	} {
		a := p.bad(structured, c.body)
		if problem, field := a.Problem(); a.Status != c.status || problem != c.problem || field != c.field || strings.Contains(a.Body, "1949") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if p.calls > 3 { // those whose data are not right reach it
		t.Errorf("%d events came through", p.calls)
	}
	if a := p.bad(structured, warmth("1", now.Add(time.Minute), 1)); a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, `"retryable":true`) {
		t.Errorf("what has not happened yet may be told later: %v %s", a.Header, a.Body)
	}
}

// many is n attributes.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"x%d":1,`, i)
	}
	return b.String()
}

// TestABatchThatCannotBeRead is refused as a whole, and says which event it is about.
func TestABatchThatCannotBeRead(t *testing.T) {
	p := start(t)
	good := warmth("1", time.Now(), 20)
	for name, c := range map[string]struct{ body, problem, field string }{
		"null":       {"null", "field-invalid", ""},
		"one event":  {good, "field-invalid", ""},
		"cut off":    {"[" + good, "body-malformed", ""},
		"a twin":     {"[" + good + "," + strings.Replace(good, `"id"`, `"id":"2","id"`, 1) + "]", "field-duplicate", "[1].id"},
		"twin below": {"[" + good + "," + strings.Replace(good, `"degrees"`, `"degrees":1,"degrees"`, 1) + "]", "field-duplicate", "[1].data.degrees"},
	} {
		a := p.bad(batch, c.body)
		if problem, field := a.Problem(); a.Status != 400 || problem != c.problem || field != c.field {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if p.calls != 0 {
		t.Error("something was taken")
	}
	if a := p.bad(batch, "["+strings.Repeat(" ", 64<<10)+"]"); a.Status != 413 {
		t.Errorf("too long: %d %s", a.Status, a.Body)
	}
}

// TestOnlyTheTwoModesAreTaken: binary mode and anything else is 415, and says so.
func TestOnlyTheTwoModesAreTaken(t *testing.T) {
	p := start(t)
	for _, media := range []string{"application/json", "", "text/plain", "application/cloudevents", "application/cloudevents+xml",
		structured + "; charset=gbk", structured + ";;", "application/cloudevents-batch"} {
		a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/backends/east/events", Token: p.token, Key: "-", Body: `{"degrees":1}`, Invalid: true,
			Header: map[string]string{"Content-Type": media, "Accept-Language": "en", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "warmth"}})
		if problem, field := a.Problem(); a.Status != 415 || problem != "media-type-unknown" || field != "header Content-Type" || !strings.Contains(a.Body, "binary mode") {
			t.Errorf("%q: %d %s", media, a.Status, a.Body)
		}
	}
}

// TestWhoMayTellOfWhat: scope, venue and tenant.
func TestWhoMayTellOfWhat(t *testing.T) {
	p := start(t)
	unscoped := p.Token(gateway.Principal{Subject: "s", Tenant: "hangzhou", Scopes: []string{"rooms:read"}, Venues: []string{"*"}})
	for name, c := range map[string]struct {
		venue, token string
		status       int
		problem      string
	}{
		"no token":             {"east", "", 401, ""},
		"no scope":             {"east", unscoped, 403, "scope-missing"},
		"another venue":        {"west", p.token, 403, ""},
		"unknown":              {"nowhere", p.token, 404, "venue-unknown"},
		"another tenant's":     {"far", p.token, 404, "venue-unknown"},
		"takes no such events": {"shop", p.token, 422, "event-type-unknown"},
	} {
		a := p.Do(worldtest.Call{Method: http.MethodPost, Path: "/v1/backends/" + c.venue + "/events", Token: c.token, Key: "-",
			Body: warmth("1", time.Now(), 20), Header: map[string]string{"Content-Type": structured}})
		if problem, _ := a.Problem(); a.Status != c.status || c.problem != "" && problem != c.problem {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if p.calls != 0 {
		t.Error("something was taken")
	}
	p.expect("the venue itself", p.send(structured, warmth("1", time.Now(), 20)), "taken")
}

// loop is a fleet of one process: what one replica tells the other hears at once.
type loop struct {
	mu    sync.Mutex
	other func([]byte)
	whole func(bool)
	said  []string
}

func (l *loop) Tell(topic string, message []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, topic+" "+string(message))
	if l.other != nil {
		l.other(message)
	}
}

func (l *loop) Hear(_ string, whole func(bool), heard func([]byte)) { l.whole, l.other = whole, heard }

// TestReplicasTakeWhatOneIsTold: what was taken alone, and it is known there when it is sent there, too.
func TestReplicasTakeWhatOneIsTold(t *testing.T) {
	a, b := start(t), start(t)
	a.Runtime.Fleet, b.Runtime.Fleet = &loop{}, &loop{}
	if err := b.door.Work(t.Context(), b.Runtime); err != nil {
		t.Fatal(err)
	}
	ears := b.Runtime.Fleet.(*loop)
	a.Runtime.Fleet.(*loop).other = ears.other
	now := time.Now()
	first, second := warmth("1", now.Add(-time.Minute), 20), warmth("2", now, 21)
	a.expect("a batch", a.send(batch, "["+first+","+second+","+warmth("0", now.Add(-time.Hour), 1)+"]"), "taken", "taken", "older")
	if got := b.degrees("east"); got != 21 || b.calls != 2 {
		t.Errorf("the other has %d degrees after %d events", got, b.calls)
	}
	b.expect("sent there, too", b.send(structured, second), "known")
	if n := len(a.Runtime.Fleet.(*loop).said); n != 1 || len(ears.said) != 0 {
		t.Errorf("%d messages, and %d of what was heard", n, len(ears.said))
	}
	for _, m := range []string{"", "{}", `{"venue":"nowhere","events":[{}]}`, `{"venue":"east","events":[{},` + warmth("9", now.Add(time.Hour), 99) + "," + warmth("3", now.Add(time.Second), 22) + "]}"} {
		ears.other([]byte(m))
	}
	if got := b.degrees("east"); got != 22 {
		t.Errorf("after some nonsense: %d degrees", got)
	}
	ears.whole(false)
	ears.whole(true)
	if !slices.Equal(b.whole, []bool{false, true}) {
		t.Errorf("told: %v", b.whole)
	}
	calls := b.calls
	if b.expect("told again after something may have been missed", b.send(structured, second), "older"); b.calls != calls+1 {
		t.Error("it did not come through")
	}
}

// TestTypesAreOneFlows each, and need venues.
func TestTypesAreOneFlows(t *testing.T) {
	w := &weather{}
	for name, flows := range map[string][]*flow.Flow{
		"another flow takes warmth": {w.flow(), w.flow()},
		"it serves no venues":       {{Name: "x", Events: map[string]flow.TakeEvent{"warmth": w.take}}},
		"without a name":            {{Name: "x", Venues: &flow.VenueKind{}, Events: map[string]flow.TakeEvent{"": w.take}}},
		"without a function":        {{Name: "x", Venues: &flow.VenueKind{}, Events: map[string]flow.TakeEvent{"warmth": nil}}},
	} {
		if _, err := event.New(flows...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyTellAtOnce: the latest counts whatever the order (with -race).
func TestManyTellAtOnce(t *testing.T) {
	p := start(t)
	now := time.Now()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			p.send(batch, "["+warmth(fmt.Sprint(i%20), now.Add(time.Duration(i%20)*time.Millisecond), i%20)+"]")
		})
	}
	all.Wait()
	if got := p.degrees("east"); got != 19 {
		t.Errorf("it is %d degrees", got)
	}
}
