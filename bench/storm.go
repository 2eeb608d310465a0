package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
)

// storm kills a gateway at random moments while its backends fail at random.
type storm struct {
	run    *run
	serve  *child
	chance *rand.Rand
	within time.Duration                                      // one kill after the start before it, at most
	calm   time.Duration                                      // the end after the last start, at most
	faults func(ctx context.Context, chance *rand.Rand) error // turns dials until ctx ends, and clears them
	back   func() error                                       // is called after each restart
}

// blow kills n times. It returns with the gateway up and all faults cleared.
func (s storm) blow(n int) error {
	life, end := context.WithCancel(s.run.ctx)
	defer end()
	faults := make(chan error, 1)
	chance := rand.New(rand.NewPCG(s.chance.Uint64(), 1))
	go func() { faults <- s.faults(life, chance) }()
	for range n {
		if err := s.pause(s.within); err != nil {
			return err
		}
		if err := s.serve.kill(); err != nil {
			return err
		}
		if _, err := s.serve.start(); err != nil {
			return err
		}
		if err := s.back(); err != nil {
			return err
		}
	}
	if err := s.pause(s.calm); err != nil {
		return err
	}
	end()
	return <-faults
}

func (s storm) pause(most time.Duration) error {
	return wait(s.run.ctx, time.Duration(s.chance.Int64N(int64(most))))
}

// inBlocks kills n times, in blocks of one to most kills. kills is how many there were so far, for whoever waits.
func (r *run) inBlocks(name string, kills *int, n, most int, chance *rand.Rand, block func(n int) error) error {
	for done := 0; done < n; {
		now := min(n-done, 1+chance.IntN(most))
		if err := block(now); err != nil {
			return err
		}
		done += now
		fmt.Fprintf(r.progress, "%s: %d of %d\n", name, *kills, r.n)
	}
	return nil
}

// killEdits are how the shipped configuration differs where the program is killed: these plans have a short lease, so that a
// block's recovery is soon, and deliveries are quick.
func killEdits(plans ...string) []edit {
	all := []edit{{"gateway.yaml", `backoff_max: \S+`, "backoff_max: 1s"}, {"gateway.yaml", `\n  poll: \S+`, "\n  poll: 200ms"}}
	for _, plan := range plans {
		all = append(all, edit{"gateway.yaml", `(\n  ` + plan + `:\n(?:    [a-z_]+: .*\n)*?)    lease: \S+`, "${1}    lease: " + killLease.String()})
	}
	return all
}

// turning is whose dials turn, and how often.
type turning struct {
	city        *twin.City
	instance    string
	kinds       []string
	least, most time.Duration // between two turns
}

// faults gives one of the twins another dial now and then until ctx ends, and clears them all.
func (t turning) faults(ctx context.Context, chance *rand.Rand) (err error) {
	for ctx.Err() == nil && err == nil {
		err = t.city.Dial(t.kinds[chance.IntN(len(t.kinds))], t.instance, drawDial(chance))
		_ = wait(ctx, t.least+time.Duration(chance.Int64N(int64(t.most-t.least))))
	}
	for _, kind := range t.kinds {
		err = errors.Join(err, t.city.Dial(kind, t.instance, twin.Dial{}))
	}
	return err
}

// drawDial draws a fault for a share of the calls; four times of ten there is none.
func drawDial(chance *rand.Rand) twin.Dial {
	if chance.IntN(10) < 4 {
		return twin.Dial{LatencyMS: chance.IntN(30)}
	}
	all := twin.Faults()
	return twin.Dial{Fault: all[chance.IntN(len(all))], LatencyMS: chance.IntN(80), AfterEffect: chance.IntN(2) == 0,
		Rate: 0.02 + 0.23*chance.Float64()}
}
