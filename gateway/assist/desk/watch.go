package desk

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	eventMost = 1 << 20          // bytes of one line of a stream
	quietMost = 45 * time.Second // three heartbeats as shipped: the gateway has gone without a word
)

// Event is one event of the stream: how an assist stands, or, with the name reset, that all is told anew.
type Event struct {
	Name   string `json:"event"`           // opened, claimed, released, resolved or reset
	Assist Assist `json:"assist,omitzero"` // zero for reset
}

// Watch tells what is unresolved and every change after it, in order and each once, until ctx ends or tell returns an
// error, which is returned. Where a stream ends it comes back and goes on where it was; what refuses it for good, such as
// a token that has expired, is returned. lost is called where the gateway cannot be reached; Watch tries on.
func (c *Client) Watch(ctx context.Context, tell func(Event) error, lost func(error)) error {
	w := &watcher{client: c, tell: tell, retry: time.Second}
	failing := false
	for ctx.Err() == nil {
		w.heard = false
		err := w.stream(ctx)
		if told, ok := errors.AsType[*toldError](err); ok {
			return told.err
		}
		if p, ok := errors.AsType[*Problem](err); ok && !p.Retryable {
			return p
		}
		if failing = failing && !w.heard; err != nil && !failing && ctx.Err() == nil {
			lost(err)
			failing = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(w.pause(err)):
		}
	}
	return nil
}

// toldError is what the one who is told has refused.
type toldError struct{ err error }

// Error returns the refusal.
func (e *toldError) Error() string { return e.err.Error() }

// watcher is a client on its way through one stream after another.
type watcher struct {
	client *Client
	tell   func(Event) error
	last   string // the id to come back with
	retry  time.Duration
	heard  bool // the stream at hand has said something
}

func (w *watcher) pause(err error) time.Duration {
	if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > 0 {
		return max(w.retry, time.Duration(p.RetryAfter)*time.Second)
	}
	return w.retry
}

// stream reads one stream to its end; nil where the gateway has ended it.
func (w *watcher) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := w.client.request(ctx, http.MethodGet, "/v1/assists", nil, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	if w.last != "" {
		r.Header.Set("Last-Event-ID", w.last)
	}
	response, err := w.client.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return problemOf(response)
	}
	quiet := time.AfterFunc(quietMost, cancel)
	defer quiet.Stop()
	in := bufio.NewScanner(response.Body)
	in.Buffer(nil, eventMost)
	var e, none fields
	for in.Scan() {
		quiet.Reset(quietMost)
		w.heard = true
		if in.Text() != "" {
			e.add(in.Text())
			continue
		}
		if err := w.dispatch(e); err != nil {
			return err
		}
		e = none
	}
	if err := in.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return unreachable(err)
	}
	return nil
}

// fields are the fields of one event (WHATWG HTML §9.2.6) as the gateway writes them.
type fields struct {
	id, event, data, retry string
	hasID                  bool
}

func (f *fields) add(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "id":
		f.id, f.hasID = value, true
	case "event":
		f.event = value
	case "data":
		f.data += value
	case "retry":
		f.retry = value
	}
}

// dispatch tells an event; only what was told counts as known.
func (w *watcher) dispatch(f fields) error {
	if ms, err := strconv.Atoi(f.retry); err == nil && ms >= 0 {
		w.retry = min(time.Duration(ms)*time.Millisecond, time.Minute)
	}
	if f.data != "" {
		e := Event{Name: f.event}
		if err := json.Unmarshal([]byte(f.data), &e.Assist); err != nil {
			return &toldError{fmt.Errorf("cannot read an event of the gateway: %w", err)}
		}
		if err := w.tell(e); err != nil {
			return &toldError{err}
		}
	}
	if f.hasID {
		w.last = f.id
	}
	return nil
}

func bySeq(of map[string]Assist) []Assist {
	return slices.SortedFunc(maps.Values(of), func(a, b Assist) int { return cmp.Compare(a.Seq, b.Seq) })
}
