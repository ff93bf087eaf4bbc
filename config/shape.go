package config

import (
	"slices"
	"strings"
)

// shape describes what may stand at one place of a file. The table of shapes
// in keys.go is the only description there is: the loader checks files against
// it, Schema turns it into a JSON Schema, Reference into the table of docs.
type shape struct {
	kind    nodeKind // of the YAML value; aBoolean, aInteger, aText, aList, aMapping; "" with forms
	name    string   // a shape with a name stands once in the schema and the docs
	format  *format  // of a text, or of the names of a dictionary
	words   []string // the only texts that are right
	low     int      // least number, or least items
	high    int      // greatest number; 0 without one
	must    bool     // a boolean that may only be true
	of      *shape   // items of a list, values of a dictionary
	keys    []key    // of a mapping with known keys
	choices []choice // exactly one of these sets of keys stands in the mapping
	some    bool     // at least one of the keys stands in the mapping
	least   []string // at least one of these keys stands in the mapping
	forms   []*shape // any of these, told apart by their kind
}

// key is one known key of a mapping.
type key struct {
	name     string
	doc      string // one sentence
	def      string // what holds without it, in words
	example  string // a value in YAML
	required bool
	value    *shape
}

// choice is a set of keys that belong together.
type choice struct{ need, may []string }

func text(f *format) *shape                  { return &shape{kind: aText, format: f} }
func words(w ...string) *shape               { return &shape{kind: aText, words: w} }
func number(low, high int) *shape            { return &shape{kind: aInteger, low: low, high: high} }
func flag() *shape                           { return &shape{kind: aBoolean} }
func only() *shape                           { return &shape{kind: aBoolean, must: true} }
func listOf(of *shape, least int) *shape     { return &shape{kind: aList, of: of, low: least} }
func dictOf(names *format, of *shape) *shape { return &shape{kind: aMapping, format: names, of: of} }
func anyOf(forms ...*shape) *shape           { return &shape{forms: forms} }
func mapOf(name string, keys ...key) *shape  { return &shape{kind: aMapping, name: name, keys: keys} }
func (s *shape) choosing(c ...choice) *shape { s.choices = c; return s }
func (s *shape) withSome() *shape            { s.some = true; return s }
func (s *shape) with(keys ...string) *shape  { s.least = keys; return s }

// find is the key of that name.
func (s *shape) find(name string) (key, bool) {
	i := slices.IndexFunc(s.keys, func(k key) bool { return k.name == name })
	if i < 0 {
		return key{}, false
	}
	return s.keys[i], true
}

func (s *shape) names() []string {
	out := make([]string, 0, len(s.keys))
	for _, k := range s.keys {
		out = append(out, k.name)
	}
	return out
}

// what says in words what may stand there.
func (s *shape) what() string {
	switch {
	case len(s.forms) > 0:
		parts := make([]string, 0, len(s.forms))
		for _, f := range s.forms {
			parts = append(parts, f.what())
		}
		return strings.Join(parts, ", or ")
	case len(s.words) > 0:
		return strings.Join(s.words, ", ")
	case s.format != nil && s.kind == aText:
		return s.format.what
	case s.must:
		return "true"
	}
	switch {
	case s.kind == aMapping && s.keys != nil:
		return "a mapping with the keys " + strings.Join(s.names(), ", ")
	case s.kind == aList:
		return "a list, each item " + s.of.what()
	}
	return string(s.kind)
}

// fits tells whether the mapping has the needed keys and no others than may be.
func (c choice) fits(n *node) bool {
	for _, k := range c.need {
		if n.get(k) == nil {
			return false
		}
	}
	return c.takes(n)
}

// takes tells whether all keys of the mapping belong to the choice.
func (c choice) takes(n *node) bool {
	return !slices.ContainsFunc(n.entries, func(e entry) bool {
		return !slices.Contains(c.need, e.name) && !slices.Contains(c.may, e.name)
	})
}

// String is the choice in words.
func (c choice) String() string {
	s := strings.Join(c.need, " with ")
	if len(c.may) > 0 {
		s += " (and " + strings.Join(c.may, ", ") + ")"
	}
	return s
}
