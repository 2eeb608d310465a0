package outbox

import "time"

// How deliveries yield. Once waits are longer than tolerable they begin stride by stride, first then in a stride, and half as
// many with each turn that waits are still long; a little more with each that they are not.
const (
	stride    = 10 * time.Millisecond
	first     = 4
	slowest   = 20 * time.Millisecond // between two deliveries: so many go on whatever happens
	tolerable = time.Millisecond
	gain      = 20 // the part of the gap between two deliveries that a turn takes from it
)

// pace is how fast deliveries begin. They have time, and for what they cost (signatures, commits) others wait: all workers
// are free at once where nobody has to wait long, and fifty deliveries a second begin however long anybody does.
type pace struct {
	workers int
	gap     time.Duration // between two deliveries; 0: they have not yielded since somebody came
	next    time.Time     // that any may begin
}

// turn says how many deliveries may begin after a pause, where those that somebody waits for have waited for so long; 0: there
// are none.
func (p *pace) turn(waited time.Duration, now time.Time) (most int, pause time.Duration) {
	switch {
	case waited <= 0:
		p.gap = 0
	case waited > tolerable:
		p.gap = min(max(2*p.gap, stride/first), slowest)
	case p.gap > 0:
		p.gap = max(p.gap-p.gap/gain, stride/time.Duration(p.workers))
	}
	if p.gap == 0 {
		return p.workers, 0
	}
	pause = max(0, p.next.Sub(now))
	p.next = now.Add(pause + max(stride, p.gap))
	return min(p.workers, max(1, int(stride/p.gap))), pause
}
