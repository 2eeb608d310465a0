package flow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"north-1": true, "Lobby_2.a:b": true, strings.Repeat("x", 64): true, "": false, strings.Repeat("x", 65): false,
		"north 1": false, "北门": false, "a/b": false, "a\n": false,
	} {
		if got := flow.IsName(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

type settings struct{ doors int }

func (s *settings) Validate() error {
	var m flow.Mistakes
	m.Refuse(s.doors < 1, "doors", "must be at least 1, is %d", s.doors)
	m.Refuse(s.doors > 9, "doors", "must be at most 9, is %d", s.doors)
	return m.Err()
}

func TestSettingsAreReadOverTheirDefaults(t *testing.T) {
	got, err := flow.ReadSettings(&settings{doors: 3}, func(any) error { return nil })
	if s, ok := got.(*settings); err != nil || !ok || s.doors != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = flow.ReadSettings(&settings{}, func(any) error { return nil })
	if wrong, ok := errors.AsType[*gateway.FieldError](err); !ok || wrong.Path != "doors" || wrong.Message != "must be at least 1, is 0" {
		t.Errorf("without doors: %v", err)
	}
	if got, err := flow.ReadSettings(&settings{doors: 3}, func(any) error { return errors.ErrUnsupported }); got != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("undecodable: %v, %v", got, err)
	}
}
