package edge

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
)

// catalogue is every problem that the gateway can answer with, encoded once.
type catalogue struct {
	all   []byte
	html  []byte
	pages map[string]page
}

type page struct{ json, html []byte }

// entry is a problem as the catalogue publishes it.
type entry struct {
	Type      string       `json:"type"`
	Status    int          `json:"status"`
	Retryable bool         `json:"retryable"`
	Title     gateway.Text `json:"title"`
}

// newCatalogue refuses two problems of one type, and those that could not be published. The same problem may be given
// more than once.
func newCatalogue(problems []*gateway.Problem) (*catalogue, error) {
	byType := make(map[string]*gateway.Problem)
	var entries []entry
	for _, p := range problems {
		switch known := byType[p.Type]; {
		case known == p:
			continue
		case known != nil:
			return nil, fmt.Errorf("two problems have the type %s: %q and %q", p.Type, known.Title.En, p.Title.En)
		case !plainName(p.Type) || p.Type != strings.ToLower(p.Type):
			return nil, fmt.Errorf("problem type %q is not in lower-case letters, digits and dashes", p.Type)
		case p.Title.Zh == "" || p.Title.En == "":
			return nil, fmt.Errorf("problem %s has no title in zh-CN or none in en", p.Type)
		}
		byType[p.Type] = p
		entries = append(entries, entry{problemPath(p), statusOf(p.Kind), p.Retryable, p.Title})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.Type, b.Type) })
	return encodeCatalogue(entries)
}

func encodeCatalogue(entries []entry) (*catalogue, error) {
	c := &catalogue{pages: make(map[string]page, len(entries))}
	var err error
	if c.all, c.html, err = encodeEntries(struct {
		Problems []entry `json:"problems"`
	}{entries}, entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		var p page
		if p.json, p.html, err = encodeEntries(e, []entry{e}); err != nil {
			return nil, err
		}
		c.pages[strings.TrimPrefix(e.Type, "/problems/")] = p
	}
	return c, nil
}

func encodeEntries(document any, entries []entry) (asJSON, asHTML []byte, err error) {
	if asJSON, err = json.Marshal(document, jsontext.EscapeForHTML(true)); err != nil {
		return nil, nil, err
	}
	t, err := template.New("catalogue").Parse(catalogueHTML)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, entries); err != nil {
		return nil, nil, err
	}
	return asJSON, b.Bytes(), nil
}

const catalogueHTML = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Warmgate: problems</title>
</head>
<body>
<h1>Problems <span lang="zh-CN">问题</span></h1>
<table>
<thead><tr><th>Type</th><th>Status</th><th>Meaning</th><th lang="zh-CN">含义</th><th>Try again later?</th></tr></thead>
<tbody>
{{- range .}}
<tr><td><a href="{{.Type}}"><code>{{.Type}}</code></a></td><td>{{.Status}}</td><td>{{.Title.En}}</td><td lang="zh-CN">{{.Title.Zh}}</td><td>{{if .Retryable}}yes{{else}}no{{end}}</td></tr>
{{- end}}
</tbody>
</table>
</body>
</html>
`
