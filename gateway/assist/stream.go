package assist

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

const (
	// lookEvery is how long a change waits at most until the streams look for it.
	lookEvery = 100 * time.Millisecond
	// lookWithin bounds one look: a ledger that hangs must not hold the heartbeats up.
	lookWithin = 500 * time.Millisecond
	// resumeMost is how many changes are repeated to one who comes back; past it what is open is told anew.
	resumeMost = 1000
)

// The events that a stream has, by how an assist stands after the change.
const (
	eventOpened   = "opened"
	eventClaimed  = "claimed"
	eventReleased = "released"
	eventResolved = "resolved"
	eventReset    = "reset" // what the client knows is too old: what is open follows anew
)

func eventOf(a *ledger.Assist) string {
	switch {
	case a.State == ledger.AssistClaimed:
		return eventClaimed
	case a.State == ledger.AssistResolved:
		return eventResolved
	case !a.ReleasedAt.IsZero():
		return eventReleased
	}
	return eventOpened
}

// feed is what one stream tells, in the order of Seq: first what is unresolved at its beginning, then every change after
// that; or, for one who comes back, the changes since. It holds nothing of the exchange.
type feed struct {
	door   *door
	rt     *flow.Runtime
	tenant string
	venues []string
	lang   string

	after   int64 // what has been told
	through int64 // while listing: where the changes begin
	listing bool
	reset   bool // the client is told to forget what it knows
}

// watch answers with a stream.
func (d *door) watch(x *edge.Exchange, rt *flow.Runtime, p *pulse) error {
	for _, name := range listQuery {
		if _, there := x.Query(name); there {
			return edge.ProblemQueryInvalid.Error(gateway.Text{
				Zh: "数据流不接受该参数；请用请求头 Last-Event-ID 续传。",
				En: "A stream does not take it; the header Last-Event-ID resumes one."}).WithField("query " + name)
		}
	}
	who := x.Principal()
	f := &feed{door: d, rt: rt, tenant: who.Tenant, venues: who.Venues, lang: x.Lang(), listing: true}
	last, resumes, err := lastSeen(x)
	if err != nil {
		return err
	}
	var first page
	err = flow.View(rt, x, func(q ledger.Querier) error {
		if err := f.begin(q, last, resumes); err != nil {
			return err
		}
		first, err = f.read(q)
		return err
	})
	if err != nil {
		return err
	}
	return x.Stream(func(s *edge.Stream) { f.run(s, first, p) })
}

// lastSeen reads the Seq that the client has come to.
func lastSeen(x *edge.Exchange) (seq int64, there bool, err error) {
	text, err := x.LastEventID()
	if err != nil || text == "" {
		return 0, false, err
	}
	seq, err = strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0, false, edge.ProblemHeaderInvalid.Error(gateway.Text{
			Zh: "须为此数据流先前给出的 id。", En: "It must be an id that this stream has given."}).WithField("header Last-Event-ID")
	}
	return seq, true, nil
}

// begin decides what is told first. An id from the future is of another ledger.
func (f *feed) begin(q ledger.Querier, last int64, resumes bool) (err error) {
	if f.through, err = ledger.AssistSeq(q); err != nil || !resumes {
		return err
	}
	if f.reset = last > f.through || f.through-last > resumeMost; !f.reset {
		f.after, f.listing = last, false
	}
	return nil
}

// page is what one look at the ledger has brought.
type page struct {
	assists []ledger.Assist
	more    bool  // there is more already
	known   int64 // once there is no more: everything up to here is told
}

// read reads what comes next, in one snapshot.
func (f *feed) read(q ledger.Querier) (got page, err error) {
	if f.listing {
		got.assists, err = ledger.UnresolvedAssists(q, f.tenant, f.venues, f.after, f.through, pageMost)
		got.more, got.known = true, f.through
		return got, err
	}
	if got.known, err = ledger.AssistSeq(q); err != nil || got.known == f.after {
		return got, err
	}
	got.assists, err = ledger.ListAssists(q, f.tenant, f.venues, "", f.after, pageMost)
	got.more = len(got.assists) == pageMost
	return got, err
}

// run tells what there is until the stream ends. Where the ledger cannot be read it tells nothing new for as long.
func (f *feed) run(s *edge.Stream, next page, p *pulse) {
	wake, leave := p.join()
	defer leave()
	if f.reset && s.Event("", eventReset, []byte("{}")) != nil {
		return
	}
	for f.tell(s, next) {
		for more := next.more; ; more = false {
			if !more && !s.Wait(wake) {
				return
			}
			var err error
			if next, err = f.look(s.Context()); err == nil {
				break
			}
		}
	}
}

func (f *feed) look(ctx context.Context) (next page, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	err = f.rt.Ledger.View(ctx, func(q ledger.Querier) error {
		next, err = f.read(q)
		return err
	})
	return next, err
}

// tell sends a page; false where the stream has ended.
func (f *feed) tell(s *edge.Stream, next page) bool {
	for i := range next.assists {
		a := &next.assists[i]
		data, err := json.Marshal(f.door.say(*a, f.rt.Venue(a.Venue), f.lang))
		if err != nil { // a mistake in the program: a stream that leaves something out must not go on
			f.rt.Logger.Error("cannot tell an assist to a stream", "assist", a.ID, "error", err)
			return false
		}
		if s.Event(strconv.FormatInt(a.Seq, 10), eventOf(a), data) != nil {
			return false
		}
		f.after = a.Seq
	}
	switch {
	case f.listing && len(next.assists) < pageMost:
		f.after, f.listing = f.through, false
	case !next.more:
		f.after = next.known
	}
	if !f.listing && len(next.assists) < pageMost {
		s.Mark(strconv.FormatInt(f.after, 10))
	}
	return true
}

// pulse wakes the streams when any assist has changed, in whatever process. While there is a stream it looks at the number
// of the last change, once for all of them.
type pulse struct {
	ledger *ledger.Ledger

	mu    sync.Mutex
	wakes map[chan struct{}]struct{}
	stop  context.CancelFunc // of the goroutine that looks
}

// join returns what wakes a stream, and what it calls in the end.
func (p *pulse) join() (wake <-chan struct{}, leave func()) {
	mine := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wakes) == 0 {
		ctx, stop := context.WithCancel(context.Background())
		p.stop = stop
		go p.look(ctx)
	}
	p.wakes[mine] = struct{}{}
	mine <- struct{}{} // what has changed since the stream has read is found at once
	return mine, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if delete(p.wakes, mine); len(p.wakes) == 0 {
			p.stop()
		}
	}
}

func (p *pulse) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for seen := int64(-1); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, err := p.seq(ctx); err == nil && now != seen {
			seen = now
			p.wake()
		}
	}
}

func (p *pulse) seq(ctx context.Context) (seq int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	err = p.ledger.View(ctx, func(q ledger.Querier) (err error) {
		seq, err = ledger.AssistSeq(q)
		return err
	})
	return seq, err
}

func (p *pulse) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.wakes {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}
