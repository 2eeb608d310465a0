package flowtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/warmgate/warmgate/gateway/flow"
)

// Golden holds each plan against its drawing in testdata: a change of the journey is a change of that file. A drawing that is
// not there is written, to be looked at and kept; the test fails so that it is.
func Golden(t testing.TB, plans []flow.Plan) {
	t.Helper()
	for _, p := range plans {
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
