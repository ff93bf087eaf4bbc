package config

import (
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// What is filled in: in the command of a delivery, and in the URL or command of a source.
var (
	deliveryFields = []string{"Reference", "Digest", "Service", "Channel", "Previous"}
	sourceFields   = []string{"Service", "Digest", "Revision", "Staging"}
)

// filledIn is a format of texts in which those fields are filled in. more looks
// at what holds of the text besides; nil for nothing.
func filledIn(what string, fields []string, more func(string) (wrong, hint string)) *format {
	named := make([]string, 0, len(fields))
	for _, f := range fields {
		named = append(named, "{{."+f+"}}")
	}
	last := len(named) - 1
	hint := "use " + strings.Join(named[:last], ", ") + " or " + named[last]
	return &format{what: what, more: func(s string) (string, string) {
		if err := checkTemplate(s, fields); err != nil {
			return "cannot be filled in: " + err.Error(), hint
		}
		if more != nil {
			return more(s)
		}
		return "", ""
	}}
}

// checkTemplate reads a text that is filled in. Fields alone may stand in it: a
// file that was only found must not make us run loops.
func checkTemplate(s string, fields []string) error {
	t, err := template.New("argument").Parse(s)
	if err != nil {
		return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "template: argument:1: "))
	}
	if t.Tree == nil || t.Root == nil {
		return nil
	}
	for _, n := range t.Root.Nodes {
		if n.Type() == parse.NodeText || slices.Contains(fields, fieldOf(n)) {
			continue
		}
		return fmt.Errorf("%s is nothing that is filled in", n)
	}
	return nil
}

// fieldOf is the name in {{.Name}}, "" for anything else.
func fieldOf(n parse.Node) string {
	a, ok := n.(*parse.ActionNode)
	if !ok || len(a.Pipe.Decl) > 0 || len(a.Pipe.Cmds) != 1 || len(a.Pipe.Cmds[0].Args) != 1 {
		return ""
	}
	f, ok := a.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(f.Ident) != 1 {
		return ""
	}
	return f.Ident[0]
}
