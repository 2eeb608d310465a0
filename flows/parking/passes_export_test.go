package parking

import (
	"context"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// AskPrepaid hands payments to a person that were reported before a moment and that no visit has come for.
func AskPrepaid(rt *flow.Runtime, v *gateway.Venue, before time.Time) (int, error) {
	return ledger.Do(context.Background(), rt.Ledger, askPrepaid, overdue{rt, v, before})
}

// Forget forgets what is old enough of a lot at a time that a test chooses, and returns how many rows that were.
func Forget(rt *flow.Runtime, v *gateway.Venue, now time.Time) (int64, error) {
	then := *rt
	then.Now = func() time.Time { return now }
	f := forgetter{&then}
	n, err := f.lot(context.Background(), v)
	if err != nil {
		return n, err
	}
	gone, err := f.sweep(context.Background(), forgetVehicles, forgetting{tenant: v.Tenant, before: now.Add(-settingsOf(v).Keep.Visits)})
	return n + gone, err
}
