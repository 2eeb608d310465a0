package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// crowd is a gateway of nothing but instances.
type crowd struct {
	*Gateway
	t *testing.T
}

func newCrowd(t *testing.T, n int) *crowd {
	c := &crowd{t: t, Gateway: &Gateway{gone: map[string]*call.Stats{}, loader: &loader{}}}
	c.current.Store(c.generation(n))
	return c
}

func (c *crowd) generation(n int) *Generation {
	g := &Generation{venues: map[string]*venue{}}
	for i := range n {
		in, err := call.NewInstance(fmt.Sprintf("ohip/h%05d", i), "pms", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
		if err != nil {
			c.t.Fatal(err)
		}
		v := &gateway.Venue{ID: fmt.Sprint("h", i)}
		g.venues[v.ID] = &venue{Venue: v, instances: []*call.Instance{in}}
	}
	return g
}

// ask calls an instance a few times.
func (c *crowd) ask(venue string, times int, err error) {
	c.t.Helper()
	v := c.current.Load().venues[venue]
	b, read := call.NewBindings(v.Venue), call.NewRead("rooms", call.ReadSpec[int, int]{})
	call.BindRead(b, read, v.instances[0], func(context.Context, int) (int, error) { return 1, err })
	for range times {
		_, _, _ = read.Call(context.Background(), call.NewCaller(nil, nil, 1), b, call.Policy{Slice: time.Second}, 1)
	}
}

// scrape returns how many series there are, and those of some families by their labels.
func (c *crowd) scrape() (n int, values map[string]float64) {
	c.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(&figures{c.Gateway})
	families, err := registry.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	values = map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n += 1 + len(m.GetHistogram().GetBucket())
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return n, values
}

// Ten thousand instances have no more series than a hundred: those that are not well have theirs, the others their sums.
func TestFiguresOfManyInstancesAreBounded(t *testing.T) {
	few := newCrowd(t, maxTold)
	most, _ := few.scrape()
	c := newCrowd(t, 10_000)
	for i := range 10 {
		c.ask(fmt.Sprint("h", 1000*i), 3, nil)
	}
	c.ask("h4242", 6, errors.New("down"))
	n, v := c.scrape()
	if v["warmgate_backend_breaker_open ohip/h04242"] != 1 || v["warmgate_system_instances breaker-open pms"] != 1 {
		t.Errorf("the one that is down is not told: %v", v)
	}
	if _, told := v["warmgate_backend_breaker_open ohip/h01000"]; told || n > 120 {
		t.Errorf("one that is well is told, or there are %d series", n)
	}
	if got := v["warmgate_system_attempts_total ok pms"]; got != 30 {
		t.Errorf("%v attempts went well, of 30", got)
	}
	for i := range 250 {
		c.ask(fmt.Sprint("h", i), 6, errors.New("down"))
	}
	n, v = c.scrape()
	told := 0
	for name := range v {
		if strings.HasPrefix(name, "warmgate_backend_breaker_open ") {
			told++
		}
	}
	if told != maxTold || v["warmgate_system_instances untold pms"] != 151 || n > most {
		t.Errorf("%d of 251 are told, %v are not; %d series, at most %d", told, v["warmgate_system_instances untold pms"], n, most)
	}
	began := time.Now()
	c.scrape()
	t.Logf("%d series, in %v", n, time.Since(began))
}

// The sums of a system only grow, also where a reload replaces its instances.
func TestSumsOutliveAReload(t *testing.T) {
	c := newCrowd(t, 200)
	c.ask("h3", 5, nil)
	c.ask("h4", 2, nil)
	old := c.current.Load()
	next := c.generation(100)
	next.venues["h3"] = old.venues["h3"] // as it was
	c.replace(old, next)
	c.ask("h4", 1, nil)
	if _, v := c.scrape(); v["warmgate_system_attempts_total ok pms"] != 8 || v["warmgate_system_instances all pms"] != 100 {
		t.Errorf("%v", v)
	}
}
