package wire

import "slices"

// internalReason is the word of a refusal, under a 4xx as some send it, that says nothing about the effect.
const internalReason = "internal"

// Reasoned judges an answer of the interfaces that are the project's own (docs/interfaces.md): nil for one of these statuses of
// success, and else what was said. Their refusals are an object with one word, reason, and a sentence, message. What has no word
// of that kind is somebody else's, such as a proxy's, and leaves the outcome unknown.
func (a Answer) Reasoned(successes ...int) *Error {
	if e := a.Unclear(); e != nil {
		return e
	}
	if slices.Contains(successes, a.Status()) {
		return nil
	}
	if a.Status() < 400 {
		return a.Unknown(ReasonStatus)
	}
	var said struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	if !a.Decode(&said) {
		return a.Unknown(ReasonGarbage)
	}
	switch e := a.Refused(said.Reason, said.Message); e.Code {
	case "":
		return a.Unknown(ReasonGarbage)
	case internalReason:
		return a.Unknown(ReasonStatus)
	default:
		return e
	}
}
