package ledger

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Anchor is the head of the audit trail as it was at one time, kept outside of the database: whoever cuts the end off the
// trail contradicts it.
type Anchor struct {
	Chain, Link int64
	Hash        []byte
	At          time.Time
}

// ReadAnchors reads an anchor file: a line for each, "chain link hash time". A last line without its end was never whole
// and is left out; any other line that cannot be read is an error.
func ReadAnchors(r io.Reader) ([]Anchor, error) {
	var all []Anchor
	in := bufio.NewReader(io.LimitReader(r, anchorFileLimit))
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the anchors: %w", err)
		}
		a, err := parseAnchor(line)
		if err != nil {
			return nil, fmt.Errorf("cannot read the anchors: line %d: %w", n, err)
		}
		all = append(all, a)
	}
}

const anchorFileLimit = 1 << 30 // bytes: about a century of anchors a minute

func parseAnchor(line string) (a Anchor, err error) {
	var hash, at string
	if _, err = fmt.Sscanf(line, "%d %d %64s %35s\n", &a.Chain, &a.Link, &hash, &at); err != nil {
		return a, errors.New("not \"chain link hash time\"")
	}
	if a.Hash, err = hex.DecodeString(hash); err != nil || len(a.Hash) != sha256.Size {
		return a, errors.New("the hash is not 64 hexadecimal digits")
	}
	if a.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return a, errors.New("the time is not RFC 3339")
	}
	if a.String() != line {
		return a, errors.New("not written as an anchor is written")
	}
	return a, nil
}

// String returns the anchor's line in the file.
func (a Anchor) String() string {
	return fmt.Sprintf("%d %d %s %s\n", a.Chain, a.Link, hex.EncodeToString(a.Hash), a.At.UTC().Format(time.RFC3339Nano))
}

// anchorFile appends anchors to a file. Used by one goroutine.
type anchorFile struct {
	f    *os.File
	last Anchor
}

// openAnchors opens the file at path (mode 0600), which is made when absent, and takes off a last line that was not written
// to its end.
func openAnchors(path string) (*anchorFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the anchors: %w", err)
	}
	a := &anchorFile{f: f}
	if err = a.mend(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the anchors: %w", err), f.Close())
	}
	return a, nil
}

// mend reads the last anchor, and cuts off what stands behind the last end of a line.
func (a *anchorFile) mend() error {
	info, err := a.f.Stat()
	if err != nil {
		return err
	}
	const enough = 1024 // bytes: several lines
	from := max(0, info.Size()-enough)
	tail := make([]byte, info.Size()-from)
	if _, err = a.f.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if end < len(tail) {
		if err = a.f.Truncate(from + int64(end)); err != nil {
			return err
		}
	}
	if end == 0 {
		return nil
	}
	begin := bytes.LastIndexByte(tail[:end-1], '\n') + 1
	a.last, err = parseAnchor(string(tail[begin:end]))
	return err
}

// add appends the head of l's audit trail and flushes, unless it stands there already.
func (a *anchorFile) add(ctx context.Context, l *Ledger) error {
	var head auditLink
	var found bool
	err := l.View(ctx, func(q Querier) (err error) {
		head, found, err = newestLink(q)
		return err
	})
	if err != nil || !found || bytes.Equal(head.hash, a.last.Hash) {
		return err
	}
	next := Anchor{Chain: head.chain, Link: head.link, Hash: head.hash, At: l.Now()}
	if _, err = a.f.WriteString(next.String()); err != nil {
		return fmt.Errorf("cannot write an anchor: %w", err)
	}
	if err = a.f.Sync(); err != nil {
		return fmt.Errorf("cannot flush an anchor: %w", err)
	}
	a.last = next
	return nil
}
