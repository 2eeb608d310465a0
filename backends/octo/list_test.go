package octo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// lister is a supplier that answers every request with what tell writes.
func lister(t testing.TB, change func(*octo.Config), tell func(w http.ResponseWriter)) *octo.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tell(w) }))
	t.Cleanup(server.Close)
	cfg := octo.Config{BaseURL: server.URL, APIKey: testKey, Supplier: "s"}
	if change != nil {
		change(&cfg)
	}
	c, err := octo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// bookings writes n bookings of about 4 KiB each, the twin's with a contact and prices beside what a gate needs.
func bookings(w io.Writer, n int) {
	filler := `"contact":{"notes":"` + strings.Repeat("n", 3600) + `"},`
	_, _ = io.WriteString(w, "[")
	for i := range n {
		if i > 0 {
			_, _ = io.WriteString(w, ",\n")
		}
		_, _ = fmt.Fprintf(w, `{"uuid":"9f3c2a1e-0000-4000-8000-%012d",%s%s`, i, filler, aBooking[len(`{"id":"b","uuid":"9f3c2a1e-0000-4000-8000-000000000001",`):])
	}
	_, _ = io.WriteString(w, "]")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestADaysListNeedsNoMemory: 20,000 bookings are more than 70 MB, of which never more than a little is held.
func TestADaysListNeedsNoMemory(t *testing.T) {
	n := 20_000
	if testing.Short() || raced {
		n = 5000
	}
	c := lister(t, func(cfg *octo.Config) { cfg.MaxListBody = 256 << 20 }, func(w http.ResponseWriter) { bookings(w, n) })
	const most = 4 << 20
	base := heap()
	got := 0
	err := c.BookingsOn(twintest.Within(t, time.Minute), noon, "entry", func(b *octo.Booking) error {
		if want := fmt.Sprintf("9f3c2a1e-0000-4000-8000-%012d", got); b.UUID != want || b.UnitItems[0].Code() != "C1" {
			return fmt.Errorf("booking %d: %+v", got, b)
		}
		if got++; got%2000 == 0 {
			if h := heap(); h > base+most {
				return fmt.Errorf("%d KiB more are held after %d bookings", (h-base)>>10, got)
			}
		}
		return nil
	})
	if err != nil || got != n {
		t.Errorf("%d bookings, %v", got, err)
	}
}

func TestAListIsJudgedBookingByBooking(t *testing.T) {
	good := func(i int) string {
		return fmt.Sprintf(`{"uuid":"9f3c2a1e-0000-4000-8000-%012d",%s`, i, aBooking[len(`{"id":"b","uuid":"9f3c2a1e-0000-4000-8000-000000000001",`):])
	}
	list := func(middle string) string { return "[" + good(0) + "," + middle + "," + good(2) + "] " }
	cut := list(good(1))
	for _, test := range []struct {
		name   string
		body   string
		got    string // the last digits of what is handed on
		reason wire.Reason
	}{
		{"whole", list(good(1)), "012", ""},
		{"empty", " [] ", "", ""},
		{"one without a uuid", list(`{"status":"CONFIRMED"}`), "02", wire.ReasonGarbage},
		{"one of another kind", list(`7`), "02", wire.ReasonGarbage},
		{"a null", list(`null`), "02", wire.ReasonGarbage},
		{"a list in the list", list(`[{"a":[1,2]}]`), "02", wire.ReasonGarbage},
		{"units of another kind", list(strings.Replace(good(1), `"unitItems":[`, `"unitItems":[7,`, 1)), "02", wire.ReasonGarbage},
		{"a status of another kind", list(strings.Replace(good(1), `"status":"REDEEMED"`, `"status":{"a":[1,{}]}`, 1)), "02", wire.ReasonGarbage},
		{"a time that is none", list(strings.Replace(good(1), `2026-05-02T05:00:00Z`, `noon`, 1)), "02", wire.ReasonGarbage},
		{"a member twice", list(`{"id":"a","id":"b"}`), "0", wire.ReasonGarbage},
		{"no JSON", list(`{"uuid":}`), "0", wire.ReasonGarbage},
		{"no list", good(0), "", wire.ReasonGarbage},
		{"null", "null", "", wire.ReasonGarbage},
		{"nothing", "", "", wire.ReasonGarbage},
		{"more after the end", list(good(1)) + "x", "012", wire.ReasonGarbage},
		{"an end that never comes", strings.TrimRight(cut, "] "), "012", wire.ReasonGarbage},
		{"one that is too long", list(`{"x":"` + strings.Repeat("x", 8192) + `"}`), "0", wire.ReasonTooLarge},
		{"spaces without an end", "[" + strings.Repeat(" ", 8192) + "]", "", wire.ReasonTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := lister(t, func(cfg *octo.Config) { cfg.MaxBody = 4096 }, func(w http.ResponseWriter) { _, _ = io.WriteString(w, test.body) })
			got := ""
			err := c.BookingsOn(twintest.Within(t, 5*time.Second), noon, "entry", func(b *octo.Booking) error { got += b.UUID[35:]; return nil })
			if got != test.got {
				t.Errorf("handed on: %q, want %q", got, test.got)
			}
			if test.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := twintest.ErrorOf(t, err); e.Reason != test.reason || e.Fate != wire.Unknown || strings.Contains(e.Error(), "C1") {
				t.Error(e)
			}
		})
	}
}

// TestAListThatBreaksOff hands on what has come, and says why the rest has not.
func TestAListThatBreaksOff(t *testing.T) {
	stop := errors.New("enough")
	for _, test := range []struct {
		name   string
		limit  int // of the list, in bytes; 0: the usual
		time   time.Duration
		tell   func(w http.ResponseWriter)
		each   func() error
		reason wire.Reason
	}{
		{"cut", 0, 5 * time.Second, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000000000")
			bookings(w, 50)
		}, nil, wire.ReasonReset},
		{"reset within a chunk", 0, 5 * time.Second, func(w http.ResponseWriter) {
			bookings(w, 50)
			panic(http.ErrAbortHandler)
		}, nil, wire.ReasonReset},
		{"over the bound", 100 << 10, 5 * time.Second, func(w http.ResponseWriter) { bookings(w, 50) }, nil, wire.ReasonTooLarge},
		{"late", 0, 300 * time.Millisecond, func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "["+aBooking+","+strings.Repeat(" ", 64<<10))
			_ = http.NewResponseController(w).Flush()
			<-late(w)
		}, nil, wire.ReasonTimeout},
		{"stopped", 0, 5 * time.Second, func(w http.ResponseWriter) { bookings(w, 50) }, func() error { return stop }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := lister(t, func(cfg *octo.Config) { cfg.MaxListBody = test.limit }, test.tell)
			got := 0
			begin := time.Now()
			err := c.BookingsOn(twintest.Within(t, test.time), noon, "entry", func(*octo.Booking) error {
				got++
				if test.each != nil {
					return test.each()
				}
				return nil
			})
			if took := time.Since(begin); took > test.time+time.Second {
				t.Errorf("it took %s", took)
			}
			if got == 0 {
				t.Error("nothing was handed on")
			}
			if test.each != nil {
				if !errors.Is(err, stop) || got != 1 {
					t.Errorf("%d, %v", got, err)
				}
				return
			}
			if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != test.reason {
				t.Error(e)
			}
		})
	}
}

// late ends a second after it was asked for: an answer that does not come while anybody waits.
func late(http.ResponseWriter) <-chan time.Time { return time.After(time.Second) }

func TestAListThatIsRefused(t *testing.T) {
	for status, want := range map[int]wire.Reason{400: wire.ReasonRefused, 404: wire.ReasonRefused, 429: wire.ReasonRateLimited, 500: wire.ReasonStatus,
		202: wire.ReasonStatus, 302: wire.ReasonStatus} {
		c := lister(t, nil, func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":"INVALID_PRODUCT_ID","errorMessage":"no"}`)
		})
		for range 2 { // the connection is good for another call
			err := c.BookingsOn(twintest.Within(t, 5*time.Second), noon, "entry", func(*octo.Booking) error { return nil })
			if e := twintest.ErrorOf(t, err); e.Reason != want || e.Status != status || (want == wire.ReasonRefused) != (e.Code == octo.CodeInvalidProduct) {
				t.Errorf("%d: %v", status, e)
			}
		}
	}
	c := lister(t, nil, func(w http.ResponseWriter) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"INVALID_PRODUCT_ID","errorMessage":"`+strings.Repeat("x", 1<<20)+`"}`)
	})
	err := c.BookingsOn(twintest.Within(t, 5*time.Second), noon, "entry", func(*octo.Booking) error { return nil })
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
		t.Errorf("an error of 1 MiB: %v", e)
	}
}

// BenchmarkBookingsOn reads a day of 15,000 tickets, about 56 MB, and says how much the heap grew at its highest.
func BenchmarkBookingsOn(b *testing.B) {
	var whole strings.Builder
	bookings(&whole, 15_000)
	body := whole.String()
	c := lister(b, func(cfg *octo.Config) { cfg.MaxListBody = 256 << 20 }, func(w http.ResponseWriter) { _, _ = io.WriteString(w, body) })
	base := heap()
	var peak atomic.Uint64
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				metrics.Read(sample)
				peak.Store(max(peak.Load(), sample[0].Value.Uint64()))
			}
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		n := 0
		err := c.BookingsOn(ctx, noon, "entry", func(*octo.Booking) error { n++; return nil })
		cancel()
		if err != nil || n != 15_000 {
			b.Fatal(n, err)
		}
	}
	close(done)
	watching.Wait()
	b.ReportMetric(float64(peak.Load()-min(base, peak.Load()))/(1<<20), "peak-MiB")
}

// TestAListTakesItsTime: after each piece of work the reader rests, however fast the bytes come.
func TestAListTakesItsTime(t *testing.T) {
	var whole strings.Builder
	bookings(&whole, 5000)
	body := whole.String()
	c := lister(t, func(cfg *octo.Config) { cfg.MaxListBody = 256 << 20 }, func(w http.ResponseWriter) { _, _ = io.WriteString(w, body) })
	rests, last := 0, time.Now()
	err := c.BookingsOn(twintest.Within(t, time.Minute), noon, "entry", func(*octo.Booking) error {
		now := time.Now()
		if now.Sub(last) >= 3*time.Millisecond {
			rests++
		}
		last = now
		return nil
	})
	if err != nil || rests < 10 { // some 20 MB take some 50 ms of work
		t.Errorf("%d rests, %v", rests, err)
	}
}
