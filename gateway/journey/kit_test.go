package journey

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	path = filepath.Join("testdata", path)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// Operations for plans that are never run.
var (
	look   = call.NewRead[string, string]("kit.look", call.ReadSpec[string, string]{})
	listed = call.NewRead[string, []string]("kit.list", call.ReadSpec[string, []string]{})
	sell   = call.NewWrite[string, string]("kit.sell", call.WriteSpec[string]{})
	unsell = call.NewWrite[string, string]("kit.unsell", call.WriteSpec[string]{})
	wrongU = call.NewWrite[int, string]("kit.uncount", call.WriteSpec[int]{})
)

// Options that say enough, for plans that are about something else.
var (
	down    = Refuse(gateway.ProblemBackendUnavailable)
	sold    = Refusals(map[string]*gateway.Problem{"": problemSold})
	later   = Defer(time.Hour, handover)
	someone = Assist(handover)
)

func same(v string) (string, error)     { return v, nil }
func both(a, _ string) (string, error)  { return a, nil }
func no(string) (bool, error)           { return false, nil }
func first(v []string) (string, error)  { return v[0], nil }
func asList(v string) ([]string, error) { return []string{v}, nil }
func joined(v []Result[string]) (string, error) {
	return v[0].Value, v[0].Err
}

// many declares a gather of one argument, to be put into words.
func many(b *Builder, in Ref[string], opts ...Option) Ref[string] {
	return Check(b, "joined", joined, Gather(b, "hotels", look, Check(b, "list", asList, in), opts...))
}

// note is a record that does nothing.
var note = &ledger.Decision[string, string]{Name: "note", Run: func(_ *ledger.Tx, v string) (string, error) { return v, nil }}

// noteCount takes another type back.
var noteCount = &ledger.Decision[int, int]{Name: "note-count", Run: func(_ *ledger.Tx, v int) (int, error) { return v, nil }}

// fast is the timing of plans whose time matters: every step 100 ms, a flush 10 ms, overhead 20 ms.
func fast(steps ...string) Timing {
	t := Timing{Journey: 10 * time.Second, Machine: time.Second, Flush: 10 * time.Millisecond, Overhead: 20 * time.Millisecond,
		Lease: time.Second, Steps: map[string]call.Policy{}}
	for _, s := range steps {
		t.Steps[s] = call.Policy{Slice: 100 * time.Millisecond}
	}
	return t
}
