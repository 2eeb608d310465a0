package edge

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/edge/front"
	"github.com/warmgate/warmgate/gateway/limit"
)

const (
	streamsOfOne = 2           // open streams of one principal
	streamRetry  = time.Second // after which a client comes back whose stream has ended
	streamLook   = time.Second // the longest between two looks at the token, and at what there is to send
	streamBatch  = 16 << 10    // bytes of events that are sent at once
)

// holder is who has a stream: a subject means something at its issuer alone.
type holder struct{ tenant, issuer, subject string }

// streams bounds the open streams and ends them all when the server closes.
type streams struct {
	life context.Context
	stop context.CancelFunc

	mu   sync.Mutex
	most int
	open int
	of   map[holder]int
}

func (s *streams) init(n int) {
	s.life, s.stop = context.WithCancel(context.Background())
	s.most, s.of = n, make(map[holder]int)
}

// enter takes room for a stream of who, or says why there is none.
func (s *streams) enter(who holder, retry time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of[who] >= streamsOfOne:
		return ProblemStreamsOpen.Error(gateway.Text{
			Zh: "每个访问者最多同时打开 " + strconv.Itoa(streamsOfOne) + " 个。",
			En: "There may be " + strconv.Itoa(streamsOfOne) + " at once; please close one."}).WithRetryAfter(retry)
	case s.open >= s.most:
		return limit.ProblemOverloaded.Error(gateway.Text{
			Zh: "打开的数据流过多。", En: "There are too many open streams."}).WithRetryAfter(streamRetry).WithCause(limit.ShedFull)
	}
	s.open++
	s.of[who]++
	return nil
}

func (s *streams) leave(who holder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.of[who]--; s.of[who] == 0 {
		delete(s.of, who)
	}
}

// Stream is an answer that goes on: Server-Sent Events (WHATWG HTML §9.2). It is used by its own function alone.
type Stream struct {
	w         io.Writer
	ctx       context.Context
	valid     func() bool // whoever began it may still see it
	heartbeat time.Duration

	buf  []byte    // what has not been sent
	at   string    // the id that the client should resume from
	told string    // the one that it knows
	last time.Time // when something was sent last
}

// Context ends with the stream: when the client has gone, or when the server closes.
func (s *Stream) Context() context.Context { return s.ctx }

// Event notes one event: data must have no line break, as JSON from this gateway never has. One without id leaves the
// client's as it is. It is sent with the next Wait, or before, where there is much. An error means that the stream has
// ended.
func (s *Stream) Event(id, event string, data []byte) error {
	if id != "" {
		s.buf = append(append(append(s.buf, "id: "...), id...), '\n')
		s.at, s.told = id, id
	}
	s.buf = append(append(append(s.buf, "event: "...), event...), "\ndata: "...)
	s.buf = append(append(s.buf, data...), "\n\n"...)
	if len(s.buf) >= streamBatch {
		return s.send()
	}
	return nil
}

// Mark notes that the client knows everything up to id, although no event had it. It is told so with what is sent next: the
// rest of a batch, or a heartbeat.
func (s *Stream) Mark(id string) { s.at = id }

// Wait sends what was noted and waits until wake has something, or a second has passed at most, with a heartbeat where the
// stream was quiet for so long. False means that it has ended: the client has gone, the server closes, or the token that
// it began with is no longer good for what it was.
func (s *Stream) Wait(wake <-chan struct{}) bool {
	if len(s.buf) > 0 || s.told == "" {
		s.mark()
		if s.send() != nil {
			return false
		}
	}
	timer := time.NewTimer(min(streamLook, s.heartbeat-time.Since(s.last)))
	defer timer.Stop()
	select {
	case <-s.ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	if s.ctx.Err() != nil || !s.valid() {
		return false
	}
	if time.Since(s.last) < s.heartbeat {
		return true
	}
	s.buf = append(s.buf, ":\n\n"...)
	s.mark()
	return s.send() == nil
}

// mark adds the id to resume from, where the client does not know it.
func (s *Stream) mark() {
	if s.at != s.told {
		s.buf = append(append(append(s.buf, "id: "...), s.at...), "\n\n"...)
		s.told = s.at
	}
}

func (s *Stream) send() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.w.Write(s.buf)
	s.buf, s.last = s.buf[:0], time.Now()
	return err
}

// Stream answers with Server-Sent Events: write runs on a goroutine of its own, after Serve has returned, until it returns,
// and must not use the Exchange. A client that doesn't take what is sent within the front's WriteTimeout is dropped. There
// is room for Config.Streams at once, one more is overloaded, and for two of a principal, one more is streams-open.
func (x *Exchange) Stream(write func(s *Stream)) error {
	server, who := x.server, holder{}
	if p := x.principal; p != nil {
		who = holder{p.Tenant, p.Issuer, p.Subject}
	}
	patience := server.config.Front.WriteTimeout
	if err := server.streams.enter(who, patience); err != nil {
		return err
	}
	ctx, end := context.WithCancel(server.streams.life)
	r, w := io.Pipe()
	s := &Stream{w: w, ctx: ctx, valid: x.stillValid(), heartbeat: server.config.Heartbeat,
		buf: []byte("retry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n")}
	front.Streaming(x.ctx, patience, end)
	x.answered = true
	x.ctx.SetContentType("text/event-stream")
	x.SetHeader("X-Accel-Buffering", "no") // a balancer that collects answers would hold the events back
	server.metrics.streams.Inc()
	x.ctx.SetBodyStream(r, -1) // it is closed where the client does not take what was sent
	go func() {
		defer func() {
			if v := recover(); v != nil {
				server.metrics.panics.Inc()
				server.log.Error("a stream panicked", "panic", panicText(v))
			}
			end()
			server.metrics.streams.Dec()
			server.streams.leave(who)
			_ = w.Close() // the client is told that it has ended
		}()
		if s.send() == nil {
			write(s)
		}
	}()
	return nil
}

// stillValid returns a function that reports whether the caller's token is good, for the same venues, as it was for this
// request. It keeps a copy of the token. What says nothing about the token, such as keys that could not be had, ends
// nothing.
func (x *Exchange) stillValid() func() bool {
	if x.principal == nil {
		return func() bool { return true }
	}
	shown, err := auth.FromHeader(x.ctx.Request.Header.Peek("Authorization"))
	if err != nil {
		return func() bool { return false }
	}
	return stillGood(&x.server.deps, bytes.Clone(shown), x.addr, *x.principal, x.route.Scope)
}

func stillGood(d *Deps, token []byte, addr netip.Addr, as gateway.Principal, scope string) func() bool {
	as.Venues = slices.Clone(as.Venues)
	return func() bool {
		p, err := d.Verifier.Verify(token, addr, d.Now())
		if err != nil {
			kind := gateway.AsError(err).Problem.Kind
			return kind == gateway.TooMany || kind == gateway.Unavailable
		}
		return p.Tenant == as.Tenant && slices.Equal(p.Venues, as.Venues) && (scope == "" || p.Has(scope))
	}
}

// LastEventID returns the id of the last event that the client has of an earlier stream, "" where it names none.
func (x *Exchange) LastEventID() (string, error) {
	headers := x.ctx.Request.Header.PeekAll("Last-Event-ID")
	switch len(headers) {
	case 0:
		return "", nil
	case 1:
		return string(headers[0]), nil
	}
	return "", headerInvalid("Last-Event-ID", "只能出现一次。", "It must be there once.")
}
