package rooms_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/booktest"
)

// TestBookingBudgetMatrix takes one wish through every fault of the hotel's system and of the ledger: in time, with a declared
// outcome, and in the end the hotel has what the citizen was told and nothing else.
func TestBookingBudgetMatrix(t *testing.T) {
	t.Parallel()
	flowtest.Report(t, booktest.Matrix(t, testing.Short()))
}

// TestCancellationBudgetMatrix has bookings called off under every fault: whoever does is free at once.
func TestCancellationBudgetMatrix(t *testing.T) {
	t.Parallel()
	flowtest.Report(t, booktest.CancelMatrix(t, testing.Short()))
}
