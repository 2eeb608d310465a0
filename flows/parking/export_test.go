package parking

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Outside notes what the city and the payment provider of a test are told.
type Outside struct {
	ops operations
	mu  sync.Mutex

	Told map[string]int // by key
	Fail func(key string) error
}

// Forgotten are the statements that look for what is to be forgotten among all rows of a table, with the index of each.
func Forgotten() map[string]string {
	return map[string]string{cancelledDue: "parking_bills_no_visit", vehiclesDue: "parking_vehicles_ended"}
}

// NewQuick is New with a clerk that no test has to wait for.
func NewQuick() (*flow.Flow, error) { return declare(10 * time.Millisecond) }

// NewOutside is New with the outside of a test.
func NewOutside() (*flow.Flow, *Outside, error) {
	f, err := New()
	return f, &Outside{ops: newOperations(), Told: map[string]int{}}, err
}

// Bind binds the operations of a lot.
func (o *Outside) Bind(b *call.Bindings) {
	in, err := call.NewInstance("test", "outside", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	bindOutside(o, b, o.ops.carIn, in)
	bindOutside(o, b, o.ops.carOut, in)
	bindOutside(o, b, o.ops.apply, in)
	bindOutside(o, b, o.ops.received, in)
	bindOutside(o, b, o.ops.announce, in)
	bindOutside(o, b, o.ops.charge, in)
}

func bindOutside[A any](o *Outside, b *call.Bindings, w *call.Write[A, Told], in *call.Instance) {
	call.BindWrite(b, w, in, call.Effect[A, Told]{
		Do: func(_ context.Context, key string, _ A) (Told, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.Fail != nil {
				if err := o.Fail(key); err != nil {
					return Told{}, err
				}
			}
			o.Told[key]++
			return Told{}, nil
		},
		Find: func(_ context.Context, key string, _ A) (Told, bool, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return Told{}, o.Told[key] > 0, nil
		},
	})
}

// UsualSettings are those of a test's lot: 15 minutes free, then 10 an hour, at most 60 in 24 hours.
func UsualSettings() *Settings {
	t := tariff.Settings{Vehicles: map[string]tariff.Rates{vehicleCar: {
		Free: tariff.Free{For: 15 * time.Minute}, Caps: tariff.Caps{Hours24: 6000},
		Periods: []tariff.Period{{Name: gateway.Text{Zh: "全天", En: "All day"}, Steps: []tariff.Step{{Each: time.Hour, Price: 1000}}}},
	}}}
	return &Settings{
		Gates: []string{"north", "south"}, Currency: "CNY", Tariff: t, SamePass: time.Minute, Leeway: 2 * time.Minute, Oldest: 240 * time.Hour,
		Collect: []string{collectPayment, collectCity}, Arrears: Arrears{Over: 2000, Older: time.Hour}, ParkedFor: 24 * time.Hour,
		Keep: Keep{Visits: 365 * 24 * time.Hour, Passes: 365 * 24 * time.Hour, Notices: 90 * 24 * time.Hour},
	}
}
