package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway/redis"
)

// work forgets and writes behind the requests: first what is to be forgotten.
func (s *Shared) work() {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-s.life.Done():
			s.sendForgets()
			return
		case <-s.wake:
			s.sendForgets()
		case <-tick.C:
			s.sendForgets()
		case w := <-s.queue:
			s.sendWrites(w)
		}
	}
}

// sendWrites writes first and whatever else waits.
func (s *Shared) sendWrites(first write) {
	var commands []redis.Command
	for w, more := first, true; more; {
		if command := s.command(w); command != nil {
			commands = append(commands, command)
		} else {
			s.counts.dropped.Add(1)
		}
		if more = len(commands) < maxBatch; more {
			select {
			case w = <-s.queue:
			default:
				more = false
			}
		}
	}
	if len(commands) == 0 {
		return
	}
	if err := s.client.Send(s.life, commands); err != nil {
		s.counts.unwritten.Add(uint64(len(commands)))
		return
	}
	s.counts.written.Add(uint64(len(commands)))
}

// command is what writes w; nil: it is not to be written, or not any more.
func (s *Shared) command(w write) redis.Command {
	age := time.Since(w.kept.AsOf)
	left := w.kept.Keep - age
	if age > writeWithin || left < time.Millisecond {
		return nil
	}
	body, err := encoded(w.encode)
	if err != nil || len(body) > maxBody {
		return nil
	}
	w.kept.Body = body
	place := s.place(w.key)
	return redis.Command{"EVAL", store, 1, place, s.seal(place, w.kept), left.Milliseconds()}
}

// encoded turns a panic into an error: what is written behind must not end the process.
func encoded(encode func() ([]byte, error)) (body []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("encoding panicked with %T", v)
		}
	}()
	return encode()
}

// sendForgets has everything forgotten that waits for it: in Redis first, so that nobody who hears of it reads it there.
func (s *Shared) sendForgets() {
	for {
		s.mu.Lock()
		waiting := slices.Collect(maps.Keys(s.forgets))
		s.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		waiting = waiting[:min(len(waiting), maxBatch)]
		s.mu.Lock()
		for _, key := range waiting { // whoever forgets again from now on waits for the next turn
			delete(s.forgets, key)
		}
		s.mu.Unlock()
		if !s.forget(waiting) {
			s.mu.Lock()
			for _, key := range waiting {
				s.forgets[key] = struct{}{}
			}
			s.mu.Unlock()
			return
		}
		s.counts.forgotten.Add(uint64(len(waiting)))
	}
}

// forget reports whether it could be done.
func (s *Shared) forget(waiting []string) bool {
	var marks, words []redis.Command
	for _, key := range waiting {
		marks = append(marks, redis.Command{"SET", s.place(key), []byte{markForgotten}, "PX", guard.Milliseconds()})
		plain := append(s.origin[:len(s.origin):len(s.origin)], key...)
		words = append(words, redis.Command{"PUBLISH", s.channel, s.enclose(nil, plain, forgetField)})
	}
	ctx := context.WithoutCancel(s.life) // the last try is made when life is over
	return s.client.Send(ctx, marks) == nil && s.client.Send(ctx, words) == nil
}

// hear forgets what another replica has forgotten.
func (s *Shared) hear(message []byte) {
	plain, err := s.disclose(message, forgetField)
	if err != nil || len(plain) < len(s.origin) {
		s.counts.wrong.Add(1)
		return
	}
	if [8]byte(plain) == s.origin {
		return
	}
	s.memory.Forget(string(plain[len(s.origin):]))
	s.counts.heard.Add(1)
}

// sharedCounts are written without a lock.
type sharedCounts struct {
	hits, misses, wrong, late, notAsked, errors atomic.Uint64
	written, unwritten, dropped                 atomic.Uint64
	forgotten, unforgotten, heard               atomic.Uint64
}

// failed counts a read that got no answer.
func (n *sharedCounts) failed(err error) {
	switch {
	case errors.Is(err, redis.ErrLate):
		n.late.Add(1)
	case errors.Is(err, redis.ErrUnavailable), errors.Is(err, redis.ErrBusy):
		n.notAsked.Add(1)
	default:
		n.errors.Add(1)
	}
}

// SharedStats is what the second level has done, for metrics. Counts only grow.
type SharedStats struct {
	Hits, Misses uint64 // reads that were answered
	Wrong        uint64 // values and messages that were no such thing, or of another version
	Late, Failed uint64 // reads that were not
	NotAsked     uint64 // reads that did not wait: the breaker is open, or too many ask

	Written, WriteFailed uint64
	Dropped              uint64 // writes that were left out: the queue was full, Redis away, the value too large or too old

	Forgotten, Heard uint64 // keys of our own that were forgotten everywhere, and others'
	Unforgotten      uint64 // keys that could not wait until Redis is back; they end with their time
	Waiting          int    // keys that wait until Redis is back
}

// Stats returns a snapshot. Single counts are exact, together they may be an instant apart.
func (s *Shared) Stats() SharedStats {
	n := &s.counts
	s.mu.Lock()
	waiting := len(s.forgets)
	s.mu.Unlock()
	return SharedStats{
		Hits: n.hits.Load(), Misses: n.misses.Load(), Wrong: n.wrong.Load(), Late: n.late.Load(), Failed: n.errors.Load(),
		NotAsked: n.notAsked.Load(), Written: n.written.Load(), WriteFailed: n.unwritten.Load(), Dropped: n.dropped.Load(),
		Forgotten: n.forgotten.Load(), Heard: n.heard.Load(), Unforgotten: n.unforgotten.Load(), Waiting: waiting,
	}
}
