package limit

import "github.com/warmgate/warmgate/gateway"

// The problems of this package. Values are never changed.
var (
	// ProblemRateLimited: somebody asks more often than a policy allows.
	ProblemRateLimited = &gateway.Problem{Type: "rate-limited", Kind: gateway.TooMany, Retryable: true, Title: gateway.Text{
		Zh: "请求过于频繁，请稍后再试", En: "Too many requests; please try again a little later"}}
	// ProblemOverloaded: there is more to do at once than can be done in time.
	ProblemOverloaded = &gateway.Problem{Type: "overloaded", Kind: gateway.Unavailable, Retryable: true, Title: gateway.Text{
		Zh: "当前请求过多，请稍后再试，或联系现场工作人员", En: "We are very busy; please try again in a moment or see a member of staff"}}
)

// Problems returns the catalogue entries of this package.
func Problems() []*gateway.Problem { return []*gateway.Problem{ProblemRateLimited, ProblemOverloaded} }

// Shed says why the gate turned work away. It is the Cause of an overloaded error and a metric's label.
type Shed string

// The reasons of the gate.
const (
	ShedDeadline Shed = "deadline" // too little time is left for any declared outcome
	ShedFull     Shed = "full"     // the queue of its priority is full
	ShedDelay    Shed = "delay"    // a queue at or above its priority has been standing for too long
	ShedWaited   Shed = "waited"   // it waited as long as it could, and no room came
)

// Error makes a Shed the cause of an error.
func (s Shed) Error() string { return "shed: " + string(s) }
