package edge

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

// metrics are the edge's figures. Their labels are names of the program (routes, flows, kinds, problem types), never
// anything that a client or a citizen sent.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	journeys *prometheus.HistogramVec
	exceeded *prometheus.CounterVec
	problems *prometheus.CounterVec
	shed     *prometheus.CounterVec
	replays  *prometheus.CounterVec
	handed   *prometheus.CounterVec
	streams  prometheus.Gauge
	panics   prometheus.Counter
	unknown  *routeCounters
}

// routeCounters are the children of one route, looked up once.
type routeCounters struct {
	classes  [6]prometheus.Counter // by the status's first digit
	duration prometheus.Observer
	exceeded prometheus.Counter
	replays  prometheus.Counter
	handed   prometheus.Counter
	journeys prometheus.Observer // nil: it runs no journey
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "warmgate", Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("requests_total", "Requests answered, by route and class of status.", "route", "class"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "warmgate", Name: "request_duration_seconds",
			Help:    "Time from a request's head being complete to its answer.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .3, .5, .8, 1.5, 3, 5}}, []string{"route"}),
		journeys: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "warmgate", Name: "journey_duration_seconds",
			Help:    "The citizen's time: what had passed before the request (Journey-Elapsed) and the answer's.",
			Buckets: []float64{.05, .1, .2, .3, .5, .8, 1.5, 3, 5, 10, 15, 20, 25, 30, 45, 60}}, []string{"journey", "venue_kind"}),
		exceeded: counter("budget_exceeded_total", "Answers later than the route's machine budget.", "route"),
		problems: counter("problems_total", "Problems answered, by type.", "type"),
		shed:     counter("shed_total", "Requests turned away under load, by route and reason.", "route", "reason"),
		replays:  counter("idempotent_replays_total", "Answers that repeated an earlier one.", "route"),
		handed:   counter("handed_over_total", "Citizens who were told to wait for a person (202), by route.", "route"),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "warmgate", Name: "streams_open", Help: "Streams open."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: "warmgate", Name: "panics_total", Help: "Requests that panicked."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.journeys, m.exceeded, m.problems, m.shed, m.replays, m.handed, m.streams, m.panics} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	m.unknown = m.forRoute(&Route{Name: "unknown"})
	return m, nil
}

// forRoute returns the children of a route; each exists from the start, so that a rate can be taken of it.
func (m *metrics) forRoute(r *Route) *routeCounters {
	name := r.Name
	c := &routeCounters{duration: m.duration.WithLabelValues(name), exceeded: m.exceeded.WithLabelValues(name),
		replays: m.replays.WithLabelValues(name), handed: m.handed.WithLabelValues(name)}
	for i := 2; i < len(c.classes); i++ {
		c.classes[i] = m.requests.WithLabelValues(name, strconv.Itoa(i)+"xx")
	}
	if r.Journey != "" {
		c.journeys = m.journeys.WithLabelValues(r.Journey, r.VenueKind)
	}
	return c
}

// observe counts an answer.
func (m *metrics) observe(x *Exchange, took time.Duration) {
	c := m.unknown
	if x.route != nil {
		c = x.route.counters
	}
	if class := x.ctx.Response.StatusCode() / 100; class >= 2 && class < len(c.classes) {
		c.classes[class].Inc()
	}
	c.duration.Observe(took.Seconds())
	if x.budget > 0 && took > x.budget {
		c.exceeded.Inc()
	}
	if x.replayed {
		c.replays.Inc()
	} else if x.ctx.Response.StatusCode() == fasthttp.StatusAccepted {
		c.handed.Inc()
	}
	if x.served && !x.replayed && c.journeys != nil {
		c.journeys.Observe((x.elapsed + took).Seconds())
	}
	if x.problem != nil {
		m.problems.WithLabelValues(x.problem.Problem.Type).Inc()
		if reason := shedReason(x.problem); reason != "" {
			m.shed.WithLabelValues(x.routeName(), reason).Inc()
		}
	}
}

// refused counts what the front turned away before it was a request.
func (m *metrics) refused(e *gateway.Error) {
	if class := statusOf(e.Problem.Kind) / 100; class < len(m.unknown.classes) {
		m.unknown.classes[class].Inc()
	}
	m.problems.WithLabelValues(e.Problem.Type).Inc()
}

// shedReason says why the gate turned a request away; "" where it didn't.
func shedReason(e *gateway.Error) string {
	if e == nil {
		return ""
	}
	if s, ok := errors.AsType[limit.Shed](e.Cause); ok {
		return string(s)
	}
	return ""
}
