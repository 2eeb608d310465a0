package parking

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Settings is the section settings of a lot's file.
type Settings struct {
	Gates    []string        `yaml:"gates"`    // the barriers, by the names that they send
	Currency string          `yaml:"currency"` // ISO 4217: of its tariff and its bills
	Tariff   tariff.Settings `yaml:"tariff"`

	// SamePass is how long after one reading of a car the next one at the same side of the barrier is the same passage.
	SamePass Duration `yaml:"same_pass"`

	// Leeway is how far a barrier's clock may be ahead of the gateway's, and how long an entry counts as one that the
	// barrier still waits with. Oldest is how late an event may come that a barrier had kept.
	Leeway Duration `yaml:"leeway"`
	Oldest Duration `yaml:"oldest"`

	// Collect says who may collect a bill, the first one first: payment, city. Where neither may, the citizen pays.
	Collect []string `yaml:"collect"`

	Arrears Arrears `yaml:"arrears"`

	// ParkedFor is how long an exit may wait for its entry before a person looks.
	ParkedFor Duration `yaml:"parked_for"`

	Keep Keep `yaml:"keep"`

	once   sync.Once
	priced *tariff.Tariff
	wrong  error
}

// Arrears is when a lot asks for payment before it lets a car in: more than Over in minor units is owed by bills that are
// older than Older, at all lots of the city.
type Arrears struct {
	Over  int64    `yaml:"over"` // -1: never
	Older Duration `yaml:"older"`
}

// Duration is written as "90s" or "1h30m".
type Duration = time.Duration

const (
	maxOldest   = 90 * 24 * time.Hour
	maxSamePass = 10 * time.Minute
)

// Validate reports every mistake as a *gateway.FieldError, joined.
func (s *Settings) Validate() error {
	var wrong flow.Mistakes
	refuse := wrong.Refuse
	refuse(len(s.Gates) == 0, "gates", "a lot needs at least one gate")
	for i, g := range s.Gates {
		refuse(!flow.IsName(g), fmt.Sprintf("gates[%d]", i), "%q is not 1 to 64 letters, digits, dots, dashes, colons or underscores", g)
		refuse(slices.Contains(s.Gates[:i], g), fmt.Sprintf("gates[%d]", i), "gate %q is there twice", g)
	}
	refuse(len(s.Currency) != 3 || strings.Trim(s.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "", "currency", "must be three capitals (ISO 4217), is %q", s.Currency)
	refuse(s.SamePass < time.Second || s.SamePass > maxSamePass, "same_pass", "must be 1s to %s, is %s", maxSamePass, s.SamePass)
	refuse(s.Leeway < time.Second || s.Leeway > time.Hour, "leeway", "must be 1s to 1h, is %s", s.Leeway)
	refuse(s.Oldest < time.Hour || s.Oldest > maxOldest, "oldest", "must be 1h to %s, is %s", maxOldest, s.Oldest)
	for i, by := range s.Collect {
		refuse(by != collectPayment && by != collectCity, fmt.Sprintf("collect[%d]", i), "must be %s or %s, is %q", collectPayment, collectCity, by)
		refuse(slices.Contains(s.Collect[:i], by), fmt.Sprintf("collect[%d]", i), "%q is there twice", by)
	}
	refuse(s.Arrears.Over < -1, "arrears.over", "must be at least 0, or -1 for never, is %d", s.Arrears.Over)
	refuse(s.Arrears.Older < 0, "arrears.older", "must be at least 0s, is %s", s.Arrears.Older)
	refuse(s.ParkedFor < time.Minute || s.ParkedFor > maxOldest, "parked_for", "must be 1m to %s, is %s", maxOldest, s.ParkedFor)
	s.Keep.check(s, refuse)
	if _, err := tariff.New(s.Tariff, time.UTC, s.Currency); err != nil {
		return errors.Join(wrong.Err(), below("tariff", err))
	}
	return wrong.Err()
}

// below puts the paths of mistakes under the path of their section.
func below(path string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, below(path, e))
		}
		return errors.Join(all...)
	}
	if e, ok := errors.AsType[*gateway.FieldError](err); ok {
		return &gateway.FieldError{Path: path + "." + e.Path, Message: e.Message}
	}
	return &gateway.FieldError{Path: path, Message: err.Error()}
}

// price is what a visit that has ended costs at lot v, where passes cover some of it and something was paid inside. The tariff
// is made once, in the lot's zone.
func (s *Settings) price(v *gateway.Venue, of *stay, passes []tariff.Span, paid []tariff.Payment) (tariff.Price, error) {
	s.once.Do(func() { s.priced, s.wrong = tariff.New(s.Tariff, v.Location, s.Currency) })
	if s.wrong != nil {
		return tariff.Price{}, s.wrong
	}
	vehicle := of.vehicle
	if _, there := s.Tariff.Vehicles[vehicle]; !there {
		vehicle = vehicleCar // a lot that has no rates for it charges it as a car: nobody is kept inside for that
	}
	return s.priced.Price(tariff.Visit{Entered: of.entered.In(v.Location), Left: of.left.In(v.Location), Vehicle: vehicle, Electric: of.electric, Passes: passes, Paid: paid})
}

// settingsOf returns the settings of a lot.
func settingsOf(v *gateway.Venue) *Settings { return v.Settings.(*Settings) }

// readSettings reads and checks the section. What is not said has the values of defaults.
func readSettings(decode func(into any) error) (any, error) {
	return flow.ReadSettings(&Settings{
		Currency: "CNY", SamePass: time.Minute, Leeway: 2 * time.Minute, Oldest: 7 * 24 * time.Hour,
		Collect: []string{collectPayment, collectCity}, Arrears: Arrears{Over: -1}, ParkedFor: 24 * time.Hour,
		Keep: Keep{Visits: 365 * 24 * time.Hour, Passes: 365 * 24 * time.Hour, Notices: 90 * 24 * time.Hour},
	}, decode)
}
