package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Example is a call that works once as it stands.
type Example struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body,omitzero"` // nil: none

	about string
}

// maker makes the examples, fresh at each start.
type maker struct {
	http      *http.Client
	api, city string
	tokens    map[string]string
	seed      uint64
	now       func() time.Time

	owing *owing // once it is there
}

// examples are the journeys' calls, each named after its call. A new journey is one line here.
func (m *maker) examples(ctx context.Context) (map[string]Example, error) {
	all := map[string]Example{}
	for name, make := range map[string]func(context.Context) (Example, error){
		"scenic-entry": m.scenicEntry, "hotel-check-in": m.checkInLakeside, "hotel-check-in-canal-house": m.checkInCanalHouse,
		"rooms-search": m.roomsSearch, "rooms-booking": m.roomsBooking, "parking-entry": m.parkingEntry, "parking-exit": m.parkingExit, "parking-bill-search": m.parkingBillSearch, "parking-payment": m.parkingPayment,
	} {
		e, err := make(ctx)
		if err != nil {
			return nil, fmt.Errorf("cannot make the example %s: %w", name, err)
		}
		all[name] = e
	}
	return all, nil
}

func (m *maker) scenicEntry(ctx context.Context) (Example, error) {
	var tickets []struct {
		Units []struct {
			Code string `json:"code"`
		} `json:"units"`
	}
	if err := m.ask(ctx, "octo/west-lake", struct{}{}, &tickets); err != nil {
		return Example{}, err
	}
	if len(tickets) == 0 || len(tickets[0].Units) == 0 {
		return Example{}, errors.New("the twin made no ticket")
	}
	return m.post("gate", "/v1/attractions/west-lake/entries", "A visitor holds a fresh ticket to gate north-1 of West Lake", map[string]any{
		"gate": "north-1", "scan_id": uuid.NewString(), "ticket": map[string]string{"code": tickets[0].Units[0].Code},
	}), nil
}

func (m *maker) post(role, path, about string, body any) Example {
	return Example{Method: http.MethodPost, Path: path, Body: body, about: about, Headers: map[string]string{
		"Authorization":   "Bearer " + m.tokens[role],
		"Content-Type":    "application/json",
		"Accept-Language": "en",
		"Idempotency-Key": `"` + uuid.NewString() + `"`,
	}}
}

// ask lets a twin make something.
func (m *maker) ask(ctx context.Context, twin string, want, into any) error {
	return m.send(ctx, m.city, Example{Method: http.MethodPost, Path: "/make/" + twin, Body: want}, into)
}

// send sends a call to whoever answers at base, and reads the answer into into, unless that is nil.
func (m *maker) send(ctx context.Context, base string, e Example, into any) error {
	var body []byte
	if e.Body != nil {
		var err error
		if body, err = json.Marshal(e.Body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, e.Method, base+e.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range e.Headers {
		req.Header.Set(name, value)
	}
	resp, err := m.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s is answered %d: %s", e.Path, resp.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// curl returns the call as a command to paste.
func (e Example) curl(base string) (string, error) {
	var s strings.Builder
	fmt.Fprintf(&s, "curl -sS -X %s '%s%s'", e.Method, base, e.Path)
	for _, name := range []string{"Authorization", "Content-Type", "Accept-Language", "Idempotency-Key"} {
		if v, ok := e.Headers[name]; ok {
			fmt.Fprintf(&s, " \\\n  -H '%s: %s'", name, v)
		}
	}
	if e.Body != nil {
		body, err := json.Marshal(e.Body, json.Deterministic(true), jsontext.EscapeForJS(true))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&s, " \\\n  -d '%s'", bytes.ReplaceAll(body, []byte("'"), []byte(`\u0027`)))
	}
	return s.String(), nil
}
