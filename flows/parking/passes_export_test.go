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
