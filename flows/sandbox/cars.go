package sandbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// garage is the lot of the examples: its bills are collected by the payment provider.
const garage = "west-garage"

// toldWait is how long a start waits for what the payment provider says of a car.
const toldWait = 3 * time.Second

// owing is a car of the driver's that was at the garage yesterday. The barrier has told of it too late for the provider to be
// asked while the car was inside: the bill is the driver's to pay.
type owing struct {
	plate, bill string
	due         money
}

type money struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// passed is what a barrier is told of one passage, as far as examples need it.
type passed struct {
	Journey string `json:"journey"`
	Bill    *struct {
		ID  string `json:"id"`
		Due money  `json:"due"`
	} `json:"bill"`
}

// plate makes up a car's plate, another one at each start.
func (m *maker) plate() string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ" // I and O are on no plate
	r := rand.New(rand.NewPCG(m.seed, uint64(m.now().UnixNano())))
	return fmt.Sprintf("浙A%c%04d", letters[r.IntN(len(letters))], r.IntN(10_000))
}

// passage is what a barrier of the garage sends; at is zero for one that happens when it is sent.
func (m *maker) passage(where, gate, plate, about string, at time.Time) Example {
	body := map[string]any{"gate": gate, "event_id": uuid.NewString(), "plate": plate}
	if !at.IsZero() {
		body["occurred_at"] = at.Format(time.RFC3339)
	}
	return m.post("barrier", "/v1/parking-lots/"+garage+"/"+where, about, body)
}

// pass has a car of the driver's pass the garage some time ago.
func (m *maker) pass(ctx context.Context, where, gate, plate string, ago time.Duration) (p passed, err error) {
	return p, m.send(ctx, m.api, m.passage(where, gate, plate, "", m.now().Add(-ago)), &p)
}

// owingCar brings a car that owes for yesterday.
func (m *maker) owingCar(ctx context.Context) (*owing, error) {
	if m.owing != nil {
		return m.owing, nil
	}
	plate, err := m.driverPlate(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := m.pass(ctx, "entries", "north", plate, 27*time.Hour); err != nil {
		return nil, err
	}
	out, err := m.pass(ctx, "exits", "south", plate, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	if out.Bill == nil {
		return nil, fmt.Errorf("the visit that journey %s has ended has no bill", out.Journey)
	}
	m.owing = &owing{plate: plate, bill: out.Bill.ID, due: out.Bill.Due}
	return m.owing, nil
}

// parkedCar brings a car of the driver's that has been inside for an hour, and that may pay later.
func (m *maker) parkedCar(ctx context.Context) (plate string, err error) {
	if plate, err = m.driverPlate(ctx); err != nil {
		return "", err
	}
	in, err := m.pass(ctx, "entries", "north", plate, time.Hour)
	if err != nil {
		return "", err
	}
	return plate, m.told(ctx, in.Journey)
}

// driverPlate makes up a plate that is known to be the driver's.
func (m *maker) driverPlate(ctx context.Context) (string, error) {
	plate := m.plate()
	return plate, m.bind(ctx, plate, m.now().AddDate(0, 0, -30))
}

// bind makes a plate the driver's since a time, as it goes everywhere: the driver says so, and a member of staff verifies it.
func (m *maker) bind(ctx context.Context, plate string, since time.Time) error {
	var said struct {
		Assist string `json:"assist"`
	}
	claim := m.post("driver", "/v1/me/vehicles", "", map[string]string{"plate": plate, "lot": garage})
	if err := m.send(ctx, m.api, claim, &said); err != nil || said.Assist == "" { // "": it is the driver's already
		return err
	}
	if err := m.send(ctx, m.api, m.post("staff", "/v1/assists/"+said.Assist+"/claim", "", nil), nil); err != nil {
		return err
	}
	return m.send(ctx, m.api, m.post("staff", "/v1/assists/"+said.Assist+"/resolution", "", map[string]any{
		"resolution": "verified", "reason": "seen the vehicle licence", "details": map[string]string{"from": since.Format(time.RFC3339)},
	}), nil)
}

// told waits until the driver can see whom a journey has told of the car: the provider's word on it is kept by then. Where
// that takes too long the start goes on, and the bill is the citizen's to pay.
func (m *maker) told(ctx context.Context, journey string) error {
	waiting, cancel := context.WithTimeout(ctx, toldWait)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ask := Example{Method: http.MethodGet, Path: "/v1/me/accesses", Headers: map[string]string{"Authorization": "Bearer " + m.tokens["driver"]}}
	for {
		var seen struct {
			Accesses []struct {
				Journey string `json:"journey"`
			} `json:"accesses"`
		}
		if err := m.send(ctx, m.api, ask, &seen); err != nil {
			return err
		}
		for _, a := range seen.Accesses {
			if a.Journey == journey {
				return nil
			}
		}
		select {
		case <-waiting.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (m *maker) parkingEntry(context.Context) (Example, error) {
	return m.passage("entries", "north", m.plate(), "A car comes into West Lake Garage", time.Time{}), nil
}

func (m *maker) parkingExit(ctx context.Context) (Example, error) {
	plate, err := m.parkedCar(ctx)
	if err != nil {
		return Example{}, err
	}
	return m.passage("exits", "south", plate, "A car leaves after an hour: the barrier opens, and the bill is collected afterwards", time.Time{}), nil
}

func (m *maker) parkingBillSearch(ctx context.Context) (Example, error) {
	c, err := m.owingCar(ctx)
	if err != nil {
		return Example{}, err
	}
	return m.post("driver", "/v1/parking-bills/search", "A driver looks at the bills of another car, which was there yesterday",
		map[string]string{"plate": c.plate}), nil
}

func (m *maker) parkingPayment(ctx context.Context) (Example, error) {
	c, err := m.owingCar(ctx)
	if err != nil {
		return Example{}, err
	}
	return m.post("driver", "/v1/parking-bills/"+c.bill+"/payments", "The driver pays that bill", map[string]money{"amount": c.due}), nil
}
