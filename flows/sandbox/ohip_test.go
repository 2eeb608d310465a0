package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/sandbox"
)

// The hotels' files are the seed's: the same again, others for another one, and only as many as there are hotels. What
// somebody has put beside them stays.
func TestHotelsFilesAreTheSeeds(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "lakeside.yaml", "id: lakeside\n")
	read := func(count int, seed uint64) map[string]string {
		t.Helper()
		if err := sandbox.WriteHotels(folder, count, seed); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, e := range entries {
			text, err := os.ReadFile(filepath.Join(folder, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[e.Name()] = string(text)
		}
		return all
	}
	first := read(30, 7)
	if len(first) != 31 || !strings.Contains(first["hotel-00029.yaml"], "hotel_id: H00029") {
		t.Fatalf("%d files: %s", len(first), first["hotel-00029.yaml"])
	}
	write(t, folder, "hotel-00003.yaml", "broken")
	fewer := read(10, 7)
	if len(fewer) != 11 || fewer["lakeside.yaml"] == "" || fewer["hotel-00003.yaml"] != first["hotel-00003.yaml"] {
		t.Errorf("%d files of ten hotels; the broken one: %s", len(fewer), fewer["hotel-00003.yaml"])
	}
	if again := read(30, 7); again["hotel-00029.yaml"] != first["hotel-00029.yaml"] {
		t.Error("the same seed makes other hotels")
	}
	if other := read(30, 8); other["hotel-00029.yaml"] == first["hotel-00029.yaml"] {
		t.Error("another seed makes the same hotels")
	}
	if none := read(0, 8); len(none) != 1 {
		t.Errorf("%d files of no hotel", len(none))
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
