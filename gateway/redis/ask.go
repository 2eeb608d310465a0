package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// reply is what became of a Get.
type reply struct {
	body []byte
	err  error
}

// Get returns at most limit bytes of what is kept under key, nil if nothing is. It returns within the given time by its
// own clock: ErrLate where no answer came by then, ErrUnavailable or ErrBusy at once where nothing is asked at all.
func (c *Client) Get(key string, limit int, within time.Duration) ([]byte, error) {
	if !c.closed.Load() {
		return nil, ErrUnavailable
	}
	if c.asking.Add(1) > int64(c.cfg.Connections) {
		c.asking.Add(-1)
		return nil, ErrBusy
	}
	answer := make(chan reply, 1)
	go func() {
		defer c.asking.Add(-1)
		var r reply
		r.err = c.guarded(c.life, within, func(ctx context.Context) (err error) {
			r.body, err = c.uni.GetRange(ctx, key, 0, int64(limit)-1).Bytes()
			return err
		})
		answer <- r
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case r := <-answer:
		return r.body, late(r.err)
	case <-timer.C:
		return nil, ErrLate
	}
}

// late says in one word that a time-out of any layer is over.
func late(err error) error {
	timeout := interface{ Timeout() bool }(nil)
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: %w", ErrLate, err)
	}
	return err
}

// Command is one command with its arguments, such as {"DEL", key}.
type Command []any

// Send sends commands together, behind the requests, and returns the first error. Some may have been done all the same.
func (c *Client) Send(ctx context.Context, commands []Command) error {
	err := c.guarded(ctx, c.cfg.Timeout, func(ctx context.Context) error {
		_, err := c.uni.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, command := range commands {
				p.Do(ctx, command...)
			}
			return nil
		})
		return err
	})
	if err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("cannot send %d commands to redis: %w", len(commands), err)
	}
	return nil
}

// Script is a script that a server remembers by its digest.
type Script struct{ script *goredis.Script }

// NewScript returns the script of a Lua source, which answers with a list of numbers.
func NewScript(source string) *Script { return &Script{goredis.NewScript(source)} }

// Run runs a script behind the requests: by its digest, and once more with its source where the server does not know
// it. In a cluster all keys must be of one group; see Tagged.
func (c *Client) Run(ctx context.Context, s *Script, keys []string, args ...any) (out []int64, err error) {
	err = c.guarded(ctx, c.cfg.Timeout, func(ctx context.Context) (err error) {
		out, err = s.script.Run(ctx, c.uni, keys, args...).Int64Slice()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot run a script over %d keys at redis: %w", len(keys), err)
	}
	return out, nil
}
