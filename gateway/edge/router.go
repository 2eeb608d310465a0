package edge

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/warmgate/warmgate/gateway/limit"
)

const (
	maxParams = 4   // path parameters of one route
	maxParam  = 128 // bytes of one path parameter, decoded
)

// router finds the route of a path, segment by segment, in a tree that is built once.
type router struct{ root node }

// node is one place in the tree of paths: the literal segments that may follow, or one parameter.
type node struct {
	literals map[string]*node
	param    *node
	name     string // of the parameter that leads here
	methods  []method
	allow    string // for the answer to another method
}

type method struct {
	name  string
	route *route
}

// param is a path parameter of one request.
type param struct{ name, value string }

// add enters a route; one that another already covers is refused.
func (r *router) add(rt *route) error {
	n := &r.root
	seen := make(map[string]bool)
	for segment := range strings.SplitSeq(rt.Path[1:], "/") {
		name, isParam, err := parseSegment(segment)
		if err != nil {
			return fmt.Errorf("route %s: path %s: %w", rt.Name, rt.Path, err)
		}
		if !isParam {
			n = n.literal(segment)
			continue
		}
		if seen[name] {
			return fmt.Errorf("route %s: path %s: parameter %s is there twice", rt.Name, rt.Path, name)
		}
		seen[name] = true
		if n.param == nil {
			n.param = &node{name: name}
		}
		if n.param.name != name {
			return fmt.Errorf("route %s: path %s: another route calls the parameter {%s} here {%s}", rt.Name, rt.Path, name, n.param.name)
		}
		n = n.param
	}
	if len(seen) > maxParams {
		return fmt.Errorf("route %s: path %s: at most %d parameters, got %d", rt.Name, rt.Path, maxParams, len(seen))
	}
	for _, m := range n.methods {
		if m.name == rt.Method {
			return fmt.Errorf("routes %s and %s clash: both are %s %s", m.route.Name, rt.Name, rt.Method, rt.Path)
		}
	}
	n.methods = append(n.methods, method{rt.Method, rt})
	n.allow = allow(n.methods)
	return nil
}

// literal returns the node behind a literal segment, made when it is not there.
func (n *node) literal(segment string) *node {
	if n.literals == nil {
		n.literals = make(map[string]*node)
	}
	next := n.literals[segment]
	if next == nil {
		next = &node{}
		n.literals[segment] = next
	}
	return next
}

// parseSegment returns the name of a parameter segment, or that it is a literal.
func parseSegment(s string) (name string, isParam bool, err error) {
	if name, ok := strings.CutPrefix(s, "{"); ok {
		name, ok = strings.CutSuffix(name, "}")
		if !ok || !plainName(name) {
			return "", false, fmt.Errorf("%q is not a parameter", s)
		}
		return name, true, nil
	}
	if s == "" || strings.ContainsAny(s, "{}%?#") {
		return "", false, fmt.Errorf("%q is not a segment", s)
	}
	return "", false, nil
}

// allow lists the methods of a node for the header Allow, HEAD with GET.
func allow(methods []method) string {
	var names []string
	for _, m := range methods {
		names = append(names, m.name)
		if m.name == "GET" {
			names = append(names, "HEAD")
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// find returns the route of a raw path (as it was sent, without the query), with its parameters in params. A path that
// is known under other methods alone has a nil route and the methods in allow. A literal segment goes before a
// parameter, and there is no way back from it, as OpenAPI 3.1 §4.8.8 says.
func (r *router) find(methodName, path []byte, params *[maxParams]param) (rt *route, n int, allow string) {
	at := &r.root
	if len(path) == 0 || path[0] != '/' {
		return nil, 0, ""
	}
	for rest := path[1:]; ; {
		segment := rest
		end := slices.Index(rest, '/')
		if end >= 0 {
			segment = rest[:end]
		}
		if next := at.literals[string(segment)]; next != nil {
			at = next
		} else if at.param != nil {
			value, ok := paramValue(segment)
			if !ok {
				return nil, 0, ""
			}
			at = at.param
			params[n] = param{at.name, value}
			n++
		} else {
			return nil, 0, ""
		}
		if end < 0 {
			break
		}
		rest = rest[end+1:]
	}
	for i := range at.methods {
		m := &at.methods[i]
		if m.name == string(methodName) || (m.name == "GET" && string(methodName) == "HEAD") {
			return m.route, n, ""
		}
	}
	return nil, n, at.allow
}

// paramValue decodes a path parameter; what no id looks like is not one.
func paramValue(segment []byte) (string, bool) {
	if len(segment) == 0 || len(segment) > 3*maxParam {
		return "", false
	}
	s := string(segment)
	if strings.Contains(s, "%") {
		var err error
		if s, err = url.PathUnescape(s); err != nil {
			return "", false
		}
	}
	if len(s) > maxParam || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", false
	}
	return s, true
}

// plainName reports whether s is fit for a name in a path, a query or a metric: letters, digits, dash, underscore.
func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// check reports what is wrong with a route by itself.
func (r *Route) check() error {
	var wrong []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf("route %s: "+format, append([]any{r.Name}, args...)...))
		}
	}
	if r.Name == "" {
		return fmt.Errorf("route %s %s has no name", r.Method, r.Path)
	}
	refuse(!plainName(r.Name), "a name has letters, digits, dashes and underscores only")
	refuse(!slices.Contains([]string{"GET", "POST", "PUT", "DELETE"}, r.Method), "method %q is not GET, POST, PUT or DELETE", r.Method)
	refuse(!strings.HasPrefix(r.Path, "/"), "path %q does not begin with a slash", r.Path)
	refuse(r.Serve == nil, "Serve is missing")
	refuse(r.Public && r.Scope != "", "it is public and wants the scope %s", r.Scope)
	refuse(r.Public && r.Idempotent, "it is public; an idempotency key needs a principal")
	refuse(r.Idempotent && r.Method != "POST", "only a POST takes an idempotency key")
	refuse((r.Venue == "") != (r.VenueKind == ""), "Venue and VenueKind go together")
	refuse(r.VenueSection != "" && r.Venue == "", "VenueSection needs a Venue")
	refuse(r.Venue != "" && !strings.Contains(r.Path, "{"+r.Venue+"}"), "path %s has no parameter {%s}", r.Path, r.Venue)
	refuse(r.Venue != "" && r.Public, "it is public and acts for a venue")
	refuse((r.Budget == nil) != (r.Shortest == nil), "Budget and Shortest go together")
	refuse(r.Priority > limit.Low, "priority %d is unknown", r.Priority)
	refuse(r.Priority == limit.NeverShed && r.Journey == "", "it has no Priority, and only a journey's call may be never shed")
	for i, q := range r.Query {
		refuse(!plainName(q), "query parameter %q is not a name", q)
		refuse(slices.Contains(r.Query[:i], q), "query parameter %s is there twice", q)
	}
	return errors.Join(wrong...)
}
