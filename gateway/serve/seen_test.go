package serve

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A file is told by its text alone: not by its size and its time.
func TestReloadSeesOtherTextOfTheSameSizeAndTime(t *testing.T) {
	w := newWorld(t)
	w.open()
	file := w.path("venues/one.yaml")
	was, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	w.edit("venues/one.yaml", "word: hello", "word: jello")
	if err := os.Chtimes(file, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	if is, err := os.Stat(file); err != nil || is.Size() != was.Size() || !is.ModTime().Equal(was.ModTime()) {
		t.Fatalf("the file is another one by its size or time: %v", err)
	}
	if !w.g.changed() {
		t.Error("the change is not noticed")
	}
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := w.word("one"); got != `200 {"word":"jello"}` {
		t.Errorf("after the change: %s", got)
	}
	if w.g.changed() {
		t.Error("what was read just now is said to differ")
	}
}

// A mounted configuration changes as a whole: its files are links through a folder that is swapped.
func TestWatchTakesAFolderThatIsSwapped(t *testing.T) {
	w := newWorld(t)
	for _, word := range []string{"first", "second"} {
		for _, venue := range []string{"one", "two"} {
			w.write(word+"/"+venue+".yaml", strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", venue), "hello", word))
		}
	}
	if err := os.RemoveAll(w.path("venues")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.path("venues"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := func(to, at string) {
		t.Helper()
		if err := os.Symlink(to, w.path(at)); err != nil {
			t.Fatal(err)
		}
	}
	link("../first", "venues/..data")
	link("..data/one.yaml", "venues/one.yaml")
	link("..data/two.yaml", "venues/two.yaml")
	w.open()
	w.watch(nil)
	if got := w.word("two"); got != `200 {"word":"first"}` {
		t.Fatalf("before: %s", got)
	}
	link("../second", "venues/..next")
	if err := os.Rename(w.path("venues/..next"), w.path("venues/..data")); err != nil {
		t.Fatal(err)
	}
	w.await("the other folder", func() bool {
		return w.word("one") == `200 {"word":"second"}` && w.word("two") == `200 {"word":"second"}`
	})
}

// What changes while the files are read is noticed afterwards, whether what was read is taken or refused.
func TestAChangeWhileFilesAreReadIsNoticed(t *testing.T) {
	for _, refused := range []bool{false, true} {
		for _, change := range []func(w *world){
			func(w *world) { w.edit("gateway.yaml", "burst: 1000", "burst: 900") },
			func(w *world) { w.edit("venues/one.yaml", "hello", "hi") },
			func(w *world) { w.write("venues/zoo.yaml", strings.ReplaceAll(goodVenue, "NAME", "zoo")) },
			func(w *world) {
				if err := os.Remove(w.path("venues/one.yaml")); err != nil {
					w.t.Error(err)
				}
			},
		} {
			w := newWorld(t)
			w.open()
			if refused {
				w.edit("venues/two.yaml", "kind: stall", "kind: palace")
			}
			w.edit("gateway.yaml", "data: data", "data: ${DURING:-data}")
			for i := range 32 { // more than are read ahead, so that the first ones have been read
				name := fmt.Sprintf("v%02d", i)
				w.write("venues/"+name+".yaml", strings.ReplaceAll(goodVenue, "NAME", name))
			}
			w.write("venues/zero.yaml", strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", "zero"), "hello", "${DURING:-hello}"))
			if err := w.g.Reload(); (err != nil) != refused {
				t.Fatal(err)
			}
			if w.g.changed() {
				t.Error("what was read just now is said to differ")
			}
			w.edit("venues/zero.yaml", "en: A stall", "en: The stall")
			asked := 0
			w.g.loader.env = func(name string) (string, bool) {
				if name == "DURING" {
					if asked++; asked == 2 { // the second time it is a venue's, which is the last one
						change(w)
					}
				}
				return w.env(name)
			}
			if err := w.g.Reload(); (err != nil) != refused || asked < 2 {
				t.Fatal(err, asked)
			}
			if !w.g.changed() {
				t.Error("the change is not noticed")
			}
			w.g.loader.env = w.env
		}
	}
}

// A venue whose file is gone goes, and comes again with the file, whatever its name is then.
func TestAFileThatGoesAndComesAgain(t *testing.T) {
	w := newWorld(t)
	w.open()
	two := w.g.bindings("two")
	for _, x := range []struct{ from, to, want string }{
		{"venues/one.yaml", "one.yaml", "404 "}, {"one.yaml", "venues/first.yaml", "200 "}, {"venues/first.yaml", "venues/one.yaml", "200 "},
	} {
		if err := os.Rename(w.path(x.from), w.path(x.to)); err != nil {
			t.Fatal(err)
		}
		if err := w.g.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := w.word("one"); !strings.HasPrefix(got, x.want) {
			t.Errorf("as %s: %s", x.to, got)
		}
	}
	if w.g.bindings("two") != two {
		t.Error("the other one was made anew")
	}
}

// What a file takes from elsewhere reaches it though its text is what it was, and reaches no other.
func TestAnUnchangedFileFollowsWhatItTakesFromElsewhere(t *testing.T) {
	w := newWorld(t)
	w.edit("venues/one.yaml", "word: hello", "word: ${WORD:-hello}")
	w.open()
	two := w.g.bindings("two")
	w.g.loader.env = func(name string) (string, bool) {
		if name == "WORD" {
			return "moved", true
		}
		return w.env(name)
	}
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := w.word("one"); got != `200 {"word":"moved"}` || w.g.bindings("two") != two {
		t.Errorf("it says %s; the other one is what it was: %t", got, w.g.bindings("two") == two)
	}
}
