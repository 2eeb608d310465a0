package parking_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking/parkingtest"
)

// TestBudgetMatrix takes cars through every fault of every system: an exit opens in time, whatever fails; what it comes to is
// kept once, told once and collected once.
func TestBudgetMatrix(t *testing.T) {
	flowtest.Report(t, parkingtest.Matrix(t, testing.Short()))
}
