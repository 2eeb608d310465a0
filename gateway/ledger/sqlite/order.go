package sqlite

import (
	"bytes"
	"io"
	"io/fs"
)

// A table of small rows may be marked in its migration as kept in the order of its key. PostgreSQL reads a comment; here
// the rows then lie in their key's own tree, and an insert writes one page instead of two.
const (
	keyOrderMark = "/* in the order of its key */"
	keyOrder     = "WITHOUT ROWID"
)

// ordered is a folder of migrations in which the mark has its meaning.
type ordered struct{ fs.FS }

// Open implements fs.FS.
func (o ordered) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return &orderedFile{File: f, text: bytes.NewReader(bytes.ReplaceAll(text, []byte(keyOrderMark), []byte(keyOrder)))}, nil
}

// orderedFile is a migration with the mark replaced.
type orderedFile struct {
	fs.File
	text *bytes.Reader
}

// Read implements fs.File.
func (f *orderedFile) Read(p []byte) (int, error) { return f.text.Read(p) }
