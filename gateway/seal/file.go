package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const fileLimit = 64 << 10 // bytes; a key file of many rotations stays far below

// file is what a key file says: master keys in the order of their lines, the last one current.
type file struct {
	ids     []uint32
	masters [][]byte
	lookup  []byte
}

// OpenFile reads the keys of path, and makes them first when path does not exist. The file is created whole or not at all,
// flushed, with mode 0600; of two processes that create it at once both get the same keys. A file that group or others may
// touch is refused, and so is anything but a regular file.
//
// The file is lines of text: "master ID KEY" and one "lookup KEY", keys as base64 of 32 bytes, '#' for comments. To rotate,
// add a master line with a new id: the last line is current, the earlier ones still open what they wrapped. The lookup key
// must never change, and the whole file must be kept as safe as the ledger: without it the ledger's personal data are gone.
func OpenFile(path string) (*Keys, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createFile(path); err != nil {
			return nil, err
		}
		data, err = readFile(path)
	}
	if err != nil {
		return nil, err
	}
	f, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file %s: %w", path, err)
	}
	return f.keys()
}

func readFile(path string) ([]byte, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the key file: %w", err)
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot examine the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot use the key file %s: not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("cannot use the key file %s: mode %04o lets others in; make it 0600", path, mode)
	}
	data, err := io.ReadAll(io.LimitReader(h, fileLimit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the key file: %w", err)
	}
	if len(data) > fileLimit {
		return nil, fmt.Errorf("cannot use the key file %s: longer than %d bytes", path, fileLimit)
	}
	return data, nil
}

// createFile writes fresh keys beside path and links them into place: link refuses an existing name, rename would not.
func createFile(path string) error {
	f, err := newFile(rand.Reader)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	h, err := os.CreateTemp(dir, ".keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot make the key file: %w", err)
	}
	defer os.Remove(h.Name())
	_, err = h.Write(f.text())
	if err = errors.Join(err, h.Sync(), h.Close()); err != nil {
		return fmt.Errorf("cannot write the key file: %w", err)
	}
	if err = os.Link(h.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make the key file: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot flush the key file's folder: %w", err)
	}
	if err = errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("cannot flush the key file's folder: %w", err)
	}
	return nil
}

func newFile(random io.Reader) (*file, error) {
	f := &file{ids: []uint32{1}, masters: [][]byte{make([]byte, keyBytes)}, lookup: make([]byte, keyBytes)}
	for _, key := range [][]byte{f.masters[0], f.lookup} {
		if _, err := io.ReadFull(random, key); err != nil {
			return nil, fmt.Errorf("cannot make a key: %w", err)
		}
	}
	return f, nil
}

func (f *file) text() []byte {
	var b bytes.Buffer
	b.WriteString("# Warmgate's keys. Without this file the personal data in the ledger cannot be read. Keep it as safe.\n")
	b.WriteString("# master ID KEY: the last line is current. lookup KEY: must never change.\n")
	for i, key := range f.masters {
		fmt.Fprintf(&b, "master %d %s\n", f.ids[i], base64.StdEncoding.EncodeToString(key))
	}
	fmt.Fprintf(&b, "lookup %s\n", base64.StdEncoding.EncodeToString(f.lookup))
	return b.Bytes()
}

// parseFile reads a key file strictly. Its errors name lines, never what stands in them.
func parseFile(data []byte) (*file, error) {
	f := &file{}
	for n, line := range strings.Split(string(data), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := f.add(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	if len(f.masters) == 0 {
		return nil, errors.New("no master key")
	}
	if f.lookup == nil {
		return nil, errors.New("no lookup key")
	}
	return f, nil
}

func (f *file) add(words []string) error {
	switch {
	case words[0] == "master" && len(words) == 3:
		id, err := strconv.ParseUint(words[1], 10, 32)
		if err != nil || id == 0 {
			return errors.New("a master key's id is a number from 1 to 4294967295")
		}
		if slices.Contains(f.ids, uint32(id)) {
			return fmt.Errorf("master key %d appears twice", id)
		}
		key, err := parseKey(words[2])
		if err != nil {
			return err
		}
		f.ids, f.masters = append(f.ids, uint32(id)), append(f.masters, key)
		return nil
	case words[0] == "lookup" && len(words) == 2:
		if f.lookup != nil {
			return errors.New("a second lookup key")
		}
		key, err := parseKey(words[1])
		f.lookup = key
		return err
	}
	return errors.New(`neither "master ID KEY" nor "lookup KEY"`)
}

func parseKey(s string) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("a key is the base64 of %d bytes", keyBytes)
	}
	return key, nil
}

func (f *file) keys() (*Keys, error) {
	k := &Keys{
		masters: make(map[uint32]cipher.Block, len(f.ids)),
		current: f.ids[len(f.ids)-1],
		lookup:  sync.Pool{New: newLookup(f.lookup)},
	}
	for i, key := range f.masters {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("cannot use master key %d: %w", f.ids[i], err)
		}
		k.masters[f.ids[i]] = block
	}
	return k, nil
}
