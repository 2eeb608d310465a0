package checkin_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// TestBudgetMatrix takes a guest through every fault of every system: in time, with the outcome that the journey declares
// for it, and into none of the forbidden states.
func TestBudgetMatrix(t *testing.T) {
	for _, row := range checkintest.Matrix(t, testing.Short()) {
		if !row.Held() {
			t.Errorf("%s, %s: got %q after %v, want %q; %s", row.System, row.Fault, row.Got, row.Took, row.Want, row.Wrong)
		}
	}
}
