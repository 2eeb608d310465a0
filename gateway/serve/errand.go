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

// errand does an errand of the flows in this process.
func (g *Gateway) errand(ctx context.Context, name string, arg []byte) (any, error) {
	do := g.errands[name]
	if do == nil {
		return nil, fmt.Errorf("there is no errand %s", name)
	}
	return do(ctx, arg)
}

// errNobodyServes says that no process listens where the second listener of a gateway should be.
var errNobodyServes = errors.New("no gateway listens there")

const errandAnswer = 4 << 20 // bytes

// send has a running gateway do an errand, over its second listener at address, however long it takes. The error is
// errNobodyServes where nobody listens, and otherwise what the gateway says.
func send(ctx context.Context, address, name string, arg []byte) (jsontext.Value, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/errands/"+name, bytes.NewReader(arg))
	if err != nil {
		return nil, fmt.Errorf("cannot send the errand to %s: %w", address, err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	a, err := client.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNobodyServes
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

// Have has an errand done: by the gateway whose second listener is at address, or else at the one that the gateway's file at path
// names. Where address is "" and nobody listens, this process is a gateway for as long as it takes; it fails where another has
// the ledger.
func Have(ctx context.Context, path, address string, opts Options, name string, arg []byte) (answer jsontext.Value, err error) {
	at := address
	if at == "" {
		if at, err = adminAddress(path, opts.Env); err != nil {
			return nil, err
		}
	}
	if answer, err = send(ctx, at, name, arg); address != "" || !errors.Is(err, errNobodyServes) {
		return answer, err
	}
	g, err := Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.Close(context.WithoutCancel(ctx))) }()
	result, err := g.errand(ctx, name, arg)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// adminAddress reads where the gateway's file at path has the second listener.
func adminAddress(path string, env func(string) (string, bool)) (string, error) {
	f, err := config.ReadFile(path, env)
	if err != nil {
		return "", err
	}
	c := defaults()
	err = f.Decode(&c)
	return c.Admin, err
}
