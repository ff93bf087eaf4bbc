package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// boxWidth is how wide a dialog is inside: a full digest fits in 80 columns.
func boxWidth(at extent) int { return max(10, min(at.w-4, 96)) }

// box draws a dialog: a title on the border, what scrolls, then what always
// stays in sight. Pure; it is never larger than the window.
func box(st *styles, title string, scrolling []line, p pager, fixed []string, at extent) string {
	return framed(st, lipgloss.RoundedBorder(), strong, title, scrolling, p, fixed, at)
}

// dangerBox is a box that nobody takes for another one: a thick edge, in red
// where there are colours.
func dangerBox(st *styles, title string, scrolling []line, p pager, fixed []string, at extent) string {
	return framed(st, lipgloss.ThickBorder(), loud, title, scrolling, p, fixed, at)
}

func framed(st *styles, border lipgloss.Border, look tone, title string, scrolling []line, p pager, fixed []string, at extent) string {
	w := boxWidth(at)
	body := folded(scrolling, w)
	room := max(0, at.h-2-len(fixed))
	shown := strings.Split(p.view(st, body, extent{w, min(room, len(body))}), "\n")
	if len(body) == 0 {
		shown = nil
	}
	lines := append(shown, fixed...)
	if most := max(1, at.h-2); len(lines) > most {
		lines = lines[len(lines)-most:] // what is typed is at the end
	}
	for i := range lines {
		lines[i] = fit(lines[i], w)
	}
	// The title needs a look of its own on the border, which a part of a border
	// cannot have: so the top line is made here, of the same border's characters.
	edge := plain
	if look == loud {
		edge = bad
	}
	title = ansi.Truncate(" "+title+" ", w-2, "…")
	top := st.paint(edge, border.TopLeft+border.Top) + st.paint(look, title) + st.paint(edge, strings.Repeat(border.Top, max(0, w+1-width(title)))+border.TopRight)
	// The rest of the border is a space away from the text.
	rest := lipgloss.NewStyle().Border(border).BorderTop(false).Padding(0, 1).BorderForeground(st.looks[edge].GetForeground())
	return top + "\n" + rest.Render(strings.Join(lines, "\n"))
}

// overlay puts a dialog in the middle of what is left of a screen below its top
// lines. The dialog is clipped to that, because a layer that hangs over makes the
// whole canvas larger.
func overlay(base, box string, at extent, top int) string {
	x, y := max(0, (at.w-lipgloss.Width(box))/2), max(0, (at.h-lipgloss.Height(box))/2)
	box = lipgloss.NewStyle().MaxWidth(at.w - x).MaxHeight(at.h - y).Render(box)
	return lipgloss.NewCompositor(lipgloss.NewLayer(base), lipgloss.NewLayer(box).X(x).Y(top+y).Z(1)).Render()
}

// keyHints is the last line of a dialog.
func keyHints(st *styles, pairs ...string) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, st.paint(strong, pairs[i])+" "+pairs[i+1])
	}
	return strings.Join(out, "   ")
}

// scrolled tells whether a key scrolls the text of a dialog. Letters do not:
// they may be typed.
func scrolled(k tea.KeyPressMsg) (action, bool) {
	switch k.String() {
	case "pgup", "ctrl+u":
		return actPageUp, true
	case "pgdown", "ctrl+d":
		return actPageDown, true
	case "up":
		return actUp, true
	case "down":
		return actDown, true
	}
	return "", false
}

// reading tells the same where nothing can be typed.
func reading(k tea.KeyPressMsg) (action, bool) {
	switch k.String() {
	case "k":
		return actUp, true
	case "j":
		return actDown, true
	case "g", "home":
		return actTop, true
	case "G", "end":
		return actBottom, true
	}
	return scrolled(k)
}

// scroll moves the text of a dialog that has so many fixed lines.
func (p pager) scroll(a action, lines []line, fixed int, at extent) pager {
	return p.move(a, len(folded(lines, boxWidth(at))), max(1, at.h-2-fixed))
}
