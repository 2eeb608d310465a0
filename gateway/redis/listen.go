package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	quiet = time.Second            // without a word, then the server is asked whether it is there
	again = 250 * time.Millisecond // between two tries to subscribe
)

// Ear is what hears a channel. Its functions are called by one goroutine and must not block.
type Ear struct {
	Gap   func()               // it begins to hear, the first time included: what was said before was missed
	Lost  func()               // it hears nothing any more; noticed within seconds. Nil: nobody wants to know
	Heard func(message []byte) // it may keep the message
}

// Listen subscribes to a channel and goes on until the client is closed.
func (c *Client) Listen(channel string, e Ear) {
	c.counts.ears.Add(1)
	c.behind.Go(func() {
		for c.life.Err() == nil {
			if c.listen(channel, e) {
				c.counts.hearing.Add(-1)
				c.counts.lost.Add(1)
				if e.Lost != nil {
					e.Lost()
				}
				if c.life.Err() == nil {
					c.logger.Warn("the subscription to redis is lost", "channel", channel)
				}
			}
			pause := time.NewTimer(again)
			select {
			case <-c.life.Done():
			case <-pause.C:
			}
			pause.Stop()
		}
	})
}

// listen hears until the connection is lost: until it fails, or the server is silent when it is asked. It reports whether
// it had begun to hear.
func (c *Client) listen(channel string, e Ear) (begun bool) {
	s := c.uni.Subscribe(c.life)
	defer s.Close()
	defer context.AfterFunc(c.life, func() { _ = s.Close() })() // a read does not end with its context
	within, cancel := context.WithTimeout(c.life, c.cfg.Timeout)
	err := s.Subscribe(within, channel)
	cancel()
	if err != nil {
		return false
	}
	asked := true // the subscription is a question, too
	for {
		m, err := s.ReceiveTimeout(c.life, quiet)
		switch m := m.(type) {
		case *goredis.Subscription:
			e.Gap()
			if !begun {
				begun = true
				c.counts.hearing.Add(1)
			}
		case *goredis.Message:
			e.Heard([]byte(m.Payload))
		}
		if err == nil {
			asked = false
			continue
		}
		if !errors.Is(late(err), ErrLate) || asked || s.Ping(c.life) != nil {
			return begun
		}
		asked = true
	}
}
