package serve

import (
	"fmt"
	"iter"
	"os"
	"runtime"
	"strings"

	"github.com/warmgate/warmgate/gateway/config"
)

// readVenue is a venue's file as it was read, before anything is made of it.
type readVenue struct {
	f    *config.File
	text string // as it stands after the environment's values have been put in
	file venueFile
	err  error
}

// ahead reads the files of venues in their order and on all cores, a few ahead of who takes them: parsing is most of what
// loading thousands of venues takes, and the trees of all of them at once would be hundreds of megabytes.
func (l *loader) ahead(names []string) iter.Seq2[string, readVenue] {
	return func(yield func(string, readVenue) bool) {
		window := make([]chan readVenue, 2*runtime.GOMAXPROCS(0))
		for i := range len(names) + len(window) {
			slot := &window[i%len(window)]
			if i >= len(window) && !yield(names[i-len(window)], <-*slot) {
				return
			}
			if i < len(names) {
				read, name := make(chan readVenue, 1), names[i]
				*slot = read
				go func() { read <- l.readVenue(name) }()
			}
		}
	}
}

func (l *loader) readVenue(name string) (read readVenue) {
	raw, err := os.ReadFile(name)
	if err != nil {
		read.err = fmt.Errorf("cannot read a venue: %w", err)
		return read
	}
	used := &strings.Builder{}
	read.f, read.err = config.Read(name, raw, func(key string) (string, bool) {
		value, there := l.env(key)
		fmt.Fprintf(used, "%s=%s %t\x00", key, value, there)
		return value, there
	})
	read.text = string(raw) + used.String()
	if read.err == nil {
		read.file.sections, read.err = read.f.DecodeApart(&read.file, l.isSection)
	}
	return read
}
