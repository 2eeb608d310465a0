package pms

import (
	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/gateway/flow"
)

// ApaleoOptions are the connector's own settings in a venue's file.
type ApaleoOptions struct {
	Property    string   `yaml:"property"`     // the hotel's id in its account
	ClientID    string   `yaml:"client_id"`    // of OAuth
	IdentityURL string   `yaml:"identity_url"` // of its token server; "": as the system itself
	Inspected   bool     `yaml:"inspected"`    // only rooms that were inspected are given
	Accessible  []string `yaml:"accessible"`   // codes of unit groups for a wheelchair
	Breakfast   []string `yaml:"breakfast"`    // codes of rate plans with breakfast
}

// Apaleo is a hotel that is run by Apaleo.
type Apaleo struct {
	*apaleo.Client
	Options ApaleoOptions
}

// OpenApaleo returns the hotel at the other end of a connection, the same for all journeys. end is to be called once.
func OpenApaleo(to flow.Connection) (hotel *Apaleo, end func(), err error) {
	return flow.Share(to, func() (*Apaleo, error) {
		opts := ApaleoOptions{ClientID: "warmgate"}
		if err := to.Options(&opts); err != nil {
			return nil, err
		}
		client, err := apaleo.New(apaleo.Config{BaseURL: to.URL, IdentityURL: opts.IdentityURL, ClientID: opts.ClientID,
			ClientSecret: to.Secrets["client_secret"], Property: opts.Property, MaxConns: to.Instance.MaxInFlight(), Sockets: to.Sockets,
			AccessibleGroups: opts.Accessible, BreakfastRatePlans: opts.Breakfast})
		if err != nil {
			return nil, err
		}
		return &Apaleo{client, opts}, nil
	}, func(h *Apaleo) { h.Close() })
}
