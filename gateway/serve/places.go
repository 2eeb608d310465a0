package serve

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway/config"
)

// Place is a system that a venue is connected to.
type Place struct {
	Venue     string
	Connector string
	Location  *time.Location // the venue's
}

// Places reads which systems the venues of the gateway's file at path are connected to, in the order of venues and
// connectors. Addresses and credentials need not be known yet. A venue whose file is named after an id that except says yes to
// is left out, unread; nil: none is.
func Places(path string, env func(string) (string, bool), except func(venue string) bool) ([]Place, error) {
	l := &loader{path: path, env: func(name string) (string, bool) {
		value, _ := env(name)
		return value, true
	}}
	f, err := config.ReadFile(path, l.env)
	if err != nil {
		return nil, err
	}
	c := defaults()
	if err := f.Decode(&c); err != nil {
		return nil, err
	}
	names, err := l.venueFiles(&c)
	if err != nil {
		return nil, err
	}
	if except != nil {
		names = slices.DeleteFunc(names, func(name string) bool { return except(strings.TrimSuffix(filepath.Base(name), ".yaml")) })
	}
	var all []Place
	var wrong []error
	for _, read := range l.ahead(names, nil, nil) {
		places, err := placesOf(read)
		all, wrong = append(all, places...), append(wrong, err)
	}
	return all, config.Join(wrong...)
}

func placesOf(read readVenue) ([]Place, error) {
	f, file, err := read.f, read.file, read.err
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(file.TimeZone)
	if err != nil {
		return nil, f.Place("", badZone(file.TimeZone))
	}
	var all []Place
	for _, c := range file.Connectors {
		all = append(all, Place{Venue: file.ID, Connector: c.Connector, Location: zone})
	}
	slices.SortFunc(all, func(a, b Place) int { return strings.Compare(a.Connector, b.Connector) })
	return all, nil
}

// venueFiles lists the venues' files.
func (l *loader) venueFiles(c *Config) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(l.beside(c.Venues), "*.yaml"))
	if err == nil && len(names) == 0 {
		err = errors.New("the folder of the venues has no *.yaml")
	}
	if err != nil {
		return nil, &config.Mistake{File: l.path, Path: "venues", Message: err.Error()}
	}
	return names, nil
}
