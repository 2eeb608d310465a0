package entry_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/entry"
	"github.com/warmgate/warmgate/flows/flowtest"
)

func TestGoldenPlans(t *testing.T) {
	f, err := entry.New()
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Plans) != 3 {
		t.Errorf("%d plans", len(f.Plans))
	}
	flowtest.Golden(t, f.Plans)
}
