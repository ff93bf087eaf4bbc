package ui

// rect is a part of the window, in cells.
type rect struct{ x, y, w, h int }

// frame is where everything is. Title, status and keys are one line each;
// the rules above and below the body separate them.
type frame struct {
	title, prod, breach, top, body, bottom, notice, status, keys rect
}

// The smallest window that Plimsoll draws in.
const (
	minWidth  = 60
	minHeight = 15
)

// tooSmall tells whether a window has no room for the frame.
func tooSmall(w, h int) bool { return w < minWidth || h < minHeight }

// arrange divides a window of w by h cells. breaches and notice are how many
// lines the breaches and the result of an action take; each gets at most a third
// of what is left for the body. Pure.
func arrange(w, h, breaches, notice int) frame {
	const fixed = 6 // title, prod, two rules, status, keys
	breaches = max(0, min(breaches, (h-fixed)/3))
	notice = max(0, min(notice, (h-fixed-breaches)/3))
	above := 2 + breaches
	body := max(0, h-fixed-breaches-notice)
	row := func(y, n int) rect { return rect{0, y, w, n} }
	return frame{
		title:  row(0, 1),
		prod:   row(1, 1),
		breach: row(2, breaches),
		top:    row(above, 1),
		body:   row(above+1, body),
		bottom: row(above+1+body, 1),
		notice: row(above+2+body, notice),
		status: row(above+2+body+notice, 1),
		keys:   row(above+3+body+notice, 1),
	}
}

// panes divides a body into a table and a detail pane: to the right if the
// table keeps 80 columns, else below if it keeps 12 rows, else there is none.
func panes(body rect) (table, detail rect) {
	const tableWidth, paneWidth, paneMost, tableHeight, paneHeight = 80, 38, 80, 12, 12
	switch {
	case body.w >= tableWidth+1+paneWidth:
		left := body.w - 1 - min(paneMost, body.w-1-tableWidth) // a pane of 80 holds a whole digest
		return rect{body.x, body.y, left, body.h}, rect{body.x + left + 1, body.y, body.w - left - 1, body.h}
	case body.h >= tableHeight+1+paneHeight:
		top := max(tableHeight, body.h*11/20)
		return rect{body.x, body.y, body.w, top}, rect{body.x, body.y + top + 1, body.w, body.h - top - 1}
	}
	return body, rect{}
}

// column is one column of a table.
type column struct {
	title  string
	width  int // least width, 0 leaves the column out; a flexible one gets what is left
	flex   bool
	right  bool
	weight int // the lightest is dropped first; 0 is never dropped
}

// arranged is the columns that fit, with their final widths and the gap between them.
type arranged struct {
	columns []int // indexes into the columns asked for
	widths  []int // of those
	gap     int
}

// arrangeColumns fits columns into w cells: first all of them two apart, then
// one apart, then without the lightest, and so on. Pure.
func arrangeColumns(all []column, w int) arranged {
	keep := make([]bool, len(all))
	for i := range keep {
		keep[i] = all[i].width > 0
	}
	for {
		for _, gap := range []int{2, 1} {
			if out, ok := tryColumns(all, keep, w, gap); ok {
				return out
			}
		}
		lightest := -1
		for i, c := range all {
			if keep[i] && c.weight > 0 && (lightest < 0 || c.weight < all[lightest].weight) {
				lightest = i
			}
		}
		if lightest < 0 {
			out, _ := tryColumns(all, keep, w, 1)
			return out
		}
		keep[lightest] = false
	}
}

func tryColumns(all []column, keep []bool, w, gap int) (arranged, bool) {
	out, used, flexible := arranged{gap: gap}, 0, -1
	for i, c := range all {
		if !keep[i] {
			continue
		}
		if c.flex {
			flexible = len(out.columns)
		}
		if len(out.columns) > 0 {
			used += gap
		}
		used += c.width
		out.columns, out.widths = append(out.columns, i), append(out.widths, c.width)
	}
	if used > w {
		return out, false
	}
	if flexible >= 0 {
		out.widths[flexible] += w - used
	}
	return out, true
}
