package tariff_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway/config"
)

const manual = "../../../docs/tariffs.md"

// example is a tariff of the manual, with what stays cost under it: the cells of its table.
type example struct {
	yaml string
	rows [][]string
}

// examples reads the manual: each block of YAML with the table behind it.
func examples(text string) (all []example) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		last := len(all) - 1
		switch {
		case line == "```yaml":
			inside, all = true, append(all, example{})
		case line == "```":
			inside = false
		case inside:
			all[last].yaml += line + "\n"
		case last >= 0 && strings.HasPrefix(line, "| 20"):
			var cells []string
			for c := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.TrimSpace(c))
			}
			all[last].rows = append(all[last].rows, cells)
		}
	}
	return all
}

// TestTheManualIsTrue: every tariff in it can be read and costs what stands behind it, and every key has its explanation.
func TestTheManualIsTrue(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	all := examples(string(text))
	if len(all) < 6 {
		t.Fatalf("%d examples", len(all))
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		path := filepath.Join(t.TempDir(), "tariff.yaml")
		if err := os.WriteFile(path, []byte(e.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		var file struct {
			Tariff tariff.Settings `yaml:"tariff"`
		}
		f, err := config.ReadFile(path, os.LookupEnv)
		if err == nil {
			err = f.Decode(&file)
		}
		if err != nil {
			t.Fatalf("example %d: %v", i+1, err)
		}
		made, err := tariff.New(file.Tariff, zone, "CNY")
		if err != nil {
			t.Fatalf("example %d: %v", i+1, err)
		}
		if len(e.rows) < 3 {
			t.Errorf("example %d prices %d stays", i+1, len(e.rows))
		}
		for _, row := range e.rows {
			p, err := made.Price(stayOf(t, zone, row))
			if err != nil {
				t.Fatalf("example %d, %v: %v", i+1, row, err)
			}
			if want := row[2]; strconv.FormatInt(p.Minor, 10) != want {
				t.Errorf("example %d, %v: %d\n%s", i+1, row, p.Minor, said(p))
			}
		}
	}
	names(t, string(text), reflect.TypeFor[tariff.Settings](), map[reflect.Type]bool{})
}

// stayOf is a row of a table: came, left, pays, and what else there is to say.
func stayOf(t *testing.T, zone *time.Location, row []string) tariff.Visit {
	t.Helper()
	v := tariff.Visit{Entered: onWall(t, zone, row[0]), Left: onWall(t, zone, row[1])}
	if len(row) < 4 {
		return v
	}
	at := func(clock string) time.Time { return onWall(t, zone, row[0][:11]+clock) }
	switch words := strings.Fields(row[3]); {
	case len(words) == 0:
	case words[0] == "electric":
		v.Electric = true
	case words[0] == "paid":
		minor, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		v.Paid = []tariff.Payment{{At: at(words[3]), Minor: minor}}
	case words[0] == "pass":
		v.Passes = []tariff.Span{{From: at(words[2]), To: v.Left.AddDate(0, 1, 0)}}
	default:
		v.Vehicle = words[0]
	}
	return v
}

// names holds that the manual explains every key of the settings.
func names(t *testing.T, text string, of reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	for of.Kind() == reflect.Map || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || seen[of] || !strings.HasSuffix(of.PkgPath(), "/tariff") {
		return
	}
	seen[of] = true
	for field := range of.Fields() {
		key := field.Tag.Get("yaml")
		if !strings.Contains(text, "`"+key+"`") && !strings.Contains(text, "`"+key+":") {
			t.Errorf("the manual says nothing of %s in %s", key, of.Name())
		}
		names(t, text, field.Type, seen)
	}
}

// TestTheManualNamesEveryCity whose published tariff is held, and no other.
func TestTheManualNamesEveryCity(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/cities/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Tariffs that were published")
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".yaml"); strings.Count(table, "| `"+name+"` |") != 1 {
			t.Errorf("%s is not in the table once", name)
		}
	}
	if n := strings.Count(table, "\n| `"); n != len(files) {
		t.Errorf("%d cities in the table, %d files", n, len(files))
	}
}
