package serve

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// figures gathers, at each scrape, what the rooms count by themselves: instances, ledger, outbox, cache.
type figures struct{ g *Gateway }

// Describe sends nothing: which instances there are changes with a reload.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect gathers the figures.
func (f *figures) Collect(into chan<- prometheus.Metric) {
	out := sender(into)
	out.instances(f.g.instances())
	if f.g.loader.sockets != nil {
		out.sockets(f.g.loader.sockets.Stats())
	}
	if f.g.ledger != nil {
		out.ledger(f.g.ledger.Stats())
	}
	if f.g.cache != nil {
		s := f.g.cache.Stats()
		out.gauge("warmgate_cache_entries", "Entries in the memory cache.", float64(s.Entries))
		out.gauge("warmgate_cache_bytes", "Weight of the memory cache.", float64(s.Bytes))
	}
	if f.g.redis != nil && f.g.shared != nil && f.g.fleet != nil {
		f.redis(out)
	}
	if f.g.outbox != nil {
		f.outbox(out)
		f.overdue(out)
		f.assists(out)
	}
	if f.g.edge != nil {
		f.front(out)
	}
	if f.g.gate != nil {
		load := f.g.gate.Load()
		out.gauge("warmgate_requests_in_flight", "Requests in work.", float64(load.InFlight))
		out.gauge("warmgate_requests_waiting", "Requests that wait for room.", float64(load.Waiting))
	}
}

// front are the connections, and what the strict front refused before it became a request.
func (f *figures) front(out sender) {
	s := f.g.edge.Front().Stats()
	out.gauge("warmgate_connections_open", "Connections open.", float64(s.Open()))
	out.count("warmgate_connections_total", "Connections accepted, those turned away included.", float64(s.Accepted()))
	out.count("warmgate_front_panics_total", "Handlers that panicked past the edge.", float64(s.Panics()))
	for p, n := range s.Refused() {
		out.count("warmgate_front_refusals_total", "Requests and connections that the strict front refused, by problem.", float64(n), "type", p.Type)
	}
}

// scrapeWait bounds what a scrape may ask the ledger.
const scrapeWait = time.Second

func (f *figures) outbox(out sender) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	s, err := f.g.outbox.Stats(ctx)
	if err != nil {
		return // the ledger does not answer: its own figures say so
	}
	out.gauge("warmgate_outbox_waiting", "Messages that wait for delivery.", float64(s.Waiting))
	out.gauge("warmgate_outbox_overdue", "Messages past their due time.", float64(s.Overdue))
	out.gauge("warmgate_outbox_dead", "Messages that were given up and are a person's.", float64(s.Dead))
	out.gauge("warmgate_outbox_in_flight", "Deliveries under way.", float64(s.InFlight))
	out.count("warmgate_outbox_attempts_total", "Deliveries by outcome.", float64(s.Delivered), "outcome", "delivered")
	out.count("warmgate_outbox_attempts_total", "Deliveries by outcome.", float64(s.Failed), "outcome", "failed")
}

// overdue tells what is past its due time, by operation: those that may be deferred are there also where none is.
func (f *figures) overdue(out sender) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	late, now := map[string]ledger.Overdue{}, f.g.opts.Now()
	for _, name := range f.g.engine.Deferrable() {
		late[name] = ledger.Overdue{Oldest: now}
	}
	err := f.g.ledger.View(ctx, func(q ledger.Querier) error {
		all, err := ledger.OverdueOperations(q, now)
		for _, o := range all {
			late[o.Name] = o
		}
		return err
	})
	if err != nil {
		return
	}
	for name, o := range late {
		out.gauge("warmgate_effects_overdue", "Effects left to the outbox that are past their due time, and neither done nor settled by a person.",
			float64(o.Count), "operation", name)
		out.gauge("warmgate_effects_overdue_oldest_seconds", "For how long the oldest of them has been.", now.Sub(o.Oldest).Seconds(), "operation", name)
	}
}

// assists tells what waits for staff: it is what an operator is woken for.
func (f *figures) assists(out sender) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
	defer cancel()
	var open int64
	var oldest time.Time
	err := f.g.ledger.View(ctx, func(q ledger.Querier) (err error) {
		open, oldest, err = ledger.WaitingAssists(q)
		return err
	})
	if err != nil {
		return
	}
	out.gauge("warmgate_assists_waiting", "Assists that nobody has resolved.", float64(open))
	age := 0.0
	if open > 0 {
		age = f.g.opts.Now().Sub(oldest).Seconds()
	}
	out.gauge("warmgate_assists_oldest_seconds", "For how long the oldest of them has waited.", age)
}

type sender chan<- prometheus.Metric

func (s sender) send(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	s <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, v, values...)
}

func (s sender) gauge(name, help string, v float64, labels ...string) {
	s.send(prometheus.GaugeValue, name, help, v, labels)
}

func (s sender) count(name, help string, v float64, labels ...string) {
	s.send(prometheus.CounterValue, name, help, v, labels)
}

func (s sender) ledger(st ledger.Stats) {
	s.count("warmgate_ledger_commits_total", "Group commits.", float64(st.Batches))
	s.count("warmgate_ledger_items_total", "Items by what became of them.", float64(st.Items), "outcome", "kept")
	s.count("warmgate_ledger_items_total", "Items by what became of them.", float64(st.LeftOut), "outcome", "left-out")
	s.count("warmgate_ledger_items_total", "Items by what became of them.", float64(st.Failed), "outcome", "failed")
	s.count("warmgate_ledger_items_total", "Items by what became of them.", float64(st.Refused), "outcome", "refused")
	down := 0.0
	if st.Down {
		down = 1
	}
	s.gauge("warmgate_ledger_refusing", "1 while the last group commit was refused, until one succeeds.", down)
	s.gauge("warmgate_ledger_wal_bytes", "Size of the write-ahead log.", float64(st.WALBytes))
	s.histogram("warmgate_ledger_flush_seconds", "How long a group commit's flush took.", st.Flushes)
	s.histogram("warmgate_ledger_commit_items", "Items in one group commit.", st.Sizes)
}

func (s sender) histogram(name, help string, h ledger.Histogram) {
	buckets := map[float64]uint64{}
	var n uint64
	for i, c := range h.Counts {
		n += c
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = n
		}
	}
	s <- prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, nil, nil), n, h.Sum, buckets)
}
