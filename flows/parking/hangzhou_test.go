package parking_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
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

// cityKeys are those of the lot and the city, and the city's public half, for all tests: a key takes a while.
func cityKeys(t *testing.T) (keys hangzhou.Keys, public string) {
	t.Helper()
	var err error
	if keys.Lot, err = madeLot(); err != nil {
		t.Fatal(err)
	}
	if keys.City, err = madeCity(); err != nil {
		t.Fatal(err)
	}
	if public, err = hangzhou.PublicKey(keys.City); err != nil {
		t.Fatal(err)
	}
	return keys, public
}

var madeLot, madeCity = sync.OnceValues(hangzhou.MakeKey), sync.OnceValues(hangzhou.MakeKey)

// openCity opens a lot that reports to the city.
func openCity(t *testing.T) (*town, *hangzhou.Twin) {
	t.Helper()
	keys, public := cityKeys(t)
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

// openBoth opens a lot that reports to the city, and whose bills WeChat Pay collects.
func openBoth(t *testing.T) (*town, *hangzhou.Twin) {
	t.Helper()
	var city *hangzhou.Twin
	w := openTownWith(t, func(c *flowtest.City, file string) string {
		var err error
		keys, public := cityKeys(t)
		if city, err = hangzhou.NewTwin(hangzhou.TwinConfig{Name: lotID, Password: flowtest.APIKey, Seed: 1, Keys: keys}); err == nil {
			err = c.Twins.Add("hangzhou", lotID, city)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Write("city_private_key", keys.Lot)
		c.Write("city_key", public)
		return strings.Replace(file, "city: { connector: none }", fmt.Sprintf(`city:
    connector: hangzhou
    url: %s
    secrets: { private_key: { file: city_private_key }, city_key: { file: city_key }, password: { env: OCTO_KEY } }
    options: { access_id: %s, parking: %[2]s, berths: 200 }`, c.Twins.URL("hangzhou", lotID), lotID), 1)
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
	w.Eventually("the city knows that both have left", func() bool { // or else it tells of them what it thinks now
		all := city.ReadBooks().Stays
		return len(all) == 2 && all[0].Left != "" && all[1].Left != ""
	})
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
	w.loseCity()
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

// TestTheCityHearsOfPaymentsThatItHasNotCollected, once each, also when it was away and never heard of the car.
func TestTheCityHearsOfPaymentsThatItHasNotCollected(t *testing.T) {
	w, city := openBoth(t)
	w.loseCity()
	bill := w.visit(plateA, 3*time.Hour, time.Minute)
	w.becomes(bill, "paid")
	w.Eventually("it is left to the outbox", func() bool { return w.Number(`SELECT COUNT(*) FROM operations WHERE step = 'pay-record'`) == 1 })
	if err := w.Twins.Dial("hangzhou", lotID, twin.Dial{}); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the city knows of it", func() bool { return len(city.ReadBooks().Payments) == 1 })
	p, c := city.ReadBooks().Payments[0], w.provider.ReadBooks().Charges[0]
	if p.BillID != c.OutTradeNo || p.Price != 3000 || p.Due != 3000 || p.Paid != 3000 || p.Means != hangzhou.WeChat || p.Way != hangzhou.PayLater {
		t.Errorf("the city was told %+v", p)
	}
	if n := len(city.ReadBooks().Bills); n != 0 {
		t.Errorf("and was asked to collect %d bills", n)
	}
}

// TestTheCityHearsOfWhatPayStationsTake, once each and also when it was away: what was paid inside when a bill has it, and what
// was paid of a bill later. Of a payment of which the station does not say what it was made with, it hears nothing.
func TestTheCityHearsOfWhatPayStationsTake(t *testing.T) {
	w, city := openCity(t)
	w.loseCity()
	w.pass("entries", plateA, ago(150*time.Minute))
	inside := w.station("p-1", plateA, 2000, m{"means": "cash"})
	w.station("p-2", plateA, 500, m{})
	bill := w.pass("exits", plateA, ago(0)).Bill.ID
	if s := w.state(bill); s != "billed" {
		t.Fatalf("the bill is %s", s)
	}
	later := w.station("p-3", "", 500, m{"means": "citizen-card-wallet", "bill": bill, "paid_at": time.Now().Add(time.Minute).Format(time.RFC3339)})
	if s := w.state(bill); s != "paid" {
		t.Fatalf("the bill is %s", s)
	}
	w.Eventually("both are left to the outbox", func() bool { return w.Number(`SELECT COUNT(*) FROM operations WHERE step = 'pay-record'`) == 2 })
	if err := w.Twins.Dial("hangzhou", lotID, twin.Dial{}); err != nil {
		t.Fatal(err)
	}
	w.change(`UPDATE messages SET next_at = 1 WHERE state = 'waiting'`)
	w.Eventually("the city knows of them", func() bool { return len(city.ReadBooks().Payments) == 2 })
	told := map[string]hangzhou.BookedPayment{}
	for _, p := range city.ReadBooks().Payments {
		told[p.BillID] = p
	}
	if p := told[inside]; p.Price != 3000 || p.Due != 2000 || p.Paid != 2000 || p.Means != hangzhou.Cash || p.Way != hangzhou.Prepaid {
		t.Errorf("of what was paid inside it was told %+v", p)
	}
	if p := told[later]; p.Price != 3000 || p.Paid != 500 || p.Means != hangzhou.CardWallet || p.Way != hangzhou.PayLater {
		t.Errorf("of what was paid later it was told %+v", p)
	}
	if n := w.Number(`SELECT COUNT(*) FROM parking_prepayments WHERE untold = 1`); n != 0 {
		t.Errorf("%d are still to be told", n)
	}
}

// loseCity has the city and its broker refuse connections.
func (w *town) loseCity() {
	w.T.Helper()
	for _, kind := range []string{"hangzhou", "hangzhou-mqtt"} {
		if err := w.Twins.Dial(kind, lotID, twin.Dial{Fault: twin.Refuse}); err != nil {
			w.T.Fatal(err)
		}
	}
}

// station reports what a pay station has taken, and returns the journey of that.
func (w *town) station(event, plate string, minor int64, change m) string {
	w.T.Helper()
	body := m{"event_id": event, "reference": "r-" + event, "amount": m{"minor": minor, "currency": "CNY"}, "paid_at": ago(time.Minute).Format(time.RFC3339)}
	if plate != "" {
		body["plate"] = plate
	}
	maps.Copy(body, change)
	a := w.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/parking-lots/" + lotID + "/payments", Token: w.Token("station", "parking:gate"), Body: body})
	if a.Status != 201 {
		w.T.Fatalf("the station heard %d %s", a.Status, a.Text)
	}
	var said struct {
		Journey string `json:"journey"`
	}
	a.Into(w.T, &said)
	return said.Journey
}

// TestTheCityCollectsBeforeItHasHeardOfTheCar: what goes out does so in any order, and the charge brings the visit with it.
func TestTheCityCollectsBeforeItHasHeardOfTheCar(t *testing.T) {
	w, city := openCity(t)
	w.loseCity()
	w.pass("entries", plateA, ago(3*time.Hour))
	w.change(`INSERT INTO parking_permissions (venue, plate, source, said_at, state, most, reference, made_by, stay, late)
		SELECT venue, plate, 'city', entered_at + 1, 'granted', 0, '', 'gateway', id, 0 FROM parking_stays WHERE state = 'open'`)
	bill := w.pass("exits", plateA, ago(time.Minute)).Bill.ID
	if s := w.state(bill); s != "pay-pending" {
		t.Fatalf("it is %s", s)
	}
	w.Eventually("all is left to the outbox", func() bool {
		w.change(`UPDATE messages SET next_at = $1 WHERE state = 'waiting' AND msg_key NOT LIKE '%:charge/%'`, time.Now().Add(time.Hour).UnixMilli())
		return w.Number(`SELECT COUNT(*) FROM messages WHERE state = 'waiting'`) >= 3 // and what is to be asked for, where an answer was lost
	})
	if err := w.Twins.Dial("hangzhou", lotID, twin.Dial{}); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the city has collected", func() bool { b := city.ReadBooks().Bills; return len(b) == 1 && b[0].Status == hangzhou.Paid })
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.change(`UPDATE parking_collections SET look_at = 1`)
	w.becomes(bill, "paid")
	w.change(`UPDATE messages SET next_at = 1 WHERE state = 'waiting'`)
	w.Eventually("the city knows of the exit", func() bool { b := city.ReadBooks(); return len(b.Stays) == 1 && b.Stays[0].Left != "" })
}

// TestAPushThatComesEarly waits for what it is about, counts once however often it comes, and late ones change nothing.
func TestAPushThatComesEarly(t *testing.T) {
	w, city := openCity(t)
	policy := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: 10_000, Collect: hangzhou.Hold}
	wish(t, city, hangzhou.Want{Policy: &policy})
	bill := w.visit(plateA, 3*time.Hour, time.Minute)
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.change(`UPDATE parking_collections SET number = 'x' || number, look_at = 0`) // as if it were not ordered yet
	wish(t, city, hangzhou.Want{Settle: city.ReadBooks().Bills[0].BillID})
	w.Eventually("it is parked", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_notices WHERE state = 'parked'`) == 1 })
	if s := w.state(bill); s != "pay-pending" {
		t.Errorf("it is %s", s)
	}
	w.change(`UPDATE parking_collections SET number = SUBSTR(number, 2)`)
	w.becomes(bill, "paid")
	// The same again, and later the opposite of it.
	w.change(`UPDATE parking_notices SET state = 'parked' WHERE subject <> ''`)
	w.Eventually("it has counted again", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_notices WHERE state = 'parked'`) == 0 })
	before := w.Number(`SELECT COUNT(*) FROM parking_notices`)
	data := fmt.Sprintf(`{"billID":%q,"payStatus":2,"actualPay":0,"orderCode":"C-late"}`, city.ReadBooks().Bills[0].BillID)
	message, err := city.Seal("R-late", []byte(data))
	if err == nil {
		err = city.Publish("/hzcity/v2/payResult/"+lotID+"/"+lotID, message)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Eventually("it has come", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_notices`) == before+1 })
	if n := w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'paid'`); n != 1 {
		t.Error("what was paid has not stayed so")
	}
	if n := w.Number(`SELECT COUNT(*) FROM parking_movements WHERE kind = 'pay'`); n != 1 || w.state(bill) != "paid" {
		t.Errorf("%d payments of a bill that is %s", n, w.state(bill))
	}
}
