package journey

import (
	"context"

	"github.com/warmgate/warmgate/gateway/call"
)

// until is the context of a step's calls.
type until = call.Until

// traced holds what the run's contexts carry.
func traced(parent string) context.Context {
	if parent == "" {
		return context.Background()
	}
	return call.WithTrace(context.Background(), parent, "")
}
