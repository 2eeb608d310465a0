// Package outbox delivers what was promised, again and again until it is done or a person has it.
//
// A message is delivered at least once, under a key that never changes: a lease keeps two deliveries apart, and where a
// crash breaks the lease the key keeps the effect single. A failed attempt is tried again after a back-off with jitter,
// the last time when the message is due; a message that fails then is dead, and the assist that hands it to a person is
// opened in the commit that kills it. The messages of one venue never hold up those of another.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Outbox delivers the messages of one ledger. Safe for concurrent use.
type Outbox struct {
	ledger   *ledger.Ledger
	cfg      Config
	handlers map[string]Handler
	dead     DeadLetter
	log      *slog.Logger

	pace  pace          // the dispatcher's
	kick  chan struct{} // capacity 1: look again
	stop  chan struct{} // closed: lease nothing more
	once  sync.Once     // closes stop
	life  context.Context
	abort context.CancelFunc
	wg    sync.WaitGroup // the dispatcher and every delivery

	mu       sync.Mutex
	random   *rand.Rand
	inFlight map[string]int // by venue
	total    int            // sum of inFlight
	turn     string         // the venue that was served last
	counts   Counts
}

// Counts is what an outbox did since it was made.
type Counts struct {
	Delivered uint64
	Failed    uint64 // attempts, including those that panicked
	Panicked  uint64
	Killed    uint64 // messages given up
}

// Stats is where an outbox stands.
type Stats struct {
	ledger.OutboxCounts
	Counts
	InFlight int
}

// New makes an outbox; Start starts it. handlers are by message kind; a message of another kind waits for a process that
// knows it, until it is due. The same seed gives the same jitter.
func New(l *ledger.Ledger, cfg Config, handlers map[string]Handler, dead DeadLetter, logger *slog.Logger, seed uint64) (*Outbox, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if dead == nil {
		return nil, errors.New("cannot make an outbox: nobody takes its dead letters")
	}
	cfg = cfg.withDefaults()
	return &Outbox{
		ledger: l, cfg: cfg, pace: pace{workers: cfg.Workers}, handlers: handlers, dead: dead, log: logger,
		kick: make(chan struct{}, 1), stop: make(chan struct{}),
		random: rand.New(rand.NewPCG(seed, 0x6f7574626f78)), inFlight: map[string]int{},
	}, nil
}

// Start begins to deliver, once. Deliveries are cancelled when ctx ends; Close ends them in peace.
func (o *Outbox) Start(ctx context.Context) {
	o.life, o.abort = context.WithCancel(ledger.Patient(ctx))
	o.wg.Go(o.dispatch)
}

// Kick has the outbox look for ready messages at once. It never blocks.
func (o *Outbox) Kick() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// Close leases nothing more and waits for the deliveries in flight. When ctx ends first they are cancelled: their messages
// are put back, or come back when their leases end. Without Start before it there is nothing to do.
func (o *Outbox) Close(ctx context.Context) error {
	o.once.Do(func() { close(o.stop) })
	if o.abort == nil {
		return nil
	}
	defer o.abort()
	done := make(chan struct{})
	go func() { o.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	o.abort()
	timer := time.NewTimer(commitWait)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("cannot close the outbox: %d deliveries do not end %v after they were cancelled", o.flying(), commitWait)
	}
}

// Stats reads the ledger and returns where the outbox stands.
func (o *Outbox) Stats(ctx context.Context) (s Stats, err error) {
	err = o.ledger.View(ctx, func(q ledger.Querier) (err error) {
		s.OutboxCounts, err = ledger.CountMessages(q, o.ledger.Now())
		return err
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Counts, s.InFlight = o.counts, o.total
	return s, err
}

func (o *Outbox) flying() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}
