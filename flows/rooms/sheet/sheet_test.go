package sheet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

var (
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	stay = offer.Stay{Arrival: offer.DateOf(noon), Nights: 2, Guests: 2}
)

func config() sheet.Config {
	return sheet.Config{Currency: "CNY", Stays: 8, MaxBytes: 64 << 20, Answers: 64, Retry: 2 * time.Second}
}

// town returns n hotels at random within some kilometres of 30.25, 120.15; some at the same point.
func town(n int) []sheet.Hotel {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	hotels := make([]sheet.Hotel, n)
	for i := range hotels {
		h := &hotels[i]
		*h = sheet.Hotel{ID: fmt.Sprintf("hotel-%06d", i), Name: gateway.Text{Zh: fmt.Sprintf("“湖滨”%d号", i), En: fmt.Sprintf(`The "Lakeside" %d`, i)},
			Lat: 30.25 + r.NormFloat64()*0.03, Lon: 120.15 + r.NormFloat64()*0.03, Location: time.FixedZone("CST", 8*60*60)}
		h.Bookable = i%3 == 0
		if i%2 == 0 {
			h.Kinds = map[string]gateway.Text{"STD": {Zh: "标准间", En: "Standard"}}
		}
		if i%5 == 4 {
			h.Lat, h.Lon = hotels[i-1].Lat, hotels[i-1].Lon
		}
	}
	return hotels
}

// newCity makes a city of n hotels that knows nothing, and its model.
func newCity(tb interface{ Fatal(args ...any) }, cfg sheet.Config, n int) (*sheet.City, *model) {
	hotels := town(n)
	c, err := sheet.New(cfg, hotels)
	if err != nil {
		tb.Fatal(err)
	}
	return c, &model{currency: cfg.Currency, retry: cfg.Retry, hotels: hotels, known: map[offer.Stay]map[int32]*fact{}}
}

// chance draws a source of what it would take long to draw one by one.
func chance(t *rapid.T) *rand.Rand { return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) }

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// menu draws what a hotel says.
func menu(r *rand.Rand, asOf time.Time) *offer.Answer {
	offers := make([]offer.Offer, r.IntN(oneOf(r, 5, 5, 5, 30))) // few are sorted in another way than many
	for i := range offers {
		offers[i] = offer.Offer{Kind: oneOf(r, "STD", "DLX", "大床"), Name: oneOf(r, "", "Deluxe", "</b>\x01"), Plan: oneOf(r, "", "BAR", "BB"),
			Free: r.IntN(3), AtLeast: oneOf(r, false, true), Total: gateway.Money{Minor: r.Int64N(6), Currency: oneOf(r, "CNY", "CNY", "EUR", "")},
			Guests: r.IntN(4), Accessible: oneOf(r, false, true), Breakfast: oneOf(r, false, true), TaxIncluded: oneOf(r, false, true)}
	}
	return &offer.Answer{AsOf: asOf, Offers: offers, More: oneOf(r, false, false, true)}
}

// found draws what asking a hotel came to.
func found(r *rand.Rand, now time.Time) sheet.Found {
	ms := func(least, most int) time.Time {
		return now.Add(time.Duration(least+r.IntN(most-least+1)) * time.Millisecond)
	}
	if r.IntN(5) == 0 {
		return sheet.Found{Reason: oneOf(r, call.TimedOut, call.BreakerOpen), Usable: ms(0, 2000), State: gateway.Missing}
	}
	return sheet.Found{Answer: menu(r, ms(-5000, 0)), Fresh: ms(-1000, 4000), Usable: ms(-1000, 8000), State: oneOf(r, gateway.Live, gateway.Cached, gateway.Stale),
		Note: oneOf(r, nil, nil, []byte(`,"note":"said"`))}
}

func stays(t *rapid.T) offer.Stay {
	return offer.Stay{Arrival: stay.Arrival + offer.Date(rapid.IntRange(0, 1).Draw(t, "arrival")), Nights: uint16(rapid.IntRange(1, 2).Draw(t, "nights")), Guests: 2}
}

func query(t *rapid.T) sheet.Query {
	r := chance(t)
	return sheet.Query{Lat: 30.25, Lon: 120.15 + float64(r.IntN(3)-1)*0.01, Radius: oneOf[float64](r, 100, 2000, 4000, 20_000), Stay: stays(t),
		MaxPrice: oneOf[int64](r, 0, 0, 2, 4), Accessible: r.IntN(4) == 0, Breakfast: r.IntN(4) == 0, ByPrice: oneOf(r, false, true),
		Limit: 1 + r.IntN(12), Lang: oneOf(r, "zh-CN", "en")}
}

// TestSearchesAnswerAsANaiveOneDoes holds whole histories of puts, what is forgotten, time that passes and searches, with and without
// somebody who is asked, page by page and the same again, to a model that does everything anew.
func TestSearchesAnswerAsANaiveOneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const hotels = 30
		city, naive := newCity(t, config(), hotels)
		now := noon
		put := func(t *rapid.T) {
			s, r := stays(t), chance(t)
			for range rapid.IntRange(1, hotels).Draw(t, "puts") {
				ordinal, f := int32(r.IntN(hotels)), found(r, now)
				city.Put(s, ordinal, f, now)
				naive.put(s, ordinal, f, now)
			}
		}
		var last sheet.Query
		search := func(t *rapid.T) {
			if last.Limit == 0 || rapid.Bool().Draw(t, "another") {
				last = query(t)
			}
			for q := last; ; {
				text := compare(t, city, naive, &q, now)
				if text == "" {
					return
				}
				q.After = read(text)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": put, "search": search, "search again": search,
			"fill": func(t *rapid.T) {
				s, r := stays(t), chance(t)
				for i := range int32(hotels) {
					f := sheet.Found{Answer: menu(r, now), Fresh: now.Add(time.Second), Usable: now.Add(3 * time.Second)}
					city.Put(s, i, f, now)
					naive.put(s, i, f, now)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond)
			},
			"forget": func(t *rapid.T) {
				from := stay.Arrival + offer.Date(rapid.IntRange(-1, 3).Draw(t, "from"))
				ordinal, to := int32(rapid.IntRange(0, hotels-1).Draw(t, "hotel")), from+offer.Date(rapid.IntRange(0, 2).Draw(t, "days"))
				at := now.Add(-time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms ago")) * time.Millisecond)
				city.Forget(ordinal, from, to, at)
				naive.forget(ordinal, from, to, at)
			},
		})
	})
}

// compare searches at both, as a flow does: what is kept, else what is known, else by asking. It returns the cursor.
func compare(t *rapid.T, city *sheet.City, naive *model, q *sheet.Query, now time.Time) (next string) {
	key := fmt.Appendf(nil, "%+v %+v", *q, q.After)
	if q.After != nil {
		key = fmt.Appendf(key, "%+v", *q.After)
	}
	var got []byte
	if w := city.Kept(key, now); w != nil {
		want, open, due := naive.search(q, now, nil)
		if len(open) > 0 || string(w.Body) != string(want) || !sameSet(city.Due(nil, w, now), due) {
			t.Fatalf("kept for %+v:\n%s\nwant, with %d open and %v due:\n%s", *q, w.Body, len(open), due, want)
		}
		got = w.Body
	} else {
		got = lookAndCompare(t, city, naive, q, now, key)
	}
	var answer wireAnswer
	if err := json.Unmarshal(got, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Cursor
}

func lookAndCompare(t *rapid.T, city *sheet.City, naive *model, q *sheet.Query, now time.Time, key []byte) []byte {
	p := city.Look(q, now)
	defer p.Release()
	want, open, due := naive.search(q, now, nil)
	if !slices.Equal(p.Open, open) || !sameSet(p.Due, due) {
		t.Fatalf("%+v: open %v, want %v; due %v, want %v", *q, p.Open, open, p.Due, due)
	}
	if len(open) > 0 && rapid.Bool().Draw(t, "asks") {
		live, r := map[int32]sheet.Found{}, chance(t)
		for k, ordinal := range open {
			live[ordinal] = found(r, now)
			p.Found(k, live[ordinal])
		}
		want, _, _ = naive.search(q, now, live)
		for ordinal, f := range live {
			naive.put(q.Stay, ordinal, f, now)
		}
	}
	got := slices.Clone(p.Write(cursor))
	if string(got) != string(want) {
		t.Fatalf("%+v:\n%s\nwant\n%s", *q, got, want)
	}
	city.Keep(key, p)
	return got
}

func sameSet(a, b []int32) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestPagesStayStable: whatever changes at some hotels between one page and the next, every other one is on exactly one of them.
func TestPagesStayStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const hotels = 30
		city, _ := newCity(t, config(), hotels)
		put := func(i int32, price int64, free int) {
			city.Put(stay, i, sheet.Found{Fresh: noon.Add(time.Hour), Answer: &offer.Answer{AsOf: noon,
				Offers: []offer.Offer{{Kind: "STD", Free: free, Total: gateway.Money{Minor: price, Currency: "CNY"}}}}}, noon)
		}
		r := chance(t)
		price := func() int64 { return 1 + r.Int64N(9) }
		for i := range int32(hotels) {
			put(i, price(), 1)
		}
		q := query(t)
		q.Stay, q.MaxPrice, q.Accessible, q.Breakfast = stay, 0, false, false
		changed, seen := map[string]bool{}, map[string]int{}
		var all []int32
		for first := true; first || q.After != nil; first = false {
			p := city.Look(&q, noon)
			var answer wireAnswer
			if err := json.Unmarshal(p.Write(cursor), &answer); err != nil {
				t.Fatal(err)
			}
			if first {
				all = append(all, ordinals(city, q)...)
			}
			p.Release()
			for _, h := range answer.Hotels {
				seen[h.Hotel]++
			}
			q.After = nil
			if answer.Cursor != "" {
				q.After = read(answer.Cursor)
			}
			for range r.IntN(4) {
				i := int32(r.IntN(hotels))
				put(i, price(), r.IntN(2))
				changed[city.Hotel(i)] = true
			}
		}
		for _, i := range all {
			if id := city.Hotel(i); !changed[id] && seen[id] != 1 {
				t.Fatalf("%s has not changed and was answered %d times; changed are %v", id, seen[id], changed)
			}
		}
	})
}

// ordinals returns the hotels of q's circle.
func ordinals(city *sheet.City, q sheet.Query) []int32 {
	q.Stay = offer.Stay{Arrival: 1, Nights: 1, Guests: 1} // nothing is known of it
	p := city.Look(&q, noon)
	defer p.Release()
	return slices.Clone(p.Open)
}
