package ui

import (
	"slices"
	"unicode"

	tea "charm.land/bubbletea/v2"
)

// input is a line of text being typed. Its longest content is limited, so
// that a paste cannot flood a signed statement.
type input struct {
	runes []rune
	at    int // where the next rune goes
}

const inputLimit = 400

func (i input) text() string { return string(i.runes) }

// key handles an editing key; others change nothing.
func (i input) key(k tea.KeyPressMsg) input {
	switch k.String() {
	case "backspace", "ctrl+h":
		return i.erase(1)
	case "ctrl+w":
		return i.erase(i.word())
	case "ctrl+u":
		return i.erase(i.at)
	case "left", "ctrl+b":
		i.at = max(0, i.at-1)
	case "right", "ctrl+f":
		i.at = min(len(i.runes), i.at+1)
	case "home", "ctrl+a":
		i.at = 0
	case "end", "ctrl+e":
		i.at = len(i.runes)
	default:
		if k.Text == "" || k.Mod&(tea.ModCtrl|tea.ModAlt|tea.ModMeta) != 0 {
			return i
		}
		return i.insert(k.Text)
	}
	return i
}

// insert puts text at the cursor, cleaned.
func (i input) insert(s string) input {
	return i.put([]rune(text(s)))
}

func (i input) put(add []rune) input {
	add = add[:min(len(add), max(0, inputLimit-len(i.runes)))]
	i.runes = slices.Concat(i.runes[:i.at], add, i.runes[i.at:])
	i.at += len(add)
	return i
}

// erase removes n runes before the cursor.
func (i input) erase(n int) input {
	n = min(n, i.at)
	i.runes = slices.Concat(i.runes[:i.at-n], i.runes[i.at:])
	i.at -= n
	return i
}

// word is how many runes before the cursor the last word has, with the space after it.
func (i input) word() int {
	n := 0
	for n < i.at && unicode.IsSpace(i.runes[i.at-1-n]) {
		n++
	}
	for n < i.at && !unicode.IsSpace(i.runes[i.at-1-n]) {
		n++
	}
	return n
}

// view draws the text with its cursor in at most w cells, the end of a long text.
func (i input) view(st *styles, focused bool, w int) string {
	const cursor = 1
	before, after := string(i.runes[:i.at]), string(i.runes[i.at:])
	if !focused {
		return fitLeft(before+after, w)
	}
	under := " "
	if i.at < len(i.runes) {
		under, after = string(i.runes[i.at:i.at+1]), string(i.runes[i.at+1:])
	}
	before = fitLeft(before, w-cursor-1)
	return before + st.selected(plain, under) + after
}
