package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
)

// quiet is fasthttp's logger. fasthttp formats pieces of bad requests into its lines; quiet keeps the format, which
// is a constant of fasthttp's source, and the class of the error, and drops every argument.
type quiet struct{ log *slog.Logger }

// Printf logs that something of this kind happened, and none of its bytes.
func (q quiet) Printf(format string, args ...any) {
	level := slog.LevelDebug // ends of connections are the clients' daily life
	if strings.HasPrefix(format, "Permanent") || strings.HasPrefix(format, "Timeout") {
		level = slog.LevelError // the listener's own trouble
	}
	q.log.Log(context.Background(), level, "http server", "event", format, "class", classOf(args))
}

func classOf(args []any) string {
	for _, a := range args {
		err, ok := a.(error)
		if !ok {
			continue
		}
		var netErr net.Error
		var record tls.RecordHeaderError
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
			return "timeout"
		case errors.Is(err, net.ErrClosed):
			return "closed"
		case errors.As(err, &record):
			return "tls"
		default:
			return "other"
		}
	}
	return "none"
}

// logPanic says where a handler panicked. A panic's value may hold the request's bytes, so only its type is named,
// and its words where the runtime itself made them.
func logPanic(log *slog.Logger, value any) {
	what := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		what = err.Error()
	}
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	var where []string
	for {
		f, again := frames.Next()
		if f.Function != "" {
			where = append(where, fmt.Sprintf("%s:%d", f.Function, f.Line))
		}
		if !again {
			break
		}
	}
	log.Error("a handler panicked; answered 500", "panic", what, "where", where)
}
