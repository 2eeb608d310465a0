package hangzhou_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

func TestMain(m *testing.M) { twintest.Main(m) }

const (
	lot      = "riverside"
	password = "test-password-9f3c"
	plate    = "浙A12345"
)

var (
	china   = time.FixedZone("CST", 8*3600)
	noon    = time.Date(2026, 5, 2, 12, 0, 0, 0, china)
	evening = time.Date(2026, 5, 2, 19, 30, 5, 0, china)
)

// keys are made once: making them is most of a short test's time.
var keys = sync.OnceValues(func() (both hangzhou.Keys, err error) {
	if both.Lot, err = hangzhou.MakeKey(); err == nil {
		both.City, err = hangzhou.MakeKey()
	}
	return both, err
})

// world is a city with one lot, and a client of it.
type world struct {
	twintest.Site
	twin   *hangzhou.Twin
	client *hangzhou.Client
	log    *log
}

func newWorld(t testing.TB) world {
	t.Helper()
	brain := newTwin(t, 7)
	site := twintest.Open(t, "hangzhou", lot, brain)
	return world{site, brain, newClient(t, site.URL, nil), &log{}}
}

func newTwin(t testing.TB, seed uint64) *hangzhou.Twin {
	t.Helper()
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	brain, err := hangzhou.NewTwin(hangzhou.TwinConfig{Name: lot, Password: password, Keys: both, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return brain
}

// config is of a client that the twin knows.
func config(t testing.TB, url string) hangzhou.Config {
	t.Helper()
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	city, err := hangzhou.PublicKey(both.City)
	if err != nil {
		t.Fatal(err)
	}
	return hangzhou.Config{BaseURL: url, AccessID: lot, PrivateKey: both.Lot, CityKey: city, Parking: lot, Location: china,
		Clock: func() time.Time { return evening }}
}

func newClient(t testing.TB, url string, change func(*hangzhou.Config)) *hangzhou.Client {
	t.Helper()
	cfg := config(t, url)
	if change != nil {
		change(&cfg)
	}
	c, err := hangzhou.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func asError(t testing.TB, err error) *wire.Error {
	t.Helper()
	e := twintest.ErrorOf(t, err)
	if strings.Contains(err.Error(), plate) || strings.Contains(err.Error(), "12345") {
		t.Errorf("the error shows the plate: %v", err)
	}
	return e
}

func refusedWith(t testing.TB, err error, code string) {
	t.Helper()
	if e := asError(t, err); e.Fate != wire.Refused || e.Reason != wire.ReasonRefused || e.Code != code || e.Connector != "hangzhou" {
		t.Errorf("want a refusal %s, got %v", code, e)
	}
}

func stay() hangzhou.Stay {
	return hangzhou.Stay{Plate: plate, Color: hangzhou.Blue, Entry: "1", Entered: noon}
}

func berths() hangzhou.Berths { return hangzhou.Berths{Total: 200, Open: 180, Free: 17} }

func arrival() hangzhou.Arrival {
	return hangzhou.Arrival{Stay: stay(), ID: "in-1", Parking: hangzhou.Casual, Berths: berths()}
}

func departure() hangzhou.Departure {
	return hangzhou.Departure{Stay: stay(), ID: "out-1", Exit: "2", Left: evening, Gate: "南门", Operator: "甲", Parking: hangzhou.Casual, Berths: berths()}
}

func charge() hangzhou.Charge {
	return hangzhou.Charge{Stay: stay(), BillID: "bill-1", BilledAt: evening, Left: evening, Due: 3000}
}

func payment() hangzhou.Payment {
	return hangzhou.Payment{Stay: stay(), BillID: "bill-1", Price: 3500, Due: 3000, Paid: 3000, BilledAt: evening, PaidAt: evening,
		Means: hangzhou.Alipay, Way: hangzhou.PayLater}
}

// log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ear is a running Subscribe.
type ear struct {
	t      testing.TB
	heard  chan hangzhou.Push // what the handler was given, in its order
	answer func(hangzhou.Push) error
	stop   context.CancelFunc
	done   chan error
}

func (w world) settings() hangzhou.Settings {
	return hangzhou.Settings{Broker: w.City.URL("hangzhou-mqtt", lot), Password: password, BackOff: 10 * time.Millisecond,
		MaxBackOff: 50 * time.Millisecond, Timeout: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(w.log, nil))}
}

// listen subscribes until the test's end, or until close.
func (w world) listen(t testing.TB, s hangzhou.Settings, answer func(hangzhou.Push) error) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e := &ear{t: t, heard: make(chan hangzhou.Push, 256), answer: answer, stop: cancel, done: make(chan error, 1)}
	go func() {
		e.done <- w.client.Subscribe(ctx, s, func(_ context.Context, p hangzhou.Push) error {
			e.heard <- p
			if e.answer == nil {
				return nil
			}
			return e.answer(p)
		})
	}()
	t.Cleanup(e.close)
	return e
}

func (e *ear) close() {
	e.stop()
	select {
	case err := <-e.done:
		if err != nil {
			e.t.Errorf("Subscribe = %v", err)
		}
		e.done <- nil // for whoever closes again
	case <-time.After(5 * time.Second):
		e.t.Fatal("Subscribe does not end with its context")
	}
}

// next returns the next push that the handler was given.
func (e *ear) next() hangzhou.Push {
	e.t.Helper()
	select {
	case p := <-e.heard:
		return p
	case <-time.After(10 * time.Second):
		e.t.Fatal("no push came")
		return hangzhou.Push{}
	}
}

// await waits until the twin's books are as wanted.
func (w world) await(t testing.TB, what string, want func(hangzhou.Books) bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for {
		b := w.twin.ReadBooks()
		if want(b) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: %+v\nlog:\n%s", what, b, w.log)
		}
	}
}

// allConfirmed reports whether each of n pushes was acknowledged.
func allConfirmed(n int) func(hangzhou.Books) bool {
	return func(b hangzhou.Books) bool {
		for _, p := range b.Pushes {
			if p.Confirmed == 0 {
				return false
			}
		}
		return len(b.Pushes) == n
	}
}
