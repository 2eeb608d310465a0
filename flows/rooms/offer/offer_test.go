package offer_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/rooms/offer"
)

// TestDatesAreDaysSince1970 holds a date to the calendar: its day is written and read back, and its neighbour is the next day.
func TestDatesAreDaysSince1970(t *testing.T) {
	for text, want := range map[string]offer.Date{"1970-01-01": 0, "1969-12-31": -1, "1970-12-31": 364, "2024-02-29": 19782} {
		if got, err := offer.ParseDate(text); err != nil || got != want {
			t.Errorf("ParseDate(%q) is %d, %v, want %d", text, got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := offer.Date(rapid.Int32Range(-700_000, 2_900_000).Draw(t, "day"))
		back, err := offer.ParseDate(d.String())
		if err != nil || back != d {
			t.Fatalf("%d is written %s and read back as %d, %v", d, d, back, err)
		}
		if next := d.Time().AddDate(0, 0, 1); offer.DateOf(next) != d+1 {
			t.Fatalf("the day after %s is %s", d, offer.DateOf(next))
		}
	})
}

// TestADayIsTheLocations: late in the evening of Hangzhou it's still the day before in UTC's afternoon, and the other way round.
func TestADayIsTheLocations(t *testing.T) {
	cst := time.FixedZone("CST", 8*60*60)
	at := time.Date(2026, 5, 2, 3, 0, 0, 0, cst)
	if got := offer.DateOf(at).String(); got != "2026-05-02" {
		t.Errorf("in Hangzhou it's %s", got)
	}
	if got := offer.DateOf(at.UTC()).String(); got != "2026-05-01" {
		t.Errorf("in UTC it's %s", got)
	}
}

// TestWhatIsNoDayIsRefused: a date is YYYY-MM-DD and a day of the calendar, or an error.
func TestWhatIsNoDayIsRefused(t *testing.T) {
	for _, text := range []string{"", "2026-02-29", "2026-13-01", "2026-1-1", "20260101", "2026-01-01T00:00:00Z", "+2026-01-01", "２０２６-01-01"} {
		if d, err := offer.ParseDate(text); err == nil {
			t.Errorf("ParseDate(%q) is %s", text, d)
		}
	}
}

// TestGuestsLeaveOnTheMorningAfterTheirLastNight: also over the end of a year.
func TestGuestsLeaveOnTheMorningAfterTheirLastNight(t *testing.T) {
	arrival, _ := offer.ParseDate("2026-12-30")
	if got := (offer.Stay{Arrival: arrival, Nights: 3, Guests: 2}).Departure().String(); got != "2027-01-02" {
		t.Errorf("they leave on %s", got)
	}
}
