package known

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
)

const today = offer.Date(20787)

var (
	noon  = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	kinds = []Kind{{Code: "A", Name: "one", Guests: 2}, {Code: "B", Name: "two", Guests: 4, Accessible: true}, {Code: "C", Name: "three"}}
)

func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func yuan(n int64) gateway.Money { return gateway.Money{Minor: n, Currency: "CNY"} }

// drawNight draws a night out of few, so that they meet.
func drawNight(t *rapid.T) Night {
	n := Night{Kind: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "kind"), Night: today + offer.Date(rapid.SampledFrom([]int{0, 1, 2, 3, 12, 13, 399}).Draw(t, "night")),
		Free: rapid.IntRange(0, 4).Draw(t, "free"), At: at(rapid.IntRange(0, 8).Draw(t, "at"))}
	if c := rapid.SampledFrom([]string{"", "CNY", "CNY", "USD"}).Draw(t, "currency"); c != "" {
		n.Price = gateway.Money{Minor: rapid.Int64Range(0, 5).Draw(t, "price"), Currency: c}
	}
	return n
}

// model is the simplest that can be: everything that was told, each question looked up in all of it.
type model []Night

// of is what counts of a night: the latest, of those at once the one with the fewest rooms, then with the highest price.
func (m model) of(kind string, night offer.Date) (best Night, there bool) {
	for _, n := range m {
		if n.Kind != kind || n.Night != night {
			continue
		}
		better := !there || n.At.After(best.At)
		if there && n.At.Equal(best.At) {
			better = n.Free < best.Free || n.Free == best.Free && (n.Price.Currency > best.Price.Currency ||
				n.Price.Currency == best.Price.Currency && n.Price.Minor > best.Price.Minor)
		}
		if better {
			best, there = n, true
		}
	}
	return best, there
}

// fromPushes is what FromPushes has to say where everything is sure.
func (m model) fromPushes(stay offer.Stay, since time.Time) (offer.Answer, bool) {
	var a offer.Answer
	var times []time.Time
	for _, k := range kinds {
		if k.Guests > 0 && int(stay.Guests) > k.Guests {
			continue
		}
		full, sum, free, missing := time.Time{}, gateway.Money{}, MaxFree, k.Guests == 0 && stay.Guests > 1
		var own []time.Time
		for night := stay.Arrival; night < stay.Departure(); night++ {
			n, there := m.of(k.Code, night)
			if !there || n.At.Before(since) {
				missing = true
				continue
			}
			if n.Free == 0 && n.At.After(full) {
				full = n.At
			}
			if n.Price.Currency == "" || sum.Currency != "" && sum.Currency != n.Price.Currency {
				missing = true
			}
			sum.Currency, sum.Minor = n.Price.Currency, sum.Minor+n.Price.Minor
			free = min(free, n.Free)
			own = append(own, n.At)
		}
		switch {
		case !full.IsZero():
			times = append(times, full)
		case missing:
			return offer.Answer{}, false
		default:
			times = append(times, own...)
			a.Offers = append(a.Offers, offer.Offer{Kind: k.Code, Name: k.Name, Free: free, Total: sum, Guests: k.Guests, Accessible: k.Accessible, TaxIncluded: true})
		}
	}
	if len(times) == 0 {
		return offer.Answer{}, false
	}
	a.AsOf = slices.MinFunc(times, time.Time.Compare)
	return a, true
}

// bounds is between how many and how many rooms of a kind there are for a stay, when p are said to be free at least on
// each night of which nothing later was told.
func (m model) bounds(kind string, stay offer.Stay, asOf time.Time, p int) (least, most int, some bool) {
	least, most = MaxFree, MaxFree
	for night := stay.Arrival; night < stay.Departure(); night++ {
		if n, there := m.of(kind, night); there && n.At.After(asOf) {
			least, most, some = min(least, n.Free), min(most, n.Free), true
		} else {
			least = min(least, p)
		}
	}
	return least, most, some
}

func drawStay(t *rapid.T) offer.Stay {
	return offer.Stay{Arrival: today + offer.Date(rapid.IntRange(0, 13).Draw(t, "arrival")), Nights: uint16(rapid.IntRange(1, 3).Draw(t, "nights")),
		Guests: uint8(rapid.IntRange(1, 4).Draw(t, "guests"))}
}

// TestTheLatestCounts whatever the order, and however often: each fate is the model's, and in the end all orders are one.
func TestTheLatestCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(drawNight), 0, 60).Draw(t, "nights")
		k := New()
		for i, n := range all {
			before, there := model(all[:i]).of(n.Kind, n.Night)
			version := k.Of("h").Version()
			fate, h := k.Take("h", n, today)
			after, _ := model(all[:i+1]).of(n.Kind, n.Night)
			want := Older
			switch {
			case there && n == before:
				want = Same
			case n == after:
				want = Taken
			}
			if fate != want || h != k.Of("h") || (h.Version() > version) != (fate == Taken) || h.Version() < version {
				t.Fatalf("number %d, %+v: fate %d, want %d; version %d after %d", i, n, fate, want, h.Version(), version)
			}
		}
		shuffled := rapid.Permutation(append(slices.Clone(all), all[:len(all)/2]...)).Draw(t, "shuffled")
		other := New()
		for _, n := range shuffled {
			other.Take("h", n, today)
		}
		for range 5 {
			stay := drawStay(t)
			since := at(rapid.IntRange(-1, 9).Draw(t, "since"))
			want, wantOK := model(all).fromPushes(stay, since)
			for _, h := range []*Hotel{k.Of("h"), other.Of("h")} {
				got, ok := h.FromPushes(stay, kinds, since)
				if ok != wantOK || ok && (!got.AsOf.Equal(want.AsOf) || !slices.Equal(got.Offers, want.Offers)) {
					t.Fatalf("%+v since %v: got %+v %t, want %+v %t", stay, since, got, ok, want, wantOK)
				}
			}
		}
	})
}

// TestResolving holds what comes of an answer to the bounds of what both sources say, night by night.
func TestResolving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := model(rapid.SliceOfN(rapid.Custom(drawNight), 0, 40).Draw(t, "nights"))
		k := New()
		for _, n := range all {
			k.Take("h", n, today)
		}
		stay := drawStay(t)
		answer := offer.Answer{AsOf: at(rapid.IntRange(0, 8).Draw(t, "as of")).Add(time.Duration(rapid.IntRange(0, 999).Draw(t, "ns")))}
		for _, kind := range []string{"A", "B", "C", "D"} {
			if rapid.Bool().Draw(t, "offered") {
				answer.Offers = append(answer.Offers, offer.Offer{Kind: kind, Plan: "BAR", Free: rapid.IntRange(0, 4).Draw(t, "free"),
					AtLeast: rapid.Bool().Draw(t, "at least"), Total: yuan(rapid.Int64Range(0, 9).Draw(t, "total"))})
			}
		}
		given := slices.Clone(answer.Offers)
		got, said, latest := k.Of("h").Resolve(stay, kinds, answer)
		if !slices.Equal(given, answer.Offers) || !got.AsOf.Equal(answer.AsOf) {
			t.Fatal("the answer was changed")
		}
		newest := time.Time{}
		for _, kind := range []string{"A", "B", "C", "D"} {
			in := func(of []offer.Offer) offer.Offer {
				i := slices.IndexFunc(of, func(o offer.Offer) bool { return o.Kind == kind })
				return append(of, offer.Offer{Kind: kind})[max(i, min(0, i)*-len(of))]
			}
			was, is := in(answer.Offers), in(got.Offers)
			least, most, some := all.bounds(kind, stay, answer.AsOf, was.Free)
			price, whole := all.price(kind, stay, answer.AsOf)
			switch {
			case !some && is != was:
				t.Fatalf("%s: nothing later was told, and %+v became %+v", kind, was, is)
			case some && was.Free > 0 && (is.Free != least || is.AtLeast != (least < most)):
				t.Fatalf("%s: between %d and %d, and it says %+v", kind, least, most, is)
			case some && was.Free == 0 && is.Free > 0 != (whole && most > 0 && fits(kind, stay)):
				t.Fatalf("%s: %+v became %+v (%d to %d)", kind, was, is, least, most)
			case is.Free > 0 && whole && price.Currency == "CNY" && is.Total != price:
				t.Fatalf("%s: costs %v, told was %v", kind, is.Total, price)
			}
			all.holdContradiction(t, kind, stay, answer.AsOf, was.Free > 0, is.Free > 0, said)
			for night := stay.Arrival; night < stay.Departure(); night++ {
				if n, there := all.of(kind, night); there && n.At.After(answer.AsOf) && n.At.After(newest) {
					newest = n.At
				}
			}
		}
		if !latest.Equal(newest) {
			t.Fatalf("the latest is of %v, told is %v", newest, latest)
		}
	})
}

func fits(kind string, stay offer.Stay) bool {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Code == kind })
	return i >= 0 && (int(stay.Guests) <= kinds[i].Guests || stay.Guests == 1)
}

// price is what was told later than asOf of all nights of a stay.
func (m model) price(kind string, stay offer.Stay, asOf time.Time) (sum gateway.Money, whole bool) {
	for night := stay.Arrival; night < stay.Departure(); night++ {
		n, there := m.of(kind, night)
		if !there || !n.At.After(asOf) || n.Price.Currency == "" || night > stay.Arrival && n.Price.Currency != sum.Currency {
			return gateway.Money{}, false
		}
		sum.Currency, sum.Minor = n.Price.Currency, sum.Minor+n.Price.Minor
	}
	return sum, true
}

// holdContradiction: it is said exactly where one source has a kind free and the other full, and who won did.
func (m model) holdContradiction(t *rapid.T, kind string, stay offer.Stay, asOf time.Time, was, is bool, said []Contradiction) {
	full, whole := false, true
	for night := stay.Arrival; night < stay.Departure(); night++ {
		n, there := m.of(kind, night)
		full, whole = full || there && n.Free == 0, whole && there
	}
	i := slices.IndexFunc(said, func(c Contradiction) bool { return c.Kind == kind })
	if want := full && was || whole && !full && !was && fits(kind, stay); want != (i >= 0) {
		t.Fatalf("%s: full %t, whole %t, answered free %t: said %+v", kind, full, whole, was, said)
	}
	if i >= 0 && (said[i].Free == full || said[i].Wins != (is == said[i].Free)) {
		t.Fatalf("%s: told full %t, answered free %t, in the end free %t: said %+v", kind, full, was, is, said[i])
	}
}

// TestTheCheapestOfferGetsThePrice, and what was cheaper goes; other kinds and currencies stay.
func TestTheCheapestOfferGetsThePrice(t *testing.T) {
	k := New()
	stay := offer.Stay{Arrival: today, Nights: 2, Guests: 2}
	for n, price := range []int64{300, 350} {
		k.Take("h", Night{Kind: "A", Night: today + offer.Date(n), Free: 3, Price: yuan(price), At: at(5)}, today)
	}
	answer := offer.Answer{AsOf: at(4), Offers: []offer.Offer{
		{Kind: "A", Plan: "FLEX", Free: 5, Total: yuan(640)}, {Kind: "A", Plan: "BAR", Free: 5, Total: yuan(500)}, {Kind: "A", Plan: "BB", Free: 2, Total: yuan(900)},
		{Kind: "B", Plan: "BAR", Free: 1, Total: yuan(100)},
	}}
	want := []offer.Offer{
		{Kind: "A", Plan: "BAR", Free: 3, Total: yuan(650), TaxIncluded: true}, {Kind: "A", Plan: "BB", Free: 3, Total: yuan(900)},
		{Kind: "B", Plan: "BAR", Free: 1, Total: yuan(100)},
	}
	got, _, _ := k.Of("h").Resolve(stay, kinds, answer)
	if !slices.Equal(got.Offers, want) {
		t.Errorf("got %+v\nwant %+v", got.Offers, want)
	}
}

// TestWhatMayBeMissingAnswersNothing: while something may be missed, and what was told before; against an answer it counts.
func TestWhatMayBeMissingAnswersNothing(t *testing.T) {
	k := New()
	stay := offer.Stay{Arrival: today, Nights: 1, Guests: 2}
	tell := func(seconds int) {
		k.Take("h", Night{Kind: "A", Night: today, Free: 1, Price: yuan(1), At: at(seconds)}, today)
	}
	answers := func() bool { _, ok := k.Of("h").FromPushes(stay, kinds[:1], at(0)); return ok }
	tell(1)
	if !answers() {
		t.Fatal("it does not answer")
	}
	k.Whole(false)
	tell(2)
	if answers() {
		t.Error("it answers while some may be missed")
	}
	k.Whole(true)
	if answers() {
		t.Error("it answers from what was told before")
	}
	if _, said, latest := k.Of("h").Resolve(stay, kinds, offer.Answer{AsOf: at(1)}); !latest.Equal(at(2)) || len(said) != 1 {
		t.Errorf("it does not count: %+v, %v", said, latest)
	}
	if fate, _ := k.Take("h", Night{Kind: "A", Night: today, Free: 1, Price: yuan(1), At: at(2)}, today); fate != Taken || !answers() {
		t.Errorf("told again it does not answer: %d", fate)
	}
}

// TestAnOldWordIsNoContradiction: what was told more than a day before the answer says nothing against it.
func TestAnOldWordIsNoContradiction(t *testing.T) {
	k := New()
	stay := offer.Stay{Arrival: today, Nights: 1, Guests: 2}
	k.Take("h", Night{Kind: "A", Night: today, At: noon}, today)
	for after, want := range map[time.Duration]int{time.Hour: 1, 24 * time.Hour: 1, 24*time.Hour + 1e6: 0} {
		answer := offer.Answer{AsOf: noon.Add(after), Offers: []offer.Offer{{Kind: "A", Free: 2}}}
		if got, said, _ := k.Of("h").Resolve(stay, kinds, answer); len(said) != want || len(got.Offers) != 1 {
			t.Errorf("after %v: %+v, %+v", after, got, said)
		}
	}
}

// TestWhatIsKeptIsBounded: days that are over go, hotels that are gone too, and kinds have a limit.
func TestWhatIsKeptIsBounded(t *testing.T) {
	k := New()
	for day := today; day < today+3*Ahead; day++ {
		for _, ahead := range []offer.Date{0, 33, Ahead - 1} {
			k.Take("h", Night{Kind: "A", Night: day + ahead, Free: 1, At: noon}, day)
		}
		if n := k.Blocks(); n > Ahead/perBlock+2 {
			t.Fatalf("day %d: %d blocks", day-today, n)
		}
	}
	for i := range 2 * MaxKinds {
		fate, _ := k.Take("i", Night{Kind: fmt.Sprint(i), Night: today, At: noon}, today)
		if (fate == Full) != (i >= MaxKinds) {
			t.Fatalf("kind %d: %d", i, fate)
		}
	}
	k.Sweep(func(hotel string) (offer.Date, bool) { return today + 3*Ahead, hotel == "h" })
	if k.Of("i") != nil || k.Of("h") == nil || k.Blocks() > Ahead/perBlock+2 {
		t.Errorf("%d blocks are left", k.Blocks())
	}
	k.Sweep(func(string) (offer.Date, bool) { return today + 9*Ahead, true })
	if k.Blocks() != 0 {
		t.Errorf("%d blocks are left of days that are over", k.Blocks())
	}
	k.used.Store(blocks)
	if fate, _ := k.Take("j", Night{Kind: "A", Night: today, At: noon}, today); fate != Full || k.Blocks() != blocks {
		t.Errorf("over the limit: %d, %d blocks", fate, k.Blocks())
	}
	k.used.Store(blocks / 2)
	if fate, _ := k.Take("k", Night{Kind: "A", Night: today + soon, At: noon}, today); fate != Full || k.Blocks() != blocks/2 {
		t.Errorf("far ahead, and half is kept: %d, %d blocks", fate, k.Blocks())
	}
	if fate, _ := k.Take("k", Night{Kind: "A", Night: today + soon - 1, At: noon}, today); fate != Taken || k.Blocks() != blocks/2+1 {
		t.Errorf("soon, and half is kept: %d, %d blocks", fate, k.Blocks())
	}
}

// TestNothingToldIsNothing: a hotel that has told nothing leaves an answer as it is.
func TestNothingToldIsNothing(t *testing.T) {
	var h *Hotel
	stay := offer.Stay{Arrival: today, Nights: 1, Guests: 1}
	if _, ok := h.FromPushes(stay, kinds, at(0)); ok || h.Version() != 0 || New().Of("h") != nil {
		t.Error("nothing answers")
	}
	answer := offer.Answer{AsOf: at(1), Offers: []offer.Offer{{Kind: "A", Free: 1}}}
	if got, said, latest := h.Resolve(stay, kinds, answer); len(said) != 0 || !latest.IsZero() || !slices.Equal(got.Offers, answer.Offers) {
		t.Errorf("%+v %+v", got, said)
	}
}

// TestManyTellAndReadAtOnce: what is read never changes, versions only grow, and nothing is lost (with -race).
func TestManyTellAndReadAtOnce(t *testing.T) {
	k := New()
	var all sync.WaitGroup
	stay := offer.Stay{Arrival: today, Nights: 3, Guests: 1}
	for w := range 4 {
		all.Go(func() {
			for i := range 300 {
				k.Take("h", Night{Kind: "A", Night: today + offer.Date(i%3), Free: 1 + i, Price: yuan(1), At: at(4*i + w)}, today)
			}
		})
		all.Go(func() {
			last := uint64(0)
			for range 300 {
				h := k.Of("h")
				a, ok := h.FromPushes(stay, kinds[:1], at(0))
				b, _ := h.FromPushes(stay, kinds[:1], at(0))
				if h.Version() < last || ok && a.Offers[0] != b.Offers[0] {
					t.Errorf("version %d after %d: %+v, then %+v", h.Version(), last, a, b)
				}
				last = h.Version()
			}
		})
	}
	all.Go(func() { k.Sweep(func(string) (offer.Date, bool) { return today, true }) })
	all.Wait()
	if a, ok := k.Of("h").FromPushes(stay, kinds[:1], at(0)); !ok || a.Offers[0].Free != 298 {
		t.Errorf("in the end %+v", a)
	}
}

// TestCurrenciesAreKept: all codes of three capitals.
func TestCurrenciesAreKept(t *testing.T) {
	for _, c := range []string{"", "AAA", "CNY", "USD", "ZZZ", "XAF"} {
		if got := unpacked(packed(c)); got != c {
			t.Errorf("%q became %q", c, got)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	k := New()
	for kind := range 20 {
		for n := range Ahead {
			k.Take("h", Night{Kind: fmt.Sprint(kind), Night: today + offer.Date(n), Free: 1, Price: yuan(1), At: at(0)}, today)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k.Take("h", Night{Kind: "7", Night: today + offer.Date(i%Ahead), Free: 1, Price: yuan(1), At: at(i + 1)}, today)
	}
}
