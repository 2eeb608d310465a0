package front

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/gateway"
)

// pad returns a GET whose head is exactly n bytes long.
func pad(n int) string {
	head := "GET /padded HTTP/1.1\r\nHost: a\r\nX-Pad: %s\r\n\r\n"
	return fmt.Sprintf(head, strings.Repeat("x", n-len(head)+2))
}

func post(headers, body string) string {
	return "POST /p HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body
}

func get(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" }

func field(line string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n" }

func host(lines string) string { return "GET / HTTP/1.1\r\n" + lines + "\r\n" }

// smuggled stands after a refused request: it must never be answered.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

// refusedRows are bytes in, and the problem out. Every one closes the connection.
var refusedRows = []struct {
	name string
	in   string
	want *gateway.Problem
}{
	// versions
	{"HTTP/0.9", "GET /\r\n", ProblemHTTPVersion},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", ProblemHTTPVersion},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", ProblemHTTPVersion},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ProblemHTTPVersion},
	{"HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", ProblemHTTPVersion},
	{"lower-case http", "GET / http/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"no version number", "GET / HTTP\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},

	// request line and methods
	{"lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemMethodUnknown},
	{"mixed-case method", "Post / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemMethodUnknown},
	{"unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemMethodUnknown},
	{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", ProblemMethodUnknown},
	{"method not a token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"double space after method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"double space before version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"space after version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"tabs", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"leading bare LF", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"TLS greeting on plain HTTP", "\x16\x03\x01\x02\x00\x01\x00", ProblemRequestLineInvalid},
	{"PROXY v1 from nobody trusted", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"PROXY v2 from nobody trusted", proxyV2Sig + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02" + smuggled, ProblemRequestLineInvalid},

	// line endings
	{"bare LF after request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", ProblemLineEndingInvalid},
	{"bare LF after header", "GET / HTTP/1.1\r\nHost: a\n\r\n", ProblemLineEndingInvalid},
	{"bare LF as empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", ProblemLineEndingInvalid},
	{"all bare LF", "GET / HTTP/1.1\nHost: a\n\n", ProblemLineEndingInvalid},
	{"bare CR in value", field("X: a\rb"), ProblemHeaderValueInvalid},
	{"bare CR ends line", "GET / HTTP/1.1\rHost: a\r\n\r\n", ProblemRequestLineInvalid},
	{"CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", ProblemHeaderValueInvalid},

	// header fields
	{"space before colon", field("X : a"), ProblemHeaderNameInvalid},
	{"tab before colon", field("X\t: a"), ProblemHeaderNameInvalid},
	{"space in name", field("X Y: a"), ProblemHeaderNameInvalid},
	{"space before colon of framing", post("Content-Length : 5\r\n", "hello"), ProblemHeaderNameInvalid},
	{"no colon", field("X"), ProblemHeaderNameInvalid},
	{"empty name", field(": a"), ProblemHeaderNameInvalid},
	{"NUL in name", field("X\x00Y: a"), ProblemHeaderNameInvalid},
	{"non-ASCII name", field("Xé: a"), ProblemHeaderNameInvalid},
	{"folded by space", field("X: a\r\n b"), ProblemHeaderFolded},
	{"folded by tab", field("X: a\r\n\tb"), ProblemHeaderFolded},
	{"folded framing", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), ProblemHeaderFolded},
	{"space before first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", ProblemHeaderFolded},
	{"NUL in value", field("X: a\x00b"), ProblemHeaderValueInvalid},
	{"NUL in long value", field("X: aaaaaaaaaaaaaaaaaaaaaa\x00b"), ProblemHeaderValueInvalid},
	{"DEL in value", field("X: aaaaaaaaaaaa\x7fb"), ProblemHeaderValueInvalid},
	{"ESC in value", field("X: \x1b[0m"), ProblemHeaderValueInvalid},

	// Host
	{"no Host", "GET / HTTP/1.1\r\nX: a\r\n\r\n", ProblemHostInvalid},
	{"two Hosts", host("Host: a\r\nHost: b\r\n"), ProblemHostInvalid},
	{"the same Host twice", host("Host: a\r\nhost: a\r\n"), ProblemHostInvalid},
	{"empty Host", host("Host:\r\n"), ProblemHostInvalid},
	{"Host with a user", host("Host: u@a\r\n"), ProblemHostInvalid},
	{"Host with a path", host("Host: a/b\r\n"), ProblemHostInvalid},
	{"Host list", host("Host: a, b\r\n"), ProblemHostInvalid},
	{"Host with a space", host("Host: a b\r\n"), ProblemHostInvalid},
	{"Host percent-encoded", host("Host: a%2eb\r\n"), ProblemHostInvalid},
	{"Host with an empty label", host("Host: a..b\r\n"), ProblemHostInvalid},
	{"Host with a leading dot", host("Host: .a\r\n"), ProblemHostInvalid},
	{"Host with a bad port", host("Host: a:http\r\n"), ProblemHostInvalid},
	{"Host with an empty port", host("Host: a:\r\n"), ProblemHostInvalid},
	{"Host with a high port", host("Host: a:65536\r\n"), ProblemHostInvalid},
	{"Host with an open bracket", host("Host: [::1\r\n"), ProblemHostInvalid},
	{"Host with rubbish in brackets", host("Host: [zz::]\r\n"), ProblemHostInvalid},
	{"HTTP/1.0 with two Hosts", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", ProblemHostInvalid},

	// targets
	{"absolute-form of another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", ProblemHostInvalid},
	{"absolute-form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", ProblemTargetInvalid},
	{"absolute-form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", ProblemTargetInvalid},
	{"absolute-form without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", ProblemTargetInvalid},
	{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ProblemTargetInvalid},
	{"authority-form", get("a:80"), ProblemTargetInvalid},
	{"fragment", get("/a#b"), ProblemTargetInvalid},
	{"raw backslash", get(`/a\b`), ProblemTargetInvalid},
	{"raw NUL", get("/a\x00b"), ProblemTargetInvalid},
	{"raw non-ASCII", get("/é"), ProblemTargetInvalid},
	{"raw quote in the query", get(`/?q="`), ProblemTargetInvalid},
	{"cut percent", get("/a%2"), ProblemTargetInvalid},
	{"bad percent", get("/%zz"), ProblemTargetInvalid},
	{"bad percent in the query", get("/?a=%g0"), ProblemTargetInvalid},
	{"encoded NUL", get("/a%00"), ProblemPathEncoded},
	{"encoded slash", get("/a%2fb"), ProblemPathEncoded},
	{"encoded slash, capital", get("/a%2Fb"), ProblemPathEncoded},
	{"encoded backslash", get("/a%5cb"), ProblemPathEncoded},
	{"encoded CR", get("/a%0d"), ProblemPathEncoded},
	{"encoded slash in the absolute-form", get("http://a/x%2fy"), ProblemPathEncoded},
	{"dot", get("/./a"), ProblemPathDotSegment},
	{"dot dot", get("/a/../b"), ProblemPathDotSegment},
	{"dot dot at the end", get("/a/.."), ProblemPathDotSegment},
	{"dot at the end before a query", get("/a/.?x"), ProblemPathDotSegment},
	{"encoded dot dot", get("/a/%2e%2E/b"), ProblemPathDotSegment},
	{"half-encoded dot dot", get("/a/.%2e/b"), ProblemPathDotSegment},
	{"encoded dot", get("/%2e/b"), ProblemPathDotSegment},
	{"empty segment", get("/a//b"), ProblemPathDotSegment},
	{"network path", get("//evil/b"), ProblemPathDotSegment},

	// framing
	{"CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"), ProblemFramingAmbiguous},
	{"TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "1\r\nG\r\n0\r\n\r\n"), ProblemFramingAmbiguous},
	{"TE.TE", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), ProblemFramingAmbiguous},
	{"TE twice", post("Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n", "0\r\n\r\n"), ProblemFramingAmbiguous},
	{"TE unknown", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), ProblemFramingAmbiguous},
	{"TE quoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), ProblemFramingAmbiguous},
	{"TE identity", post("Transfer-Encoding: identity\r\n", ""), ProblemFramingAmbiguous},
	{"TE empty", post("Transfer-Encoding:\r\n", ""), ProblemFramingAmbiguous},
	{"TE with vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), ProblemHeaderValueInvalid},
	{"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ProblemFramingAmbiguous},
	{"two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), ProblemFramingAmbiguous},
	{"the same length twice", post("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"), ProblemFramingAmbiguous},
	{"length list", post("Content-Length: 5, 5\r\n", "hello"), ProblemFramingAmbiguous},
	{"signed length", post("Content-Length: +5\r\n", "hello"), ProblemFramingAmbiguous},
	{"negative length", post("Content-Length: -1\r\n", ""), ProblemFramingAmbiguous},
	{"hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), ProblemFramingAmbiguous},
	{"fractional length", post("Content-Length: 5.0\r\n", "hello"), ProblemFramingAmbiguous},
	{"empty length", post("Content-Length:\r\n", ""), ProblemFramingAmbiguous},
	{"length out of range", post("Content-Length: 99999999999999999999\r\n", ""), ProblemFramingAmbiguous},
	{"body of a GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", ProblemBodyUnexpected},
	{"chunked", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), ProblemLengthRequired},
	{"chunked in capitals", post("Transfer-Encoding:\tCHUNKED \r\n", "0\r\n\r\n"), ProblemLengthRequired},
	{"chunked GET", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ProblemLengthRequired},
	{"body one byte over", post("Content-Length: 65537\r\n", strings.Repeat("b", 65537)), ProblemBodyTooLarge},
	{"body one byte over, announced", post("Content-Length: 65537\r\nExpect: 100-continue\r\n", ""), ProblemBodyTooLarge},
	{"unknown expectation", post("Content-Length: 1\r\nExpect: magic\r\n", ""), ProblemExpectationUnknown},
	{"head one byte over", pad(8193), ProblemHeadTooLarge},
	{"endless request line", "GET /" + strings.Repeat("a", 9000), ProblemHeadTooLarge},
	{"endless header line", field("X: " + strings.Repeat("a", 9000)), ProblemHeadTooLarge},
}

func TestRefused(t *testing.T) {
	r := start(t, testConfig(), echo)
	seen := map[string]bool{}
	for _, row := range refusedRows {
		t.Run(row.name, func(t *testing.T) {
			if seen[row.name] {
				t.Fatal("this name is used twice")
			}
			seen[row.name] = true
			c := r.dial(t)
			c.send(row.in + smuggled)
			a := c.answer("GET")
			if !isProblem(a, row.want) {
				t.Errorf("got %d %s, want %s", a.status, a.body, row.want.Type)
			}
			if !a.close || !c.ended() {
				t.Error("the connection goes on")
			}
			if s := a.header.Get("Server"); s != "" {
				t.Errorf("it says who it is: %s", s)
			}
		})
	}
	refused := int64(0)
	for _, n := range r.Stats().Refused() {
		refused += n
	}
	if want := int64(len(refusedRows)); refused != want {
		t.Errorf("%d refusals counted, want %d", refused, want)
	}
}

// takenRows are requests that reach the handler, what it is shown, and whether the connection goes on.
var takenRows = []struct {
	name string
	in   string
	want string
	kept bool
}{
	{"GET", get("/a/b?c=d&e=%20%2f%00"), "GET /a/b?c=d&e=%20%2f%00 0", true},
	{"path of all characters", get("/-._~!$&'()*+,;=:@%20%E4%BD%A0/"), "GET /-._~!$&'()*+,;=:@%20%E4%BD%A0/ 0", true},
	{"dots in names", get("/.well-known/a..b/...?../."), "GET /.well-known/a..b/...?../. 0", true},
	{"HTTP/1.0 with Host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / 0", false},
	{"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "GET / 0", true},
	{"HTTP/1.0 expecting", "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi", "POST / 2", true},
	{"asked to close", field("Connection: close"), "GET / 0", false},
	{"one empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 0", true},
	{"POST", post("Content-Length: 5\r\n", "hello"), "POST /p 5", true},
	{"POST without a body", post("", ""), "POST /p 0", true},
	{"POST of 64 KiB", post("Content-Length: 65536\r\n", strings.Repeat("b", 65536)), "POST /p 65536", true},
	{"multipart stays raw", post("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5\r\n", "hello"), "POST /p 5", true},
	{"leading zeros of a length", post("Content-Length: 005\r\n", "hello"), "POST /p 5", true},
	{"GET of length 0", field("Content-Length: 0"), "GET / 0", true},
	{"DELETE with a body", "DELETE /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "DELETE /p 1", true},
	{"TRACE is the router's", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "TRACE / 0", true},
	{"head of 8 KiB", pad(8192), "GET /padded 0", true},
	{"head of 8 KiB after an empty line", "\r\n" + pad(8192), "GET /padded 0", true},
	{"absolute-form", get("http://a/x?y"), "GET /x?y 0", true},
	{"absolute-form, capitals", get("HTTPS://A/x"), "GET /x 0", true},
	{"absolute-form of the root", get("http://a"), "GET / 0", true},
	{"absolute-form of a query", get("http://a?q=/x"), "GET /?q=/x 0", true},
	{"absolute-form with a port", "GET http://a:81/ HTTP/1.1\r\nHost: a:81\r\n\r\n", "GET / 0", true},
	{"Host: IPv4 and port", host("Host: 127.0.0.1:8080\r\n"), "GET / 0", true},
	{"Host: IPv6", host("Host: [2001:db8::1]\r\n"), "GET / 0", true},
	{"Host: IPv6 and port", host("Host: [::1]:443\r\n"), "GET / 0", true},
	{"obs-text and tabs in a value", field("X:\ta\t\xe4\xbd\xa0 b \t"), "GET / 0", true},
	{"empty value", field("X:"), "GET / 0", true},
}

func TestTaken(t *testing.T) {
	r := start(t, testConfig(), echo)
	for _, row := range takenRows {
		t.Run(row.name, func(t *testing.T) {
			c := r.dial(t)
			c.send(row.in)
			a := c.answer("GET")
			if want := row.want + " 127.0.0.1"; a.status != 200 || a.body != want {
				t.Errorf("got %d %.200q, want %q", a.status, a.body, want)
			}
			if row.kept && !c.kept() {
				t.Error("the connection does not go on")
			}
			if !row.kept && !c.ended() {
				t.Error("the connection goes on")
			}
			if s := a.header.Get("Server"); s != "" {
				t.Errorf("it says who it is: %s", s)
			}
		})
	}
}
