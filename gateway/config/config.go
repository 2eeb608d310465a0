// Package config turns strict YAML files into values: an unknown name, a name that is there twice or a wrong type is a
// mistake at file, line and column, and so is everything that a section's own check finds.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/warmgate/warmgate/gateway"
)

// Mistake is something wrong in a file. Line and Column count from 1; 0: the file as a whole.
type Mistake struct {
	File         string
	Line, Column int
	Path         string // "flows.scenic-entry.steps.find.slice", where it is known
	Message      string
}

// Error returns "file:line:column: path: message".
func (m *Mistake) Error() string {
	s := m.File
	if m.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	}
	if m.Path != "" {
		s += ": " + m.Path
	}
	return s + ": " + m.Message
}

// Join joins errors, mistakes first and in the order of the files, each once.
func Join(errs ...error) error {
	var flat []error
	for _, err := range errs {
		flat = append(flat, flatten(err)...)
	}
	slices.SortStableFunc(flat, func(a, b error) int {
		x, isX := errors.AsType[*Mistake](a)
		y, isY := errors.AsType[*Mistake](b)
		if !isX || !isY {
			return cmp.Compare(rank(isX), rank(isY))
		}
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(x.Message, y.Message))
	})
	return errors.Join(slices.CompactFunc(flat, func(a, b error) bool { return a.Error() == b.Error() })...)
}

func rank(isMistake bool) int {
	if isMistake {
		return 0
	}
	return 1
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var flat []error
		for _, e := range joined.Unwrap() {
			flat = append(flat, flatten(e)...)
		}
		return flat
	}
	return []error{err}
}

// File is one file that was read. It is immutable, and safe for concurrent use.
type File struct {
	name   string
	tree   tree                        // of a simple file
	parsed func() (*parsedFile, error) // of any file; what is simple is parsed only if something is wrong
}

// parsedFile is what the parser makes of a file.
type parsedFile struct {
	body  ast.Node
	alias bool // something in it stands for what is elsewhere
}

// ReadFile reads the file name; see Read.
func ReadFile(name string, env func(string) (string, bool)) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return Read(name, text, env)
}

// Read parses text. ${NAME} in a value stands for what env has under NAME, ${NAME:-text} for text where it has nothing.
// name is how mistakes call the file. env may be asked again as long as the file is used.
func Read(name string, text []byte, env func(string) (string, bool)) (*File, error) {
	e := &expander{file: name, env: env}
	f := &File{name: name, tree: scan(string(text), e.expand)}
	f.parsed = sync.OnceValues(func() (*parsedFile, error) { return parse(name, text, env) })
	if f.tree == nil {
		if _, err := f.parsed(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func parse(name string, text []byte, env func(string) (string, bool)) (*parsedFile, error) {
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, (&File{name: name}).place("", err)
	}
	switch {
	case len(parsed.Docs) > 1:
		return nil, &Mistake{File: name, Message: fmt.Sprintf("must hold one document, not %d", len(parsed.Docs))}
	case len(parsed.Docs) == 0 || parsed.Docs[0].Body == nil:
		return nil, &Mistake{File: name, Message: "must hold one document, and holds nothing"}
	case parsed.Docs[0].Body.Type() != ast.MappingType && parsed.Docs[0].Body.Type() != ast.MappingValueType:
		return nil, &Mistake{File: name, Line: 1, Column: 1, Message: "must begin with names and values"}
	}
	body := parsed.Docs[0].Body
	e := &expander{file: name, env: env}
	ast.Walk(e, body)
	return &parsedFile{body: body, alias: e.alias}, Join(e.wrong...)
}

// body returns the parser's tree.
func (f *File) body() (ast.Node, error) {
	if f.parsed == nil {
		return nil, nil // it could not be
	}
	p, err := f.parsed()
	if err != nil {
		return nil, err
	}
	return p.body, nil
}

// Name returns how mistakes call the file.
func (f *File) Name() string { return f.name }

// Decode reads the whole file into a pointer to a struct with yaml tags. What the file doesn't say keeps its value. The
// error has every name that is unknown, and the first value that cannot be read.
func (f *File) Decode(into any) error {
	if f.tree != nil && f.tree.read(0, into) {
		return nil
	}
	body, err := f.body()
	if err != nil {
		return err
	}
	return f.decode("", body, into)
}

// DecodeApart is Decode, but for the names at the top that into has no place for and apart accepts: what stands under them
// is returned, for its owner to read later. nil: there is none.
func (f *File) DecodeApart(into any, apart func(name string) bool) (map[string]Section, error) {
	sections := map[string]Section(nil)
	keep := func(name string, s Section) {
		if sections == nil {
			sections = map[string]Section{}
		}
		sections[name] = s
	}
	if f.tree != nil && f.tree.readApart(0, into, func(at int) bool {
		name := f.tree[at].name
		if !apart(name) {
			return false
		}
		keep(name, Section{tree: f.tree, at: at})
		return true
	}) {
		return sections, nil
	}
	sections = nil
	body, err := f.body()
	if err != nil {
		return nil, err
	}
	if entries, ok := body.(*ast.MappingNode); ok {
		t := reflect.TypeOf(into).Elem()
		own := *entries
		own.Values = nil
		for _, entry := range entries.Values {
			name := entry.Key.GetToken().Value
			if _, known := fieldOf(t, name); known || !apart(name) {
				own.Values = append(own.Values, entry)
				continue
			}
			keep(name, Section{node: entry.Value})
		}
		body = &own
	}
	return sections, f.decode("", body, into)
}

// decode has the parser's decoder read node.
func (f *File) decode(path string, node ast.Node, into any) error {
	if node == nil {
		return nil
	}
	wrong := f.unknown(path, node, reflect.TypeOf(into))
	var options []yaml.DecodeOption
	if p, err := f.parsed(); err == nil && p.alias && len(wrong) == 0 { // else all unknown names are known, and to look for them twice costs time
		options = append(options, yaml.Strict())
	}
	if err := yaml.NodeToValue(node, into, options...); err != nil {
		wrong = append(wrong, f.place(path, err))
	}
	return errors.Join(wrong...)
}

// Section is a part of a file that its owner reads later, such as a flow's settings of a venue.
type Section struct {
	node ast.Node
	tree tree // of a simple file; nil: node
	at   int
}

// UnmarshalYAML keeps the node.
func (s *Section) UnmarshalYAML(node ast.Node) error {
	s.node = node
	return nil
}

// DecodeSection reads s, which stands at path in the file. A section that the file lacks changes nothing.
func (f *File) DecodeSection(path string, s Section, into any) error {
	if s.tree != nil {
		if s.tree.read(s.at, into) {
			return nil
		}
		body, err := f.body()
		if err != nil {
			return err
		}
		s.node = follow(body, s.tree.way(s.at))
	}
	return f.decode(path, s.node, into)
}

// follow returns what is reached in the parser's tree by a way of a simple one.
func follow(node ast.Node, way []int) ast.Node {
	for _, step := range way {
		switch n := node.(type) {
		case *ast.SequenceNode:
			node = n.Values[step]
		case *ast.MappingNode:
			node = n.Values[step].Value
		case *ast.MappingValueNode:
			node = n.Value
		}
	}
	return node
}

// Place gives every *gateway.FieldError in err, whose path is below the section at path, its place in the file.
func (f *File) Place(path string, err error) error { return f.place(path, err) }

func (f *File) place(path string, err error) error {
	var placed []error
	for _, e := range flatten(err) {
		placed = append(placed, f.placeOne(path, e))
	}
	return errors.Join(placed...)
}

func (f *File) placeOne(path string, err error) error {
	if e, ok := errors.AsType[*gateway.FieldError](err); ok {
		full := join(path, e.Path)
		line, column := f.find(full)
		return &Mistake{File: f.name, Line: line, Column: column, Path: full, Message: e.Message}
	}
	if e, ok := errors.AsType[yaml.Error](err); ok {
		m := &Mistake{File: f.name, Path: path, Message: said(e)}
		if t := e.GetToken(); t != nil {
			m.Line, m.Column = t.Position.Line, t.Position.Column
		}
		return m
	}
	if _, ok := errors.AsType[*Mistake](err); ok {
		return err
	}
	m := &Mistake{File: f.name, Path: path, Message: err.Error()}
	m.Line, m.Column = f.quoted(m.Message)
	return m
}

// quoted finds the value that a message without a place quotes, such as that of a duration that cannot be read.
func (f *File) quoted(message string) (line, column int) {
	body, err := f.body()
	if err != nil || body == nil {
		return 0, 0
	}
	for _, node := range ast.Filter(ast.StringType, body) {
		s, ok := node.(*ast.StringNode)
		if ok && s.Value != "" && strings.Contains(message, strconv.Quote(s.Value)) {
			return start(s)
		}
	}
	return 0, 0
}

func join(path, below string) string {
	switch {
	case path == "":
		return below
	case below == "" || strings.HasPrefix(below, "["):
		return path + below
	}
	return path + "." + below
}

// find returns where path stands, or the nearest of its parents that the file has.
func (f *File) find(path string) (line, column int) {
	body, err := f.body()
	for err == nil && body != nil && path != "" {
		p, err := yaml.PathString("$." + quoteNames(path))
		if err == nil {
			if node, err := p.FilterNode(body); err == nil && node != nil {
				return start(node)
			}
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return 0, 0
}

// start returns where a node begins: a mapping at its first name.
func start(node ast.Node) (line, column int) {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	if m, ok := node.(*ast.MappingValueNode); ok {
		node = m.Key
	}
	if t := node.GetToken(); t != nil {
		return t.Position.Line, t.Position.Column
	}
	return 0, 0
}

// quoteNames quotes the names of a path, since a YAML path reads dashes its own way.
func quoteNames(path string) string {
	parts := strings.Split(path, ".")
	for i, part := range parts {
		name, index, indexed := strings.Cut(part, "[")
		parts[i] = "'" + name + "'"
		if indexed {
			parts[i] += "[" + index
		}
	}
	return strings.Join(parts, ".")
}

// expander replaces ${NAME} in string values, and refuses tags: they mean nothing here, and the decoder gives up with a
// panic at one before a value that should be a list.
type expander struct {
	file  string
	env   func(string) (string, bool)
	alias bool // there is one, or a merge key
	wrong []error
}

// Visit implements ast.Visitor.
func (e *expander) Visit(node ast.Node) ast.Visitor {
	if tag, ok := node.(*ast.TagNode); ok {
		at := tag.GetToken().Position
		e.wrong = append(e.wrong, &Mistake{File: e.file, Line: at.Line, Column: at.Column, Message: "tags have no meaning here; leave " + strconv.Quote(tag.GetToken().Value) + " out"})
		return nil
	}
	switch node.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		e.alias = true
	}
	s, ok := node.(*ast.StringNode)
	if !ok || !strings.Contains(s.Value, "${") {
		return e
	}
	value, err := e.expand(s.Value)
	if err != nil {
		at := s.GetToken().Position
		e.wrong = append(e.wrong, &Mistake{File: e.file, Line: at.Line, Column: at.Column, Message: err.Error()})
		return e
	}
	s.Value = value
	return e
}

func (e *expander) expand(s string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", errors.New("${ has no closing brace")
		}
		name, fallback, has := strings.Cut(inner, ":-")
		value, set := e.env(name)
		switch {
		case set:
			out.WriteString(value)
		case has:
			out.WriteString(fallback)
		default:
			return "", fmt.Errorf("the environment has no %s, and no default is given", name)
		}
		s = after
	}
}
