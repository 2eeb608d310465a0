package redis

import "sync/atomic"

// counts are the client's, written without a lock.
type counts struct {
	opened, lost  atomic.Uint64
	ears, hearing atomic.Int64 // channels that are listened to, and those of them that are heard
}

// Stats is how the connection stands, for metrics. Counts only grow.
type Stats struct {
	Breaker    string // "closed", "half-open", "open"
	Opened     uint64 // times that the breaker opened
	Subscribed bool   // what is said on every channel that is listened to is heard; there is one at least
	Lost       uint64 // subscriptions that broke off
}

// Stats returns a snapshot.
func (c *Client) Stats() Stats {
	hearing := c.counts.hearing.Load()
	return Stats{Breaker: c.breaker.State().String(), Opened: c.counts.opened.Load(),
		Subscribed: hearing > 0 && hearing == c.counts.ears.Load(), Lost: c.counts.lost.Load()}
}
