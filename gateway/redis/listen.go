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

// Listen subscribes to a channel and goes on until the client is closed. It calls gap each time that it begins to hear,
// the first time included: what was said before was missed. heard is called with each message, which it may keep. Both
// are called by one goroutine and must not block.
func (c *Client) Listen(channel string, gap func(), heard func(message []byte)) {
	c.behind.Go(func() {
		for c.life.Err() == nil {
			c.listen(channel, gap, heard)
			if c.counts.subscribed.Swap(false) {
				c.counts.lost.Add(1)
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

// listen hears until the connection is lost: until it fails, or the server is silent when it is asked.
func (c *Client) listen(channel string, gap func(), heard func(message []byte)) {
	s := c.uni.Subscribe(c.life)
	defer s.Close()
	defer context.AfterFunc(c.life, func() { _ = s.Close() })() // a read does not end with its context
	within, cancel := context.WithTimeout(c.life, c.cfg.Timeout)
	err := s.Subscribe(within, channel)
	cancel()
	if err != nil {
		return
	}
	asked := true // the subscription is a question, too
	for {
		m, err := s.ReceiveTimeout(c.life, quiet)
		switch m := m.(type) {
		case *goredis.Subscription:
			gap()
			c.counts.subscribed.Store(true)
		case *goredis.Message:
			heard([]byte(m.Payload))
		}
		if err == nil {
			asked = false
			continue
		}
		if !errors.Is(late(err), ErrLate) || asked || s.Ping(c.life) != nil {
			return
		}
		asked = true
	}
}
