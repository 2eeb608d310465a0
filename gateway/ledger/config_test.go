package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

func TestConfig(t *testing.T) {
	for want, cfg := range map[string]ledger.Config{
		"":                                       {},
		"queue: -1 is not between 1 and 1048576": {Queue: -1},
		"queue: 1048577 is not":                  {Queue: 1<<20 + 1},
		"batch: 4097 is not between 1 and 4096":  {Batch: 4097},
		"upkeep: 9ms is not between 10ms and 1h0": {Upkeep: 9 * time.Millisecond},
		"upkeep: 2h0m0s is not":                   {Upkeep: 2 * time.Hour, Queue: 1, Batch: 1},
	} {
		err := cfg.Validate()
		if want == "" {
			if err != nil {
				t.Errorf("%+v: %v", cfg, err)
			}
			continue
		}
		var field *gateway.FieldError
		if !errors.As(err, &field) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", cfg, err, want)
		}
	}
}
