package main

import (
	"context"
	"fmt"
	"io"
	"net"
)

// systemsAt are the addresses that bench/peers/krakend.json names.
var systemsAt = [3]string{"127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"}

// serveSystems serves bookings, rooms and offers for a peer that is run by hand, and prints what the gateway asks them. They ask
// nobody who they are: once a question was answered, its answer is for everybody.
func serveSystems(ctx context.Context, dir string, seed uint64, out io.Writer) (err error) {
	r := &run{ctx: ctx, dir: dir, report: &report{}}
	w, err := newLookWorld(dir, seed)
	if err != nil {
		return err
	}
	defer w.close()
	gateway, err := w.gateway(r)
	if err != nil {
		return err
	}
	token, err := w.reader()
	if err == nil {
		_, err = newDriver(gateway, target{w.look(false), token, true}).once()
	}
	if stopped := gateway.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	for i, role := range lookRoles {
		l, err := net.Listen("tcp", systemsAt[i])
		if err != nil {
			return err
		}
		w.systems.serveAt(l)
		target, size := w.systems.target(role)
		fmt.Fprintf(out, "%-9s http://%s%s (%d bytes)\n", role, l.Addr(), target, size)
	}
	<-ctx.Done()
	return nil
}
