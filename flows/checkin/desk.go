package checkin

import (
	"context"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// desk is a hotel's property management system as this journey needs it: its reads, and each effect with how the engine asks
// whether it has happened. The text is the idempotency key of the effect. It is safe for concurrent use.
type desk interface {
	find(ctx context.Context, a Arrival) ([]Booking, error)
	rooms(ctx context.Context, a Arrival) (Rooms, error)

	assign(ctx context.Context, key string, a Assignment) (Assigned, error)
	assigned(ctx context.Context, key string, a Assignment) (out Assigned, happened bool, err error)
	unassign(ctx context.Context, key string, a Assignment) (Assigned, error)

	enter(ctx context.Context, key string, e Entrance) (Entered, error)
	entered(ctx context.Context, key string, e Entrance) (out Entered, happened bool, err error)
	unenter(ctx context.Context, key string, e Entrance) (Entered, error)

	issue(ctx context.Context, key string, k KeyOrder) (Keys, error)
	issued(ctx context.Context, key string, k KeyOrder) (out Keys, happened bool, err error)

	leave(ctx context.Context, key string, l Departure) (Done, error)
	left(ctx context.Context, key string, l Departure) (out Done, happened bool, err error)

	keyOff(ctx context.Context, key string, l Departure) (Done, error)
	keysAreOff(ctx context.Context, key string, l Departure) (out Done, happened bool, err error)
}

// bindDesk binds the journey's operations to a hotel's desk.
func bindDesk(ops operations, d desk, to flow.Connection, b *call.Bindings) {
	bindLedger(ops, to, b)
	call.BindRead(b, ops.find, to.Instance, d.find)
	call.BindRead(b, ops.rooms, to.Instance, d.rooms)
	call.BindWrite(b, ops.assign, to.Instance, call.Effect[Assignment, Assigned]{Do: d.assign, Find: d.assigned})
	call.BindWrite(b, ops.unassign, to.Instance, call.Effect[Assignment, Assigned]{Do: d.unassign, Find: neverAsked[Assignment, Assigned]})
	call.BindWrite(b, ops.enter, to.Instance, call.Effect[Entrance, Entered]{Do: d.enter, Find: d.entered})
	call.BindWrite(b, ops.unenter, to.Instance, call.Effect[Entrance, Entered]{Do: d.unenter, Find: neverAsked[Entrance, Entered]})
	call.BindWrite(b, ops.issue, to.Instance, call.Effect[KeyOrder, Keys]{Do: d.issue, Find: d.issued})
	call.BindWrite(b, ops.leave, to.Instance, call.Effect[Departure, Done]{Do: d.leave, Find: d.left})
	call.BindWrite(b, ops.keyOff, to.Instance, call.Effect[Departure, Done]{Do: d.keyOff, Find: d.keysAreOff})
}

// neverAsked is for what takes an effect back: the engine asks whether that effect stands, and not for this.
func neverAsked[A, O any](context.Context, string, A) (none O, happened bool, err error) {
	return none, false, nil
}
