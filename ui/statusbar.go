package ui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// What is below every screen: the result of the latest action, one line about
// the selection or the latest key, and the keys.

// banner is what stands above the status line until it is dismissed or
// mended: the result of an action, else why the screen may be old, else what
// the backend warns of.
func banner(d *data, s screen, keys keymap) *notice {
	if d.result != nil {
		return d.result
	}
	for _, q := range s.wants(d) {
		state := d.state(q)
		if q.kind == askList && !state.whole && len(d.list(q.service).value.Candidates) == 0 {
			continue // the body says it
		}
		if state.err != nil && state.have && s.place() != onServices {
			return &notice{level: levelWarn, text: staleWords(q) + " may be old: " + state.err.first() + hintWords(state.err), more: state.err}
		}
	}
	if name := s.service(); name != "" {
		if p, ok := d.open(name); ok && s.place() != onOperation && d.busy() == "" {
			return &notice{level: levelWarn, text: pendingWords(p) + ". " + keys.of(actFinish).labels() + " finishes it, " + keys.of(actError).labels() + " tells more"}
		}
		if w := quietWarnings(d.list(name).value); len(w) > 0 {
			return &notice{level: levelWarn, text: strings.Join(w, "; ")}
		}
	}
	return nil
}

func staleWords(q query) string {
	switch q.kind {
	case askGates:
		return "the checks"
	case askDiff:
		return "the comparison"
	case askTargets, askList:
		return "the list"
	case askHistory:
		return "the history"
	case askDoctor:
		return "what the doctor found"
	case askVerify:
		return "what was verified"
	}
	return "this"
}

func hintWords(p *problem) string {
	if p.hint == "" {
		return ""
	}
	return " (" + p.hint + ")"
}

// bannerLines is the banner, broken to the window's width, at most three lines.
func bannerLines(d *data, s screen, keys keymap, w int) []line {
	n := banner(d, s, keys)
	if n == nil {
		return noteLines(d, w)
	}
	words := n.text
	if n == d.result && n.level != levelBusy {
		more := ""
		if n.more != nil {
			more = keys.of(actError).labels() + " all of it, "
		}
		words += "  (" + more + "esc dismisses)"
	}
	broken := wrap(words, w-4)
	if len(broken) > 3 {
		broken = append(broken[:2], ansi.Truncate(broken[2], max(0, w-30), "")+"…  ("+keys.of(actError).labels()+" all of it, esc dismisses)")
	}
	out := make([]line, 0, len(broken))
	for i, b := range broken {
		mark := " "
		if i == 0 {
			mark = levelMark(n.level)
		}
		out = append(out, line{{" " + mark + " ", levelTone(n.level)}, {b, levelTone(n.level)}})
	}
	return append(out, noteLines(d, w)...)
}

// noteLines is what the latest key has to say, if the status line cannot hold it.
func noteLines(d *data, w int) []line {
	if noteFits(d, w) {
		return nil
	}
	var out []line
	for _, part := range wrap(d.note, w-2) {
		out = append(out, say(plain, " %s", part))
	}
	return out[:min(len(out), 3)]
}

func noteFits(d *data, w int) bool { return width(d.note) < w }

// statusLine is about the latest key, else about the selection.
func statusLine(d *data, s screen, st *styles, w int) string {
	var l line
	switch {
	case d.note != "" && noteFits(d, w):
		l = say(plain, "%s", d.note)
	case d.busy() != "" && s.place() != onOperation:
		l = say(warn, "%s (o shows it)", d.busy())
		if d.writing != "" {
			l = say(warn, "%s", d.writing)
		}
	default:
		l = s.status(d)
	}
	return ansi.Truncate(" "+st.draw(l), w, "…")
}

// keyLine is as many keys as fit, heaviest first, and always the way to the
// rest. What is not possible now is faint and in brackets; pressing it says why.
func keyLine(d *data, s screen, keys keymap, st *styles, w int) string {
	last := " " + st.paint(strong, keys.of(actHelp).labels()) + " keys"
	room, out := w-width(last), ""
	sub := s.subject(d)
	for _, b := range keys {
		if b.short == "" || b.places&s.place() == 0 {
			continue
		}
		short := b.short
		if b.action == actPromote && pastGates(d, sub) {
			short = st.paint(bad, "override")
		}
		item := " " + st.paint(strong, b.first()) + " " + short + " "
		if b.disabled(d, sub) != "" {
			item = st.paint(faint, fmt.Sprintf("(%s %s)", b.first(), b.short))
		}
		if width(out)+width(item) > room {
			break
		}
		out += item
	}
	return out + last
}

// filterLine is the line of keys while a filter is being typed.
func filterLine(st *styles) string {
	return " " + st.paint(strong, "enter") + " keep  " + st.paint(strong, "esc") + " clear  " + st.paint(strong, "↑ ↓") + " move"
}
