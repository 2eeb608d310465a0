package limit

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway/redis"
)

const (
	exchanged = 2048 // keys of one policy in one exchange; the others wait for the next
	scripted  = 256  // keys of one script, which nothing else interrupts in Redis
	maxDebt   = 8    // windows: what a key owes beyond is forgiven, so that nothing in Redis can lock somebody out for long
	outage    = 4    // exchanges that were due; then what was let through is told only as far as it is not earned back
)

// exchange advances the theoretical arrival time of each key (GCRA, ITU-T I.371) by what one replica has let through
// since its last exchange, and answers how far it lies ahead of the present, in microseconds, by Redis' own clock.
// ARGV: microseconds between two requests, since the last exchange, and that may be owed; then a number for each key.
const exchange = `local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, past, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local debts = {}
for i, key in ipairs(KEYS) do
  local arrival = math.max(now - past, tonumber(redis.pcall('GET', key)) or 0) + ARGV[3 + i] * interval
  arrival = math.min(arrival, now + most)
  redis.call('SET', key, string.format('%.0f', arrival), 'PX', math.max(1, math.ceil((arrival - now + past) / 1000)))
  debts[i] = math.max(0, math.ceil(arrival - now))
end
return debts`

// Fleet lets the replicas of a gateway keep their rates together. Each counts and decides by itself, so no request waits;
// behind the requests each tells Redis what it has let through, and learns what a key owes by all of them.
//
// With N replicas, of a rate with its burst, at most rate × W + N × (burst + rate × T) requests of a key pass in any time W,
// where T is the time from one exchange to the end of the next: what is let through unseen is owed, and paid back. In the
// long run that is the rate, where N limiters by themselves would let N times the rate pass. What a key owes beyond eight
// times the burst is forgiven. Without Redis, each keeps the rate by itself.
type Fleet struct {
	client  *redis.Client
	limiter func() *Limiter
	now     func() time.Time
	script  *redis.Script

	life   context.Context
	stop   context.CancelFunc
	behind sync.WaitGroup

	done, failed atomic.Uint64
}

// StartFleet begins to exchange what limiter, asked anew each time, has counted. now is the clock of its Take.
func StartFleet(client *redis.Client, limiter func() *Limiter, now func() time.Time) *Fleet {
	f := &Fleet{client: client, limiter: limiter, now: now, script: redis.NewScript(exchange)}
	f.life, f.stop = context.WithCancel(context.Background())
	f.behind.Go(f.work)
	return f
}

// Close ends the exchanges. Close it before the client.
func (f *Fleet) Close() {
	f.stop()
	f.behind.Wait()
}

func (f *Fleet) work() {
	for {
		l := f.limiter()
		pause := time.NewTimer(l.exchange)
		select {
		case <-f.life.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		for i := range l.policies {
			f.exchange(l, &l.policies[i])
		}
	}
}

// exchange tells what p has let through, and takes over what its keys owe.
func (f *Fleet) exchange(l *Limiter, p *policy) {
	if p.sums == nil {
		return
	}
	begun := f.now()
	past := begun.Sub(p.sums.told)
	all := p.sums.take(exchanged)
	if past > outage*l.exchange {
		past = l.exchange
		for i := range all {
			all[i].n = min(all[i].n, p.table.outstanding(all[i].key, begun))
		}
	}
	for len(all) > 0 {
		part := all[:min(len(all), scripted)]
		if err := f.tell(p, part, past); err != nil {
			p.sums.giveBack(all)
			f.failed.Add(1)
			return
		}
		all = all[len(part):]
	}
	if f.client.Ready() {
		p.sums.told = begun
		f.done.Add(1)
	}
}

// tell runs the script over part.
func (f *Fleet) tell(p *policy, part []told, past time.Duration) error {
	keys := make([]string, len(part))
	args := make([]any, 0, 3+len(part))
	args = append(args, micros(p.table.interval), micros(past), micros(maxDebt*p.table.window))
	for i, t := range part {
		keys[i] = f.client.Tagged("l:"+p.name, t.name)
		args = append(args, t.n)
	}
	debts, err := f.client.Run(f.life, f.script, keys, args...)
	if err != nil {
		return err
	}
	now := f.now()
	for i := range min(len(debts), len(part)) {
		k := part[i].key
		debt := min(time.Duration(debts[i])*time.Microsecond, maxDebt*p.table.window)
		if debt > 0 {
			p.table.settle(k, debt+time.Duration(p.sums.since(k))*p.table.interval, now)
		}
	}
	return nil
}

// micros is a number of microseconds with its fraction.
func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', 3, 64)
}

// FleetStats is what the exchanges came to, for metrics. Counts only grow.
type FleetStats struct {
	Done, Failed uint64 // exchanges of one policy
	Untold       uint64 // requests that were let through and not told: too many keys at once
}

// Stats returns a snapshot.
func (f *Fleet) Stats() FleetStats {
	s := FleetStats{Done: f.done.Load(), Failed: f.failed.Load()}
	for _, p := range f.limiter().policies {
		if p.sums != nil {
			s.Untold += p.sums.untold.Load()
		}
	}
	return s
}
