package runner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/dop251/goja"
)

// Summary is what a run measured. It belongs to the caller.
type Summary struct {
	Duration    time.Duration     // of the scenarios, without setup and teardown
	Metrics     map[string]Metric // by name; a sub-metric by its threshold's key: "http_req_duration{journey:x}"
	Checks      []Check           // in the order of their first use
	Thresholds  []Threshold       // by series, in the script's order
	Interrupted int               // iterations that ran past their scenario's time and its gracefulStop

	// Latency has, for each scenario, the time of its iterations in microseconds, up to an hour. An iteration of an
	// arrival rate counts from the moment at which it was due, so a late start is in it.
	Latency map[string]*hdrhistogram.Histogram

	// Outputs are what handleSummary returned, by destination: "stdout", "stderr" or a file's name. Nothing is written.
	Outputs map[string]string
}

// Metric is one series of samples. Values of times are in milliseconds.
type Metric struct {
	Type   string // counter, gauge, rate or trend
	Time   bool
	Values map[string]float64 // as k6's summary names them: count, rate, avg, p(95), passes, …
}

// Check is one named predicate of the script, within its group ("" or "::outer::inner").
type Check struct {
	Group, Name   string
	Passes, Fails int
}

// Threshold is one judged expression.
type Threshold struct {
	Series string  // "checks{journey:x}"
	Source string  // "rate>0.99"
	Value  float64 // NaN when nothing was recorded
	OK     bool
}

// Err says which thresholds were crossed, or nil.
func (s *Summary) Err() error {
	var all []error
	for _, t := range s.Thresholds {
		if !t.OK {
			all = append(all, fmt.Errorf("threshold %s of %s was crossed: %.4g", t.Source, t.Series, t.Value))
		}
	}
	return errors.Join(all...)
}

// summarise gathers what the run measured, and lets the script's handleSummary see it.
func (v *vu) summarise(took time.Duration) (*Summary, error) {
	t := v.t
	s := &Summary{
		Duration: took, Metrics: map[string]Metric{}, Interrupted: int(t.interrupted.Load()),
		Latency: map[string]*hdrhistogram.Histogram{}, Outputs: map[string]string{},
	}
	for _, sc := range t.options.scenarios {
		s.Latency[sc.name] = sc.latency
	}
	for _, c := range t.metrics.checks {
		s.Checks = append(s.Checks, *c)
	}
	for _, name := range slices.Sorted(maps.Keys(t.metrics.metrics)) {
		m := t.metrics.metrics[name]
		for i, part := range m.series {
			key := name
			if i > 0 {
				key = part.thresholdsName
			} else if part.count == 0 && part.thresholds == nil {
				continue
			}
			s.Metrics[key] = Metric{Type: string(m.kind), Time: m.time, Values: part.numbers(m.kind, took, t.options.trendStats)}
			for _, th := range part.thresholds {
				value, ok := th.judge(m.kind, part, took.Seconds())
				s.Thresholds = append(s.Thresholds, Threshold{Series: key, Source: th.source, Value: value, OK: ok})
			}
		}
	}
	return s, v.handleSummary(s)
}

// numbers are a series' values by name.
func (s *series) numbers(k kind, took time.Duration, trendStats []string) map[string]float64 {
	names := k.aggregates()
	if k == trend {
		names = trendStats
	}
	out := map[string]float64{}
	for _, name := range names {
		if value, err := aggregate(k, name); err == nil {
			out[name] = value(s, took.Seconds())
		}
	}
	return out
}

// handleSummary gives the script the data of k6's form.
func (v *vu) handleSummary(s *Summary) error {
	f, ok := goja.AssertFunction(v.exports.Get("handleSummary"))
	if !ok {
		return nil
	}
	metrics := map[string]any{}
	for name, m := range s.Metrics {
		contains := "default"
		if m.Time {
			contains = "time"
		}
		thresholds := map[string]any{}
		for _, t := range s.Thresholds {
			if t.Series == name {
				thresholds[t.Source] = map[string]any{"ok": t.OK}
			}
		}
		metrics[name] = map[string]any{"type": m.Type, "contains": contains, "values": m.Values, "thresholds": thresholds}
	}
	checks := make([]any, len(s.Checks))
	for i, c := range s.Checks {
		checks[i] = map[string]any{"name": c.Name, "path": c.Group + "::" + c.Name, "passes": c.Passes, "fails": c.Fails}
	}
	setup, err := v.parse(v.t.setup)
	if err != nil {
		return err
	}
	data := v.rt.NewObject()
	mustSet(data, "metrics", metrics)
	mustSet(data, "root_group", map[string]any{"name": "", "path": "", "checks": checks, "groups": []any{}})
	mustSet(data, "state", map[string]any{"testRunDurationMs": milliseconds(s.Duration)})
	mustSet(data, "setup_data", setup)
	answer, err := v.call(v.t.ctx, f, loud(v.rt, "the summary's data", data))
	if err != nil {
		return fmt.Errorf("handleSummary: %w", err)
	}
	if err := v.rt.ExportTo(answer, &s.Outputs); err != nil {
		return fmt.Errorf("handleSummary wants to return an object of texts: %w", err)
	}
	return nil
}
