package serve

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"

	"github.com/warmgate/warmgate/gateway/config"
)

// readVenue is a venue's file as it was read, before anything is made of it.
type readVenue struct {
	same   *venue // of the old generation: file, environment, credentials and the gateway's part are what they were
	f      *config.File
	from   source
	file   venueFile
	unread bool
	err    error
}

// source is what a venue was made of, as far as it can be compared without reading the file's YAML again.
type source struct {
	raw     [sha256.Size]byte // of its text
	keys    []string          // of the environment, as the text uses them
	values  [sha256.Size]byte // of these
	secrets []wanted
}

// wanted is a credential of a venue, and where it is.
type wanted struct {
	role, name string
	at         secret
}

// ahead reads the files of venues in their order and on all cores, a few ahead of who takes them: reading is most of what
// loading thousands of venues takes, and the trees of all of them at once would be hundreds of megabytes where they have to
// be parsed. What is made of a file that is what it was in old is taken over.
func (l *loader) ahead(names []string, g, old *Generation) iter.Seq2[string, readVenue] {
	return func(yield func(string, readVenue) bool) {
		window := make([]chan readVenue, 4*runtime.GOMAXPROCS(0))
		for i := range len(names) + len(window) {
			slot := &window[i%len(window)]
			if i >= len(window) && !yield(names[i-len(window)], <-*slot) {
				return
			}
			if i < len(names) {
				read, name := make(chan readVenue, 1), names[i]
				*slot = read
				go func() { read <- l.readVenue(name, g, old) }()
			}
		}
	}
}

// readVenue reads a file. g has the gateway's part of the configuration; old, like g, may be nil.
func (l *loader) readVenue(name string, g, old *Generation) (read readVenue) {
	raw, err := os.ReadFile(name)
	if err != nil {
		read.unread, read.err = true, fmt.Errorf("cannot read a venue: %w", err)
		return read
	}
	read.from = source{raw: sha256.Sum256(raw)}
	if old != nil {
		if v := old.files[name]; v != nil && v.from.raw == read.from.raw && l.unchanged(v, g) {
			read.same = v
			return read
		}
	}
	read.f, read.err = config.Read(name, raw, func(key string) (string, bool) {
		if !slices.Contains(read.from.keys, key) {
			read.from.keys = append(read.from.keys, key)
		}
		return l.env(key)
	})
	read.from.values = l.valuesOf(read.from.keys)
	if read.err == nil {
		read.file.sections, read.err = read.f.DecodeApart(&read.file, l.isSection)
	}
	return read
}

// unchanged reports whether what a venue takes from elsewhere than its file is what it was.
func (l *loader) unchanged(v *venue, g *Generation) bool {
	if v.usual != g.Config.Instances || l.valuesOf(v.from.keys) != v.from.values {
		return false
	}
	secrets := map[string]map[string]string{}
	for _, w := range v.from.secrets {
		value, err := l.readSecret(w.at)
		if err != nil {
			return false // parsing says where
		}
		put(secrets, w.role, w.name, value)
	}
	return digestOf(&v.from, secrets) == v.digest
}

// valuesOf is of what the environment has under keys.
func (l *loader) valuesOf(keys []string) (sum [sha256.Size]byte) {
	var all []byte
	for _, key := range keys {
		value, there := l.env(key)
		all = fmt.Appendf(all, "%s=%s %t\x00", key, value, there)
	}
	return sha256.Sum256(all)
}

// digestOf is of everything that a venue is made of but the usual configuration of instances.
func digestOf(from *source, secrets map[string]map[string]string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%x%x%v", from.raw, from.values, secrets))
}

func put(all map[string]map[string]string, role, name, value string) {
	if all[role] == nil {
		all[role] = map[string]string{}
	}
	all[role][name] = value
}
