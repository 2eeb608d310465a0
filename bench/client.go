package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// client speaks to the API over kept connections. It never tries a request twice by itself.
type client struct{ host *fasthttp.HostClient }

func newClient(address string, connections int) *client {
	return &client{host: &fasthttp.HostClient{
		Addr: address, MaxConns: connections, MaxIdemponentCallAttempts: 1, MaxIdleConnDuration: 20 * time.Second,
		RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
	}}
}

// ask is a request.
type ask struct {
	method, path, token, key, trace string
	media                           string // of a body that is no plain JSON, which has no key; "": it is
	body                            []byte
}

// answer is what came back.
type answer struct {
	status  int
	problem string // without its path
	retry   bool   // the problem says that trying again may help
	timing  string // Server-Timing
	replay  bool   // of what an earlier request under the same key was answered
	body    []byte
}

// insist asks until the gateway has kept it, as a barrier does: who is told that nothing was kept, asks again.
func (c *client) insist(a ask) (answer, error) {
	for end := time.Now().Add(10 * time.Second); ; {
		got, err := c.do(a, 5*time.Second)
		if err != nil || got.status != fasthttp.StatusServiceUnavailable || time.Now().After(end) {
			return got, err
		}
		<-time.After(50 * time.Millisecond)
	}
}

// do sends a request and waits for the answer at most for so long.
func (c *client) do(a ask, within time.Duration) (answer, error) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI("http://" + c.host.Addr + a.path)
	req.Header.SetMethod(a.method)
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Accept-Language", "en")
	if a.trace != "" {
		req.Header.Set("Traceparent", a.trace)
	}
	switch {
	case a.body == nil:
	case a.media != "":
		req.Header.SetContentType(a.media)
		req.SetBodyRaw(a.body)
	default:
		req.Header.SetContentType("application/json")
		req.SetBodyRaw(a.body)
		req.Header.Set("Idempotency-Key", `"`+a.key+`"`)
	}
	if err := c.host.DoDeadline(req, res, time.Now().Add(within)); err != nil {
		return answer{}, err
	}
	out := answer{status: res.StatusCode(), timing: string(res.Header.Peek("Server-Timing")),
		replay: len(res.Header.Peek("Idempotent-Replayed")) > 0, body: append([]byte(nil), res.Body()...)}
	if out.status >= 400 {
		var p struct {
			Type      string `json:"type"`
			Retryable bool   `json:"retryable"`
		}
		if err := json.Unmarshal(out.body, &p); err != nil {
			return out, errors.New("an answer of 400 or more is not a problem")
		}
		out.problem, out.retry = p.Type[strings.LastIndexByte(p.Type, '/')+1:], p.Retryable
	}
	return out, nil
}

// word says in short what was answered.
func (a answer) word(err error) string {
	if err != nil {
		return "no answer: " + err.Error()
	}
	word := strings.TrimSpace(fmt.Sprintf("%d %s", a.status, a.problem))
	if a.replay {
		word += " (replayed)"
	}
	return word
}

// total returns the server's own time, from Server-Timing.
func (a answer) total() time.Duration {
	_, after, found := strings.Cut(a.timing, "total;dur=")
	if !found {
		return 0
	}
	text, _, _ := strings.Cut(after, ",")
	d, err := time.ParseDuration(strings.TrimSpace(text) + "ms")
	if err != nil {
		return 0
	}
	return d
}

// entry is a ticket that is held to a gate.
func entry(token, gate, scan, code string) ask {
	body, err := json.Marshal(struct {
		Gate   string            `json:"gate"`
		ScanID string            `json:"scan_id"`
		Ticket map[string]string `json:"ticket"`
	}{gate, scan, map[string]string{"code": code}})
	if err != nil {
		panic("BUG: a scan cannot be encoded: " + err.Error())
	}
	return ask{method: fasthttp.MethodPost, path: "/v1/attractions/" + spot + "/entries", token: token, key: uuid.NewString(), body: body}
}

// admitted is the body of a 201 to an entry.
type admitted struct {
	Journey    string   `json:"journey"`
	People     int      `json:"people"`
	Again      bool     `json:"again"`
	Pending    []string `json:"pending"`
	VerifiedBy string   `json:"verified_by"`
	Admissions []struct {
		ID   string `json:"id"`
		Unit string `json:"unit"`
	} `json:"admissions"`
}

// newTrace returns a trace id and the traceparent (W3C) that carries it.
func newTrace() (id, parent string) {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	id = hex.EncodeToString(b[:16])
	return id, "00-" + id + "-" + hex.EncodeToString(b[16:]) + "-01"
}
