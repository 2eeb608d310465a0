package ohip

import (
	"hash/fnv"
	"slices"
	"time"
)

// SandboxAccessible is the twin's code of the feature that a room for people who use a wheelchair has.
const SandboxAccessible = "ACCESSIBLE"

// TwinType is how a type of room sells.
type TwinType struct {
	Code     string   // as in TwinRoom.Type
	Name     string   // "Deluxe room"
	People   int      // that may sleep in it
	Price    int64    // fen, of a night from Sunday to Thursday for one or two, without breakfast
	Features []string // codes
}

// typed returns a type with what is empty in it made up from the hotel's seed.
func typed(seed uint64, k TwinType) TwinType {
	name, people, percent := "Room", 2, int64(100)
	switch k.Code {
	case "STD":
		name = "Standard room, one large bed"
	case "TWN":
		name, people, percent = "Standard room, two beds", 3, 105
	case "DLX":
		name, people, percent = "Deluxe room", 3, 140
	case "STE":
		name, people, percent = "Suite", 4, 240
	}
	if k.Name == "" {
		k.Name = name
	}
	if k.People == 0 {
		k.People = people
	}
	if k.Price == 0 {
		k.Price = (220 + int64(mixed(seed, "price")%480)) * percent / 100 * 100
	}
	return k
}

// mixed returns a number that is the seed's own for each word.
func mixed(seed uint64, words ...string) uint64 {
	h := fnv.New64a()
	for _, w := range words {
		_, _ = h.Write([]byte(w))
		_, _ = h.Write([]byte{0})
	}
	x := seed ^ h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // splitmix64's finish: FNV alone leaves near words near
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// twinPlan is a rate plan.
type twinPlan struct {
	code      string
	name      string
	percent   int64 // of the type's price
	breakfast int64 // fen for each person and night; 0: none
	ahead     int   // days before the arrival that it must be booked
}

// The surcharges, in fen and in percent of the type's price.
const (
	thirdAdult     = 80_00 // a night, for each adult past the second
	weekendPercent = 115   // Friday and Saturday nights
)

// plans returns a hotel's rate plans: all have one that can be changed, most of them breakfast.
func plans(seed uint64) []twinPlan {
	all := []twinPlan{{code: "FLEX", name: "Can be changed until the day of arrival", percent: 100}}
	if mixed(seed, "breakfast")%4 > 0 {
		all = append(all, twinPlan{code: "FLEXBB", name: "The same with breakfast", percent: 100,
			breakfast: (28 + int64(mixed(seed, "buffet")%70)) * 100})
	}
	return append(all, twinPlan{code: "EARLY", name: "Paid at once, a week or more ahead", percent: 88, ahead: 7})
}

// sells reports whether the plan is for sale today for an arrival on a day: never for a night that has passed.
func (p *twinPlan) sells(today, arrival string) bool { return addDays(today, p.ahead) <= arrival }

// total returns what one room costs from the day of arrival to the day of departure, in fen: whole yuan.
func (p *twinPlan) total(k *TwinType, from, to string, adults, people int) int64 {
	sum := int64(0)
	for _, night := range nightsOf(from, to) {
		price := k.Price
		if w := weekday(night); w == time.Friday || w == time.Saturday {
			price = price * weekendPercent / 100
		}
		price = price*p.percent/100 + int64(max(adults-2, 0))*thirdAdult + int64(people)*p.breakfast
		sum += (price + 99) / 100 * 100
	}
	return sum
}

// nightsOf returns the nights of a stay by the day on which each begins.
func nightsOf(from, to string) []string {
	all := []string{}
	for ; from < to; from = nextDay(from) {
		all = append(all, from)
	}
	return all
}

func weekday(day string) time.Weekday {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic("BUG: not a day: " + day)
	}
	return d.Weekday()
}

// has reports whether the type has every one of the features.
func (k *TwinType) has(features []string) bool {
	return !slices.ContainsFunc(features, func(f string) bool { return !slices.Contains(k.Features, f) })
}
