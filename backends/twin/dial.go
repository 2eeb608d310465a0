package twin

import (
	"fmt"
	"time"
)

// Fault is a way in which a backend fails.
type Fault string

// The faults. But for Slow, and with Dial.AfterEffect, a faulty request has no effect at the twin.
const (
	Hang    Fault = "hang"    // accepts the request and never answers, until the client leaves or the dial changes
	Slow    Fault = "slow"    // the true answer, a byte every tenth of a second
	Refuse  Fault = "refuse"  // connections are refused and open ones reset; with a Rate below 1 or a Path, reset before an answer
	Reset   Fault = "reset"   // the connection is reset in the middle of the body
	Status5 Fault = "500"     // an internal server error that is not of the protocol
	Status4 Fault = "429"     // too many requests, Retry-After: 1
	Garbage Fault = "garbage" // 200 with a body that is not JSON
	Endless Fault = "endless" // 200 with a body that never ends
)

// Faults returns every fault, for tests that go through them all.
func Faults() []Fault {
	return []Fault{Hang, Slow, Refuse, Reset, Status5, Status4, Garbage, Endless}
}

// maxLatency bounds Dial.LatencyMS: a minute.
const maxLatency = 60_000

// Dial is how badly an instance behaves. The zero value is well.
type Dial struct {
	// Fault is how requests fail; "": they do not.
	Fault Fault `json:"fault,omitzero"`
	// LatencyMS is waited before the request is looked at, 0 to 60,000 ms. A client that leaves meanwhile does not
	// prevent the effect: most servers do not notice.
	LatencyMS int `json:"latency_ms,omitzero"`
	// AfterEffect lets the effect take place first, at once; then come latency and fault, and the answer is lost.
	AfterEffect bool `json:"after_effect,omitzero"`
	// Rate is the share of requests that the dial is for, more than 0 and up to 1, drawn from the city's seed. 0: all.
	Rate float64 `json:"rate,omitzero"`
	// Path is how the paths of the requests begin that the dial is for: "/redemption/redeem". "": all.
	Path string `json:"path,omitzero"`
}

// Check reports what is wrong with the dial; the error names the field at fault.
func (d Dial) Check() error {
	switch d.Fault {
	case "", Hang, Slow, Refuse, Reset, Status5, Status4, Garbage, Endless:
	default:
		return fmt.Errorf("fault: want one of %v, got %q", Faults(), d.Fault)
	}
	switch {
	case d.LatencyMS < 0 || d.LatencyMS > maxLatency:
		return fmt.Errorf("latency_ms: want 0 to %d, got %d", maxLatency, d.LatencyMS)
	case !(d.Rate >= 0 && d.Rate <= 1):
		return fmt.Errorf("rate: want 0 to 1, got %v", d.Rate)
	case d.Path != "" && d.Path[0] != '/':
		return fmt.Errorf("path: want it to begin with a slash, got %q", d.Path)
	case d.AfterEffect && d.shut():
		return fmt.Errorf("after_effect: a refused connection carries no request to have an effect; use reset")
	}
	return nil
}

// shut reports whether the listener itself is to refuse.
func (d Dial) shut() bool { return d.Fault == Refuse && d.Path == "" && (d.Rate == 0 || d.Rate == 1) }

func (d Dial) latency() time.Duration { return time.Duration(d.LatencyMS) * time.Millisecond }
