package sheet_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// around is a search of everything near the middle of the town.
func around(radius float64, limit int) *sheet.Query {
	return &sheet.Query{Lat: 30.25, Lon: 120.15, Radius: radius, Stay: stay, Limit: limit, Lang: "en"}
}

// rooms is what a hotel says that has so many rooms, fresh for a minute and usable for two.
func rooms(free int, asOf time.Time) sheet.Found {
	offers := make([]offer.Offer, 4)
	for i := range offers {
		offers[i] = offer.Offer{Kind: "STD", Name: "Standard", Plan: fmt.Sprintf("BAR%d", i), Free: free, Total: gateway.Money{Minor: int64(45_000 + 1000*i), Currency: "CNY"}, Guests: 2, Breakfast: i > 1, TaxIncluded: true}
	}
	return sheet.Found{Answer: &offer.Answer{AsOf: asOf, Offers: offers}, State: gateway.Live, Fresh: asOf.Add(time.Minute), Usable: asOf.Add(2 * time.Minute)}
}

// filled is a town of n hotels that have all said what they have.
func filled(tb testing.TB, cfg sheet.Config, n int) *sheet.City {
	tb.Helper()
	city, _ := newCity(tb, cfg, n)
	for i := range int32(n) {
		if !city.Put(stay, i, rooms(1, noon), noon) {
			tb.Fatalf("hotel %d is not kept", i)
		}
	}
	return city
}

// keep searches until the answer is kept.
func keep(tb testing.TB, city *sheet.City, key string, q *sheet.Query, now time.Time) *sheet.Whole {
	tb.Helper()
	for range 2 {
		p := city.Look(q, now)
		p.Write(cursor)
		city.Keep([]byte(key), p)
		p.Release()
	}
	w := city.Kept([]byte(key), now)
	if w == nil {
		tb.Fatal("the answer is not kept")
	}
	return w
}

// TestFreshnessIsExact: to the nanosecond, also of an answer that is kept whole.
func TestFreshnessIsExact(t *testing.T) {
	city, _ := newCity(t, config(), 1)
	fresh, usable := noon.Add(time.Minute), noon.Add(2*time.Minute)
	f := rooms(1, noon)
	f.Answer.AsOf = noon
	city.Put(stay, 0, f, noon)
	q := around(50_000, 5)
	for _, at := range []struct {
		now  time.Time
		want sheet.Count
		open int
		due  int
	}{
		{noon, sheet.Count{Cached: 1}, 0, 0},
		{fresh.Add(-1), sheet.Count{Cached: 1}, 0, 0},
		{fresh, sheet.Count{Stale: 1}, 0, 1},
		{fresh.Add(2*time.Second - 1), sheet.Count{Stale: 1}, 0, 0},
		{fresh.Add(2 * time.Second), sheet.Count{Stale: 1}, 0, 1},
		{usable.Add(-1), sheet.Count{Stale: 1}, 0, 1},
		{usable, sheet.Count{Missing: 1}, 1, 0},
	} {
		due := 0
		for range 4 { // the third and the fourth time by the whole answer
			if w := city.Kept([]byte("k"), at.now); w != nil {
				if due += len(city.Due(nil, w, at.now)); w.Count != at.want {
					t.Errorf("%s: kept is %+v, want %+v", at.now.Sub(noon), w.Count, at.want)
				}
				continue
			}
			p := city.Look(q, at.now)
			body := string(p.Write(cursor))
			if due += len(p.Due); p.Count != at.want || len(p.Open) != at.open {
				t.Errorf("%s: %+v, %d open, want %+v, %d", at.now.Sub(noon), p.Count, len(p.Open), at.want, at.open)
			}
			if complete := at.want.Missing == 0; strings.HasPrefix(body, `{"complete":true`) != complete || strings.Contains(body, `"free"`) != complete {
				t.Errorf("%s: %s", at.now.Sub(noon), body)
			}
			city.Keep([]byte("k"), p)
			p.Release()
		}
		if due != at.due {
			t.Errorf("%s: due %d times, want %d", at.now.Sub(noon), due, at.due)
		}
	}
}

// TestAWholeAnswerHoldsWhileItsCircleDoes: what changes elsewhere, even in the same stay, leaves it alone; what changes at a hotel of the
// circle, shown or not, ends it.
func TestAWholeAnswerHoldsWhileItsCircleDoes(t *testing.T) {
	city := filled(t, config(), 200)
	q := around(1500, 2)
	inside := ordinals(city, *q)
	if len(inside) < 5 || len(inside) > 150 {
		t.Fatalf("%d hotels in the circle", len(inside))
	}
	outside := int32(0)
	for in := true; in; {
		outside++
		in = false
		for _, i := range inside {
			in = in || i == outside
		}
	}
	if city.Kept([]byte("k"), noon) != nil {
		t.Fatal("an answer is kept that nobody gave")
	}
	w := keep(t, city, "k", q, noon)
	city.Put(stay, outside, rooms(7, noon.Add(time.Second)), noon)
	if city.Kept([]byte("k"), noon) != w || city.Kept([]byte("k"), noon) != w {
		t.Error("the answer has gone with what isn't in its circle")
	}
	for n, i := range inside {
		keep(t, city, "k", q, noon)
		if n%2 == 0 {
			city.Put(stay, i, rooms(7, noon.Add(2*time.Second)), noon)
		} else {
			city.Forget(i, stay.Arrival, stay.Arrival+1, noon.Add(time.Hour))
		}
		if city.Kept([]byte("k"), noon) != nil {
			t.Errorf("the answer is kept after hotel %d of %d has changed", n, len(inside))
		}
		city.Put(stay, i, rooms(1, noon.Add(2*time.Hour)), noon)
	}
}

// TestAPositionIsGoodWithoutItsHotel: those behind it come, and none before it.
func TestAPositionIsGoodWithoutItsHotel(t *testing.T) {
	hotels := town(9)
	for i := range hotels {
		hotels[i].Lat, hotels[i].Lon = 30.25, 120.15
	}
	for gone := range hotels {
		city, err := sheet.New(config(), append(hotels[:gone:gone], hotels[gone+1:]...))
		if err != nil {
			t.Fatal(err)
		}
		for i := range int32(len(hotels) - 1) {
			city.Put(stay, i, rooms(1, noon), noon)
		}
		q := around(10, 20)
		q.After = &sheet.Position{Hotel: hotels[gone].ID}
		p := city.Look(q, noon)
		var answer wireAnswer
		if err := json.Unmarshal(p.Write(cursor), &answer); err != nil {
			t.Fatal(err)
		}
		p.Release()
		if n := len(hotels) - 1 - gone; len(answer.Hotels) != n || n > 0 && answer.Hotels[0].Hotel != hotels[gone+1].ID {
			t.Errorf("behind hotel %d, which is gone, come %d: %+v", gone, len(answer.Hotels), answer.Hotels)
		}
	}
}

// TestWhatWasAskedForIsNotKeptWhole, since it says live; but the next search has it from the sheet.
func TestWhatWasAskedForIsNotKeptWhole(t *testing.T) {
	city, _ := newCity(t, config(), 3)
	q := around(50_000, 5)
	for range 3 {
		p := city.Look(q, noon)
		for k := range p.Open {
			p.Found(k, rooms(1, noon.Add(-time.Second)))
		}
		p.Write(cursor)
		if len(p.Open) > 0 && (p.Count != sheet.Count{Live: 3} || city.Keep([]byte("k"), p)) {
			t.Errorf("%+v, and kept", p.Count)
		}
		p.Release()
	}
	if w := keep(t, city, "k", q, noon); w.Count != (sheet.Count{Cached: 3}) {
		t.Errorf("kept is %+v", w.Count)
	}
}

// TestNothingFoundIsSaidUntilUsable, and never covers what is known.
func TestNothingFoundIsSaidUntilUsable(t *testing.T) {
	city, _ := newCity(t, config(), 2)
	city.Put(stay, 0, rooms(1, noon), noon)
	for i := range int32(2) {
		city.Put(stay, i, sheet.Found{Reason: call.BreakerOpen, Usable: noon.Add(time.Second)}, noon)
	}
	p := city.Look(around(50_000, 5), noon)
	if body := string(p.Write(cursor)); len(p.Open) > 0 || !strings.Contains(body, `"missing":[{"hotel":"hotel-000001","reason":"breaker-open"}]`) || p.Count.Cached != 1 {
		t.Errorf("open %v: %s", p.Open, body)
	}
	p.Release()
	if p = city.Look(around(50_000, 5), noon.Add(time.Second)); len(p.Open) != 1 {
		t.Errorf("after its time, open are %v", p.Open)
	}
	p.Release()
}

// TestETagsAreOfTheBytes: equal answers of two cities have the same, another answer another.
func TestETagsAreOfTheBytes(t *testing.T) {
	one, two := filled(t, config(), 20), filled(t, config(), 20)
	a, b := keep(t, one, "k", around(50_000, 5), noon), keep(t, two, "k", around(50_000, 5), noon)
	if a.ETag != b.ETag || !bytes.Equal(a.Body, b.Body) || len(a.ETag) != 18 {
		t.Errorf("%s and %s", a.ETag, b.ETag)
	}
	if c := keep(t, one, "other", around(50_000, 6), noon); c.ETag == a.ETag {
		t.Errorf("another answer has the same ETag %s", c.ETag)
	}
}

// TestSearchesAllocate nothing for an answer that is kept, and for another one its ETag.
func TestSearchesAllocate(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	city := filled(t, config(), 1000)
	q := *around(2500, 20)
	keep(t, city, "k", &q, noon)
	key, due := []byte("k"), make([]int32, 0, 8)
	if n := testing.AllocsPerRun(100, func() {
		w := city.Kept(key, noon)
		due = city.Due(due[:0], w, noon)
	}); n != 0 {
		t.Errorf("the same search: %v allocations", n)
	}
	i := 0
	for _, byPrice := range []bool{false, true} {
		q.ByPrice, q.MaxPrice = byPrice, 46_000
		if n := testing.AllocsPerRun(100, func() {
			i++
			q.Lat = 30.25 + float64(i)*1e-5
			p := city.Look(&q, noon)
			p.Write(func(dst []byte, last sheet.Position) []byte { return append(dst, last.Hotel...) })
			key[0] = byte(i)
			city.Keep(key, p)
			p.Release()
		}); n > 2 {
			t.Errorf("another search, by price %v: %v allocations", byPrice, n)
		}
	}
}

// TestSearchesAndPutsAtOnce: whoever searches after a Put has returned sees it, or what came later, in whole answers too; every answer is
// whole. Stays come and go meanwhile.
func TestSearchesAndPutsAtOnce(t *testing.T) {
	const hotels, searchers, rounds = 40, 4, 300
	cfg := config()
	cfg.Stays = 2
	city := filled(t, cfg, hotels)
	var said [hotels]atomic.Int64 // rooms that have been put
	var done atomic.Bool
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for n := range rounds {
				for i := w; i < hotels; i += 2 {
					city.Put(stay, int32(i), rooms(n+2, noon.Add(time.Duration(n+1))), noon)
					said[i].Store(int64(n + 2))
				}
				other := stay
				other.Nights = uint16(3 + n%3)
				city.Put(other, int32(w), rooms(1, noon), noon)
				city.Forget(int32(w), other.Arrival+2, other.Departure(), noon.Add(1))
			}
		})
	}
	for range searchers {
		readers.Go(func() {
			for !done.Load() {
				var least [hotels]int64
				for i := range least {
					least[i] = said[i].Load()
				}
				if err := searchOnce(city, &least); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// searchOnce searches as a flow does, and holds the answer to what had been put before. A stay that went for another one is open.
func searchOnce(city *sheet.City, least *[40]int64) error {
	key := []byte("k")
	var body []byte
	if w := city.Kept(key, noon); w != nil {
		body = w.Body
	} else {
		p := city.Look(around(50_000, 100), noon)
		defer p.Release()
		body = p.Write(cursor)
		city.Keep(key, p)
	}
	var answer wireAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	for _, h := range answer.Hotels {
		i, _ := city.Ordinal(h.Hotel)
		for _, o := range h.Offers {
			if int64(o.Free) < least[i] || o.Free != h.Offers[0].Free {
				return fmt.Errorf("%s is said to have %d rooms, and had %d before", h.Hotel, o.Free, least[i])
			}
		}
	}
	return nil
}

// TestMemoryIsBounded: stays go by when they were last searched, and their whole answers with them; what doesn't fit isn't kept.
func TestMemoryIsBounded(t *testing.T) {
	cfg := config()
	cfg.Stays = 3
	city, _ := newCity(t, cfg, 50)
	at := func(n int) offer.Stay { s := stay; s.Nights = uint16(n); return s }
	for n := 1; n <= 3; n++ {
		city.Put(at(n), 0, rooms(1, noon), noon.Add(time.Duration(n)*time.Minute))
	}
	q := around(50_000, 5)
	q.Stay = at(1)
	city.Look(q, noon.Add(4*time.Minute)).Release() // 2 is now the least recently searched
	gone := around(1, 5)
	gone.Stay = at(2)
	keep(t, city, "k", gone, noon)
	city.Put(at(4), 0, rooms(1, noon), noon.Add(5*time.Minute))
	if city.Kept([]byte("k"), noon) != nil || city.Stats().Answers != 0 {
		t.Error("an answer is kept of a stay that is not")
	}
	for n, want := range map[int]int{1: 1, 2: 0, 3: 1, 4: 1} {
		found := 0
		for _, s := range city.Stays(nil, 0, math.MinInt32, math.MaxInt32) {
			if s == at(n) {
				found++
			}
		}
		if found != want {
			t.Errorf("the stay of %d nights is kept %d times, want %d", n, found, want)
		}
	}
	cfg.MaxBytes, cfg.Stays = 1<<20, 100
	city, _ = newCity(t, cfg, 2000)
	refused := 0
	for n := 1; n <= 4; n++ {
		for i := range int32(2000) {
			if !city.Put(at(n), i, rooms(1, noon), noon.Add(time.Duration(n)*time.Minute)) {
				refused++
			}
			if s := city.Stats(); s.Bytes > s.MaxBytes || s.Bytes < 0 {
				t.Fatalf("%+v", s)
			}
		}
	}
	if s := city.Stats(); refused == 0 || s.Stays != 1 || s.Bytes < s.MaxBytes*9/10 {
		t.Errorf("%d refused, %+v", refused, s)
	}
}

// TestAWrongConfigurationIsRefused, and hotels that are out of order, twice there or nowhere.
func TestAWrongConfigurationIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*sheet.Config){
		"currency": func(c *sheet.Config) { c.Currency = "" }, "stays": func(c *sheet.Config) { c.Stays = 0 }, "max_bytes": func(c *sheet.Config) { c.MaxBytes = 1000 },
		"answers": func(c *sheet.Config) { c.Answers = -1 }, "retry": func(c *sheet.Config) { c.Retry = 0 },
	} {
		cfg := config()
		spoil(&cfg)
		if _, err := sheet.New(cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, hotels := range [][]sheet.Hotel{{{ID: "b"}, {ID: "a"}}, {{ID: "a"}, {ID: "a"}}, {{ID: "a", Lat: 91}}} {
		if _, err := sheet.New(config(), hotels); err == nil {
			t.Errorf("%v are taken", hotels)
		}
	}
}
