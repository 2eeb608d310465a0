package parking_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/warmgate/warmgate/flows/parking"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestPlans holds the plans against their golden files: what a journey does is read there.
func TestPlans(t *testing.T) {
	f, err := parking.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Plans {
		path := filepath.Join("testdata", p.Name()+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(p.Draw()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Draw(); got != string(want) {
			t.Errorf("%s is\n%s", p.Name(), got)
		}
	}
}
