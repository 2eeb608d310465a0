package checkin

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Settings is the section settings of a hotel's file.
type Settings struct {
	Kiosks   []string          `yaml:"kiosks"`   // by the names that they send
	Encoders map[string]string `yaml:"encoders"` // kiosk to the encoder beside it; without one the hotel's system chooses
	Keys     string            `yaml:"keys"`     // encoder, or staff: a person cuts them

	NightEnds       time.Duration `yaml:"night_ends"`       // after midnight; until then it is still yesterday's evening
	CheckOutAt      time.Duration `yaml:"check_out_at"`     // after midnight of the last day: keys end
	Face            float64       `yaml:"face"`             // how alike face and document have to be, 0 to 1
	RegistrationDue time.Duration `yaml:"registration_due"` // by when the police have to know of a guest or a departure
	Preassigned     string        `yaml:"preassigned"`      // a room that a booking holds and that is not ready: keep, or move
	Passports       string        `yaml:"passports"`        // foreign ones: person, or kiosk
	MaxGuests       int           `yaml:"max_guests"`       // with one check-in
}

// The words of the settings.
const (
	keysEncoder = "encoder"
	keysStaff   = "staff"
	keepRoom    = "keep"
	moveRoom    = "move"
	byPerson    = "person"
	byKiosk     = "kiosk"
)

// Validate reports every mistake as a *gateway.FieldError, joined.
func (s *Settings) Validate() error {
	var wrong flow.Mistakes
	wrong.Refuse(len(s.Kiosks) == 0, "kiosks", "a hotel needs at least one kiosk")
	for i, k := range s.Kiosks {
		wrong.Refuse(!flow.IsName(k), fmt.Sprintf("kiosks[%d]", i), "%q is not 1 to 64 letters, digits, dots, dashes or underscores", k)
		wrong.Refuse(slices.Contains(s.Kiosks[:i], k), fmt.Sprintf("kiosks[%d]", i), "kiosk %q is there twice", k)
	}
	for _, kiosk := range slices.Sorted(maps.Keys(s.Encoders)) {
		wrong.Refuse(!slices.Contains(s.Kiosks, kiosk), "encoders."+kiosk, "there is no such kiosk")
		wrong.Refuse(s.Encoders[kiosk] == "" || len(s.Encoders[kiosk]) > 80, "encoders."+kiosk, "must be 1 to 80 bytes")
	}
	wrong.Refuse(s.Keys != keysEncoder && s.Keys != keysStaff, "keys", "must be %s or %s, is %q", keysEncoder, keysStaff, s.Keys)
	wrong.Refuse(s.NightEnds < 0 || s.NightEnds > 12*time.Hour, "night_ends", "must be 0s to 12h, is %s", s.NightEnds)
	wrong.Refuse(s.CheckOutAt < time.Hour || s.CheckOutAt > 24*time.Hour, "check_out_at", "must be 1h to 24h, is %s", s.CheckOutAt)
	wrong.Refuse(!(s.Face > 0 && s.Face <= 1), "face", "must be more than 0 and at most 1, is %v", s.Face)
	wrong.Refuse(s.RegistrationDue < time.Second || s.RegistrationDue > 24*time.Hour, "registration_due", "must be 1s to 24h, is %s", s.RegistrationDue)
	wrong.Refuse(s.Preassigned != keepRoom && s.Preassigned != moveRoom, "preassigned", "must be %s or %s, is %q", keepRoom, moveRoom, s.Preassigned)
	wrong.Refuse(s.Passports != byPerson && s.Passports != byKiosk, "passports", "must be %s or %s, is %q", byPerson, byKiosk, s.Passports)
	wrong.Refuse(s.MaxGuests < 1 || s.MaxGuests > maxGuestsLimit, "max_guests", "must be 1 to %d, is %d", maxGuestsLimit, s.MaxGuests)
	return wrong.Err()
}

// settingsOf returns the settings of a hotel. One that has no check-in any more has the usual ones: for what is still to be
// delivered of its guests.
func settingsOf(v *gateway.Venue) *Settings {
	if s, ok := v.Settings.(*Settings); ok {
		return s
	}
	return usual()
}

// readSettings reads and checks the section. What is not said is as usual.
func readSettings(decode func(into any) error) (any, error) {
	return flow.ReadSettings(usual(), decode)
}

func usual() *Settings {
	return &Settings{
		Keys: keysEncoder, NightEnds: 6 * time.Hour, CheckOutAt: 12 * time.Hour, Face: 0.8, RegistrationDue: time.Hour,
		Preassigned: keepRoom, Passports: byPerson, MaxGuests: 4,
	}
}

// dayOf returns the hotel's day of business: until its night ends it is still yesterday.
func dayOf(v *gateway.Venue, at time.Time) string {
	return at.In(v.Location).Add(-settingsOf(v).NightEnds).Format(time.DateOnly)
}
