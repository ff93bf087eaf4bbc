package config

import (
	"fmt"
	"strings"
)

// Reference is the part of docs/configuration.md that lists every key: a
// Markdown table for each part of plimsoll.yaml, made from the loader's table.
func Reference() string {
	var b strings.Builder
	w := referenceWriter{out: &b, seen: map[string]string{}}
	for _, k := range teamShape().keys {
		fmt.Fprintf(&b, "### %s\n\n%s\n\n| key | meaning | without it | example |\n|---|---|---|---|\n", k.name, k.doc)
		w.below(k.value, k.name)
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

type referenceWriter struct {
	out  *strings.Builder
	seen map[string]string // name of a shape → where it is written out
}

// below lists the keys under path. A shape that was listed is only referred to.
func (w *referenceWriter) below(s *shape, path string) {
	for _, f := range s.forms {
		w.below(f, path)
	}
	if s.name != "" {
		if first, ok := w.seen[s.name]; ok {
			if first != path && len(s.keys) > 0 && !strings.HasPrefix(path, first+"[") {
				fmt.Fprintf(w.out, "| `%s.*` | The keys of `%s`. | | |\n", path, first)
			}
			return
		}
		w.seen[s.name] = path
	}
	switch {
	case s.of != nil && s.kind == aList:
		w.below(s.of, path+"[]")
	case s.of != nil:
		w.below(s.of, path+".<"+dictionaryKey(s)+">")
	}
	for _, k := range s.keys {
		w.row(k, path+"."+k.name)
		w.below(k.value, path+"."+k.name)
	}
}

func (w *referenceWriter) row(k key, path string) {
	def := k.def
	if k.required {
		def = "**required**"
	}
	if k.def != "" && !strings.Contains(def, " ") && !strings.Contains(def, "`") {
		def = "`" + def + "`"
	}
	fmt.Fprintf(w.out, "| `%s` | %s | %s | `%s` |\n", path, cell(k.doc), cell(def), cell(k.example))
}

func dictionaryKey(s *shape) string {
	switch s.format {
	case hostName:
		return "host"
	case personID:
		return "id"
	}
	return "name"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
