package rooms_test

import (
	"testing"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms"
)

func TestGoldenPlans(t *testing.T) {
	f, err := rooms.New()
	if err != nil {
		t.Fatal(err)
	}
	flowtest.Golden(t, f.Plans)
}
