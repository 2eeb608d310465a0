package edge

import "github.com/warmgate/warmgate/gateway"

// The problems of this package. Values are never changed. Flows use the Field problems for their own validation.
var (
	// ProblemRouteUnknown: there is nothing at this path.
	ProblemRouteUnknown = &gateway.Problem{Type: "route-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有这个接口", En: "There is nothing at this address"}}
	// ProblemMethodNotAllowed: the path is known under other methods.
	ProblemMethodNotAllowed = &gateway.Problem{Type: "method-not-allowed", Kind: gateway.MethodUnknown, Title: gateway.Text{
		Zh: "此接口不支持该方法", En: "This address does not take that method"}}
	// ProblemQueryInvalid: a query parameter that the call does not take, or one that came twice.
	ProblemQueryInvalid = &gateway.Problem{Type: "query-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "查询参数有误", En: "The query of the address is not right"}}
	// ProblemHeaderInvalid: a header that the call reads is ill-formed.
	ProblemHeaderInvalid = &gateway.Problem{Type: "header-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求头有误", En: "A request header is not right"}}
	// ProblemMediaTypeUnknown: the body is not what the call takes.
	ProblemMediaTypeUnknown = &gateway.Problem{Type: "media-type-unknown", Kind: gateway.Unsupported, Title: gateway.Text{
		Zh: "不支持该内容类型", En: "The body has a media type that is not taken here"}}
	// ProblemBodyMalformed: the body is not one well-formed JSON value (RFC 8259).
	ProblemBodyMalformed = &gateway.Problem{Type: "body-malformed", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求内容不是有效的 JSON", En: "The body is not well-formed JSON"}}
	// ProblemBodyTooDeep: the body has more levels than any call needs.
	ProblemBodyTooDeep = &gateway.Problem{Type: "body-too-deep", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "请求内容嵌套过深", En: "The body is nested too deeply"}}
	// ProblemFieldDuplicate: an object names a field twice.
	ProblemFieldDuplicate = &gateway.Problem{Type: "field-duplicate", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "字段重复", En: "A field is there twice"}}
	// ProblemFieldUnknown: a field that the call does not know.
	ProblemFieldUnknown = &gateway.Problem{Type: "field-unknown", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "存在未知字段", En: "A field is not known here"}}
	// ProblemFieldInvalid: a field has a wrong type or a value out of its bounds.
	ProblemFieldInvalid = &gateway.Problem{Type: "field-invalid", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "字段内容有误", En: "A field is not right"}}
	// ProblemFieldMissing: a field that the call needs is not there.
	ProblemFieldMissing = &gateway.Problem{Type: "field-missing", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "缺少必填字段", En: "A field is missing"}}
	// ProblemKeyMissing: the call needs an Idempotency-Key.
	ProblemKeyMissing = &gateway.Problem{Type: "idempotency-key-missing", Kind: gateway.BadRequest, Title: gateway.Text{
		Zh: "缺少请求头 Idempotency-Key", En: "The header Idempotency-Key is missing"}}
	// ProblemKeyReused: the key was used for another request.
	ProblemKeyReused = &gateway.Problem{Type: "idempotency-key-reused", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "此 Idempotency-Key 已用于另一请求", En: "This Idempotency-Key was used for another request"}}
	// ProblemKeyRunning: the first request under the key has not ended.
	ProblemKeyRunning = &gateway.Problem{Type: "request-running", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "该请求正在处理中，请稍候", En: "This request is still being worked on; please wait a moment"}}
	// ProblemStreamsOpen: the caller has as many streams open as one may have.
	ProblemStreamsOpen = &gateway.Problem{Type: "streams-open", Kind: gateway.TooMany, Retryable: true, Title: gateway.Text{
		Zh: "您打开的数据流过多", En: "You have too many open streams"}}
	// ProblemPageUnknown: the catalogue has no such entry.
	ProblemPageUnknown = &gateway.Problem{Type: "problem-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有这种问题类型", En: "There is no problem of this type"}}
)

// Problems returns the catalogue entries of this package.
func Problems() []*gateway.Problem {
	return []*gateway.Problem{
		ProblemRouteUnknown, ProblemMethodNotAllowed, ProblemQueryInvalid, ProblemHeaderInvalid, ProblemMediaTypeUnknown,
		ProblemBodyMalformed, ProblemBodyTooDeep, ProblemFieldDuplicate, ProblemFieldUnknown, ProblemFieldInvalid,
		ProblemFieldMissing, ProblemKeyMissing, ProblemKeyReused, ProblemKeyRunning, ProblemStreamsOpen, ProblemPageUnknown,
	}
}

// headerInvalid returns a header-invalid error for the header name.
func headerInvalid(name string, zh, en string) *gateway.Error {
	return ProblemHeaderInvalid.Error(gateway.Text{Zh: zh, En: en}).WithField("header " + name)
}
