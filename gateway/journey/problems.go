package journey

import "github.com/warmgate/warmgate/gateway"

// The problems of running a journey.
var (
	ProblemStillRunning = &gateway.Problem{Type: "still-running", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "同一请求正在处理中，请稍候", En: "The same request is still being worked on; please wait a moment"}}
	ProblemKeyReused = &gateway.Problem{Type: "idempotency-key-reused", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "同一幂等键不能用于不同的请求", En: "This idempotency key was used for another request"}}
)

// Problems lists the problems of this package, for the catalogue.
func Problems() []*gateway.Problem { return []*gateway.Problem{ProblemStillRunning, ProblemKeyReused} }
