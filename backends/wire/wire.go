// Package wire is the HTTP that every connector in backends speaks: one attempt at one system, bounded in time and size,
// whose failure says what may have been done.
//
// It knows no system. A connector names itself in Config, makes a Request of each call, and judges the Answer: what a
// status and a body mean is its own. Caching, retries, hedges and breakers belong to gateway/call. Every failure is an
// *Error that says whether nothing was sent, the system definitely refused, or the outcome is unknown, because a caller
// may repeat the first, must believe the second and must look up the third. What is left of the deadline goes along in
// milliseconds (X-Request-Timeout-Ms), and so does the trace of call.WithTrace.
package wire

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// The bounds of what a connector may set, and the defaults that it gets.
const (
	MinBody = 1 << 10   // bytes: the least bound of an answer's body
	MaxBody = 256 << 20 // bytes: the greatest

	defaultMaxBody  = 1 << 20
	defaultMaxConns = 64
	maxConns        = 10_000
	defaultIdle     = 4 * time.Second
	maxAnswerHead   = 8 << 10
)

// Config says which system a Client speaks to. It is validated by New.
type Config struct {
	Connector string         // what speaks: "octo"; the first word of every error's text
	BaseURL   string         // "https://host[:port][/prefix]", no query; the only place an address comes from
	MaxConns  int            // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody   int            // bytes of an answer, MinBody to MaxBody; 0: 1 MiB
	Idle      time.Duration  // an unused connection is closed after this; 0: 4 s, below what servers usually allow
	RootCAs   *x509.CertPool // for https; nil: the system's
	Header    []Header       // sent with every request: credentials that do not change, versions, capabilities
	Sockets   *sockets.Share // of all systems, of which this client's connections are a part; nil: they are bounded by MaxConns alone
}

// Client speaks to one system over connections of its own. It is safe for concurrent use. Whoever waits
// for a call is free when its context is cancelled; see Do and Stream for its connection.
type Client struct {
	connector string
	base      string
	prefix    string // of every path
	authority string // of base
	header    []Header
	to        *target
	host      *fasthttp.HostClient // of the connections that are kept
	streams   atomic.Int32         // open
	share     *sockets.Share       // of the connections of all systems
	readers   sync.Pool            // of *jsonread.Reader
	messages  sync.Pool            // of *[]byte
}

// New validates the configuration and returns a client; it does not connect. The error names the connector and the field
// at fault (base_url, max_conns, max_body, idle, header), and shows no address. That of BaseURL is a *gateway.FieldError at
// url, its name in a venue's file.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.BaseURL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, wrongURL("is no base_url that %s can use: want http(s)://host[:port][/prefix]", cfg.Connector)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, wrongURL("is no base_url that %s can use: no user, query or fragment is allowed in it", cfg.Connector)
	case cfg.Idle < 0:
		return nil, fmt.Errorf("cannot use %s idle: want 0 or more, got %s", cfg.Connector, cfg.Idle)
	case !areSendable(cfg.Header):
		return nil, fmt.Errorf("cannot use %s header: want names and values of visible ASCII characters", cfg.Connector)
	}
	if cfg.MaxConns, err = Within(cfg.Connector, "max_conns", cfg.MaxConns, defaultMaxConns, 1, maxConns); err != nil {
		return nil, err
	}
	if cfg.MaxBody, err = Within(cfg.Connector, "max_body", cfg.MaxBody, defaultMaxBody, MinBody, MaxBody); err != nil {
		return nil, err
	}
	to := newTarget(u, cfg)
	c := &Client{
		connector: cfg.Connector,
		base:      strings.TrimRight(cfg.BaseURL, "/"),
		prefix:    strings.TrimRight(u.EscapedPath(), "/"),
		authority: strings.ToLower(u.Host),
		header:    fields(cfg.Header),
		to:        to,
		host:      to.host(to.dial),
	}
	c.share = cfg.Sockets.Part(cfg.MaxConns, c.host.CloseIdleConnections)
	to.share = c.share
	return c, nil
}

// Lane returns a share of the connections for one of many that are reached over them, such as a hotel of a chain: its calls,
// which name it in Request.Lane, leave the others theirs even if none of them comes back.
func (c *Client) Lane() *sockets.Share { return c.share.Part(c.to.maxConns, nil) }

func wrongURL(format, connector string) error {
	return &gateway.FieldError{Path: "url", Message: fmt.Sprintf(format, connector)}
}

// Close closes the idle connections. Calls in flight end by themselves at their deadlines.
func (c *Client) Close() { c.host.CloseIdleConnections() }

// newTarget reads where to connect to out of a valid configuration.
func newTarget(u *url.URL, cfg Config) *target {
	to := &target{addr: u.Host, maxConns: cfg.MaxConns, maxBody: cfg.MaxBody, idle: cmp.Or(cfg.Idle, defaultIdle)}
	isTLS := u.Scheme == "https"
	if u.Port() == "" {
		to.addr = fasthttp.AddMissingPort(u.Host, isTLS)
	}
	if isTLS {
		to.tls = &tls.Config{ServerName: u.Hostname(), RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(16)}
	}
	return to
}

// host returns connections of their own, made by dial.
func (to *target) host(dial fasthttp.DialFuncWithTimeout) *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr:                      to.addr,
		Name:                      "warmgate",
		IsTLS:                     to.tls != nil,
		TLSConfig:                 to.tls,
		DialTimeout:               dial,
		MaxConns:                  to.maxConns,
		MaxIdleConnDuration:       to.idle,
		MaxIdemponentCallAttempts: 1,
		MaxResponseBodySize:       to.maxBody,
		ReadBufferSize:            maxAnswerHead,
		SecureErrorLogMessage:     true,
		DisablePathNormalizing:    true, // an escaped slash in an identifier stays one
	}
}

// Within returns v, or def where it is 0. The error says that connector's field must be lo to hi.
func Within(connector, field string, v, def, lo, hi int) (int, error) {
	if v == 0 {
		return def, nil
	}
	if v < lo || v > hi {
		return 0, fmt.Errorf("cannot use %s %s: want %d to %d, got %d", connector, field, lo, hi, v)
	}
	return v, nil
}

// IsVisible reports whether s has 1 to limit characters, all of them visible ASCII: what a credential or a name in a
// path or header may be.
func IsVisible(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
