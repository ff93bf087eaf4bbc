package ui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// fits fails unless the frame is exactly as high as the window, or one line if
// it is too small, and nowhere wider.
func fits(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, d *driver, at extent,
) {
	t.Helper()
	content := d.m.View().Content
	lines := strings.Split(content, "\n")
	if want := at.h; !tooSmall(at.w, at.h) && len(lines) != want || len(lines) > max(1, want) {
		t.Fatalf("%d lines in a window of %d×%d:\n%s", len(lines), at.w, at.h, d.screen())
	}
	for i, l := range lines {
		if n := ansi.StringWidth(l); n > at.w {
			t.Fatalf("line %d is %d wide in a window of %d×%d:\n%s", i, n, at.w, at.h, d.screen())
		}
	}
}

// draw makes a picture of rectangles, each filled with its own letter.
func draw(w, h int, rects map[rune]rect) string {
	grid := make([][]rune, h)
	for y := range grid {
		grid[y] = []rune(strings.Repeat(".", w))
	}
	for name, r := range rects {
		for y := r.y; y < r.y+r.h; y++ {
			for x := r.x; x < r.x+r.w; x++ {
				grid[y][x] = name
			}
		}
	}
	lines := make([]string, h)
	for y := range grid {
		lines[y] = string(grid[y])
	}
	return strings.Join(lines, "\n")
}

func TestTheWindowIsDivided(t *testing.T) {
	picture := func(w, h, breaches, notice int) string {
		f := arrange(w, h, breaches, notice)
		return draw(w, h, map[rune]rect{'t': f.title, 'p': f.prod, '!': f.breach, '-': f.top, 'b': f.body, '=': f.bottom, 'n': f.notice, 's': f.status, 'k': f.keys})
	}
	for _, c := range []struct {
		name                string
		h, breaches, notice int
		want                string
	}{
		{"without a notice", 9, 0, 0, "t p - b b b = s k"},
		{"with a notice", 15, 0, 2, "t p - b b b b b b b = n n s k"},
		{"a long notice gets a third of the body", 15, 0, 9, "t p - b b b b b b = n n n s k"},
		{"with somebody past the gate", 15, 2, 1, "t p ! ! - b b b b b b = n s k"},
		{"both long", 15, 9, 9, "t p ! ! ! - b b b b = n n s k"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := ""
			for _, l := range strings.Fields(c.want) {
				want += strings.Repeat(l, 4) + "\n"
			}
			if got := picture(4, c.h, c.breaches, c.notice) + "\n"; got != want {
				t.Fatalf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestTheDetailPaneIsBesideIfTheTableKeepsEightyColumns(t *testing.T) {
	for _, c := range []struct {
		body, table, pane rect
	}{
		{rect{0, 0, 80, 18}, rect{0, 0, 80, 18}, rect{}},
		{rect{0, 0, 118, 18}, rect{0, 0, 118, 18}, rect{}},
		{rect{0, 0, 120, 34}, rect{0, 0, 80, 34}, rect{81, 0, 39, 34}},
		{rect{0, 0, 200, 54}, rect{0, 0, 119, 54}, rect{120, 0, 80, 54}},
		{rect{0, 0, 80, 44}, rect{0, 0, 80, 24}, rect{0, 25, 80, 19}},
	} {
		if table, pane := panes(c.body); table != c.table || pane != c.pane {
			t.Errorf("%v is divided into %v and %v, want %v and %v", c.body, table, pane, c.table, c.pane)
		}
	}
}

func TestAgeIsDroppedBeforeTheGates(t *testing.T) {
	titles := func(w int) string {
		var out []string
		for _, i := range arrangeColumns(candidateColumns, w).columns {
			out = append(out, candidateColumns[i].title)
		}
		return strings.Join(strings.Fields(strings.Join(out, " ")), " ")
	}
	for w, want := range map[int]string{
		198: "CANDIDATE TAGS VERDICT SIZE E2E SCAN BASE SIGN-OFF OTHER REVISION PLATFORMS AGE",
		90:  "CANDIDATE TAGS SIZE E2E SCAN BASE SIGN-OFF AGE",
		78:  "CANDIDATE TAGS SIZE E2E SCAN BASE SIGN-OFF",
		58:  "CANDIDATE TAGS E2E SCAN SIGN-OFF",
		20:  "CANDIDATE TAGS E2E SCAN",
	} {
		if got := titles(w); got != want {
			t.Errorf("at %d columns: %s, want %s", w, got, want)
		}
	}
}

func TestASmallWindowSaysSo(t *testing.T) {
	for _, at := range []extent{{20, 5}, {59, 24}, {80, 14}, {1, 1}} {
		d := startAt(t, newFake(t), at.w, at.h)
		fits(t, d, at)
		if shown := flowing(d.screen()); at.w >= 20 && shown != "too small: Plimsoll needs 60×15" {
			t.Errorf("at %v: %q", at, d.screen())
		}
		d.press("j", "p", "x", "?", "esc", "b")
		fits(t, d, at)
	}
	fits(t, startAt(t, newFake(t), 60, 15).press("p"), extent{60, 15})
	if got := startAt(t, newFake(t), 0, 0).screen(); got != "" {
		t.Errorf("in no window: %q", got)
	}
}
