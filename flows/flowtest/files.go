package flowtest

import (
	"bytes"
	"sync"
)

// gatewayFile is a configuration for tests: the product's own budgets, and no rate limit in the way.
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
flows:
  scenic-entry:
    journey_budget: 20s
    machine_budget: 800ms
    flush: 40ms
    overhead: 60ms
    lease: 2s
    steps:
      recall: { slice: 40ms }
      find: { slice: 220ms, attempts: 2, attempt_timeout: 100ms, backoff: 10ms, min: 10ms }
      day: { slice: 220ms, cache: { fresh: 1m, stale_while_revalidate: 10m, stale_if_error: 12h } }
      redeem: { slice: 250ms, min: 10ms }
  scenic-exit: &record { journey_budget: 20s, machine_budget: 300ms, flush: 40ms, overhead: 60ms, lease: 2s }
  scenic-occupancy: *record
  assist-claim: *record
  assist-release: *record
  assist-resolution: *record
`

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
