package ui

import (
	"fmt"
	"strings"
)

//go:generate go test . -run TestKeysDocIsCurrent -update

// placeNames are the screens in the order of docs/keys.md.
var placeNames = []struct {
	place place
	name  string
}{
	{onServices, "services"},
	{onCandidates, "candidates"},
	{onDetail, "candidate detail"},
	{onDiff, "diff"},
	{onOperation, "promotion or rollback"},
	{onRollback, "rollback"},
	{onHistory, "history"},
	{onRecord, "record"},
	{onDoctor, "doctor"},
}

// KeysDoc is docs/keys.md, made from the table that the console itself uses.
func KeysDoc() string {
	var b strings.Builder
	b.WriteString(`# Keys of the console

Made by ` + "`go generate ./ui`" + ` from the table in ui/keys.go; do not edit.

| key | action | what it does | where |
|---|---|---|---|
`)
	for _, k := range table() {
		name := string(k.action)
		if k.danger {
			name += " (writes)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", quoted(k.labels()), name, k.help, places(k.places))
	}
	b.WriteString(`
What writes is off with ` + "`--read-only`" + `, always opens a dialog first, and is never confirmed by the key that opened it.
A key that is not possible now stays in the line of keys, in brackets; pressing it says why, and so does ` + "`?`" + `.

## In dialogs

These are fixed. To write prod, the name of the service has to be typed; pasting it does not count, and neither does a held key.

| key | what it does |
|---|---|
`)
	for _, k := range dialogKeys {
		fmt.Fprintf(&b, "| %s | %s |\n", quoted(k[0]), k[1])
	}
	b.WriteString(`
## Other keys

` + "`ui.keys`" + ` in personal.yaml puts an action on another key. It replaces the first key of the action; arrows, home, end and
the like stay. Two actions of one screen on one key, an unknown action or a key that confirms are refused at start.

` + "```yaml" + `
ui:
  keys:
    promote: P
    page-down: ctrl+f
` + "```" + `
`)
	return b.String()
}

func quoted(keys string) string {
	parts := strings.Fields(keys)
	for i, p := range parts {
		parts[i] = "`" + p + "`"
	}
	return strings.Join(parts, " ")
}

func places(p place) string {
	switch p { //nolint:exhaustive // sets of places, not places
	case everywhere:
		return "everywhere"
	case lists:
		return "lists"
	}
	var in, out []string
	for _, n := range placeNames {
		if p&n.place != 0 {
			in = append(in, n.name)
		} else {
			out = append(out, n.name)
		}
	}
	if len(out) < len(in) {
		return "everywhere but " + strings.Join(out, ", ")
	}
	return strings.Join(in, ", ")
}
