// Package hangzhou speaks the lot interface of Hangzhou's City Brain (v2): a narrow client for one parking lot, and the
// sandbox twin of the city's back end that speaks the same protocol (NewTwin).
//
// The lot tells the city of arrivals, departures, payments and free places, and asks it to collect a bill; the city says
// which car may leave first and pay later, up to which amount, while it is still inside, and how a collection went. The
// first goes over HTTP, one attempt for each call: retries, breakers and the outbox belong above. Every failure is a
// *wire.Error that says whether nothing was sent, the city definitely refused, or the outcome is unknown. The second comes
// over MQTT (see Subscribe) and is acknowledged over HTTP.
//
// No official specification is public. Names and envelope are those that two public clients use; docs/interfaces.md says
// what could not be verified.
//
// # The envelope
//
// A request is a form of three fields: accessID, cipher and sign. cipher is base64 of {"data": {…}}, cut into pieces of
// eleven bytes less than the key's modulus (117 of 128 for the usual 1024 bits), each "encrypted" with the sender's
// private key under PKCS#1 v1.5, block type 1. sign is base64 of an MD5withRSA signature over the text of cipher. A push
// is JSON with requestId, cipher and sign, made with the city's key.
//
// These are the city's choices, and they are weak by today's standard. A private key hides nothing: whoever has the public
// half reads every plate. MD5 is broken, 1024 bits are too few. And a push's requestId and topic are not signed, so whoever
// can write to the broker can repeat an old push under a new number. What the client does about it: TLS for both
// addresses wherever the city offers it, every push verified and opened whole before it is believed, only pushes of this
// lot taken. What a caller must do: judge a push by what it says, not by its number alone.
package hangzhou

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/sockets"
)

const connector = "hangzhou"

// The bounds of the interface. MaxFen is the city's own, as far as public clients say.
const (
	MaxFen  = 1_000_000_000 // of an amount, in fen
	MaxText = 32            // bytes of a plate, of a booth's or an operator's name
	MaxID   = 64            // characters of a bill's, an event's, a request's number
	MaxCode = 32            // characters of a lot's or a gate's number
)

// Config says which city a Client speaks to, and for which lot. It is validated by New.
type Config struct {
	BaseURL    string            // "https://host[:port][/prefix]", no query; the only place an address comes from
	AccessID   string            // who asks, as the city has registered it: 1 to 64 letters, digits, dashes, dots, underscores
	PrivateKey string            // ours, RSA, PEM or its bare base64 (PKCS#8 or PKCS#1), 1024 to 4096 bits
	CityKey    string            // the city's public key, RSA, PEM or its bare base64 (PKIX); pushes are verified with it
	Parking    string            // the lot's number at the city, 1 to MaxCode letters, digits, dashes and underscores
	Location   *time.Location    // local times are in it; nil is refused
	MaxConns   int               // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody    int               // bytes of an answer, 1 KiB to 256 MiB; 0: 1 MiB
	Idle       time.Duration     // an unused connection is closed after this; 0: 4 s
	RootCAs    *x509.CertPool    // for https and mqtts; nil: the system's
	Sockets    *sockets.Share    // as in wire.Config
	Clock      func() time.Time  // of uploadTime; nil: time.Now
	Unread     bool              // the secrets are not at hand: New checks the rest, and the client sends nothing
	Signing    func(seal func()) // does what seals a request, which keeps a processor busy for some milliseconds; nil: at once
}

// Client speaks for one lot. It is safe for concurrent use.
type Client struct {
	wire     *wire.Client
	accessID string
	parking  string
	key      *rsa.PrivateKey
	city     *rsa.PublicKey
	zone     *time.Location
	clock    func() time.Time
	roots    *x509.CertPool
	signing  func(seal func())
}

// New validates the configuration and returns a client; it does not connect. The error names every field at fault and shows
// none of the keys; of what stands in a venue's file it is a *gateway.FieldError at its name there: url,
// secrets.private_key, secrets.city_key, options.access_id, options.parking.
func New(cfg Config) (*Client, error) {
	var key *rsa.PrivateKey
	var city *rsa.PublicKey
	var keyErr, cityErr, accessErr, parkingErr, zoneErr error
	if !cfg.Unread {
		key, keyErr = readPrivateKey(cfg.PrivateKey)
		city, cityErr = readPublicKey(cfg.CityKey)
	}
	if !isID(cfg.AccessID, MaxID) {
		accessErr = wrong("options.access_id", "must be 1 to %d letters, digits, dashes, dots and underscores, has %d bytes", MaxID, len(cfg.AccessID))
	}
	if !isCode(cfg.Parking) {
		parkingErr = wrong("options.parking", "must be 1 to %d letters, digits, dashes and underscores, has %d bytes", MaxCode, len(cfg.Parking))
	}
	if cfg.Location == nil {
		zoneErr = errors.New("cannot use hangzhou location: it is missing")
	}
	if err := errors.Join(keyErr, cityErr, accessErr, parkingErr, zoneErr); err != nil {
		return nil, err
	}
	c, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.BaseURL, MaxConns: cfg.MaxConns, MaxBody: cfg.MaxBody,
		Idle: cfg.Idle, RootCAs: cfg.RootCAs, Sockets: cfg.Sockets})
	if err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Signing == nil {
		cfg.Signing = func(work func()) { work() }
	}
	return &Client{wire: c, accessID: cfg.AccessID, parking: cfg.Parking, key: key, city: city, zone: cfg.Location,
		clock: cfg.Clock, roots: cfg.RootCAs, signing: cfg.Signing}, nil
}

func wrong(path, format string, args ...any) error {
	return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Close closes the idle connections. Calls in flight end by themselves at their deadlines; a Subscribe ends with its context.
func (c *Client) Close() { c.wire.Close() }

// UID returns the city's number of a stay: the lot's number, the entry's, and the local time of entry to the second. It is
// the same for whoever knows the stay, so it is the stable key of all that the city is told of it. Two cars that the
// same entry lets in within one second would share it: the city can't tell them apart, and an entry is one lane.
func (c *Client) UID(entry string, entered time.Time) string {
	return uidOf(c.parking, entry, entered.In(c.zone))
}

func uidOf(parking, entry string, entered time.Time) string {
	return parking + entry + entered.Format("20060102150405")
}
