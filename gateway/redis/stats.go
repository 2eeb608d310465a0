package redis

import "sync/atomic"

// counts are the client's, written without a lock.
type counts struct {
	opened, lost atomic.Uint64
	subscribed   atomic.Bool
}

// Stats is how the connection stands, for metrics. Counts only grow.
type Stats struct {
	Breaker    string // "closed", "half-open", "open"
	Opened     uint64 // times that the breaker opened
	Subscribed bool   // what is said on the channel is heard
	Lost       uint64 // subscriptions that broke off
}

// Stats returns a snapshot.
func (c *Client) Stats() Stats {
	return Stats{Breaker: c.breaker.State().String(), Opened: c.counts.opened.Load(),
		Subscribed: c.counts.subscribed.Load(), Lost: c.counts.lost.Load()}
}
