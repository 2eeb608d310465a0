package runner

import (
	"fmt"
	"slices"
	"sync"
)

// kind is the type of a metric, as k6 has them.
type kind string

const (
	counter kind = "counter"
	gauge   kind = "gauge"
	rate    kind = "rate"
	trend   kind = "trend"
)

// aggregates are the numbers that a series of this kind has, beside a trend's percentiles.
func (k kind) aggregates() []string {
	switch k {
	case counter:
		return []string{"count", "rate"}
	case gauge:
		return []string{"value", "min", "max"}
	case rate:
		return []string{"rate", "passes", "fails"}
	default:
		return []string{"avg", "min", "med", "max", "count"}
	}
}

// series is what was recorded under one name and, for a sub-metric, one set of tags.
type series struct {
	count          int
	sum, min, max  float64
	last           float64
	values         []float64 // a trend's
	sorted         bool
	want           map[string]string // a sub-metric's tags
	thresholds     []*threshold
	thresholdsName string
}

// metric is a name with its kind and its series: the whole first, then each sub-metric that a threshold names.
type metric struct {
	name   string
	kind   kind
	time   bool // values are milliseconds
	series []*series
}

// registry holds the metrics of a run. It is safe for concurrent use.
type registry struct {
	mu      sync.Mutex
	metrics map[string]*metric
	checks  []*Check
}

// newRegistry has k6's built-in metrics.
func newRegistry() *registry {
	r := &registry{metrics: map[string]*metric{}}
	for name, k := range map[string]kind{
		"http_reqs": counter, "http_req_failed": rate, "checks": rate, "iterations": counter,
		"dropped_iterations": counter, "data_sent": counter, "data_received": counter, "vus": gauge, "vus_max": gauge,
	} {
		r.metrics[name] = &metric{name: name, kind: k, series: []*series{{}}}
	}
	for _, name := range []string{
		"http_req_duration", "http_req_blocked", "http_req_connecting", "http_req_tls_handshaking", "http_req_sending",
		"http_req_waiting", "http_req_receiving", "iteration_duration", "group_duration",
	} {
		r.metrics[name] = &metric{name: name, kind: trend, time: true, series: []*series{{}}}
	}
	return r
}

// declare returns the metric of this name, made at the first call: every virtual user runs the same declaration.
func (r *registry) declare(name string, k kind, isTime bool) (*metric, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.metrics[name]; m != nil {
		if m.kind != k || m.time != isTime {
			return nil, fmt.Errorf("the metric %q is a %s already", name, m.kind)
		}
		return m, nil
	}
	m := &metric{name: name, kind: k, time: isTime, series: []*series{{}}}
	r.metrics[name] = m
	return m, nil
}

// watch adds thresholds, and the sub-metrics that they name. The samples before it are not in the sub-metrics.
func (r *registry) watch(thresholds map[string][]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, sources := range thresholds {
		name, tags, err := parseSeries(key)
		if err != nil {
			return err
		}
		m := r.metrics[name]
		if m == nil {
			return fmt.Errorf("threshold of %q: the script declares no metric %q", key, name)
		}
		s := m.series[0]
		if tags != nil {
			s = &series{want: tags}
			m.series = append(m.series, s)
		}
		s.thresholdsName = key
		for _, source := range sources {
			t, err := parseThreshold(key, source, m.kind)
			if err != nil {
				return err
			}
			s.thresholds = append(s.thresholds, t)
		}
	}
	return nil
}

// add records a value of the named metric, which must exist, in the whole and in the sub-metrics whose tags it has.
func (r *registry) add(name string, value float64, tags map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.metrics[name]
	for _, s := range m.series {
		if s.matches(tags) {
			s.add(m.kind, value)
		}
	}
}

// check counts one check of the given name in the given group.
func (r *registry) check(group, name string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.checks, func(c *Check) bool { return c.Name == name && c.Group == group })
	if i < 0 {
		i = len(r.checks)
		r.checks = append(r.checks, &Check{Group: group, Name: name})
	}
	if ok {
		r.checks[i].Passes++
	} else {
		r.checks[i].Fails++
	}
}

func (s *series) matches(tags map[string]string) bool {
	for tag, value := range s.want {
		if tags[tag] != value {
			return false
		}
	}
	return true
}

func (s *series) add(k kind, value float64) {
	if k == rate && value != 0 {
		value = 1
	}
	if s.count == 0 {
		s.min, s.max = value, value
	}
	s.count++
	s.sum += value
	s.min, s.max, s.last = min(s.min, value), max(s.max, value), value
	if k == trend {
		s.values = append(s.values, value)
		s.sorted = false
	}
}

// aggregate returns the number that kind k has under this name, after so many seconds.
func (s *series) aggregate(k kind, name string, seconds float64) float64 {
	switch {
	case k == counter && name == "count":
		return s.sum
	case k == counter: // rate
		return s.sum / max(seconds, 1e-9)
	case name == "rate":
		return s.sum / float64(max(s.count, 1))
	case name == "passes":
		return s.sum
	case name == "fails":
		return float64(s.count) - s.sum
	case name == "value":
		return s.last
	case name == "min":
		return s.min
	case name == "max":
		return s.max
	case name == "med":
		return s.percentile(50)
	case name == "count":
		return float64(s.count)
	default: // avg
		return s.sum / float64(max(s.count, 1))
	}
}

// percentile of a trend, between the two nearest samples in proportion; 0 without samples.
func (s *series) percentile(pct float64) float64 {
	if len(s.values) == 0 {
		return 0
	}
	if !s.sorted {
		slices.Sort(s.values)
		s.sorted = true
	}
	at := pct / 100 * float64(len(s.values)-1)
	low := int(at)
	if low+1 >= len(s.values) {
		return s.values[len(s.values)-1]
	}
	return s.values[low] + (s.values[low+1]-s.values[low])*(at-float64(low))
}
