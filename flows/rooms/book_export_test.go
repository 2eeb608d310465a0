package rooms

import (
	"io/fs"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// bookSection is a hotel's section with the rule alone.
type bookSection struct {
	Cancel CancelRule `yaml:"cancel"`
}

func (s *bookSection) cancelRule() CancelRule { return s.Cancel }

// Validate reports every mistake in it.
func (s *bookSection) Validate() error {
	var wrong flow.Mistakes
	s.Cancel.check(&wrong)
	return wrong.Err()
}

// BookingAlone returns the half of the journey that books as a flow of its own.
func BookingAlone(near Near) (*flow.Flow, error) {
	o, err := newBooking(near)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	connect := func(_ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
		var opts struct {
			HotelID string `yaml:"hotel_id"`
		}
		if err := to.Options(&opts); err != nil {
			return nil, err
		}
		client, err := ohip.New(ohip.Config{GatewayURL: to.URL, HotelID: opts.HotelID, AppKey: ohip.SandboxAppKey, ClientID: ohip.SandboxClientID,
			ClientSecret: to.Secrets["client_secret"]})
		if err != nil {
			return nil, err
		}
		o.bindOHIP(client, to, b)
		return client.Close, nil
	}
	f := &flow.Flow{Name: "rooms", Document: bookDocument, Migrations: []ledger.Migrations{{Name: "rooms", FS: files}},
		Venues: &flow.VenueKind{Kind: kindHotel, Section: sectionRooms, Roles: map[string]map[string]flow.Connect{"pms": {"ohip": connect}},
			Settings: func(decode func(into any) error) (any, error) {
				return flow.ReadSettings(&bookSection{usualCancelRule()}, decode)
			}}}
	o.join(f)
	return f, nil
}
