package front

import "github.com/warmgate/warmgate/gateway"

// The front's own refusals (DESIGN: the strict front). Each closes the connection. Values are never changed.
var (
	ProblemRequestLineInvalid = &gateway.Problem{Type: "request-line-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求行格式不正确", En: "The request line is malformed"}}
	ProblemLineEndingInvalid = &gateway.Problem{Type: "line-ending-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求头的行必须以 CRLF 结尾", En: "Every line of the request's head must end in CRLF"}}
	ProblemHeaderNameInvalid = &gateway.Problem{Type: "header-name-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求头字段名不合法", En: "A header field's name is malformed"}}
	ProblemHeaderFolded = &gateway.Problem{Type: "header-folded", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求头字段不得折行", En: "A header field must not be folded over lines"}}
	ProblemHeaderValueInvalid = &gateway.Problem{Type: "header-value-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求头字段值含有控制字符", En: "A header field's value holds a control character"}}
	ProblemHostInvalid = &gateway.Problem{Type: "host-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求必须有且只有一个合法的 Host", En: "The request must have exactly one valid Host"}}
	ProblemFramingAmbiguous = &gateway.Problem{Type: "framing-ambiguous", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求体的长度不明确", En: "Where the request's body ends is ambiguous"}}
	ProblemTargetInvalid = &gateway.Problem{Type: "target-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求的地址不合法", En: "The request's address is malformed"}}
	ProblemPathEncoded = &gateway.Problem{Type: "path-encoded", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "路径中不得含有编码的斜杠或控制字符", En: "The path must not hold an encoded slash or control character"}}
	ProblemPathDotSegment = &gateway.Problem{Type: "path-dot-segment", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "路径中不得含有点段或空段", En: "The path must not hold a dot segment or an empty segment"}}
	ProblemBodyUnexpected = &gateway.Problem{Type: "body-unexpected", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "此类请求不得带有内容", En: "A request of this method must not have a body"}}
	ProblemBodyIncomplete = &gateway.Problem{Type: "body-incomplete", Kind: gateway.BadRequest, Retryable: true, Title: gateway.Text{
		Zh: "请求内容不完整", En: "The request's body ended early"}}
	ProblemExpectationUnknown = &gateway.Problem{Type: "expectation-unknown", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "不支持此 Expect", En: "This expectation is not known; only 100-continue is"}}
	ProblemClientTooSlow = &gateway.Problem{Type: "client-too-slow", Kind: gateway.Timeout, Retryable: true, Title: gateway.Text{
		Zh: "请求没有在规定时间内到达，请重试", En: "The request did not arrive in time; please try again"}}
	ProblemLengthRequired = &gateway.Problem{Type: "length-required", Kind: gateway.LengthRequired, Title: gateway.Text{
		Zh: "请用 Content-Length 说明内容长度，不支持分块传输", En: "Send the body with a Content-Length; chunked bodies are not taken"}}
	ProblemBodyTooLarge = &gateway.Problem{Type: "body-too-large", Kind: gateway.TooLarge, Title: gateway.Text{
		Zh: "请求内容过大", En: "The request's body is too large"}}
	ProblemTooManyConnections = &gateway.Problem{Type: "too-many-connections", Kind: gateway.TooMany, Retryable: true, Title: gateway.Text{
		Zh: "来自此地址的连接过多，请稍后再试", En: "There are too many connections from this address; please try again shortly"}}
	ProblemHeadTooLarge = &gateway.Problem{Type: "head-too-large", Kind: gateway.HeadTooLarge, Title: gateway.Text{
		Zh: "请求头过大", En: "The request's head is too large"}}
	ProblemMethodUnknown = &gateway.Problem{Type: "method-unknown", Kind: gateway.NotImplemented, Title: gateway.Text{
		Zh: "不支持此请求方法", En: "This method is not known here"}}
	ProblemConnectionsFull = &gateway.Problem{Type: "connections-full", Kind: gateway.Unavailable, Retryable: true, Title: gateway.Text{
		Zh: "系统繁忙，请稍后再试", En: "We are very busy; please try again shortly"}}
	ProblemHTTPVersion = &gateway.Problem{Type: "http-version", Kind: gateway.VersionUnknown, Title: gateway.Text{
		Zh: "只支持 HTTP/1.1，以及带 Host 的 HTTP/1.0", En: "Only HTTP/1.1 is spoken here, and HTTP/1.0 with a Host"}}
)

// Problems returns every problem that the front refuses with, in a stable order: for a published catalogue and for
// metrics that want each type to exist from the start.
func Problems() []*gateway.Problem {
	return []*gateway.Problem{
		ProblemRequestLineInvalid, ProblemLineEndingInvalid, ProblemHeaderNameInvalid, ProblemHeaderFolded,
		ProblemHeaderValueInvalid, ProblemHostInvalid, ProblemFramingAmbiguous, ProblemTargetInvalid, ProblemPathEncoded,
		ProblemPathDotSegment, ProblemBodyUnexpected, ProblemBodyIncomplete, ProblemExpectationUnknown,
		ProblemClientTooSlow, ProblemLengthRequired, ProblemBodyTooLarge, ProblemTooManyConnections, ProblemHeadTooLarge,
		ProblemMethodUnknown, ProblemConnectionsFull, ProblemHTTPVersion,
	}
}

// refusals are the occurrences of the front's problems under one configuration, built once: refusing a request
// allocates nothing for its reason.
type refusals struct {
	requestLine, lineEnding, headerName, headerFolded, headerValue, host, framing, target, pathEncoded, pathDot,
	bodyUnexpected, bodyIncomplete, expectation, slow, length, bodySize, addressFull, headSize, method, full,
	version, internal *gateway.Error
}

func newRefusals(cfg Config) *refusals {
	plain := func(p *gateway.Problem) *gateway.Error { return &gateway.Error{Problem: p} }
	return &refusals{
		requestLine:    plain(ProblemRequestLineInvalid),
		lineEnding:     plain(ProblemLineEndingInvalid),
		headerName:     plain(ProblemHeaderNameInvalid),
		headerFolded:   plain(ProblemHeaderFolded),
		headerValue:    plain(ProblemHeaderValueInvalid),
		host:           plain(ProblemHostInvalid).WithField("header Host"),
		framing:        plain(ProblemFramingAmbiguous).WithField("header Content-Length"),
		target:         plain(ProblemTargetInvalid),
		pathEncoded:    plain(ProblemPathEncoded),
		pathDot:        plain(ProblemPathDotSegment),
		bodyUnexpected: plain(ProblemBodyUnexpected),
		bodyIncomplete: plain(ProblemBodyIncomplete),
		expectation:    plain(ProblemExpectationUnknown).WithField("header Expect"),
		slow:           plain(ProblemClientTooSlow).With("limit_ms", cfg.ReadTimeout.Milliseconds()),
		length:         plain(ProblemLengthRequired).WithField("header Transfer-Encoding"),
		bodySize:       plain(ProblemBodyTooLarge).With("limit_bytes", cfg.BodyLimit),
		addressFull:    plain(ProblemTooManyConnections).WithRetryAfter(turnedAwayRetry),
		headSize:       plain(ProblemHeadTooLarge).With("limit_bytes", cfg.HeadLimit),
		method:         plain(ProblemMethodUnknown),
		full:           plain(ProblemConnectionsFull).WithRetryAfter(turnedAwayRetry),
		version:        plain(ProblemHTTPVersion),
		internal:       plain(gateway.ProblemInternal),
	}
}
