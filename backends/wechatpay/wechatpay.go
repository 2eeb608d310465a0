// Package wechatpay speaks the parking service of WeChat Pay (API v3) for one merchant, and holds the sandbox twin of
// the provider (NewTwin).
//
// The client does one attempt for each call: caching, retries and breakers belong to gateway/call. Every failure is a
// *wire.Error that says whether nothing was sent, the provider definitely refused (RefusalOf says why), or the outcome is
// unknown. Requests are signed with the merchant's key (WECHATPAY2-SHA256-RSA2048). Answers and notifications are believed
// only with a signature of the provider's; its keys are fetched again in the background, and when an unknown one shows up.
//
// # What is asked, what is done, and how each effect is asked for
//
//	read               request
//	FindPlateService   GET  /v3/vehicle/parking/services/find
//	QueryTransaction   GET  /v3/vehicle/transactions/out-trade-no/{out_trade_no}
//	QueryRefund        GET  /v3/refund/domestic/refunds/{out_refund_no}
//	TradeBill          GET  /v3/bill/tradebill, then the file that it names
//
//	effect             request                               its key          has it happened?
//	CreateParking      POST /v3/vehicle/parking/parkings     out_parking_no   send the same again
//	CreateTransaction  POST /v3/vehicle/transactions/parking out_trade_no     QueryTransaction is not nil
//	CreateRefund       POST /v3/refund/domestic/refunds      out_refund_no    QueryRefund is not nil
//
// Every effect is idempotent by its key as long as the same parameters are sent. After an unknown outcome the same
// parameters are sent again, and before giving up the query is asked; a charge is never repeated under another key. A
// transaction that was created is only ACCEPTED: whether it was paid comes by notification (Client.Notification) or query.
//
// # What the interface does not allow
//
// The provider wants plate and payer in the query of FindPlateService; nothing here logs an address. There is no query
// of an entry. docs/interfaces.md says what could not be verified without an account of the provider's.
package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// connector is the first word of every error's text.
const connector = "wechatpay"

// The bounds of what is sent and of Config: characters where text may be Chinese, bytes elsewhere.
const (
	MaxOutTradeNo   = 32      // of letters, digits, dashes and underscores
	MaxOutRefundNo  = 64      // likewise
	MaxOutParkingNo = 32      // likewise
	MaxDescription  = 128     // characters
	MaxAttach       = 128     // characters
	MaxParkingName  = 32      // characters
	MaxTotal        = 1 << 53 // fen, exclusive: what every JSON reader takes for an integer

	maxID       = 32
	maxPlate    = 32
	maxDevice   = 32
	maxOpenID   = 128
	maxReason   = 80
	maxURL      = 256
	maxDuration = 1_000_000_000 // seconds
)

// The defaults of Config.
const (
	defaultLeeway     = 5 * time.Minute
	defaultRenewEvery = 6 * time.Hour
	defaultKeyTimeout = 5 * time.Second
	defaultMaxBody    = 64 << 10
	defaultMaxBill    = 64 << 20
)

// Config says which merchant a Client speaks for. It is validated by New.
type Config struct {
	BaseURL      string // "https://host[:port][/prefix]", no query; the only place an address comes from. A prefix is not signed
	MchID        string // the merchant's number, 1 to 32 digits
	AppID        string // the public account that the merchant is bound to, 1 to 32 visible ASCII characters
	SubMchID     string // the sub-merchant's number, where MchID is a service provider's; "": none
	SubAppID     string // the sub-merchant's account; "": none
	SerialNo     string // of the merchant's certificate: 1 to 64 hexadecimal digits
	PrivateKey   string // of the merchant's certificate: PEM, PKCS #8 or PKCS #1, RSA of 2048 bits or more
	APIv3Key     string // 32 bytes
	PlatformKeys string // PEM: certificates of the provider's, or its public key (PlatformKeyID); "": they are fetched
	// PlatformKeyID is the identifier of a public key in PlatformKeys: "PUB_KEY_ID_…". It is asked for in every request;
	// "": PlatformKeys holds certificates.
	PlatformKeyID string
	NotifyURL     string // where the provider sends notifications: https without a query, or http on the loopback; at most 256 bytes

	// Unread says that the secrets are not at hand: New checks the rest, and the client sends nothing.
	Unread bool
	// UnsignedRefusals takes a 4xx without any signature for a refusal; false: its outcome is unknown.
	UnsignedRefusals bool

	Leeway     time.Duration     // between the provider's clock and ours, 1 s to 10 min; 0: 5 min. Older answers and notifications are refused
	RenewEvery time.Duration     // the provider's certificates are fetched anew after this, 1 s to 12 h; 0: 6 h
	KeyTimeout time.Duration     // for one fetch of them, whoever waits; 0: 5 s
	MaxConns   int               // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody    int               // bytes of an answer, 1 KiB to 256 MiB; 0: 64 KiB
	MaxBill    int               // bytes of a day's bill, 1 KiB to 256 MiB; 0: 64 MiB
	Idle       time.Duration     // an unused connection is closed after this; 0: 4 s
	RootCAs    *x509.CertPool    // for https; nil: the system's
	Sockets    *sockets.Share    // as in wire.Config
	Clock      func() time.Time  // nil: time.Now
	Signing    func(sign func()) // does what signs a request, which keeps a processor busy for a millisecond; nil: at once
}

// Client speaks for one merchant. It is safe for concurrent use.
type Client struct {
	cfg      Config
	key      *rsa.PrivateKey // nil: unread
	calls    *wire.Client
	office   *wire.Client // for the provider's keys: its own connections
	bills    *wire.Client // its own connections and bound
	platform *platform
	seen     *memory // signatures of answers
}

// New validates the configuration and returns a client; it does not connect. The error names the field at fault and shows
// no secret; of what stands in a venue's file it is a *gateway.FieldError at its name there: url, secrets.private_key,
// secrets.api_v3_key, secrets.platform_keys, options.mchid, options.appid, options.sub_mchid, options.sub_appid,
// options.serial_no, options.platform_key_id, options.notify_url. Close the client at the end.
func New(cfg Config) (*Client, error) {
	cfg.defaults()
	if err := errors.Join(cfg.check()...); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, seen: newMemory(2 * cfg.Leeway)}
	known := map[string]*platformKey{}
	if !cfg.Unread {
		var keyErr, platformErr, apiErr error
		c.key, keyErr = parsePrivateKey(cfg.PrivateKey)
		known, platformErr = parsePlatformKeys(cfg.PlatformKeys, cfg.PlatformKeyID)
		if len(cfg.APIv3Key) != apiKeySize {
			apiErr = wrong("secrets.api_v3_key", "must be %d bytes, has %d", apiKeySize, len(cfg.APIv3Key))
		}
		if err := errors.Join(keyErr, apiErr, platformErr); err != nil {
			return nil, err
		}
	}
	if err := c.connect(); err != nil {
		return nil, err
	}
	c.platform = newPlatform(cfg, known, c.certificates)
	return c, nil
}

// connect makes the connections; nothing is sent.
func (c *Client) connect() (err error) {
	to := wire.Config{Connector: connector, BaseURL: c.cfg.BaseURL, MaxConns: c.cfg.MaxConns, MaxBody: c.cfg.MaxBody,
		Idle: c.cfg.Idle, RootCAs: c.cfg.RootCAs, Sockets: c.cfg.Sockets}
	if c.cfg.PlatformKeyID != "" {
		to.Header = []wire.Header{{Name: headerSerial, Value: c.cfg.PlatformKeyID}}
	}
	if c.calls, err = wire.New(to); err != nil {
		return err
	}
	to.MaxConns = 2
	if c.office, err = wire.New(to); err != nil {
		return err
	}
	if to.MaxBody, err = wire.Within(connector, "max_bill", c.cfg.MaxBill, defaultMaxBill, wire.MinBody, wire.MaxBody); err != nil {
		return err
	}
	c.bills, err = wire.New(to)
	return err
}

// MchID returns the merchant's number.
func (c *Client) MchID() string { return c.cfg.MchID }

// Close ends the renewal of the provider's keys and closes the idle connections. Calls in flight end at their deadlines.
func (c *Client) Close() {
	c.platform.close()
	c.calls.Close()
	c.office.Close()
	c.bills.Close()
}

func (cfg *Config) defaults() {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&cfg.Leeway, defaultLeeway}, {&cfg.RenewEvery, defaultRenewEvery}, {&cfg.KeyTimeout, defaultKeyTimeout}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Signing == nil {
		cfg.Signing = func(work func()) { work() }
	}
}

func (cfg *Config) check() []error {
	var all []error
	refuse := func(bad bool, path, format string, args ...any) {
		if bad {
			all = append(all, wrong(path, format, args...))
		}
	}
	refuse(!isDigits(cfg.MchID, maxID), "options.mchid", "must be 1 to %d digits, has %d bytes", maxID, len(cfg.MchID))
	refuse(cfg.SubMchID != "" && !isDigits(cfg.SubMchID, maxID), "options.sub_mchid", "must be 1 to %d digits, has %d bytes", maxID, len(cfg.SubMchID))
	refuse(!wire.IsVisible(cfg.AppID, maxID), "options.appid", "must be 1 to %d visible ASCII characters, has %d bytes", maxID, len(cfg.AppID))
	refuse(cfg.SubAppID != "" && !wire.IsVisible(cfg.SubAppID, maxID), "options.sub_appid", "must be 1 to %d visible ASCII characters, has %d bytes", maxID, len(cfg.SubAppID))
	refuse(!isHex(cfg.SerialNo), "options.serial_no", "must be 1 to %d hexadecimal digits, has %d bytes", maxSerial, len(cfg.SerialNo))
	refuse(cfg.PlatformKeyID != "" && !isKeyID(cfg.PlatformKeyID), "options.platform_key_id", "must be PUB_KEY_ID_ and digits, has %d bytes", len(cfg.PlatformKeyID))
	refuse(!isNotifyURL(cfg.NotifyURL), "options.notify_url", "must be https://…, or http:// on the loopback, without user, query and fragment, and at most %d bytes", maxURL)
	for _, d := range []struct {
		name     string
		is       time.Duration
		from, to time.Duration
	}{{"leeway", cfg.Leeway, time.Second, 10 * time.Minute}, {"renew_every", cfg.RenewEvery, time.Second, 12 * time.Hour},
		{"key_timeout", cfg.KeyTimeout, time.Millisecond, time.Minute}} {
		if d.is < d.from || d.is > d.to {
			all = append(all, fmt.Errorf("cannot use %s %s: want %s to %s, got %s", connector, d.name, d.from, d.to, d.is))
		}
	}
	return all
}

func wrong(path, format string, args ...any) error {
	return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// isNotifyURL reports whether the provider can send notifications to s. It takes https alone; a twin on the same machine
// takes http too.
func isNotifyURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURL || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
