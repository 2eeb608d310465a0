package main

import (
	"context"
	"math/rand/v2"
	"time"
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
