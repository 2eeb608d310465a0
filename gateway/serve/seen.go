package serve

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
)

// seen is what was seen of the configuration's files while they were read. A change that comes meanwhile is thus noticed
// afterwards.
type seen struct {
	folder string // of the venues, as the gateway's file names it; "": not listed
	venues []string
	files  map[string]sum
}

// sum is what a file held: the digest of its text, or that it couldn't be read.
type sum struct {
	of     [sha256.Size]byte
	unread bool
}

// read reads a file.
func (s *seen) read(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		s.add(name, sum{unread: true})
		return nil, err
	}
	s.add(name, sum{of: sha256.Sum256(text)})
	return text, nil
}

func (s *seen) add(name string, is sum) {
	if s.files == nil {
		s.files = map[string]sum{}
	}
	s.files[name] = is
}

// list lists the venues' files, the first time of a folder.
func (s *seen) list(l *loader, c *Config) ([]string, error) {
	if s.folder == c.Venues && s.folder != "" {
		return s.venues, nil
	}
	names, err := l.venueFiles(c)
	s.folder, s.venues = c.Venues, names
	return names, err
}

// fingerprint is of all the configuration's files: as they have been seen, and the others as they are now.
func (l *loader) fingerprint(c *Config, s *seen) [sha256.Size]byte {
	names, _ := s.list(l, c) // loading says what is wrong
	all := sha256.New()
	for _, name := range slices.Concat(names, []string{l.path}) {
		if _, there := s.files[name]; !there {
			_, _ = s.read(name) // that it can't be is seen too
		}
		fmt.Fprintf(all, "%s\x00%t\x00%x", name, s.files[name].unread, s.files[name].of)
	}
	return [sha256.Size]byte(all.Sum(nil))
}
