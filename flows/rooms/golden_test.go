package rooms_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/warmgate/warmgate/flows/rooms"
)

// TestGoldenPlans holds each plan against its drawing: a change of the journey is a change of that file. A drawing that
// is not there is written, to be looked at and kept.
func TestGoldenPlans(t *testing.T) {
	f, err := rooms.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Plans {
		path := filepath.Join("testdata", p.Name()+".golden")
		want, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			t.Errorf("%s was missing and is written anew", path)
			err = os.WriteFile(path, []byte(p.Draw()), 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		if want != nil && string(want) != p.Draw() {
			t.Errorf("%s has changed to:\n%s", p.Name(), p.Draw())
		}
	}
}
