package admin

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// Errand is something that an operator has done: arg is the request's body, result is encoded as JSON, and the error is told
// as it is. ctx ends with the request.
type Errand func(ctx context.Context, arg []byte) (result any, err error)

const argLimit = 8 << 10

// Failure is the answer where an errand was not done.
type Failure struct {
	Error string `json:"error"`
}

// run does an errand, however long it takes. It wants JSON: a browser's page that an operator happens to look at cannot send
// that to another address without being asked first.
func run(w http.ResponseWriter, r *http.Request, errand Errand) {
	switch {
	case errand == nil:
		write(w, http.StatusNotFound, Failure{"there is no such errand"})
		return
	case r.Header.Get("Content-Type") != "application/json":
		write(w, http.StatusUnsupportedMediaType, Failure{"an errand's argument is application/json"})
		return
	}
	arg, err := io.ReadAll(http.MaxBytesReader(w, r.Body, argLimit))
	if err != nil {
		write(w, http.StatusRequestEntityTooLarge, Failure{"an errand's argument is shorter"})
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it is read on: its end says that whoever asked is gone
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	result, err := errand(r.Context(), arg)
	if err != nil {
		write(w, http.StatusConflict, Failure{err.Error()})
		return
	}
	write(w, http.StatusOK, result)
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
