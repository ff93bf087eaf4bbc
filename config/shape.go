package config

import (
	"fmt"
	"slices"
	"strconv"
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

// checker walks a file along the table.
type checker struct {
	*source
	visits  int
	foreign *shape // what the other file may hold, for a better message; nil without one
}

// check reports everything about n that s does not allow. path is the way
// from the top of the file.
func (c *checker) check(n *node, s *shape, path string) {
	if c.visits++; c.visits > maxValues {
		if c.visits == maxValues+1 {
			c.report(n.place, "use fewer aliases", "the file has more than %d values with its aliases written out", maxValues)
		}
		return
	}
	if len(s.forms) > 0 {
		c.checkForms(n, s, path)
		return
	}
	if n.kind != s.kind {
		c.wrongKind(n, s, path)
		return
	}
	//exhaustive:ignore
	switch n.kind {
	case aMapping:
		c.checkMapping(n, s, path)
	case aList:
		c.checkList(n, s, path)
	default:
		c.checkScalar(n, s, path)
	}
}

func (c *checker) checkForms(n *node, s *shape, path string) {
	for _, f := range s.forms {
		if f.kind == n.kind {
			c.check(n, f, path)
			return
		}
	}
	c.wrongKind(n, s, path)
}

func (c *checker) wrongKind(n *node, s *shape, path string) {
	hint := "what is right here: " + s.what()
	switch {
	case n.kind == nothing:
		c.report(n.place, hint, "%s has no value", path)
		return
	case s.accepts("off") && n.text == "false":
		hint = "to switch a gate off write: off"
	case s.kind == aBoolean && n.kind == aText:
		hint = "write true or false, without quotes"
	case s.format == duration && n.kind == aInteger:
		hint = fmt.Sprintf("add a unit, for example %sh or %sd", n.text, n.text)
	case s.hasKind(aText) && n.kind != aMapping && n.kind != aList:
		hint = fmt.Sprintf("put it in quotes: '%s'; %s", n.text, hint)
	case s.kind == aList && n.kind == aText:
		hint = "write it as a list: [" + n.text + "]"
	}
	what := string(n.kind)
	if n.kind == aBoolean || n.kind == aInteger {
		what = "the " + map[nodeKind]string{aBoolean: "boolean ", aInteger: "number "}[n.kind] + n.text
	}
	c.report(n.place, hint, "%s is %s", path, what)
}

func (s *shape) hasKind(k nodeKind) bool {
	return s.kind == k || slices.ContainsFunc(s.forms, func(f *shape) bool { return f.kind == k })
}

func (s *shape) accepts(word string) bool {
	return slices.Contains(s.words, word) || slices.ContainsFunc(s.forms, func(f *shape) bool { return f.accepts(word) })
}

func (c *checker) checkScalar(n *node, s *shape, path string) {
	switch {
	case s.kind == aInteger:
		i, err := strconv.Atoi(n.text)
		if err != nil || i < s.low || s.high > 0 && i > s.high {
			c.report(n.place, fmt.Sprintf("write a number from %d to %d", s.low, s.high), "%s: %s is out of range", path, n.text)
		}
	case s.must && n.text != "true":
		c.report(n.place, "write true, or leave the key out", "%s is false, which says nothing", path)
	case len(s.words) > 0 && !slices.Contains(s.words, n.text):
		c.report(n.place, didYouMean(n.text, s.words), "%s: %q is not known", path, n.text)
	case s.format != nil:
		c.checkFormat(n.place, s.format, n.text, path)
	}
}

func (c *checker) checkFormat(at place, f *format, value, path string) {
	wrong, hint := f.wrong(value)
	if wrong == "" {
		return
	}
	if f.hidden {
		c.report(at, hint, "%s %s", path, wrong)
		return
	}
	c.report(at, hint, "%s: %q %s", path, value, wrong)
}

func (c *checker) checkList(n *node, s *shape, path string) {
	if len(n.items) < s.low {
		c.report(n.place, "name at least one: "+s.of.what(), "%s is an empty list", path)
	}
	for i, item := range n.items {
		c.check(item, s.of, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (c *checker) checkMapping(n *node, s *shape, path string) {
	for _, e := range n.entries {
		at := join(path, e.name)
		if s.of != nil {
			c.checkFormat(e.place, s.format, e.name, path)
			c.check(e.value, s.of, at)
			continue
		}
		if k, ok := s.find(e.name); ok {
			c.check(e.value, k.value, at)
			continue
		}
		c.unknownKey(e, s, path)
	}
	c.checkMissing(n, s, path)
}

func (c *checker) unknownKey(e entry, s *shape, path string) {
	hint := didYouMean(e.name, s.names())
	if lower := strings.ToLower(e.name); strings.HasPrefix(lower, "pass") || lower == "token" || lower == "secret" {
		hint = "no secret belongs in this file: put it in an environment variable and name that, {username: …, password-env: NAME}"
	}
	if c.foreign != nil {
		if _, ok := c.foreign.find(e.name); ok || path != "" {
			hint = "personal.yaml may hold signing, ui, and read, evidence or promote of a registry; the rest stands in the team's plimsoll.yaml"
			c.report(e.place, hint, "%q is the team's alone", join(path, e.name))
			return
		}
	}
	where := ""
	if path != "" {
		where = " in " + path
	}
	c.report(e.place, hint, "unknown key %q%s", e.name, where)
}

func (c *checker) checkMissing(n *node, s *shape, path string) {
	var unknown []string
	for _, e := range n.entries {
		if _, ok := s.find(e.name); !ok {
			unknown = append(unknown, e.name)
		}
	}
	for _, k := range s.keys {
		// A key that is only misspelt was reported as unknown.
		if k.required && n.get(k.name) == nil && nearest(k.name, unknown) == "" {
			c.report(n.place, fmt.Sprintf("add it, for example %s: %s", k.name, k.example), "%q is missing", join(path, k.name))
		}
	}
	if s.some && len(n.entries) == 0 {
		c.report(n.place, "name at least one of: "+strings.Join(s.names(), ", "), "%s is empty", path)
	}
	if len(unknown) == 0 {
		c.checkChoice(n, s, path)
	}
}

// checkChoice reports a mapping that says nothing, half of something, or several things.
func (c *checker) checkChoice(n *node, s *shape, path string) {
	if len(s.choices) == 0 || slices.ContainsFunc(s.choices, func(ch choice) bool { return ch.fits(n) }) {
		return
	}
	options, has := make([]string, 0, len(s.choices)), make([]string, 0, len(n.entries))
	for _, ch := range s.choices {
		options = append(options, ch.String())
	}
	for _, e := range n.entries {
		has = append(has, e.name)
	}
	hint := "write exactly one of: " + strings.Join(options, "; ")
	switch len(has) {
	case 0:
		c.report(n.place, hint, "%s is empty", path)
	case 1:
		c.report(n.place, hint, "%s has %s, which is not enough by itself", path, has[0])
	default:
		c.report(n.place, hint, "%s has %s, which do not go together", path, strings.Join(has, " and "))
	}
}

// fits tells whether the mapping has the needed keys and no others than may be.
func (c choice) fits(n *node) bool {
	for _, k := range c.need {
		if n.get(k) == nil {
			return false
		}
	}
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
