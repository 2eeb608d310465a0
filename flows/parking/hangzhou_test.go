package parking_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// cityLot is a lot that reports to the city, which collects its bills: 10.00 an hour, nothing free.
const cityLot = `id: %[1]s
kind: parking-lot
tenant: hangzhou
name: { zh: 停车库, en: A garage }
time_zone: Asia/Shanghai
connectors:
  city:
    connector: hangzhou
    url: %[2]s
    secrets: { private_key: { file: private_key }, city_key: { file: city_key }, password: { env: OCTO_KEY } }
    options: { access_id: %[1]s, parking: %[1]s, berths: 200, broker: "%[3]s" }
  payment: { connector: none }
settings:
  gates: [north, south]
  currency: CNY
  same_pass: 1m
  leeway: 2m
  oldest: 240h
  parked_for: 24h
  collect: [city]
  arrears: { over: -1, older: 1h }
  tariff: { vehicles: { car: { periods: [{ name: { zh: 全天, en: All day }, steps: [{ each: 1h, price: 1000 }] }] } } }
`

// openCity opens a lot that reports to the city.
func openCity(t *testing.T) (*town, *hangzhou.Twin) {
	t.Helper()
	var keys hangzhou.Keys
	var public string
	var err error
	if keys.Lot, err = hangzhou.MakeKey(); err == nil {
		if keys.City, err = hangzhou.MakeKey(); err == nil {
			public, err = hangzhou.PublicKey(keys.City)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	city, err := hangzhou.NewTwin(hangzhou.TwinConfig{Name: lotID, Password: flowtest.APIKey, Seed: 1, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	w := &town{}
	w.open(t, func(c *flowtest.City) string {
		if err := c.Twins.Add("hangzhou", lotID, city); err != nil {
			t.Fatal(err)
		}
		c.Write("private_key", keys.Lot)
		c.Write("city_key", public)
		return fmt.Sprintf(cityLot, lotID, c.Twins.URL("hangzhou", lotID), c.Twins.URL("hangzhou-mqtt", lotID))
	})
	t.Cleanup(func() {
		if w.Gateway != nil {
			w.balance()
		}
	})
	return w, city
}

// wish tells the city what it thinks of the cars to come.
func wish(t *testing.T, city *hangzhou.Twin, want hangzhou.Want) {
	t.Helper()
	if err := city.Do(want); err != nil {
		t.Fatal(err)
	}
}

func TestTheCityHearsOfEveryCarAndCollects(t *testing.T) {
	w, city := openCity(t)
	bill := w.visit(plateA, 3*time.Hour, time.Minute)
	w.becomes(bill, "paid")
	w.Eventually("the city knows of the exit", func() bool {
		b := city.ReadBooks()
		return len(b.Stays) == 1 && b.Stays[0].Left != ""
	})
	b := city.ReadBooks()
	if len(b.Bills) != 1 || b.Bills[0].Due != 3000 || b.Bills[0].Status != hangzhou.Paid {
		t.Errorf("the city's bills: %+v", b.Bills)
	}
	if n := w.Number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'city'`); n != 3000 {
		t.Errorf("the city has taken %d by the books", n)
	}
}

func TestWhatTheCityDoesNotCollectFallsIntoArrears(t *testing.T) {
	w, city := openCity(t)
	policy := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: 10_000, Collect: hangzhou.Fail}
	wish(t, city, hangzhou.Want{Policy: &policy})
	w.becomes(w.visit(plateA, 3*time.Hour, time.Minute), "arrears")
	policy.LeaveFirst = false
	wish(t, city, hangzhou.Want{Policy: &policy})
	if s := w.state(w.visit(plateB, 3*time.Hour-5*time.Minute, time.Minute)); s != "billed" {
		t.Errorf("of a car that may not leave first: %s", s)
	}
	policy.LeaveFirst, policy.Limit = true, 2999
	wish(t, city, hangzhou.Want{Policy: &policy})
	if s := w.state(w.visit(plateE, 3*time.Hour-10*time.Minute, time.Minute)); s != "billed" {
		t.Errorf("of one that owes more than it may: %s", s)
	}
}

// TestTheCityIsAskedWhatItDoesNotTell, and hears everything although it was away.
func TestTheCityIsAskedWhatItDoesNotTell(t *testing.T) {
	w, city := openCity(t)
	policy := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: 10_000, DelayMS: 200}
	wish(t, city, hangzhou.Want{Policy: &policy})
	before := w.Number(`SELECT COUNT(*) FROM parking_permissions`)
	w.pass("entries", plateA, ago(2*time.Hour))
	w.Eventually("the city's word on the car", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions`) > before })
	for _, kind := range []string{"hangzhou", "hangzhou-mqtt"} {
		if err := w.Twins.Dial(kind, lotID, twin.Dial{Fault: twin.Refuse}); err != nil {
			t.Fatal(err)
		}
	}
	bill := w.pass("exits", plateA, ago(time.Minute)).Bill.ID
	if s := w.state(bill); s != "pay-pending" {
		t.Fatalf("it is %s", s)
	}
	if err := w.Twins.Dial("hangzhou", lotID, twin.Dial{}); err != nil { // its broker stays away
		t.Fatal(err)
	}
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.Eventually("the city has collected", func() bool { return city.ReadBooks().Bills[0].Status == hangzhou.Paid })
	w.change(`UPDATE parking_collections SET look_at = 1`)
	w.becomes(bill, "paid")
}
