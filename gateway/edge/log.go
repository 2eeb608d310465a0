package edge

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// logAnswer writes one line for a request: what an operator at three in the morning asks first, and nothing that a
// citizen sent. Faults of ours are errors, everything else is information; what goes well, what the client got wrong
// and what is shed under load can be sampled, an unexplained 5xx never is.
func (x *Exchange) logAnswer(took time.Duration) {
	status := x.ctx.Response.StatusCode()
	level := slog.LevelInfo
	switch {
	case x.problem != nil && x.problem.Problem.Kind == gateway.Internal:
		level = slog.LevelError
	case status >= 500 && shedReason(x.problem) == "":
		level = slog.LevelWarn
	}
	s := x.server
	if level == slog.LevelInfo && s.logged.Add(1)%uint64(s.config.LogSuccess) != 0 {
		return
	}
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs, slog.String("route", x.routeName()), slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("request", x.id.String()),
		slog.String("trace", hex.EncodeToString(x.trace.trace[:])))
	if x.venue != nil {
		attrs = append(attrs, slog.String("venue", x.venue.ID))
	}
	if x.journey != "" {
		attrs = append(attrs, slog.String("journey", x.journey))
	}
	if x.replayed {
		attrs = append(attrs, slog.Bool("replayed", true))
	}
	if e := x.problem; e != nil {
		attrs = append(attrs, slog.String("problem", e.Problem.Type))
		if e.Field != "" && !clientNamed(e.Problem) {
			attrs = append(attrs, slog.String("field", e.Field))
		}
		if e.Cause != nil {
			attrs = append(attrs, slog.String("cause", e.Cause.Error()))
		}
	}
	s.log.LogAttrs(context.Background(), level, "answered", attrs...)
}

// clientNamed reports whether the field of a problem is a name that the client made up. The client is told it, to the
// extent that it looks like a name; the log is not.
func clientNamed(p *gateway.Problem) bool {
	return p == ProblemFieldUnknown || p == ProblemFieldDuplicate || p == ProblemQueryInvalid
}
