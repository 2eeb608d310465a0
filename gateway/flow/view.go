package flow

import (
	"context"
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// View reads the ledger within an exchange's time. A problem that f returns is returned as it is; any other failure is
// ledger-unavailable.
func View(rt *Runtime, x *edge.Exchange, f func(q ledger.Querier) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), x.Deadline().Sub(rt.Now()))
	defer cancel()
	err := rt.Ledger.View(ctx, f)
	if _, ok := errors.AsType[*gateway.Error](err); err == nil || ok {
		return err
	}
	return gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(err)
}
