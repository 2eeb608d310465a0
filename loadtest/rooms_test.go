package loadtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
	"github.com/warmgate/warmgate/loadtest/runner"
)

// TestRoomsScript runs the script for finding a room against a whole gateway, under the thresholds of its configuration; and
// sees that a hotel which is missing crosses one.
func TestRoomsScript(t *testing.T) {
	var hotels []roomstest.Hotel
	for i := range 24 {
		hotels = append(hotels, roomstest.Hotel{ID: fmt.Sprintf("hotel-%02d", i), Lat: 30.25 + 0.0004*float64(i), Lon: 120.16})
	}
	c := roomstest.Start(t, nil, hotels...)
	promised := thresholds(t, c.City)
	run := func(near, stays string) *runner.Summary {
		t.Helper()
		s, err := runner.Run(t.Context(), runner.Config{Script: "rooms.js", Scale: runner.Scale{Duration: lasting()}, Env: map[string]string{
			"WARMGATE_URL": c.URL, "WARMGATE_TOKEN": c.Token("app", "rooms:read"), "WARMGATE_THRESHOLDS": promised,
			"WARMGATE_NEAR": near, "WARMGATE_SPREAD": "500", "WARMGATE_RADIUS": "3000", "WARMGATE_RATE": "20", "WARMGATE_STAYS": stays,
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := run("30.25,120.16", "2").Err(); err != nil {
		t.Errorf("a good run crossed a threshold: %v", err)
	}
	if err := c.Twins.Dial(roomstest.OHIP, "hotel-03", twin.Dial{Fault: twin.Hang}); err != nil {
		t.Fatal(err)
	}
	if err := run("30.25,120.16", "9").Err(); err == nil || !strings.Contains(err.Error(), "rooms_incomplete") || strings.Contains(err.Error(), "checks") {
		t.Errorf("a run while a hotel hangs: %v", err)
	}
}
