package twin

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What follows is how a twin reads what it was sent. It is stricter than most systems are, so that a client that has drifted
// from the interface is seen; each twin says so in its own interface's words. No error repeats a value that was sent.

// JSON is the media type of most interfaces.
const JSON = "application/json"

// Match reports whether a path fits a pattern, and returns its segments for those of the pattern that are {}: none of them is
// empty. Both begin with a slash.
func Match(pattern, path string) (args []string, ok bool) {
	for more := true; more; {
		var want, got string
		var another bool
		want, pattern, more = strings.Cut(pattern, "/")
		got, path, another = strings.Cut(path, "/")
		switch {
		case more != another:
			return nil, false
		case want == "{}" && got != "":
			args = append(args, got)
		case want != got:
			return nil, false
		}
	}
	return args, true
}

// CheckDeadline refuses a header X-Request-Timeout-Ms that says no time; it may be left out.
func CheckDeadline(h http.Header) error {
	if left := h.Get("X-Request-Timeout-Ms"); left != "" {
		if ms, err := strconv.Atoi(left); err != nil || ms < 1 {
			return errors.New("the header X-Request-Timeout-Ms is not a positive number of milliseconds")
		}
	}
	return nil
}

// ReadQuery reads a query that has no other parameters than known ones, each once and with a value.
func ReadQuery(u *url.URL, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the query is malformed")
	}
	for name, values := range query {
		if !slices.Contains(known, name) || len(values) != 1 || values[0] == "" {
			return nil, fmt.Errorf("the query parameter %s is unknown, empty or repeated", name)
		}
	}
	return query, nil
}

// ErrMediaType is the cause of an error of ReadBody where the body is of another media type.
var ErrMediaType = errors.New("the Content-Type is not")

// ReadBody reads the body of a request whose media type is kind; "": it has none.
func ReadBody(r *http.Request, kind string) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return nil, errors.New("the body is cut off")
	case kind == "" && len(body) > 0:
		return nil, errors.New("this operation takes no body")
	case kind != "" && !IsType(r.Header, kind):
		return nil, fmt.Errorf("%w %s", ErrMediaType, kind)
	}
	return body, nil
}

// IsType reports whether the Content-Type is a media type, whatever its parameters.
func IsType(h http.Header, kind string) bool {
	got, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && got == kind
}

// ReadObject fills out from a JSON object without unknown or duplicate members, each of its own type. With the error goes the
// member at fault as a JSON Pointer (RFC 6901); "" where none is.
func ReadObject(body []byte, out any) (field string, err error) {
	if jsontext.Value(body).Kind() == '{' {
		err := json.Unmarshal(body, out, json.RejectUnknownMembers(true))
		if err == nil {
			return "", nil
		}
		if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
			return string(wrong.JSONPointer), fmt.Errorf("the body does not fit the schema at %s: an unknown member, or one of another type", wrong.JSONPointer)
		}
	}
	return "", errors.New("the body is not one JSON object in UTF-8 without duplicate members")
}

// By names a request in the books: by its traceparent (W3C Trace Context), or where it has none that can be kept by its number n.
func By(traceparent string, n uint64) string {
	if traceparent != "" && len(traceparent) <= 64 {
		return traceparent
	}
	return strconv.FormatUint(n, 10)
}

// WriteJSON answers v as JSON, members in a stable order; kind is the media type.
func WriteJSON(w http.ResponseWriter, status int, kind string, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		http.Error(w, "the twin cannot write its answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
