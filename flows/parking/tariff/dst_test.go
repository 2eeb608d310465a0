package tariff_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/parking/tariff"
)

// dst has a border in the middle of the hour that comes twice, or never.
const dst = `
restart: period
vehicles:
  car:
    caps: { day: 6000 }
    periods:
      - { name: { zh: 夜间, en: Night }, at: [ { to: "02:30" } ], steps: [ { each: 10m, price: 10 } ], cap: 120 }
      - { name: { zh: 白天, en: Day }, at: [ { from: "02:30" } ], steps: [ { for: 1h, each: 10m, price: 100 }, { each: 10m, price: 200 } ] }
`

// TestClockChanges: elapsed time counts, and the clock on the wall decides the period, also where it goes back into one.
func TestClockChanges(t *testing.T) {
	const berlin = "Europe/Berlin"
	made := makeTariff(t, berlin, "EUR", dst)
	for name, c := range map[string]struct {
		from, to string
		want     int64
	}{
		"an ordinary night":                    {"2026-05-06 02:00", "2026-05-06 03:00", 3*10 + 3*100},
		"the hour that is left out":            {"2026-03-29 01:00", "2026-03-29 03:00", 6 * 10},
		"and on to the day, from 03:00":        {"2026-03-29 01:30", "2026-03-29 03:30", 3*10 + 3*100},
		"the hour that comes twice, first":     {"2026-10-25 02:00 +02:00", "2026-10-25 02:40 +02:00", 3*10 + 1*100},
		"back into the night":                  {"2026-10-25 02:00 +02:00", "2026-10-25 02:20 +01:00", 3*10 + 3*100 + 2*10},
		"the day anew, with its first hour":    {"2026-10-25 02:00 +02:00", "2026-10-25 03:40 +01:00", 3*10 + 3*100 + 3*10 + 6*100 + 1*200},
		"the cap is of each of the two nights": {"2026-10-25 00:00", "2026-10-25 02:30 +01:00", 120 + 3*100 + 3*10},
		"all of a day of 23 hours":             {"2026-03-29 00:00", "2026-03-30 00:00", 6000},
		"all of a day of 25 hours":             {"2026-10-25 00:00", "2026-10-26 00:00", 6000},
	} {
		p, err := made.Price(tariff.Visit{Entered: onWallIn(t, berlin, c.from), Left: onWallIn(t, berlin, c.to)})
		if err != nil {
			t.Fatal(err)
		}
		checkPrice(t, p)
		if p.Minor != c.want {
			t.Errorf("%s: %d, want %d\n%s", name, p.Minor, c.want, said(p))
		}
	}
}
