package loadtest_test

import (
	"fmt"
	"testing"

	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/loadtest/runner"
)

// openLot is a lot that nothing is connected to, where the first minutes are free.
const openLot = `id: %s
kind: parking-lot
tenant: hangzhou
name: { zh: 西湖停车库, en: West Lake Garage }
time_zone: Asia/Shanghai
connectors:
  city: { connector: none }
  payment: { connector: none }
settings:
  gates: [north, south, east]
  tariff:
    vehicles:
      car:
        free: { for: 15m, longer: forfeited }
        periods: [{ name: { zh: 全天, en: All day }, steps: [{ each: 1h, price: 500 }] }]
`

// TestParkingScript runs the script for entries and exits against a whole gateway, under the thresholds of its configuration.
func TestParkingScript(t *testing.T) {
	all, err := flows.All()
	if err != nil {
		t.Fatal(err)
	}
	const lot, rate = "west-garage", 20
	c := flowtest.Options{Before: func(c *flowtest.City) { c.Write("venues/"+lot+".yaml", fmt.Sprintf(openLot, lot)) }}.Start(t, all)
	promised := thresholds(t, c)
	run := func(gates string) (*runner.Summary, error) {
		t.Helper()
		return runner.Run(t.Context(), runner.Config{Script: "parking.js", Scale: runner.Scale{Duration: lasting()}, Env: map[string]string{
			"WARMGATE_URL": c.URL, "WARMGATE_TOKEN": c.Token("barrier", "parking:gate"), "WARMGATE_THRESHOLDS": promised,
			"WARMGATE_LOT": lot, "WARMGATE_ENTRY": gates, "WARMGATE_EXIT": "south", "WARMGATE_STAY": "0.2", "WARMGATE_RATE": "20",
		}})
	}
	good, err := run("north,east")
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Err(); err != nil {
		t.Errorf("a good run crossed a threshold: %v", err)
	}
	if n := c.Number(`SELECT COUNT(DISTINCT plate) FROM parking_bills WHERE price > 0`); int(n) < halfOf(rate) {
		t.Errorf("%d cars have a bill, the script let out more than %d", n, halfOf(rate))
	}
	if n := c.Number(`SELECT COUNT(*) FROM parking_stays WHERE state <> 'exited'`); n != 0 {
		t.Errorf("%d cars are still inside", n)
	}
	shut, err := run("north,nowhere")
	if err != nil {
		t.Fatal(err)
	}
	crosses(t, "a run at a gate that is not there", shut)
}
