package config

import (
	"errors"
	"strings"

	"plimsoll/config/clean"
	"plimsoll/config/expr"
)

// compile reports a mistake in the expression of a custom gate, where it stands
// in the file if that can be told. An expression that several services share is
// compiled once.
func (b *binder) compile(name string, n *node) {
	if b.compiled[n] {
		return
	}
	b.compiled[n] = true
	_, err := expr.Compile(n.text)
	if err == nil {
		return
	}
	const hint = "expressions are CEL (https://cel.dev) over image, config, diff and evidence; docs/gates/custom.md lists their fields"
	var mistake *expr.Error
	if !errors.As(err, &mistake) {
		b.report(n.place, hint, "the expression of %s cannot be used: %s", name, clean.Text(err.Error()))
		return
	}
	message := clean.Text(mistake.Message)
	if at, ok := b.within(n, mistake.Line, mistake.Column); ok {
		b.report(at, hint, "the expression of %s: %s", name, message)
		return
	}
	b.report(n.place, hint, "the expression of %s, its line %d, character %d: %s", name, mistake.Line, mistake.Column, message)
}

// within is where a line and column of a text stand in the file; false if the
// way it is written there does not tell.
func (s *source) within(n *node, line, column int) (place, bool) {
	text := []rune(n.text)
	places := s.spread(n.place, text)
	if places == nil {
		return place{}, false
	}
	at := 0
	for ; line > 1 && at < len(text); at++ {
		if text[at] == '\n' {
			line--
		}
	}
	at += column - 1
	switch {
	case at < 0:
		return place{}, false
	case at >= len(text): // the end is missing something
		last := places[len(places)-1]
		return place{last.line, last.column + 1}, true
	}
	return places[at], true
}

// spread is where each character of a scalar stands in the file, nil if that
// cannot be told. at is where the scalar begins. What was read is compared with
// the text, so that a way of writing that is not understood here gives no wrong place.
func (s *source) spread(at place, text []rune) []place {
	if at.line < 1 || at.line > len(s.lines) || len(text) == 0 {
		return nil
	}
	w := spreader{lines: s.lines, at: at, want: len(text)}
	first := []rune(s.lines[at.line-1])
	if at.column < 1 || at.column > len(first) {
		return nil
	}
	switch first[at.column-1] {
	case '|', '>':
		w.block(string(first[at.column-1:]))
	case '\'', '"':
		w.quote = first[at.column-1]
		w.at.column++
		w.flow()
	default:
		w.flow()
	}
	if string(w.out) != string(text) {
		return nil
	}
	return w.places
}

// spreader reads a scalar again, character by character (https://yaml.org/spec/1.2.2/,
// chapters 7.3 and 8.1).
type spreader struct {
	lines  []string
	at     place
	quote  rune // 0 for a plain scalar
	want   int  // how many characters there are
	out    []rune
	places []place
}

func (w *spreader) emit(r rune, at place) {
	w.out, w.places = append(w.out, r), append(w.places, at)
}

// flow reads a plain or quoted scalar, over several lines if need be.
func (w *spreader) flow() {
	for len(w.out) < w.want {
		line := []rune(w.lines[w.at.line-1])
		if w.at.column > len(line) {
			if !w.fold() {
				return
			}
			continue
		}
		r, width := line[w.at.column-1], 1
		switch {
		case w.quote == '\'' && r == '\'':
			width = 2 // two of them are one
		case w.quote == '"' && r == '\\':
			if r, width = escaped(line[w.at.column:]); width == 0 {
				return
			}
		}
		w.emit(r, w.at)
		w.at.column += width
	}
}

// escaped is what a backslash in double quotes stands for, and the width with
// it; 0 for one that expressions have no use for.
func escaped(rest []rune) (rune, int) {
	if len(rest) == 0 {
		return 0, 0
	}
	if i := strings.IndexRune(`"\/nt`, rest[0]); i >= 0 {
		return []rune("\"\\/\n\t")[i], 2
	}
	return 0, 0
}

// fold goes to the next line of a flow scalar: a line break is a space, empty lines are line breaks.
func (w *spreader) fold() bool {
	for len(w.out) > 0 && strings.ContainsRune(" \t", w.out[len(w.out)-1]) {
		w.out, w.places = w.out[:len(w.out)-1], w.places[:len(w.places)-1]
	}
	end, empty := w.at, -1
	for w.at.line < len(w.lines) {
		w.at.line++
		empty++
		if line := w.lines[w.at.line-1]; strings.TrimSpace(line) != "" {
			w.at.column = 1 + len(line) - len(strings.TrimLeft(line, " \t"))
			w.breaks(empty, end)
			return true
		}
	}
	return false
}

func (w *spreader) breaks(empty int, at place) {
	if empty == 0 {
		w.emit(' ', at)
	}
	for range empty {
		w.emit('\n', at)
	}
}

// block reads a literal or folded scalar below its header.
func (w *spreader) block(header string) {
	if strings.ContainsAny(header, "123456789") {
		return // an indentation of its own
	}
	indent, empty := -1, 0
	for line := w.at.line + 1; line <= len(w.lines) && len(w.out) < w.want; line++ {
		text := []rune(w.lines[line-1])
		depth := len(text) - len([]rune(strings.TrimLeft(string(text), " ")))
		if depth == len(text) {
			empty++
			continue
		}
		switch {
		case indent < 0:
			indent = depth
		case header[0] == '>':
			w.breaks(empty, place{line - 1, 1})
		default:
			w.breaks(empty+1, place{line - 1, 1})
		}
		empty = 0
		for i := min(indent, len(text)); i < len(text); i++ {
			w.emit(text[i], place{line, i + 1})
		}
	}
}
