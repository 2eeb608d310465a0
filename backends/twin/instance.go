package twin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxRequest bounds the body of a request to a twin, in bytes.
const maxRequest = 1 << 20

// instance serves one twin at one address and does to its answers what the dial says.
type instance struct {
	backend Backend
	server  *http.Server
	addr    string
	release func() // lets go of the reserved port
	closed  <-chan struct{}
	serving sync.WaitGroup
	saved   uint64 // Backend.Changes at the last save; guarded by saving
	saving  sync.Mutex

	mu       sync.Mutex
	dial     Dial
	changed  chan struct{} // closed when the dial changes
	chance   *rand.Rand
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
}

type connKey struct{}

func newInstance(b Backend, chance *rand.Rand, closed <-chan struct{}) *instance {
	i := &instance{backend: b, chance: chance, closed: closed, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	i.server = &http.Server{
		Handler:           http.HandlerFunc(i.serve),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          silent(),
		ConnState:         i.track,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	return i
}

// silent keeps net/http from logging what it was sent.
func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// bind reserves a port of host, the one it had before if that is free, and returns it.
func (i *instance) bind(host string, port int) (int, error) {
	l, release, err := reserveAny(host, port)
	if err != nil {
		return 0, err
	}
	i.addr, i.release, i.listener = l.Addr().String(), release, l
	i.accept(l)
	return l.Addr().(*net.TCPAddr).Port, nil
}

// reserveAny reserves that port of host, or another one where it is not free.
func reserveAny(host string, port int) (net.Listener, func(), error) {
	if l, release, err := reserve(host, port); err == nil || port == 0 {
		return l, release, err
	}
	return reserve(host, 0)
}

func (i *instance) url() string { return "http://" + i.addr }

func (i *instance) accept(l net.Listener) {
	i.serving.Go(func() { _ = i.server.Serve(l) })
}

// set changes the dial, and opens or shuts the listener with it.
func (i *instance) set(d Dial) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if d == i.dial {
		return nil
	}
	i.dial = d
	close(i.changed)
	i.changed = make(chan struct{})
	switch {
	case d.shut() && i.listener != nil:
		_ = i.listener.Close()
		i.listener = nil
		i.cut()
	case !d.shut() && i.listener == nil:
		l, err := net.Listen("tcp", i.addr)
		if err != nil {
			return fmt.Errorf("cannot open %s again: %w", i.addr, err)
		}
		i.listener = l
		i.accept(l)
	}
	return nil
}

// cut resets every connection. The caller holds mu.
func (i *instance) cut() {
	for c := range i.conns {
		reset(c)
	}
}

func (i *instance) stop() {
	i.mu.Lock()
	if i.listener != nil {
		_ = i.listener.Close()
	}
	i.cut()
	i.mu.Unlock()
	_ = i.server.Close()
	i.serving.Wait()
	if c, ok := i.backend.(io.Closer); ok {
		_ = c.Close()
	}
	i.release()
}

func (i *instance) track(c net.Conn, s http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch s {
	case http.StateNew:
		i.conns[c] = struct{}{}
		if i.listener == nil { // accepted just before the door shut
			reset(c)
		}
	case http.StateClosed, http.StateHijacked:
		delete(i.conns, c)
	}
}

// reset closes a connection with RST and not with FIN.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// draw returns the dial for one request, and what is closed when it changes.
func (i *instance) draw(path string) (Dial, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !strings.HasPrefix(path, i.dial.Path) {
		return Dial{}, i.changed
	}
	if i.dial.Rate > 0 && i.dial.Rate < 1 && i.chance.Float64() >= i.dial.Rate {
		return Dial{}, i.changed
	}
	return i.dial, i.changed
}

func (i *instance) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "the request body is cut off or too large", http.StatusBadRequest)
		return
	}
	d, changed := i.draw(r.URL.Path)
	if many, ok := i.backend.(Troubled); ok && d == (Dial{}) {
		d = many.Trouble(r.URL.Path)
	}
	if d == (Dial{}) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		i.backend.ServeHTTP(w, r)
		return
	}
	var answer *recorder
	effect := func() {
		// The effect does not depend on whether the client still waits.
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		answer = newRecorder()
		i.backend.ServeHTTP(answer, again)
	}
	if d.AfterEffect {
		effect()
	}
	pause(d.latency(), changed, i.closed)
	if answer == nil && (d.Fault == "" || d.Fault == Slow) {
		effect()
	}
	i.fail(w, r, d.Fault, answer, changed)
}

// fail answers as the fault says; answer is the true one, nil if there was no effect.
func (i *instance) fail(w http.ResponseWriter, r *http.Request, f Fault, answer *recorder, changed <-chan struct{}) {
	switch f {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-changed:
		case <-i.closed:
		}
		hangUp(w)
	case Refuse:
		hangUp(w)
	case Reset:
		resetInBody(w, answer)
	case Status5:
		http.Error(w, "the twin fails as it was told to", http.StatusInternalServerError)
	case Status4:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the twin has too much to do, as it was told", http.StatusTooManyRequests)
	case Garbage:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("<html>\x00\xff{\"uuid\": not JSON at all"))
	case Endless:
		endless(w, r, changed, i.closed)
	case Slow:
		answer.slowly(w, r, changed, i.closed)
	default:
		answer.send(w)
	}
}

// hangUp resets the connection of a request.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		reset(conn)
	}
}

// resetInBody promises a body, sends half of it and resets.
func resetInBody(w http.ResponseWriter, answer *recorder) {
	body := []byte(`{"id": "half of an answer, and then nothing"}`)
	if answer != nil {
		body = answer.body.Bytes()
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer reset(conn)
	_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)+1) + "\r\n\r\n")
	_, _ = buf.Write(body[:len(body)/2])
	_ = buf.Flush()
}

// endless begins a JSON array and never ends it. It is held to some 6 MB/s: it is a fault, not a load test.
func endless(w http.ResponseWriter, r *http.Request, changed, closed <-chan struct{}) {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write([]byte("["))
	blank := bytes.Repeat([]byte(" "), 64<<10)
	for err == nil && pause(10*time.Millisecond, changed, closed, r.Context().Done()) {
		if _, err = w.Write(blank); err == nil {
			err = http.NewResponseController(w).Flush()
		}
	}
	hangUpStarted()
}

// hangUpStarted ends a request whose answer has begun, so that the client does not take it for complete.
func hangUpStarted() { panic(http.ErrAbortHandler) }

// pause waits for d and reports whether it did; it is cut short when one of ends is closed.
func pause(d time.Duration, ends ...<-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	merged := make([]<-chan struct{}, 3) // a nil channel never ends a pause
	copy(merged, ends)
	select {
	case <-t.C:
		return true
	case <-merged[0]:
	case <-merged[1]:
	case <-merged[2]:
	}
	return false
}

// recorder holds a true answer back.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}, status: http.StatusOK} }

func (a *recorder) Header() http.Header         { return a.header }
func (a *recorder) WriteHeader(status int)      { a.status = status }
func (a *recorder) Write(p []byte) (int, error) { return a.body.Write(p) }

func (a *recorder) head(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.status)
}

func (a *recorder) send(w http.ResponseWriter) {
	a.head(w)
	_, _ = w.Write(a.body.Bytes())
}

// slowly sends the answer a byte every tenth of a second, and the rest at once when the dial changes.
func (a *recorder) slowly(w http.ResponseWriter, r *http.Request, changed, closed <-chan struct{}) {
	a.head(w)
	flush := http.NewResponseController(w).Flush
	rest := a.body.Bytes()
	for len(rest) > 0 && flush() == nil {
		if !pause(100*time.Millisecond, changed, closed, r.Context().Done()) {
			break
		}
		if _, err := w.Write(rest[:1]); err != nil {
			return
		}
		rest = rest[1:]
	}
	_, _ = w.Write(rest)
}
