// Package desk is the staff's side of the human door in a terminal: it lists, watches, claims, hands back and settles
// assists through the gateway's API.
package desk

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

const (
	answerWithin = 15 * time.Second // one request, a slow network included
	answerMost   = 4 << 20          // bytes of one answer
	tries        = 3                // of one request, under the same key
	pause        = 500 * time.Millisecond
)

// Assist is an assist as the API tells it.
type Assist struct {
	ID          string         `json:"id"`
	Seq         int64          `json:"seq"`
	Journey     string         `json:"journey"`
	Plan        string         `json:"plan"`
	Kind        string         `json:"kind"`
	Venue       string         `json:"venue"`
	Place       string         `json:"place,omitzero"` // where the citizen waits, where that is known
	State       string         `json:"state"`
	Done        []Step         `json:"done"`
	NotDone     []Step         `json:"not_done"`
	Tried       []string       `json:"tried"`
	NextAction  string         `json:"next_action"`
	Resolutions []Resolution   `json:"resolutions"`
	OpenedAt    time.Time      `json:"opened_at"`
	ReleasedAt  time.Time      `json:"released_at,omitzero"`
	ClaimedBy   string         `json:"claimed_by,omitzero"`
	ClaimedAt   time.Time      `json:"claimed_at,omitzero"`
	ResolvedBy  string         `json:"resolved_by,omitzero"`
	ResolvedAt  time.Time      `json:"resolved_at,omitzero"`
	Resolution  string         `json:"resolution,omitzero"`
	Facts       jsontext.Value `json:"facts,omitzero"`
	Result      jsontext.Value `json:"result,omitzero"`
}

// Step is something that the journey changes.
type Step struct {
	Step  string `json:"step"`
	Name  string `json:"name"` // in the language that was asked for
	Later bool   `json:"later,omitzero"`
}

// Resolution is one way to settle an assist.
type Resolution struct {
	Word string `json:"resolution"`
	Name string `json:"name"`
}

// Problem is a problem document of the gateway's: the sentence for people is its Error.
type Problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail"`
	Field      string `json:"field"`
	Retryable  bool   `json:"retryable"`
	RetryAfter int    `json:"retry_after"`
}

// Error returns the sentence, and the field at fault.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Field != "" {
		s += " (" + p.Field + ")"
	}
	return plain(s)
}

// Client speaks to one gateway as one member of staff. Safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	lang  string
	http  *http.Client
}

// NewClient returns a client of the gateway at api ("https://gateway.example"), with the language of its sentences (zh-CN
// or en). ca is a PEM file of the authorities to trust in place of the system's, "" for these.
func NewClient(api, token, lang, ca string) (*Client, error) {
	base, err := url.Parse(api)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, fmt.Errorf("%q is not an address such as https://gateway.example", api)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: answerWithin, ResponseHeaderTimeout: answerWithin,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("cannot read the authorities: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", ca)
		}
	}
	return &Client{base: base, token: token, lang: lang, http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the gateway never sends one elsewhere") }}}, nil
}

// Close closes what is open and unused.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request makes a request. A path is the API's own.
func (c *Client) request(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Request, error) {
	at := c.base.JoinPath(path)
	at.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body = http.NoBody
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept-Language", c.lang)
	return r, nil
}

// do sends a request, again where no answer comes or where it may succeed in a moment: a POST under the same key, so that
// it is done once. The answer of a 2xx is read into into.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	key := `"` + uuid.NewString() + `"`
	for try := 1; ; try++ {
		err := c.once(ctx, method, path, query, key, body, into)
		if err == nil || try == tries || ctx.Err() != nil {
			return err
		}
		wait := pause
		if p, ok := errors.AsType[*Problem](err); ok {
			if p.RetryAfter < 1 || p.RetryAfter > 5 {
				return err
			}
			wait = time.Duration(p.RetryAfter) * time.Second
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (c *Client) once(ctx context.Context, method, path string, query url.Values, key string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return problemOf(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	if err != nil {
		return unreachable(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("cannot read the gateway's answer: %w", err)
	}
	return nil
}

// unreachable says what kept an answer away, without the address's path.
func unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("cannot reach the gateway: %w", err)
}

// problemOf reads a problem; what is none, such as a balancer's page, is told by its status.
func problemOf(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	p := &Problem{}
	if err != nil || json.Unmarshal(text, p) != nil || p.Title == "" {
		return fmt.Errorf("the gateway answered %d, and no problem document", response.StatusCode)
	}
	return p
}

// List returns the assists in a state, "" for all, by the order in which they last changed.
func (c *Client) List(ctx context.Context, state string) (all []Assist, err error) {
	query := url.Values{"limit": {"100"}}
	if state != "" {
		query.Set("state", state)
	}
	for {
		var page struct {
			Assists []Assist `json:"assists"`
			Next    int64    `json:"next"`
		}
		if err := c.do(ctx, http.MethodGet, "/v1/assists", query, nil, &page); err != nil {
			return nil, err
		}
		if len(page.Assists) == 0 {
			return all, nil
		}
		all = append(all, page.Assists...)
		query.Set("after", strconv.FormatInt(page.Next, 10))
	}
}

// Unresolved returns what is open and what is claimed, the longest unchanged first.
func (c *Client) Unresolved(ctx context.Context) ([]Assist, error) {
	latest := map[string]Assist{}
	for _, state := range []string{"open", "claimed", "open"} { // what is handed back between two pages is open again
		some, err := c.List(ctx, state)
		if err != nil {
			return nil, err
		}
		for _, a := range some {
			if a.Seq > latest[a.ID].Seq {
				latest[a.ID] = a
			}
		}
	}
	return bySeq(latest), nil
}

// Get returns an assist, with its facts where the caller has claimed it.
func (c *Client) Get(ctx context.Context, id string) (a Assist, err error) {
	return a, c.do(ctx, http.MethodGet, "/v1/assists/"+url.PathEscape(id), nil, nil, &a)
}

// Claim takes an assist.
func (c *Client) Claim(ctx context.Context, id string) (a Assist, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/assists/"+url.PathEscape(id)+"/claim", nil, nil, &a)
}

// Release hands an assist back.
func (c *Client) Release(ctx context.Context, id string) (a Assist, err error) {
	return a, c.do(ctx, http.MethodPost, "/v1/assists/"+url.PathEscape(id)+"/release", nil, nil, &a)
}

// Resolve settles an assist with one of its words, a reason, and what the word needs besides: JSON, or empty.
func (c *Client) Resolve(ctx context.Context, id, word, reason string, details []byte) (a Assist, err error) {
	if len(details) == 0 {
		details = nil
	}
	body, err := json.Marshal(struct {
		Resolution string         `json:"resolution"`
		Reason     string         `json:"reason"`
		Details    jsontext.Value `json:"details,omitzero"`
	}{word, reason, details})
	if err != nil {
		return a, fmt.Errorf("the details are not JSON: %w", err)
	}
	return a, c.do(ctx, http.MethodPost, "/v1/assists/"+url.PathEscape(id)+"/resolution", nil, body, &a)
}

// Find returns the id of the unresolved assist whose id ends in end. A whole id is taken as it is.
func (c *Client) Find(ctx context.Context, end string) (string, error) {
	if uuid.Validate(end) == nil {
		return end, nil
	}
	all, err := c.Unresolved(ctx)
	if err != nil {
		return "", err
	}
	found := ""
	for _, a := range all {
		if !strings.HasSuffix(a.ID, end) {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("more than one id ends in %q: give more of it", end)
		}
		found = a.ID
	}
	if found == "" {
		return "", fmt.Errorf("no unresolved assist has an id that ends in %q: a resolved one needs its whole id", end)
	}
	return found, nil
}
