package checkin_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/checkin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

func TestGoldenPlans(t *testing.T) {
	f, err := checkin.New()
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Plans) != 2 {
		t.Errorf("%d plans", len(f.Plans))
	}
	flowtest.Golden(t, f.Plans)
}
