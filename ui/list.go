package ui

import (
	"slices"
	"strings"
)

// row is one line of a table. Its key is what the selection follows, so that a
// refresh that moves rows never moves the selection to another one.
type row struct {
	key   string
	cells func() []span // made when they are needed: few rows are in the window
	words []string      // further text that the filter finds, that no column shows
}

// filter is what a list is narrowed to.
type filter struct {
	input   input
	editing bool
}

// matches tells whether every word of the filter is in the row.
func (f filter) matches(r row) bool {
	var b strings.Builder
	for _, c := range r.cells() {
		b.WriteString(c.text)
		b.WriteByte(' ')
	}
	b.WriteString(strings.Join(r.words, " "))
	all := strings.ToLower(b.String())
	for _, word := range strings.Fields(strings.ToLower(f.input.text())) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

// list is the cursor and the filter of a table.
type list struct {
	key      string // of the selected row, "" for the first
	index    int    // where it was last, for when it is gone
	top      int    // first row in the window
	narrowed filter
}

// visible is the rows that the filter lets through.
func (l list) visible(rows []row) []row {
	if l.narrowed.input.text() == "" {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !l.narrowed.matches(r) })
}

// at is the index of the selected row, -1 if there is none.
func (l list) at(rows []row) int {
	if i := slices.IndexFunc(rows, func(r row) bool { return r.key == l.key }); i >= 0 {
		return i
	}
	return min(max(0, l.index), len(rows)-1)
}

// selected is the key of the selected row, "" if there is none.
func (l list) selected(rows []row) string {
	rows = l.visible(rows)
	if i := l.at(rows); i >= 0 {
		return rows[i].key
	}
	return ""
}

// pin makes the selection follow what is selected now, also if nobody chose it:
// what is new on top must not slip under the hand.
func (l list) pin(rows []row) list {
	if key := l.selected(rows); key != "" {
		l.key, l.index = key, l.at(l.visible(rows))
	}
	return l
}

// move handles a moving key; height is how many rows the window shows.
func (l list) move(a action, all []row, height int) list {
	rows := l.visible(all)
	i := moved(a, l.at(rows), len(rows), height)
	if i < 0 {
		return l
	}
	l.key, l.index = rows[i].key, i
	l.top = l.window(rows, height)
	return l
}

// moved is where a moving key leads from i among n.
func moved(a action, i, n, page int) int {
	switch a { //nolint:exhaustive // the other actions do not move
	case actUp:
		i--
	case actDown:
		i++
	case actPageUp:
		i -= max(1, page-1)
	case actPageDown:
		i += max(1, page-1)
	case actTop:
		i = 0
	case actBottom:
		i = n - 1
	}
	return min(max(0, i), n-1)
}

// window is the first row to show, so that the selected one is in sight.
func (l list) window(rows []row, height int) int {
	i := l.at(rows)
	top := min(l.top, max(0, len(rows)-height))
	if i < top {
		return max(0, i)
	}
	return max(top, i-height+1)
}

// pointer marks the selected row, for those who see no reverse video.
const pointer = "> "

// drawTable draws the titles and as many rows as fit. Pure.
func drawTable(st *styles, columns []column, all []row, l list, at extent) string {
	rows := l.visible(all)
	fitted := arrangeColumns(columns, at.w-len(pointer))
	var out []string
	titles := make([]span, 0, len(columns))
	for _, c := range columns {
		titles = append(titles, span{c.title, strong})
	}
	out = append(out, "  "+drawCells(fitted, columns, titles, st.paint))
	sel, top := l.at(rows), l.window(rows, at.h-1)
	for i := top; i < len(rows) && i < top+at.h-1; i++ {
		if i == sel {
			out = append(out, st.selected(plain, pointer)+drawCells(fitted, columns, rows[i].cells(), st.selected))
		} else {
			out = append(out, "  "+drawCells(fitted, columns, rows[i].cells(), st.paint))
		}
	}
	return strings.Join(out, "\n")
}

// drawCells draws the cells that have a column.
func drawCells(a arranged, columns []column, cells []span, paint func(tone, string) string) string {
	var b strings.Builder
	for n, i := range a.columns {
		if n > 0 {
			b.WriteString(paint(plain, strings.Repeat(" ", a.gap)))
		}
		s := fit(cells[i].text, a.widths[n])
		if columns[i].right {
			trimmed := strings.TrimRight(s, " ")
			s = strings.Repeat(" ", len(s)-len(trimmed)) + trimmed
		}
		b.WriteString(paint(cells[i].tone, s))
	}
	return b.String()
}
