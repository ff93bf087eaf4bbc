package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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
	if n.kind == nothing {
		c.report(n.place, "what is right here: "+s.what(), "%s has no value", path)
		return
	}
	what := string(n.kind)
	if n.kind == aBoolean || n.kind == aInteger {
		what = "the " + map[nodeKind]string{aBoolean: "boolean ", aInteger: "number "}[n.kind] + n.text
	}
	c.report(n.place, s.instead(n), "%s is %s", path, what)
}

// instead is the hint for a value of another kind.
func (s *shape) instead(n *node) string {
	right := "what is right here: " + s.what()
	switch {
	case s.accepts("off") && n.text == "false":
		return "to switch a gate off write: off"
	case s.kind == aBoolean && n.kind == aText:
		return "write true or false, without quotes"
	case s.format == duration && n.kind == aInteger:
		return fmt.Sprintf("add a unit, for example %sh or %sd", n.text, n.text)
	case s.format != nil && s.format.span && n.kind == aInteger:
		return "add a unit: " + s.format.hint
	case s.hasKind(aText) && n.kind != aMapping && n.kind != aList:
		return fmt.Sprintf("put it in quotes: '%s'; %s", n.text, right)
	case s.kind == aList && n.kind == aText:
		return "write it as a list: [" + n.text + "]"
	}
	return right
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
	c.report(at, hint, "%s: %q %s", path, mask(value), wrong)
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
		if _, ok := s.find("token-env"); ok {
			hint = "no secret belongs in this file: put it in an environment variable and name that, token-env: NAME"
		}
	}
	if c.foreign != nil {
		if _, ok := c.foreign.find(e.name); ok || path != "" {
			hint = "personal.yaml may hold signing, ui, and read, evidence, promote or client-certificate of a registry; the rest stands in the team's plimsoll.yaml"
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
		c.checkLeast(n, s, path)
		c.checkChoice(n, s, path)
	}
}

// checkLeast reports a mapping that has none of the keys of which it needs one.
func (c *checker) checkLeast(n *node, s *shape, path string) {
	if len(s.least) == 0 || slices.ContainsFunc(s.least, func(name string) bool { return n.get(name) != nil }) {
		return
	}
	examples := make([]string, 0, len(s.least))
	for _, name := range s.least {
		k, _ := s.find(name)
		examples = append(examples, name+": "+k.example)
	}
	c.report(n.place, "write at least one of them, for example "+strings.Join(examples, ", or "), "%s has neither %s", path, strings.Join(s.least, " nor "))
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
	if i := slices.IndexFunc(s.choices, func(ch choice) bool { return len(has) > 1 && ch.takes(n) }); i >= 0 {
		c.reportRest(n, s, s.choices[i], path)
		return
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// reportRest reports what is missing of a choice that was begun.
func (c *checker) reportRest(n *node, s *shape, begun choice, path string) {
	for _, name := range begun.need {
		if n.get(name) == nil {
			k, _ := s.find(name)
			c.report(n.place, fmt.Sprintf("add it, for example %s: %s", name, k.example), "%q is missing", join(path, name))
		}
	}
}
