package checkin

import (
	"context"
	"strconv"
	"strings"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// bindLedger binds what the journey asks the gateway's own ledger.
func bindLedger(ops operations, to flow.Connection, b *call.Bindings) {
	call.BindRead(b, ops.recall, to.Own("ledger"), func(ctx context.Context, a Arrival) (out Recalled, err error) {
		if a.Person {
			return out, nil
		}
		err = to.Ledger.View(ctx, func(q ledger.Querier) (err error) {
			out.Vouches, err = vouchesFor(q, a)
			return err
		})
		return out, err
	})
}

// vouchesFor lists what staff have settled about the party's guests and is still good.
func vouchesFor(q ledger.Querier, a Arrival) ([]Vouch, error) {
	var marks strings.Builder
	args := []any{a.Hotel, a.At.UnixMilli()}
	for i, g := range a.Guests {
		if i > 0 {
			marks.WriteByte(',')
		}
		args = append(args, g.Hash)
		marks.WriteString("$" + strconv.Itoa(len(args)))
	}
	rows, err := q.Query(`SELECT guest, kind, booking FROM vouches WHERE venue = $1 AND until > $2 AND guest IN (`+marks.String()+`)`, args...)
	return ledger.List(rows, err, func(row ledger.Row) (v Vouch, err error) {
		err = row.Scan(&v.Guest, &v.Kind, &v.Booking)
		return v, err
	})
}
