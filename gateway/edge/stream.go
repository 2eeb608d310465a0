package edge

import (
	"bufio"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge/front"
	"github.com/warmgate/warmgate/gateway/limit"
)

// streamWrite is how long one write of a stream may take before its client counts as gone.
const streamWrite = 5 * time.Second

// streams bounds the open streams and ends them all when the server closes.
type streams struct {
	room chan struct{}
	done chan struct{}
	once sync.Once
}

func (s *streams) init(n int) {
	s.room = make(chan struct{}, n)
	s.done = make(chan struct{})
}

func (s *streams) close() { s.once.Do(func() { close(s.done) }) }

// Stream is an answer that goes on: Server-Sent Events. It is used by its own function alone.
type Stream struct {
	w         *bufio.Writer
	extend    func() error
	heartbeat time.Duration
	done      <-chan struct{}
}

// Done is closed when the server closes; the stream's function returns then.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Heartbeat is how often a quiet stream calls Beat, so that a client which has gone is noticed.
func (s *Stream) Heartbeat() time.Duration { return s.heartbeat }

// Event sends one event (WHATWG HTML §9.2): data must have no line break, as JSON from this gateway never has. An error
// means that the client has gone.
func (s *Stream) Event(id, event string, data []byte) error {
	for _, part := range [...]string{"id: ", id, "\nevent: ", event, "\ndata: "} {
		if _, err := s.w.WriteString(part); err != nil {
			return err
		}
	}
	if _, err := s.w.Write(data); err != nil {
		return err
	}
	return s.end("\n\n")
}

// Beat sends a comment.
func (s *Stream) Beat() error { return s.end(":\n\n") }

// end writes the last part and sends all, with a deadline of its own.
func (s *Stream) end(last string) error {
	if _, err := s.w.WriteString(last); err != nil {
		return err
	}
	if err := s.extend(); err != nil {
		return err
	}
	return s.w.Flush()
}

// Stream answers with Server-Sent Events: write runs after Serve has returned, until it returns, and must not use the
// Exchange. There is room for Config.Streams at once; one more is overloaded.
func (x *Exchange) Stream(write func(s *Stream)) error {
	server := x.server
	select {
	case server.streams.room <- struct{}{}:
	default:
		return limit.ProblemOverloaded.Error(gateway.Text{
			Zh: "打开的数据流过多。", En: "There are too many open streams."}).WithRetryAfter(time.Second).WithCause(limit.ShedFull)
	}
	s := &Stream{extend: front.ExtendWrite(x.ctx, streamWrite), heartbeat: server.config.Heartbeat, done: server.streams.done}
	x.answered = true
	x.ctx.SetContentType("text/event-stream")
	server.metrics.streams.Inc()
	x.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		defer func() {
			server.metrics.streams.Dec()
			<-server.streams.room
			if v := recover(); v != nil {
				server.log.Error("a stream panicked", "panic", panicText(v))
			}
		}()
		s.w = w
		if s.Beat() == nil {
			write(s)
		}
	})
	return nil
}
