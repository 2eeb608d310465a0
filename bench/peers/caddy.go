package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy" // the handler that asks a system
	"golang.org/x/sync/errgroup"
)

// serveCaddy runs Caddy with a handler that has three reverse proxies asked at once and merges what they answer.
func serveCaddy(systems [3]system) error {
	caddy.RegisterModule(compose{})
	config := map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"level": "WARN"}}},
		"apps": map[string]any{"http": map[string]any{"servers": map[string]any{"peer": map[string]any{
			"listen":          []string{"fd/3"},
			"automatic_https": map[string]any{"disable": true},
			"routes":          []any{map[string]any{"handle": []any{map[string]any{"handler": "compose", "systems": systems}}}},
		}}}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if err := caddy.Load(text, true); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	<-ended
	return caddy.Stop()
}

// compose is a handler of Caddy.
type compose struct {
	Systems [3]system `json:"systems"`

	targets [3]*url.URL
	proxies [3]caddyhttp.MiddlewareHandler
}

// CaddyModule names it.
func (compose) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.compose", New: func() caddy.Module { return new(compose) }}
}

// Provision makes a reverse proxy for each system.
func (c *compose) Provision(ctx caddy.Context) error {
	for i, s := range c.Systems {
		var err error
		if c.targets[i], err = url.Parse(s.URL); err != nil {
			return err
		}
		text, err := json.Marshal(map[string]any{
			"upstreams": []any{map[string]any{"dial": c.targets[i].Host}},
			"transport": map[string]any{"protocol": "http", "compression": false, "keep_alive": map[string]any{"max_idle_conns_per_host": perHost}},
		})
		if err != nil {
			return err
		}
		module, err := ctx.LoadModuleByID("http.handlers.reverse_proxy", text)
		if err != nil {
			return err
		}
		c.proxies[i] = module.(caddyhttp.MiddlewareHandler)
	}
	return nil
}

// ServeHTTP answers.
func (c *compose) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	var b bookings
	var x rooms
	var a availability
	var all errgroup.Group
	for i, into := range []any{&b, &x, &a} {
		all.Go(func() error { return c.ask(i, r, into) })
	}
	if err := all.Wait(); err != nil {
		return caddyhttp.Error(http.StatusBadGateway, err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(merge(&c.Systems, &b, &x, &a))
}

// ask has a proxy ask its system. Each has a request of its own: they keep what they know of it beside it.
func (c *compose) ask(i int, r *http.Request, into any) error {
	kept := &keptAnswer{header: http.Header{}}
	req := r.Clone(r.Context())
	req.URL.Path, req.URL.RawPath, req.URL.RawQuery = c.targets[i].Path, c.targets[i].RawPath, c.targets[i].RawQuery
	req = caddyhttp.PrepareRequest(req, caddy.NewReplacer(), kept, r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server))
	err := c.proxies[i].ServeHTTP(kept, req, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	if err != nil {
		return err
	}
	if kept.status != http.StatusOK {
		return fmt.Errorf("answered %d", kept.status)
	}
	return json.Unmarshal(kept.body.Bytes(), into)
}

// keptAnswer is an answer in memory.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns its fields.
func (k *keptAnswer) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *keptAnswer) WriteHeader(status int) { k.status = status }

// Write keeps a piece of the body.
func (k *keptAnswer) Write(p []byte) (int, error) {
	if k.status == 0 {
		k.status = http.StatusOK
	}
	return k.body.Write(p)
}
