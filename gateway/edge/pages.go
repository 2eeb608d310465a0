package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

// pages are the routes about the gateway itself.
type pages struct {
	described []Route // that are in the OpenAPI document
	plain     []Route // the human page and its assets
}

// catalogueCSP lets the catalogue's page load nothing at all.
const catalogueCSP = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (s *Server) pages(c *catalogue) (*pages, error) {
	docs, err := newDocs()
	if err != nil {
		return nil, err
	}
	public := func(name, path string, serve func(x *Exchange) error) Route {
		return Route{Method: "GET", Path: path, Name: name, Public: true, Priority: limit.Low, Serve: serve}
	}
	return &pages{
		described: []Route{
			public("openapi", "/openapi.json", serveDocument(s.deps.Document)),
			public("problems", "/problems", func(x *Exchange) error { return x.answerPage(page{c.all, c.html}) }),
			public("problem", "/problems/{type}", func(x *Exchange) error {
				p, ok := c.pages[x.Param("type")]
				if !ok {
					return ProblemPageUnknown.Error(gateway.Text{Zh: "全部类型见 /problems。", En: "All types stand in /problems."})
				}
				return x.answerPage(p)
			}),
		},
		plain: []Route{
			public("docs", "/docs", docs.serve),
			public("docs-asset", "/docs/{asset}", docs.serve),
		},
	}, nil
}

// answerPage answers with JSON, or with HTML where a browser asks.
func (x *Exchange) answerPage(p page) error {
	x.SetHeader("Vary", "Accept")
	if x.Accepts("text/html") {
		x.SetHeader("Content-Security-Policy", catalogueCSP)
		x.Raw(http.StatusOK, "text/html; charset=utf-8", p.html)
		return nil
	}
	x.Raw(http.StatusOK, jsonMedia, p.json)
	return nil
}

// serveDocument serves the OpenAPI document with its ETag.
func serveDocument(document []byte) func(x *Exchange) error {
	sum := sha256.Sum256(document)
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(x *Exchange) error {
		x.SetHeader("ETag", etag)
		x.cacheControl = "no-cache"
		if noneMatch(string(x.ctx.Request.Header.Peek("If-None-Match")), etag) {
			x.Raw(http.StatusNotModified, jsonMedia, nil)
			return nil
		}
		x.Raw(http.StatusOK, jsonMedia, document)
		return nil
	}
}

// noneMatch compares weakly (RFC 9110 §13.1.2).
func noneMatch(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == etag || tag == "*" {
			return true
		}
	}
	return false
}

// docs is the human page of the API. Its assets are inside the module that makes it; no other host is asked.
type docs struct {
	handler fasthttp.RequestHandler
	csp     string
}

func newDocs() (*docs, error) {
	h := v5emb.NewHandlerWithConfig(swgui.Config{Title: "Warmgate", SwaggerJSON: "/openapi.json", BasePath: "/docs",
		ShowTopBar: false, SettingsUI: map[string]string{"supportedSubmitMethods": "[]"}})
	scripts, styles, err := inlineHashes(h)
	if err != nil {
		return nil, err
	}
	return &docs{
		handler: fasthttpadaptor.NewFastHTTPHandler(h),
		csp: "default-src 'none'; script-src 'self'" + scripts + "; style-src 'self'" + styles +
			"; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}, nil
}

// inlineHashes returns the CSP sources for the inline scripts and styles of the page, so that no others run.
func inlineHashes(h http.Handler) (scripts, styles string, err error) {
	r, err := http.NewRequest(http.MethodGet, "/docs", nil)
	if err != nil {
		return "", "", err
	}
	var w capture
	h.ServeHTTP(&w, r)
	html := w.String()
	if !strings.Contains(html, "<script>") {
		return "", "", fmt.Errorf("cannot render the page of the API description: it holds no script")
	}
	return hashes(html, "<script>", "</script>"), hashes(html, "<style>", "</style>"), nil
}

// capture keeps what a handler writes.
type capture struct {
	bytes.Buffer
	header http.Header
}

func (c *capture) WriteHeader(int) {}

func (c *capture) Header() http.Header {
	if c.header == nil {
		c.header = make(http.Header)
	}
	return c.header
}

func hashes(html, open, end string) string {
	var b strings.Builder
	for {
		_, rest, ok := strings.Cut(html, open)
		if !ok {
			return b.String()
		}
		inline, after, _ := strings.Cut(rest, end)
		sum := sha256.Sum256([]byte(inline))
		b.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
		html = after
	}
}

func (d *docs) serve(x *Exchange) error {
	d.handler(x.ctx)
	x.answered = true
	h := &x.ctx.Response.Header
	h.Del("ETag") // the module's is not a valid one (RFC 9110 §8.8.3)
	x.cacheControl = "max-age=3600"
	x.SetHeader("Content-Security-Policy", d.csp)
	if x.ctx.Response.StatusCode() >= http.StatusBadRequest {
		return ProblemRouteUnknown.Error(gateway.Text{})
	}
	return nil
}
