package twin

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxControl bounds the body of a request to the city's address, in bytes.
const maxControl = 64 << 10

func (c *City) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /twins", c.getTwins)
	mux.HandleFunc("GET /dials", c.getDials)
	mux.HandleFunc("PUT /dials/{backend}/{instance}", c.putDial)
	mux.HandleFunc("GET /books/{backend}", c.getBooks)
	mux.HandleFunc("POST /make/{backend}/{instance}", c.postMake)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "there is no such address in the city: GET /twins, GET /dials, "+
			"PUT /dials/{backend}/{instance}, GET /books/{backend}, POST /make/{backend}/{instance}")
	})
	return mux
}

func (c *City) getTwins(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, c.URLs())
}

func (c *City) getDials(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	out := map[string]map[string]Dial{}
	for kind, all := range c.doors {
		out[kind] = map[string]Dial{"*": {}}
		for name := range all {
			out[kind][name] = Dial{}
		}
		maps.Copy(out[kind], c.dials[kind])
	}
	c.mu.Unlock()
	answer(w, http.StatusOK, out)
}

func (c *City) putDial(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	var d Dial
	if err := json.Unmarshal(body, &d, json.RejectUnknownMembers(true)); err != nil || body[0] != '{' {
		refuse(w, http.StatusBadRequest,
			fmt.Sprintf("cannot read the dial: want {\"fault\", \"latency_ms\", \"after_effect\", \"rate\", \"path\"}: %v", err))
		return
	}
	kind, name := r.PathValue("backend"), r.PathValue("instance")
	err := c.Dial(kind, name, d)
	switch {
	case errors.Is(err, errNoTwin):
		refuse(w, http.StatusNotFound, err.Error()+"; GET /twins lists them")
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
	default:
		c.log.Info("dial", "backend", kind, "instance", name, "fault", string(d.Fault), "latency_ms", d.LatencyMS,
			"after_effect", d.AfterEffect, "rate", d.Rate, "path", d.Path)
		answer(w, http.StatusOK, d)
	}
}

func (c *City) getBooks(w http.ResponseWriter, r *http.Request) {
	books := c.Books(r.PathValue("backend"))
	if books == nil {
		refuse(w, http.StatusNotFound, errNoTwin.Error()+"; GET /twins lists them")
		return
	}
	answer(w, http.StatusOK, books)
}

func (c *City) postMake(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r)
	if !ok {
		return
	}
	c.mu.Lock()
	kind, name := r.PathValue("backend"), r.PathValue("instance")
	i := c.instances[kind][name]
	c.mu.Unlock()
	if i == nil {
		refuse(w, http.StatusNotFound, errNoTwin.Error()+"; GET /twins lists them")
		return
	}
	made, err := i.backend.Make(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	// Kept before it is shown: what a later city forgot it could make a second time.
	if err := c.save(kind, name, i); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusCreated, made)
}

func read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControl))
	switch {
	case err != nil:
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("cannot read the body: want at most %d bytes", maxControl))
	case len(body) == 0:
		refuse(w, http.StatusBadRequest, "a JSON body is needed; {} is the smallest")
	default:
		return body, true
	}
	return nil, false
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		http.Error(w, "cannot write the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
