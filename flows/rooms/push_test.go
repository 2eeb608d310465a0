package rooms_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
	"github.com/warmgate/warmgate/gateway/event"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

// The middle of the town that tells.
const pushLat, pushLon = 30.25, 120.15

// teller is a town of one hotel, which tells of its nights; it has the kinds STD for two and STE for four.
type teller struct {
	*roomstest.Town
	token string
	told  int
}

// tell starts such a town. change changes the gateway's file, push is YAML of the hotel's section.
func tell(t *testing.T, change func(string) string, push string) *teller {
	t.Helper()
	return tellOf(t, change, push+"  kinds: { STD: { name: { zh: 标准间, en: Standard }, guests: 2 }, STE: { guests: 4 } }\n")
}

// tellOf starts such a town, with all of the hotel's section.
func tellOf(t *testing.T, change func(string) string, section string) *teller {
	t.Helper()
	flows := roomstest.Flows(t)
	door, err := event.New(flows...)
	if err != nil {
		t.Fatal(err)
	}
	hotel := roomstest.Hotel{ID: "zero", Lat: pushLat, Lon: pushLon, Types: []ohip.TwinType{{Code: "STD"}, {Code: "STE"}},
		Rooms:   []ohip.TwinRoom{{ID: "1", Type: "STD"}, {ID: "2", Type: "STD"}, {ID: "3", Type: "STE"}},
		Section: section}
	c := &teller{Town: roomstest.StartWith(t, append(flows, door), change, hotel)}
	c.token = c.TokenOf("hangzhou", "backend:events", "zero")
	return c
}

// night is the data of an event.
func night(kind string, in, free int, price int64) string {
	s := fmt.Sprintf(`{"kind":%q,"night":%q,"free":%d`, kind, roomstest.Day(in), free)
	if price > 0 {
		s += fmt.Sprintf(`,"price":{"minor":%d,"currency":"CNY"}`, price)
	}
	return s + "}"
}

// event is an event of a night, of so long ago.
func (c *teller) event(ago time.Duration, data string) string {
	c.told++
	return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"//pms.example/zero","type":%q,"time":%q,"data":%s}`,
		c.told, rooms.EventNight, time.Now().Add(-ago).Format(time.RFC3339Nano), data)
}

func (c *teller) post(venue, token, media, body string) flowtest.Answer {
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/backends/" + venue + "/events", Token: token, Key: "-", Body: body,
		Header: map[string]string{"Content-Type": media}})
}

// push tells of nights, all of so long ago, as one batch, all of which has to be taken.
func (c *teller) push(ago time.Duration, nights ...string) {
	c.T.Helper()
	events := make([]string, len(nights))
	for i, n := range nights {
		events[i] = c.event(ago, n)
	}
	a := c.post("zero", c.token, "application/cloudevents-batch+json", "["+strings.Join(events, ",")+"]")
	if a.Status != 200 || strings.Count(a.Text, `"taken"`) != len(nights) {
		c.T.Fatalf("%d %s", a.Status, a.Text)
	}
}

// find searches for two nights from tomorrow and says what there is: KIND free total; and the hotel itself.
func (c *teller) find(more ...string) (string, roomstest.Found, string) {
	c.T.Helper()
	a := c.Search(roomstest.Query(pushLat, pushLon, append([]string{"nights", "2"}, more...)...))
	if a.Status != 200 {
		c.T.Fatalf("%d %s", a.Status, a.Text)
	}
	if len(a.Hotels) == 0 {
		return fmt.Sprintf("nothing, %d missing", len(a.Missing)), roomstest.Found{}, a.Text
	}
	var all []string
	for _, o := range a.Hotels[0].Offers {
		s := fmt.Sprintf("%s %d %d", o.Kind, o.Free, o.Total.Minor)
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return strings.Join(all, ", "), a.Hotels[0], a.Text
}

func (c *teller) dial(d twin.Dial) {
	c.T.Helper()
	if err := c.Twins.Dial(roomstest.OHIP, "zero", d); err != nil {
		c.T.Fatal(err)
	}
}

// TestWhatIsToldIsInTheNextSearch: an answer of the hotel that is known counts no more where something later was told.
func TestWhatIsToldIsInTheNextSearch(t *testing.T) {
	c := tell(t, nil, "")
	before, _, text := c.find()
	if !strings.Contains(before, "STD 2 ") || !strings.Contains(before, "STE 1 ") || strings.Contains(text, "contradictions") {
		t.Fatalf("before: %s", text)
	}
	c.find() // it is kept as a whole now
	c.push(0, night("STD", 2, 1, 0))
	if got, h, text := c.find(); !strings.Contains(got, "STD 1 ") || !strings.Contains(got, "STE 1 ") || h.State == "live" || strings.Contains(text, "contradictions") {
		t.Errorf("one is left: %s", text)
	}
	c.push(0, night("STD", 1, 0, 0))
	got, _, text := c.find()
	if strings.Contains(got, "STD") || !strings.Contains(got, "STE 1 ") || !strings.Contains(text, `"contradictions":[{"kind":"STD","pushed":"full","pushed_at":"`) || !strings.Contains(text, `"counts":"push"`) {
		t.Errorf("none is left: %s", text)
	}
	if got, _, text := c.find("check_in", roomstest.Day(3)); !strings.Contains(got, "STD 2 ") || strings.Contains(text, "contradictions") {
		t.Errorf("other nights: %s", text)
	}
	c.push(0, night("STD", 1, 2, 12300), night("STD", 2, 2, 12400))
	if got, _, text := c.find(); !strings.Contains(got, "STD 2 24700") {
		t.Errorf("they are free again, at another price: %s", text)
	}
}

// TestTheHotelsLaterAnswerCounts, and what was told before is said to contradict it.
func TestTheHotelsLaterAnswerCounts(t *testing.T) {
	c := tell(t, nil, "")
	c.push(time.Minute, night("STD", 1, 0, 0))
	got, h, text := c.find()
	if !strings.Contains(got, "STD 2 ") || h.State != "live" || !strings.Contains(text, `"pushed":"full"`) || !strings.Contains(text, `"counts":"pms"`) {
		t.Errorf("the hotel says later that some are free: %s", text)
	}
}

// TestAFullHotelSaysThatItsSourcesContradict: it has nothing, as it has told, while its system has said that there is something.
// Of a hotel that its system calls full as well nothing is said.
func TestAFullHotelSaysThatItsSourcesContradict(t *testing.T) {
	c := tellOf(t, nil, "  kinds: { STD: { guests: 2 }, STE: { guests: 4 }, TENT: { guests: 2 } }\n")
	if got, _, text := c.find(); !strings.Contains(got, "STD 2 ") {
		t.Fatalf("before: %s", text)
	}
	c.push(0, night("STD", 1, 0, 0), night("STE", 2, 0, 0)) // and nothing of tents, so that the hotel is asked
	for range 3 {                                           // the last time it is kept as a whole
		got, _, text := c.find()
		if got != "nothing, 0 missing" || !strings.Contains(text, `"hotels":[],"full":[{"hotel":"zero","name":"Hotel zero","bookable":true,"distance_m":0,"contradictions":[{"kind":"STD","pushed":"full",`) ||
			strings.Count(text, `"counts":"push"`) != 2 {
			t.Errorf("the hotel is full: %s", text)
		}
	}
	if _, _, text := c.find("max_price", "1", "check_in", roomstest.Day(3)); strings.Contains(text, `"full"`) {
		t.Errorf("it is only too dear: %s", text)
	}
}

// TestAHotelThatIsNotSearchedTakesNoNights: it has kiosks, and no section rooms.
func TestAHotelThatIsNotSearchedTakesNoNights(t *testing.T) {
	var all []*flow.Flow
	for _, one := range []func() (*flow.Flow, error){checkin.New, rooms.New, func() (*flow.Flow, error) { return event.New(all...) }} {
		f, err := one()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	c := checkintest.StartWith(t, checkintest.WithDoor(t, all...), nil, checkintest.Hotel{ID: "plain"})
	body := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/pms","type":%q,"time":%q,"data":%s}`, rooms.EventNight, time.Now().Format(time.RFC3339Nano), night("STD", 1, 1, 1))
	a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/backends/plain/events", Token: c.Token("pms", "backend:events"), Key: "-", Body: body,
		Header: map[string]string{"Content-Type": "application/cloudevents+json"}})
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Text, "rooms-not-searched") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
}

// TestWhatCoversAStayAsksNobody: the hotel's system is dead, and the answer is there, as old as what was told.
func TestWhatCoversAStayAsksNobody(t *testing.T) {
	c := tell(t, nil, "")
	c.dial(twin.Dial{Fault: twin.Hang})
	all := []string{night("STD", 1, 5, 10000), night("STD", 2, 4, 11000), night("STE", 1, 0, 0)}
	c.push(20*time.Minute, all[:2]...)
	c.push(0, all[2])
	began := time.Now()
	for range 3 {
		got, h, text := c.find()
		if age := time.Since(h.AsOf); got != "STD 4 21000" || h.State != "cached" || age < 20*time.Minute || age > 21*time.Minute || !strings.Contains(text, `"complete":true`) {
			t.Errorf("%s", text)
		}
	}
	if got, _, _ := c.find("guests", "4"); got != "nothing, 0 missing" {
		t.Errorf("for four: %s", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("somebody was asked: it took %v", took)
	}
	c.push(0, night("STD", 2, 3, 9000), night("STE", 1, 1, 50000), night("STE", 2, 1, 50000))
	if got, _, text := c.find(); got != "STD 3 19000, STE 1 100000" {
		t.Errorf("after more was told: %s", text)
	}
	if got, _, text := c.find("nights", "3"); got != "nothing, 1 missing" {
		t.Errorf("what is not covered: %s", text)
	}
}

// TestWhatWasToldTooLongAgoAnswersNothing: the hotel is asked.
func TestWhatWasToldTooLongAgoAnswersNothing(t *testing.T) {
	for push, want := range map[string]string{"  push: { fresh: 10m }\n": "live", "  push: { fresh: 0s }\n": "live", "  push: { fresh: 30m }\n": "cached"} {
		c := tell(t, nil, push)
		c.push(20*time.Minute, night("STD", 1, 2, 10000), night("STD", 2, 2, 10000), night("STE", 1, 1, 10000), night("STE", 2, 1, 10000))
		if _, h, text := c.find(); h.State != want {
			t.Errorf("%s: %s", push, text)
		}
	}
}

// TestNightsThatAreRefused: each by what is wrong, and nothing has changed.
func TestNightsThatAreRefused(t *testing.T) {
	c := tell(t, nil, "")
	good := night("STD", 1, 0, 1)
	with := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatal(old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, r := range map[string]struct {
		data   string
		status int
		want   string
	}{
		"no kind":         {with(`"kind":"STD",`, ""), 400, `"field":"data.kind"`},
		"unknown kind":    {with("STD", "XXX"), 422, "room-kind-unknown"},
		"no night":        {with(`"night":"`+roomstest.Day(1)+`",`, ""), 400, `"field":"data.night"`},
		"no day":          {with(roomstest.Day(1), "2026-02-30"), 400, `"field":"data.night"`},
		"yesterday":       {night("STD", -1, 0, 1), 400, `"field":"data.night"`},
		"years ahead":     {night("STD", 400, 0, 1), 400, `"field":"data.night"`},
		"no free":         {with(`"free":0,`, ""), 400, `"field":"data.free"`},
		"less than none":  {with(`"free":0`, `"free":-1`), 400, `"field":"data.free"`},
		"very many":       {with(`"free":0`, `"free":65536`), 400, `"field":"data.free"`},
		"half a room":     {with(`"free":0`, `"free":0.5`), 400, `"field":"data.free"`},
		"less than free":  {with(`"minor":1`, `"minor":-1`), 400, `"field":"data.price.minor"`},
		"very dear":       {with(`"minor":1`, `"minor":4294967296`), 400, `"field":"data.price.minor"`},
		"no currency":     {with(`"CNY"`, `""`), 400, `"field":"data.price.currency"`},
		"small letters":   {with(`"CNY"`, `"cny"`), 400, `"field":"data.price.currency"`},
		"something else":  {with(`"free":0`, `"free":0,"full":true`), 400, `"field":"data.full"`},
		"the future":      {"", 422, "event-in-future"},
		"ages ago":        {"", 422, "event-ancient"},
		"a night of ours": {night("STD", 0, 0, 1), 200, "taken"},
		"the last night":  {night("STD", 399, 0, 1), 200, "taken"},
	} {
		ago := map[string]time.Duration{"the future": -time.Minute, "ages ago": 25 * time.Hour}[name]
		if r.data == "" {
			r.data = good
		}
		a := c.post("zero", c.token, "application/cloudevents+json", c.event(ago, r.data))
		if a.Status != r.status || !strings.Contains(a.Text, r.want) {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
	for name, r := range map[string]struct {
		venue, token string
		status       int
	}{
		"another scope": {"zero", c.TokenOf("hangzhou", "rooms:read", "*"), 403}, "another hotel's": {"zero", c.TokenOf("hangzhou", "backend:events", "one"), 403},
		"an unknown hotel": {"nowhere", c.token, 404}, "another city": {"zero", c.TokenOf("suzhou", "backend:events", "*"), 404}, "nobody": {"zero", "", 401},
	} {
		if a := c.post(r.venue, r.token, "application/cloudevents+json", c.event(0, good)); a.Status != r.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Text)
		}
	}
	if got, _, text := c.find(); !strings.Contains(got, "STD 2 ") {
		t.Errorf("something has changed: %s", text)
	}
}

// TestWhatOneReplicaIsToldTheOthersKnow, and one that may have missed something asks the hotel again.
func TestWhatOneReplicaIsToldTheOthersKnow(t *testing.T) {
	s := redistest.Start(t)
	a, b := twoReplicas(t, s)
	heard := func(c *teller) func() bool {
		return func() bool { return strings.Contains(metrics(t, c.Admin), "\nwarmgate_redis_deaf 0\n") }
	}
	if got, _, text := b.find(); !strings.Contains(got, "STD 2 ") {
		t.Fatalf("before: %s", text)
	}
	b.dial(twin.Dial{Fault: twin.Hang})
	tellAll := func(free int) {
		a.push(0, night("STD", 1, free, 100), night("STD", 2, free, 100), night("STE", 1, 0, 0))
	}
	tellAll(1)
	for _, c := range []*teller{a, b} {
		c.Eventually("it is known", func() bool { got, h, _ := c.find(); return got == "STD 1 200" && h.State == "cached" })
	}
	s.Kill()
	b.Eventually("it may have missed something", func() bool { got, _, _ := b.find(); return got != "STD 1 200" })
	s.Restart()
	a.Eventually("both hear again", heard(a))
	b.Eventually("both hear again", heard(b))
	tellAll(2)
	b.Eventually("it is known", func() bool { got, _, _ := b.find(); return got == "STD 2 200" })
}

// metrics are those of a gateway.
func metrics(t *testing.T, admin string) string {
	t.Helper()
	r, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
