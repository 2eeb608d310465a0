package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/gateway/serve"
)

// A journey's budget stands in the configuration alone: what an open loop is held to is read from the file that the program was
// started with, as the program reads it.

// configuration reads what the program is started with.
func (w *world) configuration() (*serve.Generation, error) {
	all, err := flows.All()
	if err != nil {
		return nil, err
	}
	env := w.env()
	return serve.Check(w.path("configs/gateway.yaml"), all, func(name string) (string, bool) { v, there := env[name]; return v, there }, false)
}

// budget is a journey's machine budget, by the name that its plan has in the configuration.
func (w *world) budget(plan string) (time.Duration, error) {
	read, err := w.configuration()
	if err != nil {
		return 0, err
	}
	return budgetIn(read, plan)
}

func budgetIn(read *serve.Generation, plan string) (time.Duration, error) {
	for i := range read.Proofs {
		if p := &read.Proofs[i]; p.Plan == plan && p.Timing.Machine > 0 {
			return p.Timing.Machine, nil
		}
	}
	return 0, fmt.Errorf("the configuration has no budget of %s", plan)
}

// loop is what an open loop came to.
type loop struct {
	name  string
	times *hdrhistogram.Histogram // microseconds
	part  bool                    // of the journey's time, such as what the gateway adds to it: it is drawn, and not held to the budget
}

// hold draws what a journey took in open loops beside its machine budget, and holds each loop's p99 to that.
func (w *world) hold(to *report, plan, title, load string, loops ...loop) error {
	budget, err := w.budget(plan)
	if err != nil {
		return err
	}
	t := table{title: title, columns: []string{"", "answers", "p50 / p99 / p99.9, ms", "most, ms", "budget, ms"},
		note: fmt.Sprintf("Load: %s, open loop. Times count from when each was meant to begin (HdrHistogram), but for what is said to be added or the server's. "+
			"The dashed line is the machine budget of %s in configs/gateway.yaml: a p99 past it fails the run.", load, plan),
		lines: lines{unit: "ms", x: "percentile", limits: []limit{{"machine budget", millis(budget)}}}}
	for _, l := range loops {
		allowed := ""
		if !l.part {
			allowed = fmt.Sprintf("%.0f", millis(budget))
			to.atMost(l.name+": p99, of the machine budget", "ms", at(l.times, 99), millis(budget), 2)
		}
		t.rows = append(t.rows, []string{l.name, fmt.Sprint(l.times.TotalCount()), quantiles(l.times), fmt.Sprintf("%.1f", float64(l.times.Max())/1000), allowed})
		t.lines.all = append(t.lines.all, quantileLine(l.name, l.times))
	}
	to.tables = append(to.tables, t)
	to.held = append(to.held, plan)
	return nil
}
