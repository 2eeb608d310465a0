package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway"
)

// leaks fails the test where it leaves a goroutine behind, but for two of fasthttp: its clock, and the one that sleeps for
// ten seconds before it looks whether its server has ended. Call it first.
func leaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	})
}

// open asks for a stream and returns it where it is one.
func (w *world) open(token string, header ...string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequest("GET", w.url+"/v1/watch", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// hear reads so many bytes of a stream.
func hear(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	got := make([]byte, n)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatalf("heard %q: %v", got, err)
	}
	return string(got)
}

// await waits for a condition that other goroutines bring about.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-time.After(time.Millisecond):
		case <-end:
			t.Fatalf("never: %s", what)
		}
	}
}

func (w *world) streamsOpen() int {
	w.server.streams.mu.Lock()
	defer w.server.streams.mu.Unlock()
	return w.server.streams.open
}

func TestStreamsAreBoundedInAllAndForEach(t *testing.T) {
	leaks(t)
	w := newWorld(t, func(s *setup) { s.config.Streams = 3 })
	w.turn("second", &gateway.Principal{Issuer: "i", Subject: "wang", Tenant: "hangzhou", Scopes: []string{"staff:assist"}})
	first := w.open("staff", "Last-Event-ID", "41")
	want := "retry: 1000\n\nid: 1\nevent: assist\ndata: {\"last\":\"41\"}\n\n"
	if got := hear(t, first.Body, len(want)); got != want || first.Header.Get("X-Accel-Buffering") != "no" || first.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("heard %q with %v", got, first.Header)
	}
	second := w.open("staff")
	a := w.do(get("/v1/watch", "staff").good())
	if slug, _ := a.problem(); a.status != 429 || slug != "streams-open" || a.header.Get("Retry-After") != "5" {
		t.Errorf("the third of one principal: %d %s", a.status, a.body)
	}
	other := w.open("second") // another principal has room, until all is taken
	a = w.do(get("/v1/watch", "second").good())
	if slug, _ := a.problem(); a.status != 503 || slug != "overloaded" || a.header.Get("Retry-After") != "1" {
		t.Errorf("one stream too many: %d %s", a.status, a.body)
	}
	if a := w.do(get("/v1/watch", "staff").with("Last-Event-ID", "1")); a.status != 429 {
		t.Errorf("%d", a.status)
	}
	for _, r := range []*http.Response{first, second, other} { // who closes has room again at once, without a heartbeat
		_ = r.Body.Close()
	}
	await(t, "the streams' room is free", func() bool { return w.streamsOpen() == 0 })
	if third := w.open("staff"); third.StatusCode != 200 {
		t.Errorf("afterwards: %d", third.StatusCode)
	}
}

func TestAStreamOfNoBodyLeavesItsRoom(t *testing.T) {
	leaks(t)
	w := newWorld(t)
	if a := w.do(&call{method: "HEAD", path: "/v1/watch", header: http.Header{"Authorization": {"Bearer staff"}}}); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
	await(t, "room", func() bool { return w.streamsOpen() == 0 })
	r, err := http.NewRequest("GET", w.url+"/v1/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer staff"}, "Last-Event-Id": {"1", "2"}, "Accept-Language": {"en"}}
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != 400 || !strings.Contains(string(text), "header Last-Event-ID") {
		t.Errorf("two ids: %d %s", response.StatusCode, text)
	}
}

// TestAStreamOutlivesTheWriteTimeoutAndASlowReaderDoesNot: what is read goes on for many times as long; what is not is
// dropped within that time, although there is always more to send, and its room is free.
func TestAStreamOutlivesTheWriteTimeoutAndASlowReaderDoesNot(t *testing.T) {
	leaks(t)
	const patience = 100 * time.Millisecond
	w := newWorld(t, func(s *setup) { s.config.Front.WriteTimeout = patience })
	stuck := make(chan time.Duration, 1)
	flood := func(s *Stream) {
		event, last := []byte(strings.Repeat("x", streamBatch)), time.Now()
		for s.Event("1", "assist", event) == nil {
			last = time.Now()
		}
		stuck <- time.Since(last)
	}
	w.stream.Store(&flood)
	idle := w.open("staff")
	if d := <-stuck; d < patience/2 || d > patience+2*time.Second {
		t.Errorf("the client was dropped after %v", d)
	}
	await(t, "the slow reader's room is free", func() bool { return w.streamsOpen() == 0 })
	_ = idle.Body.Close()

	tick := make(chan struct{})
	slow := func(s *Stream) {
		for i := range 5 {
			<-time.After(patience)
			_ = s.Event(fmt.Sprint(i), "assist", []byte(`{}`))
			close(tick)
			s.Wait(tick)
			tick = make(chan struct{})
		}
	}
	w.stream.Store(&slow)
	text, err := io.ReadAll(w.open("staff").Body)
	if err != nil || strings.Count(string(text), "event: assist\n") != 5 {
		t.Errorf("heard %q, %v", text, err)
	}
}

// TestAStreamEndsWithWhatItsTokenAllows: when it is revoked, and when it is for other venues, another tenant or without the
// scope; not where nothing can be said about it.
func TestAStreamEndsWithWhatItsTokenAllows(t *testing.T) {
	leaks(t)
	staff := func(change func(*gateway.Principal)) *gateway.Principal {
		p := &gateway.Principal{Issuer: "i", Subject: "li", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"*"}}
		change(p)
		return p
	}
	w := newWorld(t)
	for what, p := range map[string]*gateway.Principal{
		"revoked": nil, "other venues": staff(func(p *gateway.Principal) { p.Venues = []string{"west-lake"} }),
		"another tenant": staff(func(p *gateway.Principal) { p.Tenant = "suzhou" }), "no scope": staff(func(p *gateway.Principal) { p.Scopes = nil }),
	} {
		w.turn("staff", staff(func(*gateway.Principal) {}))
		r := w.open("staff")
		in := bufio.NewReader(r.Body)
		if _, err := in.ReadString('}'); err != nil {
			t.Fatal(err)
		}
		w.turn("staff", p)
		from := time.Now()
		rest, err := io.ReadAll(in)
		if took := time.Since(from); err != nil || string(rest) != "\n\n" || took > streamLook+2*time.Second {
			t.Errorf("%s: after %v, %q, %v", what, took, rest, err)
		}
		_ = r.Body.Close()
	}
}

func TestShutdownEndsStreams(t *testing.T) {
	leaks(t)
	w := newWorld(t)
	r := w.open("staff")
	in := bufio.NewReader(r.Body)
	if _, err := in.ReadString('}'); err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "\n\n" || time.Since(from) > 2*time.Second {
		t.Errorf("%q, %v after %v", rest, err, time.Since(from))
	}
}

func TestAStreamThatPanicsEnds(t *testing.T) {
	leaks(t)
	w := newWorld(t)
	broken := func(*Stream) { panic("secret of a citizen") }
	w.stream.Store(&broken)
	if text, err := io.ReadAll(w.open("staff").Body); err != nil || string(text) != "retry: 1000\n\n" {
		t.Errorf("%q, %v", text, err)
	}
	await(t, "room", func() bool { return w.streamsOpen() == 0 })
	if logs := w.logs.String(); !strings.Contains(logs, "a stream panicked") || strings.Contains(logs, "secret") {
		t.Error(logs)
	}
}

// TestQuietStreamsBeat in virtual time: every 15 s without an event, and with the id that the client should resume from.
func TestQuietStreamsBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		s := &Stream{w: w, ctx: ctx, valid: func() bool { return true }, heartbeat: 15 * time.Second}
		begin := time.Now()
		heard := make(chan string)
		go func() {
			part := make([]byte, 1024)
			for {
				n, err := r.Read(part)
				if err != nil {
					close(heard)
					return
				}
				heard <- fmt.Sprint(time.Since(begin), " ", string(part[:n]))
			}
		}()
		wake := make(chan struct{}, 1)
		turns := 0
		go func() {
			s.Mark("7")
			for s.Wait(wake) {
				if turns++; turns == 20 {
					_ = s.Event("8", "assist", []byte("{}"))
				}
				if turns == 21 {
					s.Mark("9")
				}
			}
			_ = w.Close()
		}()
		for _, want := range []string{"0s id: 7\n\n", "15s :\n\n", "20s id: 8\nevent: assist\ndata: {}\n\n", "35s :\n\nid: 9\n\n", "50s :\n\n"} {
			if got := <-heard; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		cancel()
		if got, more := <-heard; more {
			t.Errorf("after the end: %q", got)
		}
	})
}

// TestALookThatHangsLeavesTimeForTheAnswer: what the edge itself waits for ends before the budget, by the overhead.
func TestALookThatHangsLeavesTimeForTheAnswer(t *testing.T) {
	const budget, overhead = 300 * time.Millisecond, 80 * time.Millisecond
	w := newWorld(t, func(s *setup) { s.config.Overhead = overhead })
	w.budget.Store(int64(budget))
	var left time.Duration
	hang := func(ctx context.Context) {
		end, _ := ctx.Deadline()
		left = time.Until(end)
		<-ctx.Done()
	}
	w.looking.Store(&hang)
	w.failing = context.DeadlineExceeded
	took, most := time.Hour, time.Duration(0)
	for try := 0; try < 5 && (took > budget || most < budget-2*overhead); try++ { // the quickest counts: the machine may stand still
		from := time.Now()
		a := w.do(entryCall("a").good())
		if slug, _ := a.problem(); a.status != 503 || slug != "ledger-unavailable" || left > budget-overhead {
			t.Errorf("%d %s, with %v to look", a.status, a.body, left)
		}
		took, most = min(took, time.Since(from)), max(most, left)
	}
	if took > budget || most < budget-2*overhead {
		t.Errorf("the answer came after %v of %v, with %v to look", took, budget, most)
	}
	w.on(func(x *Exchange) error {
		if got := x.deadline.Sub(x.Deadline()); got != overhead {
			t.Errorf("a call is left %v for its answer", got)
		}
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	w.looking.Store(nil)
	w.mu.Lock()
	w.failing = nil
	w.mu.Unlock()
	w.do(entryCall("b").good())
}
