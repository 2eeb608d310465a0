package entry_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/entry/entrytest"
)

// TestBudgetMatrix takes a visitor through every fault of every system: in time, and with the outcome that the journey
// declares for it.
func TestBudgetMatrix(t *testing.T) {
	for _, row := range entrytest.Matrix(t, testing.Short()) {
		if !row.Held() {
			t.Errorf("%s, %s, %s: got %q after %v, want %q", row.Backend, row.Fault, row.Case, row.Got, row.Took, row.Want)
		}
	}
}
