package main

import (
	"bytes"
	"errors"
	"fmt"
)

// cachesHotels are the town's: those of the circle. What is asked again and again costs the same in any town.
const cachesHotels = roomsCircle

// provesCaches searches for a room again and again, all of it known, and has the same bytes answered by caches that stand in
// front of the bare handler. `rooms` holds what a search costs over that handler; here everybody is kept busy.
func provesCaches(r *run) (err error) {
	t, err := newRooms(r, cachesHotels)
	if err != nil {
		return err
	}
	defer t.close()
	if _, err := t.serve.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.serve.stop()) }()
	if err := t.warm(); err != nil {
		return fmt.Errorf("%w\n%s", err, t.serve.lastWords())
	}
	same := t.anywhere()
	origin, err := newBare(t, func() string { return same }, 1)
	if err != nil {
		return err
	}
	defer origin.stop()
	address := origin.conn.RemoteAddr().String()
	gateway := subjectOf(t.serve)
	search := &work{title: "The same warm search for rooms again", target: target{path: same, token: t.token},
		floor: &subject{name: "bare fasthttp", address: address, root: origin.pid()}, rest: []*subject{gateway}}
	nginx := inFront(r, search, "nginx proxy_cache", address, startNginxCache)
	varnish := inFront(r, search, "Varnish", address, startVarnish)
	defer func() { err = errors.Join(err, stopAll(nginx, varnish)) }()
	r.report.version("nginx", "nginx", "-v")
	r.report.version("Varnish", "varnishd", "-V")
	costs, err := takeCosts(r, search, r.n)
	if err != nil {
		return err
	}
	tails, err := takeTails(r, search, nil, r.n, min(tailEach/2, 100*r.n))
	if err != nil {
		return err
	}
	r.report.tables = append(r.report.tables, costs.table(), tails.table())
	r.report.control("A/A control: bare over itself, CPU, median", median(costs.control()))
	r.report.note("the same warm search again ÷ bare fasthttp, CPU", "%.2f×", median(costs.over(gateway, nil)))
	for _, peer := range []*subject{nginx, varnish} {
		if peer != nil {
			r.report.note("bare fasthttp ÷ "+peer.name+", CPU", "%.2f×", 1/median(costs.over(peer, nil)))
		}
	}
	if nginx != nil {
		r.report.atMost("the same warm search again ÷ nginx proxy_cache, CPU", "×", median(costs.over(gateway, nginx)), 0.8, 3)
		r.report.aim("×", 0.6)
	}
	if varnish != nil {
		r.report.atMost("the same warm search again ÷ Varnish, CPU", "×", median(costs.over(gateway, varnish)), 0.7, 3)
		r.report.aim("×", 0.5)
	}
	r.report.atMost("memory of serve, 64 connections saturated, the most", "MiB", costs.memory[gateway], 120, 1.5)
	r.report.aim("MiB", 60)
	return nil
}

// inFront starts a cache in front of an origin. What it answers, the first time and from then on, has to be the gateway's answer
// in every byte. One that is not there, or answers otherwise, is left out, and the report says so.
func inFront(r *run, w *work, name, origin string, start func(r *run, name, origin string) (*subject, error)) *subject {
	s, err := start(r, name, origin)
	if err != nil {
		r.report.absent(name, err)
		return nil
	}
	want, err := newDriver(w.rest[0], w.target).once()
	for range 2 { // the first is the origin's
		var have []byte
		if err == nil {
			have, err = newDriver(s, w.target).once()
		}
		if err == nil && !bytes.Equal(have, want) {
			err = fmt.Errorf("it answers otherwise than the gateway: %.300s", have)
		}
	}
	if err != nil {
		r.report.absent(name, errors.Join(err, s.stop()))
		return nil
	}
	w.rest = append(w.rest, s)
	return s
}
