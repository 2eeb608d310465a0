package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// idleConnections and callsInPlan are what grows: twice as much from each to the next.
func idleConnections() []int { return []int{625, 1250, 2500, 5000, 10_000} }
func callsInPlan() []int     { return []int{1, 2, 4, 8} }

// provesGrowth measures the CPU of one request while more and more connections are open and say nothing, and while plans make
// more and more calls. In each round everything has its turn; ratios are of neighbours in one round.
func provesGrowth(r *run) (err error) {
	w, err := newLookWorld(r.dir, r.seed, edit{"gateway.yaml", `idle_timeout: \S+`, "idle_timeout: 10m"},
		edit{"gateway.yaml", `max_in_flight: \d+`, "max_in_flight: 1024"}) // every connection asks for the longest plan at once
	if err != nil {
		return err
	}
	defer w.close()
	gateway, err := w.gateway(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.stop()) }()
	token, err := w.reader()
	if err != nil {
		return err
	}
	known := newDriver(gateway, target{w.look(true) + "1", token, false})
	defer known.host.CloseIdleConnections()
	idle, calls := make([][]saturation, len(idleConnections())), make([][]saturation, len(callsInPlan()))
	var again []saturation
	for round := -1; round < r.n; round++ { // the first one warms up
		sum, control, err := growIdle(r, gateway, known)
		if err != nil {
			return err
		}
		per, err := growCalls(r, w, gateway, token)
		if err != nil {
			return err
		}
		fmt.Fprintf(r.progress, "growth: round %d of %d\n", round+1, r.n)
		if round < 0 {
			continue
		}
		again = append(again, control)
		for i := range sum {
			idle[i] = append(idle[i], sum[i])
		}
		for i := range per {
			calls[i] = append(calls[i], per[i])
		}
	}
	r.report.tables = append(r.report.tables, growthTable("Idle connections: cost of a known look", idleConnections(), idle),
		growthTable("Calls in a plan: cost of each", callsInPlan(), calls))
	r.report.control("A/A control: a known look, CPU, twice with 625 idle connections", median(ratiosBetween(again, idle[0])))
	sayGrowth(r.report, "twice the idle connections, CPU of a request, the worst median of doublings", idle)
	sayGrowth(r.report, "twice the calls in a plan, CPU of each, the worst median of doublings", calls)
	r.report.note("memory of the gateway, the most, with 10,000 connections", "%.0f MiB", gateway.peak())
	return nil
}

// growIdle opens more and more connections, each of which asks once and is silent from then.
func growIdle(r *run, s *subject, d *driver) (sum []saturation, control saturation, err error) {
	var silent []net.Conn
	defer func() {
		for _, c := range silent {
			_ = c.Close()
		}
	}()
	for _, n := range idleConnections() {
		for len(silent) < n {
			c, err := silentConnection(s.address)
			if err != nil {
				return nil, control, fmt.Errorf("cannot open %d connections: %w", n, err)
			}
			silent = append(silent, c)
		}
		if _, err := d.saturate(r, s); err != nil { // what opening them has left to be done is not what having them costs
			return nil, control, err
		}
		got, err := d.saturate(r, s)
		if err != nil {
			return nil, control, err
		}
		sum = append(sum, got)
		if n == idleConnections()[0] {
			if control, err = d.saturate(r, s); err != nil {
				return nil, control, err
			}
		}
	}
	return sum, control, nil
}

func silentConnection(address string) (net.Conn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	err = c.(*net.TCPConn).SetLinger(0) // closed, it keeps no port
	if err == nil {
		err = c.SetDeadline(time.Now().Add(5 * time.Second))
	}
	if err == nil {
		_, err = c.Write([]byte("GET /v1/nothing HTTP/1.1\r\nHost: " + address + "\r\n\r\n"))
	}
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			_ = answer.Body.Close()
		}
	}
	if err != nil {
		_ = c.Close()
	}
	return c, err
}

// growCalls asks plans of more and more calls; the cost is of each call.
func growCalls(r *run, w *lookWorld, s *subject, token string) (per []saturation, err error) {
	for _, n := range callsInPlan() {
		d := newDriver(s, target{w.lookTimes(n), token, true})
		got, err := d.saturate(r, s)
		d.host.CloseIdleConnections()
		if err != nil {
			return nil, err
		}
		got.cpu /= time.Duration(n)
		per = append(per, got)
	}
	return per, nil
}

func ratiosBetween(over, under []saturation) (ratios []float64) {
	for i := range over {
		ratios = append(ratios, float64(over[i].cpu)/float64(under[i].cpu))
	}
	return ratios
}

// sayGrowth holds the worst of the doublings.
func sayGrowth(to *report, name string, of [][]saturation) {
	var doublings []float64
	for i := 1; i < len(of); i++ {
		doublings = append(doublings, median(ratiosBetween(of[i], of[i-1])))
	}
	to.atMost(name, "×", slices.Max(doublings), doublingMay, 1.5)
	to.gate()
}

func growthTable(title string, sizes []int, of [][]saturation) table {
	costs := make([][]float64, len(of))
	for i := range of {
		for _, x := range of[i] {
			costs[i] = append(costs[i], micros(x.cpu))
		}
	}
	t := curve(title, fmt.Sprintf("Load: %d connections, all of them busy, in turns of %s; %d rounds. Medians, with the quartiles.", connections, stretchOf, len(of[0])),
		sizes, costs)
	t.allow(sizes)
	return t
}

// curve is a table of what something costs at several sizes, with its plot. The costs of a size are by round, in microseconds of
// processor time.
func curve(title, note string, sizes []int, costs [][]float64) table {
	const unit = "CPU, µs"
	what, _, _ := strings.Cut(title, ":")
	t := table{title: title, note: note, columns: []string{"", unit, "÷ the one before"}, lines: lines{unit: unit, x: strings.ToLower(what), fromZero: true}}
	one := line{name: "measured"}
	var before []float64
	for i, n := range sizes {
		grown := ""
		if before != nil {
			var ratios []float64
			for k := range costs[i] {
				ratios = append(ratios, costs[i][k]/before[k])
			}
			grown = spreadOf(ratios).text(2)
		}
		before = costs[i]
		middle := spreadOf(costs[i])
		t.rows = append(t.rows, []string{strconv.Itoa(n), middle.text(1), grown})
		one.points = append(one.points, point{at: strconv.Itoa(n), value: middle.middle, around: middle})
	}
	t.lines.all = []line{one}
	return t
}

// doublingMay is what a request may cost more for each doubling of what grows.
const doublingMay = 1.1

// allow draws what a cost may grow to from the first one on.
func (t *table) allow(sizes []int) {
	may := line{name: fmt.Sprintf("allowed: %+.0f %% for each doubling", (doublingMay-1)*100), allowed: true}
	first := t.lines.all[0].points[0].value
	for i, n := range sizes {
		doublings := math.Log2(float64(n) / float64(sizes[0]))
		may.points = append(may.points, point{at: t.lines.all[0].points[i].at, value: first * math.Pow(doublingMay, doublings)})
	}
	t.lines.all = append(t.lines.all, may)
}
