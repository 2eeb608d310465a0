package loadtest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/loadtest/runner"
)

// TestCityScript runs all journeys side by side against one gateway, each under the thresholds of its configuration.
func TestCityScript(t *testing.T) {
	all, err := flows.All()
	if err != nil {
		t.Fatal(err)
	}
	c := checkintest.StartWith(t, all, func(c *checkintest.Town) {
		c.AddSpot(flowtest.Spot{ID: "west-lake"})
		c.Write("venues/west-garage.yaml", fmt.Sprintf(openLot, "west-garage"))
	}, checkintest.Hotel{ID: "lakeside", File: func(file string) string { return file + "rooms: { at: { lat: 30.25, lon: 120.16 } }\n" }})
	made, err := c.Tickets["west-lake"].Issue(octo.Want{Count: 60})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, m := range made {
		codes = append(codes, m.Units[0].Code)
	}
	list, err := json.Marshal(codes)
	if err != nil {
		t.Fatal(err)
	}
	tickets := filepath.Join(t.TempDir(), "tickets.json")
	if err := os.WriteFile(tickets, list, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"WARMGATE_URL": c.URL, "WARMGATE_TOKEN": c.Token("city", "scenic:gate", "hotel:check-in", "parking:gate", "rooms:read"),
		"WARMGATE_THRESHOLDS": thresholds(t, c.City), "WARMGATE_RATE": "30", "WARMGATE_MIX": "rooms=40,entry=30,parking=20,check-in=10",
		"WARMGATE_SPOT": "west-lake", "WARMGATE_GATE": "north-1,south-1", "WARMGATE_TICKETS": tickets,
		"WARMGATE_HOTEL": "lakeside", "WARMGATE_KIOSK": "lobby-1,lobby-2", "WARMGATE_GUESTS": guests(t, c, "lakeside", "20"),
		"WARMGATE_LOT": "west-garage", "WARMGATE_ENTRY": "north", "WARMGATE_EXIT": "south", "WARMGATE_STAY": "0.2", "WARMGATE_NEAR": "30.25,120.16",
	}
	run := func() (*runner.Summary, error) {
		return runner.Run(t.Context(), runner.Config{Script: "city.js", Scale: runner.Scale{Duration: 2 * time.Second}, Env: env})
	}
	good, err := run()
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Err(); err != nil {
		t.Errorf("a good run crossed a threshold: %v", err)
	}
	for what, query := range map[string]string{
		"visitors": `SELECT COUNT(*) FROM admissions`, "guests": `SELECT COUNT(*) FROM stays`, "cars": `SELECT COUNT(*) FROM parking_bills`,
	} {
		if n := c.Number(query); n < 3 {
			t.Errorf("%d %s came through", n, what)
		}
	}
	env["WARMGATE_MIX"] = "rooms=40,boats=60"
	if _, err := run(); err == nil {
		t.Error("a journey that is not there is run")
	}
}
