package worldtest

import (
	"bufio"
	"context"
	"net/http"
	"strings"
)

// Stream is an answer that goes on. It is used by one goroutine; Close by any.
type Stream struct {
	Answer // without its body, where it is a stream

	in    *bufio.Scanner
	close context.CancelFunc
	body  func() error
}

// Event is one event of a stream, or an id alone. Comment says that a heartbeat came with it.
type Event struct {
	ID, Name, Data string
	Comment        bool
}

// Open sends a GET that asks for a stream. What is answered is held against the document as far as that can be. Where it is
// no stream the answer has its body. The stream is closed with the test at the latest.
func (w *World) Open(c Call) *Stream {
	w.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+c.Path, http.NoBody)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+c.Token)
	r.Header.Set("Accept", "text/event-stream")
	for name, value := range c.Header {
		r.Header.Set(name, value)
	}
	response, err := w.client.Do(r) //nolint:bodyclose // Stream.Close does
	w.must(err)
	s := &Stream{Answer: Answer{Status: response.StatusCode, Header: response.Header}, close: cancel, body: response.Body.Close,
		in: bufio.NewScanner(response.Body)}
	s.in.Buffer(nil, 1<<20)
	w.T.Cleanup(s.Close)
	if response.Header.Get("Content-Type") != "text/event-stream" {
		for s.in.Scan() {
			s.Body += s.in.Text() + "\n"
		}
	}
	return s
}

// Next waits for the next event, id or heartbeat; false where the stream has ended. What tells how long to wait before
// coming back is passed over.
func (s *Stream) Next() (e Event, more bool) {
	for some := false; s.in.Scan(); {
		name, value, _ := strings.Cut(s.in.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "id":
			e.ID, some = value, true
		case name == "event":
			e.Name, some = value, true
		case name == "data":
			e.Data, some = value, true
		case name == "" && s.in.Text() != "":
			e.Comment, some = true, true
		case some && s.in.Text() == "":
			return e, true
		}
	}
	return Event{}, false
}

// Close ends the stream.
func (s *Stream) Close() {
	s.close()
	_ = s.body()
}

// Hold holds the data of an event against a schema of the document.
func (w *World) Hold(schema, data string) {
	w.T.Helper()
	w.held.Hold(schema, data)
}
