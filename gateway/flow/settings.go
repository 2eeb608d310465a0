package flow

import (
	"errors"
	"fmt"

	"github.com/warmgate/warmgate/gateway"
)

// Mistakes collects what is wrong with the settings of a venue. Its zero value is ready.
type Mistakes struct{ all []error }

// Refuse enters a mistake of the field at path, where bad is true; format and args say what it must be.
func (m *Mistakes) Refuse(bad bool, path, format string, args ...any) {
	if bad {
		m.all = append(m.all, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// Err returns every mistake as a *gateway.FieldError, joined; nil: there is none.
func (m *Mistakes) Err() error { return errors.Join(m.all...) }

// ReadSettings decodes the section settings of a venue over its defaults, and checks it.
func ReadSettings(defaults interface{ Validate() error }, decode func(into any) error) (any, error) {
	if err := decode(defaults); err != nil {
		return nil, err
	}
	return defaults, defaults.Validate()
}

// IsName reports whether s is a name as machines send it: 1 to 64 letters, digits, dots, dashes, colons, underscores.
func IsName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == ':':
		default:
			return false
		}
	}
	return true
}
