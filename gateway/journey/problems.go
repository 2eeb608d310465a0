package journey

import (
	"errors"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/seal"
)

// What Run returns where another run holds the request's idempotency key.
var (
	ErrKeyReused  = errors.New("the idempotency key was used for another payload")
	ErrKeyRunning = errors.New("the run that holds the idempotency key has not ended")
)

// ProblemStillRunning refuses an effect that another journey is about to bring about.
var ProblemStillRunning = &gateway.Problem{Type: "still-running", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
	Zh: "同一事项正在另一处办理，请稍候", En: "The same thing is being done elsewhere right now; please wait a moment"}}

// Problems lists the problems of this package, for the catalogue.
func Problems() []*gateway.Problem { return []*gateway.Problem{ProblemStillRunning} }

// What is sealed with a run's data key, each under its own name so that one cannot be passed off as another.
const (
	sealedArgs   = "args"
	sealedResult = "result"
	sealedAnswer = "answer"
	sealedFacts  = "facts"
)

// OpenAnswer opens the answer that a run has kept, for whoever may read it.
func OpenAnswer(keys *seal.Keys, wrapped, sealed []byte) ([]byte, error) {
	return openSealed(keys, wrapped, sealed, sealedAnswer)
}

// OpenFacts opens what an assist holds for staff.
func OpenFacts(keys *seal.Keys, wrapped, sealed []byte) ([]byte, error) {
	return openSealed(keys, wrapped, sealed, sealedFacts)
}

func openSealed(keys *seal.Keys, wrapped, sealed []byte, what string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil // nothing was said
	}
	box, err := keys.OpenBox(wrapped)
	if err != nil {
		return nil, err
	}
	return box.Open(sealed, what)
}
