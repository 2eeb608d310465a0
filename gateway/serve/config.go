// Package serve puts the rooms of the gateway together: it reads the configuration into a generation of proved plans and
// bound venues, opens the ledger, and runs the two listeners on the newest generation that holds.
package serve

import (
	"errors"
	"fmt"
	"net"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/config"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/outbox"
	"github.com/warmgate/warmgate/gateway/redis"
)

// Config is the gateway's file. Listen, Admin, Data, Sockets, Edge, Ledger, Outbox, Cache, Redis and the gate of Limit hold from start
// to end; the rest follows a reload.
type Config struct {
	Listen string `yaml:"listen"` // the API's address
	Admin  string `yaml:"admin"`  // the second listener's: loopback, or a closed network
	Data   string `yaml:"data"`   // folder of the ledger, its keys and its anchors
	Venues string `yaml:"venues"` // folder of the venues' files

	Sockets int `yaml:"sockets"` // connections to all outside systems together, 1 to 65,536; 0 is not one: the default is 4096

	Edge   edge.Config   `yaml:"edge"`
	Auth   auth.Config   `yaml:"auth"`
	Limit  limit.Config  `yaml:"limit"`
	Ledger LedgerConfig  `yaml:"ledger"`
	Outbox outbox.Config `yaml:"outbox"`
	Cache  cache.Config  `yaml:"cache"`
	Redis  RedisConfig   `yaml:"redis"`

	Instances call.InstanceConfig       `yaml:"instances"` // what holds for every instance that says nothing else
	Flows     map[string]journey.Timing `yaml:"flows"`     // by plan
}

// LedgerConfig is the section ledger.
type LedgerConfig struct {
	ledger.Config `yaml:",inline"`
	SQLite        sqlite.Config `yaml:"sqlite"`
}

// RedisConfig is the section redis.
type RedisConfig struct {
	redis.Config     `yaml:",inline"`
	Password         secret `yaml:"password"`          // neither env nor file: none is sent
	SentinelPassword secret `yaml:"sentinel_password"` // to the sentinels
}

// validate returns every mistake of the file, each at its place. Timings are held against their plans elsewhere.
func (c *Config) validate(f *config.File) error {
	var errs []error
	for path, address := range map[string]string{"listen": c.Listen, "admin": c.Admin} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			errs = append(errs, f.Place("", &gateway.FieldError{Path: path, Message: fmt.Sprintf("%q is not an address such as 127.0.0.1:8080", address)}))
		}
	}
	for path, text := range map[string]string{"data": c.Data, "venues": c.Venues} {
		if text == "" {
			errs = append(errs, f.Place("", &gateway.FieldError{Path: path, Message: "must name a folder"}))
		}
	}
	if c.Sockets < 1 || c.Sockets > 65536 {
		errs = append(errs, f.Place("", &gateway.FieldError{Path: "sockets", Message: fmt.Sprintf("must be 1 to 65536, is %d", c.Sockets)}))
	}
	for path, err := range map[string]error{
		"edge": c.Edge.Validate(), "auth": c.Auth.Validate(), "limit": c.Limit.Validate(), "ledger": c.Ledger.Validate(),
		"ledger.sqlite": c.Ledger.SQLite.Validate(), "outbox": c.Outbox.Validate(), "cache": c.Cache.Validate(), "redis": c.Redis.Validate(),
		"instances": c.Instances.Validate(),
	} {
		errs = append(errs, f.Place(path, err))
	}
	return errors.Join(errs...)
}

// venueFile is one file of configs/venues.
type venueFile struct {
	ID         string               `yaml:"id"`
	Kind       string               `yaml:"kind"`
	Tenant     string               `yaml:"tenant"`
	Name       gateway.Text         `yaml:"name"`
	TimeZone   string               `yaml:"time_zone"`
	Connectors map[string]connector `yaml:"connectors"` // by role

	sections map[string]config.Section // of the flows, by name
}

// connector says which system plays a role at a venue, and how to reach it.
type connector struct {
	Connector string              `yaml:"connector"`
	URL       string              `yaml:"url"`
	Secrets   map[string]secret   `yaml:"secrets"`
	Instance  call.InstanceConfig `yaml:"instance"`
	Options   config.Section      `yaml:"options"`
}

// secret is where a credential is read from: exactly one of the two.
type secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}
