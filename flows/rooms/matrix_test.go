package rooms_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

// TestBudgetMatrix searches through every fault of a hotel's system and of the ledger: the answer comes in time, with every
// hotel that lives, and says what it lacks.
func TestBudgetMatrix(t *testing.T) {
	flowtest.Report(t, roomstest.Matrix(t, testing.Short()))
}
