package expr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// The most of what Explain tells.
const (
	maxExplained = 10  // lines
	maxShown     = 200 // characters of one value
)

// path is a fact that an expression names: image.config.user.
type path struct {
	text  string
	steps []string
}

// Explain says what the facts are that the expression names, a line each, so
// that whoever reads that it does not hold knows what to change. The bodies of
// all, exists and the like are left out: what they run over is said.
func (p *Program) Explain(facts map[string]any) []string {
	var lines []string
	for _, at := range p.paths {
		if len(lines) == maxExplained {
			break
		}
		value, ok := at.find(facts)
		if !ok {
			lines = append(lines, at.text+" is not known")
			continue
		}
		if s, ok := show(value); ok {
			lines = append(lines, at.text+" is "+s)
		}
	}
	return lines
}

func (p path) find(facts map[string]any) (any, bool) {
	var v any = facts
	for _, step := range p.steps {
		switch in := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = in[step]; !ok {
				return nil, false
			}
		case map[string]string:
			s, ok := in[step]
			if !ok {
				return nil, false
			}
			v = s
		default:
			return nil, false
		}
	}
	return v, true
}

// show writes a value as JSON; of what is long only how much it is.
func show(v any) (string, bool) {
	switch v := v.(type) {
	case map[string]any:
		return fmt.Sprintf("a map of %d", len(v)), true
	case []map[string]any:
		return fmt.Sprintf("a list of %d", len(v)), true
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return "", false
	}
	s := strings.TrimSpace(b.String())
	if list, ok := v.([]any); ok && utf8.RuneCountInString(s) > maxShown {
		return fmt.Sprintf("a list of %d", len(list)), true
	}
	if runes := []rune(s); len(runes) > maxShown {
		s = string(runes[:maxShown]) + "…"
	}
	return s, true
}

// pathsOf are the facts that e names, in the order of the text, each once.
func pathsOf(e ast.Expr) []path {
	var found []path
	var visit func(e ast.Expr)
	visit = func(e ast.Expr) {
		if p, ok := pathOf(e); ok {
			if len(p.steps) > 1 && !slices.ContainsFunc(found, func(f path) bool { return f.text == p.text }) {
				found = append(found, p)
			}
			return
		}
		for _, child := range children(e) {
			visit(child)
		}
	}
	visit(e)
	return found
}

// children are the parts of e that name facts; not the body of a
// comprehension, whose variables are its own.
func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			return append([]ast.Expr{call.Target()}, call.Args()...)
		}
		return call.Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.ComprehensionKind:
		return []ast.Expr{e.AsComprehension().IterRange()}
	default:
		return nil
	}
}

// pathOf is e as a path from a variable, if it is one: selections, and
// look-ups of a constant key.
func pathOf(e ast.Expr) (path, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		_, ok := variables[name]
		return path{name, []string{name}}, ok
	case ast.SelectKind:
		s := e.AsSelect()
		p, ok := pathOf(s.Operand())
		return p.then("."+s.FieldName(), s.FieldName()), ok
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
			return path{}, false
		}
		key, isText := call.Args()[1].AsLiteral().(types.String)
		p, ok := pathOf(call.Args()[0])
		return p.then(fmt.Sprintf("[%q]", string(key)), string(key)), ok && isText
	default:
		return path{}, false
	}
}

func (p path) then(text, step string) path {
	return path{p.text + text, append(slices.Clone(p.steps), step)}
}
