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
		sub.rest(ctx, sub.session(ctx))
	}
	return nil
}

// rest waits before the next session, after one that has ended with err.
func (s *subscriber) rest(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, errAgain) { // that was waited for already
		return
	}
	wait := s.back.next()
	s.log.Warn("the city's broker is lost", "connector", connector, "error", err, "again_in", wait)
	pause(ctx, wait)
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
	l := &listening{subscriber: s, conn: conn, heard: time.Now()}
	l.subscribeBy = l.heard.Add(s.timeout)
	for {
		if err := l.step(ctx); err != nil {
			return err
		}
	}
}

// listening is a session that has begun.
type listening struct {
	*subscriber
	conn        *mqttConn
	subscribed  bool      // the broker has consented
	subscribeBy time.Time // it has to by then
	heard       time.Time // its last sign of life
	asked       bool      // for another one
	again       time.Time // when an unhandled push has to come again; zero: there is none
}

// until returns when something has to be done that no packet asks for.
func (l *listening) until() time.Time {
	t := l.heard.Add(l.keepAlive / 2)
	switch {
	case !l.subscribed:
		t = l.subscribeBy
	case l.asked:
		t = t.Add(l.timeout)
	}
	if !l.again.IsZero() && l.again.Before(t) {
		return l.again
	}
	return t
}

// step waits for one packet and does with it what is due; an error ends the session.
func (l *listening) step(ctx context.Context) error {
	came, err := l.conn.wait(l.until())
	switch {
	case err != nil:
		return err
	case !l.again.IsZero() && !time.Now().Before(l.again):
		return errAgain
	case !came && (!l.subscribed || l.asked):
		return errSilent
	case !came:
		l.asked = true
		return l.conn.ping()
	}
	before := l.subscribed
	m, err := l.conn.next(l.limit, &l.subscribed)
	if err != nil {
		return err
	}
	l.heard, l.asked = time.Now(), false
	if l.subscribed && !before {
		l.log.Info("the city's broker is there", "connector", connector)
	}
	switch {
	case m == nil:
		return nil
	case !l.take(ctx, m):
		if l.again.IsZero() {
			l.again = time.Now().Add(l.back.next())
		}
		return nil
	case l.again.IsZero():
		l.back.reset()
	}
	return l.conn.ack(m)
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
