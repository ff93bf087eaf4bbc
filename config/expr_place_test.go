package config

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPlacesInScalarsAreTrue writes expressions in every way that YAML has, and
// asks where each character stands. A place that is told is right.
func TestPlacesInScalarsAreTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-zä'"&(][a-zä'"&. ()]{0,12}[a-z)]`), 1, 4).Draw(t, "lines")
		style := rapid.SampledFrom([]string{"plain", "single", "double", "literal", "folded"}).Draw(t, "style")
		indent := strings.Repeat(" ", rapid.IntRange(1, 6).Draw(t, "indent"))
		broken := strings.Join(lines, "\n"+indent)
		text := "expr: " + broken
		switch style {
		case "single":
			text = "expr: '" + strings.ReplaceAll(broken, "'", "''") + "'"
		case "double":
			text = `expr: "` + strings.ReplaceAll(broken, `"`, `\"`) + `"`
		case "literal":
			text = "expr: |\n" + indent + broken
		case "folded":
			text = "expr: >-\n" + indent + broken
		}
		s := newSource("file", []byte(text))
		root := parseTree(s, []byte(text))
		if root == nil || root.get("expr") == nil || root.get("expr").kind != aText {
			t.Skip("no YAML in this style")
		}
		n := root.get("expr")
		places := s.spread(n.place, []rune(n.text))
		if places == nil && len(lines) > 1 && (style == "single" || style == "double") {
			return // the parser reads some of these otherwise than YAML says, so no place is told
		}
		if places == nil {
			t.Fatalf("no places for %q in %q", n.text, text)
		}
		for i, r := range []rune(n.text) {
			line := []rune(s.lines[places[i].line-1])
			switch {
			case r == ' ' || r == '\n': // may be the end of a line
			case style == "double" && r == '"':
				if line[places[i].column-1] != '\\' {
					t.Fatalf("%q at %v in %q", r, places[i], text)
				}
			case line[places[i].column-1] != r:
				t.Fatalf("%q at %v in %q", r, places[i], text)
			}
		}
	})
}

func TestPlacesThatCannotBeToldAreNotGuessed(t *testing.T) {
	for _, text := range []string{`expr: "a\x41b"`, "expr: |2\n    a\n", "expr: >\n  a\n   b\n  c\n", "a: &x foo\nexpr: *x"} {
		s := newSource("file", []byte(text))
		root := parseTree(s, []byte(text))
		if root == nil {
			t.Fatalf("%q: %v", text, s.err())
		}
		n := root.get("expr")
		for i, p := range s.spread(n.place, []rune(n.text)) {
			if got := []rune(s.lines[p.line-1])[p.column-1]; got != []rune(n.text)[i] {
				t.Errorf("%q: %q at %v", text, got, p)
			}
		}
	}
}

// FuzzWithin feeds any file to the search for a place in it.
func FuzzWithin(f *testing.F) {
	for _, text := range []string{"e: a && b", "e: 'it''s'", "e: \"\\\"\"", "e: |\n  a\n  b\n", "e: >\n  a\n\n  b", "e: a\n  b"} {
		f.Add(text, 1, 2, 1, 4)
	}
	f.Fuzz(func(t *testing.T, text string, line, column, atLine, atColumn int) {
		s := newSource("file", []byte(text))
		for _, value := range []string{text, strings.TrimSpace(text), "a && b"} {
			n := &node{place: place{atLine, atColumn}, kind: aText, text: value}
			at, ok := s.within(n, line, column)
			if ok && (at.line < 1 || at.line > len(s.lines) || at.column < 1) {
				t.Fatalf("%v is not in %q", at, text)
			}
		}
	})
}
