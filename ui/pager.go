package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// pager scrolls through lines.
type pager struct{ top int }

// move handles a moving key; n is how many lines there are, height how many fit.
func (p pager) move(a action, n, height int) pager {
	last := max(0, n-height)
	switch a { //nolint:exhaustive // the other actions do not scroll
	case actUp, actDown:
		p.top = moved(a, min(p.top, last), last+1, 1)
	default:
		p.top = moved(a, min(p.top, last), last+1, height)
	}
	return p
}

// view draws the lines in the window. Pure. Where there is more, the last
// line says so.
func (p pager) view(st *styles, lines []line, at extent) string {
	top := min(p.top, max(0, len(lines)-at.h))
	end := min(len(lines), top+at.h)
	more := len(lines) - end
	out := make([]string, 0, end-top)
	for _, l := range lines[top:end] {
		out = append(out, st.draw(l))
	}
	if more > 0 && len(out) > 1 {
		out[len(out)-1] = st.paint(faint, fit(" ↓ "+plural(more+1, "more line"), at.w))
	}
	return strings.Join(out, "\n")
}

// folded breaks lines that are wider than w; the continuation is indented
// like the line's own text.
func folded(lines []line, w int) []line {
	var out []line
	for _, l := range lines {
		plainText := ""
		for _, s := range l {
			plainText += s.text
		}
		if width(plainText) <= w {
			out = append(out, l)
			continue
		}
		out = append(out, foldLine(l, plainText, w)...)
	}
	return out
}

// foldLine breaks one line. What has more than one tone keeps them on its
// first line only; the rest takes the tone of its last part.
func foldLine(l line, all string, w int) []line {
	indent := len(all) - len(strings.TrimLeft(all, " "))
	if head := l[0].text; len(l) > 1 {
		indent = max(indent, min(width(head), w/2))
	}
	indent = min(indent, w/2)
	first, rest := splitLine(l, w)
	tone := l[len(l)-1].tone
	parts := wrap(strings.TrimSpace(rest), w-indent)
	out := append(make([]line, 0, 1+len(parts)), first)
	for _, part := range parts {
		out = append(out, line{{strings.Repeat(" ", indent) + part, tone}})
	}
	return out
}

// splitLine cuts a line at the last space before w, or at w.
func splitLine(l line, w int) (line, string) {
	used := 0
	for i, s := range l {
		n := width(s.text)
		if used+n <= w {
			used += n
			continue
		}
		head := ansi.Truncate(s.text, w-used, "")
		if at := strings.LastIndex(head, " "); at > 0 && strings.TrimSpace(head[:at]) != "" {
			head = head[:at]
		}
		rest := s.text[len(head):]
		for _, later := range l[i+1:] {
			rest += later.text
		}
		return append(append(line{}, l[:i]...), span{head, s.tone}), rest
	}
	return l, ""
}
