package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway/config"
	"github.com/warmgate/warmgate/gateway/edge/admin"
)

// Errand does an errand of the flows in this process.
func (g *Gateway) Errand(ctx context.Context, name string, arg []byte) (any, error) {
	errand := g.errands[name]
	if errand == nil {
		return nil, fmt.Errorf("there is no errand %s", name)
	}
	return errand(ctx, arg)
}

// ErrNobodyServes says that no process listens where the second listener of a gateway should be.
var ErrNobodyServes = errors.New("no gateway listens there")

const errandAnswer = 4 << 20 // bytes

// Send has a running gateway do an errand, over its second listener at address, however long it takes. The error is
// ErrNobodyServes where nobody listens, and otherwise what the gateway says.
func Send(ctx context.Context, address, name string, arg []byte) (jsontext.Value, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/errands/"+name, bytes.NewReader(arg))
	if err != nil {
		return nil, fmt.Errorf("cannot send the errand to %s: %w", address, err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	a, err := client.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNobodyServes
	}
	if err != nil {
		return nil, fmt.Errorf("cannot send the errand: %w", err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(io.LimitReader(a.Body, errandAnswer))
	var failure admin.Failure
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer to the errand has broken off: %w", err)
	case a.StatusCode == http.StatusOK:
		return body, nil
	case json.Unmarshal(body, &failure) == nil && failure.Error != "":
		return nil, errors.New(failure.Error)
	}
	return nil, fmt.Errorf("what listens at %s is no gateway, or an older one: it answers %d", address, a.StatusCode)
}

// AdminAddress reads where the gateway's file at path has the second listener.
func AdminAddress(path string, env func(string) (string, bool)) (string, error) {
	f, err := config.ReadFile(path, env)
	if err != nil {
		return "", err
	}
	c := defaults()
	err = f.Decode(&c)
	return c.Admin, err
}
