package parking_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
)

func TestGoldenPlans(t *testing.T) {
	f, err := parking.New()
	if err != nil {
		t.Fatal(err)
	}
	flowtest.Golden(t, f.Plans)
}
