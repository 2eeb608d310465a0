// Package city is the list of the twins, and builds a sandbox city of them: one for every system that a venue is
// connected to.
package city

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
)

// Place is a system that a venue is connected to.
type Place struct {
	Kind     string // the connector's name: "octo"
	Instance string // the venue's id
	Location *time.Location
}

// factory makes the twin of a system; key is the credential that it accepts.
type factory func(p Place, key string, seed uint64) (twin.Backend, error)

// factories are the twins by the connector that they answer. A new twin is one line here.
func factories() map[string]factory {
	return map[string]factory{
		"apaleo": func(p Place, key string, seed uint64) (twin.Backend, error) {
			return apaleo.NewTwin(apaleo.TwinConfig{Property: apaleo.PropertyOf(p.Instance), ClientID: p.Instance, ClientSecret: key,
				Seed: seed, Location: p.Location})
		},
		"identity": func(p Place, key string, seed uint64) (twin.Backend, error) {
			return identity.NewTwin(identity.TwinConfig{Name: p.Instance, APIKey: key, Seed: seed, Location: p.Location})
		},
		"octo": func(p Place, key string, seed uint64) (twin.Backend, error) {
			return octo.NewTwin(octo.TwinConfig{Supplier: p.Instance, APIKey: key, Seed: seed, Location: p.Location})
		},
		"ohip": func(p Place, key string, seed uint64) (twin.Backend, error) {
			return ohip.NewTwin(ohip.TwinConfig{HotelID: p.Instance, ClientSecret: key, Seed: seed, Location: p.Location})
		},
		"police": func(p Place, key string, seed uint64) (twin.Backend, error) {
			return police.NewTwin(police.TwinConfig{Name: p.Instance, APIKey: key, Seed: seed})
		},
	}
}

// Build opens a city with a twin at each place whose kind has one. The twins' credentials are in the folder secrets; see
// Key. Close the city at the end.
func Build(cfg twin.Config, places []Place, secrets string) (*twin.City, error) {
	c, err := twin.NewCity(cfg)
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		makeTwin := factories()[p.Kind]
		if makeTwin == nil {
			continue
		}
		if err := add(c, p, makeTwin, secrets, cfg.Seed); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func add(c *twin.City, p Place, makeTwin factory, secrets string, seed uint64) error {
	key, err := Key(secrets, p)
	if err != nil {
		return err
	}
	b, err := makeTwin(p, key, seed)
	if err != nil {
		return err
	}
	return c.Add(p.Kind, p.Instance, b)
}

// Key returns the credential for a place. It lies in the file KIND-INSTANCE (mode 0600) of the folder secrets and is made
// at the first call; the folder (mode 0700) as well.
func Key(secrets string, p Place) (string, error) {
	name := filepath.Join(secrets, p.Kind+"-"+p.Instance)
	text, err := os.ReadFile(name)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the credential of twin %s/%s: %w", p.Kind, p.Instance, err)
	}
	key := rand.Text()
	err = os.MkdirAll(secrets, 0o700)
	if err == nil {
		err = os.WriteFile(name, []byte(key+"\n"), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("cannot make the credential of twin %s/%s: %w", p.Kind, p.Instance, err)
	}
	return key, nil
}
