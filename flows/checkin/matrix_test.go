package checkin_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// TestBudgetMatrix takes a guest through every fault of every system: in time, with the outcome that the journey declares
// for it, and into none of the forbidden states.
func TestBudgetMatrix(t *testing.T) {
	flowtest.Report(t, checkintest.Matrix(t, testing.Short()))
}

// TestCheckOutBudgetMatrix has guests leave under every fault.
func TestCheckOutBudgetMatrix(t *testing.T) {
	t.Parallel()
	flowtest.Report(t, checkintest.LeaveMatrix(t, testing.Short()))
}
