// Package parkingtest puts lots with a city and a payment provider behind a whole gateway, and goes through everything that
// can fail under an entry and an exit: the budget matrix of the journeys, for their tests and for whoever prints it.
package parkingtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The systems of a lot, by the names of their twins.
const (
	City    = "hangzhou"
	Payment = "wechatpay"
)

// Lot is a lot of the town: 10.00 an hour, nothing free.
type Lot struct {
	ID      string
	Collect string // who collects its bills: payment or city; "": nobody, and it has no systems
}

// Town is a city of lots with a gateway in front of it.
type Town struct {
	*flowtest.City
	Cities    map[string]*hangzhou.Twin  // by lot
	Providers map[string]*wechatpay.Twin // by lot

	cars atomic.Int64
}

// Flows returns the journeys and the human door.
func Flows(t testing.TB) []*flow.Flow {
	t.Helper()
	f, err := parking.New()
	if err != nil {
		t.Fatal(err)
	}
	door, err := assist.New([]*flow.Flow{f})
	if err != nil {
		t.Fatal(err)
	}
	return []*flow.Flow{f, door}
}

const lotFile = `id: %[1]s
kind: parking-lot
tenant: hangzhou
name: { zh: 停车库, en: A garage }
time_zone: Asia/Shanghai
connectors:
  city:%[2]s
  payment:%[3]s
settings:
  gates: [north, south]
  currency: CNY
  collect: [%[4]s]
  tariff: { vehicles: { car: { periods: [{ name: { zh: 全天, en: All day }, steps: [{ each: 1h, price: 1000 }] }] } } }
`

// The connectors of a lot. Their breakers never open, so that every fault is met anew.
const (
	nobody   = " { connector: none }"
	patient  = "instance: { breaker: { consecutive: 1000, min_calls: 10000, failure_share: 1 } }"
	cityFile = `
    connector: hangzhou
    url: %[2]s
    secrets: { private_key: { file: city_lot_key }, city_key: { file: city_key }, password: { env: OCTO_KEY } }
    options: { access_id: %[1]s, parking: %[1]s, berths: 200, broker: "%[3]s" }
    ` + patient
	paymentFile = `
    connector: wechatpay
    url: %[2]s
    secrets: { private_key: { file: merchant_key }, api_v3_key: { file: api_v3_key } }
    options: { mchid: "%[3]s", appid: wx0000000000000001, serial_no: %[4]s, notify_url: "https://lots.example/v1/webhooks/wechatpay/%[1]s" }
    ` + patient
)

// Start starts a town. Its providers tell nothing on their own: they decide before they answer.
func Start(t testing.TB, lots ...Lot) *Town {
	t.Helper()
	town := &Town{Cities: map[string]*hangzhou.Twin{}, Providers: map[string]*wechatpay.Twin{}}
	flowtest.Options{
		Gateway: func(file string) string { // what hangs behind the answer is soon tried again
			return strings.Replace(file, "outbox:\n", "outbox:\n  attempt_timeout: 500ms\n", 1)
		},
		Before: func(c *flowtest.City) {
			town.City = c
			town.add(t, lots)
		},
	}.Start(t, Flows(t))
	t.Cleanup(town.verify)
	return town
}

// verify holds the books of all lots against themselves.
func (c *Town) verify() {
	c.T.Helper()
	c.View(func(q ledger.Querier) error {
		r, err := books.Verify(context.Background(), q)
		if len(r.Mismatches) > 0 {
			c.T.Errorf("the books: %v", r.Mismatches)
		}
		return err
	})
}

func (c *Town) add(t testing.TB, lots []Lot) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	credentials, err := wechatpay.MakeCredentials()
	must(err)
	keys := hangzhou.Keys{}
	keys.Lot, err = hangzhou.MakeKey()
	must(err)
	keys.City, err = hangzhou.MakeKey()
	must(err)
	public, err := hangzhou.PublicKey(keys.City)
	must(err)
	c.Write("merchant_key", credentials.PrivateKey)
	c.Write("api_v3_key", credentials.APIv3Key)
	c.Write("city_lot_key", keys.Lot)
	c.Write("city_key", public)
	for _, l := range lots {
		if l.Collect == "" {
			c.Write("venues/"+l.ID+".yaml", fmt.Sprintf(lotFile, l.ID, nobody, nobody, "payment"))
			continue
		}
		c.Providers[l.ID], err = wechatpay.NewTwin(wechatpay.TwinConfig{Name: l.ID, Seed: 1, Credentials: credentials})
		must(err)
		must(c.Providers[l.ID].Do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true, Early: true}}))
		c.Cities[l.ID], err = hangzhou.NewTwin(hangzhou.TwinConfig{Name: l.ID, Password: flowtest.APIKey, Seed: 1, Keys: keys})
		must(err)
		must(c.Twins.Add(Payment, l.ID, c.Providers[l.ID]))
		must(c.Twins.Add(City, l.ID, c.Cities[l.ID]))
		c.Write("venues/"+l.ID+".yaml", fmt.Sprintf(lotFile, l.ID,
			fmt.Sprintf(cityFile, l.ID, c.Twins.URL(City, l.ID), c.Twins.URL(City+"-mqtt", l.ID)),
			fmt.Sprintf(paymentFile, l.ID, c.Twins.URL(Payment, l.ID), wechatpay.MchIDOf(l.ID), wechatpay.TwinSerialNo), l.Collect))
	}
}

// Plate returns one that no other car of the town has.
func (c *Town) Plate() string { return fmt.Sprintf("浙A%05d", c.cars.Add(1)) }

// Event is what a barrier sends of a car. It is one event, however often it is sent.
func (c *Town) Event(plate string, at time.Time) map[string]any {
	return map[string]any{"gate": "north", "event_id": fmt.Sprintf("e%d", c.cars.Add(1)), "plate": plate, "occurred_at": at.Format(time.RFC3339Nano)}
}

// Entered is when a car came in that leaves now: within the hour before the last one, and no other car of the town in the same
// second, which is all that the city tells arrivals at a gate apart by.
func (c *Town) Entered() time.Time {
	return time.Now().Truncate(time.Second).Add(-time.Hour - time.Duration(c.cars.Add(1))*time.Second)
}

// Pass sends an event to a lot; direction is "entries" or "exits".
func (c *Town) Pass(lot, direction string, event map[string]any) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/parking-lots/" + lot + "/" + direction, Token: c.Token("barrier", "parking:gate"), Body: event})
}

// Outcome says in a word what an answer told the barrier.
func Outcome(t testing.TB, a flowtest.Answer) string {
	t.Helper()
	var body struct {
		Decision string `json:"decision"`
		Recorded bool   `json:"recorded"`
	}
	switch a.Status {
	case http.StatusCreated, http.StatusOK:
		a.Into(t, &body)
		if !body.Recorded {
			return body.Decision + ", not recorded"
		}
		return body.Decision
	}
	return fmt.Sprintf("%d %s", a.Status, a.Problem())
}

// Dial lets systems of a lot fail; the zero dial ends that.
func (c *Town) Dial(lot string, systems []string, d twin.Dial) {
	c.T.Helper()
	for _, s := range systems {
		if err := c.Twins.Dial(s, lot, d); err != nil {
			c.T.Error(err)
		}
	}
}

// Soon reports whether ok says so within some seconds.
func (c *Town) Soon(ok func() bool) bool {
	end := time.NewTimer(5 * time.Second)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// Delivered waits until nothing waits in the outbox of a lot.
func (c *Town) Delivered(lot string) {
	c.T.Helper()
	c.Eventually("the outbox of "+lot, func() bool {
		return c.Number(`SELECT COUNT(*) FROM messages WHERE venue = $1 AND state = 'waiting'`, lot) == 0
	})
}

// BillState is how the bill of an exit stands; "" where there is none.
func (c *Town) BillState(lot, event string) string {
	return c.word(`SELECT b.state FROM parking_bills b JOIN parking_events e ON e.stay = b.stay WHERE e.venue = $1 AND e.event = $2`, lot, event)
}

// Collection is how the last try to collect the bill of an exit stands; "" where there was none.
func (c *Town) Collection(lot, event string) string {
	return c.word(`SELECT c.state FROM parking_collections c JOIN parking_bills b ON b.id = c.bill JOIN parking_events e ON e.stay = b.stay
		WHERE e.venue = $1 AND e.event = $2 ORDER BY c.try DESC LIMIT 1`, lot, event)
}

func (c *Town) word(query string, args ...any) (word string) {
	c.T.Helper()
	c.View(func(q ledger.Querier) error {
		err := q.QueryRow(query, args...).Scan(&word)
		if errors.Is(err, ledger.ErrNoRows) {
			return nil
		}
		return err
	})
	return word
}
