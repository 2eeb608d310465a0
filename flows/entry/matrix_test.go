package entry_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

func TestMain(m *testing.M) {
	// fasthttp looks after connections, workers and the date until long after it was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// TestBudgetMatrix takes a visitor through every fault of every system: in time, and with the outcome that the journey
// declares for it.
func TestBudgetMatrix(t *testing.T) {
	flowtest.Report(t, entrytest.Matrix(t, testing.Short()))
}
