// Package pms opens the systems that run hotels for every journey that uses them: one client for each connection, by one
// set of options, so that a hotel's system sees one caller however many journeys a guest takes.
package pms

import (
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/gateway/flow"
)

// OHIPOptions are the connector's own settings in a venue's file.
type OHIPOptions struct {
	HotelID    string            `yaml:"hotel_id"`   // the hotel's code in OPERA
	AppKey     string            `yaml:"app_key"`    // the application's key
	ClientID   string            `yaml:"client_id"`  // of OAuth
	Scope      string            `yaml:"scope"`      // "": the documented one
	Enterprise string            `yaml:"enterprise"` // where the scope belongs to one
	Inspected  bool              `yaml:"inspected"`  // only rooms that were inspected are given
	Codes      map[string]string `yaml:"codes"`      // error codes of this hotel, to the connector's words
	Accessible []string          `yaml:"accessible"` // codes of features of rooms for a wheelchair
	Breakfast  []string          `yaml:"breakfast"`  // codes of packages that are breakfast, beside the meal plans that say so
	Sales      OHIPSales         `yaml:"sales"`      // codes under which our reservations are written down
}

// OHIPSales are the codes under which a hotel writes our reservations down, each left out where it is empty.
type OHIPSales struct {
	ExternalSystem string `yaml:"external_system"` // whose references ours are; "": the usual one
	Guarantee      string `yaml:"guarantee"`
	Market         string `yaml:"market"`
	Source         string `yaml:"source"`
	Payment        string `yaml:"payment"`
	CancelReason   string `yaml:"cancel_reason"`
}

// OHIP is a hotel that is run by OPERA Cloud.
type OHIP struct {
	*ohip.Client
	Options OHIPOptions

	leave func() // the chain
}

// chainConns is how many connections hotels may have together that are one chain: the bulkhead of each bounds its own calls.
const chainConns = 1024

// OpenOHIP returns the hotel at the other end of a connection, the same for all journeys. Hotels with one address, one
// credential and the same words are a chain: they have one token and the connections in common, and fairly, so that ten
// thousand of them cost little more than one. end is to be called once.
func OpenOHIP(to flow.Connection) (hotel *OHIP, end func(), err error) {
	return flow.Share(to, func() (*OHIP, error) {
		opts := OHIPOptions{AppKey: ohip.SandboxAppKey, ClientID: ohip.SandboxClientID}
		if err := to.Options(&opts); err != nil {
			return nil, err
		}
		chain, leave, err := openChain(to, &opts)
		if err != nil {
			return nil, err
		}
		hotel, err := chain.At(opts.HotelID)
		if err != nil {
			leave()
			return nil, err
		}
		return &OHIP{hotel, opts, leave}, nil
	}, func(h *OHIP) { h.leave() })
}

// openChain returns the client of all hotels that differ in nothing but their codes.
func openChain(to flow.Connection, opts *OHIPOptions) (chain *ohip.Client, leave func(), err error) {
	alike := *opts
	alike.HotelID, alike.Inspected = "", false
	return flow.ShareAs(to, []any{to.URL, to.Secrets, alike}, func() (*ohip.Client, error) {
		codes := map[string]ohip.Refusal{}
		for code, word := range opts.Codes {
			codes[code] = ohip.Refusal(word)
		}
		return ohip.New(ohip.Config{GatewayURL: to.URL, HotelID: opts.HotelID, AppKey: opts.AppKey, ClientID: opts.ClientID,
			ClientSecret: to.Secrets["client_secret"], Scope: opts.Scope, EnterpriseID: opts.Enterprise, Username: to.Secrets["username"],
			Password: to.Secrets["password"], Codes: codes, MaxConns: chainConns, Sockets: to.Sockets,
			AccessibleFeatures: opts.Accessible, BreakfastPackages: opts.Breakfast, Sales: ohip.Sales(opts.Sales)})
	}, (*ohip.Client).Close)
}
