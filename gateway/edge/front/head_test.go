package front

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
)

// The reference: the same rules, written for the eye and not for speed, over a whole text.
var (
	reToken   = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	reVersion = regexp.MustCompile(`^HTTP/[0-9]\.[0-9]$`)
	reValue   = regexp.MustCompile(`^[\t\x20-\x7e\x80-\xff]*$`)
	rePath    = regexp.MustCompile(`^(/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?$`)
	reQuery   = regexp.MustCompile(`^([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$`)
	reCoded   = regexp.MustCompile(`(?i)%([01][0-9a-f]|7f|2f|5c)`)
	reDots    = regexp.MustCompile(`(?i)/(\.|%2e|\.\.|\.%2e|%2e\.|%2e%2e)?(/|$)`)
	reHost    = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]{2,}\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$`)
	reAbs     = regexp.MustCompile(`(?i)^https?://([^/?]*)(.*)$`)
)

func latin(b []byte) string { // regexp reads UTF-8; the protocol is bytes
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

type outcome struct {
	problem *gateway.Problem // nil: good, or incomplete
	end     int              // of the head; 0: incomplete
	length  int64
	method  string
	target  string // in its origin-form
}

func reference(raw []byte, headLimit int, bodyLimit int64) outcome {
	no := func(p *gateway.Problem) outcome { return outcome{problem: p} }
	start := 0
	if raw[0] == '\r' {
		if len(raw) == 1 {
			return outcome{}
		}
		if raw[1] != '\n' {
			return no(ProblemRequestLineInvalid)
		}
		start = 2
	}
	b := raw[start:]
	if len(b) == 0 {
		return outcome{}
	}
	if !reToken.MatchString(latin(b[:1])) {
		return no(ProblemRequestLineInvalid)
	}
	var o outcome
	var version, authority string
	var hosts, lengths, encodings []string
	for at, first := 0, true; ; first = false {
		i := bytes.IndexByte(b[at:], '\n')
		if (i < 0 && len(b) >= headLimit) || at+i >= headLimit {
			return no(ProblemHeadTooLarge)
		}
		if i < 0 {
			return outcome{}
		}
		line := latin(b[at : at+i])
		if at += i + 1; !strings.HasSuffix(line, "\r") {
			return no(ProblemLineEndingInvalid)
		}
		line = strings.TrimSuffix(line, "\r")
		if first {
			var p *gateway.Problem
			if o.method, o.target, version, authority, p = referenceLine(line); p != nil {
				return no(p)
			}
			continue
		}
		if line == "" {
			o.end = start + at
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			return no(ProblemHeaderFolded)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !reToken.MatchString(name) {
			return no(ProblemHeaderNameInvalid)
		}
		if !latinMatch(reValue, value) {
			return no(ProblemHeaderValueInvalid)
		}
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "host":
			if hosts = append(hosts, value); len(hosts) > 1 || !referenceHost(value) {
				return no(ProblemHostInvalid)
			}
		case "expect":
			if version == "HTTP/1.1" && strings.ToLower(value) != "100-continue" {
				return no(ProblemExpectationUnknown)
			}
		case "content-length":
			if lengths = append(lengths, value); len(lengths) > 1 || !regexp.MustCompile(`^[0-9]{1,18}$`).MatchString(value) {
				return no(ProblemFramingAmbiguous)
			}
			o.length, _ = strconv.ParseInt(value, 10, 64)
		case "transfer-encoding":
			if encodings = append(encodings, strings.ToLower(value)); len(encodings) > 1 || version == "HTTP/1.0" {
				return no(ProblemFramingAmbiguous)
			}
		}
	}
	switch {
	case len(encodings) == 1 && (len(lengths) == 1 || encodings[0] != "chunked"):
		return no(ProblemFramingAmbiguous)
	case len(encodings) == 1:
		return no(ProblemLengthRequired)
	case len(hosts) == 0 && version == "HTTP/1.0":
		return no(ProblemHTTPVersion)
	case len(hosts) == 0, authority != "" && !strings.EqualFold(authority, hosts[0]):
		return no(ProblemHostInvalid)
	case o.length > 0 && strings.Contains("GET HEAD TRACE", o.method):
		return no(ProblemBodyUnexpected)
	case o.length > bodyLimit:
		return no(ProblemBodyTooLarge)
	}
	return o
}

func latinMatch(re *regexp.Regexp, s string) bool {
	for _, r := range s { // s is Latin-1 as runes
		if r > 0xff {
			return false
		}
		if r >= 0x80 {
			continue
		}
		if !re.MatchString(string(r)) {
			return false
		}
	}
	return true
}

func referenceLine(line string) (method, target, version, authority string, p *gateway.Problem) {
	w := strings.Split(line, " ")
	if len(w) < 2 || len(w) > 3 || !reToken.MatchString(w[0]) || w[1] == "" {
		return "", "", "", "", ProblemRequestLineInvalid
	}
	method, target = w[0], w[1]
	if len(w) == 2 {
		return "", "", "", "", ProblemHTTPVersion
	}
	if version = w[2]; version != "HTTP/1.1" && version != "HTTP/1.0" {
		if reVersion.MatchString(version) {
			return "", "", "", "", ProblemHTTPVersion
		}
		return "", "", "", "", ProblemRequestLineInvalid
	}
	if !strings.Contains(" GET HEAD POST PUT PATCH DELETE OPTIONS TRACE ", " "+method+" ") {
		return "", "", "", "", ProblemMethodUnknown
	}
	if m := reAbs.FindStringSubmatch(target); m != nil {
		if authority, target = m[1], m[2]; !referenceHost(authority) {
			return "", "", "", "", ProblemTargetInvalid
		}
	} else if target[0] != '/' {
		return "", "", "", "", ProblemTargetInvalid
	}
	path, query, _ := strings.Cut(target, "?")
	// What is wrong first counts: cut the path at its first fault of each kind.
	if p = referencePath(path); p == nil && !reQuery.MatchString(query) {
		p = ProblemTargetInvalid
	}
	if path == "" {
		target = "/" + target
	}
	return method, target, version, authority, p
}

// referencePath finds the shortest beginning of the path that is wrong, and what is wrong with it.
func referencePath(path string) *gateway.Problem {
	if path == "" {
		return nil
	}
	for n := 1; n <= len(path); n++ {
		part := path[:n]
		switch {
		case reCoded.MatchString(part):
			return ProblemPathEncoded
		case reDotsInside(part):
			return ProblemPathDotSegment
		case !rePath.MatchString(part) && !(n < len(path) && rePath.MatchString(path[:n+1])) && !(n+1 < len(path) && rePath.MatchString(path[:n+2])):
			return ProblemTargetInvalid
		}
	}
	if last := path[strings.LastIndexByte(path, '/'):]; last != "/" && reDots.MatchString(last) {
		return ProblemPathDotSegment
	}
	return nil
}

// reDotsInside reports a dot segment or an empty one that a slash has ended.
func reDotsInside(part string) bool {
	m := reDots.FindAllStringIndex(part, -1)
	for _, at := range m {
		if at[1]-at[0] > 1 && part[at[1]-1] == '/' {
			return true
		}
	}
	return false
}

func referenceHost(h string) bool {
	m := reHost.FindStringSubmatch(h)
	if m == nil || len(h) > 261 {
		return false
	}
	if port, _ := strconv.Atoi(strings.TrimPrefix(m[2], ":")); port > 65535 {
		return false
	}
	if h[0] == '[' {
		n := strings.Count(m[1], ":")
		return n >= 2 && n <= 7
	}
	return h[0] != '.' && !strings.Contains(h, "..")
}

const testHeadLimit, testBodyLimit = 512, 1000

// read feeds raw to a head in pieces of the given sizes (and the rest in one).
func read(raw []byte, sizes []byte) (head, verdict) {
	var h head
	cfg := Defaults()
	h.begin(newRefusals(cfg), testHeadLimit, testBodyLimit)
	for n := 0; ; sizes = sizes[1:] {
		if len(sizes) == 0 {
			return h, h.feed(raw)
		}
		if n += int(sizes[0]) + 1; n >= len(raw) {
			return h, h.feed(raw)
		}
		if v := h.feed(raw[:n]); v != more {
			return h, v
		}
	}
}

func compare(t testing.TB, raw []byte, sizes []byte) {
	t.Helper()
	if len(raw) == 0 {
		return
	}
	h, v := read(raw, sizes)
	want := reference(raw, testHeadLimit, testBodyLimit)
	switch {
	case want.problem != nil:
		if v != refused || h.why.Problem != want.problem {
			t.Fatalf("%q in %v: verdict %d, %v; want %s", raw, sizes, v, h.why, want.problem.Type)
		}
		return
	case want.end == 0:
		if v != more {
			t.Fatalf("%q in %v: verdict %d, %v; want more", raw, sizes, v, h.why)
		}
		return
	case v != good || h.end != want.end || h.length != want.length:
		t.Fatalf("%q in %v: verdict %d, %v, end %d, length %d; want good, %d, %d", raw, sizes, v, h.why, h.end, h.length, want.end, want.length)
	}
	b := bytes.Clone(raw)
	from := h.plain(b)
	line, _, _ := strings.Cut(string(b[from:h.end]), " HTTP/")
	if line != want.method+" "+want.target {
		t.Fatalf("%q is handed on as %q, want %q", raw, line, want.method+" "+want.target)
	}
	var req fasthttp.RequestHeader // what it takes, fasthttp reads the same way
	if err := req.Read(bufio.NewReader(bytes.NewReader(b[from:h.end]))); err != nil {
		t.Fatalf("%q: fasthttp refuses it: %v", raw, err)
	}
	if n := max(int64(req.ContentLength()), 0); n != want.length || string(req.Method()) != want.method || string(req.RequestURI()) != want.target {
		t.Fatalf("%q: fasthttp reads %s %s, length %d", raw, req.Method(), req.RequestURI(), n)
	}
}

func FuzzHead(f *testing.F) {
	for _, row := range refusedRows {
		if len(row.in) < 1000 {
			f.Add([]byte(row.in), []byte{3, 20})
		}
	}
	for _, row := range takenRows {
		if len(row.in) < 1000 {
			f.Add([]byte(row.in), []byte{40, 1, 1})
		}
	}
	f.Fuzz(func(t *testing.T, raw, sizes []byte) { compare(t, raw, sizes) })
}

// Requests built of likely pieces, right and wrong ones, cut anywhere: 10,000 of them against the reference.
func TestHeadAgainstTheReference(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	often := func(usual string, s ...string) string {
		if r.IntN(5) > 0 {
			return usual
		}
		return pick(s...)
	}
	counts := map[string]int{}
	expected := []string{"good", "incomplete", "request-line-invalid", "line-ending-invalid", "header-name-invalid",
		"header-folded", "header-value-invalid", "host-invalid", "framing-ambiguous", "target-invalid", "path-encoded",
		"path-dot-segment", "body-unexpected", "expectation-unknown", "length-required", "head-too-large", "method-unknown", "http-version"}
	missing := func() bool {
		return slices.ContainsFunc(expected, func(p string) bool { return counts[p] == 0 })
	}
	for n := 0; n < 10_000 || missing() && n < 300_000; n++ { // the rarest outcome is one in some ten thousand
		var b strings.Builder
		b.WriteString(often("", "\r\n", "\n", "\r", "\r\n\r\n"))
		b.WriteString(often(pick("GET", "POST", "HEAD", "DELETE", "TRACE"), "get", "X", "G\x00", "CONNECT", ""))
		b.WriteString(often(" ", "  ", "\t", ""))
		b.WriteString(often("/", "", "http://a", "https://A:1/", "*", "ftp://a/", "//"))
		for range r.IntN(4) {
			b.WriteString(often("v1", "/", ".", "..", "%2e", "%2F", "%5c", "%00", "%41", "%", "%4", "\\", "é", "#", "?", "?a=b", "?%", "[", ";x"))
			b.WriteString(pick("/", "/", ""))
		}
		b.WriteString(often(" ", "  ", ""))
		b.WriteString(often("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", ""))
		end := func() { b.WriteString(often("\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n")) }
		end()
		for range r.IntN(5) {
			b.WriteString(often(pick("Host", "host", "Content-Length", "X-A", "Expect", "Transfer-Encoding"), "Host ", " Host", "X Y", "", "\tX", "X\x00"))
			b.WriteString(often(":", ": ", ":\t ", ""))
			b.WriteString(pick("a", "A:1", "5", "1001", "chunked", "100-continue", "", "a\x00", "\x7f", "a b", "[::1]:9", "é", "7\t", strings.Repeat("p", r.IntN(500))))
			end()
		}
		b.WriteString(often("\r\n", "", "\n", "\r\n\r\n"))
		sizes := make([]byte, r.IntN(8))
		for i := range sizes {
			sizes[i] = byte(r.IntN(60))
		}
		raw := []byte(b.String())
		if len(raw) == 0 {
			continue
		}
		compare(t, raw, sizes)
		o := reference(raw, testHeadLimit, testBodyLimit)
		switch {
		case o.problem != nil:
			counts[o.problem.Type]++
		case o.end > 0:
			counts["good"]++
		default:
			counts["incomplete"]++
		}
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}
	for _, p := range expected {
		if counts[p] == 0 {
			t.Errorf("no head came to %s: %v (seed %d)", p, counts, seed)
		}
	}
}

func TestValuesByteByByte(t *testing.T) {
	for size := 1; size <= 20; size++ {
		for at := range size {
			for c := range 256 {
				value := bytes.Repeat([]byte("v"), size)
				value[at] = byte(c)
				if want := c == '\t' || c >= ' ' && c != 0x7f; isValue(value) != want {
					t.Fatalf("%q: %v, want %v", value, !want, want)
				}
			}
		}
	}
}

// A line without an end is refused as soon as it cannot end within the limit, and not a byte sooner.
func TestTheLimitOfAnUnfinishedHead(t *testing.T) {
	for _, before := range []string{"", "\r\n"} {
		raw := []byte(before + "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", testHeadLimit))
		n := testHeadLimit + len(before)
		compare(t, raw[:n-1], nil)
		compare(t, raw[:n], nil)
		if _, v := read(raw[:n-1], nil); v != more {
			t.Errorf("%d bytes: verdict %d", n-1, v)
		}
		if _, v := read(raw[:n], nil); v != refused {
			t.Errorf("%d bytes: verdict %d", n, v)
		}
	}
}

// browserHead is a head of the usual size.
var browserHead = []byte("POST /v1/attractions/west-lake/entries HTTP/1.1\r\nHost: gate.example.com\r\nUser-Agent: turnstile/4.2\r\n" +
	"Authorization: Bearer " + strings.Repeat("eyJhbGciOiJFZERTQSJ9", 20) + "\r\nContent-Type: application/json\r\n" +
	"Content-Length: 96\r\nIdempotency-Key: \"0195e7b2-6f1c-7d0e-8a51-3f3f1e0f9d11\"\r\nAccept-Language: zh-CN\r\nAccept: application/json\r\n\r\n")

func TestJudgingAHeadAllocatesNothing(t *testing.T) {
	rules := newRefusals(Defaults())
	var h head
	bad := []byte("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n")
	n := testing.AllocsPerRun(1000, func() {
		h.begin(rules, 8192, 65536)
		if h.feed(browserHead) != good {
			t.Fatal(h.why)
		}
		h.begin(rules, 8192, 65536)
		if h.feed(bad) != refused {
			t.Fatal("taken")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHead(b *testing.B) {
	rules := newRefusals(Defaults())
	for _, size := range []struct {
		name string
		head []byte
	}{{"small", []byte(get("/v1/rooms"))}, {"usual", browserHead}} {
		b.Run(fmt.Sprintf("%s-%d", size.name, len(size.head)), func(b *testing.B) {
			b.SetBytes(int64(len(size.head)))
			b.ReportAllocs()
			var h head
			for b.Loop() {
				h.begin(rules, 8192, 65536)
				if h.feed(size.head) != good {
					b.Fatal(h.why)
				}
			}
		})
	}
}
