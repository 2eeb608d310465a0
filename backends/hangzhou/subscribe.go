package hangzhou

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// The bounds of Settings, and what it is where it says nothing.
const (
	minMessage        = 1 << 10
	maxMessage        = 1 << 20
	defaultMessage    = 16 << 10
	defaultKeepAlive  = 60 * time.Second
	minKeepAlive      = time.Second
	maxKeepAlive      = 10 * time.Minute
	defaultTimeout    = 10 * time.Second
	defaultBackOff    = 500 * time.Millisecond
	defaultMaxBackOff = 30 * time.Second
	maxTimeout        = time.Minute
	remembered        = 4096 // pushes that are known to be handled, the latest
)

// Settings says where pushes come from and how they are waited for. It is validated by Subscribe.
type Settings struct {
	Broker     string        // "mqtt://host[:1883]" or "mqtts://host[:8883]"
	Password   string        // the access id's, at the broker; 1 to 4096 visible ASCII characters
	ClientID   string        // one subscriber at a time has it, the broker keeps its messages; "": the access id
	MaxMessage int           // bytes of a message, 1 KiB to 1 MiB; 0: 16 KiB
	KeepAlive  time.Duration // the broker is asked for a sign of life after half of it, 1 s to 10 min; 0: 1 min
	Timeout    time.Duration // for a connection, a packet, the handler, an acknowledgement: each, up to 1 min; 0: 10 s
	BackOff    time.Duration // before the second attempt; doubled from then on, up to MaxBackOff. 0: 500 ms
	MaxBackOff time.Duration // 0: 30 s
	Logger     *slog.Logger  // what was refused and why, when the broker is lost and back, never a message; nil: silent
}

// Subscribe takes the city's pushes to the lot until ctx ends, and then returns nil; an error says what of the settings
// does not hold (*gateway.FieldError at options.broker, secrets.password, options.client_id where they stand in a venue's
// file). It works in the caller's goroutine and leaves none behind; one call at a time for a client id.
//
// handle gets one push after the other, within Settings.Timeout. A push is acknowledged, to the city and to the broker, only
// after handle has returned nil, so what it says must be durable by then. After an error the push comes again, with the
// broker's next connection, under back-off, while others are handled; after a crash as well. A push whose requestId and content were handled
// before, by this call, is acknowledged and not handled again. handle must bear a push that comes twice, late, or after one that it
// supersedes.
//
// What is forged, garbage, over the bound, or another lot's is logged, dropped and not acknowledged to the city.
func (c *Client) Subscribe(ctx context.Context, s Settings, handle func(ctx context.Context, p Push) error) error {
	sub, err := c.subscriber(s, handle)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := sub.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errAgain) { // it was waited for already
			continue
		}
		wait := sub.back.next()
		sub.log.Warn("the city's broker is lost", "connector", connector, "error", err, "again_in", wait)
		pause(ctx, wait)
	}
	return nil
}

// subscriber is one Subscribe.
type subscriber struct {
	client    *Client
	addr      string
	tls       *tls.Config // nil: in the clear
	username  string
	password  string
	clientID  string
	limit     int
	keepAlive time.Duration
	timeout   time.Duration
	back      backOff
	log       *slog.Logger
	handle    func(ctx context.Context, p Push) error
	known     memory
}

// subscriber validates the settings.
func (c *Client) subscriber(s Settings, handle func(ctx context.Context, p Push) error) (*subscriber, error) {
	u, err := url.Parse(s.Broker)
	out := &subscriber{client: c, username: c.accessID, password: s.Password, clientID: cmp.Or(s.ClientID, c.accessID),
		limit: cmp.Or(s.MaxMessage, defaultMessage), keepAlive: cmp.Or(s.KeepAlive, defaultKeepAlive), timeout: cmp.Or(s.Timeout, defaultTimeout),
		back: backOff{first: cmp.Or(s.BackOff, defaultBackOff), most: cmp.Or(s.MaxBackOff, defaultMaxBackOff)},
		log:  cmp.Or(s.Logger, slog.New(slog.DiscardHandler)), handle: handle, known: newMemory(remembered)}
	switch {
	case err != nil, u.Hostname() == "", u.Scheme != "mqtt" && u.Scheme != "mqtts":
		return nil, wrong("options.broker", "is no broker that %s can use: want mqtt(s)://host[:port]", connector)
	case u.User != nil, u.RawQuery != "", u.Fragment != "", u.Path != "" && u.Path != "/":
		return nil, wrong("options.broker", "is no broker that %s can use: no user, path, query or fragment is allowed in it", connector)
	case c.city == nil:
		return nil, errUnread
	case !wire.IsVisible(s.Password, 4096):
		return nil, wrong("secrets.password", "must be a password of 1 to 4096 visible ASCII characters, has %d bytes", len(s.Password))
	case !isID(out.clientID, MaxID):
		return nil, wrong("options.client_id", "must be 1 to %d letters, digits, dashes, dots and underscores, has %d bytes", MaxID, len(out.clientID))
	case out.limit < minMessage || out.limit > maxMessage:
		return nil, wrong("options.max_message", "must be %d to %d bytes, got %d", minMessage, maxMessage, out.limit)
	case out.keepAlive < minKeepAlive || out.keepAlive > maxKeepAlive:
		return nil, wrong("options.keep_alive", "must be %s to %s, got %s", minKeepAlive, maxKeepAlive, out.keepAlive)
	case out.timeout < 0 || out.timeout > maxTimeout:
		return nil, wrong("options.timeout", "must be up to %s, got %s", maxTimeout, out.timeout)
	case out.back.first < 0 || out.back.most < out.back.first:
		return nil, wrong("options.back_off", "must be positive and not above max_back_off, got %s and %s", out.back.first, out.back.most)
	}
	port := "1883"
	if u.Scheme == "mqtts" {
		port = "8883"
		out.tls = &tls.Config{ServerName: u.Hostname(), RootCAs: c.roots, MinVersion: tls.VersionTLS12}
	}
	out.addr = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	return out, nil
}

// errAgain: a push was not handled, and its time to come again has come.
var errAgain = errors.New("a push has to come again")

var errSilent = errors.New("the broker gives no sign of life")

// session is one connection, from its beginning to its end.
func (s *subscriber) session(ctx context.Context) error {
	conn, err := s.dialMQTT(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // what waits for a packet ends
	defer stop()
	var again time.Time // when an unhandled push has to come again; zero: there is none
	subscribed, known := false, false
	heard, asked := time.Now(), false
	subscribeBy := heard.Add(s.timeout)
	for {
		until := heard.Add(s.keepAlive / 2)
		switch {
		case !subscribed:
			until = subscribeBy
		case asked:
			until = heard.Add(s.keepAlive/2 + s.timeout)
		}
		if !again.IsZero() && again.Before(until) {
			until = again
		}
		came, err := conn.wait(until)
		switch now := time.Now(); {
		case err != nil:
			return err
		case !again.IsZero() && !now.Before(again):
			return errAgain
		case !came && !subscribed, !came && asked:
			return errSilent
		case !came:
			if err := conn.ping(); err != nil {
				return err
			}
			asked = true
			continue
		}
		m, err := conn.next(s.limit, &subscribed)
		if err != nil {
			return err
		}
		heard, asked = time.Now(), false
		if subscribed && !known {
			known = true
			s.log.Info("the city's broker is there", "connector", connector)
		}
		if m == nil {
			continue
		}
		if !s.take(ctx, m) {
			if again.IsZero() {
				again = time.Now().Add(s.back.next())
			}
			continue
		}
		if again.IsZero() {
			s.back.reset()
		}
		if err := conn.ack(m); err != nil {
			return err
		}
	}
}

// take does with a message what Subscribe says, and reports whether the broker need not bring it again.
func (s *subscriber) take(ctx context.Context, m *message) bool {
	var d *delivery
	var cipher string
	err := errTooLarge
	if !m.tooLarge {
		d, cipher, err = s.client.readPush(m.topic, m.payload)
	}
	if err != nil {
		if !errors.Is(err, errForeign) { // the operator's other lot: no news
			s.log.Warn("a push is dropped", "connector", connector, "why", err)
		}
		return true
	}
	seen := sha256.Sum256([]byte(d.RequestID + "\x00" + d.confirm + "\x00" + cipher))
	if !s.known.has(seen) {
		if err := s.call(ctx, d.Push); err != nil {
			s.log.Warn("a push is not handled; it comes again", "connector", connector) // err is the caller's to log
			return false
		}
		s.known.add(seen)
	}
	return d.confirm == "" || s.confirm(ctx, d)
}

func (s *subscriber) call(ctx context.Context, p Push) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.handle(ctx, p)
}

// confirm acknowledges a push to the city. What the city refuses is not offered again: the push is kept here anyhow.
func (s *subscriber) confirm(ctx context.Context, d *delivery) bool {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	op := s.client.ConfirmDeparture
	if d.confirm == pathConfirmResult {
		op = s.client.ConfirmPayResult
	}
	err := op(ctx, d.RequestID, d.params)
	if err == nil {
		return true
	}
	s.log.Warn("a push is not acknowledged", "connector", connector, "error", err)
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Fate == wire.Refused
}

// backOff is how long to wait, more each time, with jitter.
type backOff struct{ first, most, last time.Duration }

func (b *backOff) reset() { b.last = 0 }

func (b *backOff) next() time.Duration {
	b.last = max(b.first, min(2*b.last, b.most))
	return b.last/2 + rand.N(b.last/2+1)
}

// memory knows the latest prints of a number that was fixed.
type memory struct {
	prints map[[sha256.Size]byte]struct{}
	order  [][sha256.Size]byte
	next   int
}

func newMemory(size int) memory {
	return memory{prints: make(map[[sha256.Size]byte]struct{}), order: make([][sha256.Size]byte, 0, size)}
}

func (m *memory) has(p [sha256.Size]byte) bool {
	_, ok := m.prints[p]
	return ok
}

func (m *memory) add(p [sha256.Size]byte) {
	m.prints[p] = struct{}{}
	if len(m.order) < cap(m.order) {
		m.order = append(m.order, p)
		return
	}
	delete(m.prints, m.order[m.next])
	m.order[m.next] = p
	m.next = (m.next + 1) % len(m.order)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
