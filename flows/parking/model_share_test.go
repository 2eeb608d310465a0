package parking

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// shareFrom is the number of histories from which on they are shared among programs.
const shareFrom = 1000

var share = flag.String("parking.share", "", "the file for what was counted: this program takes a share of another one's histories")

// inShares takes the histories in n programs, each on one processor: in one program ledgers wait for each other, since SQLite has
// one lock there for all its memory, and two of them took as long for the same as one after the other.
func inShares(t *testing.T, n int, held *tallies) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			from, to := *histories*i/n, *histories*(i+1)/n
			file := filepath.Join(dir, fmt.Sprint(i))
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestHistories$", "-test.timeout="+left(t).String(), "-parking.share="+file,
				fmt.Sprintf("-parking.histories=%d", to-from), fmt.Sprintf("-parking.seed=%d", *firstSeed+uint64(from)))
			cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("histories of %d seeds from %d: %v\n%s", to-from, *firstSeed+uint64(from), err, bytes.TrimSpace(out))
				return
			}
			var counts map[string]int
			b, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(b, &counts)
			}
			if err != nil {
				t.Errorf("what the histories from seed %d came to: %v", *firstSeed+uint64(from), err)
			}
			held.add(counts)
		})
	}
	wg.Wait()
}

// left is how long a test may still take; 0: as long as it likes.
func left(t *testing.T) time.Duration {
	until, ok := t.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(until), time.Second)
}

// leave has what was counted in a share added to the others'.
func (t *tallies) leave(file string) error {
	b, err := json.Marshal(t.all)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
