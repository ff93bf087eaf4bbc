package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a configuration file; more is an error that names the limit. A
// found file is hostile until it is trusted, and the YAML parser needs time in
// the square of the number of keys.
const (
	maxFile   = 1 << 20
	maxKeys   = 10_000
	maxNested = 60     // levels of nesting
	maxValues = 50_000 // values visited, each alias counted with all that it names
)

// nodeKind is what a YAML value is, by the YAML 1.2 core schema.
type nodeKind string

const (
	aText    nodeKind = "text"
	aInteger nodeKind = "a number"
	aFloat   nodeKind = "a decimal number"
	aBoolean nodeKind = "true or false"
	nothing  nodeKind = "nothing"
	aMapping nodeKind = "a mapping"
	aList    nodeKind = "a list"
)

// node is one value of a file. Nodes that aliases name are shared.
type node struct {
	place
	kind    nodeKind
	text    string // of a scalar
	items   []*node
	entries []entry
}

// entry is one key of a mapping with its value.
type entry struct {
	place
	name  string
	value *node
}

// get is the value of a key, nil without one; it may be asked of a nil node.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.name == name {
			return e.value
		}
	}
	return nil
}

// str is the text of a scalar key, "" without one.
func (n *node) str(name string) string {
	if v := n.get(name); v != nil {
		return v.text
	}
	return ""
}

// texts are the scalars of a list; a scalar by itself is a list of one.
func (n *node) texts() []string {
	if n == nil {
		return nil
	}
	if n.kind != aList {
		return []string{n.text}
	}
	out := make([]string, 0, len(n.items))
	for _, i := range n.items {
		out = append(out, i.text)
	}
	return out
}

// list are the items of a list; a value by itself is a list of one.
func (n *node) list() []*node {
	switch {
	case n == nil:
		return nil
	case n.kind == aList:
		return n.items
	}
	return []*node{n}
}

// parseTree reads YAML into nodes. It reports what is no YAML, or more than the
// limits allow, and returns nil then.
func parseTree(s *source, raw []byte) (root *node) {
	defer func() {
		// The parser is not ours, and the file may be anybody's.
		if p := recover(); p != nil {
			s.report(place{}, "check its brackets, quotes and indentation", "this is no YAML that can be read (%v)", p)
			root = nil
		}
	}()
	tokens := lexer.Tokenize(string(raw))
	if !withinLimits(s, tokens) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		s.reportSyntax(err)
		return nil
	}
	docs := make([]ast.Node, 0, len(file.Docs))
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	switch {
	case len(docs) == 0:
		s.report(place{}, "plimsoll init writes a first one", "the file is empty")
		return nil
	case len(docs) > 1:
		s.report(placeOf(docs[1].GetToken()), "remove the line \"---\", or keep one file for each", "there is a second document in the file")
		return nil
	}
	t := treeBuilder{source: s, anchors: map[string]*node{}}
	return t.build(docs[0])
}

// withinLimits guards the parser, which descends once for each level and looks
// again at all keys for each key.
func withinLimits(s *source, tokens token.Tokens) bool {
	keys, flow, line, onLine := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, onLine = t.Position.Line, 0
		}
		//exhaustive:ignore
		switch t.Type {
		case token.MappingValueType:
			keys++
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			if flow == 0 {
				onLine++
			}
		}
		switch {
		case keys > maxKeys:
			s.report(placeOf(t), "split it into several files", "there are more than %d keys in the file", maxKeys)
			return false
		case flow > maxNested || onLine > maxNested || t.Position.IndentNum > 4*maxNested:
			s.report(placeOf(t), "nothing in this file is nested deeply", "this is nested more than %d levels deep", maxNested)
			return false
		}
	}
	return true
}

// reportSyntax reports an error of the parser at its token.
func (s *source) reportSyntax(err error) {
	hint := "check the indentation, brackets and quotes here; text with : or # in it needs quotes"
	if strings.Contains(err.Error(), "character '\t'") {
		hint = "indent with spaces: YAML allows no tabs"
	}
	var at interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if errors.As(err, &at) && at.GetToken() != nil {
		s.report(placeOf(at.GetToken()), hint, "this is no YAML: %s", at.GetMessage())
		return
	}
	s.report(place{}, hint, "this is no YAML: %v", err)
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{line: t.Position.Line, column: t.Position.Column}
}

// treeBuilder turns the parser's tree into ours: aliases and merge keys
// resolved, duplicates reported.
type treeBuilder struct {
	*source
	anchors map[string]*node
	merged  int // entries that came by <<: so far
}

func (t *treeBuilder) build(n ast.Node) *node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return t.mapping(n, n.Values)
	case *ast.MappingValueNode:
		return t.mapping(n, []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out := &node{place: placeOf(n.GetToken()), kind: aList}
		for _, v := range n.Values {
			out.items = append(out.items, t.build(v))
		}
		return out
	case *ast.AnchorNode:
		out := t.build(n.Value)
		t.anchors[n.Name.GetToken().Value] = out
		return out
	case *ast.AliasNode:
		return t.alias(n)
	case *ast.TagNode:
		t.report(placeOf(n.GetToken()), "leave the tag out", "YAML tags such as %s are not used here", n.GetToken().Value)
		return &node{place: placeOf(n.GetToken()), kind: nothing}
	case nil:
		return &node{kind: nothing}
	}
	return scalar(n)
}

func (t *treeBuilder) alias(n *ast.AliasNode) *node {
	name := n.Value.GetToken().Value
	if v, ok := t.anchors[name]; ok {
		return v
	}
	t.report(placeOf(n.GetToken()), "define it above with &"+name, "the alias *%s names nothing", name)
	return &node{place: placeOf(n.GetToken()), kind: nothing}
}

func scalar(n ast.Node) *node {
	out := &node{place: placeOf(n.GetToken()), kind: aText, text: n.GetToken().Value}
	switch n := n.(type) {
	case *ast.StringNode:
		out.text = n.Value
	case *ast.LiteralNode:
		out.text = strings.TrimRight(n.Value.Value, "\n")
	case *ast.IntegerNode:
		out.kind, out.text = aInteger, fmt.Sprint(n.Value)
	case *ast.BoolNode:
		out.kind, out.text = aBoolean, fmt.Sprint(n.Value)
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind = aFloat
	case *ast.NullNode:
		out.kind, out.text = nothing, ""
	}
	return out
}

func (t *treeBuilder) mapping(n ast.Node, values []*ast.MappingValueNode) *node {
	out := &node{place: placeOf(n.GetToken()), kind: aMapping}
	seen := map[string]place{}
	var merged []*node
	for _, v := range values {
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			merged = append(merged, t.build(v.Value).list()...)
			continue
		}
		e := t.entry(v)
		if first, ok := seen[e.name]; ok {
			t.report(e.place, fmt.Sprintf("it stands in line %d already; keep one of the two", first.line), "the key %q is written twice", e.name)
			continue
		}
		seen[e.name] = e.place
		out.entries = append(out.entries, e)
	}
	if len(out.entries) > 0 {
		out.place = out.entries[0].place
	}
	t.merge(out, merged)
	return out
}

// merge adds what <<: names and the mapping does not say itself; of several
// the first wins (https://yaml.org/type/merge.html).
func (t *treeBuilder) merge(into *node, from []*node) {
	for _, m := range from {
		if m.kind != aMapping {
			t.report(m.place, "write <<: *name, where &name stands at a mapping", "<<: takes a mapping, not %s", m.kind)
			continue
		}
		if t.merged += len(m.entries); t.merged > maxKeys {
			t.report(m.place, "merge less", "<<: brings in more than %d keys", maxKeys)
			return
		}
		for _, e := range m.entries {
			if into.get(e.name) == nil {
				into.entries = append(into.entries, e)
			}
		}
	}
}

func (t *treeBuilder) entry(v *ast.MappingValueNode) entry {
	key := scalar(v.Key)
	if m, ok := v.Key.(*ast.MappingKeyNode); ok {
		key = scalar(m.Value)
	}
	e := entry{place: key.place, name: key.text, value: t.build(v.Value)}
	if e.value.kind == nothing && e.value.line == 0 {
		e.value.place = e.place
	}
	return e
}
