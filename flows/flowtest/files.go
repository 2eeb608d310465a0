package flowtest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway/flow"
)

// gatewayFile is a configuration for tests, without the journeys' time: no rate limit in the way.
const gatewayFile = `listen: 127.0.0.1:0
admin: 127.0.0.1:0
data: %q
venues: venues
edge:
  language: en
auth:
  audience: warmgate
  leeway: 5s
  issuers:
    - { issuer: "https://id.city.example", algorithms: [EdDSA], keys_file: %q }
  first_seen_per_address: { rate: 100000, per: 1s, burst: 100000 }
outbox:
  poll: 50ms
  backoff_min: 20ms
  backoff_max: 200ms
`

// sections are the product's own budgets by plan. Any other plan is one commit.
func sections() map[string]string {
	return map[string]string{
		"scenic-entry": section("20s", "800ms", `
      recall: { slice: 40ms }
      fallback: { slice: 40ms }
      find: { slice: 220ms, attempts: 2, attempt_timeout: 100ms, backoff: 10ms, min: 10ms }
      day: { slice: 220ms, cache: { fresh: 1m, stale_while_revalidate: 10m, stale_if_error: 12h } }
      redeem: { slice: 250ms, min: 10ms }
`),
		"hotel-check-in": section("30s", "3s", `
      recall: { slice: 40ms }
      booking: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }
      identity: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }
      rooms:
        slice: 700ms
        attempts: 2
        attempt_timeout: 340ms
        backoff: 20ms
        cache: { fresh: 2s, stale_while_revalidate: 8s, stale_if_error: 30s }
      assign: { slice: 500ms, min: 20ms }
      check-in: { slice: 500ms, min: 20ms }
      register: { slice: 500ms, min: 20ms }
      key: { slice: 600ms, min: 20ms }
`),
		"rooms-search": section("10s", "1500ms", `
      offers:
        slice: 1300ms
        attempt_timeout: 1s
        min: 20ms
        cache: { fresh: 30s, stale_while_revalidate: 2m, stale_if_error: 10m }
`),
		"rooms-refresh": section("10s", "1500ms", `
      offers:
        slice: 1300ms
        attempt_timeout: 1s
        min: 20ms
        cache: { fresh: 30s, stale_if_error: 10m }
`),
		"hotel-check-out": section("30s", "3s", `
      check-out: { slice: 800ms, min: 20ms }
      key-off: { slice: 600ms, min: 20ms }
      departures: { slice: 600ms, min: 20ms }
`),
		"booking": section("10s", "3s", `
      look: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }
      book: { slice: 1200ms, min: 20ms }
`),
		"booking-cancel": section("10s", "3s", `
      cancel: { slice: 800ms, min: 20ms }
`),
	}
}

// section is one plan's section with its steps.
func section(journey, machine, steps string) string {
	return fmt.Sprintf("\n    journey_budget: %s\n    machine_budget: %s\n    flush: 40ms\n    overhead: 60ms\n    lease: 2s\n    steps:", journey, machine) + steps
}

// OneCommit is the machine budget of a plan that is one commit.
const OneCommit = slower * 300 * time.Millisecond

// budgets is the section flows for the plans of these journeys.
func budgets(all []*flow.Flow) string {
	var s strings.Builder
	s.WriteString("flows:\n")
	for _, f := range all {
		for _, p := range f.Plans {
			section, known := sections()[p.Name()]
			if !known {
				section = fmt.Sprintf(" { journey_budget: 20s, machine_budget: %s, flush: 40ms, overhead: 60ms, lease: 2s }\n", OneCommit)
			}
			s.WriteString("  " + p.Name() + ":" + section)
		}
	}
	return s.String()
}

const venueFile = `id: %s
kind: attraction
tenant: hangzhou
name: { zh: 景点, en: A spot }
time_zone: Asia/Shanghai
connectors:
  ticketing:
    connector: octo
    url: %s
    secrets: { api_key: { env: OCTO_KEY } }
    options: { supplier: %s-tickets, option: day }
settings:
%s`

// lockedWriter collects log lines from every goroutine.
type lockedWriter struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends.
func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

// text returns what was written so far.
func (w *lockedWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
