package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
)

// longText is from how many characters on a value is shown by its beginning and its hash.
const longText = 100

// difference says line by line what leads from one policy document to another:
// each line is one rule with its whole path, so that it can be read by itself.
func difference(before, after []byte) []string {
	old, now := flat(before), flat(after)
	text, err := udiff.ToUnified("", "", old, udiff.Lines(old, now), 0)
	if err != nil {
		return []string{"it differs: " + clean.Text(err.Error())}
	}
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") || strings.HasPrefix(line, "@@") || line == "" {
			continue
		}
		out = append(out, line[:1]+" "+line[1:])
	}
	return out
}

// flat is a document as lines "path: value", in a stable order.
func flat(document []byte) string {
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		return "unreadable: " + clean.Text(err.Error()) + "\n"
	}
	var text strings.Builder
	for _, line := range flatten(nil, "", v) {
		text.WriteString(line + "\n")
	}
	return text.String()
}

func flatten(lines []string, path string, v any) []string {
	object, ok := v.(map[string]any)
	if !ok {
		return append(lines, flattenList(path, v)...)
	}
	if len(object) == 0 && path != "" {
		return append(lines, path+": {}")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		lines = flatten(lines, strings.TrimPrefix(path+"."+clean.Text(name), "."), object[name])
	}
	return lines
}

// flattenList gives each object of a list a line of its own, so that one more
// is one line more.
func flattenList(path string, v any) []string {
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return []string{path + ": " + inline(v)}
	}
	if _, objects := items[0].(map[string]any); !objects {
		return []string{path + ": " + inline(v)}
	}
	lines := make([]string, 0, len(items))
	for _, item := range items {
		lines = append(lines, path+": "+inline(item))
	}
	return lines
}

// inline writes a value in one line, with nothing in it that a screen would not show.
func inline(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] != "" {
				parts = append(parts, clean.Text(name)+" "+inline(v[name]))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			parts = append(parts, inline(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return strconv.Quote(abridged(v))
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// abridged shortens a long value: a key, a certificate, an expression.
func abridged(s string) string {
	if len([]rune(s)) <= longText {
		return s
	}
	return string([]rune(s)[:24]) + fmt.Sprintf("… (%d characters, SHA-256 %s)", len([]rune(s)), digest.FromString(s).Encoded()[:16])
}
