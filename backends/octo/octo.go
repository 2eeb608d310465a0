// Package octo speaks OCTO, the open standard of attraction ticketing: a narrow client for a gate, and the sandbox twin
// of a ticketing supplier that speaks the same protocol (NewTwin).
//
// The client asks for availability, finds bookings, confirms and cancels them, and redeems tickets. It does one attempt
// for each call: caching, retries, hedges and breakers belong to gateway/call. Every failure is a *wire.Error
// that says whether nothing was sent, the backend definitely refused, or the outcome is unknown, because a gate may repeat the
// first, must report the second and must look up the third. What is left of the deadline goes along in milliseconds
// (X-Request-Timeout-Ms), and so does the trace of call.WithTrace.
//
// # The redemption capability
//
// octo/redemption is not in the core specification, so this is the shape that client and twin agree on, after the public
// documentation of suppliers who offer it:
//
//   - GET /redemption/lookup?reference=R answers an array of bookings, each with two more members: redemptionCode, which
//     redeems what is left of the booking, and redeemable. R is a supplier's or reseller's reference of a booking or of one
//     of its units, or the value of a delivery option (what a QR code holds). No match is an empty array.
//     R travels in the query because the protocol says so; nothing here logs an address.
//   - POST /redemption/redeem {"redemptionCode": C} answers the booking as it is afterwards. C is the booking's code or
//     the delivery value of one unit's ticket, which redeems that unit alone. A ticket that is already redeemed is
//     refused with UNPROCESSABLE_ENTITY, and utcRedeemedAt beside the message says when it happened.
//   - DELETE /redemption/redeem with the same body undoes it and answers the booking. Undoing what is not redeemed
//     changes nothing and succeeds.
//   - POST /redemption/validate {"redemptionCode": C} is an effect too: it redeems what is not yet redeemed and accepts
//     what is. Use it or redeem for a venue, never both.
//
// Redemption has no idempotency key. Whether a redemption of unknown outcome took place is asked with Redeemed, which
// reads the unit's utcRedeemedAt; confirm and cancel are idempotent by the booking's uuid.
package octo

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/sockets"
)

const (
	connector          = "octo"
	defaultMaxBody     = 1 << 20
	defaultMaxListBody = 32 << 20
	listConns          = 2
	maxReference       = 256
)

// capability is what the client asks for in Octo-Capabilities and expects back from the redemption calls.
const capability = "octo/redemption"

// Config says which supplier a Client speaks to. It is validated by New.
type Config struct {
	BaseURL     string         // "https://host[:port][/prefix]", no query; the only place an address comes from
	APIKey      string         // the bearer credential; visible ASCII
	Supplier    string         // the supplier's stable name: half of every canonical ticket (supplier, unit)
	MaxConns    int            // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody     int            // bytes of an answer, 1 KiB to 256 MiB; 0: 1 MiB
	MaxListBody int            // bytes of an answer of BookingsOn, 1 KiB to 256 MiB; 0: 32 MiB
	Idle        time.Duration  // an unused connection is closed after this; 0: 4 s, below what servers usually allow
	RootCAs     *x509.CertPool // for https; nil: the system's
	Sockets     *sockets.Share // as in wire.Config
}

// Client speaks to one supplier. It is safe for concurrent use. Whoever waits for a call is free when its context
// is cancelled; the call keeps its connection until its answer or its deadline, a list closes it.
type Client struct {
	supplier string
	calls    *wire.Client
	lists    *wire.Client // its own connections and body bound, so that a day's list cannot starve the gates
	most     int          // bytes of one booking in a list
}

// New validates the configuration and returns a client; it does not connect. The error names the field at fault; of what
// stands in a venue's file it is a *gateway.FieldError at its name there: url, secrets.api_key, options.supplier.
func New(cfg Config) (*Client, error) {
	var key, supplier error
	if !wire.IsVisible(cfg.APIKey, 4096) {
		key = wrong("secrets.api_key", "must be an api_key of 1 to 4096 visible ASCII characters, has %d bytes", len(cfg.APIKey))
	}
	if !wire.IsVisible(cfg.Supplier, 64) {
		supplier = wrong("options.supplier", "must be 1 to 64 visible ASCII characters, has %d bytes", len(cfg.Supplier))
	}
	most, bodyErr := wire.Within(connector, "max_body", cfg.MaxBody, defaultMaxBody, wire.MinBody, wire.MaxBody)
	list, err := wire.Within(connector, "max_list_body", cfg.MaxListBody, defaultMaxListBody, wire.MinBody, wire.MaxBody)
	if err := errors.Join(key, supplier, bodyErr, err); err != nil {
		return nil, err
	}
	to := wire.Config{Connector: connector, BaseURL: cfg.BaseURL, MaxConns: cfg.MaxConns, MaxBody: most, Idle: cfg.Idle,
		RootCAs: cfg.RootCAs, Sockets: cfg.Sockets, Header: []wire.Header{{Name: "Authorization", Value: "Bearer " + cfg.APIKey},
			{Name: "Octo-Capabilities", Value: capability}}}
	calls, err := wire.New(to)
	if err != nil {
		return nil, err
	}
	to.MaxConns, to.MaxBody = listConns, list
	lists, err := wire.New(to)
	if err != nil {
		return nil, err
	}
	return &Client{supplier: cfg.Supplier, calls: calls, lists: lists, most: most}, nil
}

func wrong(path, format string, size int) error {
	return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, size)}
}

// Supplier returns the supplier's stable name.
func (c *Client) Supplier() string { return c.supplier }

// Close closes the idle connections. Calls in flight end by themselves at their deadlines.
func (c *Client) Close() {
	c.calls.Close()
	c.lists.Close()
}
