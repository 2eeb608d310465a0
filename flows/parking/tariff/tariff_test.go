package tariff_test

import (
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway/config"
)

// read reads a section tariff as the gateway does.
func read(t testing.TB, text string) tariff.Settings {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(text string) (s tariff.Settings, err error) {
	f, err := config.Read("tariff.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		return s, err
	}
	return s, f.Decode(&s)
}

// make makes a tariff in a time zone.
func makeTariff(t testing.TB, zone, currency, text string) *tariff.Tariff {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	made, err := tariff.New(read(t, text), location, currency)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// at is a moment on the clock of a zone.
func at(t testing.TB, zone, clock string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	moment, err := time.ParseInLocation("2006-01-02 15:04", clock, location)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

const shanghai = "Asia/Shanghai"

// lot is a tariff with a little of everything that a lot in town has.
const lot = `
grace: 15m
calendar: { 2026-10-01: holiday, 2026-10-10: fri }
electric: { free: 1h, percent_off: 50 }
vehicles:
  car:
    free: { for: 15m, longer: forfeited }
    caps: { day: 6000, stay: 20000 }
    periods:
      - name: { zh: 白天, en: Day }
        at: [ { from: "08:00", to: "20:00" } ]
        steps:
          - { for: 1h, each: 1h, price: 1000 }
          - { each: 30m, price: 400 }
      - name: { zh: 夜间, en: Night }
        at: [ { to: "08:00" }, { from: "20:00" } ]
        steps: [ { each: 12h, price: 1000 } ]
        cap: 1000
`

func TestALot(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", lot)
	for _, c := range []struct {
		from, to string
		want     int64
	}{
		{"2026-05-06 09:00", "2026-05-06 09:00", 0},
		{"2026-05-06 09:00", "2026-05-06 09:15", 0},
		{"2026-05-06 09:00", "2026-05-06 09:16", 1000},
		{"2026-05-06 09:00", "2026-05-06 10:00", 1000},
		{"2026-05-06 09:00", "2026-05-06 10:01", 1400},
		{"2026-05-06 09:00", "2026-05-06 10:31", 1800},
		{"2026-05-06 09:00", "2026-05-06 19:00", 6000},                    // 1000 + 18 × 400, and the cap of the day
		{"2026-05-06 19:30", "2026-05-06 21:00", 2000},                    // half an hour of the day, then the night
		{"2026-05-06 19:30", "2026-05-07 09:00", 1000 + 1000 + 400 + 400}, // after the night the first hour is long over
		{"2026-05-06 21:00", "2026-05-07 07:00", 1000},
	} {
		p, err := made.Price(tariff.Visit{Entered: at(t, shanghai, c.from), Left: at(t, shanghai, c.to)})
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		var says []string
		for _, l := range p.Lines {
			sum += l.Minor
			says = append(says, l.Text.Zh+" | "+l.Text.En)
		}
		if p.Minor != c.want || p.Due != c.want || sum != c.want {
			t.Errorf("%s to %s: %d, due %d, lines %d; want %d\n%s", c.from, c.to, p.Minor, p.Due, sum, c.want, strings.Join(says, "\n"))
		}
	}
}
