package runner_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/loadtest/runner"
)

const steady = `import { sleep } from 'k6';
export const options = { scenarios: { s: {
  executor: 'constant-arrival-rate', rate: 100, duration: '10s', preAllocatedVUs: 2, maxVUs: Number(__ENV.VUS), gracefulStop: '5s',
} } };
export default () => sleep(Number(__ENV.SLEEP));`

// virtual runs a script in virtual time, where every count and every time is exact.
func virtual(t *testing.T, source string, env map[string]string, scale runner.Scale, verify func(*testing.T, *runner.Summary)) {
	path := script(t, source)
	synctest.Test(t, func(t *testing.T) {
		sum, err := runner.Run(t.Context(), runner.Config{Script: path, Env: env, Scale: scale})
		if err != nil {
			t.Fatal(err)
		}
		verify(t, sum)
	})
}

func counts(t *testing.T, sum *runner.Summary, iterations, dropped float64) {
	t.Helper()
	if got := sum.Metrics["iterations"].Values["count"]; got != iterations {
		t.Errorf("iterations: got %v, want %v", got, iterations)
	}
	if got := sum.Metrics["dropped_iterations"].Values["count"]; got != dropped {
		t.Errorf("dropped iterations: got %v, want %v", got, dropped)
	}
}

func TestAnArrivalRateIsHeldExactly(t *testing.T) {
	virtual(t, steady, map[string]string{"VUS": "10", "SLEEP": "0.055"}, runner.Scale{}, func(t *testing.T, sum *runner.Summary) {
		counts(t, sum, 1000, 0)
		// The last is due at 9.99 s and sleeps 55 ms.
		if want := 10*time.Second + 45*time.Millisecond; sum.Duration != want {
			t.Errorf("took %s, want %s", sum.Duration, want)
		}
		if got := sum.Metrics["vus_max"].Values["value"]; got != 6 {
			t.Errorf("virtual users: got %v, want the six that 55 ms at 100/s need", got)
		}
		if h := sum.Latency["s"]; h.TotalCount() != 1000 || h.Max() < 55000 || h.Max() > 55100 {
			t.Errorf("latency: %d values up to %d µs", h.TotalCount(), h.Max())
		}
	})
}

func TestIterationsWithoutAVirtualUserAreDropped(t *testing.T) {
	// Two users are busy for 25 ms each: of the three arrivals in every 30 ms, two begin.
	virtual(t, steady, map[string]string{"VUS": "2", "SLEEP": "0.025"}, runner.Scale{}, func(t *testing.T, sum *runner.Summary) {
		counts(t, sum, 667, 333)
	})
}

func TestScaleChangesRateAndDuration(t *testing.T) {
	scale := runner.Scale{Rate: 0.5, Duration: 2 * time.Second}
	virtual(t, steady, map[string]string{"VUS": "10", "SLEEP": "0.01"}, scale, func(t *testing.T, sum *runner.Summary) {
		counts(t, sum, 100, 0)
	})
}

const ramp = `export const options = { scenarios: { s: {
  executor: 'ramping-arrival-rate', startRate: 0, timeUnit: '1m', preAllocatedVUs: 1, maxVUs: 50,
  stages: [{ target: 600, duration: '10s' }, { target: 600, duration: '5s' }, { target: 0, duration: '10s' }],
} } };
export default () => {};`

func TestARampArrivesAsManyTimesAsItsArea(t *testing.T) {
	virtual(t, ramp, nil, runner.Scale{}, func(t *testing.T, sum *runner.Summary) {
		counts(t, sum, 50+50+50, 0) // at 10/s at the top
	})
	virtual(t, ramp, nil, runner.Scale{Duration: 5 * time.Second}, func(t *testing.T, sum *runner.Summary) {
		counts(t, sum, 10+10+10, 0)
	})
}

func TestIterationsPastTheGracefulStopAreInterrupted(t *testing.T) {
	virtual(t, steady, map[string]string{"VUS": "2", "SLEEP": "60"}, runner.Scale{}, func(t *testing.T, sum *runner.Summary) {
		counts(t, sum, 0, 998)
		if sum.Interrupted != 2 || sum.Duration != 15*time.Second {
			t.Errorf("%d interrupted after %s, want 2 after 15s", sum.Interrupted, sum.Duration)
		}
	})
}

func TestClosedLoops(t *testing.T) {
	const source = `import { sleep } from 'k6';
export const options = { scenarios: {
  a: { executor: 'constant-vus', vus: 3, duration: '1s', startTime: '500ms' },
  b: { executor: 'shared-iterations', vus: 4, iterations: 10 },
}, thresholds: { 'iterations{scenario:a}': ['count==30'], 'iterations{scenario:b}': ['count==10'] } };
export default () => sleep(0.1);`
	virtual(t, source, nil, runner.Scale{}, func(t *testing.T, sum *runner.Summary) {
		if err := sum.Err(); err != nil {
			t.Error(err)
		}
		if want := 1500 * time.Millisecond; sum.Duration != want {
			t.Errorf("took %s, want %s", sum.Duration, want)
		}
	})
}

func TestAnArrivalRateAgainstRealSockets(t *testing.T) {
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer srv.Close()
	path := script(t, `import http from 'k6/http';
export const options = { scenarios: { s: {
  executor: 'constant-arrival-rate', rate: 400, duration: '1s', preAllocatedVUs: 20, maxVUs: 100 } } };
export default () => http.get(__ENV.URL);`)
	sum, err := runner.Run(t.Context(), runner.Config{Script: path, Env: map[string]string{"URL": srv.URL}})
	if err != nil {
		t.Fatal(err)
	}
	done, dropped := sum.Metrics["iterations"].Values["count"], sum.Metrics["dropped_iterations"].Values["count"]
	if done+dropped != 400 || done < 380 {
		t.Errorf("%v iterations and %v dropped, want 400 in all and at most 20 dropped", done, dropped)
	}
	if got := asked.Load(); got != int64(done) {
		t.Errorf("the server was asked %d times in %v iterations", got, done)
	}
	if sum.Duration < 997*time.Millisecond {
		t.Errorf("took %s, but the last iteration is due after 997.5 ms", sum.Duration)
	}
}
