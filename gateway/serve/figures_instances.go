package serve

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// maxTold is how many instances have series of their own. Where there are more, those have that are not well, and the sums
// of their system speak for the others.
const maxTold = 100

// figuresOf is what the instances have done.
type figuresOf struct {
	told    []call.Stats          // in the order of their names, at most maxTold
	systems map[string]*systemSum // all instances, by their system's word
}

// systemSum is what the instances of a system have done together.
type systemSum struct {
	call.Stats // the sums; Name is empty

	instances, open, full int
	untold                int // of those that are not well
}

// instances returns what the instances have done until now. What a reload has replaced is in the sums, which only grow.
func (g *Gateway) instances() figuresOf {
	g.tally.Lock()
	generation := g.current.Load()
	out := figuresOf{systems: map[string]*systemSum{}}
	for system, gone := range g.gone {
		sum := &systemSum{}
		sum.Add(gone)
		out.systems[system] = sum
	}
	g.tally.Unlock()
	if generation == nil {
		return out
	}
	var ill []call.Stats
	for _, v := range generation.venues {
		for _, in := range v.instances {
			st := in.Stats()
			sum := out.systems[st.System]
			if sum == nil {
				sum = &systemSum{}
				out.systems[st.System] = sum
			}
			if !sum.take(&st) {
				ill = append(ill, st)
			}
			if len(out.told) <= maxTold {
				out.told = append(out.told, st)
			}
		}
	}
	byName := func(a, b call.Stats) int { return strings.Compare(a.Name, b.Name) }
	if len(out.told) > maxTold {
		slices.SortFunc(ill, byName)
		for i := maxTold; i < len(ill); i++ {
			out.systems[ill[i].System].untold++
		}
		out.told = ill[:min(len(ill), maxTold)]
	}
	slices.SortFunc(out.told, byName)
	return out
}

// take adds an instance and reports whether it is well: its breaker is closed and its bulkhead has room.
func (s *systemSum) take(st *call.Stats) (well bool) {
	s.Add(st)
	s.instances++
	open, full := st.Breaker != "closed", st.InFlight >= int64(st.MaxInFlight)
	if open {
		s.open++
	}
	if full {
		s.full++
	}
	return !open && !full
}

// replace makes next the current generation, and keeps what the instances have counted that it does not take over.
func (g *Gateway) replace(old, next *Generation) {
	kept := map[*call.Instance]bool{}
	for id, v := range next.venues {
		if old.venues[id] != v {
			for _, in := range v.instances {
				kept[in] = true
			}
		}
	}
	g.tally.Lock()
	defer g.tally.Unlock()
	g.take(next)
	for id, v := range old.venues {
		if next.venues[id] == v {
			continue
		}
		for _, in := range v.instances {
			if st := in.Stats(); !kept[in] {
				st.InFlight, st.MaxInFlight = 0, 0
				if g.gone[st.System] == nil {
					g.gone[st.System] = &call.Stats{}
				}
				g.gone[st.System].Add(&st)
			}
		}
	}
}

// outcomes are the ends of attempts in words.
func outcomes(st *call.Stats) map[string]uint64 {
	return map[string]uint64{"ok": st.OK, "refused": st.Refused, "timeout": st.Timeouts, "not-sent": st.NotSent, "failed": st.Failed,
		"breaker-open": st.BreakerOpen, "bulkhead-full": st.BulkheadFull, "too-late": st.TooLate}
}

// extras are attempts beside the first ones in words.
func extras(st *call.Stats) map[string]uint64 {
	return map[string]uint64{"hedge": st.Hedges, "retry": st.Retries, "wasted": st.Wasted, "denied": st.BudgetDenied}
}

func (s sender) instances(all figuresOf) {
	for _, system := range slices.Sorted(maps.Keys(all.systems)) {
		s.system(system, all.systems[system])
	}
	for i := range all.told {
		s.instance(&all.told[i])
	}
}

// system tells the sums of a system's instances.
func (s sender) system(system string, sum *systemSum) {
	const instances, instancesHelp = "warmgate_system_instances", "Instances of a system by how they are; untold ones are not well and have no series of their own."
	for state, n := range map[string]int{"all": sum.instances, "breaker-open": sum.open, "bulkhead-full": sum.full, "untold": sum.untold} {
		s.gauge(instances, instancesHelp, float64(n), "system", system, "state", state)
	}
	for outcome, n := range outcomes(&sum.Stats) {
		s.count("warmgate_system_attempts_total", "Attempts at all instances of a system by how they ended.", float64(n), "system", system, "outcome", outcome)
	}
	s.gauge("warmgate_system_in_flight", "Attempts under way at all instances of a system.", float64(sum.InFlight), "system", system)
	for kind, n := range extras(&sum.Stats) {
		s.count("warmgate_system_extra_attempts_total", "Hedges and retries at all instances of a system.", float64(n), "system", system, "kind", kind)
	}
	s.latency("warmgate_system_seconds", "How long attempts at all instances of a system took.", "system", system, &sum.Stats)
}

// instance tells what one instance has done.
func (s sender) instance(st *call.Stats) {
	for outcome, n := range outcomes(st) {
		s.count("warmgate_backend_attempts_total", "Attempts at a backend instance by how they ended.", float64(n), "instance", st.Name, "outcome", outcome)
	}
	s.gauge("warmgate_backend_in_flight", "Attempts under way at a backend instance.", float64(st.InFlight), "instance", st.Name)
	open := 0.0
	if st.Breaker != "closed" {
		open = 1
	}
	s.gauge("warmgate_backend_breaker_open", "Whether the instance's breaker is open or half open.", open, "instance", st.Name)
	for kind, n := range extras(st) {
		s.count("warmgate_backend_extra_attempts_total", "Hedges and retries; wasted ones lost, denied ones were over the budget.",
			float64(n), "instance", st.Name, "kind", kind)
	}
	s.latency("warmgate_backend_seconds", "How long attempts took.", "instance", st.Name, st)
}

func (s sender) latency(name, help, label, value string, st *call.Stats) {
	buckets := map[float64]uint64{}
	var n uint64
	for _, b := range st.Latency {
		n += b.Count
		if b.UpTo > 0 {
			buckets[b.UpTo.Seconds()] = n
		}
	}
	s <- prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, []string{label}, nil), n, st.LatencySum.Seconds(), buckets, value)
}

// sockets tells how many connections to outside systems there are.
func (s sender) sockets(st sockets.Stats) {
	s.gauge("warmgate_sockets_limit", "How many connections to outside systems there may be.", float64(st.Limit))
	s.gauge("warmgate_sockets_open", "Connections to outside systems.", float64(st.Open))
	s.gauge("warmgate_sockets_busy", "Calls to outside systems under way, each over a connection.", float64(st.Busy))
	s.count("warmgate_sockets_refused_total", "Calls that were not sent because their system had its share of the connections.", float64(st.Refused))
	s.count("warmgate_sockets_evicted_total", "Idle connections that made room for others.", float64(st.Evicted))
}
