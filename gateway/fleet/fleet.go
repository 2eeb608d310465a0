// Package fleet tells the other replicas of a gateway what one of them alone has heard, over Redis: now and then twice, each
// replica's words in their order, and whoever may have missed something is told so.
package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/seal"
)

const (
	maxWaiting = 4096    // messages that wait for Redis; one more is left out, and so is
	maxBytes   = 4 << 20 // what would make them longer than this together
	maxBatch   = 64      // messages sent together
	lookAgain  = 500 * time.Millisecond
	field      = "fleet/" // of what is sealed, with the topic behind it
)

// The byte before a message.
const (
	markMessage = 1
	markMissed  = 2 // something was left out: there is no message
)

// Fleet is this replica's voice and ears. Messages are sealed with the gateway's keys and bound to their topic, so that
// replicas with the same keys and the same prefix understand each other, and nobody else reads or forges anything. Make it
// with New, end it with Close. Safe for concurrent use.
type Fleet struct {
	client *redis.Client
	keys   *seal.Keys
	box    seal.Box // of all that this process tells
	origin [8]byte  // tells this process's messages from others'

	wake    chan struct{}
	mu      sync.Mutex
	waiting []told          // oldest first; guarded by mu, like the next two
	size    int             // their bytes
	missed  map[string]bool // topics of which something was left out

	life   context.Context
	stop   context.CancelFunc
	behind sync.WaitGroup
	counts counts
}

// told is one message on its way.
type told struct {
	topic   string
	message []byte
}

// New makes the fleet of one replica.
func New(client *redis.Client, keys *seal.Keys) (*Fleet, error) {
	box, err := keys.NewBox()
	if err != nil {
		return nil, fmt.Errorf("cannot speak to other replicas: %w", err)
	}
	f := &Fleet{client: client, keys: keys, box: box, wake: make(chan struct{}, 1), missed: map[string]bool{}}
	rand.Read(f.origin[:]) // never fails: the runtime ends the process instead
	f.life, f.stop = context.WithCancel(context.Background())
	f.behind.Go(f.work)
	return f, nil
}

// Close ends the work behind the callers, after one try to tell what still waits. Close it before the client.
func (f *Fleet) Close() {
	f.stop()
	f.behind.Wait()
}

// Tell tells the other replicas that hear topic a message, behind the caller. While Redis is away a bounded number of them
// waits; where more come, the others are told that something is missing.
func (f *Fleet) Tell(topic string, message []byte) {
	f.mu.Lock()
	if len(f.waiting) < maxWaiting && f.size+len(message) <= maxBytes {
		f.waiting = append(f.waiting, told{topic, bytes.Clone(message)})
		f.size += len(message)
	} else {
		f.missed[topic] = true
		f.counts.dropped.Add(1)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Hear calls heard with each message that another replica tells of topic, which it may keep, until the client is closed.
// whole is called first, with false: not everything that is told is heard. With true it is called when everything is from
// then on, with false when that ends; what was told before a true may have been missed, also where no false came before
// it. That Redis is gone without a word is noticed within seconds. The functions must not block; after the first call they
// are called by one goroutine.
func (f *Fleet) Hear(topic string, whole func(bool), heard func(message []byte)) {
	whole(false)
	f.client.Listen(f.channel(topic), redis.Ear{
		Gap:  func() { whole(true) },
		Lost: func() { whole(false) },
		Heard: func(sealed []byte) {
			plain, err := f.disclose(topic, sealed)
			head := len(f.origin) + 1
			switch {
			case err != nil || len(plain) < head:
				f.counts.wrong.Add(1)
			case [8]byte(plain) == f.origin: // our own
			case plain[head-1] == markMissed:
				whole(true)
			default:
				f.counts.heard.Add(1)
				heard(plain[head:])
			}
		},
	})
}

func (f *Fleet) channel(topic string) string { return f.client.Key("fleet", topic) }

// enclose makes what is published of a message.
func (f *Fleet) enclose(topic string, mark byte, message []byte) []byte {
	plain := append(append(append(make([]byte, 0, len(f.origin)+1+len(message)), f.origin[:]...), mark), message...)
	return append(bytes.Clone(f.box.Wrapped()), f.box.Seal(plain, field+topic)...)
}

// disclose reads what enclose has made, of whichever replica.
func (f *Fleet) disclose(topic string, b []byte) ([]byte, error) {
	n := len(f.box.Wrapped())
	if len(b) < n {
		return nil, fmt.Errorf("%d bytes hold no key", len(b))
	}
	box := f.box
	if !bytes.Equal(b[:n], box.Wrapped()) {
		var err error
		if box, err = f.keys.OpenBox(b[:n]); err != nil {
			return nil, err
		}
	}
	return box.Open(b[n:], field+topic)
}

// work sends behind the callers.
func (f *Fleet) work() {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-f.life.Done():
			f.send()
			return
		case <-f.wake:
			f.send()
		case <-tick.C:
			f.send()
		}
	}
}

// send sends what waits, until nothing does or Redis is away. What was left out is said behind what was not.
func (f *Fleet) send() {
	for {
		batch, missed := f.next()
		if len(batch)+len(missed) == 0 {
			return
		}
		var commands []redis.Command
		for _, t := range batch {
			commands = append(commands, redis.Command{"PUBLISH", f.channel(t.topic), f.enclose(t.topic, markMessage, t.message)})
		}
		for _, topic := range missed {
			commands = append(commands, redis.Command{"PUBLISH", f.channel(topic), f.enclose(topic, markMissed, nil)})
		}
		ctx := context.WithoutCancel(f.life) // the last try is made when life is over
		if err := f.client.Send(ctx, commands); err != nil {
			f.putBack(batch, missed)
			return
		}
		f.counts.told.Add(uint64(len(batch)))
	}
}

// next takes the next messages, or, behind the last one, the topics of which something was left out.
func (f *Fleet) next() (batch []told, missed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.waiting), maxBatch)
	batch = append(batch, f.waiting[:n]...)
	f.waiting = f.waiting[n:]
	for _, t := range batch {
		f.size -= len(t.message)
	}
	if len(f.waiting) == 0 {
		f.waiting = nil
		for topic := range f.missed {
			missed = append(missed, topic)
		}
		clear(f.missed)
	}
	return batch, missed
}

// putBack has what could not be sent wait for the next time, before what came meanwhile. Some of it may have been sent all
// the same: who hears must bear to hear it twice.
func (f *Fleet) putBack(batch []told, missed []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(batch, f.waiting...)
	for _, t := range batch {
		f.size += len(t.message)
	}
	for _, topic := range missed {
		f.missed[topic] = true
	}
}

// counts are written without a lock.
type counts struct{ told, dropped, heard, wrong atomic.Uint64 }

// Stats is what the fleet has done, for metrics. Counts only grow.
type Stats struct {
	Told    uint64 // messages that were sent
	Dropped uint64 // messages that were left out
	Heard   uint64 // messages of other replicas
	Wrong   uint64 // what was no message
	Waiting int    // messages that wait for Redis
}

// Stats returns a snapshot. Single counts are exact, together they may be an instant apart.
func (f *Fleet) Stats() Stats {
	f.mu.Lock()
	waiting := len(f.waiting)
	f.mu.Unlock()
	return Stats{Told: f.counts.told.Load(), Dropped: f.counts.dropped.Load(), Heard: f.counts.heard.Load(),
		Wrong: f.counts.wrong.Load(), Waiting: waiting}
}
