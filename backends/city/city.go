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
	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
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

// keyed are the twins that accept more than one credential, each of which has a file of its own (see keep).
func keyed() map[string]func(p Place, secrets string, seed uint64) (twin.Backend, error) {
	return map[string]func(p Place, secrets string, seed uint64) (twin.Backend, error){
		"hangzhou": func(p Place, secrets string, seed uint64) (twin.Backend, error) {
			lot, err := keep(secrets, p, ".private_key", hangzhou.MakeKey)
			own, ownErr := keep(secrets, p, ".twin_key", hangzhou.MakeKey) // of the city; only the twin reads it
			_, cityErr := keep(secrets, p, ".city_key", func() (string, error) { return hangzhou.PublicKey(own) })
			password, passwordErr := keep(secrets, p, ".password", func() (string, error) { return rand.Text(), nil })
			if err := errors.Join(err, ownErr, cityErr, passwordErr); err != nil {
				return nil, err
			}
			return hangzhou.NewTwin(hangzhou.TwinConfig{Name: p.Instance, Password: password, Seed: seed,
				Keys: hangzhou.Keys{Lot: lot, City: own}})
		},
		"wechatpay": func(p Place, secrets string, seed uint64) (twin.Backend, error) {
			private, err := keep(secrets, p, ".private_key", wechatpay.MakePrivateKey)
			api, apiErr := keep(secrets, p, ".api_v3_key", func() (string, error) { return wechatpay.MakeAPIv3Key(), nil })
			if err := errors.Join(err, apiErr); err != nil {
				return nil, err
			}
			return wechatpay.NewTwin(wechatpay.TwinConfig{Name: p.Instance, Seed: seed,
				Credentials: wechatpay.Credentials{PrivateKey: private, APIv3Key: api}})
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
		b, err := build(p, secrets, cfg.Seed)
		if err == nil && b != nil {
			err = c.Add(p.Kind, p.Instance, b)
		}
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// build makes the twin of a place; nil: its kind has none.
func build(p Place, secrets string, seed uint64) (twin.Backend, error) {
	if makeTwin := keyed()[p.Kind]; makeTwin != nil {
		return makeTwin(p, secrets, seed)
	}
	makeTwin := factories()[p.Kind]
	if makeTwin == nil {
		return nil, nil
	}
	key, err := Key(secrets, p)
	if err != nil {
		return nil, err
	}
	return makeTwin(p, key, seed)
}

// Key returns the credential for a place. It lies in the file KIND-INSTANCE (mode 0600) of the folder secrets and is made
// at the first call; the folder (mode 0700) as well.
func Key(secrets string, p Place) (string, error) {
	return keep(secrets, p, "", func() (string, error) { return rand.Text(), nil })
}

// keep is Key for the file KIND-INSTANCE with the suffix given, and what a credential of its kind is.
func keep(secrets string, p Place, suffix string, create func() (string, error)) (string, error) {
	name := filepath.Join(secrets, p.Kind+"-"+p.Instance+suffix)
	text, err := os.ReadFile(name)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the credential of twin %s/%s: %w", p.Kind, p.Instance, err)
	}
	key, err := create()
	if err == nil {
		err = os.MkdirAll(secrets, 0o700)
	}
	if err == nil {
		err = os.WriteFile(name, []byte(strings.TrimSpace(key)+"\n"), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("cannot make the credential of twin %s/%s: %w", p.Kind, p.Instance, err)
	}
	return strings.TrimSpace(key), nil
}
