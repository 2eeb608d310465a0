package tariff_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
)

// mistakes returns the mistakes in settings as "path: message".
func mistakes(t *testing.T, err error) (all []string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not joined", err)
	}
	for _, e := range joined.Unwrap() {
		field, ok := errors.AsType[*gateway.FieldError](e)
		if !ok {
			t.Fatalf("%v names no field", e)
		}
		all = append(all, field.Error())
	}
	return all
}

const allDay = "periods: [ { name: { zh: 全天, en: All day }, steps: [ { each: 1h, price: 100 } ] } ]"

// car wraps the rates of a car.
func car(rates string) string { return "vehicles: { car: { " + rates + " } }" }

// period wraps a period that is always.
func period(rest string) string {
	return car("periods: [ { name: { zh: 全天, en: All day }, " + rest + " } ]")
}

func TestMistakesInSettings(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		// words
		{"units: some\n" + car(allDay), "units: must be begun or whole, is \"some\""},
		{"borders: none\n" + car(allDay), "borders: must be cut or finish, is \"none\""},
		{"restart: week\n" + car(allDay), "restart: must be stay or period or day or 24h, is \"week\""},
		{"rounding: { way: half }\n" + car(allDay), "rounding.way: must be nearest or up or down, is \"half\""},
		{"rounding: { at: start }\n" + car(allDay), "rounding.at: must be end or unit, is \"start\""},
		{"units: whole\nborders: finish\n" + car(allDay), "borders: units that count when they are over have to end where their period ends: finish goes with units: begun"},
		// bounds
		{"rounding: { to: -1 }\n" + car(allDay), "rounding.to: must be 0 to 1000000, is -1"},
		{"grace: -1s\n" + car(allDay), "grace: must be 0s to 24h0m0s, is -1s"},
		{"grace: 1500ms\n" + car(allDay), "grace: must be whole seconds, is 1.5s"},
		{"electric: { percent_off: 101 }\n" + car(allDay), "electric.percent_off: must be 0 to 100, is 101"},
		{"electric: { free: 800h }\n" + car(allDay), "electric.free: must be 0s to 744h0m0s, is 800h0m0s"},
		{car("free: { for: -1m }, " + allDay), "vehicles.car.free.for: must be 0s to 744h0m0s, is -1m0s"},
		{car("free: { longer: lost }, " + allDay), "vehicles.car.free.longer: must be kept or forfeited, is \"lost\""},
		{car("caps: { day: -1 }, " + allDay), "vehicles.car.caps.day: must be 0 to 9007199254740991, is -1"},
		{car("caps: { 24h: -1 }, " + allDay), "vehicles.car.caps.24h: must be 0 to 9007199254740991, is -1"},
		{car("caps: { stay: 9007199254740992 }, " + allDay), "vehicles.car.caps.stay: must be 0 to 9007199254740991, is 9007199254740992"},
		{period("cap: -5, steps: [ { each: 1h, price: 1 } ]"), "vehicles.car.periods[0].cap: must be 0 to 9007199254740991, is -5"},
		{period("steps: [ { each: 1h, price: -1 } ]"), "vehicles.car.periods[0].steps[0].price: must be 0 to 9007199254740991, is -1"},
		{period("steps: [ { price: 1 } ]"), "vehicles.car.periods[0].steps[0].each: must be 1s to 744h0m0s, is 0s"},
		{period("steps: [ { each: 1h, price: 1, per: -1h } ]"), "vehicles.car.periods[0].steps[0].per: must be 1s to 744h0m0s, is -1h0m0s"},
		// names and dates
		{"grace: 1m", "vehicles: a tariff needs the prices of a car"},
		{"vehicles: { Car: { " + allDay + " }, car: { " + allDay + " } }", "vehicles.Car: \"Car\" is not 1 to 32 small letters, digits or dashes"},
		{"calendar: { 2026-02-30: holiday }\n" + car(allDay), "calendar.2026-02-30: \"2026-02-30\" is no date written YYYY-MM-DD"},
		{"calendar: { 2026-02-03: feast }\n" + car(allDay), "calendar.2026-02-03: must be one of sun mon tue wed thu fri sat holiday, is \"feast\""},
		{car("periods: [ { name: { zh: 全天 }, steps: [ { each: 1h, price: 1 } ] } ]"), "vehicles.car.periods[0].name.en: must be 1 to 60 bytes"},
		{car("periods: [ { name: { en: All day }, steps: [ { each: 1h, price: 1 } ] } ]"), "vehicles.car.periods[0].name.zh: must be 1 to 60 bytes"},
		// steps
		{car("periods: [ ]"), "vehicles.car.periods: must be 1 to 50, are 0"},
		{period("steps: [ { each: 1h, price: 1, for: 2h } ]"), "vehicles.car.periods[0].steps[0].for: the last step has no end; leave it out"},
		{period("steps: [ { each: 1h, price: 1 }, { each: 1h, price: 1 } ]"), "vehicles.car.periods[0].steps[0].for: only the last step has no end"},
		{period("steps: [ { each: 1h, price: 1, for: 90m }, { each: 1h, price: 1 } ]"), "vehicles.car.periods[0].steps[0].for: must be whole units of 1h0m0s, is 1h30m0s"},
		{period("steps: [ { each: 1s, price: 1, per: 700h } ]"), "vehicles.car.periods: the fractions of a minor unit in periods[0] and before are finer than 1/100000: choose each and per with a simpler ratio"},
		{period("steps: [ { each: 24h, price: 9007199254740991, per: 7s } ]"), "vehicles.car.periods[0].steps[0].price: 9007199254740991 is more than can be counted in fractions of 1/700"},
		// hours
		{period("at: [ { from: \"8:00\" } ]"), "vehicles.car.periods[0].at[0].from: must be 00:00 to 23:59, is \"8:00\""},
		{period("at: [ { from: \"24:00\" } ]"), "vehicles.car.periods[0].at[0].from: must be 00:00 to 23:59, is \"24:00\""},
		{period("at: [ { to: \"25:00\" } ]"), "vehicles.car.periods[0].at[0].to: must be 00:01 to 24:00, is \"25:00\""},
		{period("at: [ { from: \"20:00\", to: \"08:00\" } ]"), "vehicles.car.periods[0].at[0].to: must be later than from, 20:00; a night over midnight is written as two"},
		{period("at: [ { days: [ monday ] } ]"), "vehicles.car.periods[0].at[0].days[0]: must be one of sun mon tue wed thu fri sat holiday weekdays weekend, is \"monday\""},
	} {
		refused(t, c.text, c.want)
	}
}

// refused checks that settings have exactly these mistakes.
func refused(t *testing.T, text string, want ...string) {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Errorf("%s: cannot be read: %v", text, err)
		return
	}
	_, err = tariff.New(s, time.UTC, "CNY")
	if err == nil {
		t.Errorf("%s: is taken, want %q", text, want)
		return
	}
	if got := mistakes(t, err); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", text, got, want)
	}
}

func TestContradictions(t *testing.T) {
	two := func(first, second string) string {
		return car(fmt.Sprintf("periods: [ { name: { zh: 白天, en: Day }, %s }, { name: { zh: 夜间, en: Night }, %s } ]", first, second))
	}
	for _, c := range []struct {
		text string
		want []string
	}{
		{two(`at: [ { from: "08:00", to: "20:00" } ]`, `at: [ { to: "08:00" }, { from: "20:30" } ]`),
			[]string{"vehicles.car.periods: no period covers 20:00 to 20:30 on sun mon tue wed thu fri sat holiday"}},
		{two(`at: [ { from: "08:00", to: "20:00" } ]`, `at: [ { to: "08:30" }, { from: "20:00" } ]`),
			[]string{"vehicles.car.periods[0].at[0]: 08:00 to 08:30 is in another period too on sun mon tue wed thu fri sat holiday"}},
		{two(`at: [ { to: "20:00" } ]`, `at: [ { days: [ tue ], from: "10:00", to: "12:00" }, { from: "20:00" } ]`),
			[]string{"vehicles.car.periods[1].at[0]: 10:00 to 12:00 is in another period too on tue"}},
		{two(`at: [ { from: "08:00" } ]`, `at: [ { from: "08:00" } ]`),
			[]string{"vehicles.car.periods: no period covers 00:00 to 08:00 on sun mon tue wed thu fri sat holiday",
				"vehicles.car.periods[1].at[0]: 08:00 to 24:00 is in another period too on sun mon tue wed thu fri sat holiday"}},
		{two(`cap: 0`, `at: [ { days: [ sat ], to: "06:00" } ]`), []string{"vehicles.car.periods[1].at[0]: 00:00 to 06:00 is in another period too on sat"}},
		{two(`at: [ { days: [ weekdays ] } ]`, `at: [ { days: [ sat ] } ]`), []string{"vehicles.car.periods: no period covers 00:00 to 24:00 on sun"}},
		{"calendar: { 2026-10-01: holiday }\n" + two(`at: [ { days: [ weekdays ] } ]`, `at: [ { days: [ weekend ] } ]`),
			[]string{"vehicles.car.periods: no period covers 00:00 to 24:00 on holiday"}},
		{two(`at: [ { days: [ weekdays, weekend ] } ]`, `at: [ { days: [ holiday ], from: "10:00" } ]`),
			[]string{"vehicles.car.periods: no period covers 00:00 to 10:00 on holiday"}},
		// caps
		{car("caps: { day: 99 }, " + allDay), []string{"vehicles.car.caps.day: 99 is less than one unit of vehicles.car.periods[0].steps[0]"}},
		{car("caps: { day: 500, 24h: 99, stay: 600 }, " + allDay), []string{"vehicles.car.caps.24h: 99 is less than one unit of vehicles.car.periods[0].steps[0]"}},
		{period("cap: 99, steps: [ { each: 2h, price: 50, per: 1h } ]"), []string{"vehicles.car.periods[0].cap: 99 is less than one unit of vehicles.car.periods[0].steps[0]"}},
		{car("caps: { day: 500, stay: 400 }, " + allDay), []string{"vehicles.car.caps.stay: 400 is less than vehicles.car.caps.day, 500"}},
		{car("caps: { 24h: 500, stay: 400 }, " + allDay), []string{"vehicles.car.caps.stay: 400 is less than vehicles.car.caps.24h, 500"}},
		{"rounding: { to: 100 }\n" + car("caps: { day: 550 }, "+allDay), []string{"vehicles.car.caps.day: rounding could lift the price above it: must be a multiple of rounding.to, 100, is 550"}},
		{"rounding: { to: 100, way: up }\n" + period("cap: 550, steps: [ { each: 1h, price: 100 } ]"), []string{"vehicles.car.periods[0].cap: rounding could lift the price above it: must be a multiple of rounding.to, 100, is 550"}},
	} {
		refused(t, c.text, c.want...)
	}
}

func TestStrictness(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"discount: 3\n" + car(allDay), `unknown field "discount"`},
		{car("prices: 3, " + allDay), `unknown field "prices"`},
		{period("steps: [ { each: 1h, price: 2.5 } ]"), "a number with a fraction"},
		{period("steps: [ { each: one hour, price: 2 } ]"), "one hour"},
		{"grace: 1m\ngrace: 2m\n" + car(allDay), "grace"},
	} {
		if _, err := parse(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.text, err, c.says)
		}
	}
}

func TestZoneAndCurrency(t *testing.T) {
	s := read(t, car(allDay))
	for _, currency := range []string{"", "cny", "RMB¥", "CN", "C1Y"} {
		if _, err := tariff.New(s, time.UTC, currency); err == nil || !strings.Contains(err.Error(), "three capitals") {
			t.Errorf("currency %q: %v", currency, err)
		}
	}
	if _, err := tariff.New(s, nil, "CNY"); err == nil || !strings.Contains(err.Error(), "time zone") {
		t.Errorf("no time zone: %v", err)
	}
}

// TestAllMistakesAtOnce: every mistake is named, not the first alone.
func TestAllMistakesAtOnce(t *testing.T) {
	refused(t, "units: some\ngrace: -1s\n"+car("caps: { day: -1 }, "+allDay),
		"units: must be begun or whole, is \"some\"",
		"grace: must be 0s to 24h0m0s, is -1s",
		"vehicles.car.caps.day: must be 0 to 9007199254740991, is -1")
}
