package sqlite_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

// childEnv makes the test binary the child that is killed; its value is the ledger's path and the round.
const childEnv = "WARMGATE_LEDGER_CHILD"

// rounds is the scale of the kill test: go test -run TestKill -args -n 500.
var rounds = flag.Int("n", 6, "rounds of the kill test")

// child commits rows from many writers until it is killed, and prints the id of each after its commit.
func child() int {
	path, round, _ := strings.Cut(os.Getenv(childEnv), "|")
	s, err := sqlite.Open(path, sqlite.Config{TruncateAbove: 1 << 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := ledger.Open(context.Background(), s, ledger.Config{Upkeep: 10 * time.Millisecond}, nil,
		slog.New(slog.DiscardHandler), time.Now, testTable)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s/%d/%d", round, w, i)
				if err := l.Commit(context.Background(), put{id: id, body: make([]byte, 200)}); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Printf("%s\n", id) // one write, so that a kill leaves no half line behind
			}
		})
	}
	wg.Wait()
	return 0
}

// TestKill kills a process that commits, at random moments, again and again on the same ledger: each id that it
// acknowledged is there afterwards, none twice, and the database is sound.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	acknowledged := map[string]bool{}
	for round := range *rounds {
		for _, id := range killed(t, path, round, time.Duration(r.Int64N(int64(400*time.Millisecond)))) {
			acknowledged[id] = true
		}
		l := openAt(t, path, sqlite.Config{})
		have := map[string]bool{}
		err := l.View(t.Context(), func(q ledger.Querier) error {
			var verdict string
			if err := q.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
				return fmt.Errorf("damaged: %s, %w", verdict, err)
			}
			rows, err := q.Query(`SELECT id FROM test_rows`)
			if err != nil {
				return err
			}
			for rows.Next() {
				var id string
				if err := rows.Scan(&id); err != nil {
					return err
				}
				have[id] = true
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for id := range acknowledged {
			if !have[id] {
				t.Errorf("round %d: %s was acknowledged and is lost", round, id)
			}
		}
		closed(t, l)
	}
	if len(acknowledged) == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d rounds, %d acknowledged commits, none lost", *rounds, len(acknowledged))
}

// killed runs the child, kills it after a time and returns the ids that it acknowledged.
func killed(t *testing.T, path string, round int, after time.Duration) (ids []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", childEnv, path, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the child did not start: %q", lines.Text())
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines.Scan() {
		ids = append(ids, lines.Text())
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return ids
}
