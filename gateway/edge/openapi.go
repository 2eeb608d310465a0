package edge

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
)

// baseDocument is what every call has in common: who may ask, the headers, the problem document, the shared words.
//
//go:embed openapi.yaml
var baseDocument []byte

// components are the parts of a document that a fragment may add to.
var components = [...]string{"schemas", "responses", "parameters", "examples", "requestBodies", "headers"}

// Merge returns the OpenAPI 3.1 document of the gateway as JSON, with sorted members: the base document of this package
// and the fragments of those who own calls (YAML with paths, components and tags alone). Nothing may be there twice.
func Merge(fragments ...[]byte) ([]byte, error) {
	doc, err := parseDocument(baseDocument)
	if err != nil {
		return nil, fmt.Errorf("cannot read the base document: %w", err)
	}
	for i, f := range fragments {
		part, err := parseDocument(f)
		if err != nil {
			return nil, fmt.Errorf("cannot read fragment %d of the API description: %w", i+1, err)
		}
		if err := mergeFragment(doc, part); err != nil {
			return nil, fmt.Errorf("cannot merge fragment %d of the API description: %w", i+1, err)
		}
	}
	return json.Marshal(doc, json.Deterministic(true))
}

// parseDocument reads strict YAML: no key twice.
func parseDocument(text []byte) (map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	return doc, nil
}

func mergeFragment(doc, part map[string]any) error {
	for key, value := range part {
		switch key {
		case "paths":
			if err := mergeMap(doc, part, "paths"); err != nil {
				return err
			}
		case "tags":
			list, _ := value.([]any)
			have, _ := doc["tags"].([]any)
			doc["tags"] = append(have, list...)
		case "components":
			into, _ := doc[key].(map[string]any)
			from, ok := value.(map[string]any)
			if !ok || into == nil {
				return fmt.Errorf("components is not an object")
			}
			for name := range from {
				if !slices.Contains(components[:], name) {
					return fmt.Errorf("components.%s may be in the base document only", name)
				}
				if err := mergeMap(into, from, name); err != nil {
					return err
				}
			}
		default:
			return fmt.Errorf("%s may be in the base document only", key)
		}
	}
	return nil
}

// mergeMap adds the members of from[key] to into[key].
func mergeMap(into, from map[string]any, key string) error {
	source, ok := from[key].(map[string]any)
	if !ok {
		return fmt.Errorf("%s is not an object", key)
	}
	target, ok := into[key].(map[string]any)
	if !ok {
		target = make(map[string]any, len(source))
		into[key] = target
	}
	for name, value := range source {
		if _, clash := target[name]; clash {
			return fmt.Errorf("%s.%s is there twice", key, name)
		}
		target[name] = value
	}
	return nil
}

// operation is what a route has to agree with in the document.
type operation struct {
	id         string
	security   []any // nil: the document's own
	query      []string
	idempotent bool
}

// checkDocument reports every difference between the routes and the operations of the document.
func checkDocument(document []byte, routes []Route) error {
	var doc map[string]any
	if err := json.Unmarshal(document, &doc); err != nil {
		return fmt.Errorf("cannot read the OpenAPI document: %w", err)
	}
	var wrong []error
	described, err := operations(doc)
	if err != nil {
		return err
	}
	for i := range routes {
		r := &routes[i]
		key := r.Method + " " + r.Path
		op, ok := described[key]
		if !ok {
			wrong = append(wrong, fmt.Errorf("route %s (%s) is not in the OpenAPI document", r.Name, key))
			continue
		}
		delete(described, key)
		if err := op.agree(r); err != nil {
			wrong = append(wrong, fmt.Errorf("route %s (%s): %w", r.Name, key, err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(described)) {
		wrong = append(wrong, fmt.Errorf("%s (%s) is in the OpenAPI document and has no route", described[key].id, key))
	}
	return errors.Join(wrong...)
}

// operations returns the operations of a document by method and path.
func operations(doc map[string]any) (map[string]operation, error) {
	paths, _ := doc["paths"].(map[string]any)
	found := make(map[string]operation)
	for path, v := range paths {
		item, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("path %s of the OpenAPI document is not an object", path)
		}
		for name, v := range item {
			method := strings.ToUpper(name)
			if !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}, method) {
				continue
			}
			op, ok := v.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%s %s of the OpenAPI document is not an object", method, path)
			}
			id, _ := op["operationId"].(string)
			security, _ := op["security"].([]any)
			o := operation{id: id, security: security}
			for _, list := range []any{item["parameters"], op["parameters"]} {
				o.addParameters(doc, list)
			}
			found[method+" "+path] = o
		}
	}
	return found, nil
}

// addParameters notes the query parameters and whether an idempotency key is taken.
func (o *operation) addParameters(doc map[string]any, list any) {
	parameters, _ := list.([]any)
	for _, p := range parameters {
		p, _ := resolve(doc, p).(map[string]any)
		name, _ := p["name"].(string)
		switch in, _ := p["in"].(string); {
		case in == "query":
			o.query = append(o.query, name)
		case in == "header" && strings.EqualFold(name, "Idempotency-Key"):
			o.idempotent = true
		}
	}
}

// resolve follows a reference inside the document.
func resolve(doc map[string]any, v any) any {
	m, _ := v.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return v
	}
	var at any = doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		at = m[part]
	}
	return at
}

// agree reports where an operation differs from its route.
func (o *operation) agree(r *Route) error {
	var wrong []error
	if o.id != r.Name {
		wrong = append(wrong, fmt.Errorf("its operationId is %q", o.id))
	}
	query := slices.Sorted(slices.Values(r.Query))
	if described := slices.Sorted(slices.Values(o.query)); !slices.Equal(query, described) {
		wrong = append(wrong, fmt.Errorf("it takes the query parameters %v, the document says %v", query, described))
	}
	if o.idempotent != r.Idempotent {
		wrong = append(wrong, fmt.Errorf("its Idempotent is %t, the document says %t", r.Idempotent, o.idempotent))
	}
	switch scopes, ok := o.scopes(); {
	case !ok:
		wrong = append(wrong, errors.New("its security must be [] or one bearer"))
	case r.Public != (o.security != nil && len(o.security) == 0):
		wrong = append(wrong, fmt.Errorf("its Public is %t, the document's security says otherwise", r.Public))
	case r.Scope != scopes:
		wrong = append(wrong, fmt.Errorf("it needs the scope %q, the document says %q", r.Scope, scopes))
	}
	return errors.Join(wrong...)
}

// scopes returns the scope that the operation's security names, "" where it names none.
func (o *operation) scopes() (string, bool) {
	if len(o.security) == 0 {
		return "", true
	}
	requirement, _ := o.security[0].(map[string]any)
	list, ok := requirement["bearer"].([]any)
	if len(o.security) > 1 || !ok || len(list) > 1 {
		return "", false
	}
	if len(list) == 0 {
		return "", true
	}
	scope, ok := list[0].(string)
	return scope, ok
}
