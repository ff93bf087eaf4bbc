package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// help lists every key: first those of the screen it was opened on, with the
// reason where one is not possible now.
type help struct {
	lines []line
	find  input
	typed bool // the filter is being typed
	pager pager
}

func newHelp(d *data, s screen, keys keymap) dialog {
	sub := s.subject(d)
	lines := []line{say(strong, "on this screen")}
	for _, b := range keys {
		if b.places&s.place() != 0 {
			lines = append(lines, helpLine(b, b.disabled(d, sub)))
		}
	}
	lines = append(lines, nil, say(strong, "on other screens"))
	for _, b := range keys {
		if b.places&s.place() == 0 {
			lines = append(lines, helpLine(b, ""))
		}
	}
	lines = append(lines, nil, say(strong, "in dialogs"))
	for _, k := range dialogKeys {
		lines = append(lines, line{{fit(k[0], 16), strong}, {k[1], plain}})
	}
	return help{lines: lines}
}

// dialogKeys are fixed: what confirms must be where the hand expects it.
var dialogKeys = [][2]string{
	{"esc", "leave it; nothing was done"},
	{"y", "approve; yes; copy, in an error box"},
	{"r", "reject, in a sign-off"},
	{"c", "write the comment of a sign-off"},
	{"enter", "go on, once the name of the service was typed"},
	{"tab shift+tab", "the next field, the one before"},
	{"space", "change a choice"},
	{"↑ ↓ pgup pgdown", "scroll"},
}

func helpLine(b binding, why string) line {
	l := line{{fit(b.labels(), 16), strong}, {b.help, plain}}
	if why != "" {
		l = append(l, span{fmt.Sprintf("  (not now: %s)", why), warn})
	}
	return l
}

func (h help) key(k tea.KeyPressMsg, d *data) (dialog, intent) {
	if h.typed {
		switch k.String() {
		case "esc":
			h.find, h.typed = input{}, false
		case "enter":
			h.typed = false
		default:
			h.find = h.find.key(k)
			h.pager = pager{}
		}
		return h, nil
	}
	if a, ok := reading(k); ok {
		h.pager = h.pager.scroll(a, h.lines, 2, d.room)
		return h, nil
	}
	switch k.String() {
	case "/":
		h.typed = true
	case "esc":
		if h.find.text() != "" {
			h.find = input{}
			return h, nil
		}
		return h, closeDialog{}
	case "q", "?", "enter":
		return h, closeDialog{}
	}
	return h, nil
}

func (h help) paste(s string) dialog {
	if h.typed {
		h.find = h.find.insert(s)
	}
	return h
}

func (h help) view(_ *data, st *styles, at extent) string {
	lines := h.lines
	if want := strings.ToLower(h.find.text()); want != "" {
		lines = nil
		for _, l := range h.lines {
			if len(l) > 1 && strings.Contains(strings.ToLower(l[0].text+l[1].text), want) {
				lines = append(lines, l)
			}
		}
	}
	fixed := []string{keyHints(st, "/", "filter", "j k", "scroll", "esc", "close")}
	if h.typed || h.find.text() != "" {
		fixed = []string{st.paint(strong, "filter: ") + h.find.view(st, h.typed, boxWidth(at)-8)}
	}
	return box(st, "keys", lines, h.pager, append([]string{""}, fixed...), at)
}
