package loadtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/loadtest/runner"
)

// TestCheckInScript runs the script for hotel check-in against a whole gateway with a hotel on either hotel system, under
// the thresholds of its configuration, with guests whom the other script makes.
func TestCheckInScript(t *testing.T) {
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: "lakeside", PMS: checkintest.OHIP},
		checkintest.Hotel{ID: "canal-house", PMS: checkintest.Apaleo})
	promised := thresholds(t, c.City)
	for hotel, keys := range map[string]string{"lakeside": "kiosk", "canal-house": "staff"} {
		t.Run(hotel, func(t *testing.T) {
			file := guests(t, c, hotel, "40")
			run := func(keys string) (*runner.Summary, error) {
				t.Helper()
				return runner.Run(t.Context(), runner.Config{
					Script: "checkin.js", Scale: runner.Scale{Duration: time.Second},
					Env: map[string]string{
						"WARMGATE_URL": c.URL, "WARMGATE_TOKEN": c.Token("kiosk", "hotel:check-in"), "WARMGATE_THRESHOLDS": promised,
						"WARMGATE_HOTEL": hotel, "WARMGATE_KIOSK": "lobby-1,lobby-2", "WARMGATE_GUESTS": file, "WARMGATE_KEYS": keys,
						"WARMGATE_RATE": "20",
					},
				})
			}
			good, err := run(keys)
			if err != nil {
				t.Fatal(err)
			}
			if err := good.Err(); err != nil {
				t.Errorf("a good run crossed a threshold: %v", err)
			}
			if n := c.Number(`SELECT count(*) FROM stays WHERE venue = $1 AND state = 'in'`, hotel); n < 15 {
				t.Errorf("%d stays have begun, the script checked in more than 15 parties", n)
			}
			again, err := run(keys) // the same bookings: nobody is checked in who was not
			if err != nil {
				t.Fatal(err)
			}
			crosses(t, "a run with used bookings", again)
		})
	}
	t.Run("too few guests", func(t *testing.T) {
		_, err := runner.Run(t.Context(), runner.Config{Script: "checkin.js", Scale: runner.Scale{Duration: time.Second}, Env: map[string]string{
			"WARMGATE_URL": c.URL, "WARMGATE_TOKEN": c.Token("kiosk", "hotel:check-in"), "WARMGATE_THRESHOLDS": promised,
			"WARMGATE_HOTEL": "lakeside", "WARMGATE_KIOSK": "lobby-1", "WARMGATE_GUESTS": guests(t, c, "lakeside", "3"), "WARMGATE_RATE": "10"}})
		if err == nil || !strings.Contains(err.Error(), "has 3 parties") {
			t.Errorf("more arrivals than parties: %v", err)
		}
	})
}

// crosses checks that a run has crossed the threshold of the checks.
func crosses(t *testing.T, what string, s *runner.Summary) {
	t.Helper()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "checks") {
		t.Errorf("%s crossed no threshold: %v", what, err)
	}
	for _, check := range s.Checks {
		if check.Passes > 0 && strings.Contains(check.Name, "guest") {
			t.Errorf("%s: %q passed %d times", what, check.Name, check.Passes)
		}
	}
}

// guests lets the script make a hotel's guests and returns the file with them.
func guests(t *testing.T, c *checkintest.Town, hotel, count string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guests.json")
	made, err := runner.Run(t.Context(), runner.Config{Script: "guests.js", Env: map[string]string{
		"WARMGATE_CITY": c.Twins.Address(), "WARMGATE_HOTEL": hotel, "WARMGATE_COUNT": count, "WARMGATE_GUESTS": file}})
	if err != nil {
		t.Fatal(err)
	}
	if made.Outputs[file] == "" {
		t.Fatalf("the script writes %v", made.Outputs)
	}
	if err := os.WriteFile(file, []byte(made.Outputs[file]), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
